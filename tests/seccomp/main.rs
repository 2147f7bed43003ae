//! The seccomp compiler against libseccomp, program by program, and against the kernel.
#![cfg(target_env = "gnu")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod definition;
mod differential;
mod interpreter;
mod kernel;

mod libseccomp_program;
mod machines;
mod newer;

mod random;

use hull::plan::SeccompPlan;
use hull::spec::Seccomp;

/// Docker's default profile, as it comes in a config.json for x86-64.
fn docker() -> Seccomp {
    serde_json::from_str(include_str!("../fixtures/seccomp-docker.json")).unwrap()
}

fn plan(profile: &Seccomp) -> SeccompPlan {
    SeccompPlan::compile(profile).unwrap()
}
