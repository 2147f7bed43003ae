//! What an engine and its runtime must not leave behind once the last container is gone and the engine has stopped.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Asserts that the machine is as it was at the beginning.
#[track_caller]
pub fn none() {
    let deadline = Instant::now() + Duration::from_secs(20);
    // Shims and monitors end a moment after their engine.
    while Instant::now() < deadline && !found().is_empty() {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(found().is_empty(), "left behind: {:#?}", found());
}

fn found() -> BTreeSet<String> {
    processes().into_iter().chain(mounts()).chain(cgroups()).chain(states()).collect()
}

/// All but this program with its ancestors, and the services of the machine where it has a systemd.
fn processes() -> Vec<String> {
    let pids =
        fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let own = ancestry(std::process::id());
    let services = cgroup_of(std::process::id());
    let strangers = pids.filter(|pid: &u32| {
        let cgroup = cgroup_of(*pid);
        let serves = *pid == 1 || (cgroup.ends_with(".service\n") && cgroup != services);
        !own.contains(pid) && !serves
    });
    let line =
        |pid| fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default().replace('\0', " ");
    // Podman keeps one that holds a user's namespaces, for all containers of that user to come.
    let told = strangers.map(line).filter(|line| !line.is_empty() && !line.starts_with("catatonit -P"));
    told.map(|line| format!("process {line}")).collect()
}

fn ancestry(pid: u32) -> Vec<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)?.parse().ok());
    let above = parent.filter(|parent| *parent > 0).map(ancestry).unwrap_or_default();
    [vec![pid], above].concat()
}

/// In the last hierarchy of the list, which is cgroup2.
fn cgroup_of(pid: u32) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    text.rsplit_once("0::").map(|(_, path)| path.to_owned()).unwrap_or_default()
}

/// Root filesystems and namespaces that are still mounted.
fn mounts() -> Vec<String> {
    let table = fs::read_to_string("/proc/self/mounts").unwrap();
    let targets = table.lines().filter_map(|line| line.split(' ').nth(1));
    let of_containers = |target: &&str| {
        ["/merged", "/rootfs", "/netns/", "/shm"].iter().any(|part| target.contains(part))
            && *target != "/dev/shm"
    };
    targets.filter(of_containers).map(|target| format!("mount {target}")).collect()
}

/// Cgroups that bear the id of a container; an engine's own may stay for its next one.
fn cgroups() -> Vec<String> {
    let hexadecimal = |word: &str| word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut places = below(Path::new("/sys/fs/cgroup"));
    let mut found = Vec::new();
    while let Some(place) = places.pop() {
        places.extend(below(&place));
        let name = place.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        // A pod's is Podman's to remove, which it tries while its own cleanup may still be at work inside.
        let pod = place.parent().is_some_and(|parent| parent.ends_with("libpod_parent")) && hexadecimal(name);
        if !pod && (name.split(['-', '.']).any(hexadecimal) || name.starts_with("ctr-")) {
            found.push(format!("cgroup {}", place.display()));
        }
    }
    found
}

/// The state that a runtime keeps for each container.
fn states() -> Vec<String> {
    let mut places = vec![PathBuf::from("/run")];
    let mut found = Vec::new();
    while let Some(place) = places.pop() {
        places.extend(below(&place));
        if place.join("state.json").is_file() {
            found.push(format!("state {}", place.display()));
        }
    }
    found
}

fn below(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}
