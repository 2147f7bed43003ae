//! config-linux.md, "Devices", "Default Devices" and "Allowed Device list".

use std::fs;

use serde_json::{Value, json};

use super::limited;
use crate::harness::*;
use crate::needs;
use crate::refused::each_refused;

/// Devices of the config are made with type, numbers, mode and owner, inside and outside of /dev.
/// config-linux.md, "Devices"
#[test]
fn d1_devices() {
    needs!(root);
    let container = Container::new().set(
        "/linux/devices",
        json!([
            { "path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o640, "uid": 5, "gid": 6 },
            { "path": "/devices/deep/null", "type": "u", "major": 1, "minor": 3 },
            { "path": "/dev/block", "type": "b", "major": 7, "minor": 200 },
            { "path": "/dev/pipe", "type": "p" }
        ]),
    );
    let stat = container.probe(&["stat", "/dev/fuse", "/devices/deep/null", "/dev/block", "/dev/pipe"]);
    let fuse = &stat["/dev/fuse"];
    assert_eq!((&fuse["type"], &fuse["major"], &fuse["minor"]), (&json!("char"), &json!(10), &json!(229)));
    assert_eq!((&fuse["mode"], &fuse["uid"], &fuse["gid"]), (&json!(0o640), &json!(5), &json!(6)));
    assert_eq!(
        (&stat["/devices/deep/null"]["type"], &stat["/devices/deep/null"]["minor"]),
        (&json!("char"), &json!(3))
    );
    assert_eq!(stat["/devices/deep/null"]["mode"], 0o666);
    assert_eq!(stat["/dev/block"]["type"], "block");
    assert_eq!(stat["/dev/pipe"]["type"], "fifo");
}

/// An existing node that matches is used, another file in its place is an error.
/// config-linux.md, "Devices"
#[test]
fn d2_occupied_paths() {
    needs!(root_or_ranges);
    let device = json!([{ "path": "/nodes/null", "type": "c", "major": 1, "minor": 3 }]);
    let container = Container::new().set("/linux/devices", device);
    fs::create_dir(container.bundle.rootfs().join("nodes")).unwrap();
    fs::write(container.bundle.rootfs().join("nodes/null"), "a file").unwrap();
    container.create(&[]).refuses(&["/nodes/null"]).exits(1);
    container.assert_clean();
}

/// The default devices are there for everybody, with the numbers of the kernel.
/// config-linux.md, "Default Devices"
#[test]
fn d3_default_devices() {
    needs!(root);
    let devices = Container::new().world()["devices"].clone();
    for (name, major, minor) in
        [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)]
    {
        let node = &devices[format!("/dev/{name}")];
        assert_eq!((&node["major"], &node["minor"]), (&json!(major), &json!(minor)), "{name}");
        assert_eq!(node["mode"], 0o666, "{name}");
        assert_eq!((&node["uid"], &node["gid"]), (&json!(0), &json!(0)), "{name}");
    }
}

/// Devices are used as their kind says; others may be made, as in every peer, but not opened.
/// config-linux.md, "Allowed Device list"
#[test]
fn d3_device_access() {
    needs!(root);
    for device in ["/dev/null", "/dev/zero", "/dev/full", "/dev/urandom"] {
        assert_eq!(
            Container::new().probe(&["open-device", device, "rw"]),
            json!({ "opened": "rw" }),
            "{device}"
        );
    }
    let container = Container::new().capabilities(&["CAP_MKNOD"]);
    let container = container.args(&["/probe", "mknod", "/sda", "b", "8", "0"]);
    assert_eq!(container.world(), json!({}));
    let container = container.args(&["/probe", "mknod", "/fuse", "c", "10", "229"]);
    assert_eq!(container.world(), json!({}));
    assert_eq!(container.probe(&["open-device", "/sda", "r"]), json!({ "errno": "EPERM" }));
}

/// devices: the list in order, the last match wins, defaults always open.
/// config-linux.md, "Allowed Device list"
#[test]
fn c7_rules_in_order() {
    needs!(root);
    let fuse = |access: &str, allow: bool| json!({ "allow": allow, "type": "c", "major": 10, "minor": 229, "access": access });
    let rules = json!([{ "allow": false, "access": "rwm" }, fuse("rwm", true), fuse("w", false)]);
    let container = || {
        Container::new()
            .set("/linux/resources/devices", rules.clone())
            .set("/linux/devices", json!([{ "path": "/dev/fuse", "type": "c", "major": 10, "minor": 229 }]))
    };
    // A kernel without the driver has another errno to say than the cgroup.
    assert_ne!(container().probe(&["open-device", "/dev/fuse", "r"]), json!({ "errno": "EPERM" }));
    assert_eq!(container().probe(&["open-device", "/dev/fuse", "w"]), json!({ "errno": "EPERM" }));
    assert_eq!(container().probe(&["open-device", "/dev/null", "rw"]), json!({ "opened": "rw" }));
    if cgroup_v1("devices").is_ok() {
        let list = limited(&json!({ "devices": rules })).cgroup_file("devices", "devices.list");
        assert!(list.contains("c 10:229 rm"), "{list}");
    }
}

/// A node that is there already and is the one asked for is used.
/// config-linux.md, "Devices"
#[test]
fn d2_existing_nodes() {
    needs!(root);
    let device = json!([{ "path": "/nodes/null", "type": "c", "major": 1, "minor": 3 }]);
    let container = Container::new().set("/linux/devices", device);
    fs::create_dir(container.bundle.rootfs().join("nodes")).unwrap();
    let path = container.bundle.rootfs().join("nodes/null");
    let null = rustix::fs::makedev(1, 3);
    let kind = rustix::fs::FileType::CharacterDevice;
    rustix::fs::mknodat(rustix::fs::CWD, &path, kind, rustix::fs::Mode::from_raw_mode(0o666), null).unwrap();
    assert_eq!(container.probe(&["open-device", "/nodes/null", "rw"]), json!({ "opened": "rw" }));
}

/// Types are c, b, u and p; all but p have numbers; paths are absolute.
/// config-linux.md, "Devices"
#[test]
fn d4_bad_devices() {
    needs!(root_or_ranges);
    let device = |kind: &str, path: &str, major: i64| json!([{ "type": kind, "path": path, "major": major, "minor": 3 }]);
    each_refused(
        "/linux/devices",
        &[
            device("x", "/dev/x", 1),
            device("", "/dev/x", 1),
            device("c", "/dev/x", -1),
            device("c", "", 1),
            json!([{ "type": "c", "path": "/dev/x" }]),
            json!([{ "path": "/dev/x", "major": 1, "minor": 3 }]),
            json!([{ "type": "c", "major": 1, "minor": 3 }]),
        ],
    );
}

/// The same numbers may be at several paths.
/// config-linux.md, "Devices"
#[test]
fn d5_same_numbers_twice() {
    needs!(root);
    let node = |path: &str| json!({ "path": path, "type": "c", "major": 1, "minor": 3 });
    let container = Container::new().set("/linux/devices", json!([node("/dev/one"), node("/dev/two")]));
    let stat = container.probe(&["stat", "/dev/one", "/dev/two"]);
    assert_eq!((&stat["/dev/one"]["minor"], &stat["/dev/two"]["minor"]), (&json!(3), &json!(3)));
}

/// Where /dev is a directory of the host, nothing is made in it.
/// config-linux.md, "Devices"
#[test]
fn d6_bound_dev() {
    needs!(root);
    let container = Container::new().without_dev();
    let container = container.mount("/dev", "bind", "hostdev", &["rbind"]);
    let source = container.bundle.join("hostdev");
    fs::create_dir(&source).unwrap();
    let kind = rustix::fs::FileType::CharacterDevice;
    let null = rustix::fs::makedev(1, 3);
    rustix::fs::mknodat(
        rustix::fs::CWD,
        source.join("null"),
        kind,
        rustix::fs::Mode::from_raw_mode(0o666),
        null,
    )
    .unwrap();
    let container = container.args(&["/probe", "list", "/dev"]);
    assert_eq!(container.world()["/dev"], json!(["null"]));
    assert_eq!(fs::read_dir(&source).unwrap().count(), 1);
}

/// Default devices are there although the list of allowed devices denies everything.
/// config-linux.md, "Default Devices"
#[test]
fn d3_defaults_are_allowed() {
    needs!(root_or_ranges);
    for device in ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"] {
        let container =
            Container::new().set("/linux/resources/devices", json!([{ "allow": false, "access": "rwm" }]));
        assert_eq!(container.probe(&["open-device", device, "r"]), json!({ "opened": "r" }), "{device}");
    }
    // A process without a terminal has no /dev/tty, but nobody forbids it to look.
    assert_eq!(Container::new().probe(&["open-device", "/dev/tty", "r"]), json!({ "errno": "ENXIO" }));
    assert_eq!(Container::new().probe(&["open-device", "/dev/ptmx", "rw"]), json!({ "opened": "rw" }));
    let container = Container::new().set("/process/terminal", json!(true));
    let container = container.args(&["/probe", "open-device", "/dev/pts/0", "rw"]);
    let console = Console::new(container.bundle.path());
    container.run(&["--detach", "--console-socket", console.path()]).ok();
    assert_eq!(Console::json(console.master()), json!({ "opened": "rw" }));
}

/// Access is made of r, w and m; types are a, b and c.
/// config-linux.md, "Allowed Device list"
#[test]
fn c7_bad_rules() {
    needs!(root_or_ranges);
    each_refused(
        "/linux/resources/devices",
        &[
            json!([{ "allow": true, "type": "c", "major": 1, "minor": 3, "access": "rx" }]),
            json!([{ "allow": true, "type": "q", "access": "rwm" }]),
            json!([{ "allow": "yes", "access": "rwm" }]),
        ],
    );
}

/// A rule without numbers is for all of its type, one without a type for all devices.
/// config-linux.md, "Allowed Device list"
#[test]
fn c7_wild_rules() {
    needs!(root);
    let fuse = json!([{ "path": "/dev/fuse", "type": "c", "major": 10, "minor": 229 }]);
    let open = |rules: Value| {
        let container =
            Container::new().set("/linux/resources/devices", rules).set("/linux/devices", fuse.clone());
        container.probe(&["open-device", "/dev/fuse", "r"]) != json!({ "errno": "EPERM" })
    };
    let deny = || json!({ "allow": false, "access": "rwm" });
    assert!(open(json!([deny(), { "allow": true, "type": "c", "access": "r" }])));
    assert!(open(json!([deny(), { "allow": true, "type": "c", "major": 10, "access": "rwm" }])));
    assert!(open(json!([deny(), { "allow": true, "access": "rwm" }])));
    assert!(!open(json!([deny(), { "allow": true, "type": "b", "access": "rwm" }])));
    assert!(!open(
        json!([deny(), { "allow": true, "type": "c", "major": 11, "minor": -1, "access": "rwm" }])
    ));
}
