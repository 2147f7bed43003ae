//! Why a process could not be made, and what to do about it.

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
    #[error("process.args[0]: exec: {name:?}: {}", program_reason(name, *errno))]
    Program {
        /// args[0].
        name: String,
        /// Why it failed.
        errno: Errno,
    },
    /// `start` of a container whose config.json has no process.
    #[error("process: is missing")]
    NoProgram,
    /// A hook.
    #[error("{at}: hook {path} {outcome}{}", said_suffix(said))]
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
            Self::Open { cause, at, .. } => hint_open(at, cause.errno).to_owned(),
            Self::Clone { user_ns, cause, .. } => hint_clone(cause.errno, *user_ns).to_owned(),
            Self::NoMapTool { kind } => format!(
                "install the package uidmap (shadow-utils), or give linux.{} one line that maps your own id alone",
                kind.property()
            ),
            Self::MapTool { kind, .. } => format!(
                "the ranges must be yours in {}; {} needs its set-user-ID bit, and a caller without no_new_privs",
                kind.database(),
                kind.tool()
            ),
            Self::NetDevice { cause, .. } => hint_net_device(cause.errno).to_owned(),
            Self::Step { op, errno, .. } => hint_step(op, *errno).to_owned(),
            Self::Program { errno, .. } => match errno {
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
            Self::Cgroup(err) => err.hint().unwrap_or_default(),
            _ => String::new(),
        }
    }
}

fn hint_open(at: &str, errno: Errno) -> &'static str {
    match errno {
        Errno::ENOENT if at == "root.path" => {
            "the root filesystem must exist; a relative path counts from the bundle"
        }
        Errno::ENOENT if at.starts_with("mounts") => "create the source on the host, or remove the mount",
        Errno::ENOTDIR if at == "root.path" => "the root filesystem must be a directory",
        Errno::EACCES if at == OOM_SCORE => {
            "a score below the runtime's own needs CAP_SYS_RESOURCE on the host"
        }
        Errno::ENOTTY => "the file is no namespace: use one of /proc/PID/ns/",
        Errno::EINVAL if at.starts_with("mounts") => {
            "is the source's filesystem able to do this (unbindable, no idmapping)?"
        }
        _ => "",
    }
}

fn hint_clone(errno: Errno, user_ns: bool) -> &'static str {
    match errno {
        Errno::EPERM if user_ns => {
            "user namespaces are denied here: by a sysctl (kernel.unprivileged_userns_clone, \
             kernel.apparmor_restrict_unprivileged_userns), or by the seccomp filter of a container around us"
        }
        Errno::EPERM => {
            "without CAP_SYS_ADMIN the container needs a user namespace: see what `hull spec --rootless` writes"
        }
        Errno::ENOSPC | Errno::EUSERS => {
            "the limit of namespaces is reached: see /proc/sys/user/, and namespaces(7) on nesting"
        }
        Errno::EACCES => {
            "the cgroup is delegated to the caller, who is not in the delegated part of the tree: \
             call from a cgroup inside, as systemd-run --user --scope makes one"
        }
        Errno::EBUSY => {
            "the cgroup hands controllers down, so it takes no processes: choose another cgroupsPath"
        }
        Errno::ENOSYS => "hull needs clone3(2): Linux 5.14, and no filter around us that hides it",
        _ => "",
    }
}

fn hint_net_device(errno: Errno) -> &'static str {
    match errno {
        Errno::ENODEV => "the runtime's network namespace has no interface of that name",
        Errno::EEXIST => "the container's network namespace has an interface of that name: choose another",
        Errno::EBUSY => "the interfaces are there already: leave them out, or join another namespace",
        Errno::EINVAL => "some interfaces, such as lo, cannot leave their network namespace",
        Errno::EPERM => "moving an interface needs CAP_NET_ADMIN in both network namespaces",
        _ => "",
    }
}

/// Hints by operation and errno.
fn hint_step(op: &Op, errno: Errno) -> &'static str {
    match (op, errno) {
        (Op::JoinContainer { .. }, Errno::EPERM) => {
            "the container is another user's, or waits for start: until then it hides from unprivileged callers"
        }
        (Op::CloneTree { tree, .. }, errno) => hint_open(&tree.at, errno),
        (Op::NewFs(_), Errno::EINVAL) => {
            "an option that this filesystem does not know, or a value that it refuses"
        }
        (Op::NewFs(_), Errno::ENODEV) => "this kernel does not have that filesystem",
        (Op::NewFs(new), Errno::EPERM) => hint_denied(new.fs.to_bytes()),
        (Op::Attach(_), Errno::EPERM) => OVER_PROC,
        (Op::NewFs(_) | Op::Attach(_), Errno::ELOOP) => "the target is a symbolic link where none is allowed",
        (Op::Attach(_) | Op::NewFs(_), Errno::ENOTDIR) => "a directory goes on a directory, a file on a file",
        (Op::Device(_), Errno::EEXIST) => "something else is at that place in the root filesystem: remove it",
        (Op::Device(_), Errno::EPERM) => "device nodes need CAP_MKNOD on the host",
        (Op::Rlimit(_), Errno::EPERM) => "raising a hard limit needs CAP_SYS_RESOURCE on the host",
        (Op::Sysctl { .. }, Errno::ENOENT) => "this kernel does not have that parameter",
        (Op::Sysctl { .. }, Errno::EINVAL) => "the kernel refuses the value",
        (Op::Cwd { .. }, Errno::EXDEV | Errno::ENOENT | Errno::ELOOP) => {
            "the working directory must be inside the root filesystem"
        }
        (Op::Identity(_), Errno::EINVAL) => "the id is not mapped in linux.uidMappings or linux.gidMappings",
        (Op::Identity(_), Errno::EPERM) => {
            "supplementary groups need setgroups(2), which this user namespace denies"
        }
        (Op::MemoryPolicy { .. }, Errno::EINVAL) => {
            "this kernel does not know the mode or a flag of it, or the machine has no such node"
        }
        (Op::Label { file, .. }, Errno::ENOENT) if file.to_bytes().starts_with(b"attr/apparmor") => {
            "the kernel has no profile of that name: load it with apparmor_parser -r"
        }
        (Op::Label { .. } | Op::LabelRoot { .. }, Errno::EINVAL) => "the policy has no such label",
        (Op::Label { .. }, Errno::EACCES | Errno::EPERM) => {
            "the policy or profile of the runtime does not allow it to use that one"
        }
        (Op::Seccomp, Errno::EINVAL) => "this kernel does not know one of the filter's flags",
        (Op::PivotRoot, Errno::EINVAL) => {
            "the host's root cannot be pivoted away from (an initramfs?): use --no-pivot"
        }
        _ => "",
    }
}

const OVER_PROC: &str = "a mount over /proc is refused unless it is one of the files that may be covered";

/// What a filesystem of this type must belong to, if the container is in a user namespace.
fn hint_denied(fs: &[u8]) -> &'static str {
    match fs {
        b"sysfs" => {
            "in a user namespace sysfs needs a network namespace of the container's own, and a /sys around us \
             that nothing is mounted over: bind /sys instead"
        }
        b"proc" => {
            "in a user namespace procfs needs a pid namespace of the container's own, and a /proc around us \
             that nothing is mounted over, such as masks: bind /proc instead"
        }
        b"mqueue" => "in a user namespace mqueue needs an ipc namespace of the container's own",
        b"cgroup" | b"cgroup2" => {
            "in a user namespace cgroups need a cgroup namespace of the container's own"
        }
        _ => OVER_PROC,
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

fn program_reason(name: &str, errno: Errno) -> String {
    match errno {
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
