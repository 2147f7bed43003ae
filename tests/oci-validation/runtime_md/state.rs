//! runtime.md, "State" and "Query State".

use serde_json::json;

use crate::harness::*;
use crate::needs;

/// State and kill of an id that does not exist are errors.
/// runtime.md, "Query State"
#[test]
fn l14_absent_containers_are_refused() {
    needs!(root);
    let container = Container::new();
    container.verb("state", &[], &[]).refuses(&["does not exist"]).exits(1);
    container.kill("KILL").refuses(&["does not exist"]).exits(1);
    container.start().refuses(&["does not exist"]).exits(1);
    container.delete(&[]).refuses(&["does not exist"]).exits(1);
    container.exec(&[], &["/probe"]).refuses(&["does not exist"]);
}

/// The state document has the fields that engines read, and the pid is the container's first process.
/// runtime.md, "State"
#[test]
fn s1_who_and_where() {
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
/// runtime.md, "State"
#[test]
fn s3_no_pid_when_stopped() {
    needs!(root);
    let container = Container::new().running();
    container.await_stop();
    let pid = container.state()["pid"].clone();
    assert!(pid.is_null() || pid == 0, "a stopped container with pid {pid}");
}
