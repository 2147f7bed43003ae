//! Extended attributes by descriptor (xattr(7)).

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::Errno;

/// XATTR_LIST_MAX and XATTR_SIZE_MAX of the kernel.
pub const MAX: usize = 65536;

/// flistxattr(2): names, each with its NUL.
pub fn list<'b>(fd: BorrowedFd, names: &'b mut [u8; MAX]) -> Result<&'b [u8], Errno> {
    // SAFETY: the pointer and length describe one writable array.
    let length = Errno::result(unsafe { libc::flistxattr(fd.as_raw_fd(), names.as_mut_ptr().cast(), MAX) })?;
    names.get(..length.cast_unsigned()).ok_or(Errno::ERANGE)
}

/// fgetxattr(2).
pub fn get<'b>(fd: BorrowedFd, name: &CStr, value: &'b mut [u8; MAX]) -> Result<&'b [u8], Errno> {
    let room = value.as_mut_ptr().cast();
    // SAFETY: name is NUL-terminated; the pointer and length describe one writable array.
    let length = Errno::result(unsafe { libc::fgetxattr(fd.as_raw_fd(), name.as_ptr(), room, MAX) })?;
    value.get(..length.cast_unsigned()).ok_or(Errno::ERANGE)
}

/// fsetxattr(2).
pub fn set(fd: BorrowedFd, name: &CStr, value: &[u8]) -> Result<(), Errno> {
    let (name, value, length) = (name.as_ptr(), value.as_ptr().cast(), value.len());
    // SAFETY: name is NUL-terminated; the pointer and length describe one slice.
    Errno::result(unsafe { libc::fsetxattr(fd.as_raw_fd(), name, value, length, 0) }).map(drop)
}
