//! Reading and writing one cgroup file.

use std::os::fd::OwnedFd;
use std::path::Path;

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use super::Error;
use crate::sys::Errno;

/// Opens for writing, without creating: cgroup files are the kernel's.
pub(super) fn open_for_writing(file: &Path) -> Result<OwnedFd, Errno> {
    open(file, OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())
}

/// Opens for reading.
pub(super) fn open_for_reading(file: &Path) -> Result<OwnedFd, Errno> {
    open(file, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())
}

/// Opens a directory.
pub(super) fn open_dir(dir: &Path) -> Result<OwnedFd, Errno> {
    open(dir, OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
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
    write_to(&open_for_writing(file)?, value)
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

/// [`read`], for callers that expect a refusal.
pub(super) fn try_read(file: &Path) -> Result<String, Errno> {
    read_from(&open_for_reading(file)?)
}

/// Reads an open file from its present offset to its end.
pub(super) fn read_from(file: &OwnedFd) -> Result<String, Errno> {
    let mut text = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        match nix::unistd::read(file, &mut chunk) {
            Ok(0) => return String::from_utf8(text).map_err(|_| Errno::EILSEQ),
            Ok(n) => text.extend_from_slice(&chunk[..n]),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// The number after `key` in a file of `key value` lines.
pub(super) fn keyed(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}
