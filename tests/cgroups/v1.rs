//! The v1 hierarchies of a v1 or hybrid host.

use std::fs;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use hull::cgroups::{Cgroup, Error, Oom, Parents, layout};
use hull::sys::Errno;
use nix::poll::{PollFd, PollTimeout, poll};

use super::{Made, eventually, nest, plan, state_of, unique};
use crate::needs;

#[test]
fn the_layout_names_every_v1_hierarchy_and_our_place_in_it() {
    needs!(root, cgroup_v1("memory"));
    let layout = layout::probe();
    let own = fs::read_to_string("/proc/self/cgroup").unwrap();
    assert!(!layout.is_v2());
    for line in own.lines().filter(|line| !line.contains("::")) {
        let [_, controllers, path] = line.splitn(3, ':').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let hierarchy =
            layout.v1.iter().find(|known| known.controllers.join(",") == controllers).expect(line);
        assert!(hierarchy.mount.join("cgroup.procs").exists(), "{hierarchy:?}");
        assert_eq!(hierarchy.own, path);
    }
}

#[test]
fn limits_are_in_force_before_anyone_joins() {
    needs!(root, cgroup_v1("memory"), cgroup_v1("cpu"), cgroup_v1("pids"), cgroup_v1("cpuset"));
    let made = Made::new(
        &format!("/{}", unique()),
        r#"{"memory": {"limit": 67108864, "swap": 134217728, "reservation": 33554432, "swappiness": 10},
            "cpu": {"shares": 512, "quota": 50000, "period": 200000, "burst": 1000, "cpus": "0"},
            "pids": {"limit": 0}}"#,
    );
    let expected = [
        ("memory", "memory.limit_in_bytes", "67108864"),
        ("memory", "memory.memsw.limit_in_bytes", "134217728"),
        ("memory", "memory.soft_limit_in_bytes", "33554432"),
        ("memory", "memory.swappiness", "10"),
        ("cpu", "cpu.shares", "512"),
        ("cpu", "cpu.cfs_quota_us", "50000"),
        ("cpu", "cpu.cfs_period_us", "200000"),
        ("cpu", "cpu.cfs_burst_us", "1000"),
        ("cpuset", "cpuset.cpus", "0"),
        ("pids", "pids.max", "0"),
    ];
    for (controller, file, value) in expected {
        assert_eq!(made.read(controller, file), value, "{file}");
    }
    let above = fs::read_to_string("/sys/fs/cgroup/cpuset/cpuset.mems").unwrap();
    assert_eq!(made.read("cpuset", "cpuset.mems"), above.trim());
}

#[test]
fn a_process_joins_every_hierarchy() {
    needs!(root, cgroup_v1("memory"));
    let name = unique();
    let made = Made::new(&format!("/{name}/inner"), "{}");
    let _guest = made.sleepers(1);
    let pids = made.cgroup.pids().unwrap();
    assert_eq!(pids.len(), 1);
    let memberships = fs::read_to_string(format!("/proc/{}/cgroup", pids[0])).unwrap();
    for line in memberships.lines() {
        assert!(line.ends_with(&format!(":/{name}/inner")), "{line}");
    }
}

#[test]
fn real_time_bandwidth_is_handed_down_through_new_parents() {
    needs!(root, cgroup_v1("cpu"));
    let name = unique();
    if !std::path::Path::new("/sys/fs/cgroup/cpu/cpu.rt_runtime_us").exists() {
        return crate::harness::skip(
            "cgroups::v1::real_time_bandwidth_is_handed_down_through_new_parents",
            "needs CONFIG_RT_GROUP_SCHED",
        );
    }
    let made = Made::new(
        &format!("/{name}/inner"),
        r#"{"cpu": {"realtimeRuntime": 5000, "realtimePeriod": 900000}}"#,
    );
    assert_eq!(made.read("cpu", "cpu.rt_runtime_us"), "5000");
    assert_eq!(made.read("cpu", "cpu.rt_period_us"), "900000");
}

#[test]
fn a_refused_limit_names_file_and_value_and_leaves_nothing_behind() {
    needs!(root, cgroup_v1("cpuset"));
    let name = unique();
    let plan = plan(&format!("/{name}/inner"), r#"{"cpu": {"cpus": "4000"}}"#);
    let err = Cgroup::create(&plan, Parents::Made).unwrap_err();
    let file = format!("/sys/fs/cgroup/cpuset/{name}/inner/cpuset.cpus");
    let expected = format!("linux.resources.cpu.cpus: cannot write \"4000\" to {file}: ");
    assert!(err.to_string().starts_with(&expected), "{err}");
    assert!(err.hint().unwrap().contains("must name numbers that exist"));
    for dir in &plan.dirs {
        assert!(!dir.path.parent().unwrap().exists(), "{}", dir.path.display());
    }
}

#[test]
fn an_update_finds_the_order_that_the_kernel_accepts() {
    needs!(root, cgroup_v1("memory"), cgroup_v1("cpu"));
    let made = Made::new(&format!("/{}", unique()), r#"{"memory": {"limit": 67108864, "swap": 134217728}}"#);
    for (limit, swap) in
        [(268_435_456u64, 536_870_912u64), (33_554_432, 33_554_432), (67_108_864, 67_108_864)]
    {
        made.update(&format!(r#"{{"memory": {{"limit": {limit}, "swap": {swap}}}}}"#)).unwrap();
        assert_eq!(made.read("memory", "memory.limit_in_bytes"), limit.to_string());
        assert_eq!(made.read("memory", "memory.memsw.limit_in_bytes"), swap.to_string());
    }
    made.update(r#"{"memory": {"limit": -1}}"#).unwrap();
    assert!(made.read("memory", "memory.memsw.limit_in_bytes").parse::<u64>().unwrap() > 1 << 60);
    for (quota, period, burst) in [(50_000, 100_000, 50_000), (500_000, 1_000_000, 400_000), (2000, 4000, 0)]
    {
        let json = format!(r#"{{"cpu": {{"quota": {quota}, "period": {period}, "burst": {burst}}}}}"#);
        made.update(&json).unwrap();
        assert_eq!(made.read("cpu", "cpu.cfs_quota_us"), quota.to_string());
        assert_eq!(made.read("cpu", "cpu.cfs_period_us"), period.to_string());
        assert_eq!(made.read("cpu", "cpu.cfs_burst_us"), burst.to_string());
    }
    let err = made.update(r#"{"memory": {"limit": 1048576}, "cpu": {"period": 5}}"#).unwrap_err();
    assert!(err.to_string().contains("cannot write \"5\" to"), "{err}");
}

#[test]
fn an_update_below_present_usage_can_be_refused() {
    needs!(root, cgroup_v1("memory"));
    let made = Made::new(&format!("/{}", unique()), "{}");
    let _guest = made.sleepers(1);
    eventually("memory is charged", || made.read("memory", "memory.usage_in_bytes") != "0");
    let refused = made.cgroup.check_before_update(1).unwrap_err();
    assert!(matches!(refused, Error::InUse { limit: 1, usage } if usage > 0), "{refused}");
    made.cgroup.check_before_update(1 << 40).unwrap();
}

#[test]
fn devices_are_open_only_as_listed_and_an_update_changes_the_difference() {
    needs!(root, cgroup_v1("devices"));
    let made = Made::new(
        &format!("/{}", unique()),
        r#"{"devices": [{"allow": false, "access": "rwm"},
            {"allow": true, "type": "c", "major": 10, "minor": 229, "access": "rw"}]}"#,
    );
    let listed = made.read("devices", "devices.list");
    assert_eq!(listed.lines().next(), Some("c 10:229 rw"));
    assert_eq!(listed.lines().filter(|line| line.starts_with('c')).count(), 11, "{listed}");
    let kmsg = "echo; exec sh -c '</dev/null; </dev/kmsg' 2>/dev/null";
    assert_ne!(made.sh(kmsg).wait(), 0, "a device that is not listed opened");
    made.update(r#"{"devices": [{"allow": true, "type": "c", "major": 1, "minor": 11, "access": "r"}]}"#)
        .unwrap();
    let listed = made.read("devices", "devices.list");
    assert!(listed.contains("c 1:11 r") && !listed.contains("10:229"), "{listed}");
    assert_eq!(made.sh(kmsg).wait(), 0);
    made.update(r#"{"devices": [{"allow": true, "access": "rwm"}]}"#).unwrap();
    assert_eq!(made.read("devices", "devices.list"), "a *:* rwm");
    made.update(r#"{"devices": [{"allow": false, "access": "rwm"}]}"#).unwrap();
    assert_ne!(made.sh(kmsg).wait(), 0);
}

#[test]
fn frozen_processes_stand_still_until_thawed_or_killed() {
    needs!(root, cgroup_v1("freezer"));
    let made = Made::new(&format!("/{}", unique()), "{}");
    let mut guest = made.sh("echo; while :; do :; done");
    assert!(!made.cgroup.is_frozen().unwrap());
    made.cgroup.freeze().unwrap();
    assert!(made.cgroup.is_frozen().unwrap());
    assert_eq!(made.read("freezer", "freezer.state"), "FROZEN");
    made.cgroup.thaw().unwrap();
    assert!(!made.cgroup.is_frozen().unwrap());
    made.cgroup.freeze().unwrap();
    made.cgroup.kill().unwrap();
    assert_eq!(guest.wait(), 128 + 9);
    made.cgroup.remove().unwrap();
    assert!(!made.is_there());
}

#[test]
fn a_signal_reaches_nested_cgroups_and_removal_takes_them_along() {
    needs!(root, cgroup_v1("memory"));
    let name = unique();
    let made = Made::new(&format!("/{name}/inner"), "{}");
    let mut guest = made.sleepers(3);
    let pids = made.cgroup.pids().unwrap();
    for dir in made.paths.clone() {
        let deep = nest(&nest(&dir, "outer"), "deep");
        if dir.starts_with("/sys/fs/cgroup/cpuset") {
            for file in ["cpuset.cpus", "cpuset.mems"] {
                for dir in [deep.parent().unwrap(), &deep] {
                    fs::copy(format!("/sys/fs/cgroup/cpuset/{file}"), dir.join(file)).ok();
                }
            }
        }
        fs::write(deep.join("cgroup.procs"), pids[0].to_string()).unwrap();
    }
    let mut listed = made.cgroup.pids().unwrap();
    listed.sort_unstable();
    let mut before = pids;
    before.sort_unstable();
    assert_eq!(listed, before);
    let reopened = serde_json::from_str::<Cgroup>(&serde_json::to_string(&made.cgroup).unwrap()).unwrap();
    assert_eq!(reopened, made.cgroup);
    reopened.signal_all(libc::SIGKILL).unwrap();
    guest.wait();
    reopened.remove().unwrap();
    assert!(!made.is_there());
    assert!(!made.paths[0].parent().unwrap().exists(), "the parent that was made for it is still there");
}

#[test]
fn a_cgroup_in_use_is_not_taken_and_its_process_survives() {
    needs!(root, cgroup_v1("pids"));
    let name = unique();
    let other = Made::new(&format!("/{name}"), "{}");
    let _guest = other.sleepers(1);
    let plan = plan(&format!("/{name}"), "{}");
    let err = Cgroup::create(&plan, Parents::Made).unwrap_err();
    assert!(matches!(err, Error::Populated { .. }), "{err}");
    assert!(!other.cgroup.pids().unwrap().is_empty());
    let state = state_of(other.cgroup.pids().unwrap()[0]);
    assert!(matches!(state.as_str(), "S" | "R" | "D"), "{state:?}");
}

#[test]
fn a_frozen_cgroup_is_not_taken() {
    needs!(root, cgroup_v1("freezer"));
    let name = unique();
    let other = Made::new(&format!("/{name}"), "{}");
    other.cgroup.freeze().unwrap();
    let err = Cgroup::create(&plan(&format!("/{name}"), "{}"), Parents::Made).unwrap_err();
    assert!(matches!(err, Error::Frozen { .. }), "{err}");
    other.cgroup.thaw().unwrap();
}

#[test]
fn an_empty_cgroup_is_taken_with_the_values_it_has() {
    needs!(root, cgroup_v1("memory"));
    let name = unique();
    let first = Made::new(&format!("/{name}"), r#"{"memory": {"limit": 67108864}, "pids": {"limit": 7}}"#);
    let second = Made::new(&format!("/{name}"), r#"{"pids": {"limit": -1}}"#);
    assert_eq!(second.read("memory", "memory.limit_in_bytes"), "67108864");
    assert_eq!(second.read("pids", "pids.max"), "max");
    second.cgroup.remove().unwrap();
    assert!(!first.is_there());
}

#[test]
fn statistics_have_the_shape_that_engines_parse() {
    needs!(root, cgroup_v1("memory"), cgroup_v1("cpuacct"), cgroup_v1("pids"));
    let limits =
        r#"{"memory": {"limit": 67108864}, "pids": {"limit": 50}, "cpu": {"quota": 5000, "period": 10000}}"#;
    let made = Made::new(&format!("/{}", unique()), limits);
    let _guest = made.sh("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo; exec sleep 60");
    let stats = serde_json::to_value(made.cgroup.stats().unwrap()).unwrap();
    let at = |path: &str| stats.pointer(path).unwrap_or_else(|| panic!("no {path} in {stats}"));
    assert_eq!(at("/memory/usage/limit"), 67_108_864);
    assert_eq!(at("/pids/limit"), 50);
    assert!(at("/pids/current").as_u64().unwrap() >= 1);
    assert!(at("/cpu/usage/total").as_u64().unwrap() > 1_000_000);
    assert!(at("/cpu/throttling/periods").as_u64().unwrap() >= 1);
    let percpu: u64 =
        at("/cpu/usage/percpu").as_array().unwrap().iter().map(|cpu| cpu.as_u64().unwrap()).sum();
    assert!(percpu > 1_000_000);
    assert!(at("/memory/usage/usage").as_u64().unwrap() > 0);
    assert!(at("/memory/raw/pgfault").is_u64());
    assert!(!at("/cpuset/cpus").as_array().unwrap().is_empty());
    assert_eq!(*at("/intel_rdt"), serde_json::json!({}));
    assert_eq!(*at("/network_interfaces"), serde_json::Value::Null);
}

#[test]
fn running_out_of_memory_is_noticed_and_counted() {
    needs!(root, cgroup_v1("memory"));
    let made = Made::new(&format!("/{}", unique()), r#"{"memory": {"limit": 8388608, "swap": 8388608}}"#);
    let mut watch = made.cgroup.watch_oom().unwrap().unwrap();
    assert_eq!(made.cgroup.oom_killed().unwrap(), 0);
    let mut guest = made.sh("echo; exec tail /dev/zero");
    let (fd, events) = watch.poll();
    let ready = poll(&mut [PollFd::new(fd.as_fd(), events)], PollTimeout::from(20_000u16));
    assert_eq!(ready, Ok(1), "no event");
    assert_eq!(watch.read().unwrap(), Oom::Out);
    assert_eq!(guest.wait(), 128 + 9);
    assert!(made.cgroup.oom_killed().unwrap() >= 1);
    made.cgroup.remove().unwrap();
    let (fd, events) = watch.poll();
    poll(&mut [PollFd::new(fd.as_fd(), events)], PollTimeout::from(20_000u16)).unwrap();
    assert_eq!(watch.read().unwrap(), Oom::Gone);
}

#[test]
fn a_cgroup_whose_process_stays_survives_its_removal() {
    needs!(root, cgroup_v1("pids"));
    let made = Made::new(&format!("/{}", unique()), "{}");
    let _guest = made.sleepers(1);
    let start = Instant::now();
    let err = made.cgroup.remove().unwrap_err();
    assert_eq!(err.errno(), Some(Errno::EBUSY));
    assert!(start.elapsed() < Duration::from_secs(20));
    assert!(made.is_there());
}
