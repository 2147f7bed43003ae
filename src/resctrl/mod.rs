//! The container's class of service and its monitoring group (`linux.intelRdt`), as directories of the resctrl
//! filesystem: made before the container's first process exists, which then joins them.

mod error;
mod schemata;

use std::path::{Path, PathBuf};

use nix::sys::stat::Mode;
use nix::unistd::mkdir;
use serde::{Deserialize, Serialize};

use crate::plan::IntelRdtPlan;
use crate::sys::Errno;
use crate::sys::file::write_existing;

pub use error::Error;

/// Where the container's processes belong. state.json keeps it as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    clos: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    mon_group: Option<PathBuf>,
    /// What goes with the container, innermost first. A class with a name of its own is not among it: the kernel
    /// would put the processes of others back into the default class.
    own: Vec<PathBuf>,
}

impl Group {
    /// What will be there once the plan is carried out: written down before, so that a killed `create` leaves nothing
    /// that cannot be found.
    #[must_use]
    pub fn planned(plan: &IntelRdtPlan) -> Self {
        let own_class = (!plan.shared).then(|| plan.clos.clone());
        Self { own: plan.mon_group.clone().into_iter().chain(own_class).collect(), ..Self::empty(plan) }
    }

    /// Carries the plan out; what was made is removed again when a later step fails.
    pub fn create(plan: &IntelRdtPlan) -> Result<Self, Error> {
        let mut group = Self::empty(plan);
        let made = group.make_class(plan)?;
        let done = group.limit(plan, made).and_then(|()| group.make_mon_group());
        if done.is_err() && made {
            // Best effort: why it failed matters more.
            rmdir(&group.clos).ok();
        }
        done.map(|()| group)
    }

    fn empty(plan: &IntelRdtPlan) -> Self {
        Self { clos: plan.clos.clone(), mon_group: plan.mon_group.clone(), own: Vec::new() }
    }

    /// Makes the class, or finds it; whether it was made.
    fn make_class(&mut self, plan: &IntelRdtPlan) -> Result<bool, Error> {
        // A class that is only named is one that somebody has prepared.
        if plan.shared && plan.schemata.is_empty() {
            return match nix::sys::stat::stat(&self.clos) {
                Ok(_) => Ok(false),
                Err(Errno::ENOENT) => Err(Error::Absent { dir: self.clos.clone() }),
                Err(errno) => Err(Error::Make { dir: self.clos.clone(), errno }),
            };
        }
        match make(&self.clos) {
            Err(Error::Make { errno: Errno::EEXIST, .. }) if plan.shared => Ok(false),
            result => {
                result?;
                if !plan.shared {
                    self.own.push(self.clos.clone());
                }
                Ok(true)
            }
        }
    }

    /// Gives a new class its schemata; one that was there must have them.
    fn limit(&self, plan: &IntelRdtPlan, made: bool) -> Result<(), Error> {
        if made {
            return self.write_schemata(&plan.schemata);
        }
        if plan.schemata.is_empty() {
            return Ok(());
        }
        let file = self.clos.join("schemata");
        let present = std::fs::read_to_string(&file).map_err(|source| Error::Read { file, source })?;
        match plan.schemata.iter().find(|line| !schemata::in_force(line, &present)) {
            Some(line) => Err(Error::Mismatch { dir: self.clos.clone(), wanted: line.clone(), present }),
            None => Ok(()),
        }
    }

    fn make_mon_group(&mut self) -> Result<(), Error> {
        if let Some(dir) = &self.mon_group {
            make(dir)?;
            self.own.insert(0, dir.clone());
        }
        Ok(())
    }

    /// Writes lines to `schemata`, all at once, so that the kernel takes all of them or none.
    pub fn write_schemata(&self, lines: &[String]) -> Result<(), Error> {
        if lines.is_empty() {
            return Ok(());
        }
        let text = lines.iter().flat_map(|line| [line, "\n"]).collect::<String>();
        self.write(&self.clos.join("schemata"), &text)
    }

    /// Puts a process, which has one thread, into the class and the group; its children will be there too.
    pub fn add(&self, pid: i32) -> Result<(), Error> {
        // The class first: a monitoring group takes no process of another class.
        let dirs = [Some(&self.clos), self.mon_group.as_ref()];
        dirs.into_iter().flatten().try_for_each(|dir| self.write(&dir.join("tasks"), &pid.to_string()))
    }

    fn write(&self, file: &Path, value: &str) -> Result<(), Error> {
        write_existing(&file.to_string_lossy(), value)
            .map_err(|cause| Error::Write { cause, said: self.last_status() })
    }

    /// What the kernel says about the last thing that it refused.
    fn last_status(&self) -> String {
        let roots = [Some(self.clos.as_path()), self.clos.parent()];
        let mut said = roots
            .into_iter()
            .flatten()
            .map(|root| std::fs::read_to_string(root.join("info/last_cmd_status")));
        let said = said.find_map(Result::ok).unwrap_or_default();
        if said.trim() == "ok" { String::new() } else { said.trim().to_owned() }
    }

    /// Removes what goes with the container; what is not there counts as removed.
    pub fn remove(&self) -> Result<(), Error> {
        self.own.iter().try_for_each(|dir| rmdir(dir))
    }
}

fn make(dir: &Path) -> Result<(), Error> {
    mkdir(dir, Mode::from_bits_truncate(0o755)).map_err(|errno| Error::Make { dir: dir.to_owned(), errno })
}

fn rmdir(dir: &Path) -> Result<(), Error> {
    match std::fs::remove_dir(dir) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::Remove { dir: dir.to_owned(), source })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
