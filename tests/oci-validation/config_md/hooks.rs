//! config.md, "POSIX-platform Hooks": what hooks get, where they run, and what their failure does.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::*;
use crate::needs;
use crate::refused::each_refused;

const KINDS: [&str; 6] =
    ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];

/// A probe on the host that records each call in `log`; the container's own path for startContainer.
fn recorder(container: &Container, kind: &str) -> Value {
    let probe = container.bundle.rootfs().join("probe");
    match kind {
        "startContainer" => {
            json!({ "path": "/probe", "args": ["probe", "record", "/log"], "env": [format!("KIND={kind}")] })
        }
        _ => {
            json!({ "path": probe, "args": ["probe", "record", container.bundle.join("log")], "env": [format!("KIND={kind}")] })
        }
    }
}

fn recording(container: Container, kinds: &[&str]) -> Container {
    let hooks: serde_json::Map<String, Value> =
        kinds.iter().map(|kind| ((*kind).to_owned(), json!([recorder(&container, kind)]))).collect();
    container.set("/hooks", Value::Object(hooks))
}

/// What was recorded, in order.
fn records(container: &Container) -> Vec<Value> {
    let text = fs::read_to_string(container.bundle.join("log")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn kind(record: &Value) -> String {
    record["world"]["env"][0].as_str().unwrap().trim_start_matches("KIND=").to_owned()
}

/// A hook that leaves a mark: appends its word to `marks`.
fn mark(container: &Container, word: &str) -> Value {
    let script = format!("echo {word} >> {}", container.bundle.join("marks").display());
    json!({ "path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/usr/bin:/bin"] })
}

fn marks(container: &Container) -> Vec<String> {
    let text = fs::read_to_string(container.bundle.join("marks")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Kinds come in the order of the lifecycle, several of a kind in theirs.
/// config.md, "POSIX-platform Hooks"
#[test]
fn l16_order_of_hooks() {
    needs!(root_or_ranges);
    let container = Container::new();
    let two =
        |kind: &str| json!([mark(&container, &format!("{kind}1")), mark(&container, &format!("{kind}2"))]);
    let hooks = json!({
        "poststop": two("poststop"), "poststart": two("poststart"), "createContainer": two("createContainer"),
        "createRuntime": two("createRuntime"), "prestart": two("prestart")
    });
    let container = container.set("/hooks", hooks).sleeping();
    container.kill("KILL").ok();
    container.await_stop();
    container.delete(&[]).ok();
    let expected: Vec<String> = ["prestart", "createRuntime", "createContainer", "poststart", "poststop"]
        .into_iter()
        .flat_map(|kind| [format!("{kind}1"), format!("{kind}2")])
        .collect();
    assert_eq!(marks(&container), expected);
}

/// Where hooks run: those of the runtime in its namespaces, those of the container in its.
/// config.md, "POSIX-platform Hooks"
#[test]
fn h1_namespaces_of_hooks() {
    needs!(root_or_ranges);
    let container = recording(Container::new(), &KINDS).sleeping();
    let mount_namespace = fs::read_link(format!("/proc/{}/ns/mnt", container.pid())).unwrap();
    let inside = fs::read_to_string(container.bundle.rootfs().join("log")).unwrap();
    container.delete(&["--force"]).ok();
    let mut all = records(&container);
    all.push(serde_json::from_str(inside.trim()).unwrap());
    for record in &all {
        let (kind, found) = (kind(record), record["world"]["namespaces"]["mnt"].to_string());
        let theirs = matches!(kind.as_str(), "createContainer" | "startContainer");
        if theirs {
            assert!(mount_namespace.to_str().unwrap().contains(&found), "{kind} in {found}");
        } else {
            assert_eq!(found, host_namespace("mnt").to_string(), "{kind}");
        }
    }
}

/// createContainer runs before pivot_root: the host's tree is still `/`, the mounts are made.
/// config.md, "POSIX-platform Hooks"
#[test]
fn h2_create_container_runs_before_the_pivot() {
    needs!(root_or_ranges);
    let container = recording(Container::new().mount("/data", "tmpfs", "tmpfs", &[]), &["createContainer"]);
    container.run(&[]).ok();
    let record = records(&container).remove(0);
    let target = container.bundle.rootfs().join("data");
    let mounts = record["world"]["mounts"].as_array().unwrap();
    assert!(
        mounts.iter().any(|mount| mount["target"] == target.to_str().unwrap()),
        "{} is not mounted",
        target.display()
    );
}

/// createContainer runs in the root filesystem, startContainer where the program will: hooks name files relative to that.
/// config.md, "POSIX-platform Hooks"
#[test]
fn h9_directory_inside() {
    needs!(root);
    let container = recording(Container::new(), &["createContainer", "startContainer"]);
    fs::create_dir(container.bundle.rootfs().join("here")).unwrap();
    let container = container.set("/process/cwd", json!("/here"));
    container.run(&[]).ok();
    let rootfs = container.bundle.rootfs();
    assert_eq!(records(&container)[0]["world"]["cwd"], rootfs.to_str().unwrap());
    let inside: Value = serde_json::from_str(fs::read_to_string(rootfs.join("log")).unwrap().trim()).unwrap();
    assert_eq!(inside["world"]["cwd"], "/here");
}

/// A startContainer hook is a program of the container, and may do no more than its own: neither capabilities nor system
/// calls.
/// config.md, "POSIX-platform Hooks"
#[test]
fn h3_start_container_has_no_more_rights() {
    needs!(root);
    for no_new_privileges in [true, false] {
        let hook = json!({ "path": "/probe", "args": ["probe", "mkdir", "/made"] });
        let container = Container::new()
            .set("/hooks", json!({ "startContainer": [hook] }))
            .set("/process/noNewPrivileges", json!(no_new_privileges))
            .set(
                "/linux/seccomp",
                json!({
                    "defaultAction": "SCMP_ACT_ALLOW",
                    "syscalls": [{ "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_KILL_PROCESS" }],
                }),
            );
        container.run(&[]).refuses(&["hook"]);
        assert!(fs::metadata(container.bundle.rootfs().join("made")).is_err());
    }
    let container = recording(Container::new(), &["startContainer"]);
    let container = container
        .set("/process/capabilities", json!({ "bounding": ["CAP_KILL"], "permitted": ["CAP_KILL"] }));
    container.run(&[]).ok();
    let log = fs::read_to_string(container.bundle.rootfs().join("log")).unwrap();
    let record: Value = serde_json::from_str(log.trim()).unwrap();
    let own = container.world();
    assert_eq!(record["world"]["capabilities"], own["capabilities"]);
}

/// The cgroup is gone when poststop runs.
/// config.md, "POSIX-platform Hooks"
#[test]
fn h5_poststop_comes_after_the_cgroup() {
    needs!(root_or_ranges, controller("pids"));
    let container = Container::new();
    let script = format!(
        "test ! -d {} && echo gone >> {}",
        container.cgroup_dir("pids").display(),
        container.bundle.join("marks").display()
    );
    let hook = json!({ "path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/usr/bin:/bin"] });
    let container = container.set("/hooks", json!({ "poststop": [hook] })).running();
    container.await_stop();
    container.delete(&[]).ok();
    assert_eq!(marks(&container), ["gone"]);
}

/// Each hook gets the state on stdin and then the end of the file: id, bundle, annotations, pid, status.
/// config.md, "POSIX-platform Hooks"
#[test]
fn h6_state_on_stdin() {
    needs!(root_or_ranges);
    let container = Container::new().set("/annotations", json!({ "key": "value" }));
    let container = recording(container, &KINDS).sleeping();
    let pid = container.pid();
    let inside = fs::read_to_string(container.bundle.rootfs().join("log")).unwrap();
    container.kill("KILL").ok();
    container.await_stop();
    container.delete(&[]).ok();
    let mut all = records(&container);
    all.push(serde_json::from_str(inside.trim()).unwrap());
    assert_eq!(all.len(), 6);
    for record in &all {
        let (kind, state) = (kind(record), &record["stdin"]);
        assert_eq!(record["stdin_ended"], true, "{kind}");
        assert_eq!(state["id"], container.id.as_str(), "{kind}");
        assert_eq!(state["bundle"], container.bundle.path().to_str().unwrap(), "{kind}");
        assert_eq!(state["annotations"], json!({ "key": "value" }), "{kind}");
        let status = match kind.as_str() {
            "startContainer" => "created",
            "poststart" => "running",
            "poststop" => "stopped",
            _ => "creating",
        };
        assert_eq!(state["status"], status, "{kind}");
        match kind.as_str() {
            "prestart" | "createRuntime" | "poststart" => assert_eq!(state["pid"], pid, "{kind}"),
            // Inside, the process that runs the hook, by the number that it has there.
            "createContainer" | "startContainer" => {
                assert_eq!(state["pid"], record["world"]["ppid"], "{kind}");
            }
            _ => {}
        }
    }
}

/// A hook that takes longer than its timeout is killed with its children, and is a failure.
/// config.md, "POSIX-platform Hooks"
#[test]
fn h8_timeouts() {
    needs!(root_or_ranges);
    let container = Container::new();
    let fifo = container.bundle.join("fifo");
    let script = format!("mkfifo {0}; (exec 9<>{0}; sleep 600) & wait", fifo.display());
    let slow = json!({ "path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/usr/bin:/bin"], "timeout": 1 });
    let container = container.set("/hooks", json!({ "createRuntime": [slow] }));
    let begin = Instant::now();
    container.create(&[]).refuses(&[]).exits(1);
    assert!(begin.elapsed() < Duration::from_secs(15), "took {:?}", begin.elapsed());
    let holds = |pid: &fs::DirEntry| {
        let listing = fs::read_dir(pid.path().join("fd")).into_iter().flatten().flatten();
        listing.filter_map(|fd| fs::read_link(fd.path()).ok()).any(|target| target == fifo)
    };
    let left = fs::read_dir("/proc").unwrap().flatten().filter(holds).count();
    assert_eq!(left, 0, "a child of the hook goes on");
}

/// The environment of a hook is exactly as listed; unset means empty, never the caller's, and for a startContainer hook
/// that of the program.
/// config.md, "POSIX-platform Hooks"
#[test]
fn h9_arguments_and_environment() {
    needs!(root_or_ranges);
    let container = Container::new();
    let (probe, log) = (container.bundle.rootfs().join("probe"), container.bundle.join("log"));
    let container = container.set(
        "/hooks",
        json!({ "createRuntime": [
            { "path": probe, "args": ["any-name", "record", log], "env": ["A=1", "B=2"] },
            { "path": probe, "args": ["any-name", "record", log] }
        ], "startContainer": [
            { "path": "/probe", "args": ["probe", "record", "/log"] },
            { "path": "/probe", "args": ["probe", "record", "/log"], "env": [] }
        ] }),
    );
    let container = container.set("/process/env", json!(["PATH=/", "OWN=1"]));
    container.run(&[]).ok();
    let all = records(&container);
    assert_eq!(all[0]["world"]["env"], json!(["A=1", "B=2"]));
    assert_eq!(all[0]["world"]["argv"][0], "any-name");
    assert_eq!(all[1]["world"]["env"], json!([]), "the caller's environment leaked");
    let inside = fs::read_to_string(container.bundle.rootfs().join("log")).unwrap();
    let inside: Vec<Value> = inside.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(inside[0]["world"]["env"], json!(["PATH=/", "OWN=1"]));
    assert_eq!(inside[1]["world"]["env"], json!([]));
}

/// A path that does not exist is an error.
/// config.md, "POSIX-platform Hooks"
#[test]
fn h10_missing_programs() {
    needs!(root_or_ranges);
    let container = Container::new().set("/hooks", json!({ "createRuntime": [{ "path": "/no/such/hook" }] }));
    container.create(&[]).refuses(&["/no/such/hook"]).exits(1);
    container.assert_clean();
}

/// A hook of the create phase that fails fails create, runs poststop, and leaves nothing.
/// runtime.md, "Lifecycle"
#[test]
fn h10_failing_create_hooks() {
    needs!(root_or_ranges);
    for kind in ["prestart", "createRuntime", "createContainer"] {
        let container = Container::new();
        let failing = json!({ "path": "/bin/sh", "args": ["sh", "-c", "echo why it failed >&2; exit 3"] });
        let hooks = json!({ kind: [failing], "poststop": [mark(&container, "poststop")] });
        let container = container.set("/hooks", hooks);
        container.create(&[]).refuses(&["hook"]).exits(1);
        container.assert_clean();
        assert_eq!(marks(&container), ["poststop"], "{kind}");
    }
}

/// A hook that is killed has failed.
/// runtime.md, "Lifecycle"
#[test]
fn h10_killed_hooks() {
    needs!(root_or_ranges);
    for kind in ["prestart", "createRuntime", "createContainer"] {
        let killed = json!({ "path": "/bin/sh", "args": ["sh", "-c", "kill -9 $$"] });
        let container = Container::new().set("/hooks", json!({ kind: [killed] }));
        container.create(&[]).refuses(&["hook"]).exits(1);
        container.assert_clean();
    }
}

/// startContainer that fails fails `start`; the program never runs, the container is stopped.
/// runtime.md, "Lifecycle"
#[test]
fn h11_failing_start_container() {
    needs!(root_or_ranges);
    let container = Container::new();
    let container = container
        .set("/hooks", json!({ "startContainer": [{ "path": "/probe", "args": ["probe", "exit", "1"] }] }))
        .args(&["/probe", "write", "/ran", "yes"]);
    container.create(&[]).ok();
    container.start().refuses(&[]).exits(1);
    assert!(fs::metadata(container.bundle.rootfs().join("ran")).is_err(), "the program ran");
}

/// poststart that fails fails `start`, and the container does not go on.
/// runtime.md, "Lifecycle"
#[test]
fn h12_failing_poststart() {
    needs!(root_or_ranges);
    let container = Container::new();
    let container = container
        .set("/hooks", json!({ "poststart": [{ "path": "/bin/false" }] }))
        .args(&["/probe", "pause"]);
    container.create(&[]).ok();
    container.start().refuses(&[]).exits(1);
    let state = container.verb("state", &[], &[]);
    assert!(state.code != 0 || state.json()["status"] == "stopped", "{}", state.stdout);
}

/// poststop that fails is a warning: the others run, delete succeeds.
/// runtime.md, "Lifecycle"
#[test]
fn h13_failing_poststop() {
    needs!(root_or_ranges);
    let container = Container::new();
    let hooks = json!({ "poststop": [{ "path": "/bin/false" }, mark(&container, "second")] });
    let container = container.set("/hooks", hooks).running();
    container.await_stop();
    container.delete(&[]).ok();
    assert_eq!(marks(&container), ["second"]);
}

/// The tail of what a failing hook said is part of the message.
/// config.md, "POSIX-platform Hooks"
#[test]
fn h14_failing_hooks_are_quoted() {
    needs!(root_or_ranges);
    let failing = json!({ "path": "/bin/sh", "args": ["sh", "-c", "echo why it failed >&2; exit 3"] });
    let container = Container::new().set("/hooks", json!({ "createRuntime": [failing] }));
    container.create(&[]).refuses(&["why it failed"]);
}

/// Hooks that do not read their stdin, close it, or write a lot do no harm.
/// config.md, "POSIX-platform Hooks"
#[test]
fn h15_rude_hooks() {
    needs!(root_or_ranges);
    let scripts = ["exit 0", "exec <&-; exit 0", "head -c 1000000 /dev/zero; exit 0"];
    let hooks: Vec<Value> = scripts
        .iter()
        .map(|script| json!({ "path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/usr/bin:/bin"] }))
        .collect();
    let container = Container::new().set("/hooks", json!({ "createRuntime": hooks }));
    let finished = container.run(&[]).ok();
    finished.json();
}

/// A hook has clean descriptors and signals.
/// config.md, "POSIX-platform Hooks"
#[test]
fn h16_hooks_get_nothing_else() {
    needs!(root_or_ranges);
    let container = recording(Container::new(), &["createRuntime", "createContainer"]);
    container.run(&[]).ok();
    for record in records(&container) {
        let fds: Vec<String> = record["world"]["fds"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(fds, ["0", "1", "2"], "{}", kind(&record));
        assert_eq!(record["world"]["signals"]["ignored"], json!([]), "{}", kind(&record));
        assert_eq!(record["world"]["signals"]["blocked"], json!([]), "{}", kind(&record));
    }
}

/// Hooks of the runtime's side run in the bundle.
/// config.md, "POSIX-platform Hooks"
#[test]
fn h9_directory() {
    needs!(root_or_ranges);
    let kinds = ["createRuntime", "poststart", "poststop"];
    let container = recording(Container::new(), &kinds).running();
    container.await_stop();
    container.delete(&[]).ok();
    let all = records(&container);
    assert_eq!(all.len(), kinds.len());
    for record in all {
        assert_eq!(record["world"]["cwd"], container.bundle.path().to_str().unwrap(), "{}", kind(&record));
    }
}

/// A startContainer hook is found in the container and runs in it, by `start` and not before.
/// config.md, "POSIX-platform Hooks"
#[test]
fn h3_start_container_runs_inside() {
    needs!(root_or_ranges);
    let container = recording(Container::new(), &["startContainer"]).args(&["/probe", "pause"]);
    let log = container.bundle.rootfs().join("log");
    container.create(&[]).ok();
    assert!(fs::metadata(&log).is_err(), "the hook ran during create");
    container.start().ok();
    let record: Value = serde_json::from_str(fs::read_to_string(log).unwrap().trim()).unwrap();
    let inside = container.exec_world(&[]);
    assert_eq!(record["world"]["namespaces"], inside["namespaces"]);
    assert_eq!(record["world"]["mounts"], inside["mounts"]);
}

/// poststart hooks run by `start`, not by `create`.
/// config.md, "POSIX-platform Hooks"
#[test]
fn h4_poststart_runs_at_start() {
    needs!(root_or_ranges);
    let container = Container::new();
    let hook = mark(&container, "poststart");
    let container = container.set("/hooks", json!({ "poststart": [hook] }));
    let container = container.args(&["/probe", "pause"]);
    container.create(&[]).ok();
    assert_eq!(marks(&container), [""; 0]);
    container.start().ok();
    assert_eq!(marks(&container), ["poststart"]);
}

/// poststop hooks run by `delete`, not when the program ends.
/// config.md, "POSIX-platform Hooks"
#[test]
fn h5_poststop_runs_at_delete() {
    needs!(root_or_ranges);
    let container = Container::new();
    let hook = mark(&container, "poststop");
    let container = container.set("/hooks", json!({ "poststop": [hook] })).running();
    container.await_stop();
    assert_eq!(marks(&container), [""; 0]);
    container.delete(&[]).ok();
    assert_eq!(marks(&container), ["poststop"]);
}

/// The path of a hook is absolute.
/// config.md, "POSIX-platform Hooks"
#[test]
fn h7_relative_paths() {
    needs!(root_or_ranges);
    for kind in KINDS {
        each_refused(
            "/hooks",
            &[json!({ kind: [{ "path": "true" }] }), json!({ kind: [{ "args": ["true"] }] })],
        );
    }
}

/// A timeout is more than nothing.
/// config.md, "POSIX-platform Hooks"
#[test]
fn h8_bad_timeouts() {
    needs!(root_or_ranges);
    let hook = |timeout: Value| json!({ "createRuntime": [{ "path": "/bin/true", "timeout": timeout }] });
    each_refused("/hooks", &[hook(json!(0)), hook(json!(-1)), hook(json!("1s"))]);
}

/// Without args, the program's name is the path.
/// config.md, "POSIX-platform Hooks"
#[test]
fn h9_no_arguments() {
    needs!(root_or_ranges);
    let container = Container::new();
    let script = container.bundle.join("script");
    let log = container.bundle.join("log");
    fs::write(&script, format!("#!/bin/sh\necho \"$0 $#\" > {}\n", log.display())).unwrap();
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let expected = format!("{} 0\n", script.display());
    let container = container.set("/hooks", json!({ "createRuntime": [{ "path": script }] }));
    container.run(&[]).ok();
    assert_eq!(fs::read_to_string(log).unwrap(), expected);
    // A shell takes its name from the path; cp(1) takes what it is called by.
    let container = Container::new().set("/hooks", json!({ "createRuntime": [{ "path": "/bin/cp" }] }));
    container.create(&[]).refuses(&["/bin/cp --help"]);
}

/// What a hook prints does not mix with the container's output.
/// config.md, "POSIX-platform Hooks"
#[test]
fn h14_output_stays_apart() {
    needs!(root_or_ranges);
    let container = Container::new();
    let hook = json!({ "path": "/bin/sh", "args": ["sh", "-c", "echo said by the hook"] });
    let finished =
        container.set("/hooks", json!({ "createRuntime": [hook], "createContainer": [hook] })).run(&[]);
    assert!(!finished.ok().stdout.contains("said by the hook"));
}
