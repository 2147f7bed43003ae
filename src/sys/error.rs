//! A failed system call that keeps its arguments until someone prints it.

use std::fmt;

use super::Errno;

/// What was called, on what, and what the kernel answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// Name of the system call.
    pub call: &'static str,
    /// Its arguments, as far as they help a reader.
    pub what: String,
    /// The kernel's answer.
    pub errno: Errno,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({}): {}", self.call, self.what, reason(self.errno))
    }
}

impl std::error::Error for Error {}

/// An errno in words, in lower case: engines find their exit codes by looking for "permission denied" and the like.
#[must_use]
pub fn reason(errno: Errno) -> String {
    match errno {
        // Words of the C standard and of sockets, which say nothing of a file.
        Errno::ERANGE => "out of range".to_owned(),
        Errno::EOPNOTSUPP => "operation not supported".to_owned(),
        errno => errno.desc().to_lowercase(),
    }
}

/// What to do about ENOSYS.
pub const NO_SUCH_CALL: &str = "hull needs Linux 5.14, and no seccomp filter around it that hides calls of this kernel: see docs/kernel-features.md";

/// Names the call that a bare errno came from.
pub trait Context<T> {
    /// Adds the call's name and arguments.
    fn during(self, call: &'static str, what: impl fmt::Display) -> Result<T, Error>;
}

impl<T, E: Into<Errno>> Context<T> for Result<T, E> {
    fn during(self, call: &'static str, what: impl fmt::Display) -> Result<T, Error> {
        self.map_err(|errno| Error { call, what: what.to_string(), errno: errno.into() })
    }
}

/// The errno inside an I/O error of the standard library; EIO for one that did not come from the kernel.
#[must_use]
pub fn errno_of(err: &std::io::Error) -> Errno {
    err.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}

impl From<Error> for Errno {
    fn from(err: Error) -> Self {
        err.errno
    }
}
