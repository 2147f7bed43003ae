//! A container's cgroup as the host sees it, on either version of cgroups.
//!
//! A test that is about containers and not about cgroups asks by controller and by property; on a host with cgroup2
//! alone, all controllers are in one place.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::container::Container;

/// Whether the host has cgroup2 and nothing else.
pub fn is_v2() -> bool {
    Path::new("/sys/fs/cgroup/cgroup.controllers").exists()
}

/// Where the hierarchy that has `controller` is mounted.
pub fn hierarchy(controller: &str) -> PathBuf {
    let mount = Path::new("/sys/fs/cgroup");
    if is_v2() { mount.to_owned() } else { mount.join(controller) }
}

/// The cgroup that a probe's world names for `controller`.
#[track_caller]
pub fn membership<'a>(world: &'a Value, controller: &str) -> &'a str {
    world["cgroups"][if is_v2() { "" } else { controller }].as_str().unwrap()
}

impl Container {
    /// The directory of the container's cgroup that has `controller`.
    pub fn cgroup_dir(&self, controller: &str) -> PathBuf {
        hierarchy(controller).join(self.cgroup.trim_start_matches('/'))
    }

    /// The text of a file there.
    #[track_caller]
    pub fn cgroup_file(&self, controller: &str, file: &str) -> String {
        let path = self.cgroup_dir(controller).join(file);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|err| panic!("{}: {err}", path.display()));
        text.trim_end().to_owned()
    }

    /// What holds for a property of `linux.resources`, read back from the file of this host's version and expressed as
    /// the document does: swap is a sum, quota and period are two numbers.
    #[track_caller]
    pub fn limit(&self, property: &str) -> String {
        let file = |controller: &str, v1: &str, v2: &str| {
            self.cgroup_file(controller, if is_v2() { v2 } else { v1 })
        };
        let cpu_max = |v1: &str, word: usize| {
            let text = file("cpu", v1, "cpu.max");
            text.split(' ').nth(if is_v2() { word } else { 0 }).unwrap().to_owned()
        };
        match property {
            "memory.limit" => file("memory", "memory.limit_in_bytes", "memory.max"),
            "memory.reservation" => file("memory", "memory.soft_limit_in_bytes", "memory.low"),
            "memory.swap" if is_v2() => {
                let bytes = |file: &str| self.cgroup_file("memory", file).parse::<u64>().unwrap();
                (bytes("memory.max") + bytes("memory.swap.max")).to_string()
            }
            "memory.swap" => self.cgroup_file("memory", "memory.memsw.limit_in_bytes"),
            "cpu.quota" => cpu_max("cpu.cfs_quota_us", 0),
            "cpu.period" => cpu_max("cpu.cfs_period_us", 1),
            "cpu.cpus" => file("cpuset", "cpuset.cpus", "cpuset.cpus"),
            "pids.limit" => file("pids", "pids.max", "pids.max"),
            other => panic!("{other} has no file here"),
        }
    }

    /// Whether the kernel holds all its processes.
    #[track_caller]
    pub fn is_frozen(&self) -> bool {
        if is_v2() {
            self.cgroup_file("", "cgroup.events").lines().any(|line| line == "frozen 1")
        } else {
            self.cgroup_file("freezer", "freezer.state") == "FROZEN"
        }
    }
}
