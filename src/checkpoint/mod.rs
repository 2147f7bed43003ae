//! Checkpoint and restore: what CRIU has to know of a container, and the conversation with it.
//!
//! CRIU does the work, as a child that takes messages (`criu swrk`) and not options: only so does a terminal's master
//! come back as a descriptor, do hooks run while the new namespaces stand, and is a restored container recorded before
//! it runs.
//!
//! ```text
//! hull                                  criu swrk
//!    ── dump, pre-dump or restore ────────►   with options, see [`Options`]
//!    ◄── notify: script, pid, descriptor ──   any number of times, as the work proceeds
//!    ── notify: go on ────────────────────►
//!    ◄── done, or errno and text ──────────   the log has the reason
//! ```

mod criu;
pub mod external;
mod options;
pub mod protobuf;
mod rootfs;
pub mod stdio;

use std::io;
use std::path::PathBuf;

pub use criu::{Criu, Notice, cgroups_of};
pub use options::{CgroupMode, Flags, Options, Task};
pub use rootfs::{in_private_mounts, mount_points, mount_root, prepare_mount_points};

use crate::spec::NamespaceKind;
use crate::sys::{self, Errno};

/// Why there is no checkpoint, or nothing restored from it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No program of that name.
    #[error("criu: executable file not found in $PATH")]
    Missing,
    /// CRIU cannot be run.
    #[error("criu: {0}")]
    Spawn(io::Error),
    /// CRIU went away.
    #[error("criu ended without an answer{}", said(log, lines))]
    Ended {
        /// Its log.
        log: PathBuf,
        /// What it says there.
        lines: Vec<String>,
    },
    /// CRIU did not manage. The beginning is as runc says it.
    #[error("criu failed: type {} errno {errno}{}", task.name(), said(log, lines))]
    Failed {
        /// What was asked of it.
        task: Task,
        /// What it answered.
        errno: u64,
        /// Its log.
        log: PathBuf,
        /// What it says there.
        lines: Vec<String>,
    },
    /// A message that is none.
    #[error("criu said something unexpected")]
    Protocol,
    /// A mount that would come back without its mapping.
    #[error("{at}: an idmapped mount cannot be checkpointed")]
    Idmapped {
        /// JSON path.
        at: String,
    },
    /// A namespace that CRIU can neither dump nor join.
    #[error("linux.namespaces: a joined {} namespace cannot be checkpointed", .0.name())]
    Namespace(NamespaceKind),
    /// The record of the streams.
    #[error("{}: {source}", path.display())]
    Streams {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        source: io::Error,
    },
    /// A checkpoint that leads out of its folder.
    #[error("{}: neither a symbolic link nor a FIFO is part of a checkpoint", path.display())]
    Link {
        /// The link, or what else would be followed or waited for.
        path: PathBuf,
    },
    /// A place for a mount cannot be made.
    #[error("{at}: make {place}: {}", errno.desc())]
    MountPoint {
        /// JSON path.
        at: String,
        /// The mount point.
        place: String,
        /// The kernel's answer.
        errno: Errno,
    },
    /// A system call.
    #[error(transparent)]
    Sys(#[from] sys::Error),
}

impl Error {
    /// What the user can do about it; empty when the reason says it all.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Missing => "install CRIU: the package is called criu",
            Self::Spawn(_) => "criu --version must work",
            Self::Failed { .. } | Self::Ended { .. } => "criu check --all says what this kernel lacks",
            Self::Idmapped { .. } => "CRIU does not know their mappings",
            Self::Streams { .. } => "is --image-path a complete checkpoint?",
            _ => "",
        }
    }
}

fn said(log: &std::path::Path, lines: &[String]) -> String {
    let lines: String = lines.iter().map(|line| format!("; {line}")).collect();
    format!("; log file: {}{lines}", log.display())
}
