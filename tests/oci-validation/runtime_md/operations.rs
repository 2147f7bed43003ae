//! runtime.md, "Create", "Start", "Kill" and "Delete".

use std::fs;

use serde_json::json;

use crate::harness::*;
use crate::needs;
use crate::refused::refused;

/// After `create` everything is there but the program, which `start` lets go.
/// runtime.md, "Create"
#[test]
fn l3_create_prepares_and_start_runs() {
    needs!(root_or_ranges);
    let container = Container::new().args(&["/probe", "write", "/ran", "yes"]);
    container.create(&[]).ok();
    assert_eq!(container.status(), "created");
    assert!(container.pid() > 0);
    assert!(fs::metadata(container.bundle.rootfs().join("ran")).is_err(), "the program ran before start");
    container.start().ok();
    container.await_stop();
    assert_eq!(fs::read_to_string(container.bundle.rootfs().join("ran")).unwrap(), "yes");
    container.delete(&[]).ok();
    container.assert_clean();
}

/// A second container of the same id is refused and leaves the first alone.
/// runtime.md, "Create"
#[test]
fn l1_ids_are_unique() {
    needs!(root_or_ranges);
    let container = Container::new().sleeping();
    container.create(&[]).refuses(&["exist"]).exits(1);
    container.run(&[]).refuses(&["exist"]).exits(1);
    assert_eq!(container.status(), "running");
}

/// An id is one plain file name.
/// runtime.md, "Create"
#[test]
fn l1_ids_are_checked() {
    needs!(root_or_ranges);
    let long = "x".repeat(2000);
    for id in ["", ".", "..", "a/b", "../escape", "/abs", "with blank", "new\nline", "a*b", &long] {
        let mut container = Container::new();
        container.id = id.to_owned();
        container.create(&[]).refuses(&[]);
        let left: Vec<_> = fs::read_dir(container.runtime.root()).into_iter().flatten().flatten().collect();
        assert!(left.is_empty(), "{id:?} left {left:?}");
        container.id = "valid-after-all".to_owned();
    }
}

/// Without `--bundle` the bundle is the working directory.
/// runtime.md, "Create"
#[test]
fn l2_the_default_bundle_is_here() {
    needs!(root_or_ranges);
    let container = Container::new();
    container.bundle.write();
    let command = container.runtime.command(["run", &container.id]).cwd(container.bundle.path());
    command.run().ok().json();
}

/// A config without a program can be created, but not started.
/// runtime.md, "Create"
#[test]
fn l5_create_without_a_process() {
    needs!(root_or_ranges);
    let container = Container::new().edit(|config| {
        config.as_object_mut().unwrap().remove("process");
    });
    container.create(&[]).ok();
    assert_eq!(container.status(), "created");
    container.start().refuses(&["process"]).exits(1);
}

/// A create that fails half-way leaves the host as it was.
/// runtime.md, "Create"
#[test]
fn l4_a_failing_create_leaves_nothing() {
    needs!(root_or_ranges);
    let container = Container::new()
        .mount("/one", "tmpfs", "tmpfs", &[])
        .mount("/two", "tmpfs", "tmpfs", &[])
        .mount("/three", "nosuchfs", "none", &[]);
    container.create(&[]).refuses(&["/three"]).exits(1);
    container.assert_clean();
}

/// Editing config.json after `create` changes nothing.
/// runtime.md, "Create"
#[test]
fn b10_later_edits_have_no_effect() {
    needs!(root_or_ranges);
    let mut container = Container::new().args(&["/probe", "write", "/first", ""]);
    container.create(&[]).ok();
    container = container.args(&["/probe", "write", "/second", ""]);
    container.bundle.write();
    container.start().ok();
    container.await_stop();
    assert!(fs::metadata(container.bundle.rootfs().join("first")).is_ok());
    assert!(fs::metadata(container.bundle.rootfs().join("second")).is_err());
}

/// Twenty creates of one id at once: one wins, nineteen are refused.
/// runtime.md, "Create"
#[test]
fn l20_one_of_many_creates_wins() {
    needs!(root_or_ranges);
    let container = Container::new();
    let flags = container.bundled(&[]);
    let command = || container.runtime.command([&["create"], &flags[..], &[&container.id]].concat());
    let all: Vec<Running> = (0..20).map(|_| command().spawn()).collect();
    let good = all.into_iter().map(Running::finish).filter(|finished| finished.code == 0).count();
    assert_eq!(good, 1);
    assert_eq!(container.status(), "created");
}

/// Only a created container can be started.
/// runtime.md, "Start"
#[test]
fn l6_start_happens_once() {
    needs!(root_or_ranges);
    let container = Container::new().sleeping();
    container.start().refuses(&[]).exits(1);
    assert_eq!(container.status(), "running");
    container.kill("KILL").ok();
    container.await_stop();
    container.start().refuses(&[]).exits(1);
    assert_eq!(container.status(), "stopped");
}

/// `--pid-file` has the pid of the container's first process, by which a caller waits for it.
/// runtime.md, "Create"
#[test]
fn l3_pid_file() {
    needs!(root_or_ranges);
    let container = Container::new().args(&["/probe", "pause"]);
    let file = container.bundle.join("pid");
    container.create(&["--pid-file", file.to_str().unwrap()]).ok();
    assert_eq!(fs::read_to_string(file).unwrap(), container.pid().to_string());
}

/// `run` is create, start and delete in one, and ends as the program does.
/// runtime.md, "Lifecycle"
#[test]
fn l3_run() {
    needs!(root_or_ranges);
    let container = Container::new().args(&["/probe", "exit", "7"]);
    container.run(&[]).exits(7);
    container.verb("state", &[], &[]).refuses(&["does not exist"]);
    container.assert_clean();
}

/// When `start` returns, the process is the user's program and no longer the runtime.
/// runtime.md, "Start"
#[test]
fn l7_start_returns_after_the_program_was_executed() {
    needs!(root_or_ranges);
    let container = Container::new().sleeping();
    let line = fs::read(format!("/proc/{}/cmdline", container.pid())).unwrap();
    assert_eq!(line, b"/probe\0pause\0");
}

/// A program that does not exist is named, by `create` or at the latest by `start`.
/// runtime.md, "Start"
#[test]
fn l8_missing_programs_are_named() {
    needs!(root_or_ranges);
    let container = Container::new().args(&["/no/such/program"]);
    let created = container.create(&[]);
    let refused = if created.code == 0 { container.start() } else { created };
    refused.refuses(&["/no/such/program"]).exits(1);
}

/// A file that is no program, and a script whose interpreter is not there, are named with the reason; the container is
/// stopped and can be deleted, and `run` fails.
/// runtime.md, "Start"
#[test]
fn l8_what_cannot_be_executed() {
    needs!(root_or_ranges);
    for (content, reason) in
        [("neither a program nor a script\n", "ormat error"), ("#!/no/such/interpreter\n", "o such file")]
    {
        let container = Container::new().args(&["/text"]);
        let text = container.bundle.rootfs().join("text");
        fs::write(&text, content).unwrap();
        fs::set_permissions(&text, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        container.create(&[]).ok();
        container.start();
        container.await_stop();
        container.delete(&[]).ok();
        container.assert_clean();
        container.run(&[]).refuses(&["/text", reason]).exits(1);
        container.assert_clean();
    }
}

/// A container can be killed before it was ever started.
/// runtime.md, "Kill"
#[test]
fn l9_kill_of_a_created_container() {
    needs!(root_or_ranges);
    let container = Container::new();
    container.create(&[]).ok();
    container.kill("KILL").ok();
    container.await_stop();
    container.start().refuses(&[]).exits(1);
    container.delete(&[]).ok();
}

/// A container that is paused dies of KILL all the same.
/// runtime.md, "Kill"
#[test]
fn l9_kill_of_a_paused_container() {
    needs!(root_or_ranges, cgroup);
    let container = Container::new().sleeping();
    container.verb("pause", &[], &[]).ok();
    container.kill("KILL").ok();
    container.await_stop();
}

/// A stopped container takes no signals.
/// runtime.md, "Kill"
#[test]
fn l9_kill_of_a_stopped_container() {
    needs!(root_or_ranges);
    let container = Container::new().running();
    container.await_stop();
    container.kill("KILL").refuses(&[]).exits(1);
}

/// Without a pid namespace, `kill --all` reaches every process of the container.
/// runtime.md, "Kill"
#[test]
fn l10_kill_all_reaches_children() {
    needs!(root);
    let (container, pids) = two_processes();
    container.verb("kill", &["--all"], &["TERM"]).ok();
    assert_dead(&pids);
}

/// Nor does one outlive the KILL of the first, which is what a pid namespace would see to.
/// runtime.md, "Kill"
#[test]
fn l10_kill_without_a_pid_namespace() {
    needs!(root);
    let (container, pids) = two_processes();
    container.kill("KILL").ok();
    assert_dead(&pids);
}

/// A container without a pid namespace, and the pids of its two processes.
fn two_processes() -> (Container, Vec<i32>) {
    let container = Container::new().without_namespace("pid").sleeping();
    container.exec(&["--detach"], &["/probe", "pause"]).ok();
    let pids = container.pids();
    assert_eq!(pids.len(), 2, "{pids:?}");
    (container, pids)
}

#[track_caller]
fn assert_dead(pids: &[i32]) {
    for pid in pids {
        assert!(await_exit(*pid, std::time::Duration::from_secs(10)), "{pid} survived");
    }
}

/// A running container is not deleted without force, and goes on.
/// runtime.md, "Delete"
#[test]
fn l11_delete_refuses_a_running_container() {
    needs!(root_or_ranges);
    let container = Container::new().sleeping();
    container.delete(&[]).refuses(&["not stopped"]).exits(1);
    assert_eq!(container.status(), "running");
}

/// The id of a deleted container is free again.
/// runtime.md, "Delete"
#[test]
fn l13_ids_can_be_used_again() {
    needs!(root_or_ranges);
    let container = Container::new();
    for _ in 0..3 {
        container.create(&[]).ok();
        container.start().ok();
        container.await_stop();
        container.delete(&[]).ok();
    }
}

/// Without an id there is no container.
/// runtime.md, "Create"
#[test]
fn l2_ids_are_required() {
    needs!(root_or_ranges);
    let container = Container::new();
    container.bundle.write();
    container.runtime.command(["create"]).cwd(container.bundle.path()).run().refuses(&[]);
    let left: Vec<_> = fs::read_dir(container.runtime.root()).into_iter().flatten().flatten().collect();
    assert!(left.is_empty(), "{left:?}");
}

/// After `create` the mounts are made and the namespaces are there, before any program.
/// runtime.md, "Create"
#[test]
fn l3_everything_but_the_program() {
    needs!(root);
    let container = Container::new().mount("/data", "tmpfs", "tmpfs", &["size=64k"]);
    container.create(&[]).ok();
    let world = container.exec_world(&[]);
    let mounts = world["mounts"].as_array().unwrap();
    assert!(mounts.iter().any(|mount| mount["target"] == "/data"), "{mounts:?}");
    assert_eq!(world["hostname"], "hull-test");
    assert_eq!(container.status(), "created");
}

/// Whatever fails last, what was done before is undone: a value for the kernel, a hook, a program.
/// runtime.md, "Create"
#[test]
fn l4_every_failure_is_undone() {
    needs!(root_or_ranges);
    let good = || Container::new().mount("/data", "tmpfs", "tmpfs", &[]);
    refused(&good().set("/linux/sysctl", json!({ "kernel.msgmax": "a lot" })));
    refused(&good().set("/hooks", json!({ "createRuntime": [{ "path": "/bin/false" }] })));
    refused(&good().set("/hooks", json!({ "createContainer": [{ "path": "/bin/false" }] })));
    refused(&good().set("/linux/rootfsPropagation", json!("bogus")));
    refused(&good().mount("/last", "bind", "/no/such/source", &["bind"]));
}

/// `delete` removes what `create` made, and nothing that was there before.
/// runtime.md, "Delete"
#[test]
fn l12_delete_undoes_create() {
    needs!(root_or_ranges);
    let container = Container::new().mount("/host", "bind", "shared", &["bind"]);
    let shared = container.bundle.join("shared");
    fs::create_dir(&shared).unwrap();
    fs::write(shared.join("file"), "text").unwrap();
    let container = container.running();
    container.await_stop();
    container.delete(&[]).ok();
    container.assert_clean();
    assert!(
        fs::read_dir(container.runtime.root()).unwrap().next().is_none(),
        "something is left below --root"
    );
    assert_eq!(fs::read_to_string(shared.join("file")).unwrap(), "text");
}

/// Once more is an error: there is nothing to delete.
/// runtime.md, "Delete"
#[test]
fn l12_delete_twice() {
    needs!(root_or_ranges);
    let container = Container::new().running();
    container.await_stop();
    container.delete(&[]).ok();
    container.delete(&[]).refuses(&[]);
    container.verb("state", &[], &[]).refuses(&[]);
}

/// Every signal reaches the program: by name, with and without SIG, lower case, by number; TERM when unnamed.
/// runtime.md, "Kill"
#[test]
fn l9_signals_reach_the_program() {
    needs!(root_or_ranges);
    let table = [
        (Some("TERM"), 15),
        (Some("SIGTERM"), 15),
        (Some("usr1"), 10),
        (Some("SIGUSR2"), 12),
        (Some("1"), 1),
        (Some("28"), 28),
        (None, 15),
    ];
    for (name, number) in table {
        let container = Container::new().args(&["/probe", "wait", "/ready"]);
        let mut ready = Fifo::new(&container.bundle.rootfs().join("ready"));
        let run =
            container.runtime.command([&["run"], &container.bundled(&[])[..], &[&container.id]].concat());
        let run = run.spawn();
        assert_eq!(ready.word(), "ready\n");
        container.verb("kill", &[], name.as_slice()).ok();
        assert_eq!(run.finish().ok().json()["signal"], number, "kill {name:?}");
    }
}
