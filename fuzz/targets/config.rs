//! A document becomes a plan or a refusal, on every kind of host and for every verb: never a panic, and never a plan
//! that is out of proportion to the document.
#![no_main]

#[path = "../../tests/plan/hosts.rs"]
mod hosts;

use std::path::Path;

use hull::plan::{self, Request};
use hull::seccomp;
use hull::spec::{self, Process, Spec};
use libfuzzer_sys::fuzz_target;

const HOSTS: [&str; 12] = [
    "none",
    "v1",
    "v2",
    "hybrid",
    "complete",
    "labelled",
    "rdt",
    "rootless",
    "systemd",
    "systemd-user",
    "rootless-v1",
    "nested",
];

/// What a document may become, in bytes for each of its own: one name of a system call is one number on each of three
/// machines, one option of a mount one attribute.
const GROWTH: usize = 256;

/// What every plan has.
const LEAST: usize = 64 * 1024;

/// The first line chooses the host and the verb, if it is two letters; the rest is the document. Without such a line
/// it is `v2` and `create`.
fn parts(data: &[u8]) -> (usize, &[u8]) {
    match data {
        [choice, b'\n', document @ ..] => (usize::from(*choice), document),
        document => (2, document),
    }
}

fuzz_target!(|data: &[u8]| {
    let (choice, document) = parts(data);
    let Ok(spec) = spec::parse::<Spec>(Path::new("config.json"), document) else { return };
    let facts = hosts::named(HOSTS[choice % HOSTS.len()]);
    let request = Request { wait_for_start: choice & 64 == 0, ..Request::new("box", Path::new("/bundle")) };
    let bound = LEAST + GROWTH * document.len();
    let process: Option<&Process> = spec.process.as_ref();
    if let Some(exec) = process.and_then(|process| plan::compile_exec(&spec, process, &request, &facts).ok())
    {
        assert!(exec.to_string().len() < bound, "a plan of {} bytes", exec.to_string().len());
    }
    let Ok(plan) = plan::compile(&spec, &request, &facts) else { return };
    let text = plan.to_string();
    assert!(text.len() < bound, "a plan of {} bytes", text.len());
    if let Some(profile) = &plan.parent.seccomp {
        let _ = seccomp::program(profile, seccomp::NATIVE, seccomp::newer(profile.default));
    }
    // Later verbs compile the kept copy again, and count steps from the end.
    let again = plan::compile(&spec, &request, &facts).expect("the same document").to_string();
    assert!(again == text, "two plans of one document");
});
