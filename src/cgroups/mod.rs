//! The container's cgroup on the host, through the kernel's file interface: made and limited before the container
//! exists, joined by its processes, frozen, killed, measured and removed.
//!
//! A [`Cgroup`] is a list of directories, one for each hierarchy: one on a v2 host, about ten on a v1 or hybrid
//! one. Which file a limit goes to was decided by `plan`; what differs between the versions here is only how the
//! kernel freezes, kills and reports.

mod below;
mod create;
mod devices;
mod error;
mod file;
mod freezer;
mod frozen;
pub mod layout;
mod members;
mod oom;
mod placeholder;
mod record;
mod remove;
mod scope;
pub mod stats;

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::unistd::AccessFlags;
use serde::{Deserialize, Serialize};

use crate::plan::cgroup::Version;
use crate::plan::{Absent, CgroupDir, CgroupPlan, DevicePolicy, Write};
use crate::sys::Errno;

pub use error::Error;
pub use frozen::{Freezer, Freezers};
pub use oom::{Oom, OomWatch};
pub use placeholder::Placeholder;
pub use scope::Unit;

/// A container's cgroup in every hierarchy; empty if it has none. state.json keeps it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cgroup {
    dirs: Vec<Dir>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unit: Option<Unit>,
}

impl std::fmt::Display for Cgroup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let paths: Vec<_> = self.dirs.iter().map(|dir| dir.path.to_string_lossy()).collect();
        f.write_str(&paths.join(", "))
    }
}

/// The container's cgroup in one hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Dir {
    version: Version,
    controllers: Vec<String>,
    path: PathBuf,
    /// How many directories, counted upwards from this one, were made with it.
    made: usize,
}

impl Dir {
    fn has(&self, controller: &str) -> bool {
        self.controllers.iter().any(|own| own == controller)
            || (controller == "cgroup" && self.version == Version::V2)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// The cgroups that a planned one lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parents {
    /// They are there, as they are for most containers.
    There,
    /// Those that are missing are made with it.
    Made,
}

/// How many directories above this one have to be made with it.
fn missing_parents(dir: &Path) -> usize {
    let missing = |dir: &&Path| nix::unistd::access(*dir, AccessFlags::F_OK) == Err(Errno::ENOENT);
    dir.ancestors().skip(1).take_while(missing).count()
}

impl Cgroup {
    /// What will be there once the plan is carried out: written down before, so that a killed `create` leaves nothing
    /// that cannot be found.
    #[must_use]
    pub fn planned(plan: &CgroupPlan, parents: Parents) -> Self {
        let dir = |dir: &CgroupDir| Dir {
            version: dir.version,
            controllers: dir.controllers.clone(),
            path: dir.path.clone(),
            made: match parents {
                Parents::There => 1,
                Parents::Made => 1 + missing_parents(&dir.path),
            },
        };
        let unit = plan.unit.as_ref().map(Unit::planned);
        Self { dirs: plan.dirs.iter().map(dir).collect(), unit }
    }

    /// Whether the container has none: its caller could make none.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        self.dirs.is_empty()
    }

    /// A cgroup below this one in every hierarchy, or only in the one that has `controller`; it must exist when used.
    ///
    /// `path` is resolved by its text and cannot leave the container's cgroup.
    #[must_use]
    pub fn below(&self, controller: Option<&str>, path: &str) -> Option<Self> {
        let mut cgroup = self.clone();
        let wanted = |dir: &Dir| controller.is_none_or(|controller| dir.has(controller));
        if controller.is_some() && !self.dirs.iter().any(wanted) {
            return None;
        }
        for dir in cgroup.dirs.iter_mut().filter(|dir| wanted(dir)) {
            dir.path.push(crate::plan::cgroup::clean(path));
        }
        Some(cgroup)
    }

    /// The first directory that is not there.
    #[must_use]
    pub fn missing(&self) -> Option<&Path> {
        let is_missing = |path: &&Path| file::open_dir(path).is_err_and(|errno| errno == Errno::ENOENT);
        self.dirs.iter().map(|dir| dir.path.as_path()).find(is_missing)
    }

    /// The v2 directory, for CLONE_INTO_CGROUP; `None` on a host without cgroup v2.
    pub fn clone_fd(&self) -> Result<Option<OwnedFd>, Error> {
        let open = |dir: &Dir| {
            file::open_dir(&dir.path).map_err(|errno| Error::Read { file: dir.path.clone(), errno })
        };
        self.v2().map(open).transpose()
    }

    /// The v1 `tasks` files. A single-threaded child joins by writing `0` to each, which takes microseconds;
    /// `cgroup.procs` would wait for an RCU grace period.
    pub fn task_fds(&self) -> Result<Vec<OwnedFd>, Error> {
        let open = |dir: &Dir| {
            let file = dir.file("tasks");
            file::open_for_writing(&file).map_err(|errno| Error::Write { file, value: "0".to_owned(), errno })
        };
        self.dirs.iter().filter(|dir| dir.version == Version::V1).map(open).collect()
    }

    /// The v2 directory, also of a hybrid host.
    #[must_use]
    pub fn v2_path(&self) -> Option<&Path> {
        self.v2().map(|dir| dir.path.as_path())
    }

    /// The directory that has `controller`.
    #[must_use]
    pub fn path_of(&self, controller: &str) -> Option<&Path> {
        self.with(controller).map(|dir| dir.path.as_path())
    }

    /// Writes limits, as `update` does.
    ///
    /// Some files must agree with each other at every moment: memory with memory and swap, quota with period and
    /// burst. Which to write first depends on the present values; so what the kernel refuses as inconsistent is
    /// tried again after the others, as long as that helps.
    pub fn apply(&self, writes: &[Write]) -> Result<(), Error> {
        self.write_all(writes.iter().collect())
    }

    fn write_all(&self, mut pending: Vec<&Write>) -> Result<(), Error> {
        loop {
            let mut refused = Vec::new();
            let mut first = None;
            for write in &pending {
                match self.write(write) {
                    Ok(()) => {}
                    Err(err) if matches!(err.errno(), Some(Errno::EINVAL | Errno::EBUSY)) => {
                        refused.push(*write);
                        first.get_or_insert(err);
                    }
                    Err(err) => return Err(err),
                }
            }
            match first {
                None => return Ok(()),
                Some(err) if refused.len() == pending.len() => return Err(err),
                Some(_) => pending = refused,
            }
        }
    }

    fn write(&self, write: &Write) -> Result<(), Error> {
        self.write_unnamed(write).map_err(|err| err.of_limit(Some(write)))
    }

    fn write_unnamed(&self, write: &Write) -> Result<(), Error> {
        let dir = self.with(write.controller()).ok_or_else(|| Error::NoController {
            file: write.file.to_string(),
            value: write.value.clone(),
            controller: write.controller().to_owned(),
        })?;
        let file = dir.file(&write.file);
        match (file::try_write(&file, &write.value), &write.absent) {
            (Ok(()), _) | (Err(Errno::ENOENT | Errno::EOPNOTSUPP), Absent::Skip) => Ok(()),
            // One scheduler's file is there as soon as a disk uses it, and refuses the other disks.
            (Err(Errno::ENOENT | Errno::EOPNOTSUPP), Absent::Instead { file, value }) => {
                file::write(&dir.file(file), value)
            }
            (Err(errno), _) => Err(Error::Write { file, value: write.value.clone(), errno }),
        }
    }

    /// Puts device rules in force, in place of those that were.
    pub fn set_devices(&self, policy: &DevicePolicy) -> Result<(), Error> {
        match policy {
            DevicePolicy::List(list) => {
                self.with("devices").map_or(Ok(()), |dir| devices::write_list(&dir.path, list))
            }
            DevicePolicy::Program(rules) => {
                self.v2().map_or(Ok(()), |dir| devices::attach(&dir.path, rules, self.unit.is_some()))
            }
        }
    }

    /// Refuses an update whose memory limit is not above present usage (`memory.checkBeforeUpdate`).
    pub fn check_before_update(&self, limit: u64) -> Result<(), Error> {
        let Some(dir) = self.with("memory") else { return Ok(()) };
        let name = if dir.version == Version::V1 { "memory.usage_in_bytes" } else { "memory.current" };
        let usage = file::read_if_there(&dir.file(name))?.and_then(|text| text.trim().parse().ok());
        match usage {
            Some(usage) if usage >= limit => Err(Error::InUse { limit, usage }),
            _ => Ok(()),
        }
    }

    fn v2(&self) -> Option<&Dir> {
        self.dirs.iter().find(|dir| dir.version == Version::V2)
    }

    fn with(&self, controller: &str) -> Option<&Dir> {
        self.dirs.iter().find(|dir| dir.has(controller))
    }
}
