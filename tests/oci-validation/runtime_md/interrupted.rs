//! runtime.md: containers outlive the processes that made them, and can be deleted whatever became of those.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::*;
use crate::needs;

/// `RUNTIME VERB [--bundle DIR] ID` as a process that can be killed.
fn begin(container: &Container, verb: &str) -> Running {
    let flags = if matches!(verb, "create" | "run") { container.bundled(&[]) } else { Vec::new() };
    container.runtime.command([&[verb], &flags[..], &[&container.id]].concat()).spawn()
}

/// A shell hook that says `here` through the FIFO, as long as there is one, and then waits to be killed.
fn holding(fifo: &Path) -> Value {
    let script = format!("test -p {0} || exit 0; echo here > {0}; exec sleep 60", fifo.display());
    json!({ "path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/usr/bin:/bin"] })
}

/// All that is left goes, and the id is free.
#[track_caller]
fn recovers(container: Container) {
    container.delete(&["--force"]).ok();
    container.assert_clean();
    container.set("/hooks", json!({})).args(&["/probe"]).world();
}

/// What one process creates, others find, start, kill and delete, after it and its parent are gone.
/// runtime.md, "State"
#[test]
fn l17_state_outlives_its_maker() {
    needs!(root_or_ranges);
    let container = Container::new().args(&["/probe", "pause"]);
    let flags = container.bundled(&[]);
    let create = container.runtime.command([&["create"], &flags[..], &[&container.id]].concat());
    let mut shell = Command::new("timeout");
    shell.args(["30", "sh", "-c", "\"$@\"; kill -KILL $$", "sh"]).arg(create.command.get_program());
    let status = shell.args(create.command.get_args()).stdin(std::process::Stdio::null()).status().unwrap();
    assert!(!status.success(), "the shell was killed");
    assert_eq!(container.status(), "created");
    container.start().ok();
    assert_eq!(container.status(), "running");
    container.kill("KILL").ok();
    container.await_stop();
    container.delete(&[]).ok();
    container.assert_clean();
}

/// KILL in the middle of `create`, during a hook of each kind.
/// runtime.md, "Delete"
#[test]
fn l18_killed_during_create() {
    needs!(root_or_ranges);
    for kind in ["prestart", "createRuntime", "createContainer"] {
        let container = Container::new();
        let path = container.bundle.join("fifo");
        let mut fifo = Fifo::new(&path);
        let container = container.set("/hooks", json!({ kind: [holding(&path)] }));
        let create = begin(&container, "create");
        fifo.word();
        create.signal(Signal::KILL);
        create.finish().exits(137);
        recovers(container);
    }
}

/// KILL in the middle of `start`, during a startContainer hook.
/// runtime.md, "Delete"
#[test]
fn l18_killed_during_start() {
    needs!(root_or_ranges, busybox);
    let container = Container::new().args(&["/probe", "pause"]);
    container.bundle.busybox(&["sh", "sleep"]);
    let mut fifo = Fifo::new(&container.bundle.rootfs().join("fifo"));
    let container = container.set("/hooks", json!({ "startContainer": [holding(Path::new("/fifo"))] }));
    container.create(&[]).ok();
    let start = begin(&container, "start");
    fifo.word();
    start.signal(Signal::KILL);
    start.finish();
    recovers(container);
}

/// KILL in the middle of `delete`, during a poststop hook: what remains can be deleted, or there is nothing left.
/// runtime.md, "Delete"
#[test]
fn l18_killed_during_delete() {
    needs!(root_or_ranges);
    let container = Container::new();
    let path = container.bundle.join("fifo");
    let mut fifo = Fifo::new(&path);
    let container = container.set("/hooks", json!({ "poststop": [holding(&path)] })).running();
    container.await_stop();
    let delete = begin(&container, "delete");
    fifo.word();
    delete.signal(Signal::KILL);
    delete.finish().exits(137);
    // The hook may run again, and then ends by itself.
    fs::remove_file(&path).unwrap();
    recovers(container);
}

/// KILL at any moment of `create` and `start`, spread over the time that they take.
/// runtime.md, "Delete"
#[test]
fn l18_killed_at_any_moment() {
    needs!(root_or_ranges);
    const MOMENTS: u32 = 12;
    let container = Container::new().args(&["/probe", "pause"]);
    let before = Instant::now();
    container.create(&[]).ok();
    let created = before.elapsed();
    container.start().ok();
    let started = before.elapsed().saturating_sub(created);
    drop(container);
    for moment in 0..MOMENTS {
        let container = Container::new().args(&["/probe", "pause"]);
        cut_off(begin(&container, "create"), created * moment / MOMENTS);
        recovers(container);
        let container = Container::new().args(&["/probe", "pause"]);
        container.create(&[]).ok();
        cut_off(begin(&container, "start"), started * moment / MOMENTS);
        recovers(container);
    }
}

/// Kills a command unless it has ended by then.
fn cut_off(command: Running, after: Duration) {
    if !await_exit(command.pid(), after) {
        command.signal(Signal::KILL);
    }
    command.finish();
}

/// Another process that has got the number of the container's is not the container: it is stopped, takes no signals,
/// and can be deleted.
/// runtime.md, "Kill"
#[test]
fn l19_recycled_pids_are_strangers() {
    // systemd would not know by its number a process of another pid namespace.
    needs!(root, cgroupfs);
    let container = Container::new().args(&["/probe", "pause"]);
    let flags = container.bundled(&[]).join(" ");
    let runtime = container.runtime.words();
    let state = container.bundle.join("state");
    // In a pid namespace of its own, nobody else takes the number meanwhile.
    let script = format!(
        "set -e
        {runtime} create --pid-file {bundle}/pid {flags} {id} && {runtime} start {id}
        pid=$(cat {bundle}/pid)
        # Who came to be in the same clock tick, of 10 ms, is not told apart.
        tick=$(cut -d' ' -f22 /proc/$pid/stat)
        while [ $(cut -d' ' -f22 /proc/self/stat) = $tick ]; do :; done
        kill -KILL $pid; while kill -0 $pid 2>/dev/null; do /bin/true; done
        for try in 1 2 3 4 5; do
          echo $((pid - 1)) >/proc/sys/kernel/ns_last_pid; sleep 100 & stranger=$!
          [ $stranger != $pid ] || break
          kill $stranger
        done
        [ $stranger = $pid ] || {{ echo no chance to recycle $pid: $stranger; exit 3; }}
        {runtime} state {id} >{state}
        {runtime} kill {id} KILL 2>/dev/null && {{ echo a stranger takes signals; exit 4; }}
        {runtime} delete --force {id}
        kill -0 $stranger || {{ echo a stranger was killed; exit 5; }}",
        bundle = container.bundle.path().display(),
        id = container.id,
        state = state.display()
    );
    let namespace = ["30", "unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", &script];
    let done = Command::new("timeout").args(namespace).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    let state: Value = serde_json::from_slice(&fs::read(state).unwrap()).unwrap();
    assert_eq!(state["status"], "stopped");
}
