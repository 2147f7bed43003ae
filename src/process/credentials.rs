//! Who init becomes (credentials(7)), step by step.

use std::os::fd::AsFd;

use nix::unistd::{Gid, Uid};

use crate::plan::Identity;
use crate::sys::{Errno, cred};

/// Becomes uid and gid 0 of a user namespace.
pub(super) fn become_root(drop_groups: bool) -> Result<(), Errno> {
    if drop_groups {
        match cred::setgroups(&[]) {
            // setgroups(2) is denied where an unprivileged user made the map (CVE-2014-8989).
            Err(Errno::EPERM) | Ok(()) => {}
            Err(errno) => return Err(errno),
        }
    }
    cred::setgid(0)?;
    cred::setuid(0)
}

/// Lets the user reopen /dev/stdin and its like; what cannot be given away stays as it is.
pub(super) fn own_stdio(uid: u32) -> Result<(), Errno> {
    for fd in [std::io::stdin().as_fd(), std::io::stdout().as_fd(), std::io::stderr().as_fd()] {
        let Ok(stat) = nix::sys::stat::fstat(fd) else { continue };
        let null =
            stat.st_mode & libc::S_IFMT == libc::S_IFCHR && stat.st_rdev == nix::sys::stat::makedev(1, 3);
        if stat.st_uid == uid || null {
            continue;
        }
        match nix::unistd::fchown(fd, Some(Uid::from_raw(uid)), None::<Gid>) {
            Ok(()) | Err(Errno::EINVAL | Errno::EPERM | Errno::EROFS | Errno::ENOSYS | Errno::ENOTSUP) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Drops capabilities from the bounding set.
pub(super) fn drop_bounding(caps: &[u8]) -> Result<(), Errno> {
    for &cap in caps {
        match cred::prctl(libc::PR_CAPBSET_DROP, cap.into(), 0) {
            // A capability that is newer than this kernel.
            Ok(_) | Err(Errno::EINVAL) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Becomes the program's user, but keeps what is permitted.
pub(super) fn become_user(identity: &Identity) -> Result<(), Errno> {
    if let Some(groups) = &identity.groups {
        match cred::setgroups(groups) {
            Err(Errno::EPERM) if groups.is_empty() => {}
            done => done?,
        }
    }
    cred::setgid(identity.gid)?;
    if identity.uid == 0 {
        return cred::setuid(0);
    }
    // Without this the step away from uid 0 would take the permitted capabilities.
    cred::prctl(libc::PR_SET_KEEPCAPS, 1, 0)?;
    cred::setuid(identity.uid)?;
    cred::prctl(libc::PR_SET_KEEPCAPS, 0, 0).map(drop)
}
