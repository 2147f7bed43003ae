//! The attacks that other runtimes have fallen to, tried on hull: one test for each CVE, named after it, and the shapes of
//! root filesystems and the races that the next one may be made of.
//!
//! The oracle is a tree outside of the container that no attack may change ([`outside::Outside`]). `RUNTIME=/path` aims
//! the same attacks at another runtime, which is how the tests are tested: docs/security.md has what that finds.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test may panic, and writes only into directories of its own"
)]

#[path = "../harness/mod.rs"]
mod harness;

mod callers;
mod cgroups;
mod checkpoints;
mod descriptors;
mod identity;
mod links;
mod outside;
mod procfs;
mod race;
mod shapes;
