//! Containers on disk: one folder each, named by id, below the `--root` folder.
//!
//! ```text
//! <root>/            0700
//!   <id>/            mkdir is the claim on the id; flock on this directory gives verbs their turn
//!     state.json     who it is: written as a journal before anything is made, and again when init is ready
//!     config.json    the bundle's, as it was at create
//!     start.sock     init listens here while the container is `created`, and only then
//! ```
//!
//! A status is never stored, because a stored one lies after a crash: it is found by looking at the process, the
//! socket and the freezer (see [`Container::status`]).

mod container;
mod glance;
mod identity;
mod record;

use std::fs::DirBuilder;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use nix::dir::{Dir, Type};
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

use crate::cgroups;
use crate::sys::{self, Errno};

pub use container::Container;
pub use glance::{Glance, Glances};
pub use identity::{Init, Stat, start_time, stat};
pub use record::{Record, State, Status, View};

/// Longest id.
const ID_MAX: usize = 1024;

/// Why a container's state cannot be had. Where runc has words for it, they are runc's: engines look for them.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An id of no letters.
    #[error("container id cannot be empty")]
    EmptyId,
    /// An id that could not be a folder's name, or looks odd.
    #[error("invalid container ID format: {0:?}")]
    IdFormat(String),
    /// The id is taken.
    #[error("container with given ID already exists: {0}")]
    Exists(String),
    /// There is no such container.
    #[error("container does not exist")]
    Absent,
    /// A folder that somebody else has made, where nothing is to be believed: neither the pid, nor the hooks.
    #[error("{}: belongs to user {owner}", path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
    },
    /// A file of the state is not what was written there.
    #[error("{}: {source}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// A folder cannot be made, read or removed.
    #[error("{call} {}: {source}", path.display())]
    Folder {
        /// What was tried.
        call: &'static str,
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The cgroup's part of the status.
    #[error(transparent)]
    Cgroup(#[from] cgroups::Error),
    /// A system call.
    #[error(transparent)]
    Sys(#[from] sys::Error),
}

impl Error {
    /// What the user can do about it; empty when the reason says it all.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::IdFormat(_) => "use up to 1024 letters, digits and _ + . -",
            Self::Exists(_) => "choose another id, or delete that container",
            Self::Foreign { .. } => "choose a folder with --root that nobody else writes to",
            Self::Corrupt { .. } => "remove its folder",
            Self::Sys(err) if err.errno == sys::Errno::ENOSYS => sys::NO_SUCH_CALL,
            Self::Folder { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "choose a folder of yours with --root"
            }
            _ => "",
        }
    }
}

/// The folder of all containers.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
    mode: u32,
}

impl Store {
    /// The store at `root`, which is made when the first container is.
    #[must_use]
    pub fn at(root: PathBuf) -> Self {
        Self { root, mode: 0o700 }
    }

    /// The store of an unprivileged caller. The sticky bit keeps it from being tidied away (XDG base directory).
    #[must_use]
    pub fn of_user(runtime_dir: &Path) -> Self {
        Self { root: runtime_dir.join("hull"), mode: 0o1700 }
    }

    /// Makes a new container's folder, locked. Of two callers with the same id, one succeeds.
    pub fn claim(&self, id: &str) -> Result<Container, Error> {
        check_id(id)?;
        let path = self.root.join(id);
        let mkdir = || DirBuilder::new().mode(0o700).create(&path);
        let made = mkdir().or_else(|err| match err.kind() {
            io::ErrorKind::NotFound => {
                DirBuilder::new().recursive(true).mode(self.mode).create(&self.root)?;
                mkdir()
            }
            _ => Err(err),
        });
        match made {
            Ok(()) => {
                let opened = self.open(id).and_then(|dir| Container::lock(id, path.clone(), dir));
                opened.inspect_err(|err| {
                    // Ours, and empty; unless somebody has removed it, and the path is the next one's.
                    if !matches!(err, Error::Absent) {
                        let _ = std::fs::remove_dir(&path);
                    }
                })
            }
            Err(err) if err.kind() == io::ErrorKind::AlreadyExists => Err(Error::Exists(id.to_owned())),
            Err(source) => Err(Error::Folder { call: "mkdir", path, source }),
        }
    }

    /// Where the socket for a container's sd_notify(3) messages will be; known before the container is made.
    pub fn notify_dir(&self, id: &str) -> Result<PathBuf, Error> {
        let path = self.root.join(id).join("notify");
        std::path::absolute(&path).map_err(|source| Error::Folder { call: "getcwd", path, source })
    }

    /// A container to look at, as it is now.
    pub fn load(&self, id: &str) -> Result<Container, Error> {
        Container::load(id, self.root.join(id), self.open(id)?)
    }

    /// The same, to do something to its processes: what is written there is acted on.
    pub fn load_own(&self, id: &str) -> Result<Container, Error> {
        let container = self.load(id)?;
        container.refuse_foreign()?;
        Ok(container)
    }

    /// Looks at many containers; the store must be there.
    pub fn glances(&self) -> Result<Glances<'_>, Error> {
        Glances::new(self)
    }

    /// A container to change: waits until no other verb holds it. Dropping the container gives it free.
    pub fn lock(&self, id: &str) -> Result<Container, Error> {
        let mut container = Container::lock(id, self.root.join(id), self.open(id)?)?;
        container.read_record()?;
        Ok(container)
    }

    /// The ids of all containers, sorted.
    pub fn ids(&self) -> Result<Vec<String>, Error> {
        let failed =
            |errno: Errno| Error::Folder { call: "read", path: self.root.clone(), source: errno.into() };
        let mut folder = match Dir::open(&self.root, OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty()) {
            Err(Errno::ENOENT) => return Ok(Vec::new()),
            opened => opened.map_err(failed)?,
        };
        let mut ids = Vec::new();
        for entry in folder.iter() {
            let entry = entry.map_err(failed)?;
            let Ok(id) = entry.file_name().to_str() else { continue };
            // Not every filesystem tells of what kind an entry is.
            let is_folder =
                || entry.file_type().map_or_else(|| self.open(id).is_ok(), |kind| kind == Type::Directory);
            if check_id(id).is_ok() && is_folder() {
                ids.push(id.to_owned());
            }
        }
        ids.sort_unstable();
        Ok(ids)
    }

    fn open(&self, id: &str) -> Result<OwnedFd, Error> {
        check_id(id)?;
        let path = self.root.join(id);
        match sys::fd::open(&path, libc::O_RDONLY | libc::O_DIRECTORY | libc::O_NOFOLLOW) {
            Err(Errno::ENOENT) => Err(Error::Absent),
            opened => opened.map_err(|errno| Error::Folder { call: "open", path, source: errno.into() }),
        }
    }
}

/// Whether it can be the id of a container.
pub fn check_id(id: &str) -> Result<(), Error> {
    let allowed = |c: u8| c.is_ascii_alphanumeric() || b"_+.-".contains(&c);
    match id {
        "" => Err(Error::EmptyId),
        // A leading dot would only hide the container; `.` and `..` would be other folders.
        "." | ".." => Err(Error::IdFormat(id.to_owned())),
        _ if id.len() > ID_MAX || !id.bytes().all(allowed) => Err(Error::IdFormat(id.to_owned())),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
