//! What a container may have left behind on the host.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::driver::unit_property;
use super::event::await_exit;

/// Everything of container `id` that is still there, in words.
pub fn of(id: &str, cgroup: &str, bundle: &Path, root: &Path, pid: Option<i32>) -> Vec<String> {
    let mut found: Vec<String> =
        cgroups(cgroup).iter().map(|dir| format!("cgroup {}", dir.display())).collect();
    found.extend(mounts_below(bundle).into_iter().map(|mount| format!("mount {mount}")));
    found.extend(mounts_below(root).into_iter().map(|mount| format!("mount {mount}")));
    if fs::symlink_metadata(root.join(id)).is_ok() {
        found.push(format!("state directory {}", root.join(id).display()));
    }
    if pid.is_some_and(alive) {
        found.push(format!("process {}", pid.unwrap_or(0)));
    }
    // Without systemd there are no units, and nobody to ask.
    let systemd = Path::new("/run/systemd/system").exists();
    let unit = cgroup.rsplit('/').next().filter(|name| systemd && name.ends_with(".scope"));
    if let Some(state) =
        unit.map(|unit| unit_property(unit, "LoadState")).filter(|state| state != "not-found")
    {
        found.push(format!("unit {cgroup}, {state}"));
    }
    found
}

/// The directories of a cgroup in all hierarchies.
pub fn cgroups(cgroup: &str) -> Vec<PathBuf> {
    let below = cgroup.trim_start_matches('/');
    let hierarchies =
        fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten().map(|entry| entry.path());
    let all = hierarchies.chain([PathBuf::from("/sys/fs/cgroup")]).map(|hierarchy| hierarchy.join(below));
    all.filter(|dir| dir.is_dir()).collect()
}

/// After a failed test: ends what is left in a cgroup and removes it, so that the host stays clean.
pub fn sweep(cgroup: &str) {
    for dir in cgroups(cgroup) {
        let procs = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
        for pid in procs.lines().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)) {
            let _ = kill_process(pid, Signal::KILL);
            await_exit(pid.as_raw_nonzero().get(), Duration::from_secs(5));
        }
        let _ = fs::remove_dir(&dir);
    }
    if let Some(unit) = cgroup.rsplit('/').next().filter(|name| name.ends_with(".scope")) {
        let _ = Command::new("systemctl").args(["reset-failed", "--", unit]).output();
    }
}

/// Targets and sources on the host that lie below `dir`.
pub fn mounts_below(dir: &Path) -> Vec<String> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let dir = dir.to_str().unwrap();
    table.lines().filter(|line| line.contains(dir)).map(str::to_owned).collect()
}

/// Whether a process exists and is no zombie.
pub fn alive(pid: i32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    !matches!(state, None | Some('Z' | 'X'))
}
