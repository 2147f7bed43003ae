//! Engines on hull: the real containerd, Docker, Podman and Buildah, started as installed, driven by their own clients.
//!
//! A test is what a person would type, and what must come of it. `scripts/engines` builds the machines in which this
//! program runs, once with runc in hull's place: what runc cannot do there is the machine's limit (limits.txt), all
//! else must be the same with hull.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test may panic, and writes only into directories of its own"
)]

#[path = "../harness/mod.rs"]
mod harness;

mod buildah;
mod containerd;
mod cri;
mod docker;
mod engine;
mod installed;
mod leftovers;
mod podman;
mod rootless;
mod shell;
mod terminal;
