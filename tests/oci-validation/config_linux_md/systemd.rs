//! Cgroups that systemd manages (`--systemd-cgroup`): config-linux.md leaves the form of such a path to the runtime,
//! and all runtimes have `slice:prefix:name`.

use serde_json::json;

use crate::harness::*;
use crate::needs;

/// The container is in a scope of the slice that is named, which has its limits and is delegated; `delete` ends it.
/// config-linux.md, "Cgroups Path"
#[test]
fn c9_scopes() {
    needs!(root, systemd);
    let container = Container::in_scope().args(&["/probe", "pause"]);
    let container = if controller("pids").is_ok() {
        container.set("/linux/resources/pids", json!({ "limit": 44 }))
    } else {
        container
    };
    container.create(&[]).ok();
    let place = std::fs::read_to_string(format!("/proc/{}/cgroup", container.pid())).unwrap();
    assert!(place.contains(&container.cgroup), "{place}");
    assert_eq!(container.property("Slice"), "system.slice");
    if controller("pids").is_ok() {
        assert_eq!(container.property("TasksMax"), "44");
    }
    assert_eq!(container.property("Delegate"), "yes");
    container.start().ok();
    assert_eq!(container.status(), "running");
    container.delete(&["--force"]).ok();
    container.assert_clean();
}

/// Annotations set properties of the unit.
/// config-linux.md, "Cgroups Path"
#[test]
fn c9_properties() {
    needs!(root_or_ranges, systemd);
    let annotations = json!({ "org.systemd.property.TimeoutStopUSec": "uint64 7000000" });
    let container = Container::in_scope().set("/annotations", annotations);
    container.create(&[]).ok();
    assert_eq!(container.property("TimeoutStopUSec"), "7s");
}

/// A host without systemd is told apart, at once, and nothing is left.
/// config-linux.md, "Cgroups Path"
#[test]
fn c9_no_systemd() {
    needs!(root, no_systemd);
    let container = Container::in_scope();
    container.create(&[]).refuses(&[]).exits(1);
    container.assert_clean();
}
