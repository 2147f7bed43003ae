//! config-linux.md, "Memory", "CPU", "Block IO", "PIDs" and "Unified" on cgroup v2.

use serde_json::json;

use super::{check_before_update, limited};
use crate::harness::*;
use crate::needs;
use crate::refused::each_refused;

/// limit is memory.max, reservation memory.low; swap counts without the memory there.
/// config-linux.md, "Memory"
#[test]
fn v2_2_memory() {
    needs!(root_or_ranges, cgroup2("memory"));
    let container = limited(
        &json!({ "memory": { "limit": 67_108_864, "reservation": 33_554_432, "swap": 100_663_296 } }),
    );
    assert_eq!(container.cgroup_file("", "memory.max"), "67108864");
    assert_eq!(container.cgroup_file("", "memory.low"), "33554432");
    assert_eq!(container.cgroup_file("", "memory.swap.max"), "33554432");
    let container = limited(&json!({ "memory": { "limit": -1, "swap": -1 } }));
    assert_eq!(container.cgroup_file("", "memory.max"), "max");
    assert_eq!(container.cgroup_file("", "memory.swap.max"), "max");
}

/// Less swap than memory cannot be.
/// config-linux.md, "Memory"
#[test]
fn v2_2_bad_memory() {
    needs!(root_or_ranges, cgroup2("memory"));
    each_refused(
        "/linux/resources/memory",
        &[json!({ "limit": 67_108_864, "swap": 1_048_576 }), json!({ "swap": 67_108_864 })],
    );
}

/// Quota and period are cpu.max, shares a weight: 1024 is 100, the ends are the ends.
/// config-linux.md, "CPU"
#[test]
fn v2_3_cpu() {
    needs!(root_or_ranges, cgroup2("cpu"));
    let container = limited(&json!({ "cpu": { "quota": 25_000, "period": 50_000, "burst": 10_000 } }));
    assert_eq!(container.cgroup_file("", "cpu.max"), "25000 50000");
    assert_eq!(container.cgroup_file("", "cpu.max.burst"), "10000");
    for (shares, weight) in [(2, "1"), (1024, "100"), (262_144, "10000")] {
        let container = limited(&json!({ "cpu": { "shares": shares } }));
        assert_eq!(container.cgroup_file("", "cpu.weight"), weight, "{shares}");
    }
}

/// CPUs and nodes are as listed.
/// config-linux.md, "CPU"
#[test]
fn v2_4_cpuset() {
    needs!(root_or_ranges, cgroup2("cpuset"));
    let container = limited(&json!({ "cpu": { "cpus": "0", "mems": "0" } }));
    assert_eq!(container.cgroup_file("", "cpuset.cpus"), "0");
    assert_eq!(container.cgroup_file("", "cpuset.mems"), "0");
}

/// Zero and one process are limits, minus one is none.
/// config-linux.md, "PIDs"
#[test]
fn v2_6_pids() {
    needs!(root_or_ranges, cgroup2("pids"));
    for (limit, value) in [(5, "5"), (1, "1"), (-1, "max")] {
        let container = limited(&json!({ "pids": { "limit": limit } }));
        assert_eq!(container.cgroup_file("", "pids.max"), value);
    }
}

/// Huge pages of each size.
/// config-linux.md, "Huge page limits"
#[test]
fn v2_6_huge_pages() {
    needs!(root, cgroup2("hugetlb"));
    let container = limited(&json!({ "hugepageLimits": [{ "pageSize": "2MB", "limit": 4_194_304 }] }));
    for file in ["hugetlb.2MB.max", "hugetlb.2MB.rsvd.max"] {
        assert_eq!(container.cgroup_file("", file), "4194304");
    }
}

/// Handles and objects of each RDMA device.
/// config-linux.md, "RDMA"
#[test]
fn v2_6_rdma() {
    needs!(root, cgroup2("rdma"), rdma_device);
    let device = rdma_devices().remove(0);
    let container = limited(&json!({ "rdma": { &device: { "hcaHandles": 3, "hcaObjects": 100 } } }));
    let limits = container.cgroup_file("", "rdma.max");
    assert!(limits.contains(&format!("{device} hca_handle=3 hca_object=100")), "{limits}");
}

/// The controller of odds and ends is handed down; what it counts differs from machine to machine, and what is not counted
/// here cannot be limited.
/// config-linux.md, "Unified"
#[test]
fn v2_6_misc() {
    needs!(root, cgroup2("misc"));
    let capacity = std::fs::read_to_string("/sys/fs/cgroup/misc.capacity").unwrap();
    for (name, _) in capacity.lines().filter_map(|line| line.split_once(' ')) {
        let container = limited(&json!({ "unified": { "misc.max": format!("{name} 1") } }));
        assert!(container.cgroup_file("", "misc.max").contains(&format!("{name} 1")));
    }
    let container =
        Container::new().set("/linux/resources/unified", json!({ "misc.max": "no_such_thing 1" }));
    container.create(&[]).refuses(&["linux.resources.unified", "misc.max", "no_such_thing"]).exits(1);
    container.assert_clean();
}

/// Files of the cgroup by name.
/// config-linux.md, "Unified"
#[test]
fn v2_7_unified() {
    needs!(root_or_ranges, pure_cgroup2);
    let unified = json!({ "cgroup.max.depth": "3", "cgroup.max.descendants": "7" });
    let container = limited(&json!({ "unified": unified }));
    assert_eq!(container.cgroup_file("", "cgroup.max.depth"), "3");
    assert_eq!(container.cgroup_file("", "cgroup.max.descendants"), "7");
}

/// A cgroup that is one for the OOM killer dies as a whole.
/// config-linux.md, "Unified"
#[test]
fn v2_7_unified_oom_group() {
    needs!(root_or_ranges, cgroup2("memory"));
    let limit = json!({ "limit": 33_554_432, "swap": 33_554_432 });
    let container = Container::new()
        .set("/linux/resources/memory", limit)
        .set("/linux/resources/unified", json!({ "memory.oom.group": "1" }))
        .sleeping();
    container.exec(&[], &["/probe", "alloc", "134217728"]).exits(137);
    container.await_stop();
}

/// Names that are no file of the cgroup, and controllers that are not there.
/// config-linux.md, "Unified"
#[test]
fn v2_7_bad_unified() {
    needs!(root_or_ranges, pure_cgroup2);
    each_refused(
        "/linux/resources/unified",
        &[
            json!({ "../x": "1" }),
            json!({ "a/b": "1" }),
            json!({ "bogus.max": "1" }),
            json!({ "cgroup.max.depth": "deep" }),
            json!({ "cgroup.freeze": "1" }),
            json!({ "cgroup.type": "threaded" }),
        ],
    );
}

/// What only cgroup v1 can do is an error, not a wish.
/// config-linux.md, "Control groups"
#[test]
fn v2_8_settings_of_v1() {
    needs!(root_or_ranges, pure_cgroup2);
    each_refused(
        "/linux/resources",
        &[
            json!({ "memory": { "swappiness": 10 } }),
            json!({ "memory": { "disableOOMKiller": true } }),
            json!({ "network": { "classID": 1 } }),
        ],
    );
}

/// A container with a cgroup namespace and a writable cgroup2 owns its cgroup, and only what may be delegated.
/// config-linux.md, "Cgroup ownership"
#[test]
fn c5_delegation() {
    needs!(root, user_ns, pure_cgroup2);
    for (option, owner) in [("rw", 100_000), ("ro", 0)] {
        let container = Container::new().user_namespace().mount(
            "/sys/fs/cgroup",
            "cgroup",
            "cgroup",
            &["nosuid", option],
        );
        let container = container.sleeping();
        let dir = std::path::Path::new("/sys/fs/cgroup").join(container.cgroup.trim_start_matches('/'));
        let uid =
            |file: &str| std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(dir.join(file)).unwrap());
        assert_eq!((uid(""), uid("cgroup.procs"), uid("cgroup.freeze")), (owner, owner, 0), "{option}");
    }
}

/// A mount of type cgroup is the container's own part of the one hierarchy.
/// config-linux.md, "Control groups"
#[test]
fn m17_cgroup2_mount() {
    needs!(root_or_ranges, pure_cgroup2);
    let container = Container::new().mount("/sys/fs/cgroup", "cgroup", "cgroup", &["nosuid", "ro"]);
    let container = container.args(&["/probe", "read", "/sys/fs/cgroup/cgroup.procs"]);
    assert_eq!(container.world()["/sys/fs/cgroup/cgroup.procs"], "1\n");
}

/// Weights and throttles: io.weight counts from 1 to 10000, io.max has a line for each device.
/// config-linux.md, "Block IO"
#[test]
fn v2_5_block_io() {
    needs!(root_or_ranges, cgroup2("io"), block_device);
    let device = disk();
    let (major, minor) = device.split_once(':').unwrap();
    let (major, minor): (u32, u32) = (major.parse().unwrap(), minor.parse().unwrap());
    let rate = |rate: u64| json!([{ "major": major, "minor": minor, "rate": rate }]);
    let container = limited(&json!({ "blockIO": {
        "throttleReadBpsDevice": rate(1_048_576), "throttleWriteIOPSDevice": rate(100)
    } }));
    let limits = || container.cgroup_file("", "io.max");
    assert_eq!(limits(), format!("{device} rbps=1048576 wbps=max riops=max wiops=100"));
    let more = json!({ "blockIO": {
        "throttleWriteBpsDevice": rate(2_097_152), "throttleReadIOPSDevice": rate(200)
    } });
    let update = container.runtime.command(["update", "--resources", "-", &container.id]);
    update.stdin(&more.to_string()).run().ok();
    assert_eq!(limits(), format!("{device} rbps=1048576 wbps=2097152 riops=200 wiops=100"));
}

/// A weight of v1, 10 to 1000, becomes one of v2, 1 to 10000, or goes to BFQ as it is.
/// config-linux.md, "Block IO"
#[test]
fn v2_5_weights() {
    needs!(root_or_ranges, cgroup2("io"), io_weight);
    for (weight, of_v2) in [(10, 1), (1000, 10_000)] {
        let container = limited(&json!({ "blockIO": { "weight": weight } }));
        let file = |name: &str| {
            let dir = std::path::Path::new("/sys/fs/cgroup").join(container.cgroup.trim_start_matches('/'));
            std::fs::read_to_string(dir.join(name)).ok().map(|text| text.lines().next().unwrap().to_owned())
        };
        match file("io.bfq.weight") {
            Some(line) => assert_eq!(line, format!("default {weight}")),
            None => assert_eq!(file("io.weight"), Some(format!("default {of_v2}"))),
        }
    }
}

/// A weight for one disk, where its scheduler knows any.
/// config-linux.md, "Block IO"
#[test]
fn v2_5_weight_of_a_device() {
    needs!(root, cgroup2("io"), bfq);
    let disk = bfq_disk().unwrap();
    let numbers = std::fs::read_to_string(disk.join("dev")).unwrap().trim().to_owned();
    let (major, minor) = numbers.split_once(':').unwrap();
    let (major, minor): (u32, u32) = (major.parse().unwrap(), minor.parse().unwrap());
    let devices = json!([{ "major": major, "minor": minor, "weight": 400 }]);
    let container = limited(&json!({ "blockIO": { "weight": 200, "weightDevice": devices } }));
    let weights = container.cgroup_file("", "io.bfq.weight");
    assert_eq!(weights.lines().collect::<Vec<_>>(), ["default 200", &format!("{numbers} 400")]);
}

/// The numbers of some disk, as `major:minor`.
fn disk() -> String {
    let disk = std::fs::read_dir("/sys/block").unwrap().flatten().next().unwrap();
    std::fs::read_to_string(disk.path().join("dev")).unwrap().trim().to_owned()
}

/// With checkBeforeUpdate, a limit below what is used already is refused and changes nothing.
/// config-linux.md, "Memory"
#[test]
fn v2_12_check_before_update() {
    needs!(root_or_ranges, cgroup2("memory"));
    check_before_update();
}
