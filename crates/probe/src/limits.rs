//! What the kernel grants: rlimits, scheduling, I/O priority, CPUs, memory policy, OOM score.

use serde_json::{Map, Value, json};

use crate::sys;

/// getrlimit(2) names by number, on every architecture but MIPS and SPARC.
const RLIMITS: [&str; 16] = [
    "RLIMIT_CPU",
    "RLIMIT_FSIZE",
    "RLIMIT_DATA",
    "RLIMIT_STACK",
    "RLIMIT_CORE",
    "RLIMIT_RSS",
    "RLIMIT_NPROC",
    "RLIMIT_NOFILE",
    "RLIMIT_MEMLOCK",
    "RLIMIT_AS",
    "RLIMIT_LOCKS",
    "RLIMIT_SIGPENDING",
    "RLIMIT_MSGQUEUE",
    "RLIMIT_NICE",
    "RLIMIT_RTPRIO",
    "RLIMIT_RTTIME",
];

/// sched(7) policies by number.
const POLICIES: [&str; 7] =
    ["SCHED_OTHER", "SCHED_FIFO", "SCHED_RR", "SCHED_BATCH", "SCHED_ISO", "SCHED_IDLE", "SCHED_DEADLINE"];

/// ioprio_set(2) classes by number.
const IO_CLASSES: [&str; 4] =
    ["IOPRIO_CLASS_NONE", "IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE"];

/// set_mempolicy(2) modes by number.
const MEMORY_MODES: [&str; 7] = [
    "MPOL_DEFAULT",
    "MPOL_PREFERRED",
    "MPOL_BIND",
    "MPOL_INTERLEAVE",
    "MPOL_LOCAL",
    "MPOL_PREFERRED_MANY",
    "MPOL_WEIGHTED_INTERLEAVE",
];

/// set_mempolicy(2) flags, in the upper bits of the mode.
const MEMORY_FLAGS: [(i32, &str); 3] = [
    (1 << 15, "MPOL_F_STATIC_NODES"),
    (1 << 14, "MPOL_F_RELATIVE_NODES"),
    (1 << 13, "MPOL_F_NUMA_BALANCING"),
];

/// The limits part of the world.
pub fn see() -> Map<String, Value> {
    let mut part = Map::new();
    part.insert("rlimits".into(), rlimits());
    part.insert("scheduler".into(), scheduler());
    part.insert(
        "io_priority".into(),
        json!(
            sys::io_priority()
                .map(|(class, priority)| json!({ "class": name(&IO_CLASSES, class), "priority": priority }))
        ),
    );
    part.insert("cpus".into(), json!(sys::affinity()));
    part.insert("personality".into(), json!(sys::personality()));
    part.insert("memory_policy".into(), memory_policy());
    part.insert("oom_score_adj".into(), oom_score_adj());
    part
}

fn rlimits() -> Value {
    let one = |(number, name): (i32, &&str)| {
        let value = sys::rlimit(number).map(|[soft, hard]| json!({ "soft": soft, "hard": hard }));
        ((*name).to_owned(), json!(value))
    };
    Value::Object((0..).zip(RLIMITS.iter()).map(one).collect())
}

fn scheduler() -> Value {
    let Some(attr) = sys::sched_attr() else { return Value::Null };
    json!({
        "policy": usize::try_from(attr.policy).ok().map(|policy| name(&POLICIES, policy)),
        "nice": attr.nice,
        "priority": attr.priority,
        "flags": attr.flags,
        "runtime": attr.runtime,
        "deadline": attr.deadline,
        "period": attr.period,
        "util_min": attr.util_min,
        "util_max": attr.util_max,
    })
}

fn memory_policy() -> Value {
    let (mode, nodes) = match sys::memory_policy() {
        Ok(answer) => answer,
        Err(errno) => return crate::errno::report(errno),
    };
    let flags: Vec<&str> =
        MEMORY_FLAGS.iter().filter(|(bit, _)| mode & bit != 0).map(|(_, flag)| *flag).collect();
    let number = usize::try_from(mode & 0xfff).unwrap_or(usize::MAX);
    json!({ "mode": name(&MEMORY_MODES, number), "flags": flags, "nodes": nodes })
}

fn oom_score_adj() -> Value {
    let text = std::fs::read_to_string("/proc/self/oom_score_adj").ok();
    json!(text.and_then(|text| text.trim().parse::<i32>().ok()))
}

fn name(table: &[&str], number: usize) -> String {
    table.get(number).map_or_else(|| number.to_string(), |known| (*known).to_owned())
}
