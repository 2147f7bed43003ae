//! config-linux.md, "Control groups": where containers go, and what becomes of the place.

use std::fs;

use serde_json::{Value, json};

use super::Frozen;
use crate::harness::*;
use crate::needs;

/// A mount of type cgroup shows this host's hierarchies, rooted at the container.
/// config-linux.md, "Control groups"
#[test]
fn m17_cgroup_mount() {
    needs!(root, cgroup_v1("pids"));
    let mut container = Container::new()
        .mount("/sys/fs/cgroup", "cgroup", "cgroup", &["nosuid", "noexec", "nodev", "relatime", "ro"])
        .set("/linux/resources/pids", json!({ "limit": 44 }))
        .args(&["/probe", "read", "/sys/fs/cgroup/pids/pids.max"]);
    assert_eq!(container.world()["/sys/fs/cgroup/pids/pids.max"], "44\n");
    for path in ["/sys/fs/cgroup/pids/pids.max", "/sys/fs/cgroup/new"] {
        container = container.args(&["/probe", "write", path, "50"]);
        let answer = container.world();
        assert!(answer["errno"] == "EROFS" || answer["errno"] == "EACCES", "{path}: {answer}");
    }
    let inside = container.args(&["/probe", "list", "/sys/fs/cgroup"]).world();
    for hierarchy in fs::read_dir("/sys/fs/cgroup").unwrap().flatten() {
        let name = hierarchy.file_name().into_string().unwrap();
        let there = inside["/sys/fs/cgroup"].as_array().unwrap().contains(&json!(name));
        assert!(there || name == "unified", "{name} is not among {inside}");
    }
}

/// In a cgroup namespace that is joined, the mount shows what the namespace has as its root, in named hierarchies too.
/// config-linux.md, "Control groups"
#[test]
fn m17_cgroup_mount_in_a_joined_namespace() {
    needs!(root, cgroup_v1("pids"));
    let first = Container::new().set("/linux/resources/pids", json!({ "limit": 44 })).sleeping();
    let path = format!("/proc/{}/ns/cgroup", first.pid());
    let named = fs::read_to_string("/proc/self/cgroup").unwrap();
    let named = named.lines().find_map(|line| line.split(':').nth(1)?.strip_prefix("name="));
    let mut files = vec!["/sys/fs/cgroup/pids/pids.max".to_owned()];
    files.extend(named.map(|name| format!("/sys/fs/cgroup/{name}/cgroup.procs")));
    let words = ["/probe", "read"].into_iter().chain(files.iter().map(String::as_str));
    let second = Container::new()
        .without_namespace("cgroup")
        .edit(|config| {
            let namespaces = config["linux"]["namespaces"].as_array_mut().unwrap();
            namespaces.push(json!({ "type": "cgroup", "path": path }));
        })
        .mount("/sys/fs/cgroup", "cgroup", "cgroup", &["nosuid", "noexec", "nodev", "ro"])
        .args(&words.collect::<Vec<_>>())
        .world();
    assert_eq!(second[&files[0]], "44\n");
    assert!(files.iter().all(|file| second[file].is_string()), "{second}");
}

/// Without a cgroup namespace the mount still shows the container's own cgroup only.
/// config-linux.md, "Control groups"
#[test]
fn m17_cgroup_mount_without_a_namespace() {
    needs!(root_or_ranges, controller("pids"));
    let container = Container::new()
        .without_namespace("cgroup")
        .mount("/sys/fs/cgroup", "cgroup", "cgroup", &["nosuid", "noexec", "nodev", "relatime", "ro"])
        .set("/linux/resources/pids", json!({ "limit": 44 }));
    let file = hierarchy("pids").join("pids.max");
    let file = file.to_str().unwrap();
    assert_eq!(container.probe(&["read", file])[file], "44\n");
}

/// A cgroup that existed before is used and keeps its values; without a path the id names it.
/// config-linux.md, "Cgroups Path"
#[test]
fn c2_default_path() {
    needs!(root_or_ranges, controller("pids"));
    let mut container = Container::new().without_namespace("cgroup").edit(|config| {
        config["linux"].as_object_mut().unwrap().remove("cgroupsPath");
    });
    let path = membership(&container.world(), "pids").to_owned();
    assert!(path.contains(&container.id), "{path}");
    container.cgroup = path;
}

/// Every pid is in the cgroup before the program runs, in all hierarchies of the host, the unified one too.
/// config-linux.md, "Cgroups Path"
#[test]
fn c4_every_hierarchy() {
    needs!(root_or_ranges, controller("pids"));
    let container = Container::new().without_namespace("cgroup");
    let cgroups = container.world()["cgroups"].clone();
    for (controllers, path) in cgroups.as_object().unwrap() {
        assert_eq!(path, container.cgroup.as_str(), "hierarchy {controllers:?}");
    }
}

/// Processes that the payload moved into cgroups of its own die and go with the container.
/// runtime.md, "Delete"
#[test]
fn c8_nested_cgroups_are_removed() {
    needs!(root_or_ranges, controller("pids"));
    let container = Container::new().sleeping();
    let below = container.cgroup_dir("pids").join("nested/deeper");
    fs::create_dir_all(&below).unwrap();
    container.exec(&["--detach"], &["/probe", "pause"]).ok();
    let procs = container.cgroup_file("pids", "cgroup.procs");
    let other = procs.lines().find(|pid| **pid != container.pid().to_string()).unwrap().to_owned();
    fs::write(below.join("cgroup.procs"), &other).unwrap();
    container.delete(&["--force"]).ok();
    container.assert_clean();
    assert!(await_exit(other.parse().unwrap(), std::time::Duration::from_secs(10)));
}

/// Parents that were made for the container's cgroup go with it.
/// runtime.md, "Delete"
#[test]
fn c8_parents_are_removed() {
    needs!(root, cgroup_v1("pids"));
    let container = Container::new();
    let below = format!("{}/deep", container.cgroup);
    let container = container.set("/linux/cgroupsPath", json!(below)).sleeping();
    assert_eq!(container.cgroup_file("pids", "deep/cgroup.procs"), container.pid().to_string());
    container.delete(&["--force"]).ok();
    assert!(fs::metadata(container.cgroup_dir("pids")).is_err(), "{} is left", container.cgroup);
}

/// A limit that cannot be set is an error that names the file, and nothing is left.
/// runtime.md, "Create"
#[test]
fn l4_impossible_limits() {
    needs!(root_or_ranges, controller("cpuset"));
    let container = Container::new().set("/linux/resources/cpu", json!({ "cpus": "4000" }));
    container.create(&[]).refuses(&["cpuset.cpus"]).exits(1);
    container.assert_clean();
}

/// The same absolute path is the same place, below the mount point of every hierarchy.
/// config-linux.md, "Cgroups Path"
#[test]
fn c1_absolute_paths() {
    needs!(root_or_ranges, controller("pids"));
    let container = Container::new().sleeping();
    for controller in ["pids", "memory", "cpu", "devices"] {
        assert_eq!(
            container.cgroup_file(controller, "cgroup.procs"),
            container.pid().to_string(),
            "{controller}"
        );
    }
}

/// A relative path is the same place each time.
/// config-linux.md, "Cgroups Path"
#[test]
fn c1_relative_paths() {
    needs!(root_or_ranges, controller("pids"), cgroupfs);
    let relative = format!("hull-test-relative-{}/deep", std::process::id());
    let place = || {
        let container =
            Container::new().without_namespace("cgroup").set("/linux/cgroupsPath", json!(relative));
        membership(&container.world(), "pids").to_owned()
    };
    let first = place();
    assert!(first.ends_with(&relative), "{first}");
    assert_eq!(place(), first);
    let hierarchies = fs::read_dir("/sys/fs/cgroup").unwrap().flatten().map(|entry| entry.path());
    for hierarchy in hierarchies.chain([hierarchy("")]) {
        let _ = fs::remove_dir(hierarchy.join(first.trim_start_matches('/')).parent().unwrap());
    }
}

/// A cgroup that is there already is joined, and the limits that the document does not name stay.
/// config-linux.md, "Cgroups Path"
#[test]
fn c6_existing_cgroups_keep_their_values() {
    needs!(root_or_ranges, controller("pids"), cgroupfs);
    let container = Container::new();
    let dir = container.cgroup_dir("pids");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("pids.max"), "77").unwrap();
    let container = container.sleeping();
    assert_eq!(container.limit("pids.limit"), "77");
    assert_eq!(container.cgroup_file("pids", "cgroup.procs"), container.pid().to_string());
}

/// A cgroup that is frozen is not fit for a container.
/// config-linux.md, "Cgroups Path"
#[test]
fn c3_frozen_cgroups() {
    needs!(root_or_ranges, freezer);
    let container = Container::new();
    let _frozen = Frozen::new(container.cgroup_dir("freezer"));
    container.create(&[]).refuses(&[]);
    container.verb("state", &[], &[]).refuses(&[]);
}

/// Nor is one that others live in.
/// config-linux.md, "Cgroups Path"
#[test]
fn c3_populated_cgroups() {
    needs!(root_or_ranges, cgroup);
    let first = Container::new().sleeping();
    let second = Container::new().set("/linux/cgroupsPath", json!(first.cgroup));
    second.create(&[]).refuses(&[]);
    assert_eq!(first.pids(), [first.pid()]);
    assert_eq!(first.status(), "running");
}

/// Without resources no limit is set.
/// config-linux.md, "Cgroups Path"
#[test]
fn c6_no_resources() {
    needs!(root_or_ranges, controller("memory"), controller("pids"));
    let container = Container::new().set("/linux/resources", json!({}));
    container.create(&[]).ok();
    // systemd gives every unit a number of tasks, unless its administrator does not want it.
    if Driver::chosen() == Driver::Cgroupfs {
        assert_eq!(container.limit("pids.limit"), "max");
    }
    let memory = container.limit("memory.limit");
    assert!(memory == "max" || memory.len() > 15, "a limit of memory: {memory}");
}

/// The program is in its cgroups before it runs, and so are the container's hooks.
/// config-linux.md, "Cgroups Path"
#[test]
fn c4_hooks_are_inside() {
    needs!(root_or_ranges, controller("pids"));
    let container = Container::new().without_namespace("cgroup").set(
        "/hooks",
        json!({ "startContainer": [{ "path": "/probe", "args": ["probe", "record", "/log"] }] }),
    );
    let log = container.bundle.rootfs().join("log");
    let container = container.sleeping();
    let record: Value = serde_json::from_str(fs::read_to_string(log).unwrap().trim()).unwrap();
    assert_eq!(membership(&record["world"], "pids"), container.cgroup);
}
