//! The container's root filesystem: host trees are captured before clone, and everything is attached by descriptor.
//!
//! No path inside the root filesystem is ever walked by name alone: [`place`] resolves each with RESOLVE_IN_ROOT,
//! so that links in an image cannot lead out of it.

pub mod attach;
pub mod capture;
mod copyup;
pub mod devices;
pub mod enter;
mod fresh;
pub mod hide;
pub mod place;
pub mod procfs;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use fresh::Fresh;

use crate::sys::Errno;

/// Where programs expect a procfs.
const PROC: &[u8] = b"proc";

/// What init holds of the root filesystem while it builds it.
#[derive(Default)]
pub struct Root {
    /// The root directory.
    dir: Option<OwnedFd>,
    /// A procfs that nothing inside can stand in for.
    proc: Option<OwnedFd>,
    /// Whether that one is at /proc, with nothing of ours on top.
    proc_is_shown: bool,
    /// Its directory of kernel parameters.
    sysctls: Option<OwnedFd>,
    /// Filesystems that are known from their making.
    fresh: Fresh,
    /// The host's /dev/null, where it first covers a file: others get a copy of that mount.
    null: Option<OwnedFd>,
    /// One empty directory, where it first covers one.
    empty: Option<OwnedFd>,
}

impl Root {
    /// The root directory; not known before it was entered.
    pub fn dir(&self) -> Result<BorrowedFd<'_>, Errno> {
        self.dir.as_ref().map(AsFd::as_fd).ok_or(Errno::EBADF)
    }
}
