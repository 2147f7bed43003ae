//! Writes to /proc that must reach the kernel: kernel parameters and labels.
//!
//! They go through a procfs that we mounted ourselves, and never across a mount or a link in it, so that an image or
//! a neighbour cannot send them elsewhere (CVE-2019-16884, CVE-2025-52881).

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd};

use super::Root;
use crate::sys::fd::{openat2, resolve};
use crate::sys::{Errno, closing, mount};

impl Root {
    /// Writes a kernel parameter.
    pub fn write_sysctl(&mut self, path: &CStr, value: &CStr) -> Result<(), Errno> {
        let sys = match self.sysctls.take() {
            Some(sys) => sys,
            None => openat2(self.proc()?, c"sys", libc::O_PATH | libc::O_DIRECTORY, 0, STRICT)?,
        };
        write(sys.as_fd(), path, value)?;
        self.sysctls = Some(sys);
        Ok(())
    }

    /// Writes a file of this process, as `attr/exec`.
    pub fn write_self(&mut self, path: &CStr, value: &CStr) -> Result<(), Errno> {
        // thread-self is a link that the kernel makes, so this first step may follow it.
        let how = resolve::NO_XDEV;
        let myself = openat2(self.proc()?, c"thread-self", libc::O_PATH | libc::O_DIRECTORY, 0, how)?;
        write(myself.as_fd(), path, value)
    }

    /// The container's own procfs, if it is at hand, else one that only we can reach.
    fn proc(&mut self) -> Result<BorrowedFd<'_>, Errno> {
        if self.proc.is_none() {
            let fs = mount::fsopen(c"proc")?;
            mount::fs_create(fs.as_fd())?;
            self.proc = Some(mount::fsmount(fs.as_fd(), libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV)?);
        }
        self.proc.as_ref().map(AsFd::as_fd).ok_or(Errno::EBADF)
    }
}

const STRICT: u64 = resolve::BENEATH | resolve::NO_XDEV | resolve::NO_SYMLINKS;

fn write(dir: BorrowedFd, path: &CStr, value: &CStr) -> Result<(), Errno> {
    let file = openat2(dir, path, libc::O_WRONLY, 0, STRICT)?;
    nix::unistd::write(&file, value.to_bytes())?;
    closing::later(file);
    Ok(())
}
