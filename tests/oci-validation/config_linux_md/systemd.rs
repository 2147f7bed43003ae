//! Cgroups that systemd manages (`--systemd-cgroup`): config-linux.md leaves the form of such a path to the runtime,
//! and all runtimes have `slice:prefix:name`.

use std::process::Command;

use serde_json::json;

use crate::harness::*;
use crate::needs;

/// A container whose cgroup is a scope of systemd's, and the scope.
fn scoped() -> (Container, String) {
    let mut container = Container::new();
    let scope = format!("hulltest-{}.scope", container.id);
    let path = format!("system.slice:hulltest:{}", container.id);
    container.cgroup = format!("/system.slice/{scope}");
    (container.set("/linux/cgroupsPath", json!(path)).args(&["/probe", "pause"]), scope)
}

fn create(container: &Container) -> Finished {
    let flags = container.bundled(&[]);
    container.runtime.command([&["--systemd-cgroup", "create"], &flags[..], &[&container.id]].concat()).run()
}

/// A property of a unit, as `systemctl show` has it.
fn property(unit: &str, name: &str) -> String {
    let shown =
        Command::new("systemctl").args(["show", "--value", "--property", name, unit]).output().unwrap();
    String::from_utf8(shown.stdout).unwrap().trim().to_owned()
}

/// The container is in a scope of the slice that is named, which has its limits and is delegated; `delete` ends it.
/// config-linux.md, "Cgroups Path"
#[test]
fn c9_scopes() {
    needs!(root, systemd);
    let (container, scope) = scoped();
    let container = container.set("/linux/resources/pids", json!({ "limit": 44 }));
    create(&container).ok();
    let place = std::fs::read_to_string(format!("/proc/{}/cgroup", container.pid())).unwrap();
    assert!(place.contains(&format!("/system.slice/{scope}")), "{place}");
    assert_eq!(property(&scope, "Slice"), "system.slice");
    assert_eq!(property(&scope, "TasksMax"), "44");
    assert_eq!(property(&scope, "Delegate"), "yes");
    container.start().ok();
    assert_eq!(container.status(), "running");
    container.delete(&["--force"]).ok();
    container.assert_clean();
    assert_ne!(property(&scope, "ActiveState"), "active");
}

/// Annotations set properties of the unit.
/// config-linux.md, "Cgroups Path"
#[test]
fn c9_properties() {
    needs!(root, systemd);
    let (container, scope) = scoped();
    let annotations = json!({ "org.systemd.property.TimeoutStopUSec": "uint64 7000000" });
    let container = container.set("/annotations", annotations);
    create(&container).ok();
    assert_eq!(property(&scope, "TimeoutStopUSec"), "7s");
}

/// A host without systemd is told apart, at once, and nothing is left.
/// config-linux.md, "Cgroups Path"
#[test]
fn c9_no_systemd() {
    needs!(root, no_systemd);
    let (container, _) = scoped();
    create(&container).refuses(&[]).exits(1);
    container.assert_clean();
}
