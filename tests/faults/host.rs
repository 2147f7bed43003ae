//! What is on the host besides the container: nothing of it may change, and nothing may be added.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::wait::{WaitPidFlag, waitpid};

use super::harness::{await_exit, cgroups, unit_property};

/// How long somebody who was let down may take to notice and end.
const PATIENCE: Duration = Duration::from_secs(5);

/// What could be left behind, as it was before.
pub struct Host {
    mounts: String,
    bundle: BTreeSet<PathBuf>,
    bundle_path: PathBuf,
    root: PathBuf,
    cgroup: String,
}

impl Host {
    /// Takes it down. Processes that lose their parent are ours from here on, so that none is missed.
    pub fn now(bundle: &Path, root: &Path, cgroup: &str) -> Self {
        nix::sys::prctl::set_child_subreaper(true).unwrap();
        own_mounts();
        Self {
            mounts: mounts(),
            bundle: files(bundle),
            bundle_path: bundle.to_owned(),
            root: root.to_owned(),
            cgroup: cgroup.to_owned(),
        }
    }

    /// What is there now and was not, when there is no container; `parents` asks for the cgroup's parents too.
    pub fn leftovers(&self, parents: bool) -> Vec<String> {
        let mut found: Vec<String> =
            strangers(&[]).iter().map(|pid| format!("process {}", named(*pid))).collect();
        let cgroup = if parents {
            self.cgroup.rsplit_once('/').map_or("", |(parent, _)| parent)
        } else {
            &self.cgroup
        };
        let left = cgroups(cgroup);
        found.extend(left.first().map(|dir| format!("cgroup {} and {} more", dir.display(), left.len() - 1)));
        found.extend(self.unit());
        found.extend(files(&self.root).iter().map(|path| format!("state {}", path.display())));
        found.extend(self.changes());
        found
    }

    /// The scope, if it has one that systemd still knows.
    fn unit(&self) -> Option<String> {
        let unit = self.cgroup.rsplit('/').next().filter(|name| name.ends_with(".scope"))?;
        let known = unit_property(unit, "LoadState") != "not-found";
        known.then(|| format!("unit {unit}, {}", unit_property(unit, "ActiveState")))
    }

    /// Files of the bundle that were not there.
    pub fn strange_files(&self) -> Vec<PathBuf> {
        files(&self.bundle_path).difference(&self.bundle).cloned().collect()
    }

    /// What changed of mounts, sockets and the bundle, container or not.
    pub fn changes(&self) -> Vec<String> {
        let mut found = Vec::new();
        let now = mounts();
        found.extend(
            now.lines().filter(|line| !self.mounts.contains(line)).map(|line| format!("mount {line}")),
        );
        found.extend(
            self.mounts.lines().filter(|line| !now.contains(line)).map(|line| format!("no mount {line}")),
        );
        let mut bundle = files(&self.bundle_path);
        // The new pid file of a command that was killed before the rename: the next one writes over it.
        bundle.remove(&self.bundle_path.join(".pid"));
        found
            .extend(bundle.symmetric_difference(&self.bundle).map(|path| format!("file {}", path.display())));
        found
    }
}

/// Live processes below us that are not `known`, after they had time to end.
pub fn strangers(known: &[i32]) -> Vec<i32> {
    let find = || {
        while waitpid(None, Some(WaitPidFlag::WNOHANG | WaitPidFlag::__WALL))
            .is_ok_and(|status| status.pid().is_some())
        {}
        let mut all = Vec::new();
        descendants(&format!("/proc/self/task/{}/children", std::process::id()), known, &mut all);
        all
    };
    for pid in find() {
        await_exit(pid, PATIENCE);
    }
    find()
}

/// A known one's own children are known too: they are the container's.
fn descendants(list: &str, known: &[i32], found: &mut Vec<i32>) {
    let pids = fs::read_to_string(list).unwrap_or_default();
    for pid in pids.split_whitespace().filter_map(|pid| pid.parse().ok()) {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let dead = stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['Z', 'X']));
        if !known.contains(&pid) {
            found.extend((!dead).then_some(pid));
            descendants(&format!("/proc/{pid}/task/{pid}/children"), known, found);
        }
    }
}

fn named(pid: i32) -> String {
    let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    format!("{pid} {} {}", read("cmdline").replace('\0', " "), read("wchan"))
}

/// Mounts of our own, shared as a host's usually are: what others mount meanwhile is not ours to judge.
fn own_mounts() {
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    for change in [MsFlags::MS_PRIVATE, MsFlags::MS_SHARED] {
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | change, None::<&str>).unwrap();
    }
}

fn mounts() -> String {
    fs::read_to_string("/proc/self/mountinfo").unwrap()
}

/// Everything below a folder but the root filesystem, in which places for mounts may be made.
fn files(dir: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_name() == "rootfs" {
            continue;
        }
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(files(&entry.path()));
        }
        found.insert(entry.path());
    }
    found
}
