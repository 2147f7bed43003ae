//! In which cgroup a process is born.
//!
//! Where a user's systemd has delegated the container's cgroup, its files are the user's. But to move a process there takes
//! the right to do so in the cgroup above both ends, which a caller in a login session does not have: then it is systemd
//! that moves the process, before it goes on.
//!
//! A container that manages cgroups of its own, as one with a systemd does, has moved its processes below and handed
//! controllers down: the kernel lets nobody into the cgroup above any more, and a further process goes where the
//! container's init is.

use std::os::fd::{AsFd, OwnedFd};

use super::Error;
use crate::cgroups::Cgroup;
use crate::sys::Errno;
use crate::sys::clone::{Clone, clone3};

/// The container's v2 cgroup if there is one, or where that is not allowed our own.
pub(super) struct Birthplace<'a> {
    cgroup: &'a Cgroup,
    beside: Option<i32>,
    pub(super) dir: Option<OwnedFd>,
    outside: bool,
}

impl<'a> Birthplace<'a> {
    /// Opens the cgroup's directory; where nobody may be in it, that of the process `beside` which one may go.
    pub(super) fn open(cgroup: &'a Cgroup, beside: Option<i32>) -> Result<Self, Error> {
        Ok(Self { cgroup, beside, dir: cgroup.clone_fd()?, outside: false })
    }

    /// Clones into it.
    pub(super) fn clone3(&mut self, flags: u64) -> Result<Clone, Errno> {
        match clone3(flags, self.dir.as_ref().map(AsFd::as_fd)) {
            Err(Errno::EBUSY) => {
                let beside = self.beside.and_then(|pid| self.cgroup.clone_fd_beside(pid).ok().flatten());
                self.dir = Some(beside.ok_or(Errno::EBUSY)?);
                clone3(flags, self.dir.as_ref().map(AsFd::as_fd))
            }
            Err(Errno::EACCES) if self.cgroup.is_users_unit() => {
                self.outside = true;
                clone3(flags, None)
            }
            cloned => cloned,
        }
    }

    /// Has systemd move the process, which waits, if it was not born there.
    pub(super) fn move_there(&self, pid: i32) -> Result<(), Error> {
        if self.outside { Ok(self.cgroup.receive(pid)?) } else { Ok(()) }
    }
}
