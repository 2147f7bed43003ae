//! config-linux.md, "User namespace mappings".

use serde_json::{Value, json};

use crate::harness::*;
use crate::needs;

/// A user namespace has exactly the mappings of the config, and the process its ids inside it.
/// config-linux.md, "User namespace mappings"
#[test]
fn u1_mappings() {
    needs!(root, user_ns);
    let world = Container::new().user_namespace().world();
    assert_ne!(world["namespaces"]["user"], host_namespace("user"));
    assert_eq!(world["uid_map"], json!([[0, 100_000, 65_536]]));
    assert_eq!(world["gid_map"], json!([[0, 100_000, 65_536]]));
    assert_eq!(world["setgroups"], "allow");
    assert_eq!(world["uid"]["real"], 0);
    assert_eq!(world["groups"], json!([]));
}

/// More than five lines of mappings are possible since kernel 4.15.
/// config-linux.md, "User namespace mappings"
#[test]
fn u3_many_mappings() {
    needs!(root, user_ns);
    let lines: Vec<Value> = (0..20)
        .map(|line| json!({ "containerID": line * 10, "hostID": 100_000 + line * 10, "size": 10 }))
        .collect();
    let container = Container::new()
        .user_namespace()
        .set("/linux/uidMappings", json!(lines))
        .set("/linux/gidMappings", json!(lines));
    // The kernel may join neighbours; the whole range must be there.
    let world = container.world();
    let sizes: u64 = world["uid_map"].as_array().unwrap().iter().map(|row| row[2].as_u64().unwrap()).sum();
    assert_eq!(sizes, 200);
}

/// The user namespace of another container can be joined with its mappings.
/// config-linux.md, "User namespace mappings"
#[test]
fn u4_joined_user_namespace() {
    needs!(root, user_ns);
    let first = Container::new().user_namespace().sleeping();
    let path = format!("/proc/{}/ns/user", first.pid());
    let second = Container::new().user_namespace().without_namespace("user").edit(|config| {
        let namespaces = config["linux"]["namespaces"].as_array_mut().unwrap();
        namespaces.push(json!({ "type": "user", "path": path }));
        config["linux"].as_object_mut().unwrap().remove("uidMappings");
        config["linux"].as_object_mut().unwrap().remove("gidMappings");
    });
    let world = second.world();
    assert_eq!(world["namespaces"]["user"], first.exec_world(&[])["namespaces"]["user"]);
    assert_eq!(world["uid_map"], json!([[0, 100_000, 65_536]]));
}

/// All default devices and file systems work in a user namespace too.
/// config-linux.md, "User namespace mappings"
#[test]
fn u5_devices() {
    needs!(root, user_ns);
    let world = Container::new().user_namespace().world();
    for name in ["null", "zero", "full", "random", "urandom", "tty"] {
        assert_eq!(world["devices"][format!("/dev/{name}")]["type"], "char", "{name}");
    }
    let answer = Container::new().user_namespace().probe(&["open-device", "/dev/null", "rw"]);
    assert_eq!(answer, json!({ "opened": "rw" }));
}

/// The user of a user namespace can be anybody who is mapped.
/// config-linux.md, "User namespace mappings"
#[test]
fn u6_users() {
    needs!(root, user_ns);
    let user = json!({ "uid": 1000, "gid": 1001, "additionalGids": [5, 7] });
    let world = Container::new().user_namespace().set("/process/user", user).world();
    assert_eq!(world["uid"]["real"], 1000);
    assert_eq!(world["gid"]["real"], 1001);
    assert_eq!(world["groups"], json!([5, 7]));
}

/// A user who is not mapped is an error that says so.
/// config-linux.md, "User namespace mappings"
#[test]
fn u6_unmapped_users_are_refused() {
    needs!(root, user_ns);
    let container =
        Container::new().user_namespace().set("/process/user", json!({ "uid": 70_000, "gid": 0 }));
    container.create(&[]).refuses(&[]).exits(1);
    container.assert_clean();
}
