//! Whole small files, replaced as a whole, and locks on them.

use std::ffi::CStr;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use super::fd::{openat2, resolve};
use super::{Context, Errno, Error, errno_of};

/// The whole content of a small file.
pub fn read_at(dir: BorrowedFd, name: &CStr) -> Result<Vec<u8>, Errno> {
    let file = openat2(dir, name, libc::O_RDONLY, 0, resolve::BENEATH | resolve::NO_SYMLINKS)?;
    let mut content = Vec::with_capacity(4096);
    let read = File::from(file).read_to_end(&mut content);
    read.map_err(|err| errno_of(&err))?;
    Ok(content)
}

/// Writes until all of `content` is out.
pub fn write_all(fd: impl AsFd, mut content: &[u8]) -> Result<(), Errno> {
    while !content.is_empty() {
        match nix::unistd::write(&fd, content) {
            Ok(0) => return Err(Errno::EIO),
            Ok(n) => content = &content[n..],
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Replaces a file of `dir` as a whole: readers see the old content or the new.
///
/// Nothing is synced to disk, because state lies on a tmpfs and dies with the machine. Two writers of one
/// directory must exclude each other.
pub fn write_atomic(dir: BorrowedFd, name: &CStr, content: &[u8]) -> Result<(), Errno> {
    const NEW: &CStr = c".new";
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC;
    let file = openat2(dir, NEW, flags, 0o600, resolve::BENEATH | resolve::NO_SYMLINKS)?;
    write_all(&file, content)?;
    nix::fcntl::renameat(dir, NEW, dir, name)
}

/// flock(2) with LOCK_* bits, waiting on through signals.
pub fn flock(fd: BorrowedFd, operation: i32) -> Result<(), Errno> {
    loop {
        // SAFETY: flock takes no pointers.
        match Errno::result(unsafe { libc::flock(fd.as_raw_fd(), operation) }) {
            Err(Errno::EINTR) => {}
            result => return result.map(drop),
        }
    }
}

/// Writes a kernel file that exists, in one write(2).
pub fn write_existing(path: &str, content: &str) -> Result<(), Error> {
    let failed = |err: std::io::Error| errno_of(&err);
    let mut file = File::options().write(true).open(path).map_err(failed).during("open", path)?;
    file.write_all(content.as_bytes())
        .map_err(failed)
        .during("write", format_args!("{path}, {:?}", content.trim_end()))
}
