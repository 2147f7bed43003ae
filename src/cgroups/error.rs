//! What can go wrong with a cgroup: which file, which value, what the kernel said, and what to do about it.

use std::path::PathBuf;

use crate::plan::Write;
use crate::sys::{self, Errno, reason};
use crate::systemd;

/// A failure, with all that a reader needs to find the cause.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value was refused.
    #[error("cannot write {value:?} to {}: {}", file.display(), reason(*errno))]
    Write {
        /// The cgroup file.
        file: PathBuf,
        /// What was written.
        value: String,
        /// The kernel's answer.
        errno: Errno,
    },
    /// A limit of the document cannot be set.
    #[error("{at}: {cause}")]
    Limit {
        /// JSON path of the property.
        at: String,
        /// Why.
        cause: Box<Self>,
    },
    /// A file or directory of the cgroup cannot be read.
    #[error("cannot read {}: {}", file.display(), reason(*errno))]
    Read {
        /// The cgroup file or directory.
        file: PathBuf,
        /// The kernel's answer.
        errno: Errno,
    },
    /// A file holds something that this runtime does not understand.
    #[error("cannot make sense of {}: {text:?}", file.display())]
    Parse {
        /// The cgroup file.
        file: PathBuf,
        /// The line or value.
        text: String,
    },
    /// A directory cannot be made.
    #[error("cannot make the cgroup {}: {}", dir.display(), reason(*errno))]
    Make {
        /// The cgroup.
        dir: PathBuf,
        /// The kernel's answer.
        errno: Errno,
    },
    /// A directory cannot be removed.
    #[error("cannot remove the cgroup {}: {}", dir.display(), reason(*errno))]
    Remove {
        /// The cgroup.
        dir: PathBuf,
        /// The kernel's answer.
        errno: Errno,
    },
    /// A limit needs a controller that an ancestor does not hand down.
    #[error(
        "cannot write {value:?} to {file}: {} does not hand down the {controller} controller{}",
        parent.display(),
        errno.map(|errno| format!(" ({})", reason(errno))).unwrap_or_default()
    )]
    NotDelegated {
        /// The file that the limit goes to.
        file: String,
        /// The limit.
        value: String,
        /// What is missing.
        controller: String,
        /// The topmost ancestor whose `cgroup.subtree_control` lacks it.
        parent: PathBuf,
        /// Why it could not be enabled there; `None` if that was not ours to try.
        errno: Option<Errno>,
    },
    /// A limit names a controller that no directory of the container belongs to.
    #[error("cannot write {value:?} to {file}: the container has no cgroup with the {controller} controller")]
    NoController {
        /// The file.
        file: String,
        /// The limit.
        value: String,
        /// What is missing.
        controller: String,
    },
    /// A threaded subtree takes no processes.
    #[error("the cgroup {} is of type {kind:?} and takes no processes", dir.display())]
    Threaded {
        /// The cgroup.
        dir: PathBuf,
        /// Content of `cgroup.type`.
        kind: String,
    },
    /// The cgroup existed before and is in use.
    #[error("container's cgroup is not empty: {} has {count} processes, the first being {first}", dir.display())]
    Populated {
        /// The cgroup.
        dir: PathBuf,
        /// How many.
        count: usize,
        /// One of them.
        first: i32,
    },
    /// The cgroup existed before and is frozen.
    #[error("container's cgroup unexpectedly frozen: {}", dir.display())]
    Frozen {
        /// The cgroup.
        dir: PathBuf,
    },
    /// Freezing or thawing did not finish in time.
    #[error("the cgroup {} did not become {wanted} within {seconds} s", dir.display())]
    Stuck {
        /// The cgroup.
        dir: PathBuf,
        /// `frozen` or `thawed`.
        wanted: &'static str,
        /// How long was waited.
        seconds: u64,
    },
    /// `checkBeforeUpdate`: the new limit is too low.
    #[error("the memory limit {limit} is not above the present usage of {usage} bytes")]
    InUse {
        /// The lowest new limit.
        limit: u64,
        /// Present usage.
        usage: u64,
    },
    /// The unit's cgroup is not where it should be.
    #[error("systemd has started the scope, but not at {}", dir.display())]
    Elsewhere {
        /// Where it was expected.
        dir: PathBuf,
    },
    /// The conversation with systemd.
    #[error(transparent)]
    Systemd(#[from] systemd::Error),
    /// A system call on something other than a cgroup file.
    #[error(transparent)]
    Call(#[from] sys::Error),
}

impl Error {
    /// Whether a cgroup could not be made for want of the one above.
    #[must_use]
    pub fn is_no_parent(&self) -> bool {
        matches!(self, Self::Make { errno: Errno::ENOENT, .. })
    }

    /// The kernel's answer, if the kernel was asked.
    #[must_use]
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::Write { errno, .. }
            | Self::Read { errno, .. }
            | Self::Make { errno, .. }
            | Self::Remove { errno, .. } => Some(*errno),
            Self::Limit { cause, .. } => cause.errno(),
            Self::NotDelegated { errno, .. } => *errno,
            Self::Call(err) => Some(err.errno),
            _ => None,
        }
    }

    /// Whether it is a right that the caller lacks.
    pub(super) fn is_denial(&self) -> bool {
        matches!(self.errno(), Some(Errno::EACCES | Errno::EPERM | Errno::EROFS))
    }

    /// The same, by the property that asks for it, if one does.
    pub(super) fn of_limit(self, write: Option<&Write>) -> Self {
        match write {
            Some(write) => Self::Limit { at: write.at.clone(), cause: Box::new(self) },
            None => self,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Limit { cause, .. } => return cause.hint(),
            Self::Write { file, errno, .. } => {
                write_hint(file.file_name().and_then(|name| name.to_str()).unwrap_or_default(), *errno)?
            }
            Self::Make { errno: Errno::EACCES | Errno::EPERM | Errno::EROFS, .. } => {
                "run as root, or have this part of the hierarchy delegated to you; without linux.cgroupsPath and limits, \
                 --rootless=true does without it"
            }
            Self::Remove { errno: Errno::EBUSY, .. } => "processes are still in it; see its cgroup.procs",
            Self::NotDelegated { controller, parent, errno, .. } => {
                return Some(delegation_hint(controller, parent, *errno));
            }
            Self::Threaded { .. } => "choose a cgroupsPath that is not below a threaded cgroup",
            Self::Populated { .. } => "choose another cgroupsPath or end those processes",
            Self::Frozen { .. } => "thaw it or choose another cgroupsPath",
            Self::Stuck { .. } => {
                "a process in it may be in uninterruptible sleep; see its state in /proc/PID/status"
            }
            Self::Elsewhere { .. } => {
                "hull must see the cgroup hierarchy as systemd does: the same mounts, the same cgroup namespace"
            }
            Self::Systemd(err) => err.hint(),
            Self::InUse { .. } => "raise the limit or leave out checkBeforeUpdate",
            Self::Call(err) if err.call == "bpf" => {
                "the kernel needs CONFIG_CGROUP_BPF and the caller CAP_SYS_ADMIN"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

fn write_hint(file: &str, errno: Errno) -> Option<&'static str> {
    Some(match (file, errno) {
        ("cpuset.cpus" | "cpuset.mems", Errno::EINVAL | Errno::EACCES | Errno::ENODEV | Errno::ERANGE) => {
            "the list must name numbers that exist and that the parent's cpuset has"
        }
        (_, Errno::EACCES | Errno::EPERM | Errno::EROFS) => {
            "the caller may not write there: run as root, or have the cgroup delegated"
        }
        ("memory.limit_in_bytes" | "memory.memsw.limit_in_bytes", Errno::EBUSY) => {
            "the cgroup uses more than that and nothing more can be reclaimed"
        }
        ("memory.memsw.limit_in_bytes", Errno::EINVAL) => {
            "the limit of memory and swap must not be below the limit of memory"
        }
        ("memory.memsw.limit_in_bytes" | "memory.swap.max", Errno::ENOENT) => {
            "the kernel does not account swap: boot with swapaccount=1 or leave out memory.swap"
        }
        ("cpu.cfs_quota_us" | "cpu.cfs_period_us" | "cpu.max", Errno::EINVAL) => {
            "quota and period must lie between 1 ms and 1 s, and within the quota of the parent"
        }
        ("cpu.rt_runtime_us", Errno::EINVAL) => {
            "real-time bandwidth must first be given to the parent cgroup"
        }
        ("cgroup.procs" | "tasks", Errno::EOPNOTSUPP) => "the cgroup is threaded and takes no processes",
        ("devices.allow", _) => "the parent cgroup does not have the device either",
        (name, Errno::ENOENT) if name.starts_with("hugetlb.") => {
            "this machine has no pages of that size; see /sys/kernel/mm/hugepages"
        }
        ("io.weight" | "io.bfq.weight", Errno::EOPNOTSUPP) => {
            "the device has neither the BFQ scheduler (see /sys/block/*/queue/scheduler) nor a cost model (io.cost.qos)"
        }
        (_, Errno::ENOENT) => "this kernel or I/O scheduler has no such file: leave the limit out",
        (_, Errno::ENODEV) => "no such device",
        _ => return None,
    })
}

fn delegation_hint(controller: &str, parent: &std::path::Path, errno: Option<Errno>) -> String {
    let file = parent.join("cgroup.subtree_control");
    match errno {
        Some(Errno::EBUSY) => format!(
            "processes live in {} itself, so it cannot hand controllers down: move them into a child or choose another cgroupsPath",
            parent.display()
        ),
        Some(Errno::EOPNOTSUPP) => format!("{} is threaded: choose another cgroupsPath", parent.display()),
        _ => format!("write +{controller} to {} first, or remove the limit", file.display()),
    }
}
