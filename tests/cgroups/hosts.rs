//! Hosts of other kinds than v2 alone: the probe, and what must work without cgroup2.

use hull::cgroups::{Cgroup, Parents, layout};
use hull::plan;

use super::view::{NOTHING, ODD_MOUNTS, PURE_V1};
use super::{Made, facts, unique};

#[test]
fn without_cgroup2_a_forking_container_is_killed_and_removed() {
    if !PURE_V1.entered("hosts::without_cgroup2_a_forking_container_is_killed_and_removed") {
        return;
    }
    let made = Made::new(&format!("/{}/inner", unique()), r#"{"pids": {"limit": 50}}"#);
    assert!(made.cgroup.clone_fd().unwrap().is_none());
    let mut guest = made.sh("echo; while :; do (sleep 60 &) 2>/dev/null; done");
    super::eventually("it forks", || made.cgroup.pids().unwrap().len() > 10);
    made.cgroup.kill().unwrap();
    assert_eq!(guest.wait(), 128 + 9);
    made.cgroup.remove().unwrap();
    assert!(!made.is_there());
}

#[test]
fn unusual_mount_points_are_found() {
    if !ODD_MOUNTS.entered("hosts::unusual_mount_points_are_found") {
        return;
    }
    let layout = layout::probe();
    let pids = layout.v1.iter().find(|hierarchy| hierarchy.controllers == ["pids"]).unwrap();
    assert_eq!(pids.mount.to_str(), Some("/mnt/pids"));
    let made = Made::new(&format!("/{}", unique()), r#"{"pids": {"limit": 5}}"#);
    assert_eq!(made.read("pids", "pids.max"), "5");
    assert!(made.cgroup.v2_path().unwrap().starts_with("/mnt/odd place/two"));
}

#[test]
fn without_any_cgroup_only_a_document_that_wants_one_is_refused() {
    if !NOTHING.entered("hosts::without_any_cgroup_only_a_document_that_wants_one_is_refused") {
        return;
    }
    let compile = |resources: &str| {
        let spec = format!(r#"{{"ociVersion": "1.3.0", "linux": {{"resources": {resources}}}}}"#);
        plan::cgroup::compile("web", &serde_json::from_str(&spec).unwrap(), &facts())
    };
    let cgroup = Cgroup::create(&compile("{}").unwrap(), Parents::Made).unwrap();
    assert_eq!(cgroup, Cgroup::default());
    assert!(cgroup.pids().unwrap().is_empty() && !cgroup.can_freeze());
    cgroup.kill().unwrap();
    cgroup.remove().unwrap();
    let refused = compile(r#"{"pids": {"limit": 5}}"#).unwrap_err();
    assert_eq!(refused.at, "linux.resources.pids.limit");
    let refused = compile(r#"{"devices": [{"allow": false, "access": "rwm"}]}"#).unwrap_err();
    assert_eq!(refused.at, "linux.resources.devices");
}
