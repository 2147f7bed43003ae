//! linux.resources on cgroup v1: the files say what the config says, before the program runs.

use std::fs;

use serde_json::{Value, json};

use crate::harness::*;
use crate::needs;

fn limited(resources: &Value) -> Container {
    let container = Container::new().edit(|config| {
        for (name, value) in resources.as_object().unwrap() {
            config["linux"]["resources"][name] = value.clone();
        }
    });
    container.create(&[]).ok();
    container
}

/// memory: limit, reservation, swap, swappiness.
#[test]
fn memory() {
    needs!(root, cgroup_v1("memory"));
    let container = limited(&json!({ "memory": {
        "limit": 67_108_864, "reservation": 33_554_432, "swap": 134_217_728, "swappiness": 42
    } }));
    let file = |name: &str| container.cgroup_file("memory", name);
    assert_eq!(file("memory.limit_in_bytes"), "67108864");
    assert_eq!(file("memory.soft_limit_in_bytes"), "33554432");
    assert_eq!(file("memory.memsw.limit_in_bytes"), "134217728");
    assert_eq!(file("memory.swappiness"), "42");
}

/// disableOOMKiller.
#[test]
fn oom_killer() {
    needs!(root, cgroup_v1("memory"));
    let container = limited(&json!({ "memory": { "limit": 67_108_864, "disableOOMKiller": true } }));
    assert!(container.cgroup_file("memory", "memory.oom_control").contains("oom_kill_disable 1"));
}

/// A program beyond its limit is killed.
#[test]
fn memory_is_limited() {
    needs!(root, cgroup_v1("memory"));
    let container = Container::new()
        .set("/linux/resources/memory", json!({ "limit": 33_554_432, "swap": 33_554_432 }))
        .args(&["/probe", "alloc", "100000000"]);
    container.run(&[]).exits(137);
    let container = Container::new().set("/linux/resources/memory", json!({ "limit": 33_554_432 }));
    assert_eq!(container.probe(&["alloc", "1000000"]), json!({ "allocated": 1_000_000 }));
}

/// cpu: shares, quota, period.
#[test]
fn cpu() {
    needs!(root, cgroup_v1("cpu"));
    let container = limited(&json!({ "cpu": { "shares": 512, "quota": 25_000, "period": 50_000 } }));
    assert_eq!(container.cgroup_file("cpu", "cpu.shares"), "512");
    assert_eq!(container.cgroup_file("cpu", "cpu.cfs_quota_us"), "25000");
    assert_eq!(container.cgroup_file("cpu", "cpu.cfs_period_us"), "50000");
}

/// cpu.burst and cpu.idle.
#[test]
fn cpu_burst_and_idle() {
    needs!(root, cgroup_v1("cpu"));
    let container = limited(&json!({ "cpu": { "quota": 25_000, "period": 50_000, "burst": 10_000 } }));
    assert_eq!(container.cgroup_file("cpu", "cpu.cfs_burst_us"), "10000");
    let container = limited(&json!({ "cpu": { "idle": 1 } }));
    assert_eq!(container.cgroup_file("cpu", "cpu.idle"), "1");
}

/// cpuset: CPUs and nodes bind the program; unset ones are the parent's.
#[test]
fn cpuset() {
    needs!(root, cgroup_v1("cpuset"));
    let container = limited(&json!({ "cpu": { "cpus": "0", "mems": "0" } }));
    assert_eq!(container.cgroup_file("cpuset", "cpuset.cpus"), "0");
    assert_eq!(container.cgroup_file("cpuset", "cpuset.mems"), "0");
    let container = Container::new().set("/linux/resources/cpu", json!({ "cpus": "0" }));
    assert_eq!(container.world()["cpus"], json!([0]));
    let all = fs::read_to_string("/sys/fs/cgroup/cpuset/cpuset.cpus").unwrap();
    let container = limited(&json!({}));
    assert_eq!(container.cgroup_file("cpuset", "cpuset.cpus"), all.trim());
}

/// pids: as many processes as allowed and no more; `{}` and -1 are no limit.
#[test]
fn pids() {
    needs!(root, cgroup_v1("pids"));
    let container = Container::new().set("/linux/resources/pids", json!({ "limit": 5 }));
    let answer = container.probe(&["fork", "20"]);
    assert_eq!(answer, json!({ "children": 4, "refusal": { "errno": "EAGAIN" } }));
    let container = limited(&json!({ "pids": { "limit": -1 } }));
    assert_eq!(container.cgroup_file("pids", "pids.max"), "max");
}

/// An empty pids object limits nothing.
#[test]
fn pids_without_a_limit() {
    needs!(root, cgroup_v1("pids"));
    let container = limited(&json!({ "pids": {} }));
    assert_eq!(container.cgroup_file("pids", "pids.max"), "max");
}

/// blkio: throttles by device.
#[test]
fn blkio() {
    needs!(root, cgroup_v1("blkio"));
    let device = fs::read_dir("/sys/block").unwrap().flatten().find_map(|entry| {
        let number = fs::read_to_string(entry.path().join("dev")).ok()?;
        let (major, minor) = number.trim().split_once(':')?;
        Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?))
    });
    let Some((major, minor)) = device else {
        return skip("integration::limits::blkio", "needs a block device");
    };
    let container = limited(&json!({ "blockIO": {
        "throttleReadBpsDevice": [{ "major": major, "minor": minor, "rate": 1_048_576 }],
        "throttleWriteIOPSDevice": [{ "major": major, "minor": minor, "rate": 100 }]
    } }));
    assert_eq!(
        container.cgroup_file("blkio", "blkio.throttle.read_bps_device"),
        format!("{major}:{minor} 1048576")
    );
    assert_eq!(
        container.cgroup_file("blkio", "blkio.throttle.write_iops_device"),
        format!("{major}:{minor} 100")
    );
}

/// devices: the list in order, the last match wins, defaults always open.
#[test]
fn devices() {
    needs!(root, cgroup_v1("devices"));
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
    let list = limited(&json!({ "devices": rules })).cgroup_file("devices", "devices.list");
    assert!(list.contains("c 10:229 rm"), "{list}");
}

/// Every pid is in the cgroup before the program runs, in all hierarchies of the host, the unified one too.
#[test]
fn all_hierarchies() {
    needs!(root, cgroup_v1("pids"));
    let container = Container::new().without_namespace("cgroup");
    let cgroups = container.world()["cgroups"].clone();
    for (controllers, path) in cgroups.as_object().unwrap() {
        assert_eq!(path, container.cgroup.as_str(), "hierarchy {controllers:?}");
    }
}

/// A cgroup that existed before is used and keeps its values; without a path the id names it.
#[test]
fn default_cgroups() {
    needs!(root, cgroup_v1("pids"));
    let mut container = Container::new().without_namespace("cgroup").edit(|config| {
        config["linux"].as_object_mut().unwrap().remove("cgroupsPath");
    });
    let cgroups = container.world()["cgroups"].clone();
    let path = cgroups["pids"].as_str().unwrap().to_owned();
    assert!(path.contains(&container.id), "{path}");
    container.cgroup = path;
}

/// Processes that the payload moved into cgroups of its own die and go with the container.
#[test]
fn nested_cgroups_are_removed() {
    needs!(root, cgroup_v1("pids"));
    let container = Container::new().sleeping();
    let below = format!("/sys/fs/cgroup/pids{}/nested/deeper", container.cgroup);
    fs::create_dir_all(&below).unwrap();
    container.exec(&["--detach"], &["/probe", "pause"]).ok();
    let procs = container.cgroup_file("pids", "cgroup.procs");
    let other = procs.lines().find(|pid| **pid != container.pid().to_string()).unwrap().to_owned();
    fs::write(format!("{below}/cgroup.procs"), &other).unwrap();
    container.delete(&["--force"]).ok();
    container.assert_clean();
    assert!(await_exit(other.parse().unwrap(), std::time::Duration::from_secs(10)));
}

/// A limit that cannot be set is an error that names the file, and nothing is left.
#[test]
fn impossible_limits() {
    needs!(root, cgroup_v1("cpuset"));
    let container = Container::new().set("/linux/resources/cpu", json!({ "cpus": "4000" }));
    container.create(&[]).refuses(&["cpuset.cpus"]).exits(1);
    container.assert_clean();
}

/// The payload of exec can be put into a cgroup below.
#[test]
fn exec_into_a_sub_cgroup() {
    needs!(root, cgroup_v1("pids"));
    let container = Container::new().without_namespace("cgroup").sleeping();
    fs::create_dir(format!("/sys/fs/cgroup/pids{}/sub", container.cgroup)).unwrap();
    let world = container.exec_world(&["--cgroup", "pids:sub"]);
    assert_eq!(world["cgroups"]["pids"], format!("{}/sub", container.cgroup));
    assert_eq!(world["cgroups"]["memory"], container.cgroup.as_str());
}
