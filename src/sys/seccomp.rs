//! seccomp(2).

use std::ffi::c_ulong;
use std::os::fd::OwnedFd;

use super::Errno;
use super::fd::owned;

/// One instruction of a classic BPF program.
pub use libc::sock_filter as Instruction;

/// Loads a filter for the calling thread; with SECCOMP_FILTER_FLAG_NEW_LISTENER returns the listener.
/// Allocates nothing, so it can be the last step before exec.
pub fn load(program: &[Instruction], flags: c_ulong) -> Result<Option<OwnedFd>, Errno> {
    let len = u16::try_from(program.len()).map_err(|_| Errno::EINVAL)?;
    let program = libc::sock_fprog { len, filter: program.as_ptr().cast_mut() };
    // SAFETY: the program is as long as it says, and the kernel only reads it.
    let ret =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program) };
    match Errno::result(ret)? {
        fd if flags & libc::SECCOMP_FILTER_FLAG_NEW_LISTENER != 0 => owned(fd).map(Some),
        0 => Ok(None),
        // TSYNC alone reports the thread that cannot follow as a positive number.
        _ => Err(Errno::ESRCH),
    }
}

/// Whether the kernel knows filter flags: if so, it goes on to miss the program.
pub fn knows_flags(flags: c_ulong) -> bool {
    // SAFETY: the null program makes the call fail, whatever the flags are.
    let ret = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, std::ptr::null::<u8>())
    };
    ret == -1 && Errno::last() == Errno::EFAULT
}
