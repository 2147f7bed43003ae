//! The commands and the areas of config.json, shown on real containers, each by one small test.
//!
//! One binary, so that it links once. `RUNTIME=runc` runs the same tests on runc; tests/differences.txt lists
//! those that runc fails, with reasons.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test may panic, and writes only into directories of its own"
)]

#[path = "../harness/mod.rs"]
mod harness;

mod bad_bundles;
mod control;
mod crash;
mod exec;
mod filter;
mod hooks;
mod lifecycle;
mod limits;
mod listing;
mod mounts;
mod namespaces;
mod net_devices;
mod own_binary;
mod process;
mod rootfs;
mod run;
mod scheduling;
mod sockets;
mod terminal;
