//! config.md, "Linux Process": scheduler, I/O priority and CPU affinity.

use std::fs;

use serde_json::json;

use crate::harness::*;
use crate::needs;
use crate::refused::each_refused;

/// Every policy with its parameters.
/// config.md, "Linux Process"
#[test]
fn p13_policies() {
    needs!(root);
    let table = [
        (json!({ "policy": "SCHED_OTHER", "nice": 5 }), json!({ "policy": "SCHED_OTHER", "nice": 5 })),
        (json!({ "policy": "SCHED_BATCH", "nice": 3 }), json!({ "policy": "SCHED_BATCH", "nice": 3 })),
        (json!({ "policy": "SCHED_IDLE" }), json!({ "policy": "SCHED_IDLE" })),
    ];
    for (asked, expected) in table {
        let world = Container::new().set("/process/scheduler", asked).world();
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(&world["scheduler"][name], value, "{name} of {expected}");
        }
    }
}

/// Flags reach the kernel: those that it keeps, and those that keep what was before.
/// config.md, "Linux Process"
#[test]
fn p13_flags() {
    needs!(root);
    let asked = json!({ "policy": "SCHED_OTHER", "nice": 1, "flags": ["SCHED_FLAG_RESET_ON_FORK"] });
    let world = Container::new().set("/process/scheduler", asked).world();
    assert_eq!(world["scheduler"]["flags"], 1);
    assert_eq!(world["scheduler"]["nice"], 1);
    for (flag, bit) in [("SCHED_FLAG_RECLAIM", 2), ("SCHED_FLAG_DL_OVERRUN", 4)] {
        // Long enough for a busy machine: an overrun is a signal that ends the program.
        let asked = json!({ "policy": "SCHED_DEADLINE", "runtime": 500_000_000, "deadline": 1_000_000_000,
            "period": 2_000_000_000, "flags": [flag] });
        assert_eq!(
            Container::new().set("/process/scheduler", asked).world()["scheduler"]["flags"],
            bit,
            "{flag}"
        );
    }
    let own = Container::new().world()["scheduler"].clone();
    for (flag, kept) in [("SCHED_FLAG_KEEP_POLICY", "policy"), ("SCHED_FLAG_KEEP_PARAMS", "nice")] {
        let asked = json!({ "policy": "SCHED_BATCH", "nice": 3, "flags": [flag] });
        let world = Container::new().set("/process/scheduler", asked).world();
        assert_eq!(world["scheduler"][kept], own[kept], "{flag}");
    }
}

/// The real-time policies. With CONFIG_RT_GROUP_SCHED a cgroup has no real-time budget until it is given one.
/// config.md, "Linux Process"
#[test]
fn p13_real_time() {
    needs!(root);
    for policy in ["SCHED_FIFO", "SCHED_RR"] {
        let mut container =
            Container::new().set("/process/scheduler", json!({ "policy": policy, "priority": 7 }));
        if std::fs::metadata("/sys/fs/cgroup/cpu/cpu.rt_runtime_us").is_ok() {
            container = container.set("/linux/resources/cpu", json!({ "realtimeRuntime": 10_000 }));
        }
        let world = container.capabilities(&["CAP_SYS_NICE"]).world();
        assert_eq!(world["scheduler"]["policy"], policy);
        assert_eq!(world["scheduler"]["priority"], 7);
    }
}

/// exec inherits the scheduler of the config.
/// config.md, "Linux Process"
#[test]
fn p13_exec_inherits_the_scheduler() {
    needs!(root);
    let container = Container::new().set("/process/scheduler", json!({ "policy": "SCHED_BATCH", "nice": 4 }));
    let world = container.sleeping().exec_world(&[]);
    assert_eq!(world["scheduler"]["policy"], "SCHED_BATCH");
    assert_eq!(world["scheduler"]["nice"], 4);
}

/// I/O classes and priorities, for exec too.
/// config.md, "Linux Process"
#[test]
fn p14_io_priority() {
    needs!(root);
    for (class, priority) in [("IOPRIO_CLASS_BE", 6), ("IOPRIO_CLASS_IDLE", 0), ("IOPRIO_CLASS_RT", 2)] {
        let asked = json!({ "class": class, "priority": priority });
        let container = Container::new().set("/process/ioPriority", asked.clone()).sleeping();
        assert_eq!(container.exec_world(&[])["io_priority"], asked);
    }
    let asked = json!({ "class": "IOPRIO_CLASS_BE", "priority": 6 });
    assert_eq!(Container::new().set("/process/ioPriority", asked.clone()).world()["io_priority"], asked);
}

/// `execCPUAffinity.final` binds the process, the first process is untouched.
/// config.md, "Linux Process"
#[test]
fn p15_exec_cpu_affinity() {
    needs!(root_or_ranges);
    let container = Container::new().set("/process/execCPUAffinity", json!({ "initial": "0", "final": "1" }));
    let container = container.sleeping();
    assert_eq!(container.exec_world(&[])["cpus"], json!([1]));
    let status = fs::read_to_string(format!("/proc/{}/status", container.pid())).unwrap();
    let own = fs::read_to_string("/proc/self/status").unwrap();
    let allowed =
        |text: &str| text.lines().find(|line| line.starts_with("Cpus_allowed_list")).map(str::to_owned);
    assert_eq!(allowed(&status), allowed(&own));
}

/// SCHED_DEADLINE with its three times.
/// config.md, "Linux Process"
#[test]
fn p13_deadline() {
    needs!(root);
    let asked = json!({ "policy": "SCHED_DEADLINE", "runtime": 10_000_000, "deadline": 20_000_000, "period": 30_000_000 });
    let world = Container::new().set("/process/scheduler", asked.clone()).world();
    for name in ["policy", "runtime", "deadline", "period"] {
        assert_eq!(world["scheduler"][name], asked[name], "{name}");
    }
}

/// Policies, flags and nice values that nobody knows are errors, as is a policy that the kernel lacks.
/// config.md, "Linux Process"
#[test]
fn p13_bad_schedulers() {
    needs!(root_or_ranges);
    each_refused(
        "/process/scheduler",
        &[
            json!({ "policy": "SCHED_BOGUS" }),
            json!({ "policy": "SCHED_ISO" }),
            json!({ "nice": 1 }),
            json!({ "policy": "SCHED_OTHER", "nice": 20 }),
            json!({ "policy": "SCHED_OTHER", "flags": ["SCHED_FLAG_BOGUS"] }),
            json!({ "policy": "SCHED_FIFO", "priority": 100 }),
        ],
    );
}

/// The class is one of three, the priority 0 to 7.
/// config.md, "Linux Process"
#[test]
fn p14_bad_io_priorities() {
    needs!(root_or_ranges);
    each_refused(
        "/process/ioPriority",
        &[
            json!({ "class": "IOPRIO_CLASS_BOGUS", "priority": 1 }),
            json!({ "class": "IOPRIO_CLASS_BE", "priority": 8 }),
            json!({ "class": "IOPRIO_CLASS_BE", "priority": -1 }),
            json!({ "priority": 1 }),
        ],
    );
}

/// Empty lists of CPUs are the same as none; the final list outlives the move into the cgroup.
/// config.md, "Linux Process"
#[test]
fn p15_empty_affinity() {
    needs!(root_or_ranges);
    let all = Container::new().world()["cpus"].clone();
    let asked = json!({ "initial": "", "final": "" });
    let container = Container::new().set("/process/execCPUAffinity", asked).sleeping();
    assert_eq!(container.exec_world(&[])["cpus"], all);
    let container = Container::new().set("/process/execCPUAffinity", json!({ "final": "1" })).sleeping();
    assert_eq!(container.exec_world(&[])["cpus"], json!([1]));
}

/// A list that is none is an error.
/// config.md, "Linux Process"
#[test]
fn p15_bad_affinity() {
    needs!(root_or_ranges);
    each_refused("/process/execCPUAffinity", &[json!({ "final": "x-y" }), json!({ "initial": "2-1" })]);
}
