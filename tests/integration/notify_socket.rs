//! sd_notify(3) through the runtime: what a supervisor hears of a program, and how long its caller waits.

use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use crate::harness::*;
use crate::needs;

/// A supervisor's socket in the bundle, and a program that says `text` to its own.
fn supervised(text: &str) -> (Container, UnixDatagram, PathBuf) {
    let container = Container::new().args(&["/probe", "notify", text]);
    let path = container.bundle.join("notify.sock");
    let socket = UnixDatagram::bind(&path).unwrap();
    (container, socket, path)
}

/// The next message. A descriptor that comes with it is closed, which is how a supervisor answers a barrier.
fn message(socket: &UnixDatagram) -> String {
    assert!(readable(socket, Duration::from_secs(20)), "no message");
    let mut text = [0; 4096];
    let length = socket.recv(&mut text).unwrap();
    String::from_utf8_lossy(&text[..length]).into_owned()
}

/// In the foreground the supervisor keeps looking at the runtime, whose end is the program's.
#[test]
fn foreground() {
    needs!(root_or_ranges);
    let (container, socket, path) = supervised("READY=1");
    let flags = container.bundled(&[]);
    let command = container.runtime.command([&["run"], &flags[..], &[&container.id]].concat());
    let run = command.env("NOTIFY_SOCKET", &path).spawn();
    let pid = run.pid();
    assert_eq!(message(&socket), format!("READY=1\nMAINPID={pid}\n"));
    run.finish().ok();
}

/// `start` waits for READY, wherever it stands in a message of whichever user, and names init as the main process.
#[test]
fn start() {
    needs!(root_or_ranges);
    let (container, socket, path) = supervised("STATUS=soon\nREADY=1\n");
    let container = container.set("/process/user", json!({ "uid": 1000, "gid": 1000 }));
    let flags = container.bundled(&[]);
    let create = container.runtime.command([&["create"], &flags[..], &[&container.id]].concat());
    create.env("NOTIFY_SOCKET", &path).run().ok();
    let pid = container.pid();
    let start = container.runtime.command(["start", &container.id]).env("NOTIFY_SOCKET", &path).spawn();
    assert_eq!(message(&socket), format!("READY=1\nMAINPID={pid}\n"));
    assert_eq!(message(&socket), "BARRIER=1");
    start.finish().ok();
}

/// While `start` waits, other verbs go on: here one that makes it ready.
#[test]
fn other_verbs_while_start_waits() {
    needs!(root_or_ranges);
    let container = Container::new().args(&["/probe", "pause"]);
    let path = container.bundle.join("notify.sock");
    let socket = UnixDatagram::bind(&path).unwrap();
    let flags = container.bundled(&[]);
    let create = container.runtime.command([&["create"], &flags[..], &[&container.id]].concat());
    create.env("NOTIFY_SOCKET", &path).run().ok();
    let start = container.runtime.command(["start", &container.id]).env("NOTIFY_SOCKET", &path).spawn();
    // Bounded by what the harness allows each command: `start` is about to get there.
    while container.status() == "created" {
        std::thread::yield_now();
    }
    let inside = ["--env", "NOTIFY_SOCKET=/run/notify/notify.sock"];
    container.exec(&inside, &["/probe", "notify", "READY=1"]).ok();
    assert!(message(&socket).starts_with("READY=1\n"));
    assert_eq!(message(&socket), "BARRIER=1");
    start.finish().ok();
    assert_eq!(container.status(), "running");
}

/// A program that dies before it is ready does not hold up its caller, who hears nothing.
#[test]
fn never_ready() {
    needs!(root_or_ranges);
    let (container, socket, path) = supervised("STATUS=never");
    let flags = container.bundled(&["--detach"]);
    let command = container.runtime.command([&["run"], &flags[..], &[&container.id]].concat());
    command.env("NOTIFY_SOCKET", &path).run().ok();
    assert!(!readable(&socket, Duration::ZERO), "{}", message(&socket));
}

/// A supervisor that cannot be reached does not keep the program from running.
#[test]
fn unreachable() {
    needs!(root_or_ranges);
    let container = Container::new();
    let flags = container.bundled(&[]);
    let command = container.runtime.command([&["run"], &flags[..], &[&container.id]].concat());
    let finished = command.env("NOTIFY_SOCKET", "/nowhere/notify").run().ok();
    let env = finished.json()["env"].clone();
    assert!(env.as_array().unwrap().contains(&json!("NOTIFY_SOCKET=/run/notify/notify.sock")), "{env}");
    assert!(finished.stderr.contains("/nowhere/notify"), "{}", finished.stderr);
}
