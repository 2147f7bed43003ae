//! The document types against their sources: the examples beside the specification's schema, and oci-spec, a second
//! reading of the same text.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it cannot go on")]

#[path = "../plan/hosts.rs"]
mod hosts;
mod oracle;
mod schema;

use std::path::{Path, PathBuf};

use serde_json::Value;

fn repository(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(repository(name)).unwrap_or_else(|err| panic!("{name}: {err}"))
}

fn json(name: &str) -> Value {
    serde_json::from_slice(&read(name)).unwrap_or_else(|err| panic!("{name}: {err}"))
}
