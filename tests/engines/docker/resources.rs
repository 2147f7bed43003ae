//! Limits, as the container's cgroup has them, and changed while it runs.

use super::{Detached, docker};
use crate::sh;

/// A file of the container's cgroup by its names under cgroup v1 and v2, seen from inside.
fn inside(options: &str, v1: &str, v2: &str) -> String {
    sh!("docker run --rm {options} world:1 sh -c 'cat /sys/fs/cgroup/{v1} 2>/dev/null || cat /sys/fs/cgroup/{v2}'").ok().stdout.trim().to_owned()
}

#[test]
fn memory() {
    let _engine = docker();
    assert_eq!(inside("--memory 40m", "memory/memory.limit_in_bytes", "memory.max"), "41943040");
    assert_eq!(
        inside("--memory 40m --memory-reservation 20m", "memory/memory.soft_limit_in_bytes", "memory.low"),
        "20971520"
    );
}

#[test]
fn processors() {
    let _engine = docker();
    let quota = inside("--cpus 0.5", "cpu/cpu.cfs_quota_us", "cpu.max");
    assert!(["50000", "50000 100000"].contains(&quota.as_str()), "{quota}");
    assert_eq!(inside("--cpuset-cpus 0", "cpuset/cpuset.cpus", "cpuset.cpus"), "0");
    let shares = inside("--cpu-shares 512", "cpu/cpu.shares", "cpu.weight");
    assert!(["512", "20", "59"].contains(&shares.as_str()), "{shares}");
}

#[test]
fn processes() {
    let _engine = docker();
    assert_eq!(inside("--pids-limit 33", "pids/pids.max", "pids.max"), "33");
    sh!("docker run --rm --pids-limit 5 world:1 sh -c 'for n in 1 2 3 4 5 6 7 8 9; do sleep 1 & done 2>&1; wait'").exits(2);
}

#[test]
fn block_devices() {
    let _engine = docker();
    let disk = sh!("ls /sys/block | head -n 1").ok().stdout;
    let disk = disk.trim();
    let number = sh!("cat /sys/block/{disk}/dev").ok().stdout;
    let (major, minor) = number.trim().split_once(':').unwrap();
    sh!("test -e /dev/{disk} || mknod /dev/{disk} b {major} {minor}").ok();
    let rule = inside(
        &format!("--device-read-bps /dev/{disk}:1mb"),
        "blkio/blkio.throttle.read_bps_device",
        "io.max",
    );
    assert!(rule.starts_with(number.trim()) && rule.contains("1048576"), "{rule}");
}

/// Kernels without the schedulers CFQ and BFQ have no weights; the option must be harmless there.
#[test]
fn weights_of_block_devices() {
    let _engine = docker();
    sh!("docker run --rm --blkio-weight 300 world:1 true").ok();
}

/// A container that is killed for its memory says so.
#[test]
fn out_of_memory() {
    let hungry = Detached::run("--memory 16m --memory-swap 16m world:1 /probe alloc 100000000");
    sh!("docker wait {hungry}").ok().prints("137");
    assert_eq!(hungry.inspect("{{.State.OOMKilled}}"), "true");
}

#[test]
fn update_changes_a_running_container() {
    let web = Detached::waiting("--memory 64m --memory-swap 64m");
    sh!("docker update --memory 32m --memory-swap 48m --cpus 0.25 --pids-limit 44 --cpu-shares 300 --cpuset-cpus 0 {web}").ok();
    let read = |v1: &str, v2: &str| {
        sh!("docker exec {web} sh -c 'cat /sys/fs/cgroup/{v1} 2>/dev/null || cat /sys/fs/cgroup/{v2}'")
            .ok()
            .stdout
            .trim()
            .to_owned()
    };
    assert_eq!(read("memory/memory.limit_in_bytes", "memory.max"), "33554432");
    assert_eq!(read("pids/pids.max", "pids.max"), "44");
    assert_eq!(read("cpuset/cpuset.cpus", "cpuset.cpus"), "0");
    let quota = read("cpu/cpu.cfs_quota_us", "cpu.max");
    assert!(["25000", "25000 100000"].contains(&quota.as_str()), "{quota}");
}

/// An impossible update is refused, and the container goes on as before.
#[test]
fn an_update_that_cannot_be() {
    let web = Detached::waiting("--memory 64m");
    sh!("docker update --cpuset-cpus 1000 {web}").exits(1);
    sh!("docker exec {web} true").ok();
}

#[test]
fn a_cgroup_parent() {
    let systemd = std::path::Path::new("/run/systemd/system").is_dir();
    let (parent, child) = if systemd { ("elsewhere.slice", "docker-") } else { ("/elsewhere", "") };
    let web = Detached::waiting(&format!("--cgroup-parent {parent}"));
    let pid = web.inspect("{{.State.Pid}}");
    let paths = sh!("cat /proc/{pid}/cgroup").ok().stdout;
    assert!(paths.contains(&format!("{}/{child}{web}", parent.trim_start_matches('/'))), "{paths}");
}
