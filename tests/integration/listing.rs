//! list, spec, features: what the runtime tells of its containers and of itself.

use std::fs;

use serde_json::{Value, json};

use crate::harness::*;
use crate::needs;

/// `list` in its three forms names the container, its pid and status.
#[test]
fn list_forms() {
    needs!(root_or_ranges);
    let container = Container::new().sleeping();
    let table = container.runtime.command(["list"]).run().ok().stdout;
    let mut lines = table.lines();
    let head: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    assert_eq!(head, ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]);
    let row: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    assert_eq!(row[..3], [container.id.as_str(), &container.pid().to_string(), "running"]);

    let all = container.runtime.command(["list", "--format", "json"]).run().ok().json();
    assert_eq!(all[0]["id"], container.id.as_str());
    assert_eq!(all[0]["status"], "running");
    assert_eq!(all[0]["pid"], container.pid());
    assert_eq!(all[0]["bundle"], container.bundle.path().to_str().unwrap());

    let quiet = container.runtime.command(["list", "--quiet"]).run().ok().stdout;
    assert_eq!(quiet, format!("{}\n", container.id));
}

/// `list` and `state` tell the same at each stage of a container's life.
#[test]
fn list_and_state_agree() {
    needs!(root, freezer);
    let container = Container::new().args(&["/probe", "pause"]).set("/annotations", json!({ "k\"": "<v>" }));
    let agree = |status: &str| {
        let state = container.state();
        assert_eq!(state["status"], status);
        assert_eq!(container.runtime.command(["list", "-f", "json"]).run().ok().json(), json!([state]));
    };
    container.create(&[]).ok();
    agree("created");
    container.start().ok();
    agree("running");
    container.verb("pause", &[], &[]).ok();
    agree("paused");
    container.verb("resume", &[], &[]).ok();
    agree("running");
    container.kill("KILL").ok();
    container.await_stop();
    agree("stopped");
}

/// A stopped container is listed with pid 0.
#[test]
fn list_of_a_stopped_container() {
    needs!(root_or_ranges);
    let container = Container::new().running();
    container.await_stop();
    let all = container.runtime.command(["list", "-f", "json"]).run().ok().json();
    assert_eq!(all[0]["status"], "stopped");
    assert_eq!(all[0]["pid"], 0);
}

/// No container is an empty list, also when nothing was ever created.
#[test]
fn list_of_nothing() {
    let container = Container::new();
    assert_eq!(container.runtime.command(["list", "-q"]).run().ok().stdout, "");
    let all = container.runtime.command(["list", "-f", "json"]).run().ok().json();
    assert!(all.is_null() || all == json!([]), "{all}");
}

/// `spec` writes a config that runs as it is, apart from its terminal and program.
#[test]
fn spec_writes_a_runnable_config() {
    needs!(root);
    let mut container = Container::new();
    let file = container.bundle.join("config.json");
    let command = container.runtime.command(["spec"]).cwd(container.bundle.path());
    command.run().ok();
    let config: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_eq!(config["process"]["args"], json!(["sh"]));
    assert_eq!(config["process"]["terminal"], true);
    assert_eq!(config["root"], json!({ "path": "rootfs", "readonly": true }));
    let before = std::mem::replace(&mut container.bundle.config, config);
    let world = container
        .set("/process/terminal", json!(false))
        .set("/linux/cgroupsPath", before["linux"]["cgroupsPath"].clone())
        .args(&["/probe"])
        .world();
    assert_eq!(world["root_writable"], json!({ "errno": "EROFS" }));
}

/// An existing config.json is not overwritten.
#[test]
fn spec_overwrites_nothing() {
    needs!(root_or_ranges);
    let container = Container::new();
    container.bundle.write();
    let before = fs::read(container.bundle.join("config.json")).unwrap();
    let bundle = container.bundle.path().to_str().unwrap();
    container.runtime.command(["spec", "--bundle", bundle]).run().refuses(&["config.json"]);
    assert_eq!(fs::read(container.bundle.join("config.json")).unwrap(), before);
}

/// `spec --rootless` maps the caller into a user namespace and asks for no cgroup limits.
#[test]
fn spec_rootless() {
    needs!(root);
    let container = Container::new();
    let bundle = container.bundle.path().to_str().unwrap();
    container.runtime.command(["spec", "--rootless", "--bundle", bundle]).run().ok();
    let config: Value =
        serde_json::from_slice(&fs::read(container.bundle.join("config.json")).unwrap()).unwrap();
    let kinds: Vec<&str> = config["linux"]["namespaces"]
        .as_array()
        .unwrap()
        .iter()
        .map(|namespace| namespace["type"].as_str().unwrap())
        .collect();
    assert!(kinds.contains(&"user") && !kinds.contains(&"network"), "{kinds:?}");
    assert_eq!(config["linux"]["uidMappings"], json!([{ "containerID": 0, "hostID": 0, "size": 1 }]));
    assert!(config["linux"]["resources"].is_null());
}
