//! config-linux.md, "Control groups", where cgroup2 is all there is: the way down to a cgroup, and what stands in it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::harness::*;
use crate::needs;

/// A directory of the cgroup2 hierarchy, removed at the end with what a test has put there.
struct Cgroup(PathBuf);

impl Cgroup {
    /// Below the root, or below what the user has.
    fn new(name: &str) -> Self {
        let above = cgroup_above(Driver::Cgroupfs).unwrap();
        let name = format!("hull-test-{}-{name}", std::process::id());
        Self::at(Path::new("/sys/fs/cgroup").join(above.trim_start_matches('/')).join(name))
    }

    fn at(dir: PathBuf) -> Self {
        fs::create_dir(&dir).unwrap();
        Self(dir)
    }

    /// As a document names it.
    fn path(&self) -> String {
        format!("/{}", self.0.strip_prefix("/sys/fs/cgroup").unwrap().display())
    }

    fn write(&self, file: &str, value: &str) {
        fs::write(self.0.join(file), value).unwrap();
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.0.join(file)).unwrap().trim().to_owned()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

/// A container in a cgroup of its own below `parent`.
fn below(parent: &Cgroup) -> Container {
    let mut container = Container::new();
    let path = format!("{}/{}", parent.path(), container.id);
    container.cgroup.clone_from(&path);
    container.set("/linux/cgroupsPath", json!(path))
}

/// Controllers are handed down from the root to the container's cgroup.
/// config-linux.md, "Cgroups Path"
#[test]
fn v2_1_controllers_are_handed_down() {
    needs!(root_or_ranges, cgroup2("pids"), cgroupfs);
    let parent = Cgroup::new("down");
    let container = below(&parent).set("/linux/resources/pids", json!({ "limit": 44 }));
    container.create(&[]).ok();
    assert_eq!(container.cgroup_file("", "pids.max"), "44");
    assert!(parent.read("cgroup.subtree_control").split(' ').any(|controller| controller == "pids"));
    assert_eq!(container.cgroup_file("", "cgroup.procs"), container.pid().to_string());
}

/// A process in a cgroup on the way forbids to hand a controller down: an error that names the place.
/// config-linux.md, "Cgroups Path"
#[test]
fn v2_1_processes_on_the_way() {
    needs!(root_or_ranges, cgroup2("memory"), cgroupfs);
    let parent = Cgroup::new("busy");
    let mut sleeper = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    parent.write("cgroup.procs", &sleeper.id().to_string());
    let container = below(&parent).set("/linux/resources/memory", json!({ "limit": 67_108_864 }));
    let finished = container.create(&[]);
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
    finished.refuses(&[&parent.path(), "does not hand down the memory controller"]).exits(1);
    container.assert_clean();
}

/// A container's process is never anywhere but in its cgroup: one that may have no process cannot be forked into, though
/// others could still move there.
/// config-linux.md, "Cgroups Path"
#[test]
fn v2_1_born_inside() {
    needs!(root_or_ranges, cgroup2("pids"), cgroupfs);
    let container = Container::new().set("/linux/resources/unified", json!({ "pids.max": "0" }));
    container.create(&[]).refuses(&["clone3"]).exits(1);
    container.assert_clean();
    let container = Container::new().sleeping();
    container.runtime.command(["update", "--pids-limit", "1", &container.id]).run().ok();
    container.exec(&[], &["/probe"]).refuses(&["clone3"]);
}

/// A controller that the host has and has not handed down to the user is named, with the place where it ends.
/// config-linux.md, "Cgroups Path"
#[test]
fn v2_1_what_is_not_delegated() {
    needs!(root_or_ranges, pure_cgroup2, withheld_controller);
    let name = withheld_controllers().remove(0);
    let file = if name == "hugetlb" { "hugetlb.2MB.max".to_owned() } else { format!("{name}.max") };
    let container = Container::new().set("/linux/resources/unified", json!({ file: "0" }));
    container.create(&[]).refuses(&["does not hand down", &format!("+{name}")]).exits(1);
    container.assert_clean();
}

/// A threaded cgroup takes no container: an error, and the cgroup stays as it was.
/// config-linux.md, "Cgroups Path"
#[test]
fn v2_11_threaded_cgroups() {
    needs!(root_or_ranges, pure_cgroup2, cgroupfs);
    let parent = Cgroup::new("threaded");
    let threaded = Cgroup::at(parent.0.join("inner"));
    threaded.write("cgroup.type", "threaded");
    let container = below(&threaded);
    container.create(&[]).refuses(&["domain invalid", "takes no processes"]).exits(1);
    assert_eq!(threaded.read("cgroup.type"), "threaded");
    assert!(fs::metadata(threaded.0.join(&container.id)).is_err(), "a directory is left");
}

/// Device rules are a program on the container's cgroup, which holds for all below and for `exec`, and an update of
/// something else leaves it in force.
/// config-linux.md, "Allowed Device list"
#[test]
fn v2_10_device_program() {
    needs!(root, cgroup2("pids"));
    let fuse = json!({ "path": "/dev/fuse", "type": "c", "major": 10, "minor": 229 });
    let rule = json!({ "allow": true, "type": "c", "major": 10, "minor": 229, "access": "r" });
    let container = Container::new()
        .set("/linux/devices", json!([fuse]))
        .set("/linux/resources/devices", json!([{ "allow": false, "access": "rwm" }, rule]))
        .sleeping();
    let check = || {
        let open = |path: &str, mode: &str| {
            container.exec(&[], &["/probe", "open-device", path, mode]).ok().json()
                != json!({ "errno": "EPERM" })
        };
        assert!(open("/dev/fuse", "r"), "what a rule allows");
        assert!(!open("/dev/fuse", "w"), "what no rule allows");
        assert!(open("/dev/null", "rw"), "what is always allowed");
    };
    check();
    container.runtime.command(["update", "--pids-limit", "55", &container.id]).run().ok();
    assert_eq!(container.cgroup_file("", "pids.max"), "55");
    check();
}

/// An update of the device rules takes effect, and the default devices stay allowed.
/// config-linux.md, "Allowed Device list"
#[test]
fn v2_10_updated_rules() {
    needs!(root, pure_cgroup2);
    let fuse = json!({ "path": "/dev/fuse", "type": "c", "major": 10, "minor": 229 });
    let container = Container::new().set("/linux/devices", json!([fuse])).sleeping();
    let open = |path: &str| {
        container.exec(&[], &["/probe", "open-device", path, "r"]).ok().json() != json!({ "errno": "EPERM" })
    };
    assert!(!open("/dev/fuse") && open("/dev/null"));
    let rule = json!({ "allow": true, "type": "c", "major": 10, "minor": 229, "access": "rwm" });
    let wanted = json!({ "devices": [{ "allow": false, "access": "rwm" }, rule] }).to_string();
    container.runtime.command(["update", "--resources", "-", &container.id]).stdin(&wanted).run().ok();
    assert!(open("/dev/fuse") && open("/dev/null"));
}

/// Pressure is part of the statistics, where the kernel measures it.
/// runtime.md, "Scope of a Container"
#[test]
fn v2_13_pressure() {
    needs!(root_or_ranges, cgroup2("memory"), pressure);
    let container = Container::new().sleeping();
    let stats = container.verb("events", &["--stats"], &[]).ok().json();
    for resource in ["cpu", "memory", "blkio"] {
        let some = &stats["data"][resource]["psi"]["some"];
        assert!(some["avg10"].is_number() && some["total"].is_u64(), "{resource}: {stats}");
    }
}

/// Frozen by one file, ended by another although frozen, and removed with all that was made below.
/// config-linux.md, "Cgroups Path"
#[test]
fn v2_9_frozen_killed_and_removed() {
    needs!(root_or_ranges, pure_cgroup2);
    let container = Container::new().sleeping();
    let below = container.cgroup_dir("").join("nested/deeper");
    fs::create_dir_all(&below).unwrap();
    container.verb("pause", &[], &[]).ok();
    assert!(container.is_frozen());
    assert_eq!(container.status(), "paused");
    container.verb("resume", &[], &[]).ok();
    assert!(!container.is_frozen());
    container.verb("pause", &[], &[]).ok();
    let pid = container.pid();
    container.delete(&["--force"]).ok();
    assert!(await_exit(pid, std::time::Duration::from_secs(10)));
    container.assert_clean();
}
