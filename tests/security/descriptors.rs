//! What of the runtime is within reach of a process inside: descriptors, working directories, its memory.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

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
    let found = fs::read_to_string(found).unwrap_or_default();
    assert!(found.is_empty(), "found the bundle through {found}");
}

/// Nor does one that may trace others, and so look into what is undumpable, see a root directory of the host's on its way.
#[test]
fn cve_2016_9962_exec_in_sight_of_a_tracer() {
    needs!(root);
    let container =
        Container::new().capabilities(&["CAP_SYS_PTRACE"]).args(&["/probe", "watch-births", "/found"]);
    let found = container.bundle.rootfs().join("found");
    fs::write(&found, "").unwrap();
    let container = container.running();
    for _ in 0..30 {
        container.exec(&[], &["/probe", "exit", "0"]);
        assert_eq!(fs::read_to_string(&found).unwrap(), "");
    }
    assert_eq!(container.status(), "running");
}

/// What is half-way inside cannot be traced: its /proc files are root's of the host, until the program runs.
#[test]
fn cve_2016_9962_undumpable() {
    needs!(root, user_ns);
    let container = Container::new().user_namespace().args(&["/probe", "pause"]);
    container.create(&[]).ok();
    let owner = || fs::metadata(format!("/proc/{}/environ", container.pid())).unwrap().uid();
    assert_eq!(owner(), 0);
    container.start().ok();
    assert_ne!(owner(), 0, "the program is as any other");
}

/// What the process that becomes the program holds open in the meantime is the container's own, or has no name: nothing
/// of it leads to a file of the host, were it reached by any of the ways that are known.
#[test]
fn cve_2024_21626_nothing_of_the_host_is_held() {
    needs!(root);
    for terminal in [false, true] {
        let container = Container::new().set("/process/terminal", json!(terminal)).args(&["/probe", "pause"]);
        let console = Console::new(container.bundle.path());
        let flags: &[&str] = if terminal { &["--console-socket", console.path()] } else { &[] };
        container.create(flags).ok();
        let proc = PathBuf::from(format!("/proc/{}", container.pid()));
        let mounts = fs::read_to_string(proc.join("mountinfo")).unwrap();
        for fd in fs::read_dir(proc.join("fd")).unwrap().map(|entry| entry.unwrap().path()) {
            let number: u32 = fd.file_name().unwrap().to_str().unwrap().parse().unwrap();
            let target = fs::read_link(&fd).unwrap();
            // Sockets and the like have no place.
            if number < 3 || !target.is_absolute() {
                continue;
            }
            let info = fs::read_to_string(proc.join(format!("fdinfo/{number}"))).unwrap();
            let mount = info.lines().find_map(|line| line.strip_prefix("mnt_id:")).unwrap().trim();
            let inside = mounts.lines().any(|line| line.split(' ').next() == Some(mount));
            assert!(
                inside,
                "descriptor {number} is {} on mount {mount}, not one of {mounts}",
                target.display()
            );
        }
        for link in ["cwd", "root"] {
            let found = fs::metadata(proc.join(link)).unwrap();
            let rootfs = fs::metadata(container.bundle.rootfs()).unwrap();
            assert_eq!((found.dev(), found.ino()), (rootfs.dev(), rootfs.ino()), "{link}");
        }
    }
}

/// A working directory that is a descriptor of the runtime is refused, whatever its number.
#[test]
fn cve_2024_21626_working_directories() {
    needs!(root);
    for fd in 3..24 {
        for cwd in [
            format!("/proc/self/fd/{fd}"),
            format!("/proc/self/fd/{fd}/../../.."),
            format!("/proc/1/fd/{fd}"),
        ] {
            let container = Container::new().set("/process/cwd", json!(cwd)).args(&[
                "/probe",
                "list",
                ".",
                "../../../..",
            ]);
            let done = container.run(&[]);
            assert!(done.code != 0 || !done.stdout.contains("config.json"), "{cwd}: {done:?}");
        }
    }
}

/// A program that is looked up through a descriptor of the runtime is not found.
#[test]
fn cve_2024_21626_programs() {
    needs!(root);
    for fd in 3..24 {
        let up = format!("/proc/self/fd/{fd}/../../../../../../../../usr/bin/env");
        assert_ne!(Container::new().args(&[&up]).run(&[]).code, 0, "{up}");
    }
}

/// Sockets of the runtime have no abstract name, by which whoever shares its network could find them.
#[test]
fn cve_2020_15257_no_abstract_sockets() {
    needs!(root);
    let mut container = Container::new().without_namespace("network").args(&["/probe", "pause"]);
    container.runtime.launch_by(["unshare", "--net"]);
    container.create(&[]).ok();
    let sockets = fs::read_to_string(format!("/proc/{}/net/unix", container.pid())).unwrap();
    assert!(sockets.lines().count() > 1, "init has some: {sockets}");
    assert!(!sockets.contains('@'), "{sockets}");
}

/// Who floods a terminal that nobody reads fills no memory of the runtime (CVE-2022-31030, CVE-2022-23471, CVE-2025-64329
/// too).
#[test]
fn cve_2023_25153_output_is_not_hoarded() {
    needs!(root, busybox);
    let container = Container::new().set("/process/terminal", json!(true));
    container.bundle.busybox(&["sh"]);
    let mut full = Fifo::new(&container.bundle.rootfs().join("full"));
    let flood = "(sleep 2; echo full >/full) & exec yes 0123456789abcdefghijklmnopqrstuvwxyz";
    let container = container.args(&["/bin/busybox", "sh", "-c", &flood.replace("yes", "/bin/busybox yes")]);
    let (unread, terminal) = std::io::pipe().unwrap();
    let words = [&["run"], &container.bundled(&[])[..], &[&container.id]].concat();
    let run = container.runtime.command(words).spawn_on(terminal.into());
    full.word();
    let status = fs::read_to_string(format!("/proc/{}/status", run.pid())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 16 * 1024, "{peak} KiB");
    drop(unread);
    container.kill("KILL").ok();
    run.finish();
}
