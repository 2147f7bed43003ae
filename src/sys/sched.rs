//! Where and how urgently a process runs: scheduler, CPU affinity, I/O priority, memory policy, personality.

use super::Errno;

/// Arguments of sched_setattr(2), in the kernel's layout.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct SchedAttr {
    /// Size of this structure.
    pub size: u32,
    /// SCHED_* policy.
    pub policy: u32,
    /// SCHED_FLAG_* bits.
    pub flags: u64,
    /// Nice value.
    pub nice: i32,
    /// Static priority.
    pub priority: u32,
    /// Nanoseconds.
    pub runtime: u64,
    /// Nanoseconds.
    pub deadline: u64,
    /// Nanoseconds.
    pub period: u64,
}

/// sched_setattr(2) on this process.
pub fn sched_setattr(attr: &SchedAttr) -> Result<(), Errno> {
    // SAFETY: attr has the kernel's layout and says its own size.
    Errno::result(unsafe { libc::syscall(libc::SYS_sched_setattr, 0, std::ptr::from_ref(attr), 0) }).map(drop)
}

/// sched_setaffinity(2) on this process, CPUs as bits.
pub fn set_affinity(mask: &[u64]) -> Result<(), Errno> {
    // SAFETY: the pointer and length describe one slice.
    Errno::result(unsafe {
        libc::syscall(libc::SYS_sched_setaffinity, 0, std::mem::size_of_val(mask), mask.as_ptr())
    })
    .map(drop)
}

/// ioprio_set(2) on this process; `value` holds class and level.
pub fn set_io_priority(value: i32) -> Result<(), Errno> {
    const IOPRIO_WHO_PROCESS: i32 = 1;
    // SAFETY: takes integers.
    Errno::result(unsafe { libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, value) }).map(drop)
}

/// set_mempolicy(2) on this process; `nodes` are bits.
pub fn set_mempolicy(mode: i32, nodes: &[u64]) -> Result<(), Errno> {
    let (mask, bits) =
        if nodes.is_empty() { (std::ptr::null(), 0) } else { (nodes.as_ptr(), nodes.len() * 64 + 1) };
    // SAFETY: the pointer and length describe one slice, or none.
    Errno::result(unsafe { libc::syscall(libc::SYS_set_mempolicy, mode, mask, bits) }).map(drop)
}

/// personality(2).
pub fn set_personality(domain: u64) -> Result<(), Errno> {
    // SAFETY: takes an integer.
    Errno::result(unsafe { libc::syscall(libc::SYS_personality, domain) }).map(drop)
}

/// prlimit(2) on this process: a resource by number, its soft and its hard value.
pub fn set_rlimit(resource: u32, soft: u64, hard: u64) -> Result<(), Errno> {
    let limit = libc::rlimit64 { rlim_cur: soft, rlim_max: hard };
    let none = std::ptr::null_mut::<libc::rlimit64>();
    // SAFETY: limit is a valid rlimit64; the old value is not asked for.
    Errno::result(unsafe { libc::syscall(libc::SYS_prlimit64, 0, resource, &raw const limit, none) })
        .map(drop)
}
