//! runtime.md, "State" and "Query State".

use std::fs;
use std::process::Command;

use rustix::fs::FlockOperation;
use serde_json::{Value, json};

use crate::harness::*;
use crate::needs;
use crate::schema;

/// State and kill of an id that does not exist are errors.
/// runtime.md, "Query State"
#[test]
fn l14_absent_containers_are_refused() {
    needs!(root_or_ranges);
    let container = Container::new();
    container.verb("state", &[], &[]).refuses(&["does not exist"]).exits(1);
    container.kill("KILL").refuses(&["does not exist"]).exits(1);
    container.start().refuses(&["does not exist"]).exits(1);
    container.delete(&[]).refuses(&["does not exist"]).exits(1);
    container.exec(&[], &["/probe"]).refuses(&["does not exist"]);
}

/// The state document says who and where, and the pid is the container's first process.
/// runtime.md, "State"
#[test]
fn s1_who_and_where() {
    needs!(root_or_ranges, cgroup);
    let container =
        Container::new().set("/annotations", json!({ "org.example/key": "a \"value\"" })).sleeping();
    let state = container.state();
    assert_eq!(state["id"], container.id.as_str());
    assert_eq!(state["status"], "running");
    assert_eq!(state["bundle"], container.bundle.path().to_str().unwrap());
    assert_eq!(state["annotations"], json!({ "org.example/key": "a \"value\"" }));
    assert!(state["ociVersion"].as_str().unwrap().starts_with("1."));
    assert_eq!(json!(container.pids()), json!([state["pid"]]));
}

/// A runtime's own states stand for nothing else: `paused` is a container that neither runs nor has stopped.
/// runtime.md, "State"
#[test]
fn s2_paused() {
    needs!(root_or_ranges, cgroup);
    let container = Container::new().sleeping();
    container.verb("pause", &[], &[]).ok();
    assert_eq!(container.status(), "paused");
    assert!(container.is_frozen());
    container.delete(&[]).refuses(&["not stopped"]).exits(1);
    container.verb("resume", &[], &[]).ok();
    assert_eq!(container.status(), "running");
    assert!(!container.is_frozen());
}

/// A stopped container has no pid.
/// runtime.md, "State"
#[test]
fn s3_no_pid_when_stopped() {
    needs!(root_or_ranges);
    let container = Container::new().running();
    container.await_stop();
    let pid = container.state()["pid"].clone();
    assert!(pid.is_null() || pid == 0, "a stopped container with pid {pid}");
}

/// The document is one of the schema in every status.
/// runtime.md, "State"
#[test]
fn s1_schema() {
    needs!(root_or_ranges, freezer);
    let container =
        Container::new().args(&["/probe", "pause"]).set("/annotations", json!({ "key": "value" }));
    container.create(&[]).ok();
    let check = |status: &str| {
        let state = container.state();
        assert_eq!(state["status"], status);
        schema::check("state-schema.json", &state);
    };
    check("created");
    container.start().ok();
    check("running");
    container.kill("KILL").ok();
    container.await_stop();
    check("stopped");
}

/// Created and running containers have a pid, that of their first process as the host sees it.
/// runtime.md, "State"
#[test]
fn s3_pid_as_the_host_sees_it() {
    needs!(root_or_ranges);
    let container = Container::new().args(&["/probe", "pause"]);
    container.create(&[]).ok();
    let created = container.pid();
    container.start().ok();
    assert_eq!(container.pid(), created);
    let namespace = std::fs::metadata(format!("/proc/{created}/ns/pid")).unwrap();
    let inside = container.exec_world(&[])["namespaces"]["pid"].clone();
    assert_eq!(inside, std::os::unix::fs::MetadataExt::ino(&namespace));
}

/// The bundle is an absolute path, wherever the caller was.
/// runtime.md, "State"
#[test]
fn s1_absolute_bundle() {
    needs!(root_or_ranges);
    let container = Container::new();
    container.bundle.write();
    container.runtime.command(["create", &container.id]).cwd(container.bundle.path()).run().ok();
    assert_eq!(container.state()["bundle"], container.bundle.path().to_str().unwrap());
}

/// Annotations come back byte for byte, and none where there are none.
/// runtime.md, "State"
#[test]
fn s5_annotations() {
    needs!(root_or_ranges);
    let odd = json!({ "a": "", "b.c/d": "ä \"quoted\" \\ \n \u{1f40b}" });
    let container = Container::new().set("/annotations", odd.clone());
    container.create(&[]).ok();
    assert_eq!(container.state()["annotations"], odd);
    let container = Container::new();
    container.create(&[]).ok();
    let none = container.state()["annotations"].clone();
    assert!(none.is_null() || none == json!({}), "{none}");
}

/// The present time in UTC, as RFC 3339 without fractions.
fn now() -> String {
    let date = Command::new("date").args(["-u", "+%FT%T"]).output().unwrap();
    String::from_utf8(date.stdout).unwrap().trim().to_owned()
}

/// What engines read beyond the specification: rootfs, the time of creation, the owner; in `list` too.
/// runtime.md, "State"
#[test]
fn s4_fields_that_engines_read() {
    needs!(root_or_ranges);
    let container = Container::new();
    let before = now();
    container.create(&[]).ok();
    let after = now();
    let state = container.state();
    let list = container.runtime.command(["list", "--format", "json"]).run().ok().json();
    for document in [&state, &list[0]] {
        assert_eq!(document["rootfs"], container.bundle.rootfs().to_str().unwrap());
        let created = document["created"].as_str().unwrap();
        let (seconds, fraction) = created.split_at(19);
        assert!(before.as_str() <= seconds && seconds <= after.as_str(), "{created}: {before} to {after}");
        let digits = fraction.trim_start_matches('.').strip_suffix('Z').unwrap_or("local");
        assert!(digits.len() <= 9 && digits.bytes().all(|byte| byte.is_ascii_digit()), "{created}");
        assert!(document["owner"].is_string(), "{document}");
    }
}

/// The status that each hook of these kinds is told; all of them run, and end.
fn statuses(kinds: &[&str]) -> Vec<(String, String)> {
    let container = Container::new();
    let log = container.bundle.join("log");
    fs::create_dir(&log).unwrap();
    let mut container = container.mount("/log", "bind", "log", &["bind"]);
    for kind in kinds {
        let probe = container.bundle.rootfs().join("probe");
        let hook = match *kind {
            "startContainer" => {
                json!({ "path": "/probe", "args": ["probe", "record", format!("/log/{kind}")] })
            }
            _ => json!({ "path": probe, "args": ["probe", "record", log.join(kind)] }),
        };
        container = container.set(&format!("/hooks/{kind}"), json!([hook]));
    }
    let container = container.sleeping();
    container.kill("KILL").ok();
    container.await_stop();
    container.delete(&[]).ok();
    let told = |kind: &str| -> String {
        let record: Value = serde_json::from_slice(&fs::read(log.join(kind)).unwrap()).unwrap();
        record["stdin"]["status"].as_str().unwrap().to_owned()
    };
    kinds.iter().map(|kind| ((*kind).to_owned(), told(kind))).collect()
}

/// Until `create` has ended, the status is `creating`: hooks are told.
/// runtime.md, "State"
#[test]
fn s2_hooks_see_creating() {
    needs!(root_or_ranges);
    for (kind, status) in statuses(&["prestart", "createRuntime", "createContainer"]) {
        assert_eq!(status, "creating", "{kind}");
    }
}

/// Until `create` has ended, the status is `creating` for everybody, and `start` is refused.
/// runtime.md, "State"
#[test]
fn s2_others_see_creating() {
    needs!(root_or_ranges);
    let container = Container::new();
    let mut here = Fifo::new(&container.bundle.join("here"));
    let lock = fs::File::create(container.bundle.join("lock")).unwrap();
    rustix::fs::flock(&lock, FlockOperation::LockExclusive).unwrap();
    let script = format!("cd {}; echo here > here; exec flock lock true", container.bundle.path().display());
    let hook = json!({ "path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/usr/bin:/bin"] });
    let container = container.set("/hooks", json!({ "createRuntime": [hook] })).args(&["/probe", "pause"]);
    let flags = container.bundled(&[]);
    let create = container.runtime.command([&["create"], &flags[..], &[&container.id]].concat()).spawn();
    here.word();
    let seen = container.verb("state", &[], &[]);
    drop(lock);
    create.finish().ok();
    assert_eq!(seen.ok().json()["status"], "creating");
    assert_eq!(container.status(), "created");
}

/// Hooks are told no status but those of the specification.
/// runtime.md, "State"
#[test]
fn s6_no_other_status() {
    needs!(root_or_ranges);
    let all = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];
    for (kind, status) in statuses(&all) {
        let known = ["creating", "created", "running", "stopped"].contains(&status.as_str());
        assert!(known, "{kind} is told {status}");
    }
}
