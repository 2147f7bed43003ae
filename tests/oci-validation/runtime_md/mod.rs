//! runtime.md: state, lifecycle and operations.

mod lifecycle;
mod operations;
mod state;
