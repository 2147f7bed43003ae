//! The commands of hull and its robustness, shown on real containers, each by one small test. What the specification
//! demands of every runtime is in tests/oci-validation.
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
#[allow(dead_code, reason = "these tests do not play every kind of host")]
#[path = "../cgroups/view.rs"]
mod view;

mod apparmor;
mod bad_bundles;
mod checkpoint;
mod control;
mod crash;
mod exec;
mod exhaustion;
mod lifecycle;
mod listing;
mod masks;
mod notify_socket;
mod own_binary;
mod privileged;
mod rootless;
mod run;
mod selinux;
mod storm;
mod systemd;
mod terminal;
mod timing;
