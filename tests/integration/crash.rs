//! A runtime that is killed in the middle of its work: what it leaves can always be deleted.

use rustix::process::Signal;
use serde_json::json;

use crate::harness::*;
use crate::needs;

/// A shell hook that says `here` through the FIFO and then waits to be killed.
fn holding(fifo: &std::path::Path) -> serde_json::Value {
    let script = format!("echo here > {}; exec sleep 60", fifo.display());
    json!({ "path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/usr/bin:/bin"] })
}

/// KILL during each kind of create hook: `delete --force` removes everything, and the id can be used again.
#[test]
fn killed_during_create() {
    needs!(root);
    for kind in ["prestart", "createRuntime", "createContainer"] {
        let container = Container::new();
        let path = container.bundle.join("fifo");
        let mut fifo = Fifo::new(&path);
        let container = container.set("/hooks", json!({ kind: [holding(&path)] }));
        let flags = container.bundled(&[]);
        let create = container.runtime.command([&["create"], &flags[..], &[&container.id]].concat()).spawn();
        fifo.word();
        create.signal(Signal::KILL);
        create.finish().exits(137);
        container.delete(&["--force"]).ok();
        container.assert_clean();
        container.set("/hooks", json!({})).world();
    }
}

/// KILL during a startContainer hook.
#[test]
fn killed_during_start() {
    needs!(root, busybox);
    let container = Container::new();
    container.bundle.busybox(&["sh", "sleep"]);
    let mut fifo = Fifo::new(&container.bundle.rootfs().join("fifo"));
    let container = container
        .set("/hooks", json!({ "startContainer": [holding(std::path::Path::new("/fifo"))] }))
        .args(&["/probe", "pause"]);
    container.create(&[]).ok();
    let start = container.runtime.command(["start", &container.id]).spawn();
    fifo.word();
    start.signal(Signal::KILL);
    start.finish();
    container.delete(&["--force"]).ok();
    container.assert_clean();
}

/// KILL of a foreground `run`: the container goes on or is gone, and can be deleted either way.
#[test]
fn killed_during_run() {
    needs!(root);
    let container = Container::new().args(&["/probe", "wait", "/ready"]);
    let mut ready = Fifo::new(&container.bundle.rootfs().join("ready"));
    let flags = container.bundled(&[]);
    let run = container.runtime.command([&["run"], &flags[..], &[&container.id]].concat()).spawn();
    ready.word();
    run.signal(Signal::KILL);
    run.finish().exits(137);
    container.delete(&["--force"]).ok();
    container.assert_clean();
}

/// A state directory without content, as a crash may leave it, hinders nobody.
#[test]
fn empty_state_directories() {
    needs!(root);
    let container = Container::new();
    std::fs::create_dir(container.runtime.root().join(&container.id)).unwrap();
    container.runtime.command(["list", "-q"]).run().ok();
    container.delete(&["--force"]).ok();
    container.world();
}
