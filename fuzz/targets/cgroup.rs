//! Files of a cgroup: the kernel wrote them, but not always the kernel that we know. The text goes into every file that
//! statistics are read from, in both versions; pieces between empty lines go to one file each.
#![no_main]

use std::cell::LazyCell;
use std::path::Path;

use hull::cgroups::Cgroup;
use libfuzzer_sys::fuzz_target;
use serde_json::json;

const FILES: [&str; 30] = [
    "cpu.stat",
    "memory.stat",
    "memory.current",
    "memory.max",
    "memory.peak",
    "memory.events",
    "memory.swap.current",
    "memory.swap.events",
    "io.stat",
    "pids.current",
    "pids.max",
    "cpu.pressure",
    "hugetlb.2MB.current",
    "hugetlb.2MB.events",
    "cpuacct.usage",
    "cpuacct.usage_all",
    "cpuacct.usage_percpu",
    "cpuacct.stat",
    "cpuset.cpus",
    "cpuset.mems",
    "memory.usage_in_bytes",
    "memory.limit_in_bytes",
    "memory.failcnt",
    "memory.oom_control",
    "memory.use_hierarchy",
    "memory.numa_stat",
    "blkio.throttle.io_service_bytes_recursive",
    "hugetlb.2MB.usage_in_bytes",
    "cgroup.procs",
    "cgroup.events",
];

thread_local! {
    /// In memory.
    static DIR: LazyCell<tempfile::TempDir> = LazyCell::new(|| tempfile::tempdir_in("/dev/shm").expect("/dev/shm"));
}

fn cgroup(dir: &Path, version: &str) -> Cgroup {
    let controllers = "cpu,cpuacct,cpuset,memory,pids,io,blkio,hugetlb";
    let line = format!("{version}:{controllers}:1:{}", dir.display());
    serde_json::from_value(json!({ "dirs": [line] })).expect("a record")
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let pieces: Vec<&str> = text.split("\n\n").collect();
    DIR.with(|dir| {
        for (number, file) in FILES.iter().enumerate() {
            std::fs::write(dir.path().join(file), pieces[number % pieces.len()]).expect("a file");
        }
        for version in ["v1", "v2"] {
            let cgroup = cgroup(dir.path(), version);
            if let Ok(stats) = cgroup.stats() {
                serde_json::to_string(&stats).expect("statistics");
            }
            let _ = (cgroup.pids(), cgroup.is_frozen(), cgroup.oom_killed());
        }
    });
});
