//! Into the root filesystem, and away from the host's.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::Root;
use super::hide;
use super::place::{self, Missing};
use crate::plan::{PropagationChange, Target, Text};
use crate::sys::mount::{self, Attr};
use crate::sys::{Errno, closing, fd};

impl Root {
    /// Makes the mounts we inherited private, so that taking them away later is not felt on the host.
    pub fn isolate(&self) -> Result<(), Errno> {
        mount::set_all(Attr { propagation: libc::MS_PRIVATE, ..Attr::default() })
    }

    /// Attaches the root filesystem at `path`, else on top of `/`.
    pub fn enter(&mut self, tree: OwnedFd, path: Option<&CStr>) -> Result<(), Errno> {
        mount::attach_at(tree.as_fd(), here(), path.unwrap_or(c"/"))?;
        self.dir = Some(tree);
        Ok(())
    }

    /// The root filesystem we are in already.
    pub fn current() -> Result<Self, Errno> {
        let dir = fd::openat2(here(), c"/", libc::O_PATH | libc::O_DIRECTORY, 0, 0)?;
        Ok(Self { dir: Some(dir), ..Self::default() })
    }

    /// Makes a directory with its parents, unless it is there.
    pub fn make_dir(&self, path: &Target) -> Result<(), Errno> {
        match place::open(self.dir()?, path) {
            Err(Errno::ENOENT) => place::make_missing(self.dir()?, path, Missing::Dir).map(closing::later),
            found => found.map(closing::later),
        }
    }

    /// Makes a directory the working one, and proves that it is inside: a descriptor of the host that leaked to us
    /// must not become a way out (CVE-2024-21626).
    pub fn change_dir(&self, path: &Target) -> Result<(), Errno> {
        let dir = place::open(self.dir()?, path)?;
        nix::unistd::fchdir(&dir)?;
        closing::later(dir);
        let mut real = [0; 4096];
        let length = fd::getcwd(&mut real)?;
        if length == 0 || real[0] != b'/' {
            return Err(Errno::EXDEV);
        }
        Ok(())
    }

    /// pivot_root(2), then lets go of the host's tree.
    pub fn pivot(&self) -> Result<(), Errno> {
        nix::unistd::fchdir(self.dir()?)?;
        mount::pivot_root_here()?;
        mount::detach(c".")?;
        nix::unistd::chdir(c"/")
    }

    /// chroot(2) instead, for roots that cannot be pivoted away from, such as an initramfs.
    ///
    /// The root filesystem must be on top of `/` then: a process that leaves a chroot upwards comes to whatever is there.
    /// And with a procfs or sysfs that is whole somewhere, hidden or not, the kernel lets a user namespace mount another
    /// one past our masks: so those of the host go.
    pub fn chroot(&self, moves: bool, without: &[Text]) -> Result<(), Errno> {
        without.iter().try_for_each(|view| take_away(view))?;
        if moves {
            mount::attach_at(self.dir()?, here(), c"/")?;
        }
        nix::unistd::fchdir(self.dir()?)?;
        nix::unistd::chroot(c".")?;
        nix::unistd::chdir(c"/")
    }

    /// Changes the propagation of `/`.
    pub fn propagate(&self, changes: &[PropagationChange]) -> Result<(), Errno> {
        change_propagation(self.dir()?, changes)
    }

    /// Makes `/` read-only, but not what is mounted below it.
    pub fn make_readonly(&self) -> Result<(), Errno> {
        mount::set_attr(self.dir()?, false, Attr { set: libc::MOUNT_ATTR_RDONLY, ..Attr::default() })
    }
}

/// Unmounts, or covers what came locked from another user namespace.
fn take_away(view: &CStr) -> Result<(), Errno> {
    match mount::detach(view) {
        Err(Errno::EINVAL) => {
            let target = fd::openat2(here(), view, libc::O_PATH, 0, 0)?;
            hide::cover(target, hide::empty_dir()?)
        }
        Err(Errno::ENOENT) => Ok(()),
        detached => detached,
    }
}

/// Applies changes of propagation in order.
pub(super) fn change_propagation(mount: BorrowedFd, changes: &[PropagationChange]) -> Result<(), Errno> {
    changes.iter().try_for_each(|change| {
        mount::set_attr(mount, change.recursive, Attr { propagation: change.kind, ..Attr::default() })
    })
}

/// The working directory, for absolute paths.
pub(super) fn here() -> BorrowedFd<'static> {
    nix::fcntl::AT_FDCWD
}
