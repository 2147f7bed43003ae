//! Masked and read-only paths. Both skip what is not there.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sys::stat::{fstat, makedev};

use super::{Root, place};
use crate::plan::Target;
use crate::sys::mount::{self, Attr};
use crate::sys::{Errno, closing};

impl Root {
    /// Makes a path read-only with everything below, by a read-only copy of the same tree on top of it.
    pub fn hide_from_writers(&self, path: &Target) -> Result<(), Errno> {
        let Some(target) = present(self.dir()?, path)? else { return Ok(()) };
        let readonly = Attr { set: libc::MOUNT_ATTR_RDONLY, ..Attr::default() };
        let tree = mount::clone_tree_with(target.as_fd(), c"", true, readonly)?;
        cover(target, tree)
    }

    /// Covers a file with `null`, the host's /dev/null, and a directory with an empty one.
    ///
    /// A detached tree cannot be copied (before kernel 6.15), an attached one can: so the first cover is the original.
    pub fn mask(&mut self, path: &Target, null: &mut Option<OwnedFd>) -> Result<(), Errno> {
        let Some(target) = present(self.dir()?, path)? else { return Ok(()) };
        let is_dir = fstat(&target)?.st_mode & libc::S_IFMT == libc::S_IFDIR;
        let first = if is_dir { &mut self.empty } else { &mut self.null };
        if let Some(first) = first {
            return cover(target, mount::clone_tree(first.as_fd(), c"", false)?);
        }
        let tree = if is_dir { empty_dir()? } else { null_device(null.take())? };
        mount::attach(tree.as_fd(), target.as_fd())?;
        closing::later(target);
        *first = Some(tree);
        Ok(())
    }
}

pub(super) fn cover(target: OwnedFd, tree: OwnedFd) -> Result<(), Errno> {
    mount::attach(tree.as_fd(), target.as_fd())?;
    closing::later(target);
    closing::later(tree);
    Ok(())
}

/// One empty, read-only filesystem serves all masked directories of a container.
pub(super) fn empty_dir() -> Result<OwnedFd, Errno> {
    let fs = mount::fsopen(c"tmpfs")?;
    mount::fs_string(fs.as_fd(), c"size", c"0")?;
    mount::fs_string(fs.as_fd(), c"nr_inodes", c"2")?;
    mount::fs_flag(fs.as_fd(), c"ro")?;
    mount::fs_create(fs.as_fd())?;
    let no_use = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOEXEC;
    let empty = mount::fsmount(fs.as_fd(), libc::MOUNT_ATTR_RDONLY | no_use)?;
    closing::later(fs);
    Ok(empty)
}

/// The host's /dev/null, if it is that device and nothing else (CVE-2025-31133).
fn null_device(null: Option<OwnedFd>) -> Result<OwnedFd, Errno> {
    let null = null.ok_or(Errno::ENODEV)?;
    let stat = fstat(&null)?;
    if stat.st_mode & libc::S_IFMT != libc::S_IFCHR || stat.st_rdev != makedev(1, 3) {
        return Err(Errno::ENODEV);
    }
    Ok(null)
}

fn present(root: BorrowedFd, path: &Target) -> Result<Option<OwnedFd>, Errno> {
    match place::open(root, path) {
        Ok(fd) => Ok(Some(fd)),
        Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(None),
        Err(errno) => Err(errno),
    }
}
