//! execve(2) with arrays that are built beforehand, so that the last step allocates nothing.

use std::ffi::{CStr, c_char};
use std::os::fd::{AsRawFd, BorrowedFd};

use super::Errno;

/// A NUL-terminated array of C strings, as execve(2) takes for argv and envp.
pub struct CStrArray {
    strings: Vec<Box<[u8]>>,
    pointers: Vec<*const c_char>,
}

impl CStrArray {
    /// Takes the strings.
    pub fn new<'s>(strings: impl IntoIterator<Item = &'s CStr>) -> Self {
        let strings: Vec<Box<[u8]>> =
            strings.into_iter().map(|text| text.to_bytes_with_nul().into()).collect();
        let mut pointers: Vec<_> = strings.iter().map(|text| text.as_ptr().cast()).collect();
        pointers.push(std::ptr::null());
        Self { strings, pointers }
    }

    /// Overwrites string `index` in place with `parts`, as far as they fit.
    pub fn overwrite(&mut self, index: usize, parts: &[&[u8]]) {
        let Some((last, room)) = self.strings.get_mut(index).and_then(|text| text.split_last_mut()) else {
            return;
        };
        let bytes = parts.iter().flat_map(|part| part.iter());
        let filled = room.iter_mut().zip(bytes).map(|(to, from)| *to = *from).count();
        room[filled..].fill(0);
        *last = 0;
    }
}

/// execve(2); returns only to report why it failed.
pub fn execve(path: &CStr, argv: &CStrArray, envp: &CStrArray) -> Errno {
    // SAFETY: path is NUL-terminated; both arrays end in a null pointer and own NUL-terminated strings.
    unsafe { libc::execve(path.as_ptr(), argv.pointers.as_ptr(), envp.pointers.as_ptr()) };
    Errno::last()
}

/// close_range(2) (kernel 5.9): closes from `first` up to, but not including, `end`.
///
/// For descriptors without an owner, or whose owners are never dropped, as in a cloned process, which ends in execve or
/// _exit.
pub fn close_range(first: u32, end: u32) -> Result<(), Errno> {
    if first >= end {
        return Ok(());
    }
    // SAFETY: takes integers. Nobody in this process will use or close these descriptors again: see above.
    Errno::result(unsafe { libc::syscall(libc::SYS_close_range, first, end - 1, 0) }).map(drop)
}

/// execveat(2): executes `name` in `dir`, or `dir` itself when the name is empty; returns only to report why it failed.
pub fn execveat(dir: BorrowedFd, name: &CStr, argv: &CStrArray, envp: &CStrArray) -> Errno {
    let (argv, envp) = (argv.pointers.as_ptr(), envp.pointers.as_ptr());
    let flags = libc::AT_SYMLINK_NOFOLLOW | if name.is_empty() { libc::AT_EMPTY_PATH } else { 0 };
    // SAFETY: name is NUL-terminated; both arrays end in a null pointer and own NUL-terminated strings.
    unsafe { libc::syscall(libc::SYS_execveat, dir.as_raw_fd(), name.as_ptr(), argv, envp, flags) };
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
    may(path, libc::X_OK)
}

/// faccessat2(2) (kernel 5.8): whether the effective user may write `path`.
pub fn may_write(path: &CStr) -> Result<(), Errno> {
    may(path, libc::W_OK)
}

fn may(path: &CStr, access: i32) -> Result<(), Errno> {
    // SAFETY: path is NUL-terminated.
    Errno::result(unsafe {
        libc::syscall(libc::SYS_faccessat2, libc::AT_FDCWD, path.as_ptr(), access, libc::AT_EACCESS)
    })
    .map(drop)
}
