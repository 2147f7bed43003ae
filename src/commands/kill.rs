//! `kill`: sends a signal to a container.

use std::os::fd::AsFd;

use crate::cgroups::Cgroup;
use crate::cli::Signal;
use crate::error::Cause;
use crate::state::Store;
use crate::sys::{Context, Errno, clone};

/// Sends `signal` to the first process, or with `all` to every process, even if the first has ended.
pub fn kill(store: &Store, id: &str, signal: Signal, all: bool) -> Result<(), Cause> {
    let container = store.load(id)?;
    let cgroup = container.cgroup();
    if all {
        return signal_all(&cgroup, signal);
    }
    let init = container.init()?.ok_or(NOT_RUNNING)?;
    // Without a pid namespace of its own, the others survive the first process.
    if signal.0 == libc::SIGKILL && !container.record.private_pid_ns {
        return signal_all(&cgroup, signal);
    }
    if !init.signal(signal.0)? {
        return Err(NOT_RUNNING);
    }
    // Frozen by cgroup v1, a killed process stays until it is thawed.
    if signal.0 == libc::SIGKILL && cgroup.is_frozen()? {
        cgroup.thaw()?;
    }
    Ok(())
}

const NOT_RUNNING: Cause = Cause::Status("container not running");

fn signal_all(cgroup: &Cgroup, signal: Signal) -> Result<(), Cause> {
    if signal.0 == libc::SIGKILL {
        return Ok(cgroup.kill()?);
    }
    for pid in cgroup.pids()? {
        let sent = clone::pidfd_open(pid).and_then(|pidfd| clone::pidfd_send_signal(pidfd.as_fd(), signal.0));
        match sent {
            // It has ended since the pids were read.
            Err(Errno::ESRCH) => {}
            result => result.during("pidfd_send_signal", format_args!("{pid}, {}", signal.0))?,
        }
    }
    Ok(())
}
