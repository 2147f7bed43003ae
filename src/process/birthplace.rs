//! In which cgroup a process is born.
//!
//! Where a user's systemd has delegated the container's cgroup, its files are the user's. But to move a process there takes
//! the right to do so in the cgroup above both ends, which a caller in a login session does not have: then it is systemd
//! that moves the process, before it goes on.

use std::os::fd::{AsFd, OwnedFd};

use super::Error;
use crate::cgroups::Cgroup;
use crate::sys::Errno;
use crate::sys::clone::{Clone, clone3};

/// The container's v2 cgroup if there is one, or where that is not allowed our own.
pub(super) struct Birthplace<'a> {
    cgroup: &'a Cgroup,
    pub(super) dir: Option<OwnedFd>,
    outside: bool,
}

impl<'a> Birthplace<'a> {
    /// Opens the cgroup's directory.
    pub(super) fn open(cgroup: &'a Cgroup) -> Result<Self, Error> {
        Ok(Self { cgroup, dir: cgroup.clone_fd()?, outside: false })
    }

    /// Clones into it.
    pub(super) fn clone3(&mut self, flags: u64) -> Result<Clone, Errno> {
        match clone3(flags, self.dir.as_ref().map(AsFd::as_fd)) {
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
