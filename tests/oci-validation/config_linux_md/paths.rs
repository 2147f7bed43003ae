//! config-linux.md, "Rootfs Mount Propagation", "Masked Paths" and "Readonly Paths".

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::json;

use crate::harness::*;
use crate::needs;

/// Masked files read as empty, masked directories list as empty, and neither can be written.
/// config-linux.md, "Masked Paths"
#[test]
fn k1_masked_paths() {
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

/// A mask must be the real null device, whatever the image has at /dev/null (CVE-2025-31133).
/// config-linux.md, "Masked Paths"
#[test]
fn k2_cve_2025_31133_masks_use_the_real_null_device() {
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
/// config-linux.md, "Readonly Paths"
#[test]
fn k3_readonly_paths() {
    needs!(root);
    let container = Container::new()
        .set("/linux/readonlyPaths", json!(["/etc", "/no/such/path"]))
        .args(&["/probe", "write", "/etc/new", "text"]);
    assert_eq!(container.world(), json!({ "errno": "EROFS" }));
}

/// What is mounted below a read-only path is read-only too, and keeps its other flags.
/// config-linux.md, "Readonly Paths"
#[test]
fn k3_readonly_paths_reach_below() {
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

/// Masks hold for exec too.
/// config-linux.md, "Masked Paths"
#[test]
fn k4_masks_hold_for_exec() {
    needs!(root);
    let container = Container::new().set("/linux/maskedPaths", json!(["/etc/passwd"])).sleeping();
    let answer = container.exec(&[], &["/probe", "read", "/etc/passwd"]).ok().json();
    assert_eq!(answer["/etc/passwd"], "");
}

/// rootfsPropagation shows on `/`.
/// config-linux.md, "Rootfs Mount Propagation"
#[test]
fn m15_root_propagation() {
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
