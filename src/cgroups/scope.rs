//! A cgroup that systemd manages: it makes it, and removes it; what is written to its files is ours to write.
//!
//! The unit's properties and the files say the same. The properties keep systemd from writing something else there when
//! it is reloaded; the files are exact, and a value that the kernel refuses is an error, where systemd would only log it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Cgroup, Error, Parents, Placeholder};
use crate::plan::{CgroupPlan, Property, UnitPlan, Write};
use crate::sys::Errno;
use crate::systemd::{self, Systemd};

/// A unit by name, for state.json.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// Name, as `hull-web.scope`.
    pub name: String,
    /// Whether it is the caller's own systemd that has it.
    pub user: bool,
}

impl Unit {
    pub(super) fn planned(plan: &UnitPlan) -> Self {
        Self { name: plan.name.clone(), user: plan.user }
    }

    /// Whether a directory of this name is its own: it may have `_` in front.
    fn is_directory(&self, name: &OsStr) -> bool {
        name.to_str().is_some_and(|name| name == self.name || name.strip_prefix('_') == Some(&self.name))
    }

    fn stop(&self) -> Result<(), systemd::Error> {
        Systemd::connect(self.user)?.stop(&self.name)
    }
}

impl Cgroup {
    /// Has systemd start the planned scope, and writes its limits.
    ///
    /// The placeholder is in it until [`Cgroup::settle`], which wants a process of the container's there.
    pub fn start(
        plan: &CgroupPlan,
        unit: &UnitPlan,
        systemd: &Systemd,
    ) -> Result<(Self, Placeholder), Error> {
        let placeholder = Placeholder::new()?;
        systemd.start(unit, placeholder.pid)?;
        let mut cgroup = Self { dirs: Vec::new(), unit: Some(Unit::planned(unit)) };
        match cgroup.furnish(plan, placeholder.pid) {
            Ok(()) => Ok((cgroup, placeholder)),
            Err(err) => {
                drop(placeholder);
                // Why it failed matters more than that it could not be undone.
                systemd.stop(&unit.name).ok();
                cgroup.remove().ok();
                Err(err)
            }
        }
    }

    fn furnish(&mut self, plan: &CgroupPlan, placeholder: i32) -> Result<(), Error> {
        for dir in plan.dirs.iter().filter(|dir| dir.is_systemds()) {
            if let Err(Errno::ENOENT) = nix::unistd::access(&dir.path, nix::unistd::AccessFlags::F_OK) {
                return Err(Error::Elsewhere { dir: dir.path.clone() });
            }
        }
        let writes = plan.writes.iter().map(with_room).collect();
        self.build(&CgroupPlan { writes, ..plan.clone() }, Parents::Made)?;
        // Of a directory that somebody had made before, systemd takes no notice.
        self.dirs.iter().try_for_each(|dir| dir.refuse_unless_idle(Some(placeholder)))
    }

    /// The container has its first process: the placeholder goes, and with it the room that it had.
    pub fn settle(&self, placeholder: Placeholder, plan: &CgroupPlan) -> Result<(), Error> {
        drop(placeholder);
        self.write_all(plan.writes.iter().filter(|write| counts_tasks(write)).collect())
    }

    /// The unit that it is, where systemd manages it.
    #[must_use]
    pub fn unit(&self) -> Option<&Unit> {
        self.unit.as_ref()
    }

    /// Stops the unit, and waits until systemd has forgotten it.
    ///
    /// A systemd that cannot be reached is no error where the cgroup has no process: it ends such a scope by itself.
    pub fn stop_unit(&self) -> Result<(), Error> {
        let Some(unit) = &self.unit else { return Ok(()) };
        match unit.stop() {
            Err(systemd::Error::Unreachable { .. }) if self.pids()?.is_empty() => Ok(()),
            stopped => Ok(stopped?),
        }
    }

    /// Tells systemd of new limits.
    ///
    /// With cgroup v1, systemd denies all devices for a moment before it allows those of the new list; processes that
    /// are frozen do not notice.
    pub fn set_properties(&self, systemd: &Systemd, properties: &[Property]) -> Result<(), Error> {
        let Some(unit) = &self.unit else { return Ok(()) };
        if properties.is_empty() {
            return Ok(());
        }
        let noticed = self.with("devices").is_some()
            && properties.iter().any(|property| property.name.starts_with("Device"))
            && !self.is_frozen()?;
        if noticed {
            self.freeze()?;
        }
        let set = systemd.set_properties(&unit.name, properties);
        if noticed {
            self.thaw()?;
        }
        Ok(set?)
    }

    /// Whether a user's systemd has it.
    #[must_use]
    pub fn is_users_unit(&self) -> bool {
        self.unit.as_ref().is_some_and(|unit| unit.user)
    }

    /// Has systemd move a process into the unit, from where we have no right to.
    pub fn receive(&self, pid: i32) -> Result<(), Error> {
        let Some(unit) = &self.unit else { return self.adopt(pid) };
        let path = self.v2_path().unwrap_or(Path::new(""));
        let below = path.iter().skip_while(|name| !unit.is_directory(name)).skip(1).collect::<PathBuf>();
        Ok(Systemd::connect(unit.user)?.attach(&unit.name, &Path::new("/").join(below), pid)?)
    }
}

fn counts_tasks(write: &Write) -> bool {
    write.file == "pids.max"
}

/// The placeholder must not take the place of a process that the container may have.
fn with_room(write: &Write) -> Write {
    let mut write = write.clone();
    if counts_tasks(&write)
        && let Ok(tasks) = write.value.parse::<u64>()
    {
        write.value = tasks.saturating_add(1).to_string();
    }
    write
}
