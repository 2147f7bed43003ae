//! Opening, reading and writing by directory descriptor.

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::Path;

use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::sys::stat::Mode;

use super::Errno;

/// openat2(2) `resolve` bits (kernel 5.6).
pub mod resolve {
    /// Do not cross mount points.
    pub const NO_XDEV: u64 = libc::RESOLVE_NO_XDEV;
    /// Do not follow magic links such as /proc/self/fd/N.
    pub const NO_MAGICLINKS: u64 = libc::RESOLVE_NO_MAGICLINKS;
    /// Do not follow any symbolic link.
    pub const NO_SYMLINKS: u64 = libc::RESOLVE_NO_SYMLINKS;
    /// Stay below the directory; `..` and absolute links that leave it fail.
    pub const BENEATH: u64 = libc::RESOLVE_BENEATH;
    /// The directory is `/` for the whole walk.
    pub const IN_ROOT: u64 = libc::RESOLVE_IN_ROOT;
}

/// How often a scoped walk is tried; a machine that mounts and renames all the time lets one through sooner.
const WALKS: usize = 128;

/// openat2(2); O_CLOEXEC is always added.
pub fn openat2(dir: BorrowedFd, path: &CStr, flags: i32, mode: u32, resolve: u64) -> Result<OwnedFd, Errno> {
    // SAFETY: open_how is plain integers, for which all zeroes is a valid value.
    let mut how: libc::open_how = unsafe { std::mem::zeroed() };
    how.flags = u64::from((flags | libc::O_CLOEXEC).cast_unsigned());
    how.mode = u64::from(mode);
    how.resolve = resolve;
    let open = || {
        // SAFETY: path is NUL-terminated, how is a valid open_how of the size passed.
        owned(unsafe {
            libc::syscall(
                libc::SYS_openat2,
                dir.as_raw_fd(),
                path.as_ptr(),
                &raw const how,
                size_of_val(&how),
            )
        })
    };
    // A scoped walk through `..` fails with EAGAIN when anybody on the machine mounts or renames meanwhile.
    let scoped = resolve & (resolve::BENEATH | resolve::IN_ROOT) != 0;
    let again = if scoped { WALKS } else { 0 };
    (0..again).map(|_| open()).find(|opened| !matches!(opened, Err(Errno::EAGAIN))).unwrap_or_else(open)
}

/// openat(2) of a path on the host; O_CLOEXEC is always added. The C library's open(3) would set it once more.
pub fn open(path: &Path, flags: i32) -> Result<OwnedFd, Errno> {
    openat(AT_FDCWD, path, OFlag::from_bits_retain(flags | libc::O_CLOEXEC), Mode::empty())
}

/// Turns a system call's result into a descriptor that we own.
pub(super) fn owned(ret: libc::c_long) -> Result<OwnedFd, Errno> {
    let fd = i32::try_from(Errno::result(ret)?).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel has just returned this descriptor to us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Reads from a descriptor until end of file, into `buf`; returns the filled part.
pub fn read_into(fd: impl AsFd, buf: &mut [u8]) -> Result<&[u8], Errno> {
    let mut filled = 0;
    while filled < buf.len() {
        match nix::unistd::read(&fd, &mut buf[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(&buf[..filled])
}

/// readlinkat(2) into `content`; returns how much of it was filled.
pub fn readlinkat(dir: BorrowedFd, name: &CStr, content: &mut [u8]) -> Result<usize, Errno> {
    // SAFETY: name is NUL-terminated; the pointer and length describe one writable slice.
    let length = Errno::result(unsafe {
        libc::readlinkat(dir.as_raw_fd(), name.as_ptr(), content.as_mut_ptr().cast(), content.len())
    })?;
    usize::try_from(length).map_err(|_| Errno::EINVAL)
}

/// getdents64(2): as many whole entries as fit; none at the end of the directory.
pub fn read_entries<'b>(dir: BorrowedFd, entries: &'b mut [u8]) -> Result<&'b [u8], Errno> {
    // SAFETY: the pointer and length describe one writable slice.
    let length = Errno::result(unsafe {
        libc::syscall(libc::SYS_getdents64, dir.as_raw_fd(), entries.as_mut_ptr(), entries.len())
    })?;
    usize::try_from(length).ok().and_then(|length| entries.get(..length)).ok_or(Errno::EINVAL)
}

/// getcwd(2) into `path`; returns how much was filled, the final NUL included. Unlike getcwd(3) it tells the truth
/// about a directory that is not below `/`: the text then starts with `(unreachable)`.
pub fn getcwd(path: &mut [u8]) -> Result<usize, Errno> {
    // SAFETY: the pointer and length describe one writable slice.
    let length = Errno::result(unsafe { libc::syscall(libc::SYS_getcwd, path.as_mut_ptr(), path.len()) })?;
    usize::try_from(length).map_err(|_| Errno::EINVAL)
}

/// Descriptor 0.
// SAFETY: sys/start.rs makes sure that descriptors 0 to 2 are open, and nothing here closes them.
pub const STDIN: BorrowedFd<'static> = unsafe { BorrowedFd::borrow_raw(libc::STDIN_FILENO) };

/// Whether a descriptor of this number is open.
#[must_use]
pub fn is_open(fd: i32) -> bool {
    // SAFETY: F_GETFD only asks.
    unsafe { libc::fcntl(fd, libc::F_GETFD) >= 0 }
}
