//! Why a process could not be made, and what to do about it.

use super::hints;
use super::hooks::Outcome;
use crate::plan::{IdKind, Op};
use crate::sys::clone::Exit;
use crate::sys::{self, Errno};
use crate::{cgroups, seccomp};

/// JSON path of the OOM score.
pub(super) const OOM_SCORE: &str = "process.oomScoreAdj";

/// A container, or a further process in it, that did not come to be.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something that the parent opens for init.
    #[error("{at}: {doing}: {cause}")]
    Open {
        /// JSON path.
        at: String,
        /// What was attempted.
        doing: String,
        /// Why it failed.
        cause: sys::Error,
    },
    /// An interface that cannot be moved.
    #[error("{at}: {cause}")]
    NetDevice {
        /// JSON path.
        at: String,
        /// Why it failed.
        cause: sys::Error,
    },
    /// The first process cannot be made.
    #[error("clone into {}: {cause}", if namespaces.is_empty() { "the container" } else { namespaces })]
    Clone {
        /// The new namespaces, by name.
        namespaces: String,
        /// Whether one of them is a user namespace.
        user_ns: bool,
        /// Why not.
        cause: sys::Error,
    },
    /// The kernel refuses an id map.
    #[error("linux.{}: {cause}", kind.property())]
    Map {
        /// Whose ids.
        kind: IdKind,
        /// Why.
        cause: sys::Error,
    },
    /// The program that writes an id map is not there.
    #[error("linux.{}: {}: not found in $PATH", kind.property(), kind.tool())]
    NoMapTool {
        /// Whose ids.
        kind: IdKind,
    },
    /// The program that writes an id map did not.
    #[error("linux.{}: {} refuses {lines:?}: {}", kind.property(), kind.tool(), said.trim())]
    MapTool {
        /// Whose ids.
        kind: IdKind,
        /// The map.
        lines: String,
        /// What the program said.
        said: String,
    },
    /// A step of init.
    #[error("{}{doing}: {}{}", prefix(at), explain(*errno), said_suffix(said))]
    Step {
        /// JSON path; empty for what every container gets.
        at: String,
        /// What was attempted.
        doing: String,
        /// The operation, for the hint.
        op: Box<Op>,
        /// Why it failed.
        errno: Errno,
        /// What the kernel or a program said.
        said: String,
    },
    /// The program. The words are runc's: engines tell 126 and 127 from them.
    #[error("process.args[0]: exec: {name:?}: {}", program_reason(name, *found, *errno))]
    Program {
        /// args[0].
        name: String,
        /// Whether there is such a file, which could not be executed.
        found: bool,
        /// Why it failed.
        errno: Errno,
    },
    /// `start` of a container whose config.json has no process.
    #[error("process: is missing")]
    NoProgram,
    /// A hook.
    #[error("{at}: error running {}: {path} {outcome}{}", hook_name(at), said_suffix(said))]
    Hook {
        /// JSON path.
        at: String,
        /// The program.
        path: String,
        /// How it ended.
        outcome: Outcome,
        /// What it said last.
        said: String,
    },
    /// Init ended without a word.
    #[error("init died before the container was ready: {}{}", ended(*exit), if *oom { ", out of memory" } else { "" })]
    Died {
        /// How.
        exit: Exit,
        /// Whether the kernel's OOM killer struck in the container's cgroup.
        oom: bool,
    },
    /// Init ended after it was let go, and before the program.
    #[error("init died before it executed the program")]
    NeverExecuted,
    /// The conversation with init.
    #[error("init said something unexpected")]
    Protocol,
    /// `process.terminal` without anyone to take the terminal.
    #[error("process.terminal: there is nobody to take the terminal")]
    NoConsole,
    /// A terminal is taken by nobody.
    #[error("--console-socket: the container has no terminal")]
    NoTerminal,
    /// Our own file cannot be looked at.
    #[error("this program's own file: {0}")]
    OwnBinary(sys::Error),
    /// Our own file is writable, and neither way to run from another one works.
    #[error("a container could overwrite this program: {overlay}; {copy}")]
    Unsealed {
        /// Why there is no overlay.
        overlay: sys::Error,
        /// Why there is no copy.
        copy: sys::Error,
    },
    /// We were told that we run from a protected file, and do not.
    #[error("a container could overwrite this program, although HULL_SEALED is set")]
    StillUnsealed,
    /// Nobody takes the seccomp listener.
    #[error("linux.seccomp.listenerPath: failed to connect with seccomp agent: {0}")]
    Agent(sys::Error),
    /// A system call of the parent.
    #[error(transparent)]
    Sys(#[from] sys::Error),
    /// The cgroup.
    #[error(transparent)]
    Cgroup(#[from] cgroups::Error),
    /// The filter.
    #[error("linux.seccomp: {0}")]
    Seccomp(#[from] seccomp::Error),
}

impl Error {
    /// What the user can do about it; empty when the reason says it all.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            _ if self.errno() == Some(Errno::ENOSYS) => sys::NO_SUCH_CALL.to_owned(),
            Self::Open { cause, at, .. } => hints::open(at, cause.errno).to_owned(),
            Self::Clone { user_ns, cause, .. } => hints::clone(cause.errno, *user_ns).to_owned(),
            Self::Map { cause: sys::Error { errno: Errno::EPERM, .. }, .. } => {
                "ids can be mapped that are mapped in the user namespace around us; its 0 needs CAP_SETFCAP (Linux 5.12)"
                    .to_owned()
            }
            Self::NoMapTool { kind } => format!(
                "install the package uidmap (shadow-utils), or give linux.{} one line that maps your own id alone",
                kind.property()
            ),
            Self::MapTool { kind, .. } => format!(
                "the ranges must be yours in {}; {} needs its set-user-ID bit, and a caller without no_new_privs",
                kind.database(),
                kind.tool()
            ),
            Self::NetDevice { cause, .. } => hints::net_device(cause.errno).to_owned(),
            Self::Step { op, errno, .. } => hints::step(op, *errno).to_owned(),
            Self::Program { errno, found, .. } => match errno {
                Errno::ENOENT if *found => {
                    "put what its #! line names, or its dynamic loader, into the root filesystem"
                }
                Errno::ENOENT => {
                    "check args[0] and PATH in process.env; the path is looked up inside the root filesystem"
                }
                Errno::EACCES => "make the file executable for the container's user",
                Errno::ENOEXEC => "the file is no program for this machine, or a script without #!",
                _ => "",
            }
            .to_owned(),
            Self::NoProgram => "say in config.json what to run, and create the container anew".to_owned(),
            Self::NoConsole => "pass --console-socket, or use run without --detach".to_owned(),
            Self::NoTerminal => "set process.terminal to true, or drop the option".to_owned(),
            Self::OwnBinary(_) => "/proc must be mounted".to_owned(),
            Self::Unsealed { .. } => {
                "install it where its caller cannot write, or let it use overlayfs or memfd_create(2)"
                    .to_owned()
            }
            Self::StillUnsealed => "remove the variable from the environment".to_owned(),
            Self::Died { oom: true, .. } => "raise linux.resources.memory.limit".to_owned(),
            Self::NeverExecuted => "was it killed, by somebody or for lack of memory?".to_owned(),
            Self::Cgroup(err) => err.hint().unwrap_or_default(),
            _ => String::new(),
        }
    }

    /// The kernel's answer, if that is the reason.
    fn errno(&self) -> Option<Errno> {
        match self {
            Self::Open { cause, .. }
            | Self::NetDevice { cause, .. }
            | Self::Clone { cause, .. }
            | Self::Map { cause, .. }
            | Self::OwnBinary(cause)
            | Self::Agent(cause)
            | Self::Unsealed { copy: cause, .. }
            | Self::Sys(cause) => Some(cause.errno),
            Self::Step { errno, .. } | Self::Program { errno, .. } => Some(*errno),
            _ => None,
        }
    }
}

fn prefix(at: &str) -> String {
    if at.is_empty() { String::new() } else { format!("{at}: ") }
}

fn explain(errno: Errno) -> String {
    match errno {
        Errno::EXDEV => "it is outside the container".to_owned(),
        errno => sys::reason(errno),
    }
}

/// `hooks.prestart[1]` as engines look for it.
fn hook_name(at: &str) -> String {
    let parts = at
        .strip_prefix("hooks.")
        .and_then(|rest| rest.strip_suffix(']'))
        .and_then(|rest| rest.split_once('['));
    parts.map_or_else(|| "hook".to_owned(), |(kind, index)| format!("{kind} hook #{index}"))
}

fn program_reason(name: &str, found: bool, errno: Errno) -> String {
    match errno {
        Errno::ENOENT if found => format!("its interpreter: exec {name}: no such file or directory"),
        Errno::ENOENT if name.contains('/') => format!("stat {name}: no such file or directory"),
        Errno::ENOENT => "executable file not found in $PATH".to_owned(),
        Errno::EISDIR => "is a directory: permission denied".to_owned(),
        errno => sys::reason(errno),
    }
}

fn said_suffix(said: &str) -> String {
    match said.trim() {
        "" => String::new(),
        said => format!(": {said}"),
    }
}

fn ended(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => format!("exit status {code}"),
        Exit::Signal(signal) => format!("killed by signal {signal}"),
    }
}
