//! config-linux.md, "Memory", "CPU", "Block IO", "Huge page limits", "Network", "PIDs" and "RDMA" on cgroup v1.

use std::fs;

use serde_json::json;

use super::{check_before_update, limited};
use crate::harness::*;
use crate::needs;
use crate::refused::each_refused;

/// The numbers of some disk.
fn disk() -> (u32, u32) {
    let disk = fs::read_dir("/sys/block").unwrap().flatten().next().unwrap();
    let number = fs::read_to_string(disk.path().join("dev")).unwrap();
    let (major, minor) = number.trim().split_once(':').unwrap();
    (major.parse().unwrap(), minor.parse().unwrap())
}

/// memory: limit, reservation, swap, swappiness.
/// config-linux.md, "Memory"
#[test]
fn v1_1_memory() {
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

/// kernelTCP.
/// config-linux.md, "Memory"
#[test]
fn v1_1_kernel_tcp() {
    needs!(root, cgroup_v1("memory"));
    let container = limited(&json!({ "memory": { "kernelTCP": 1_048_576 } }));
    assert_eq!(container.cgroup_file("memory", "memory.kmem.tcp.limit_in_bytes"), "1048576");
}

/// disableOOMKiller.
/// config-linux.md, "Memory"
#[test]
fn v1_1_oom_killer() {
    needs!(root, cgroup_v1("memory"));
    let container = limited(&json!({ "memory": { "limit": 67_108_864, "disableOOMKiller": true } }));
    assert!(container.cgroup_file("memory", "memory.oom_control").contains("oom_kill_disable 1"));
}

/// A program beyond its limit is killed.
/// config-linux.md, "Memory"
#[test]
fn c10_memory_is_limited() {
    needs!(root_or_ranges, controller("memory"));
    let container = Container::new()
        .set("/linux/resources/memory", json!({ "limit": 33_554_432, "swap": 33_554_432 }))
        .args(&["/probe", "alloc", "100000000"]);
    container.run(&[]).exits(137);
    let container = Container::new().set("/linux/resources/memory", json!({ "limit": 33_554_432 }));
    assert_eq!(container.probe(&["alloc", "1000000"]), json!({ "allocated": 1_000_000 }));
}

/// cpu: shares, quota, period.
/// config-linux.md, "CPU"
#[test]
fn v1_2_cpu() {
    needs!(root, cgroup_v1("cpu"));
    let container = limited(&json!({ "cpu": { "shares": 512, "quota": 25_000, "period": 50_000 } }));
    assert_eq!(container.cgroup_file("cpu", "cpu.shares"), "512");
    assert_eq!(container.cgroup_file("cpu", "cpu.cfs_quota_us"), "25000");
    assert_eq!(container.cgroup_file("cpu", "cpu.cfs_period_us"), "50000");
}

/// cpu.burst and cpu.idle.
/// config-linux.md, "CPU"
#[test]
fn v1_2_burst_and_idle() {
    needs!(root, cgroup_v1("cpu"));
    let container = limited(&json!({ "cpu": { "quota": 25_000, "period": 50_000, "burst": 10_000 } }));
    assert_eq!(container.cgroup_file("cpu", "cpu.cfs_burst_us"), "10000");
    let container = limited(&json!({ "cpu": { "idle": 1 } }));
    assert_eq!(container.cgroup_file("cpu", "cpu.idle"), "1");
}

/// The real-time period and what of it the container may run.
/// config-linux.md, "CPU"
#[test]
fn v1_2_real_time() {
    needs!(root, real_time_groups);
    let container = limited(&json!({ "cpu": { "realtimePeriod": 500_000, "realtimeRuntime": 5_000 } }));
    assert_eq!(container.cgroup_file("cpu", "cpu.rt_period_us"), "500000");
    assert_eq!(container.cgroup_file("cpu", "cpu.rt_runtime_us"), "5000");
}

/// cpuset: CPUs and nodes bind the program; unset ones are the parent's.
/// config-linux.md, "CPU"
#[test]
fn v1_2_cpuset() {
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

/// blkio: throttles by device.
/// config-linux.md, "Block IO"
#[test]
fn v1_3_block_io() {
    needs!(root, cgroup_v1("blkio"), block_device);
    let (major, minor) = disk();
    let container = limited(&json!({ "blockIO": {
        "throttleReadBpsDevice": [{ "major": major, "minor": minor, "rate": 1_048_576 }],
        "throttleWriteBpsDevice": [{ "major": major, "minor": minor, "rate": 2_097_152 }],
        "throttleReadIOPSDevice": [{ "major": major, "minor": minor, "rate": 200 }],
        "throttleWriteIOPSDevice": [{ "major": major, "minor": minor, "rate": 100 }]
    } }));
    for (file, rate) in
        [("read_bps", 1_048_576), ("write_bps", 2_097_152), ("read_iops", 200), ("write_iops", 100)]
    {
        let found = container.cgroup_file("blkio", &format!("blkio.throttle.{file}_device"));
        assert_eq!(found, format!("{major}:{minor} {rate}"), "{file}");
    }
}

/// blkio: the weight, for whichever scheduler has one.
/// config-linux.md, "Block IO"
#[test]
fn v1_3_weight() {
    needs!(root, block_io_weight);
    let container = limited(&json!({ "blockIO": { "weight": 123 } }));
    let bfq = fs::metadata(container.cgroup_dir("blkio").join("blkio.bfq.weight")).is_ok();
    let file = if bfq { "blkio.bfq.weight" } else { "blkio.weight" };
    assert!(container.cgroup_file("blkio", file).ends_with("123"));
}

/// pids: as many processes as allowed and no more; `{}` and -1 are no limit.
/// config-linux.md, "PIDs"
#[test]
fn v1_5_pids() {
    needs!(root_or_ranges, controller("pids"));
    let container = Container::new().set("/linux/resources/pids", json!({ "limit": 5 }));
    let answer = container.probe(&["fork", "20"]);
    assert_eq!(answer, json!({ "children": 4, "refusal": { "errno": "EAGAIN" } }));
    let container = limited(&json!({ "pids": { "limit": -1 } }));
    assert_eq!(container.cgroup_file("pids", "pids.max"), "max");
}

/// Zero is a limit: not even the first process could be followed by another.
/// config-linux.md, "PIDs"
#[test]
fn v1_5_no_pids() {
    needs!(root, cgroup_v1("pids"));
    let container = limited(&json!({ "pids": { "limit": 0 } }));
    assert_eq!(container.cgroup_file("pids", "pids.max"), "0");
}

/// An empty pids object limits nothing.
/// config-linux.md, "PIDs"
#[test]
fn v1_5_no_limit() {
    needs!(root, cgroup_v1("pids"));
    let container = limited(&json!({ "pids": {} }));
    assert_eq!(container.cgroup_file("pids", "pids.max"), "max");
}

/// Minus one is no limit.
/// config-linux.md, "Memory"
#[test]
fn v1_1_unlimited_memory() {
    needs!(root, cgroup_v1("memory"));
    let container = limited(&json!({ "memory": { "limit": -1, "swap": -1 } }));
    assert!(container.cgroup_file("memory", "memory.limit_in_bytes").len() > 15);
}

/// With checkBeforeUpdate, a limit below what is used already is refused and changes nothing.
/// config-linux.md, "Memory"
#[test]
fn v1_1_check_before_update() {
    needs!(root, cgroup_v1("memory"));
    check_before_update();
}

/// Values that the kernel would refuse, or that contradict each other.
/// config-linux.md, "Memory"
#[test]
fn v1_1_bad_memory() {
    needs!(root, cgroup_v1("memory"));
    each_refused(
        "/linux/resources/memory",
        &[
            json!({ "swappiness": 500 }),
            json!({ "limit": 67_108_864, "swap": 1_048_576 }),
            json!({ "limit": "64M" }),
        ],
    );
}

/// CPUs and nodes that do not exist, and lists that are none.
/// config-linux.md, "CPU"
#[test]
fn v1_2_bad_cpus() {
    needs!(root, cgroup_v1("cpuset"));
    each_refused(
        "/linux/resources/cpu",
        &[json!({ "cpus": "4000" }), json!({ "mems": "77" }), json!({ "cpus": "x-y" })],
    );
}

/// Pages of each size have a limit.
/// config-linux.md, "Huge page limits"
#[test]
fn v1_4_huge_pages() {
    needs!(root, cgroup_v1("hugetlb"));
    let container = limited(&json!({ "hugepageLimits": [{ "pageSize": "2MB", "limit": 4_194_304 }] }));
    assert_eq!(container.cgroup_file("hugetlb", "hugetlb.2MB.limit_in_bytes"), "4194304");
}

/// A page size is a size.
/// config-linux.md, "Huge page limits"
#[test]
fn v1_4_bad_page_sizes() {
    needs!(root_or_ranges);
    each_refused(
        "/linux/resources/hugepageLimits",
        &[json!([{ "pageSize": "../x", "limit": 1 }]), json!([{ "pageSize": "3MB", "limit": 1 }])],
    );
}

/// Class and priorities of the traffic.
/// config-linux.md, "Network"
#[test]
fn v1_5_network() {
    needs!(root, cgroup_v1("net_cls"), cgroup_v1("net_prio"));
    let container = limited(
        &json!({ "network": { "classID": 1_048_577, "priorities": [{ "name": "lo", "priority": 5 }] } }),
    );
    assert_eq!(container.cgroup_file("net_cls", "net_cls.classid"), "1048577");
    assert!(container.cgroup_file("net_prio", "net_prio.ifpriomap").lines().any(|line| line == "lo 5"));
}

/// `unified` is for cgroup v2, and an error where there is none.
/// config-linux.md, "Unified"
#[test]
fn v1_6_unified() {
    needs!(root, cgroup_v1("memory"));
    each_refused(
        "/linux/resources/unified",
        &[json!({ "memory.high": "1000000" }), json!({ "../x": "1" }), json!({ "a/b": "1" })],
    );
}

/// The container's directories in all hierarchies that /proc/PID/cgroup lists, by their controllers.
fn places(pid: i32) -> Vec<(String, String)> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let fields = text.lines().map(|line| line.splitn(3, ':').skip(1).map(str::to_owned).collect::<Vec<_>>());
    fields.map(|fields| (fields[0].clone(), fields[1].clone())).collect()
}

/// On a hybrid host the container is in the named hierarchy and in cgroup2 too, and leaves both.
/// config-linux.md, "Cgroups Path"
#[test]
fn v1_7_hybrid_hosts() {
    needs!(root, hybrid, cgroup_v1("systemd"));
    let container = Container::new().sleeping();
    let (pid, path) = (container.pid(), container.cgroup.clone());
    for hierarchy in ["name=systemd", ""] {
        let place = places(pid).into_iter().find(|(controllers, _)| controllers == hierarchy);
        assert_eq!(place.map(|(_, place)| place).as_ref(), Some(&path), "{hierarchy:?}");
    }
    assert_eq!(container.cgroup_file("unified", "cgroup.procs"), pid.to_string());
    container.delete(&["--force"]).ok();
    for hierarchy in ["systemd", "unified"] {
        assert!(fs::metadata(format!("/sys/fs/cgroup/{hierarchy}{path}")).is_err(), "{hierarchy}");
    }
}

/// A limit of a controller that no hierarchy has is an error; without the limit the absence is none.
/// config-linux.md, "Control groups"
#[test]
fn v1_7_absent_controllers() {
    needs!(root, cgroup_v1("pids"), no_cgroup_v1("net_cls"));
    each_refused("/linux/resources/network", &[json!({ "classID": 1_048_577 })]);
    Container::new().world();
}

/// The process is in each v1 hierarchy before the program runs, in the same place, and alone there.
/// config-linux.md, "Cgroups Path"
#[test]
fn v1_8_all_controllers_at_once() {
    needs!(root, cgroup_v1("pids"));
    let container = Container::new().args(&["/probe", "pause"]);
    container.create(&[]).ok();
    let pid = container.pid();
    let created = places(pid);
    assert!(created.iter().all(|(_, place)| *place == container.cgroup), "{created:?}");
    for (controllers, place) in created.iter().filter(|(controllers, _)| !controllers.is_empty()) {
        let name = controllers.trim_start_matches("name=");
        let procs = fs::read_to_string(format!("/sys/fs/cgroup/{name}{place}/cgroup.procs")).unwrap();
        assert_eq!(procs.trim(), pid.to_string(), "{controllers}");
    }
    container.start().ok();
    assert_eq!(places(pid), created);
}
