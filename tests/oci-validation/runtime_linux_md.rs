//! runtime-linux.md: file descriptors, /dev links; and what a service manager hands on.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixDatagram;
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::*;
use crate::needs;

/// Only stdin, stdout and stderr are open.
/// runtime-linux.md, "File descriptors"
#[test]
fn p18_no_descriptors_leak() {
    needs!(root_or_ranges);
    let world = Container::new().world();
    let fds: Vec<&String> = world["fds"].as_object().unwrap().keys().collect();
    assert_eq!(fds, ["0", "1", "2"]);
}

/// The links that programs expect.
/// runtime-linux.md, "Dev symbolic links"
#[test]
fn m18_device_links() {
    needs!(root_or_ranges);
    let devices = Container::new().world()["devices"].clone();
    for (name, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ] {
        assert_eq!(devices[format!("/dev/{name}")]["target"], target);
    }
    let ptmx = &devices["/dev/ptmx"];
    assert!(ptmx["target"] == "pts/ptmx" || ptmx["major"] == 5, "{ptmx}");
}

/// The multiplexer is that of the container's own devpts, whatever the image has in its place.
/// runtime-linux.md, "Dev symbolic links"
#[test]
fn m18_ptmx() {
    needs!(root_or_ranges);
    let container = Container::new().edit(|config| {
        config["mounts"].as_array_mut().unwrap().retain(|mount| mount["destination"] != "/dev");
    });
    fs::write(container.bundle.rootfs().join("dev/ptmx"), "").unwrap();
    assert_eq!(container.world()["devices"]["/dev/ptmx"]["target"], "pts/ptmx");
}

/// A /dev with a link planted in the image is not followed to the host (CVE-2026-41579).
/// runtime-linux.md, "Dev symbolic links"
#[test]
fn m18_planted_links() {
    needs!(root_or_ranges);
    let container = Container::new().edit(|config| {
        config["mounts"].as_array_mut().unwrap().retain(|mount| mount["destination"] != "/dev");
    });
    let outside = container.bundle.join("outside");
    fs::write(&outside, "untouched").unwrap();
    let links = container.bundle.rootfs().join("dev");
    for name in ["stdin", "fd", "zero", "ptmx"] {
        symlink(&outside, links.join(name)).unwrap();
    }
    container.run(&[]);
    assert_eq!(fs::read_to_string(&outside).unwrap(), "untouched");
}

/// Runs a command line under a shell that opens descriptors 3 and 4 first: Rust's own are all close-on-exec.
fn with_descriptors(container: &Container, env: &str, flags: &str) -> Value {
    let bundle = container.bundled(&[]).join(" ");
    let out = container.bundle.join("out");
    let script = format!(
        "exec 3</etc/hostname 4</etc/hosts; {env} exec {} run {bundle} {flags} {} >{}",
        container.runtime.words(),
        container.id,
        out.display()
    );
    let status = Command::new("timeout").args(["30", "sh", "-c", &script]).status().unwrap();
    assert!(status.success(), "{script}");
    serde_json::from_slice(&std::fs::read(out).unwrap()).unwrap()
}

/// `--preserve-fds N` hands on N descriptors from 3, no more.
/// runtime-linux.md, "File descriptors"
#[test]
fn p18_preserved_descriptors() {
    needs!(root_or_ranges);
    let container = Container::new();
    let world = with_descriptors(&container, "", "--preserve-fds 1");
    let fds: Vec<&String> = world["fds"].as_object().unwrap().keys().collect();
    assert_eq!(fds, ["0", "1", "2", "3"]);
    let container = Container::new();
    let world = with_descriptors(&container, "", "--preserve-fds 2");
    assert_eq!(world["fds"].as_object().unwrap().len(), 5);
    let container = Container::new();
    let world = with_descriptors(&container, "", "");
    assert_eq!(world["fds"].as_object().unwrap().len(), 3);
}

/// LISTEN_FDS are handed on, with their count and the pid inside.
/// runtime-linux.md, "File descriptors"
#[test]
fn p19_listen_fds() {
    needs!(root_or_ranges);
    let container = Container::new();
    let world = with_descriptors(&container, "LISTEN_FDS=2 LISTEN_PID=$$ LISTEN_FDNAMES=a:b", "");
    let env = world["env"].as_array().unwrap();
    assert!(env.contains(&json!("LISTEN_FDS=2")), "{env:?}");
    assert!(env.contains(&json!("LISTEN_PID=1")), "{env:?}");
    assert_eq!(world["fds"].as_object().unwrap().len(), 5);
}

/// Their names go along.
/// runtime-linux.md, "File descriptors"
#[test]
fn p19_listen_fd_names() {
    needs!(root_or_ranges);
    let world = with_descriptors(&Container::new(), "LISTEN_FDS=2 LISTEN_PID=$$ LISTEN_FDNAMES=a:b", "");
    let env = world["env"].as_array().unwrap();
    assert!(env.contains(&json!("LISTEN_FDNAMES=a:b")), "{env:?}");
}

/// NOTIFY_SOCKET is proxied: READY from inside reaches the caller's socket, with MAINPID.
/// runtime-linux.md, "File descriptors"
#[test]
fn p19_notify_socket() {
    needs!(root_or_ranges, busybox);
    let container = Container::new();
    let path = container.bundle.join("notify.sock");
    let socket = UnixDatagram::bind(&path).unwrap();
    let container = container.args(&["/probe", "notify", "READY=1"]);
    let flags = container.bundled(&[]);
    let command = container.runtime.command([&["run"], &flags[..], &[&container.id]].concat());
    let run = command.env("NOTIFY_SOCKET", &path).spawn();
    let main = format!("MAINPID={}", run.pid());
    run.finish().ok();
    socket.set_nonblocking(true).unwrap();
    let (mut text, mut message) = (String::new(), [0; 4096]);
    while let Ok(length) = socket.recv(&mut message) {
        text += &String::from_utf8_lossy(&message[..length]);
    }
    assert!(text.contains("READY=1"), "{text}");
    assert!(text.contains(&main), "no {main} in {text}");
}
