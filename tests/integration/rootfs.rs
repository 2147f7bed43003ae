//! The root filesystem: read-only root, masks, devices, links, propagation, sysctls (config-linux.md).

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::json;

use crate::harness::*;
use crate::needs;

/// A read-only root, with other mounts untouched.
#[test]
fn read_only_root() {
    needs!(root);
    let container =
        Container::new().set("/root/readonly", json!(true)).args(&["/probe", "write", "/new", "text"]);
    assert_eq!(container.world(), json!({ "errno": "EROFS" }));
    let container = container.args(&["/probe", "write", "/dev/shm/new", "text"]);
    assert_eq!(container.world(), json!({ "written": 4 }));
    assert_eq!(container.args(&["/probe"]).world()["root_writable"], json!({ "errno": "EROFS" }));
    assert_eq!(Container::new().world()["root_writable"], true);
}

/// Masked files read as empty, masked directories list as empty, and neither can be written.
#[test]
fn masked_paths() {
    needs!(root);
    let container =
        Container::new().set("/linux/maskedPaths", json!(["/etc/passwd", "/secret", "/no/such/path"]));
    fs::create_dir(container.bundle.rootfs().join("secret")).unwrap();
    fs::write(container.bundle.rootfs().join("secret/file"), "hidden").unwrap();
    let container = container.args(&["/probe", "read", "/etc/passwd", "/secret/file"]);
    assert_eq!(container.world(), json!({ "/etc/passwd": "", "/secret/file": { "errno": "ENOENT" } }));
    let container = container.args(&["/probe", "list", "/secret"]);
    assert_eq!(container.world()["/secret"], json!([]));
    let container = container.args(&["/probe", "write", "/secret/new", "text"]);
    assert_eq!(container.world(), json!({ "errno": "EROFS" }));
}

/// Masks hold for exec too.
#[test]
fn masks_hold_for_exec() {
    needs!(root);
    let container = Container::new().set("/linux/maskedPaths", json!(["/etc/passwd"])).sleeping();
    let answer = container.exec(&[], &["/probe", "read", "/etc/passwd"]).ok().json();
    assert_eq!(answer["/etc/passwd"], "");
}

/// A mask must be the real null device, whatever the image has at /dev/null (CVE-2025-31133).
#[test]
fn cve_2025_31133_masks_use_the_real_null_device() {
    needs!(root);
    let container = Container::new()
        .edit(|config| {
            config["mounts"].as_array_mut().unwrap().retain(|mount| mount["destination"] != "/dev");
        })
        .set("/linux/maskedPaths", json!(["/etc/passwd"]));
    symlink("/etc/group", container.bundle.rootfs().join("dev/null")).unwrap();
    let container = container.args(&["/probe", "read", "/etc/passwd"]);
    let finished = container.run(&[]);
    assert!(!finished.stdout.contains("root:x"), "masked by another file: {}", finished.stdout);
}

/// Read-only paths refuse writes; missing ones are ignored.
#[test]
fn readonly_paths() {
    needs!(root);
    let container = Container::new()
        .set("/linux/readonlyPaths", json!(["/etc", "/no/such/path"]))
        .args(&["/probe", "write", "/etc/new", "text"]);
    assert_eq!(container.world(), json!({ "errno": "EROFS" }));
}

/// What is mounted below a read-only path is read-only too, and keeps its other flags.
#[test]
fn readonly_paths_reach_below() {
    needs!(root);
    let container = Container::new()
        .mount("/data", "tmpfs", "tmpfs", &[])
        .mount("/data/below", "tmpfs", "tmpfs", &["nosuid"])
        .set("/linux/readonlyPaths", json!(["/data"]));
    let container = container.args(&["/probe", "write", "/data/below/new", "text"]);
    assert_eq!(container.world(), json!({ "errno": "EROFS" }));
    let world = container.args(&["/probe"]).world();
    let below =
        world["mounts"].as_array().unwrap().iter().rfind(|mount| mount["target"] == "/data/below").unwrap();
    assert!(below["flags"].as_array().unwrap().contains(&json!("nosuid")), "{below}");
}

/// The default devices are there for everybody, with the numbers of the kernel.
#[test]
fn default_devices() {
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

/// The links that programs expect.
#[test]
fn device_links() {
    needs!(root);
    let devices = Container::new().world()["devices"].clone();
    for (name, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ] {
        assert_eq!(devices[format!("/dev/{name}")]["target"], target);
    }
    let ptmx = &devices["/dev/ptmx"];
    assert!(ptmx["target"] == "pts/ptmx" || ptmx["major"] == 5, "{ptmx}");
}

/// Devices are used as their kind says; others may be made, as in every peer, but not opened.
#[test]
fn device_access() {
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
    assert_eq!(container.probe(&["open-device", "/sda", "r"]), json!({ "errno": "EPERM" }));
}

/// Devices of the config are made with type, numbers, mode and owner, inside and outside of /dev.
#[test]
fn more_devices() {
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
    assert_eq!(stat["/devices/deep/null"]["minor"], 3);
    assert_eq!(stat["/devices/deep/null"]["mode"], 0o666);
    assert_eq!(stat["/dev/block"]["type"], "block");
    assert_eq!(stat["/dev/pipe"]["type"], "fifo");
}

/// An existing node that matches is used, another file in its place is an error.
#[test]
fn occupied_device_paths() {
    needs!(root);
    let device = json!([{ "path": "/nodes/null", "type": "c", "major": 1, "minor": 3 }]);
    let container = Container::new().set("/linux/devices", device);
    fs::create_dir(container.bundle.rootfs().join("nodes")).unwrap();
    fs::write(container.bundle.rootfs().join("nodes/null"), "a file").unwrap();
    container.create(&[]).refuses(&["/nodes/null"]).exits(1);
    container.assert_clean();
}

/// rootfsPropagation shows on `/`.
#[test]
fn root_propagation() {
    needs!(root);
    for (word, tag) in
        [("rshared", "shared:"), ("rprivate", ""), ("runbindable", "unbindable"), ("rslave", "")]
    {
        let world = Container::new().set("/linux/rootfsPropagation", json!(word)).world();
        let root = world["mounts"].as_array().unwrap().iter().find(|mount| mount["target"] == "/").unwrap();
        let found = root["propagation"].to_string();
        assert!(found.contains(tag), "{word}: {found}");
        assert_eq!(found.contains("shared:"), tag == "shared:", "{word}: {found}");
    }
}

/// Sysctls of the container's own namespaces are set, and the host keeps its own.
#[test]
fn sysctls() {
    needs!(root);
    let host = fs::read_to_string("/proc/sys/kernel/msgmax").unwrap();
    let world = Container::new()
        .set(
            "/linux/sysctl",
            json!({ "kernel.msgmax": "4097", "net.ipv4.ip_forward": "1", "net/ipv4/ip_default_ttl": "33" }),
        )
        .args(&["/probe", "print", "kernel.msgmax", "net.ipv4.ip_forward", "net.ipv4.ip_default_ttl"])
        .world();
    assert_eq!(world["sysctls"]["kernel.msgmax"], "4097\n");
    assert_eq!(world["sysctls"]["net.ipv4.ip_forward"], "1\n");
    assert_eq!(world["sysctls"]["net.ipv4.ip_default_ttl"], "33\n");
    assert_eq!(fs::read_to_string("/proc/sys/kernel/msgmax").unwrap(), host);
}

/// A sysctl whose value the kernel refuses is an error that names it, and nothing is left.
#[test]
fn refused_sysctls() {
    needs!(root);
    let container = Container::new().set("/linux/sysctl", json!({ "kernel.msgmax": "a lot" }));
    container.create(&[]).refuses(&["msgmax"]).exits(1);
    container.assert_clean();
}

/// A /dev with a link planted in the image is not followed to the host (CVE-2026-41579).
#[test]
fn planted_links_in_dev() {
    needs!(root);
    let container = Container::new().edit(|config| {
        config["mounts"].as_array_mut().unwrap().retain(|mount| mount["destination"] != "/dev");
    });
    let outside = container.bundle.join("outside");
    fs::write(&outside, "untouched").unwrap();
    let links = container.bundle.rootfs().join("dev");
    for name in ["stdin", "fd", "zero", "ptmx"] {
        symlink(&outside, links.join(name)).unwrap();
    }
    container.run(&[]);
    assert_eq!(fs::read_to_string(&outside).unwrap(), "untouched");
}

/// The rootfs may be a mount point itself, and another user's directory.
#[test]
fn root_on_a_mount_point() {
    needs!(root);
    let mut container = Container::new();
    let source = container.bundle.host_tmpfs("other", "mode=755");
    for name in ["proc", "dev", "sys"] {
        fs::create_dir(source.join(name)).unwrap();
    }
    install(&container.bundle.rootfs().join("probe"), &source.join("probe"));
    let world = container.set("/root/path", json!("other")).world();
    let root = world["mounts"].as_array().unwrap().iter().find(|mount| mount["target"] == "/").unwrap();
    assert_eq!(root["type"], "tmpfs");
}
