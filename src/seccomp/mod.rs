//! seccomp filters: a plan's rules compiled to classic BPF, and the hand-over of the listener.
//!
//! `spans` turns the rules into verdicts over ranges of system call numbers, one list for each machine; `bpf` turns
//! those lists into a program. Loading it is [`crate::sys::seccomp::load`], which the container's side calls itself.
//! We compile instead of libseccomp because it takes 10 ms for what is a few microseconds of work, and because
//! calls newer than the profile must answer ENOSYS, which libseccomp cannot express.

mod arch;
mod bpf;
mod multiplex;
pub mod notify;
mod spans;

pub use arch::NATIVE;

use std::ffi::c_ulong;

use crate::plan::seccomp::{Action, Arch, FilterFlag, SeccompPlan, Verdict};
use crate::sys::seccomp::{Instruction, knows_flags};

/// The kernel's limit on a program (BPF_MAXINSNS).
const MAX_INSTRUCTIONS: usize = 4096;

/// A filter as the kernel takes it.
#[derive(Debug, Clone)]
pub struct Filter {
    /// The program.
    pub program: Vec<Instruction>,
    /// SECCOMP_FILTER_FLAG_* bits.
    pub flags: c_ulong,
    /// Whether loading it returns a listener.
    pub wants_listener: bool,
}

/// Why a valid plan has no filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The program does not fit.
    #[error("the filter needs {instructions} instructions, the kernel takes at most {MAX_INSTRUCTIONS}")]
    TooLong {
        /// How many it would need.
        instructions: usize,
    },
}

/// Compiles a plan for this machine.
pub fn compile(plan: &SeccompPlan) -> Result<Filter, Error> {
    let wants_listener = plan.listener.is_some();
    let mut flags = plan.flags.iter().fold(0, |flags, &flag| flags | flag_bit(flag));
    if wants_listener {
        flags |= libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
        if plan.flags.contains(&FilterFlag::Tsync) {
            // Both want the return value; TSYNC gives way (kernel 5.7).
            flags |= libc::SECCOMP_FILTER_FLAG_TSYNC_ESRCH;
        }
    }
    Ok(Filter { program: program(plan, NATIVE, newer(plan.default))?, flags, wants_listener })
}

/// The program for a machine; `newer` is the verdict of calls newer than any that the profile names.
pub fn program(plan: &SeccompPlan, native: Arch, newer: Verdict) -> Result<Vec<Instruction>, Error> {
    let program = bpf::program(&spans::sections(plan, native, newer));
    match program.len() {
        0..=MAX_INSTRUCTIONS => Ok(program),
        instructions => Err(Error::TooLong { instructions }),
    }
}

/// The verdict of calls that came into the kernel after the profile was written. Programs probe for new calls and
/// fall back on ENOSYS only, so a filter that forbids by default must not answer EPERM or kill; one that allows
/// or asks a tracer has nothing to hide. The rule is runc's.
#[must_use]
pub fn newer(default: Verdict) -> Verdict {
    match default.action {
        Action::Allow | Action::Log | Action::Trace => default,
        _ => Verdict { action: Action::Errno, data: 38 },
    }
}

/// Whether the running kernel takes a flag. Asks it; a start just tries.
#[must_use]
pub fn supports(flag: FilterFlag) -> bool {
    knows_flags(match flag {
        // Refused alone, as it concerns the listener.
        FilterFlag::WaitKillableRecv => flag_bit(flag) | libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
        flag => flag_bit(flag),
    })
}

fn flag_bit(flag: FilterFlag) -> c_ulong {
    match flag {
        FilterFlag::Tsync => libc::SECCOMP_FILTER_FLAG_TSYNC,
        FilterFlag::Log => libc::SECCOMP_FILTER_FLAG_LOG,
        FilterFlag::SpecAllow => libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW,
        FilterFlag::WaitKillableRecv => libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
    }
}

/// The value that the program returns for a verdict.
fn return_value(verdict: Verdict) -> u32 {
    let action = match verdict.action {
        Action::Kill | Action::KillThread => libc::SECCOMP_RET_KILL_THREAD,
        Action::KillProcess => libc::SECCOMP_RET_KILL_PROCESS,
        Action::Trap => libc::SECCOMP_RET_TRAP,
        Action::Errno => libc::SECCOMP_RET_ERRNO,
        Action::Trace => libc::SECCOMP_RET_TRACE,
        Action::Allow => libc::SECCOMP_RET_ALLOW,
        Action::Log => libc::SECCOMP_RET_LOG,
        Action::Notify => libc::SECCOMP_RET_USER_NOTIF,
    };
    action | u32::from(verdict.data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_which_flags_it_knows() {
        // Older than any kernel that hull runs on; WAIT_KILLABLE_RECV came with 5.19.
        for flag in [FilterFlag::Tsync, FilterFlag::Log, FilterFlag::SpecAllow] {
            assert!(supports(flag), "{flag:?}");
        }
        assert!(!knows_flags(1 << 30));
    }
}
