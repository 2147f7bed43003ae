//! config-linux.md, "User namespace mappings".

use serde_json::{Value, json};

use crate::harness::*;
use crate::needs;
use crate::refused::refused;

/// A user namespace has exactly the mappings of the config, and the process its ids inside it.
/// config-linux.md, "User namespace mappings"
#[test]
fn u1_mappings() {
    needs!(root, user_ns);
    let groups = json!([{ "containerID": 0, "hostID": 200_000, "size": 60_000 }]);
    let world = Container::new().user_namespace().set("/linux/gidMappings", groups).world();
    assert_ne!(world["namespaces"]["user"], host_namespace("user"));
    assert_eq!(world["uid_map"], json!([[0, 100_000, 65_536]]));
    assert_eq!(world["gid_map"], json!([[0, 200_000, 60_000]]));
    assert_eq!(world["setgroups"], "allow");
    assert_eq!(world["uid"]["real"], 0);
    assert_eq!(world["groups"], json!([]));
}

/// More than five lines of mappings are possible since kernel 4.15.
/// config-linux.md, "User namespace mappings"
#[test]
fn u3_many_mappings() {
    needs!(root_or_ranges, user_ns);
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
    needs!(root_or_ranges, user_ns);
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
    needs!(root_or_ranges, user_ns);
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
    needs!(root_or_ranges, user_ns);
    let container =
        Container::new().user_namespace().set("/process/user", json!({ "uid": 70_000, "gid": 0 }));
    container.create(&[]).refuses(&[]).exits(1);
    container.assert_clean();
}

/// Ranges are not empty and do not overlap, and a new namespace has some; without one they mean nothing.
/// config-linux.md, "User namespace mappings"
#[test]
fn u1_bad_mappings() {
    needs!(root_or_ranges, user_ns);
    let row = |container: u64, size: u64| json!({ "containerID": container, "hostID": 100_000 + container, "size": size });
    for rows in
        [json!([row(0, 0)]), json!([row(0, 10), row(5, 10)]), json!([row(4_294_967_290, 10)]), json!([])]
    {
        refused(&Container::new().user_namespace().set("/linux/uidMappings", rows));
    }
    refused(&Container::new().user_namespace().without_namespace("user"));
}

/// The files of the root filesystem keep their owners.
/// config-linux.md, "User namespace mappings"
#[test]
fn u2_owners_are_kept() {
    needs!(root, user_ns);
    let container = Container::new().user_namespace();
    let file = container.bundle.rootfs().join("etc/group");
    std::os::unix::fs::chown(&file, Some(7), Some(100_003)).unwrap();
    let container = container.args(&["/probe", "stat", "/etc/group"]);
    let stat = container.world();
    assert_eq!((&stat["/etc/group"]["uid"], &stat["/etc/group"]["gid"]), (&json!(65_534), &json!(3)));
    let meta = std::fs::metadata(&file).unwrap();
    assert_eq!(
        (std::os::unix::fs::MetadataExt::uid(&meta), std::os::unix::fs::MetadataExt::gid(&meta)),
        (7, 100_003)
    );
}

/// A single id is enough.
/// config-linux.md, "User namespace mappings"
#[test]
fn u7_a_single_id() {
    needs!(root_or_ranges, user_ns);
    let map = json!([{ "containerID": 0, "hostID": 100_000, "size": 1 }]);
    let world = Container::new()
        .user_namespace()
        .set("/linux/uidMappings", map.clone())
        .set("/linux/gidMappings", map);
    let world = world.edit(|config| {
        // tty, the group of terminals, is not mapped.
        config["mounts"].as_array_mut().unwrap().retain(|mount| mount["destination"] != "/dev/pts");
    });
    assert_eq!(world.world()["uid_map"], json!([[0, 100_000, 1]]));
}

/// Parents of the bundle that only their owner may pass are no hindrance.
/// config-linux.md, "User namespace mappings"
#[test]
fn u8_closed_parents() {
    needs!(root_or_ranges, user_ns);
    let container = Container::new().user_namespace().mount("/host", "bind", "closed/shared", &["bind"]);
    std::fs::create_dir_all(container.bundle.join("closed/shared")).unwrap();
    let closed = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(container.bundle.join("closed"), closed).unwrap();
    assert_eq!(container.probe(&["list", "/host"])["/host"], json!([]));
}

/// exec, too, has ids of the container.
/// config-linux.md, "User namespace mappings"
#[test]
fn u9_exec() {
    needs!(root, user_ns);
    let container = Container::new().user_namespace().sleeping();
    let world = container.exec_world(&[]);
    assert_eq!((&world["uid"]["real"], &world["uid_map"]), (&json!(0), &json!([[0, 100_000, 65_536]])));
}
