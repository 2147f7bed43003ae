//! The fault sweep: for every verb and every system call that any of its processes makes, the call is made to fail, and
//! the process is killed in front of it. Whatever happens, the command ends, tells the truth about how, and leaves
//! nothing that `delete --force` does not remove; a container that ran before runs on.
//!
//! ```text
//! cargo test --test faults -- [--all | --every N] [--at PROCESS:CALL] [--errno NAME... | --kill] [--verbose] [VERB]...
//! ```
//!
//! Without `--all`, every tenth point is tried, beginning at one that differs from build to build. With `--errno`, those
//! errors are given to every call, in place of the ones that the kernel gives for it; with `--kill`, none, and processes are
//! killed only. `HULL_DRIVER=systemd` has the containers in scopes, on a host with systemd. `RUNTIME=/path` sweeps another
//! runtime. What init calls is compared with tests/faults/init.txt; `--calls` only prints it. Faults that change nothing are counted as `ignored`; tests/faults/ignored.txt says why each may be.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test may panic, and writes only into directories of its own"
)]

#[path = "../harness/mod.rs"]
mod harness;

mod call;
mod host;
mod scenario;
mod sweep;
mod trace;

use std::process::ExitCode;

use sweep::Selection;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.first().map(String::as_str) {
        Some(trace::HOLD) => trace::hold(&words[1..]),
        // Asked by those who list all tests.
        Some("--list") => ExitCode::SUCCESS,
        _ => sweep::sweep(&Selection::parse(&words)),
    }
}
