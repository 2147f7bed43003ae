//! Whole small files, replaced as a whole, and locks on them.

use std::ffi::{CStr, OsString};
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use nix::sys::stat::fstat;

use super::fd::{self, openat2, resolve};
use super::{Context, Errno, Error, closing, errno_of};

/// How files of a container's folder are opened.
pub const BENEATH: u64 = resolve::BENEATH | resolve::NO_SYMLINKS;

/// The whole content of a file of a directory. O_NONBLOCK: a FIFO in its place must not hold us up.
pub fn read_at(dir: BorrowedFd, name: &CStr) -> Result<Vec<u8>, Errno> {
    read_open(openat2(dir, name, libc::O_RDONLY | libc::O_NONBLOCK, 0, BENEATH)?)
}

/// The whole content of a file.
pub fn read(path: &Path) -> Result<Vec<u8>, Errno> {
    read_open(fd::open(path, libc::O_RDONLY)?)
}

fn read_open(file: OwnedFd) -> Result<Vec<u8>, Errno> {
    let stat = fstat(&file)?;
    let is_regular = stat.st_mode & libc::S_IFMT == libc::S_IFREG;
    let mut content = Vec::new();
    loop {
        // One byte more than there should be: a read that does not fill it has come to the end.
        let room = usize::try_from(stat.st_size).unwrap_or(0).saturating_sub(content.len()).max(4095) + 1;
        let filled = content.len();
        content.resize(filled + room, 0);
        let length = match nix::unistd::read(&file, &mut content[filled..]) {
            Err(Errno::EINTR) => 0,
            Ok(0) => return Ok(finished(file, content, filled)),
            Ok(length) if is_regular && length < room => return Ok(finished(file, content, filled + length)),
            read => read?,
        };
        content.truncate(filled + length);
    }
}

fn finished(file: OwnedFd, mut content: Vec<u8>, length: usize) -> Vec<u8> {
    closing::later(file);
    content.truncate(length);
    content
}

/// Reads small files one after another, each into the room that the one before had.
#[derive(Debug, Default)]
pub struct Reader {
    path: Vec<u8>,
    content: Vec<u8>,
}

impl Reader {
    /// The whole content of a file below `dir`, which is regular or handed out by the kernel in one piece: its end is
    /// where a read finds less than it has room for.
    pub fn read(&mut self, dir: BorrowedFd, names: &[&str], resolve: u64) -> Result<&[u8], Errno> {
        self.path.clear();
        for (before, name) in std::iter::once("").chain(std::iter::repeat("/")).zip(names) {
            self.path.extend_from_slice(before.as_bytes());
            self.path.extend_from_slice(name.as_bytes());
        }
        self.path.push(0);
        let path = CStr::from_bytes_with_nul(&self.path).map_err(|_| Errno::EINVAL)?;
        let file = openat2(dir, path, libc::O_RDONLY | libc::O_NONBLOCK, 0, resolve)?;
        let mut filled = 0;
        loop {
            if filled == self.content.len() {
                self.content.resize(filled + 4096, 0);
            }
            match nix::unistd::read(&file, &mut self.content[filled..]) {
                Err(Errno::EINTR) => continue,
                read => filled += read?,
            }
            if filled < self.content.len() {
                closing::later(file);
                return Ok(&self.content[..filled]);
            }
        }
    }
}

/// What one read(2) of a kernel's file finds, which is all of a file that the kernel hands out in one piece.
pub fn read_piece<'b>(path: &Path, buffer: &'b mut [u8]) -> Result<&'b [u8], Errno> {
    let file = fd::open(path, libc::O_RDONLY)?;
    let length = nix::unistd::read(&file, buffer)?;
    closing::later(file);
    Ok(&buffer[..length])
}

/// Where an open file is, as the kernel tells it.
pub fn path_of(file: BorrowedFd) -> Result<PathBuf, Errno> {
    let link = format!("/proc/self/fd/{}", file.as_raw_fd());
    let path = nix::fcntl::readlink(link.as_str())?.into_vec();
    // Otherwise it has no path in our mount namespace.
    if path.first() == Some(&b'/') { Ok(OsString::from_vec(path).into()) } else { Err(Errno::ENOENT) }
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
    let file = openat2(dir, NEW, flags, 0o600, BENEATH)?;
    write_all(&file, content)?;
    closing::later(file);
    nix::fcntl::renameat(dir, NEW, dir, name)
}

/// Writes a file that is not there yet. Readers may see it empty.
pub fn write_new(dir: BorrowedFd, name: &CStr, content: &[u8]) -> Result<(), Errno> {
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL;
    let file = openat2(dir, name, flags, 0o600, BENEATH)?;
    write_all(&file, content)?;
    closing::later(file);
    Ok(())
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
