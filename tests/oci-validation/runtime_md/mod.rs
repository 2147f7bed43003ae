//! runtime.md: state, lifecycle and operations.

mod interrupted;
mod lifecycle;
mod operations;
mod state;
