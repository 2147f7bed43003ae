//! Making the container's cgroup: directories, controllers handed down to it, limits, device rules. Whatever was
//! made is removed again when a later step fails.

use std::path::{Path, PathBuf};

use nix::sys::stat::Mode;
use nix::unistd::mkdir;

use super::{Cgroup, Dir, Error, Parents, devices, file, members, remove};
use crate::plan::cgroup::Version;
use crate::plan::{CgroupDir, CgroupPlan, DevicePolicy, Write};
use crate::sys::{Context, Errno};

impl Cgroup {
    /// Makes the planned cgroup, or takes an existing one if it is neither frozen nor in use.
    pub fn create(plan: &CgroupPlan, parents: Parents) -> Result<Self, Error> {
        let mut cgroup = Self::default();
        let Err(err) = cgroup.build(plan, parents) else { return Ok(cgroup) };
        cgroup.dirs.iter().rev().for_each(|dir| remove_made(&dir.path, dir.made));
        Err(err)
    }

    pub(super) fn build(&mut self, plan: &CgroupPlan, parents: Parents) -> Result<(), Error> {
        let mut made_of = Vec::with_capacity(plan.dirs.len());
        for planned in &plan.dirs {
            let CgroupDir { version, ref controllers, ref mount, ref path, .. } = *planned;
            let made = match make(path, mount, parents) {
                Err(err) if planned.dispensable && err.is_denial() => continue,
                made => {
                    made.map_err(|err| err.of_limit(plan.writes.iter().find(|write| planned.takes(write))))?
                }
            };
            // What systemd has made for the unit is as new, and as much ours, as what we make.
            let made = made.max(self.unit.is_some().into());
            self.dirs.push(Dir { version, controllers: controllers.clone(), path: path.clone(), made });
            made_of.push(planned);
        }
        for (dir, planned) in self.dirs.iter().zip(made_of) {
            if dir.made == 0 {
                dir.refuse_unless_idle(None)?;
            }
            let writes = plan.writes.iter().filter(|write| dir.has(write.controller()));
            // A cgroup that was just made has the defaults; an older one may have anything.
            let writes: Vec<&Write> = writes.filter(|write| dir.made == 0 || !write.fresh).collect();
            match dir.version {
                Version::V1 => dir.prepare_v1(&planned.mount, &writes)?,
                Version::V2 => dir.hand_down(planned, &writes)?,
            }
            self.write_all(writes)?;
        }
        self.enforce_devices(plan)?;
        match (plan.owner, self.v2()) {
            (Some(owner), Some(dir)) => hand_over(&dir.path, owner),
            _ => Ok(()),
        }
    }

    /// Whether processes can be born in the v2 cgroup: the kernel says only that they cannot.
    pub fn refuse_threaded(&self) -> Result<(), Error> {
        self.v2().map_or(Ok(()), Dir::refuse_threaded)
    }

    fn enforce_devices(&self, plan: &CgroupPlan) -> Result<(), Error> {
        match (&plan.devices, self.with("devices")) {
            // A new list is a copy of its parent's, and need not be read before it is replaced.
            (Some(DevicePolicy::List(list)), Some(dir)) if dir.made > 0 => {
                devices::write_new_list(&dir.path, list)
            }
            (Some(policy), _) => self.set_devices(policy),
            (None, _) => Ok(()),
        }
    }
}

/// Gives the cgroup, and those of its files that the kernel declares safe for it, to a user.
fn hand_over(dir: &Path, owner: u32) -> Result<(), Error> {
    // Before Linux 4.15 the kernel had no such list.
    let listed = file::try_read(Path::new("/sys/kernel/cgroup/delegate"));
    let listed = listed.unwrap_or_else(|_| "cgroup.procs\ncgroup.subtree_control\ncgroup.threads".to_owned());
    for path in std::iter::once(dir.to_owned()).chain(listed.lines().map(|name| dir.join(name))) {
        match nix::unistd::chown(&path, Some(owner.into()), None) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(errno) => return Err(errno).during("chown", format_args!("{}, {owner}", path.display()))?,
        }
    }
    Ok(())
}

/// Makes a directory and perhaps the parents that it lacks; returns how many were made.
fn make(path: &Path, mount: &Path, parents: Parents) -> Result<usize, Error> {
    let mut above = 0;
    // A neighbour's removal may take an empty parent away between two calls.
    for _ in 0..5 {
        match mkdir(path, Mode::from_bits_truncate(0o755)) {
            Ok(()) => return Ok(above + 1),
            Err(Errno::EEXIST) => return Ok(0),
            Err(Errno::ENOENT) if path != mount && parents == Parents::Made => {}
            Err(errno) => {
                path.parent().into_iter().for_each(|parent| remove_made(parent, above));
                return Err(Error::Make { dir: path.to_owned(), errno });
            }
        }
        // Whoever finds a parent that we have made before has made it all the same.
        above = above.max(make(path.parent().unwrap_or(mount), mount, parents)?);
    }
    Err(Error::Make { dir: path.to_owned(), errno: Errno::ENOENT })
}

/// Removes `made` directories upwards from `path`, as far as they are empty.
fn remove_made(path: &Path, made: usize) {
    path.ancestors().take(made).try_for_each(remove::rmdir).ok();
}

impl Dir {
    /// `ours` is a process that may be in it.
    pub(super) fn refuse_unless_idle(&self, ours: Option<i32>) -> Result<(), Error> {
        if self.freezes()? {
            return Err(Error::Frozen { dir: self.path.clone() });
        }
        let mut pids = members::pids_below(&self.path)?;
        pids.retain(|pid| Some(*pid) != ours);
        match pids.first() {
            Some(first) => Err(Error::Populated { dir: self.path.clone(), count: pids.len(), first: *first }),
            None => Ok(()),
        }
    }

    /// The directories that were made above this one, topmost first.
    fn made_parents(&self) -> impl Iterator<Item = &Path> {
        let parents: Vec<&Path> = self.path.ancestors().take(self.made).skip(1).collect();
        parents.into_iter().rev()
    }

    /// What v1 wants before a process can join or a limit can hold.
    fn prepare_v1(&self, mount: &Path, writes: &[&Write]) -> Result<(), Error> {
        if self.has("cpuset") {
            for name in ["cpuset.cpus", "cpuset.mems"] {
                let above = inherit(self.path.parent().unwrap_or(mount), mount, name)?;
                let limited = writes.iter().any(|write| write.file == name);
                if !limited && (self.made > 0 || file::read(&self.file(name))?.trim().is_empty()) {
                    file::write(&self.file(name), above.trim())?;
                }
            }
        }
        // A group has real-time bandwidth only out of its parent's.
        for write in writes.iter().filter(|write| write.file.starts_with("cpu.rt_")) {
            for parent in self.made_parents() {
                file::write(&parent.join(&*write.file), &write.value)?;
            }
        }
        Ok(())
    }

    /// Sees to it that the v2 cgroup has the controllers it needs.
    ///
    /// On a v2 host it gets all there are, since statistics need them too. On a hybrid host the root of the v2
    /// hierarchy belongs to someone else: no controller is ever enabled there.
    fn hand_down(&self, planned: &CgroupDir, writes: &[&Write]) -> Result<(), Error> {
        let parent = self.path.parent().unwrap_or(&planned.mount);
        if planned.whole && (self.made == 0 || parent != planned.mount) {
            self.refuse_threaded()?;
        }
        let needed =
            writes.iter().map(|write| write.controller()).filter(|controller| *controller != "cgroup");
        let wanted: Vec<&str> = if planned.whole {
            planned.controllers.iter().map(String::as_str).collect()
        } else {
            needed.collect()
        };
        if wanted.is_empty() {
            return Ok(());
        }
        let offered = file::read(&self.file("cgroup.controllers"))?;
        let missing: Vec<&str> =
            wanted.into_iter().filter(|controller| !lists(&offered, controller)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let chain: Vec<&Path> =
            parent.ancestors().take_while(|dir| dir.starts_with(&planned.mount)).collect();
        let mut refusals = Vec::new();
        for dir in chain.iter().rev().filter(|dir| planned.whole || **dir != planned.mount) {
            enable(dir, &missing, &mut refusals);
        }
        let offered = file::read(&self.file("cgroup.controllers"))?;
        let Some(write) = writes
            .iter()
            .find(|write| write.controller() != "cgroup" && !lists(&offered, write.controller()))
        else {
            return Ok(());
        };
        let lacking = |dir: &&&Path| {
            let enabled = file::try_read(&dir.join("cgroup.subtree_control")).unwrap_or_default();
            !lists(&enabled, write.controller())
        };
        let parent = chain.iter().rev().find(lacking).unwrap_or(&parent);
        let refusal = refusals
            .iter()
            .find(|refusal| refusal.dir == *parent && refusal.controller == write.controller());
        Err(Error::NotDelegated {
            file: write.file.to_string(),
            value: write.value.clone(),
            controller: write.controller().to_owned(),
            parent: parent.to_path_buf(),
            errno: refusal.map(|refusal| refusal.errno),
        })
    }

    fn refuse_threaded(&self) -> Result<(), Error> {
        let kind = file::read_if_there(&self.file("cgroup.type"))?.unwrap_or_default();
        match kind.trim() {
            "threaded" | "domain invalid" => {
                Err(Error::Threaded { dir: self.path.clone(), kind: kind.trim().to_owned() })
            }
            _ => Ok(()),
        }
    }
}

/// Whether a file of blank-separated words holds `word`.
fn lists(text: &str, word: &str) -> bool {
    text.split_whitespace().any(|listed| listed == word)
}

/// A controller that a cgroup would not hand down.
struct Refusal {
    dir: PathBuf,
    controller: String,
    errno: Errno,
}

/// Enables controllers for the children of `dir`: all at once, or those that it can.
///
/// Where processes live in `dir` itself, none is tried on its own: the kernel would accept those that may be threaded,
/// and turn the cgroup into the root of a threaded subtree, whose children take no processes.
fn enable(dir: &Path, controllers: &[&str], refusals: &mut Vec<Refusal>) {
    let control = dir.join("cgroup.subtree_control");
    let offered = file::try_read(&dir.join("cgroup.controllers")).unwrap_or_default();
    let offered: Vec<&str> =
        controllers.iter().copied().filter(|controller| lists(&offered, controller)).collect();
    let word = |controller: &&str| format!("+{controller}");
    let together = file::try_write(&control, &offered.iter().map(word).collect::<Vec<_>>().join(" "));
    let Err(refused) = together else { return };
    for controller in offered {
        let alone = match refused {
            Errno::EBUSY => Err(refused),
            _ => file::try_write(&control, &word(&controller)),
        };
        if let Err(errno) = alone {
            refusals.push(Refusal { dir: dir.to_owned(), controller: controller.to_owned(), errno });
        }
    }
}

/// v1 cpusets begin empty, and no process can join an empty one: fills it, and its parents, from above.
fn inherit(dir: &Path, mount: &Path, name: &str) -> Result<String, Error> {
    let own = file::read(&dir.join(name))?;
    if !own.trim().is_empty() || dir == mount {
        return Ok(own);
    }
    let above = inherit(dir.parent().unwrap_or(mount), mount, name)?;
    file::write(&dir.join(name), above.trim())?;
    Ok(above)
}
