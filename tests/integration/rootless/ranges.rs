//! A user to whom subuid(5) and subgid(5) grant further ids, which newuidmap(1) and newgidmap(1) map.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

use serde_json::{Value, json};

use crate::harness::*;
use crate::needs;

/// First of the ids that are granted, and how many they are.
const RANGE: (u32, u32) = (700_000, 1_000);

/// The user's own id first, and their range behind it, as rootless engines map them.
fn map() -> Value {
    json!([
        { "containerID": 0, "hostID": USER, "size": 1 },
        { "containerID": 1, "hostID": RANGE.0, "size": RANGE.1 },
    ])
}

/// A container of a user with ranges: /etc is another one, where the user has a name and the ranges are listed.
fn with_ranges() -> Container {
    let mut container = users_own().set("/linux/uidMappings", map()).set("/linux/gidMappings", map());
    let etc = container.bundle.join("etc");
    fs::create_dir(&etc).unwrap();
    fs::write(etc.join("passwd"), format!("someone:x:{USER}:{USER}::/:/bin/sh\n")).unwrap();
    for (name, (first, count)) in [("subuid", RANGE), ("subgid", RANGE)] {
        fs::write(etc.join(name), format!("someone:{first}:{count}\n")).unwrap();
    }
    container.runtime.launch_by(in_another_etc(&etc));
    container
}

fn in_another_etc(etc: &Path) -> Vec<String> {
    let script = format!("mount --bind {} /etc && exec \"$@\"", etc.display());
    let outside =
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", &script, "sh"].map(str::to_owned);
    outside.into_iter().chain(as_user()).collect()
}

#[test]
fn the_world_of_a_container() {
    needs!(root, user_ns);
    let world = with_ranges()
        .set("/process/user", json!({ "uid": 7, "gid": 8, "additionalGids": [5, 1000] }))
        .capabilities(&["CAP_SETGID"])
        .world();
    let rows = json!([[0, USER, 1], [1, RANGE.0, RANGE.1]]);
    assert_eq!((&world["uid_map"], &world["gid_map"]), (&rows, &rows));
    assert_eq!(world["setgroups"], "allow");
    assert_eq!((&world["uid"]["real"], &world["gid"]["real"]), (&json!(7), &json!(8)));
    assert_eq!(world["groups"], json!([5, 1000]));
    assert_eq!(world["devices"]["/dev/mqueue"]["uid"], 0);
}

/// The user need not be anybody inside, and still finds what only the user may read.
#[test]
fn a_root_who_is_not_the_user() {
    needs!(root, user_ns);
    let map = json!([{ "containerID": 0, "hostID": RANGE.0, "size": RANGE.1 }]);
    let container = with_ranges()
        .set("/linux/uidMappings", map.clone())
        .set("/linux/gidMappings", map)
        .set("/process/args", json!(["/probe", "stat", "/file", "/dev/mqueue"]));
    chown(container.bundle.rootfs(), Some(RANGE.0), Some(RANGE.0)).unwrap();
    let file = container.bundle.rootfs().join("file");
    fs::write(&file, "").unwrap();
    chown(&file, Some(RANGE.0 + 3), Some(RANGE.0 + 4)).unwrap();
    fs::set_permissions(container.bundle.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let seen = container.world();
    assert_eq!((&seen["/file"]["uid"], &seen["/file"]["gid"]), (&json!(3), &json!(4)));
    assert_eq!(seen["/dev/mqueue"]["uid"], 0, "{seen}");
}

#[test]
fn exec_as_another_user() {
    needs!(root, user_ns);
    let container = with_ranges().sleeping();
    let world = container.exec_world(&["--user", "9:10", "--additional-gids", "5"]);
    assert_eq!((&world["uid"]["real"], &world["gid"]["real"]), (&json!(9), &json!(10)));
    assert_eq!(world["groups"], json!([5]));
    let init = fs::metadata(format!("/proc/{}", container.pid())).unwrap();
    assert_eq!(init.uid(), USER);
}

#[test]
fn a_range_of_somebody_else() {
    needs!(root, user_ns);
    for (list, file) in [("uidMappings", "/etc/subuid"), ("gidMappings", "/etc/subgid")] {
        let container = with_ranges().set(&format!("/linux/{list}/1/size"), json!(RANGE.1 + 1));
        container.create(&[]).refuses(&[&format!("linux.{list}"), "not allowed", file]);
        container.assert_clean();
    }
}

#[test]
fn without_the_programs() {
    needs!(root, user_ns);
    let mut container = users_own().set("/linux/gidMappings", map());
    container.runtime.launch_by(as_user().into_iter().chain(["/usr/bin/env".into(), "PATH=/nowhere".into()]));
    container.create(&[]).refuses(&["linux.gidMappings", "newgidmap", "not found", "package uidmap"]);
    container.assert_clean();
}
