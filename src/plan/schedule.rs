//! How urgently and where the program runs: scheduler, I/O priority, memory policy, personality, CPU lists.

use super::op::Op;
use super::{Builder, Error};
use crate::spec::{
    IoPriorityClass, MemoryPolicy, MemoryPolicyFlag, MemoryPolicyMode, PersonalityDomain, Process, Scheduler,
    SchedulerFlag, SchedulerPolicy, Spec,
};
use crate::sys::sched::SchedAttr;

/// Most CPUs or memory nodes of a list; the kernel's own bounds are 8192 and 1024.
const MAX_LIST: u32 = 8192;
const MAX_NODES: u32 = 1024;

pub(super) fn compile(spec: &Spec, process: &Process, out: &mut Builder) -> Result<(), Error> {
    if let Some(personality) = &spec.linux.personality {
        let domain = match personality.domain {
            PersonalityDomain::Linux => 0x0000,
            PersonalityDomain::Linux32 => 0x0008,
        };
        out.step("linux.personality", Op::Personality { domain });
    }
    if let Some(policy) = &spec.linux.memory_policy {
        memory_policy(policy, out)?;
    }
    if let Some(affinity) = &process.exec_cpu_affinity {
        // Only `exec` uses them, but a wrong list should not wait until then to be found.
        cpu_list("process.execCPUAffinity.initial", &affinity.initial)?;
        cpu_list("process.execCPUAffinity.final", &affinity.after)?;
    }
    priorities(process, out)
}

/// Scheduler and I/O priority.
fn priorities(process: &Process, out: &mut Builder) -> Result<(), Error> {
    if let Some(scheduler) = &process.scheduler {
        out.step("process.scheduler", Op::Scheduler(scheduler_attr(scheduler)?));
    }
    if let Some(io) = &process.io_priority {
        let class = match io.class {
            IoPriorityClass::Rt => 1,
            IoPriorityClass::Be => 2,
            IoPriorityClass::Idle => 3,
        };
        let level =
            i32::try_from(io.priority).ok().filter(|level| (0..=7).contains(level)).ok_or_else(|| {
                Error::new("process.ioPriority.priority", format!("is {}", io.priority))
                    .hint("write 0 (highest) to 7")
            })?;
        out.step("process.ioPriority", Op::IoPriority { value: class << 13 | level });
    }
    Ok(())
}

fn scheduler_attr(scheduler: &Scheduler) -> Result<SchedAttr, Error> {
    let at = |name: &str| format!("process.scheduler.{name}");
    if !(-20..=19).contains(&scheduler.nice) {
        return Err(Error::new(at("nice"), format!("is {}", scheduler.nice)).hint("write -20 to 19"));
    }
    let policy = match scheduler.policy {
        SchedulerPolicy::Other => 0,
        SchedulerPolicy::Fifo => 1,
        SchedulerPolicy::Rr => 2,
        SchedulerPolicy::Batch => 3,
        SchedulerPolicy::Iso => 4,
        SchedulerPolicy::Idle => 5,
        SchedulerPolicy::Deadline => 6,
    };
    let real_time = matches!(scheduler.policy, SchedulerPolicy::Fifo | SchedulerPolicy::Rr);
    if scheduler.priority != 0 && !real_time {
        return Err(Error::new(at("priority"), "is set, but the policy has no static priority")
            .hint("use SCHED_FIFO or SCHED_RR, or remove it"));
    }
    let deadline = [scheduler.runtime, scheduler.deadline, scheduler.period];
    if deadline.iter().any(|&value| value != 0) && scheduler.policy != SchedulerPolicy::Deadline {
        return Err(Error::new(at("deadline"), "runtime, deadline and period are for SCHED_DEADLINE only")
            .hint("remove them, or change the policy"));
    }
    let flags = scheduler.flags.iter().fold(0, |flags, flag| {
        flags
            | match flag {
                SchedulerFlag::ResetOnFork => 0x01,
                SchedulerFlag::Reclaim => 0x02,
                SchedulerFlag::DlOverrun => 0x04,
                SchedulerFlag::KeepPolicy => 0x08,
                SchedulerFlag::KeepParams => 0x10,
                SchedulerFlag::UtilClampMin => 0x20,
                SchedulerFlag::UtilClampMax => 0x40,
            }
    });
    Ok(SchedAttr {
        size: 48,
        policy,
        flags,
        nice: scheduler.nice,
        priority: u32::try_from(scheduler.priority).map_err(|_| {
            Error::new(at("priority"), format!("is {}", scheduler.priority)).hint("write 1 to 99")
        })?,
        runtime: scheduler.runtime,
        deadline: scheduler.deadline,
        period: scheduler.period,
    })
}

fn memory_policy(policy: &MemoryPolicy, out: &mut Builder) -> Result<(), Error> {
    use MemoryPolicyMode::{Bind, Default, Interleave, Local, Preferred, PreferredMany, WeightedInterleave};
    let mode = match policy.mode {
        Default => 0,
        Preferred => 1,
        Bind => 2,
        Interleave => 3,
        Local => 4,
        PreferredMany => 5,
        WeightedInterleave => 6,
    };
    let has = |flag| policy.flags.contains(&flag);
    if has(MemoryPolicyFlag::StaticNodes) && has(MemoryPolicyFlag::RelativeNodes) {
        return Err(Error::new(
            "linux.memoryPolicy.flags",
            "MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES exclude each other",
        )
        .hint("keep one of the two"));
    }
    let flags = policy.flags.iter().fold(0, |flags, flag| {
        flags
            | match flag {
                MemoryPolicyFlag::StaticNodes => 1 << 15,
                MemoryPolicyFlag::RelativeNodes => 1 << 14,
                MemoryPolicyFlag::NumaBalancing => 1 << 13,
            }
    });
    let nodes = bit_list("linux.memoryPolicy.nodes", &policy.nodes, MAX_NODES)?;
    let takes_none = matches!(policy.mode, Default | Local);
    if takes_none && !nodes.is_empty() {
        return Err(Error::new("linux.memoryPolicy.nodes", "must be empty for this mode")
            .hint("remove it, or write a mode that takes nodes, as MPOL_BIND"));
    }
    if nodes.is_empty() && !takes_none && policy.mode != Preferred {
        return Err(
            Error::new("linux.memoryPolicy.nodes", "is empty").hint("name at least one node, as \"0-3,7\"")
        );
    }
    out.step("linux.memoryPolicy", Op::MemoryPolicy { mode: mode | flags, nodes });
    Ok(())
}

/// A CPU list such as `0-3,7` as bits; empty for an empty text.
pub(super) fn cpu_list(at: &str, text: &str) -> Result<Vec<u64>, Error> {
    bit_list(at, text, MAX_LIST)
}

fn bit_list(at: &str, text: &str, limit: u32) -> Result<Vec<u64>, Error> {
    let bad = || {
        Error::new(at, format!("{text:?} is no list of numbers below {limit}")).hint("write it as \"0-3,7\"")
    };
    let mut bits = Vec::new();
    for part in text.trim().split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |word: &str| word.trim().parse::<u32>().ok().filter(|&n| n < limit).ok_or_else(bad);
        let (first, last) = (number(first)?, number(last)?);
        if first > last {
            return Err(bad());
        }
        for bit in first..=last {
            let word = usize::try_from(bit / 64).map_err(|_| bad())?;
            bits.resize(bits.len().max(word + 1), 0);
            bits[word] |= 1u64 << (bit % 64);
        }
    }
    Ok(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        assert_eq!(cpu_list("", "0-3,7").unwrap(), [0x8f]);
        assert_eq!(cpu_list("", "64").unwrap(), [0, 1]);
        assert_eq!(cpu_list("", "").unwrap(), [0u64; 0]);
        for bad in ["3-1", "0-4294967295", "a", "-1", "1-", "0-9999999999"] {
            assert!(cpu_list("process", bad).is_err(), "{bad}");
        }
    }
}
