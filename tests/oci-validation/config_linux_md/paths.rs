//! config-linux.md, "Rootfs Mount Propagation", "Masked Paths" and "Readonly Paths".

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::json;

use crate::harness::*;
use crate::needs;
use crate::refused::each_refused;
use crate::seen::mount_on;

/// Masked files read as empty, masked directories list as empty, and neither can be written.
/// config-linux.md, "Masked Paths"
#[test]
fn k1_masked_paths() {
    needs!(root_or_ranges);
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

/// A mask must be the real null device, whatever the image has at /dev/null (CVE-2025-31133).
/// config-linux.md, "Masked Paths"
#[test]
fn k2_cve_2025_31133_masks_use_the_real_null_device() {
    needs!(root_or_ranges);
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
/// config-linux.md, "Readonly Paths"
#[test]
fn k3_readonly_paths() {
    needs!(root_or_ranges);
    let container = Container::new()
        .set("/linux/readonlyPaths", json!(["/etc", "/no/such/path"]))
        .args(&["/probe", "write", "/etc/new", "text"]);
    assert_eq!(container.world(), json!({ "errno": "EROFS" }));
}

/// What is mounted below a read-only path is read-only too, and keeps its other flags.
/// config-linux.md, "Readonly Paths"
#[test]
fn k3_readonly_paths_reach_below() {
    needs!(root_or_ranges);
    let container = Container::new()
        .mount("/data", "tmpfs", "tmpfs", &[])
        .mount("/data/below", "bind", "shared", &["bind", "nosuid"])
        .set("/linux/readonlyPaths", json!(["/data"]));
    fs::create_dir(container.bundle.join("shared")).unwrap();
    fs::write(container.bundle.join("shared/file"), "there").unwrap();
    let container = container.args(&["/probe", "write", "/data/below/file", "text"]);
    assert_eq!(container.world(), json!({ "errno": "EROFS" }));
    let container = container.args(&["/probe", "read", "/data/below/file"]);
    assert_eq!(container.world()["/data/below/file"], "there");
    let world = container.args(&["/probe"]).world();
    let below =
        world["mounts"].as_array().unwrap().iter().rfind(|mount| mount["target"] == "/data/below").unwrap();
    assert!(below["flags"].as_array().unwrap().contains(&json!("nosuid")), "{below}");
}

/// Masks hold for exec too.
/// config-linux.md, "Masked Paths"
#[test]
fn k4_masks_hold_for_exec() {
    needs!(root_or_ranges);
    let container = Container::new().set("/linux/maskedPaths", json!(["/etc/passwd"])).sleeping();
    let answer = container.exec(&[], &["/probe", "read", "/etc/passwd"]).ok().json();
    assert_eq!(answer["/etc/passwd"], "");
}

/// rootfsPropagation shows on `/`, and with an r on what is mounted below, as far as that is not the host's.
/// config-linux.md, "Rootfs Mount Propagation"
#[test]
fn m15_root_propagation() {
    needs!(root);
    for (word, top, below) in [
        ("rshared", "shared:", "shared:"),
        ("shared", "shared:", "[]"),
        ("rprivate", "[]", "[]"),
        ("private", "[]", "[]"),
        ("rslave", "master:", "[]"),
        ("slave", "master:", "[]"),
        ("runbindable", "unbindable", "unbindable"),
        ("unbindable", "unbindable", "[]"),
    ] {
        let mut container = Container::new()
            .set("/root/path", json!("root"))
            .set("/linux/rootfsPropagation", json!(word))
            .mount("/data", "tmpfs", "tmpfs", &[]);
        let root = container.bundle.shared_tmpfs("root");
        for name in ["proc", "dev", "sys"] {
            fs::create_dir(root.join(name)).unwrap();
        }
        install(&container.bundle.rootfs().join("probe"), &root.join("probe"));
        let world = container.world();
        for (target, tag) in [("/", top), ("/data", below)] {
            let found = mount_on(&world, target)["propagation"].to_string();
            assert!(found.contains(tag), "{word}: {target} is {found}");
            assert!(tag == "shared:" || !found.contains("shared:"), "{word}: {target} is {found}");
        }
    }
}

/// Paths are absolute.
/// config-linux.md, "Masked Paths"
#[test]
fn k1_relative_paths() {
    needs!(root_or_ranges);
    each_refused("/linux/maskedPaths", &[json!(["etc"]), json!("/etc")]);
    each_refused("/linux/readonlyPaths", &[json!(["etc"]), json!("/etc")]);
}

/// Masks lie over the mounts of the document, not under them.
/// config-linux.md, "Masked Paths"
#[test]
fn k4_masks_come_after_mounts() {
    needs!(root_or_ranges);
    let container = Container::new()
        .mount("/host", "bind", "shared", &["bind"])
        .set("/linux/maskedPaths", json!(["/host/file"]));
    fs::create_dir(container.bundle.join("shared")).unwrap();
    fs::write(container.bundle.join("shared/file"), "hidden").unwrap();
    assert_eq!(container.probe(&["read", "/host/file"])["/host/file"], "");
}

/// Masked directories have one filesystem in common, or at least each is empty and read-only.
/// config-linux.md, "Masked Paths"
#[test]
fn k5_many_masked_directories() {
    needs!(root_or_ranges);
    let container = Container::new();
    let names: Vec<String> = (0..20).map(|number| format!("/masked/{number}")).collect();
    for name in &names {
        fs::create_dir_all(container.bundle.rootfs().join(&name[1..])).unwrap();
        fs::write(container.bundle.rootfs().join(&name[1..]).join("file"), "").unwrap();
    }
    let container = container.set("/linux/maskedPaths", json!(names));
    let words: Vec<&str> = ["/probe", "list"].into_iter().chain(names.iter().map(String::as_str)).collect();
    let listed = container.args(&words).world();
    for name in &names {
        assert_eq!(listed[name], json!([]), "{name}");
    }
}

/// A file can be read-only as well; what is beside it stays as it was.
/// config-linux.md, "Readonly Paths"
#[test]
fn k3_readonly_files() {
    needs!(root_or_ranges);
    let container = Container::new().set("/linux/readonlyPaths", json!(["/etc/passwd"]));
    let container = container.args(&["/probe", "write", "/etc/passwd", "x"]);
    assert_eq!(container.world(), json!({ "errno": "EROFS" }));
    let container = container.args(&["/probe", "write", "/etc/other", "x"]);
    assert_eq!(container.world(), json!({ "written": 1 }));
}

/// The word is one of shared, slave, private and unbindable.
/// config-linux.md, "Rootfs Mount Propagation"
#[test]
fn m15_bad_propagation() {
    needs!(root_or_ranges);
    each_refused("/linux/rootfsPropagation", &[json!("bogus"), json!("ro")]);
}
