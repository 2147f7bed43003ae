//! A process that does nothing: systemd ends a scope that has none, and the scope is there before the container has its
//! first.

use std::os::fd::{AsFd, OwnedFd};

use nix::unistd::{Pid, getpid, getppid, pause};

use crate::sys::clone::{Clone, clone3, exit_now, pidfd_send_signal, wait_pidfd};
use crate::sys::{self, Context, cred, exec};

/// The process; it ends when this is dropped, or with us.
#[derive(Debug)]
pub struct Placeholder {
    /// Its pid.
    pub(super) pid: i32,
    pidfd: OwnedFd,
}

impl Placeholder {
    pub(super) fn new() -> Result<Self, sys::Error> {
        let parent = getpid();
        match clone3(0, None).during("clone3", "")? {
            Clone::Parent { pid, pidfd } => Ok(Self { pid, pidfd }),
            Clone::Child => wait_for_end_of(parent),
        }
    }
}

/// Without a descriptor: copies of ours would keep locks that should end with us.
fn wait_for_end_of(parent: Pid) -> ! {
    let killed_too = cred::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL.unsigned_abs().into(), 0);
    // Too late for a signal if it has died already.
    if killed_too.is_err() || getppid() != parent || exec::close_range(0, u32::MAX).is_err() {
        exit_now(1);
    }
    loop {
        pause();
    }
}

impl Drop for Placeholder {
    fn drop(&mut self) {
        // It may have died already; then there is only the zombie left to reap.
        let _ = pidfd_send_signal(self.pidfd.as_fd(), libc::SIGKILL);
        let _ = wait_pidfd(self.pidfd.as_fd());
    }
}
