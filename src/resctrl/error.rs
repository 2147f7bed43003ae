//! What can go wrong in the resctrl filesystem, and what to do about it.

use std::io;
use std::path::PathBuf;

use crate::sys::{self, Errno};

/// A failure, with all that a reader needs to find the cause.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The class is only named, but nobody has prepared it.
    #[error("linux.intelRdt.closID: there is no class of service {}", dir.display())]
    Absent {
        /// Its directory.
        dir: PathBuf,
    },
    /// The class is there and has other schemata.
    #[error(
        "linux.intelRdt: the class of service {} exists, and {wanted:?} is not in force there but {:?}",
        dir.display(),
        present.split_whitespace().collect::<Vec<_>>().join(" ")
    )]
    Mismatch {
        /// Its directory.
        dir: PathBuf,
        /// The line of the document.
        wanted: String,
        /// Content of its `schemata`.
        present: String,
    },
    /// A directory cannot be made.
    #[error("linux.intelRdt: cannot make {}: {}", dir.display(), errno.desc())]
    Make {
        /// A class or a monitoring group.
        dir: PathBuf,
        /// The kernel's answer.
        errno: Errno,
    },
    /// A value was refused.
    #[error("linux.intelRdt: {cause}{}{said}", if said.is_empty() { "" } else { ": " })]
    Write {
        /// The call.
        cause: sys::Error,
        /// The kernel's reason.
        said: String,
    },
    /// `schemata` cannot be read.
    #[error("linux.intelRdt: cannot read {}: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A directory cannot be removed.
    #[error("cannot remove {}: {source}", dir.display())]
    Remove {
        /// A class or a monitoring group.
        dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    /// What to do about it; empty when the reason says it all.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Absent { .. } => "make it first, or say in schemata what it is to have",
            Self::Mismatch { .. } => "choose another closID, or ask for what the class has",
            Self::Make { errno: Errno::ENOSPC, .. } => {
                "the processor has no more of them: remove an unused one"
            }
            Self::Make { errno: Errno::EEXIST, .. } => {
                "remove it, or choose another container id; closID names a class that others made"
            }
            Self::Make { errno: Errno::ENOENT, .. } => "this processor or kernel does not monitor resources",
            Self::Make { .. } => "run as root",
            Self::Write { cause, .. } if cause.call == "open" => "did somebody remove the class of service?",
            Self::Write { .. } => "see what the processor can do in /sys/fs/resctrl/info",
            Self::Read { .. } | Self::Remove { .. } => "",
        }
    }
}
