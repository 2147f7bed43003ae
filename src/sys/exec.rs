//! execve(2) with arrays that are built beforehand, so that the last step allocates nothing.

use std::ffi::{CStr, CString, c_char};

use super::Errno;

/// A NUL-terminated array of C strings, as execve(2) takes for argv and envp.
pub struct CStrArray {
    strings: Vec<CString>,
    pointers: Vec<*const c_char>,
}

impl CStrArray {
    /// Takes the strings; one more can be added later without allocating.
    #[must_use]
    pub fn new(strings: Vec<CString>) -> Self {
        let mut pointers: Vec<_> = strings.iter().map(|s| s.as_ptr()).collect();
        pointers.push(std::ptr::null());
        Self { strings, pointers }
    }

    /// The strings.
    #[must_use]
    pub fn strings(&self) -> &[CString] {
        &self.strings
    }
}

/// execve(2); returns only to report why it failed.
pub fn execve(path: &CStr, argv: &CStrArray, envp: &CStrArray) -> Errno {
    // SAFETY: path is NUL-terminated; both arrays end in a null pointer and own their strings.
    unsafe { libc::execve(path.as_ptr(), argv.pointers.as_ptr(), envp.pointers.as_ptr()) };
    Errno::last()
}

/// close_range(2) with CLOSE_RANGE_CLOEXEC (kernel 5.11): everything from `first` on closes at exec.
pub fn close_from_on_exec(first: u32) -> Result<(), Errno> {
    // SAFETY: takes integers; nothing is closed now, so no owner is surprised.
    Errno::result(unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) })
        .map(drop)
}

/// faccessat2(2) (kernel 5.8): whether the effective user may execute `path`.
pub fn may_execute(path: &CStr) -> Result<(), Errno> {
    // SAFETY: path is NUL-terminated.
    Errno::result(unsafe {
        libc::syscall(libc::SYS_faccessat2, libc::AT_FDCWD, path.as_ptr(), libc::X_OK, libc::AT_EACCESS)
    })
    .map(drop)
}
