//! scheduler, ioPriority, personality, memoryPolicy: what the program inherits at execve.

use serde_json::json;

use crate::harness::*;
use crate::needs;

/// Every policy with its parameters.
#[test]
fn scheduler_policies() {
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

/// SCHED_FLAG_RESET_ON_FORK reaches the kernel.
#[test]
fn scheduler_flags() {
    needs!(root);
    let asked = json!({ "policy": "SCHED_OTHER", "nice": 1, "flags": ["SCHED_FLAG_RESET_ON_FORK"] });
    let world = Container::new().set("/process/scheduler", asked).world();
    assert_eq!(world["scheduler"]["flags"], 1);
    assert_eq!(world["scheduler"]["nice"], 1);
}

/// The real-time policies. With CONFIG_RT_GROUP_SCHED a cgroup has no real-time budget until it is given one.
#[test]
fn real_time_scheduler() {
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
#[test]
fn exec_inherits_the_scheduler() {
    needs!(root);
    let container = Container::new().set("/process/scheduler", json!({ "policy": "SCHED_BATCH", "nice": 4 }));
    let world = container.sleeping().exec_world(&[]);
    assert_eq!(world["scheduler"]["policy"], "SCHED_BATCH");
    assert_eq!(world["scheduler"]["nice"], 4);
}

/// I/O classes and priorities, for exec too.
#[test]
fn io_priority() {
    needs!(root);
    for (class, priority) in [("IOPRIO_CLASS_BE", 6), ("IOPRIO_CLASS_IDLE", 0), ("IOPRIO_CLASS_RT", 2)] {
        let asked = json!({ "class": class, "priority": priority });
        let container = Container::new().set("/process/ioPriority", asked.clone()).sleeping();
        assert_eq!(container.exec_world(&[])["io_priority"], asked);
    }
    let asked = json!({ "class": "IOPRIO_CLASS_BE", "priority": 6 });
    assert_eq!(Container::new().set("/process/ioPriority", asked.clone()).world()["io_priority"], asked);
}

/// LINUX32 makes `uname -m` that of the 32-bit sibling, LINUX changes nothing.
#[test]
fn personality() {
    needs!(root);
    let world = Container::new().set("/linux/personality", json!({ "domain": "LINUX32" })).world();
    assert_eq!(world["personality"], 8);
    assert_ne!(world["machine"], std::env::consts::ARCH);
    let world = Container::new().set("/linux/personality", json!({ "domain": "LINUX" })).world();
    assert_eq!(world["personality"], 0);
}

/// exec has the personality of the container.
#[test]
fn exec_inherits_the_personality() {
    needs!(root);
    let container = Container::new().set("/linux/personality", json!({ "domain": "LINUX32" })).sleeping();
    assert_eq!(container.exec_world(&[])["personality"], 8);
}

/// NUMA policies with nodes and flags.
#[test]
fn memory_policy() {
    needs!(root, numa);
    let table = [
        (
            json!({ "mode": "MPOL_BIND", "nodes": "0" }),
            json!({ "mode": "MPOL_BIND", "flags": [], "nodes": [0] }),
        ),
        (
            json!({ "mode": "MPOL_INTERLEAVE", "nodes": "0" }),
            json!({ "mode": "MPOL_INTERLEAVE", "flags": [], "nodes": [0] }),
        ),
        (
            json!({ "mode": "MPOL_PREFERRED", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"] }),
            json!({ "mode": "MPOL_PREFERRED", "flags": ["MPOL_F_STATIC_NODES"], "nodes": [0] }),
        ),
        (json!({ "mode": "MPOL_LOCAL" }), json!({ "mode": "MPOL_LOCAL", "flags": [], "nodes": [] })),
        (json!({ "mode": "MPOL_DEFAULT" }), json!({ "mode": "MPOL_DEFAULT", "flags": [], "nodes": [] })),
    ];
    for (asked, expected) in table {
        let world = Container::new().set("/linux/memoryPolicy", asked).world();
        assert_eq!(world["memory_policy"], expected);
    }
}
