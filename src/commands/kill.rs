//! `kill`: sends a signal to a container.

use super::ps::NO_CGROUP;
use crate::cgroups::Cgroup;
use crate::cli::Signal;
use crate::error::Cause;
use crate::state::Store;

/// Sends `signal` to the first process, or with `all` to every process, even if the first has ended.
pub fn kill(store: &Store, id: &str, signal: Signal, all: bool) -> Result<(), Cause> {
    let container = store.load_own(id)?;
    let cgroup = container.cgroup();
    let (kills, private) = (signal.0 == libc::SIGKILL, container.record.private_pid_ns);
    // Without a pid namespace of its own, the others survive the first process.
    if !cgroup.is_absent() && (all || kills && !private) {
        return signal_all(cgroup, signal);
    }
    if all && !(kills && private) {
        return Err(NO_CGROUP);
    }
    let init = container.init()?.ok_or(NOT_RUNNING)?;
    if !init.signal(signal.0)? {
        return Err(NOT_RUNNING);
    }
    if signal.0 == libc::SIGKILL {
        cgroup.let_die()?;
    }
    Ok(())
}

const NOT_RUNNING: Cause = Cause::Status("container not running");

fn signal_all(cgroup: &Cgroup, signal: Signal) -> Result<(), Cause> {
    match signal.0 {
        libc::SIGKILL => Ok(cgroup.kill()?),
        signal => Ok(cgroup.signal_all(signal)?),
    }
}
