//! Our own binary must not be writable through /proc/PID/exe inside a container (CVE-2019-5736).
//!
//! Until init executes the program it runs from our file, and a program that is a script of the interpreter
//! /proc/self/exe executes that file inside. What a container may do to it is bounded by what our caller may do, so a
//! caller who cannot write the file has nothing to lose, and nothing is done. For any other we execute ourselves once
//! more, from a read-only overlay of the folder that the file is in: it has no upper layer, so nobody can make it
//! writable, and no byte is copied. Where that cannot be had (no privilege, a filesystem that overlayfs refuses, a
//! file that was replaced meanwhile) the second best is a sealed copy in memory.
//!
//! The overlay costs 12 system calls and a second start of the program, together less than half a millisecond;
//! the copy costs the time to copy the whole file. So it is the first thing that the program does, before it has read
//! its command line.

use std::convert::Infallible;
use std::ffi::{CStr, CString, OsString};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;

use nix::fcntl::AtFlags;
use nix::sys::stat::{FileStat, fstatat, stat};
use nix::sys::statfs::{OVERLAYFS_SUPER_MAGIC, Statfs, statfs};
use nix::sys::statvfs::FsFlags;

use super::Error;
use crate::sys::exec::{CStrArray, execveat, may_write};
use crate::sys::start::{Arguments, environment};
use crate::sys::{Context, Errno, errno_of, fd, memfd, mount};

/// This process's file, whatever happened to its path since.
const OWN_BINARY: &CStr = c"/proc/self/exe";

/// Set for the second execution, so that there is no third. Programs and hooks get environments of their own, without.
const MARKER: &CStr = c"HULL_SEALED=1";

/// An overlay without an upper layer must have two lower ones. This one adds nothing: the first one hides it, and both
/// are thrown away with the mount. It must not contain our binary's folder; the kernel refuses if it does.
const SECOND_LAYER: &str = "/dev";

/// Makes sure that this process runs from a file that no container can write to. Does not return if it takes a second
/// execution, with the same `arguments`.
pub fn ensure(arguments: Arguments) -> Result<(), Error> {
    let marked = environment().any(|variable| variable == MARKER);
    if marked && statfs(OWN_BINARY).is_ok_and(is_readonly_overlay) {
        return Ok(());
    }
    let own = stat(OWN_BINARY).during("stat", "/proc/self/exe").map_err(Error::OwnBinary)?;
    if is_sealed(&own) || !could_be_written(&own) {
        return Ok(());
    }
    if marked {
        return Err(Error::StillUnsealed);
    }
    let argv = CStrArray::new(arguments);
    let envp = CStrArray::new(environment().chain([MARKER]));
    let overlay = match execute_from_overlay(&own, &argv, &envp) {
        Ok(never) => match never {},
        Err(cause) => cause,
    };
    match execute_copy(&argv, &envp) {
        Ok(never) => match never {},
        Err(copy) => Err(Error::Unsealed { overlay, copy }),
    }
}

fn open() -> Result<OwnedFd, Errno> {
    fd::openat2(nix::fcntl::AT_FDCWD, OWN_BINARY, libc::O_RDONLY, 0, 0)
}

/// Only a file in memory has seals, and no name.
fn is_sealed(own: &FileStat) -> bool {
    own.st_nlink == 0 && open().is_ok_and(|own| memfd::is_sealed(own.as_fd()))
}

/// Whether the caller, and so a container of theirs, could write the file or give themselves the right to. Root may
/// remount what is read-only.
fn could_be_written(own: &FileStat) -> bool {
    let caller = nix::unistd::geteuid();
    caller.as_raw() == own.st_uid
        || match may_write(OWN_BINARY) {
            Ok(()) => true,
            Err(errno) => errno == Errno::EROFS && caller.is_root(),
        }
}

fn is_readonly_overlay(fs: Statfs) -> bool {
    fs.filesystem_type() == OVERLAYFS_SUPER_MAGIC && fs.flags().contains(FsFlags::ST_RDONLY)
}

/// Executes us from an overlay of the folder that we are in.
fn execute_from_overlay(
    own: &FileStat,
    argv: &CStrArray,
    envp: &CStrArray,
) -> Result<Infallible, crate::sys::Error> {
    let path = nix::fcntl::readlink(OWN_BINARY).during("readlink", "/proc/self/exe")?;
    let (folder, name) = split(path)?;
    let what = || folder.to_string_lossy().into_owned();
    let flags = libc::O_PATH | libc::O_DIRECTORY;
    let folder_fd = fd::openat2(nix::fcntl::AT_FDCWD, &folder, flags, 0, 0).during("open", what())?;
    let found = fstatat(&folder_fd, name.as_c_str(), AtFlags::AT_SYMLINK_NOFOLLOW).during("stat", what())?;
    if (found.st_dev, found.st_ino) != (own.st_dev, own.st_ino) {
        return Err(Errno::ESTALE).during("stat", what());
    }
    let overlay = overlay_of(folder_fd.as_fd()).during("fsopen", format_args!("overlay of {}", what()))?;
    Err(execveat(overlay.as_fd(), &name, argv, envp))
        .during("execveat", format_args!("overlay of {}", what()))
}

fn split(path: OsString) -> Result<(CString, CString), crate::sys::Error> {
    let mut folder = path.into_vec();
    let cut = folder.iter().rposition(|&byte| byte == b'/').ok_or(Errno::ENOENT).during("split", "")?;
    let name = folder.split_off(cut + 1);
    Ok((c_string(folder)?, c_string(name)?))
}

/// A detached, read-only overlay of one directory. The layer is named by its descriptor, so that no path needs escapes.
fn overlay_of(folder: BorrowedFd) -> Result<OwnedFd, Errno> {
    let layers = format!("/proc/self/fd/{}:{SECOND_LAYER}", folder.as_raw_fd());
    let layers = CString::new(layers).map_err(|_| Errno::EINVAL)?;
    let fs = mount::fsopen(c"overlay")?;
    mount::fs_string(fs.as_fd(), c"lowerdir", &layers)?;
    // Where this is on by default, layers that cannot do it are a line in the kernel's log, each time.
    let _ = mount::fs_string(fs.as_fd(), c"xino", c"off");
    mount::fs_create(fs.as_fd())?;
    mount::fsmount(fs.as_fd(), libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NODEV)
}

/// Executes us from a sealed copy.
fn execute_copy(argv: &CStrArray, envp: &CStrArray) -> Result<Infallible, crate::sys::Error> {
    let copy = sealed_copy(open().during("open", "/proc/self/exe")?)?;
    Err(execveat(copy.as_fd(), c"", argv, envp)).during("execveat", "copy of /proc/self/exe")
}

fn sealed_copy(own: OwnedFd) -> Result<OwnedFd, crate::sys::Error> {
    let mut copy = File::from(memfd::create(c"hull").during("memfd_create", "hull")?);
    std::io::copy(&mut File::from(own), &mut copy)
        .map_err(|err| errno_of(&err))
        .during("sendfile", "/proc/self/exe")?;
    memfd::seal(copy.as_fd()).during("fcntl", "F_ADD_SEALS")?;
    Ok(copy.into())
}

fn c_string(text: Vec<u8>) -> Result<CString, crate::sys::Error> {
    CString::new(text).map_err(|_| Errno::EINVAL).during("execveat", "a text with a NUL byte")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use nix::sys::stat::fstat;
    use nix::sys::statfs::fstatfs;

    use super::*;

    #[test]
    fn a_copy_is_whole_and_cannot_be_changed() {
        let own = File::open("/proc/self/exe").unwrap();
        let stat = fstat(&own).unwrap();
        assert!(!memfd::is_sealed(own.as_fd()));
        let copy = sealed_copy(own.into()).unwrap();
        assert!(memfd::is_sealed(copy.as_fd()));
        assert_eq!(fstat(&copy).unwrap().st_size, stat.st_size);
        let mut again = std::fs::OpenOptions::new()
            .write(true)
            .open(format!("/proc/self/fd/{}", copy.as_raw_fd()))
            .unwrap();
        assert_eq!(again.write(b"x").unwrap_err().raw_os_error(), Some(libc::EPERM));
        assert_eq!(again.set_len(0).unwrap_err().raw_os_error(), Some(libc::EPERM));
    }

    #[test]
    fn an_overlay_cannot_be_made_writable() {
        if !nix::unistd::geteuid().is_root() {
            eprintln!("SKIP an_overlay_cannot_be_made_writable: needs root");
            return;
        }
        // A name that overlayfs would have to have escaped, in a path.
        let dir = tempfile::Builder::new().prefix("a b:c,d\\").tempdir().unwrap();
        std::fs::copy("/bin/true", dir.path().join("true")).unwrap();
        let folder = File::open(dir.path()).unwrap();
        let overlay = overlay_of(folder.as_fd()).unwrap();
        let file = fd::openat2(overlay.as_fd(), c"true", libc::O_RDONLY, 0, 0).unwrap();
        assert!(is_readonly_overlay(fstatfs(&file).unwrap()));
        assert!(!is_readonly_overlay(fstatfs(&folder).unwrap()));
        let writable = fd::openat2(overlay.as_fd(), c"true", libc::O_RDWR, 0, 0);
        assert_eq!(writable.unwrap_err(), Errno::EROFS);
        let fs = mount::fspick(overlay.as_fd()).unwrap();
        mount::fs_flag(fs.as_fd(), c"rw").unwrap();
        assert_eq!(mount::fs_reconfigure(fs.as_fd()), Err(Errno::EROFS));
    }
}
