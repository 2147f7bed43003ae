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

/// All but the machine's first process, its furniture and this program.
fn processes() -> Vec<String> {
    let pids =
        fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let strangers = pids.filter(|pid: &u32| *pid != 1 && *pid != std::process::id());
    let line =
        |pid| fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default().replace('\0', " ");
    // Podman keeps one that holds a user's namespaces, for all containers of that user to come.
    let told = strangers.map(line).filter(|line| !line.is_empty() && !line.starts_with("catatonit -P"));
    told.map(|line| format!("process {line}")).collect()
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

/// An engine's own cgroup may stay for its next container; what lies in it may not. Podman's holds its monitors.
fn cgroups() -> Vec<String> {
    let hierarchies = fs::read_dir("/sys/fs/cgroup").unwrap().flatten().map(|entry| entry.path());
    let roots = hierarchies.filter(|path| path.join("cgroup.procs").is_file());
    let engines = roots.flat_map(|root| below(&root)).filter(|engine| !engine.ends_with("libpod_parent"));
    engines.flat_map(|engine| below(&engine)).map(|left| format!("cgroup {}", left.display())).collect()
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
