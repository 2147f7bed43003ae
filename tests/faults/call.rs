//! One system call: its name, what it is about, and the errors that the kernel gives for such a call.

use std::fmt;

use hull::plan::seccomp::Syscall;
use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace;
use nix::unistd::Pid;

use super::trace::text_at;

/// The registers of a process that stands in front of a call or behind it.
pub struct Registers {
    pid: Pid,
    #[cfg(target_arch = "x86_64")]
    raw: libc::user_regs_struct,
}

#[cfg(target_arch = "x86_64")]
impl Registers {
    pub fn of(pid: Pid) -> Result<Self, Errno> {
        Ok(Self { pid, raw: ptrace::getregs(pid)? })
    }

    /// Whether the call is still to be made: until then, this is what the kernel has for an answer.
    pub fn entering(&self) -> bool {
        self.raw.rax == u64::from((Errno::ENOSYS as i32).unsigned_abs()).wrapping_neg()
    }

    fn number(&self) -> u64 {
        self.raw.orig_rax
    }

    fn arguments(&self) -> [u64; 4] {
        [self.raw.rdi, self.raw.rsi, self.raw.rdx, self.raw.r10]
    }

    /// In front of a call: it will not be made.
    pub fn skip(mut self) {
        self.raw.orig_rax = u64::MAX;
        ptrace::setregs(self.pid, self.raw).ok();
    }

    /// Behind a call: this is what it said.
    pub fn answer(mut self, errno: Errno) {
        self.raw.rax = u64::from((errno as i32).unsigned_abs()).wrapping_neg();
        ptrace::setregs(self.pid, self.raw).ok();
    }
}

/// A call that was about to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Its name.
    pub name: String,
    /// The path or word that it is about, or its first argument if it has none.
    pub about: String,
}

/// Calls whose argument of that place is a text.
const TEXTS: [(&str, usize); 23] = [
    ("open", 0),
    ("openat", 1),
    ("openat2", 1),
    ("stat", 0),
    ("lstat", 0),
    ("newfstatat", 1),
    ("statx", 1),
    ("mkdir", 0),
    ("mkdirat", 1),
    ("rmdir", 0),
    ("unlink", 0),
    ("unlinkat", 1),
    ("rename", 0),
    ("renameat", 1),
    ("readlink", 0),
    ("readlinkat", 1),
    ("mount", 1),
    ("fsopen", 0),
    ("execve", 0),
    ("execveat", 1),
    ("access", 0),
    ("symlinkat", 0),
    ("mknodat", 1),
];

/// Calls whose first argument says what they do.
const WORDS: [&str; 4] = ["prctl", "arch_prctl", "setns", "unshare"];

/// Calls whose first argument is a file.
const FILES: [&str; 13] = [
    "read",
    "write",
    "writev",
    "readv",
    "pread64",
    "close",
    "fstat",
    "fstatfs",
    "getdents64",
    "lseek",
    "recvmsg",
    "sendmsg",
    "sendto",
];

/// The file behind a descriptor, without the numbers that differ from run to run.
fn file_of(pid: Pid, fd: u64) -> String {
    let path = std::fs::read_link(format!("/proc/{pid}/fd/{fd}")).unwrap_or_default();
    let path = path.to_string_lossy();
    path.split_once(":[").map_or_else(|| path.to_string(), |(kind, _)| kind.to_owned())
}

impl Call {
    pub fn read(pid: Pid, registers: &Registers) -> Self {
        let number = registers.number();
        let mut all = Syscall::all();
        let name = all.find(|call| call.number(hull::seccomp::NATIVE).map(u64::from) == Some(number));
        let name = name.map_or_else(|| number.to_string(), |call| call.name().to_owned());
        let text = TEXTS.iter().find(|(call, _)| *call == name);
        let about = match text {
            Some((_, place)) => text_at(pid, registers.arguments()[*place]).unwrap_or_default(),
            None if name == "fcntl" || name == "ioctl" => format!("{:#x}", registers.arguments()[1]),
            None if name == "fsconfig" => text_at(pid, registers.arguments()[2]).unwrap_or_default(),
            None if FILES.contains(&&*name) => file_of(pid, registers.arguments()[0]),
            None if WORDS.contains(&&*name) => format!("{:#x}", registers.arguments()[0]),
            None => String::new(),
        };
        Self { name, about }
    }

    /// Errors that the kernel gives for such calls, the most telling one first; none for a call that cannot fail.
    pub fn errors(&self) -> &'static [Errno] {
        use Errno::{
            EACCES, EAGAIN, EBUSY, ECONNREFUSED, EINTR, EINVAL, EIO, EMFILE, ENFILE, ENOBUFS, ENOENT, ENOMEM,
            ENOSPC, EPERM, EPIPE, EROFS,
        };
        match &*self.name {
            "exit" | "exit_group" | "rt_sigreturn" | "getpid" | "gettid" | "getuid" | "geteuid"
            | "getgid" | "getegid" | "umask" | "set_tid_address" | "getppid" | "sched_yield"
            | "restart_syscall" => &[],
            "read" | "pread64" | "readv" | "getdents64" => &[EIO, EINTR, ENOMEM],
            "write" | "pwrite64" | "writev" | "ftruncate" | "copy_file_range" => {
                &[EIO, ENOSPC, EINTR, EINVAL]
            }
            "open" | "openat" | "openat2" | "open_tree" | "fsopen" | "fspick" | "pidfd_open" => {
                &[EMFILE, EACCES, ENOENT, EIO]
            }
            "memfd_create" | "dup" | "dup3" | "socketpair" | "epoll_create1" | "eventfd2" | "signalfd4"
            | "pipe2" => &[EMFILE, ENFILE, ENOMEM],
            "socket" => &[EMFILE, ENOBUFS, EACCES],
            "bind" | "listen" => &[EACCES, ENOMEM],
            "connect" => &[ECONNREFUSED, EAGAIN, EINTR],
            "sendmsg" | "sendto" => &[ENOBUFS, EPIPE, EINTR],
            "accept" | "accept4" | "recvmsg" | "recvfrom" => &[ENOMEM, EINTR, EMFILE],
            "poll" | "ppoll" | "epoll_wait" | "epoll_pwait" | "waitid" | "wait4" | "flock" | "futex" => {
                &[ENOMEM, EINTR]
            }
            "clock_nanosleep" | "nanosleep" => &[EINTR],
            "mkdir" | "mkdirat" | "mknodat" | "symlinkat" | "rename" | "renameat" | "renameat2" => {
                &[ENOSPC, EACCES, EIO, EROFS]
            }
            "unlink" | "unlinkat" | "rmdir" => &[EIO, EACCES],
            "clone" | "clone3" | "fork" | "vfork" => &[EAGAIN, ENOMEM, EPERM],
            "mmap" | "munmap" | "mprotect" | "brk" | "mremap" | "madvise" => &[ENOMEM],
            "fsconfig" | "fsmount" | "move_mount" | "mount_setattr" | "mount" | "umount2" | "pivot_root" => {
                &[EPERM, ENOMEM, EINVAL, EBUSY]
            }
            "setuid" | "setgid" | "setresuid" | "setresgid" | "setgroups" => &[EPERM, EAGAIN, ENOMEM],
            "unshare" | "setns" | "bpf" | "seccomp" => &[EPERM, ENOMEM, EINVAL, ENOSPC],
            "execve" | "execveat" => &[ENOMEM, EACCES, EIO],
            "stat" | "lstat" | "newfstatat" | "statx" | "readlink" | "readlinkat" | "statfs" => {
                &[EIO, ENOENT, EACCES]
            }
            "fstat" | "fstatfs" => &[EIO, ENOMEM],
            "kill" | "pidfd_send_signal" => &[EPERM, ENOMEM],
            "keyctl" => &[EIO, ENOMEM],
            _ => &[EPERM, EINVAL, ENOMEM],
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.about {
            "" => f.write_str(&self.name),
            about => write!(f, "{} {about}", self.name),
        }
    }
}
