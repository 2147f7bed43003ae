//! features.md: what a runtime says that it can do.

mod document;
mod recognised;
