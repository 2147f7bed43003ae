//! Making processes, moving between namespaces, and ending processes safely by descriptor.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::{Errno, fd::owned};

/// clone3(2) flag (kernel 5.7); libc's constant of this name is too narrow.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// What clone3(2) returned.
pub enum Clone {
    /// We are the new process.
    Child,
    /// We made it; the descriptor refers to it for as long as we hold it.
    Parent {
        /// Its process id as we see it.
        pid: i32,
        /// Its pidfd.
        pidfd: OwnedFd,
    },
}

/// clone3(2) without shared memory (kernel 5.3, CLONE_INTO_CGROUP 5.7): the child is a copy-on-write copy of us.
///
/// `flags` are CLONE_NEW* bits; `cgroup` is a cgroup v2 directory that the child is born in.
///
/// The child must not allocate or take locks where the process has a second thread (only tests have one): a lock that
/// thread holds stays locked in the copy.
pub fn clone3(flags: u64, cgroup: Option<BorrowedFd>) -> Result<Clone, Errno> {
    let mut pidfd: i32 = -1;
    // SAFETY: clone_args is plain integers, for which all zeroes is a valid value.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = flags | u64::from(libc::CLONE_PIDFD.cast_unsigned());
    args.pidfd = (&raw mut pidfd) as u64;
    if flags & u64::from(libc::CLONE_PARENT.cast_unsigned()) == 0 {
        args.exit_signal = libc::SIGCHLD.cast_unsigned().into();
    }
    if let Some(dir) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = dir.as_raw_fd().cast_unsigned().into();
    }
    // SAFETY: args is a valid clone_args of the size passed, and no stack is given, so memory is copied.
    match Errno::result(unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of_val(&args)) })? {
        0 => Ok(Clone::Child),
        pid => Ok(Clone::Parent {
            pid: i32::try_from(pid).map_err(|_| Errno::ERANGE)?,
            // SAFETY: the kernel has just stored this descriptor for us alone.
            pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) },
        }),
    }
}

/// setns(2): joins the namespace behind `fd`; `kind` is its CLONE_NEW* bit, or several with a pidfd (kernel 5.8).
pub fn setns(fd: BorrowedFd, kind: i32) -> Result<(), Errno> {
    // SAFETY: takes a descriptor and an integer.
    Errno::result(unsafe { libc::setns(fd.as_raw_fd(), kind) }).map(drop)
}

/// unshare(2).
pub fn unshare(flags: i32) -> Result<(), Errno> {
    // SAFETY: no CLONE_VM or CLONE_FILES semantics that Rust relies on change; takes an integer.
    Errno::result(unsafe { libc::unshare(flags) }).map(drop)
}

/// pidfd_open(2) (kernel 5.3).
pub fn pidfd_open(pid: i32) -> Result<OwnedFd, Errno> {
    // SAFETY: takes integers.
    owned(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })
}

/// pidfd_send_signal(2) (kernel 5.1).
pub fn pidfd_send_signal(pidfd: BorrowedFd, signal: i32) -> Result<(), Errno> {
    let none = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: takes a descriptor, integers and a null siginfo, which means an ordinary kill.
    Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, none, 0) })
        .map(drop)
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// exit(2) with this code.
    Code(i32),
    /// Killed by this signal.
    Signal(i32),
}

impl Exit {
    /// The code a shell would report: 128 + n for signal n.
    #[must_use]
    pub fn shell_code(self) -> u8 {
        let code = match self {
            Self::Code(code) => code & 0xff,
            Self::Signal(signal) => (128 + signal) & 0xff,
        };
        u8::try_from(code).unwrap_or(u8::MAX)
    }
}

/// Waits for our child behind `pidfd` to end, and reaps it (waitid(2), P_PIDFD, kernel 5.4).
pub fn wait_pidfd(pidfd: BorrowedFd) -> Result<Exit, Errno> {
    // SAFETY: siginfo_t is plain data, for which all zeroes is a valid value.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let id = pidfd.as_raw_fd().cast_unsigned();
    loop {
        // SAFETY: info is writable memory of the right type.
        match Errno::result(unsafe { libc::waitid(libc::P_PIDFD, id, &raw mut info, libc::WEXITED) }) {
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
            Ok(_) => break,
        }
    }
    // SAFETY: waitid filled the child fields of info.
    let status = unsafe { info.si_status() };
    Ok(if info.si_code == libc::CLD_EXITED { Exit::Code(status) } else { Exit::Signal(status) })
}

/// Reaps any one child that has ended already, without waiting; `None` when there is none.
pub fn reap_any() -> Result<Option<(i32, Exit)>, Errno> {
    let mut status = 0;
    loop {
        // SAFETY: status is writable memory of the right type.
        match Errno::result(unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) }) {
            Err(Errno::EINTR) => {}
            Ok(0) | Err(Errno::ECHILD) => return Ok(None),
            Ok(pid) if libc::WIFSIGNALED(status) => {
                return Ok(Some((pid, Exit::Signal(libc::WTERMSIG(status)))));
            }
            Ok(pid) => return Ok(Some((pid, Exit::Code(libc::WEXITSTATUS(status))))),
            Err(errno) => return Err(errno),
        }
    }
}

/// _exit(2): ends this process without running any of our own clean-up, as a cloned child must.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: always sound; never returns.
    unsafe { libc::_exit(code) }
}

/// NS_GET_NSTYPE (kernel 4.11): the CLONE_NEW* bit of the namespace behind `fd`; ENOTTY for any other file.
pub fn namespace_kind(fd: BorrowedFd) -> Result<i32, Errno> {
    const NS_GET_NSTYPE: libc::Ioctl = 0xb703;
    // SAFETY: this ioctl takes no argument.
    Errno::result(unsafe { libc::ioctl(fd.as_raw_fd(), NS_GET_NSTYPE) })
}
