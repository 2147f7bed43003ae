//! create, start, state, kill, delete: the states of a container and what is allowed in each (runtime.md).

use std::fs;

use serde_json::json;

use crate::harness::*;
use crate::needs;

/// After `create` everything is there but the program, which `start` lets go.
#[test]
fn create_prepares_and_start_runs() {
    needs!(root);
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

/// The state document has the fields that engines read, and the pid is the container's first process.
#[test]
fn state_tells_who_and_where() {
    needs!(root);
    let container =
        Container::new().set("/annotations", json!({ "org.example/key": "a \"value\"" })).sleeping();
    let state = container.state();
    assert_eq!(state["id"], container.id.as_str());
    assert_eq!(state["status"], "running");
    assert_eq!(state["bundle"], container.bundle.path().to_str().unwrap());
    assert_eq!(state["rootfs"], container.bundle.rootfs().to_str().unwrap());
    assert_eq!(state["annotations"], json!({ "org.example/key": "a \"value\"" }));
    assert!(state["ociVersion"].as_str().unwrap().starts_with("1."));
    assert!(state["created"].as_str().unwrap().contains('T'), "created is no RFC 3339 time: {state}");
    assert!(state["owner"].is_string());
    let procs = container.cgroup_file("pids", "cgroup.procs");
    assert_eq!(procs, state["pid"].to_string());
}

/// A stopped container has no pid.
#[test]
fn state_of_a_stopped_container() {
    needs!(root);
    let container = Container::new().running();
    container.await_stop();
    let pid = container.state()["pid"].clone();
    assert!(pid.is_null() || pid == 0, "a stopped container with pid {pid}");
}

/// State and kill of an id that does not exist are errors.
#[test]
fn absent_containers_are_refused() {
    needs!(root);
    let container = Container::new();
    container.verb("state", &[], &[]).refuses(&["does not exist"]).exits(1);
    container.kill("KILL").refuses(&["does not exist"]).exits(1);
    container.start().refuses(&["does not exist"]).exits(1);
    container.delete(&[]).refuses(&["does not exist"]).exits(1);
    container.exec(&[], &["/probe"]).refuses(&["does not exist"]);
}

/// `delete --force` of an absent id is no error, so that clean-up can be repeated.
#[test]
fn forced_delete_of_an_absent_container() {
    needs!(root);
    Container::new().delete(&["--force"]).ok();
}

/// Only a created container can be started.
#[test]
fn start_happens_once() {
    needs!(root);
    let container = Container::new().sleeping();
    container.start().refuses(&[]).exits(1);
    assert_eq!(container.status(), "running");
    container.kill("KILL").ok();
    container.await_stop();
    container.start().refuses(&[]).exits(1);
    assert_eq!(container.status(), "stopped");
}

/// When `start` returns, the process is the user's program and no longer the runtime.
#[test]
fn start_returns_after_the_program_was_executed() {
    needs!(root);
    let container = Container::new().sleeping();
    let line = fs::read(format!("/proc/{}/cmdline", container.pid())).unwrap();
    assert_eq!(line, b"/probe\0pause\0");
}

/// Editing config.json after `create` changes nothing.
#[test]
fn later_edits_have_no_effect() {
    needs!(root);
    let mut container = Container::new().args(&["/probe", "write", "/first", ""]);
    container.create(&[]).ok();
    container = container.args(&["/probe", "write", "/second", ""]);
    container.bundle.write();
    container.start().ok();
    container.await_stop();
    assert!(fs::metadata(container.bundle.rootfs().join("first")).is_ok());
    assert!(fs::metadata(container.bundle.rootfs().join("second")).is_err());
}

/// A running container is not deleted without force, and goes on.
#[test]
fn delete_refuses_a_running_container() {
    needs!(root);
    let container = Container::new().sleeping();
    container.delete(&[]).refuses(&["not stopped"]).exits(1);
    assert_eq!(container.status(), "running");
}

/// `delete --force` kills a running container first.
#[test]
fn forced_delete_kills() {
    needs!(root);
    let container = Container::new().sleeping();
    let pid = container.pid();
    container.delete(&["--force"]).ok();
    assert!(await_exit(pid, std::time::Duration::from_secs(10)));
    container.assert_clean();
}

/// A created container is killed and removed, as engines expect of `delete`.
#[test]
fn delete_of_a_created_container() {
    needs!(root);
    let container = Container::new().args(&["/probe", "write", "/ran", "yes"]);
    container.create(&[]).ok();
    container.delete(&[]).ok();
    container.assert_clean();
    assert!(fs::metadata(container.bundle.rootfs().join("ran")).is_err(), "delete let the program run");
}

/// A container can be killed before it was ever started.
#[test]
fn kill_of_a_created_container() {
    needs!(root);
    let container = Container::new();
    container.create(&[]).ok();
    container.kill("KILL").ok();
    container.await_stop();
    container.start().refuses(&[]).exits(1);
    container.delete(&[]).ok();
}

/// A stopped container takes no signals.
#[test]
fn kill_of_a_stopped_container() {
    needs!(root);
    let container = Container::new().running();
    container.await_stop();
    container.kill("KILL").refuses(&[]).exits(1);
}

/// The id of a deleted container is free again.
#[test]
fn ids_can_be_used_again() {
    needs!(root);
    let container = Container::new();
    for _ in 0..3 {
        container.create(&[]).ok();
        container.start().ok();
        container.await_stop();
        container.delete(&[]).ok();
    }
}

/// A second container of the same id is refused and leaves the first alone.
#[test]
fn ids_are_unique() {
    needs!(root);
    let container = Container::new().sleeping();
    container.create(&[]).refuses(&["exist"]).exits(1);
    container.run(&[]).refuses(&["exist"]).exits(1);
    assert_eq!(container.status(), "running");
}

/// An id is one plain file name.
#[test]
fn ids_are_checked() {
    needs!(root);
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

/// Letters, digits and `_+-.` make an id.
#[test]
fn ids_may_have_marks() {
    needs!(root);
    let mut container = Container::new();
    container.id = format!("Aa0_+-.{}", container.id);
    container.world();
}

/// Without `--bundle` the bundle is the working directory.
#[test]
fn the_default_bundle_is_here() {
    needs!(root);
    let container = Container::new();
    container.bundle.write();
    let command = container.runtime.command(["run", &container.id]).cwd(container.bundle.path());
    command.run().ok().json();
}

/// Every signal reaches the program: by name, with and without SIG, lower case, by number; TERM when unnamed.
#[test]
fn kill_knows_signals() {
    needs!(root);
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

/// A signal that does not exist is an error and harms nobody.
#[test]
fn kill_refuses_unknown_signals() {
    needs!(root);
    let container = Container::new().sleeping();
    container.kill("NOSUCHSIGNAL").refuses(&["NOSUCHSIGNAL"]).exits(1);
    container.kill("999").refuses(&[]).exits(1);
    assert_eq!(container.status(), "running");
}

/// Without a pid namespace, `kill --all` reaches every process of the container.
#[test]
fn kill_all_reaches_children() {
    needs!(root);
    let container = Container::new().without_namespace("pid").sleeping();
    let inside = container.runtime.command(["exec", "--detach", &container.id, "/probe", "pause"]);
    inside.run().ok();
    let procs = container.cgroup_file("pids", "cgroup.procs");
    let pids: Vec<i32> = procs.lines().map(|pid| pid.parse().unwrap()).collect();
    assert_eq!(pids.len(), 2, "processes in the cgroup: {procs}");
    container.verb("kill", &["--all"], &["KILL"]).ok();
    for pid in pids {
        assert!(await_exit(pid, std::time::Duration::from_secs(10)), "{pid} survived kill --all");
    }
}

/// `delete --force` without a pid namespace ends every process of the container.
#[test]
fn forced_delete_reaches_children() {
    needs!(root);
    let container = Container::new().without_namespace("pid").sleeping();
    container.exec(&["--detach"], &["/probe", "pause"]).ok();
    let pids: Vec<i32> =
        container.cgroup_file("pids", "cgroup.procs").lines().map(|pid| pid.parse().unwrap()).collect();
    assert_eq!(pids.len(), 2);
    container.delete(&["--force"]).ok();
    for pid in pids {
        assert!(await_exit(pid, std::time::Duration::from_secs(10)), "{pid} survived delete --force");
    }
}

/// `--pid-file` holds the pid and nothing else.
#[test]
fn create_writes_the_pid_file() {
    needs!(root);
    let container = Container::new();
    let file = container.bundle.join("pid");
    container.create(&["--pid-file", file.to_str().unwrap()]).ok();
    assert_eq!(fs::read_to_string(&file).unwrap(), container.pid().to_string());
}

/// After create no process of the runtime stays behind: the container's parent is an adopter.
#[test]
fn no_supervisor_remains() {
    needs!(root);
    let container = Container::new().sleeping();
    let status = fs::read_to_string(format!("/proc/{}/status", container.pid())).unwrap();
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap().trim().to_owned();
    let name = fs::read_to_string(format!("/proc/{parent}/comm")).unwrap();
    assert!(!name.starts_with("hull") && !name.starts_with("runc"), "the parent is {name}");
}

/// Twenty creates of one id at once: one wins, nineteen are refused.
#[test]
fn one_of_many_creates_wins() {
    needs!(root);
    let container = Container::new();
    let flags = container.bundled(&[]);
    let command = || container.runtime.command([&["create"], &flags[..], &[&container.id]].concat());
    let all: Vec<Running> = (0..20).map(|_| command().spawn()).collect();
    let good = all.into_iter().map(Running::finish).filter(|finished| finished.code == 0).count();
    assert_eq!(good, 1);
    assert_eq!(container.status(), "created");
}

/// A config without a program can be created, but not started.
#[test]
fn create_without_a_process() {
    needs!(root);
    let container = Container::new().edit(|config| {
        config.as_object_mut().unwrap().remove("process");
    });
    container.create(&[]).ok();
    assert_eq!(container.status(), "created");
    container.start().refuses(&["process"]).exits(1);
}

/// A program that does not exist is named, by `create` or at the latest by `start`.
#[test]
fn missing_programs_are_named() {
    needs!(root);
    let container = Container::new().args(&["/no/such/program"]);
    let created = container.create(&[]);
    let refused = if created.code == 0 { container.start() } else { created };
    refused.refuses(&["/no/such/program"]).exits(1);
}

/// A create that fails half-way leaves the host as it was.
#[test]
fn a_failing_create_leaves_nothing() {
    needs!(root);
    let container = Container::new()
        .mount("/one", "tmpfs", "tmpfs", &[])
        .mount("/two", "tmpfs", "tmpfs", &[])
        .mount("/three", "nosuchfs", "none", &[]);
    container.create(&[]).refuses(&["/three"]).exits(1);
    container.assert_clean();
}

/// Unknown properties are ignored at every level, `null` is the same as absent, other platforms' sections too.
#[test]
fn documents_may_say_more() {
    needs!(root);
    let container = Container::new().edit(|config| {
        config["futureProperty"] = json!({ "a": [1, 2] });
        config["process"]["futureProperty"] = json!(1);
        config["linux"]["futureProperty"] = json!("x");
        config["linux"]["resources"]["futureProperty"] = json!(true);
        config["mounts"][0]["futureProperty"] = json!([]);
        config["hooks"] = json!(null);
        config["annotations"] = json!(null);
        config["linux"]["seccomp"] = json!(null);
        config["linux"]["sysctl"] = json!(null);
        config["vm"] = json!({ "hypervisor": { "path": "/x" }, "kernel": { "path": "/k" } });
        config["freebsd"] = json!({});
    });
    container.world();
}

/// Every version of the specification up to 1.3 is understood.
#[test]
fn versions_of_the_specification() {
    needs!(root);
    for version in ["1.0.0", "1.0.2", "1.0.2-dev", "1.1.0", "1.2.1", "1.3.0"] {
        Container::new().set("/ociVersion", json!(version)).world();
    }
}

/// The root path may be absolute.
#[test]
fn absolute_root_path() {
    needs!(root);
    let container = Container::new();
    let path = container.bundle.rootfs();
    container.set("/root/path", json!(path)).world();
}
