//! What of the runtime is within reach of a process inside: descriptors, working directories, its memory.

use serde_json::json;

use crate::harness::*;
use crate::needs;

/// Standard streams and nothing else, for init and for exec.
#[test]
fn cve_2024_21626_no_descriptor_leaks() {
    needs!(root);
    let numbers = |world: &serde_json::Value| {
        world["fds"].as_object().map(|fds| fds.keys().cloned().collect::<Vec<_>>()).unwrap_or_default()
    };
    assert_eq!(numbers(&Container::new().world()), ["0", "1", "2"]);
    let container = Container::new().sleeping();
    assert_eq!(numbers(&container.exec_world(&[])), ["0", "1", "2"]);
}

/// Neither `exec --cwd` nor the program's path finds a descriptor of the runtime to go through.
#[test]
fn cve_2024_21626_exec_through_a_descriptor() {
    needs!(root);
    let container = Container::new().sleeping();
    for fd in 3..16 {
        let done = container.exec(&["--cwd", &format!("/proc/self/fd/{fd}")], &["/probe"]);
        if done.code == 0 {
            assert!(done.json()["cwd"].as_str().is_some_and(|cwd| cwd.starts_with('/')), "fd {fd}: {done:?}");
        }
        let program = format!("/proc/self/fd/{fd}/../../../../../../../../bin/true");
        assert_ne!(container.exec(&[], &[&program]).code, 0, "{program}");
    }
}

/// A process of the container that looks through /proc while others are put in finds no file of theirs that is not the
/// container's own.
#[test]
fn cve_2016_9962_exec_is_not_looked_into() {
    needs!(root, busybox);
    let look = "while :; do for fd in /proc/[0-9]*/fd/* /proc/[0-9]*/cwd /proc/[0-9]*/root; do
        [ -e $fd/rootfs/probe ] && [ -e $fd/config.json ] && echo $fd >>/found
        done; done 2>/dev/null";
    let container = Container::new();
    container.bundle.busybox(&["sh"]);
    let found = container.bundle.rootfs().join("found");
    let container = container.args(&["/bin/sh", "-c", look]).running();
    for _ in 0..30 {
        container.exec(&[], &["/probe", "exit", "0"]).ok();
    }
    let found = std::fs::read_to_string(found).unwrap_or_default();
    assert!(found.is_empty(), "found the bundle through {found}");
}

/// What is half-way inside cannot be traced: its /proc files are root's of the host.
#[test]
fn cve_2016_9962_undumpable() {
    needs!(root);
    let container = Container::new().args(&["/probe", "pause"]);
    container.create(&[]).ok();
    let status = std::fs::read_to_string(format!("/proc/{}/status", container.pid())).unwrap();
    assert!(status.contains("CapEff"), "{status}");
    let world = container.exec_world(&[]);
    assert_eq!(world["dumpable"], json!(1), "but the program is as any other");
}
