//! The one error that reaches the user: what was attempted, why it failed, what to do.
//!
//! Modules have small enums of their own that carry fields; a verb returns any of them as a [`Cause`] with `?`,
//! `commands::dispatch` adds what was attempted, and `main` prints the line, once.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::{cgroups, checkpoint, plan, process, resctrl, spec, state, sys, systemd};

/// A verb that failed.
#[derive(Debug)]
pub struct Error {
    /// The verb and its container, as `create web`.
    pub doing: String,
    /// Why it failed.
    pub cause: Box<Cause>,
    /// Exit code: 1, or 255 where runc says so.
    pub code: u8,
}

/// Why a verb failed.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// A system call.
    #[error(transparent)]
    Sys(#[from] sys::Error),
    /// The text of a document.
    #[error(transparent)]
    Spec(#[from] spec::Error),
    /// The content of a document.
    #[error(transparent)]
    Plan(#[from] plan::Error),
    /// The state on disk.
    #[error(transparent)]
    State(#[from] state::Error),
    /// The cgroup.
    #[error(transparent)]
    Cgroup(#[from] cgroups::Error),
    /// systemd, before there is a cgroup.
    #[error(transparent)]
    Systemd(#[from] systemd::Error),
    /// `exec --cgroup` that points elsewhere.
    #[error("--cgroup: {0} is not a sub cgroup path")]
    Elsewhere(String),
    /// `exec --cgroup` that is not there.
    #[error("--cgroup: adding pid of the new process to {}: no such file or directory", .0.display())]
    NoSubCgroup(PathBuf),
    /// `exec --cgroup` with a controller that the container's cgroup does not have.
    #[error("--cgroup: unknown controller {0}")]
    UnknownController(String),
    /// The class of service.
    #[error(transparent)]
    Resctrl(#[from] resctrl::Error),
    /// A descriptor that was to be handed on is not open.
    #[error("--preserve-fds: descriptor {0} is not open")]
    NotPreserved(u32),
    /// `ps` was given options that leave out the pids.
    #[error("ps: no column is called PID")]
    NoPidColumn,
    /// A process that did not come to be.
    #[error(transparent)]
    Process(#[from] process::Error),
    /// CRIU, and what it has to know.
    #[error(transparent)]
    Checkpoint(#[from] checkpoint::Error),
    /// `checkpoint` of what does not run.
    #[error("Container cannot be checkpointed in {0} state")]
    NothingToCheckpoint(state::Status),
    /// `--status-fd` of nothing.
    #[error("--status-fd: descriptor {0} is not open")]
    NoStatusFd(i32),
    /// `--parent-path` that leads nowhere.
    #[error("invalid --parent-path: {0}")]
    ParentPath(String),
    /// The container's status does not allow it. The words are runc's: engines look for them.
    #[error("{0}")]
    Status(&'static str),
    /// `delete` without `--force`.
    #[error("cannot delete container {id} that is not stopped: {status}")]
    NotStopped {
        /// Container.
        id: String,
        /// Its status.
        status: state::Status,
    },
    /// `spec` does not write over a document.
    #[error("{} exists", .0.display())]
    ConfigExists(PathBuf),
    /// A document that cannot be written as JSON, such as a path that is not UTF-8.
    #[error("{what}: {source}")]
    Json {
        /// Which.
        what: &'static str,
        /// What the writer said.
        source: serde_json::Error,
    },
    /// Reading or writing a stream.
    #[error("{what}: {source}")]
    Io {
        /// Which.
        what: String,
        /// What the system said.
        source: io::Error,
    },
}

impl Cause {
    /// Says which stream an I/O error came from.
    pub fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    /// Says which document could not be written.
    pub fn json(what: &'static str) -> impl FnOnce(serde_json::Error) -> Self {
        move |source| Self::Json { what, source }
    }

    /// What the user can do about it; empty when the reason says it all.
    fn hint(&self) -> Cow<'_, str> {
        match self {
            Self::Sys(err) if err.errno == sys::Errno::ENOSYS => sys::NO_SUCH_CALL.into(),
            Self::Plan(err) => err.hint.as_str().into(),
            Self::State(err) => err.hint().into(),
            Self::Cgroup(err) => err.hint().unwrap_or_default().into(),
            Self::Systemd(err) => err.hint().into(),
            Self::Resctrl(err) => err.hint().into(),
            Self::Process(err) => err.hint().into(),
            Self::Checkpoint(err) => err.hint().into(),
            Self::ParentPath(_) => "name an earlier --image-path relative to this one".into(),
            Self::NotStopped { .. } => "kill it first, or use --force".into(),
            Self::ConfigExists(_) => "remove it first".into(),
            Self::NoPidColumn => "let ps print it, as with -o pid,args".into(),
            _ => "".into(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cause = self.cause.to_string();
        write!(f, "{}: {}", self.doing, cause.trim_end().replace('\n', "; "))?;
        match self.cause.hint() {
            hint if hint.is_empty() => Ok(()),
            hint => write!(f, " (hint: {hint})"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.cause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_line_of_what_why_and_what_to_do() {
        let cause = plan::Error::new("mounts[1].type", "is \"foo\nbar\"").hint("write a type");
        let error = Error { doing: "create web".into(), cause: Box::new(cause.into()), code: 1 };
        assert_eq!(error.to_string(), "create web: mounts[1].type: is \"foo; bar\" (hint: write a type)");
        let error = Error {
            doing: "pause web".into(),
            cause: Box::new(Cause::Status("container not running")),
            code: 1,
        };
        assert_eq!(error.to_string(), "pause web: container not running");
    }
}
