//! Masked and read-only paths. Both skip what is not there.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::fcntl::AtFlags;
use nix::sys::stat::{FileStat, fstat, fstatat, makedev};

use super::{PROC, Root, place};
use crate::plan::Target;
use crate::sys::mount::{self, Attr};
use crate::sys::{Errno, closing};

/// What is to be hidden, and is there.
enum Present<'r, 't> {
    Opened(OwnedFd),
    /// Right below the procfs that we have mounted: its names are the kernel's, and need no walk.
    Named(BorrowedFd<'r>, &'t CStr),
}

impl Root {
    /// Makes a path read-only with everything below, by a read-only copy of the same tree on top of it.
    pub fn hide_from_writers(&self, path: &Target) -> Result<(), Errno> {
        let Some((target, _)) = self.present(path)? else { return Ok(()) };
        let readonly = Attr { set: libc::MOUNT_ATTR_RDONLY, ..Attr::default() };
        let (dir, name) = target.parts();
        let tree = mount::clone_tree_with(dir, name, true, readonly)?;
        target.cover(tree.as_fd())?;
        closing::later(tree);
        Ok(())
    }

    /// Covers a file with `null`, the host's /dev/null, and a directory with an empty one.
    ///
    /// A detached tree cannot be copied (before kernel 6.15), an attached one can: so the first cover is the original.
    pub fn mask(&mut self, path: &Target, null: &mut Option<OwnedFd>) -> Result<(), Errno> {
        let Some((target, is_dir)) = self.present(path)? else { return Ok(()) };
        if let Some(first) = if is_dir { &self.empty } else { &self.null } {
            let copy = mount::clone_tree(first.as_fd(), c"", false)?;
            target.cover(copy.as_fd())?;
            closing::later(copy);
            return Ok(());
        }
        let tree = if is_dir { empty_dir()? } else { null_device(null.take())? };
        target.cover(tree.as_fd())?;
        *(if is_dir { &mut self.empty } else { &mut self.null }) = Some(tree);
        Ok(())
    }

    /// Finds a path, and whether it is a directory.
    fn present<'t>(&self, path: &'t Target) -> Result<Option<(Present<'_, 't>, bool)>, Errno> {
        let named = self.in_proc(path).map(|(proc, name)| {
            let found = fstatat(proc, name, AtFlags::AT_SYMLINK_NOFOLLOW);
            found.map(|stat| (Present::Named(proc, name), stat))
        });
        let found = match named {
            // Links are followed by walking.
            Some(Ok((_, link))) if kind(&link) == libc::S_IFLNK => self.opened(path),
            Some(found) => found,
            None => self.opened(path),
        };
        match found {
            Ok((present, stat)) => Ok(Some((present, kind(&stat) == libc::S_IFDIR))),
            Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    fn opened<'t>(&self, path: &'t Target) -> Result<(Present<'_, 't>, FileStat), Errno> {
        let place = place::open(self.dir()?, path)?;
        let stat = fstat(&place)?;
        Ok((Present::Opened(place), stat))
    }

    /// The procfs at /proc and a name in it, of a target right below.
    fn in_proc<'t>(&self, target: &'t Target) -> Option<(BorrowedFd<'_>, &'t CStr)> {
        match place::split(target)? {
            (PROC, name) if self.proc_is_shown => Some((self.proc.as_ref()?.as_fd(), name)),
            _ => None,
        }
    }
}

impl Present<'_, '_> {
    fn parts(&self) -> (BorrowedFd<'_>, &CStr) {
        match self {
            Self::Opened(place) => (place.as_fd(), c""),
            Self::Named(dir, name) => (*dir, name),
        }
    }

    fn cover(self, tree: BorrowedFd) -> Result<(), Errno> {
        match self {
            Self::Named(dir, name) => mount::attach_at(tree, dir, name),
            Self::Opened(place) => {
                mount::attach(tree, place.as_fd())?;
                closing::later(place);
                Ok(())
            }
        }
    }
}

const fn kind(stat: &FileStat) -> libc::mode_t {
    stat.st_mode & libc::S_IFMT
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
    if kind(&stat) != libc::S_IFCHR || stat.st_rdev != makedev(1, 3) {
        return Err(Errno::ENODEV);
    }
    Ok(null)
}
