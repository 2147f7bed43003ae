//! config.md, "Root".

use std::fs;

use serde_json::json;

use crate::harness::*;
use crate::needs;
use crate::refused::{each_refused, lacking, refused};

/// A read-only root, with other mounts untouched.
/// config.md, "Root"
#[test]
fn m14_read_only_root() {
    needs!(root_or_ranges);
    let container =
        Container::new().set("/root/readonly", json!(true)).args(&["/probe", "write", "/new", "text"]);
    assert_eq!(container.world(), json!({ "errno": "EROFS" }));
    let container = container.args(&["/probe", "write", "/dev/shm/new", "text"]);
    assert_eq!(container.world(), json!({ "written": 4 }));
    assert_eq!(container.args(&["/probe"]).world()["root_writable"], json!({ "errno": "EROFS" }));
    assert_eq!(Container::new().world()["root_writable"], true);
}

/// The rootfs may be a mount point itself, and another user's directory.
/// config.md, "Root"
#[test]
fn b9_root_on_a_mount_point() {
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

/// The root path may be absolute.
/// config.md, "Root"
#[test]
fn b9_absolute_root_path() {
    needs!(root_or_ranges);
    let container = Container::new();
    let path = container.bundle.rootfs();
    container.set("/root/path", json!(path)).world();
}

/// The path leads to a directory, which must exist.
/// config.md, "Root"
#[test]
fn b9_no_root() {
    needs!(root_or_ranges);
    refused(&lacking("", "root"));
    refused(&lacking("/root", "path"));
    each_refused("/root/path", &[json!("no-such-rootfs"), json!("config.json"), json!("")]);
}

/// The root can be written unless the document says otherwise.
/// config.md, "Root"
#[test]
fn m14_writable_by_default() {
    needs!(root_or_ranges);
    assert_eq!(lacking("/root", "readonly").world()["root_writable"], true);
}
