//! Files in memory that nobody can change any more (memfd_create(2), file seals).

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use super::{Errno, fd::owned};

/// memfd_create(2): a file that can be sealed and executed, closed on exec.
pub fn create(name: &CStr) -> Result<OwnedFd, Errno> {
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    // SAFETY: name is NUL-terminated.
    let create = |flags: u32| owned(unsafe { libc::syscall(libc::SYS_memfd_create, name.as_ptr(), flags) });
    // Before kernel 6.3 all were executable, and the flag is unknown.
    match create(flags | libc::MFD_EXEC) {
        Err(Errno::EINVAL) => create(flags),
        made => made,
    }
}

/// F_ADD_SEALS: nothing of the file can change, nor can the seals.
pub fn seal(file: BorrowedFd) -> Result<(), Errno> {
    let seals = libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;
    // SAFETY: takes a descriptor and integers.
    Errno::result(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) }).map(drop)
}

/// F_GET_SEALS: whether the content can never change. No other kind of file has seals.
#[must_use]
pub fn is_sealed(file: BorrowedFd) -> bool {
    // SAFETY: takes a descriptor.
    let seals = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GET_SEALS) };
    seals >= 0 && seals & libc::F_SEAL_WRITE != 0
}
