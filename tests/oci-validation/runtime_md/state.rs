//! runtime.md, "State" and "Query State".

use serde_json::json;

use crate::harness::*;
use crate::needs;
use crate::schema;

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

/// The document is one of the schema in every status.
/// runtime.md, "State"
#[test]
fn s1_schema() {
    needs!(root, cgroup_v1("freezer"));
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
    needs!(root);
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
    needs!(root);
    let container = Container::new();
    container.bundle.write();
    container.runtime.command(["create", &container.id]).cwd(container.bundle.path()).run().ok();
    assert_eq!(container.state()["bundle"], container.bundle.path().to_str().unwrap());
}

/// Annotations come back byte for byte, and none where there are none.
/// runtime.md, "State"
#[test]
fn s5_annotations() {
    needs!(root);
    let odd = json!({ "a": "", "b.c/d": "ä \"quoted\" \\ \n \u{1f40b}" });
    let container = Container::new().set("/annotations", odd.clone());
    container.create(&[]).ok();
    assert_eq!(container.state()["annotations"], odd);
    let container = Container::new();
    container.create(&[]).ok();
    let none = container.state()["annotations"].clone();
    assert!(none.is_null() || none == json!({}), "{none}");
}
