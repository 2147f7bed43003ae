//! Conformance with the OCI runtime specification 1.3, by its own chapters and sections.
//!
//! Each case is one test: its name begins with the row of the checklist it belongs to, the last line of its comment
//! names document and section, and its verdict comes from inside the container or from what the runtime tells, never
//! from an exit code alone. `RUNTIME=/path/to/runtime` drives any runtime with runc's command line;
//! scripts/conformance runs the suite on several and writes docs/conformance.md.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test may panic, and writes only into directories of its own"
)]

#[path = "../harness/mod.rs"]
mod harness;

mod config_linux_md;
mod config_md;
mod features_md;
mod refused;
mod runtime_linux_md;
mod runtime_md;
mod schema;
mod seen;
