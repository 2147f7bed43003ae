//! Device nodes and symbolic links.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::{FileStat, Mode, SFlag, fstatat, mknodat};

use super::Root;
use super::enter::here;
use super::place::{self, Missing};
use crate::plan::{DeviceNode, Target};
use crate::sys::{Errno, fd, mount};

impl Root {
    /// Makes a device node, or binds the host's where nodes cannot be made.
    pub fn device(&self, node: &DeviceNode) -> Result<(), Errno> {
        match &node.bind {
            Some(source) => self.bind_device(node, source),
            None => self.make_node(node),
        }
    }

    fn make_node(&self, node: &DeviceNode) -> Result<(), Errno> {
        let parent = self.parent(&node.path)?;
        let (dir, name) = parent.parts();
        let (kind, mode) = (SFlag::from_bits_truncate(node.mode), Mode::from_bits_truncate(node.mode));
        let number = nix::sys::stat::makedev(node.major.into(), node.minor.into());
        match mknodat(dir, name, kind, mode, number) {
            Err(Errno::EEXIST) => {
                let found = fstatat(dir, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
                if !is_node(&found, node, number) {
                    return Err(Errno::EEXIST);
                }
            }
            made => made?,
        }
        if (node.uid, node.gid) != (0, 0) {
            let (uid, gid) = (nix::unistd::Uid::from_raw(node.uid), nix::unistd::Gid::from_raw(node.gid));
            nix::unistd::fchownat(dir, name, Some(uid), Some(gid), AtFlags::AT_SYMLINK_NOFOLLOW)?;
        }
        Ok(())
    }

    fn bind_device(&self, node: &DeviceNode, source: &CStr) -> Result<(), Errno> {
        let target = match place::open_to_cover(self.dir()?, &node.path) {
            Err(Errno::ENOENT) => place::make_missing(self.dir()?, &node.path, Missing::File)?,
            found => found?,
        };
        let tree = mount::clone_tree(here(), source, false)?;
        mount::attach(tree.as_fd(), target.as_fd())
    }

    /// The directory that holds a target, and the target's name.
    fn parent<'t>(&self, target: &'t Target) -> Result<Parent<'_, 't>, Errno> {
        match self.fresh.parent(target) {
            Some((dir, name)) => Ok(Parent::Known(dir, name)),
            None => place::parent(self.dir()?, target).map(|(dir, name)| Parent::Opened(dir, name)),
        }
    }

    /// Makes a symbolic link. One that is there already with the same content is good; anything else stays, unless
    /// it is to be replaced.
    pub fn symlink(&self, path: &Target, to: &CStr, replace: bool) -> Result<(), Errno> {
        let parent = self.parent(path)?;
        let (dir, name) = parent.parts();
        match nix::unistd::symlinkat(to, dir, name) {
            Err(Errno::EEXIST) if replace && !is_link_to(dir, name, to) => {
                nix::unistd::unlinkat(dir, name, nix::unistd::UnlinkatFlags::NoRemoveDir)?;
                nix::unistd::symlinkat(to, dir, name)
            }
            Err(Errno::EEXIST) => Ok(()),
            done => done,
        }
    }

    /// Opens the multiplexer of the container's own devpts.
    pub fn open_ptmx(&self) -> Result<OwnedFd, Errno> {
        let flags = libc::O_RDWR | libc::O_NOCTTY;
        let how = fd::resolve::IN_ROOT | fd::resolve::NO_MAGICLINKS;
        let master = match fd::openat2(self.dir()?, c"dev/pts/ptmx", flags, 0, how) {
            Err(Errno::ENOENT | Errno::EACCES) => fd::openat2(self.dir()?, c"dev/ptmx", flags, 0, how)?,
            opened => opened?,
        };
        let stat = nix::sys::stat::fstat(&master)?;
        let ptmx = nix::sys::stat::makedev(5, 2);
        if stat.st_mode & libc::S_IFMT != libc::S_IFCHR || stat.st_rdev != ptmx {
            return Err(Errno::ENOTTY);
        }
        Ok(master)
    }

    /// Binds the slave of a pseudoterminal on /dev/console, by descriptor (CVE-2025-52565).
    pub fn bind_console(&self, slave: BorrowedFd) -> Result<(), Errno> {
        let dir = fd::openat2(
            self.dir()?,
            c"dev",
            libc::O_PATH | libc::O_DIRECTORY,
            0,
            fd::resolve::IN_ROOT | fd::resolve::NO_MAGICLINKS,
        )?;
        match mknodat(&dir, c"console", SFlag::S_IFREG, Mode::from_bits_truncate(0o666), 0) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(errno),
        }
        let flags = OFlag::O_PATH.bits() | libc::O_NOFOLLOW;
        let target = fd::openat2(dir.as_fd(), c"console", flags, 0, fd::resolve::NO_SYMLINKS)?;
        let tree = mount::clone_tree(slave, c"", false)?;
        mount::attach(tree.as_fd(), target.as_fd())
    }
}

/// A directory, and a name in it.
enum Parent<'r, 't> {
    Known(BorrowedFd<'r>, &'t CStr),
    Opened(OwnedFd, &'t CStr),
}

impl<'t> Parent<'_, 't> {
    fn parts(&self) -> (BorrowedFd<'_>, &'t CStr) {
        match self {
            Self::Known(dir, name) => (*dir, name),
            Self::Opened(dir, name) => (dir.as_fd(), name),
        }
    }
}

fn is_node(found: &FileStat, node: &DeviceNode, number: u64) -> bool {
    let same_kind = found.st_mode & libc::S_IFMT == node.mode & libc::S_IFMT;
    same_kind && (node.mode & libc::S_IFMT == libc::S_IFIFO || found.st_rdev == number)
}

fn is_link_to(dir: BorrowedFd, name: &CStr, to: &CStr) -> bool {
    let mut content = [0; 256];
    fd::readlinkat(dir, name, &mut content).is_ok_and(|length| &content[..length] == to.to_bytes())
}
