//! Reading and writing one cgroup file.

use std::ffi::CStr;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

use super::Error;
use crate::sys::{Errno, closing, fd};

/// Opens for writing, without creating: cgroup files are the kernel's.
pub(super) fn open_for_writing(file: &Path) -> Result<OwnedFd, Errno> {
    fd::open(file, libc::O_WRONLY)
}

/// The same by the cgroup's directory.
pub(super) fn open_in(dir: BorrowedFd, file: &CStr) -> Result<OwnedFd, Errno> {
    fd::openat2(dir, file, libc::O_WRONLY, 0, 0)
}

/// Opens for reading.
pub(super) fn open_for_reading(file: &Path) -> Result<OwnedFd, Errno> {
    fd::open(file, libc::O_RDONLY)
}

/// Opens a directory.
pub(super) fn open_dir(dir: &Path) -> Result<OwnedFd, Errno> {
    fd::open(dir, libc::O_RDONLY | libc::O_DIRECTORY)
}

/// Writes a value in one call, as cgroup files demand.
pub(super) fn write(file: &Path, value: &str) -> Result<(), Error> {
    try_write(file, value).map_err(|errno| Error::Write {
        file: file.to_owned(),
        value: value.to_owned(),
        errno,
    })
}

/// [`write`], for callers that expect a refusal.
pub(super) fn try_write(file: &Path, value: &str) -> Result<(), Errno> {
    let file = open_for_writing(file)?;
    write_to(&file, value)?;
    closing::later(file);
    Ok(())
}

/// Writes a value to an open file.
pub(super) fn write_to(file: &OwnedFd, value: &str) -> Result<(), Errno> {
    loop {
        match nix::unistd::write(file, value.as_bytes()) {
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Reads a whole file.
pub(super) fn read(file: &Path) -> Result<String, Error> {
    try_read(file).map_err(|errno| Error::Read { file: file.to_owned(), errno })
}

/// [`read`], where `None` stands for a file that the kernel does not have, or a cgroup that has gone.
pub(super) fn read_if_there(file: &Path) -> Result<Option<String>, Error> {
    match try_read(file) {
        Ok(text) => Ok(Some(text)),
        Err(Errno::ENOENT | Errno::ENODEV | Errno::EOPNOTSUPP) => Ok(None),
        Err(errno) => Err(Error::Read { file: file.to_owned(), errno }),
    }
}

/// A whole file of as many records as there are, such as `cgroup.procs`: it ends where a read finds nothing.
pub(super) fn try_read_list(dir: BorrowedFd, file: &CStr) -> Result<String, Errno> {
    read_open(fd::openat2(dir, file, libc::O_RDONLY, 0, 0)?, |_| false)
}

/// [`read`], for callers that expect a refusal. The kernel hands out a value in one piece, so that it ends where a read
/// finds less than it has room for.
pub(super) fn try_read(file: &Path) -> Result<String, Errno> {
    read_open(open_for_reading(file)?, |length| length < CHUNK)
}

/// How much is read at once.
const CHUNK: usize = 4096;

fn read_open(file: OwnedFd, is_last: fn(usize) -> bool) -> Result<String, Errno> {
    let mut text = Vec::new();
    let mut chunk = [0; CHUNK];
    loop {
        match nix::unistd::read(&file, &mut chunk) {
            Ok(length) => {
                text.extend_from_slice(&chunk[..length]);
                if length == 0 || is_last(length) {
                    closing::later(file);
                    return String::from_utf8(text).map_err(|_| Errno::EILSEQ);
                }
            }
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// The number after `key` in a file of `key value` lines.
pub(super) fn keyed(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}
