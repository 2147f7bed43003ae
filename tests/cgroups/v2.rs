//! A host with cgroup2 alone.

use std::fs;
use std::path::Path;

use hull::cgroups::{Cgroup, Error, Parents, layout};
use hull::sys::Errno;

use super::view::PURE_V2;
use super::{Made, nest, plan, plan_with, state_of, unique};

fn first_page_size() -> Option<String> {
    let names = fs::read_dir("/sys/kernel/mm/hugepages").ok()?.flatten();
    let kilobytes = names.filter_map(|entry| {
        entry.file_name().to_str()?.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse::<u64>().ok()
    });
    kilobytes
        .min()
        .map(|kb| if kb >= 1 << 20 { format!("{}GB", kb >> 20) } else { format!("{}MB", kb >> 10) })
}

#[test]
fn controllers_are_handed_down_the_path_and_parents_go_with_the_container() {
    if !PURE_V2.entered("v2::controllers_are_handed_down_the_path_and_parents_go_with_the_container") {
        return;
    }
    let layout = layout::probe();
    let (Some(size), true) = (first_page_size(), layout.offers("hugetlb")) else {
        let name = "cgroups::v2::controllers_are_handed_down_the_path_and_parents_go_with_the_container";
        return crate::harness::skip(name, "needs huge pages and their controller");
    };
    let name = unique();
    let made = Made::new(
        &format!("/{name}/a/b"),
        &format!(
            r#"{{"hugepageLimits": [{{"pageSize": "{size}", "limit": 0}}],
                "unified": {{"cgroup.max.depth": "3", "hugetlb.{size}.rsvd.max": "0"}}}}"#
        ),
    );
    assert_eq!(made.read("hugetlb", &format!("hugetlb.{size}.max")), "0");
    assert_eq!(made.read("hugetlb", &format!("hugetlb.{size}.rsvd.max")), "0");
    assert_eq!(made.read("hugetlb", "cgroup.max.depth"), "3");
    let stats = made.cgroup.stats().unwrap();
    assert!(stats.hugetlb.contains_key(&size), "{stats:?}");
    made.cgroup.remove().unwrap();
    assert!(!Path::new("/sys/fs/cgroup").join(&name).exists());
}

#[test]
fn a_parent_that_cannot_hand_down_is_named() {
    if !PURE_V2.entered("v2::a_parent_that_cannot_hand_down_is_named") {
        return;
    }
    let Some(size) = first_page_size().filter(|_| layout::probe().offers("hugetlb")) else {
        let name = "cgroups::v2::a_parent_that_cannot_hand_down_is_named";
        return crate::harness::skip(name, "needs huge pages and their controller");
    };
    let limit = format!(r#"{{"hugepageLimits": [{{"pageSize": "{size}", "limit": 0}}]}}"#);
    let holder = Made::new(&format!("/{}", unique()), "{}");
    let _guest = holder.sleepers(1);
    let parent = holder.paths[0].display().to_string();
    let below = parent.trim_start_matches("/sys/fs/cgroup");
    let err = Cgroup::create(&plan(&format!("{below}/x"), &limit), Parents::Made).unwrap_err();
    let Error::NotDelegated { controller, errno, .. } = &err else { panic!("{err}") };
    assert_eq!((controller.as_str(), *errno), ("hugetlb", Some(Errno::EBUSY)));
    assert!(
        err.to_string().contains(&format!("{parent} does not hand down the hugetlb controller")),
        "{err}"
    );
    assert!(err.hint().unwrap().contains("move them into a child"), "{:?}", err.hint());
    assert!(!Path::new(&parent).join("x").exists());
}

#[test]
fn a_threaded_parent_is_refused() {
    if !PURE_V2.entered("v2::a_threaded_parent_is_refused") {
        return;
    }
    let top = Made::new(&format!("/{}", unique()), "{}");
    let threaded = nest(&top.paths[0], "threaded");
    fs::write(threaded.join("cgroup.type"), "threaded").unwrap();
    let below = threaded.strip_prefix("/sys/fs/cgroup").unwrap().join("x");
    let err = Cgroup::create(&plan(&format!("/{}", below.display()), "{}"), Parents::Made).unwrap_err();
    assert!(matches!(&err, Error::Threaded { kind, .. } if kind == "domain invalid"), "{err}");
    assert!(!threaded.join("x").exists());
}

#[test]
fn freezing_waits_for_the_kernel_and_killing_works_on_the_frozen() {
    if !PURE_V2.entered("v2::freezing_waits_for_the_kernel_and_killing_works_on_the_frozen") {
        return;
    }
    let made = Made::new(&format!("/{}", unique()), "{}");
    let mut guest = made.sh("echo; while :; do :; done");
    made.cgroup.freeze().unwrap();
    assert!(made.cgroup.is_frozen().unwrap());
    assert!(fs::read_to_string(made.paths[0].join("cgroup.events")).unwrap().contains("frozen 1"));
    let err = Cgroup::create(
        &plan(&made.paths[0].display().to_string().replace("/sys/fs/cgroup", ""), "{}"),
        Parents::Made,
    );
    assert!(matches!(err, Err(Error::Frozen { .. })), "{err:?}");
    made.cgroup.thaw().unwrap();
    assert!(!made.cgroup.is_frozen().unwrap());
    made.cgroup.freeze().unwrap();
    made.cgroup.kill().unwrap();
    assert_eq!(guest.wait(), 128 + 9);
    made.cgroup.remove().unwrap();
    assert!(!made.is_there());
}

#[test]
fn killing_and_removing_take_nested_cgroups_along() {
    if !PURE_V2.entered("v2::killing_and_removing_take_nested_cgroups_along") {
        return;
    }
    let made = Made::new(&format!("/{}", unique()), "{}");
    let mut guest = made.sleepers(3);
    let pids = made.cgroup.pids().unwrap();
    let deep = nest(&nest(&made.paths[0], "outer"), "deep");
    fs::write(deep.join("cgroup.procs"), pids[0].to_string()).unwrap();
    let mut listed = made.cgroup.pids().unwrap();
    listed.sort_unstable();
    let mut before = pids.clone();
    before.sort_unstable();
    assert_eq!(listed, before);
    made.cgroup.signal_all(libc::SIGCONT).unwrap();
    assert!(matches!(state_of(pids[0]).as_str(), "S" | "R"));
    made.cgroup.kill().unwrap();
    // At once: the removal itself waits for the processes to go.
    made.cgroup.remove().unwrap();
    guest.wait();
    assert!(!made.is_there());
}

#[test]
fn device_programs_decide_and_are_replaced_not_piled_up() {
    use std::os::fd::AsFd;
    if !PURE_V2.entered("v2::device_programs_decide_and_are_replaced_not_piled_up") {
        return;
    }
    let made = Made::new(
        &format!("/{}", unique()),
        r#"{"devices": [{"allow": false, "access": "rwm"},
            {"allow": true, "type": "c", "major": 10, "access": "rw"},
            {"allow": false, "type": "c", "major": 10, "minor": 229, "access": "w"}]}"#,
    );
    let programs =
        || hull::sys::bpf::device_programs(made.cgroup.clone_fd().unwrap().unwrap().as_fd()).unwrap();
    let first = programs();
    assert_eq!(first.len(), 1);
    let kmsg = "echo; exec sh -c '</dev/null; >/dev/zero; </dev/kmsg' 2>/dev/null";
    assert_ne!(made.sh(kmsg).wait(), 0, "a device that is not listed opened");
    made.update(r#"{"devices": [{"allow": true, "type": "c", "major": 1, "minor": 11, "access": "r"}]}"#)
        .unwrap();
    assert_eq!(made.sh(kmsg).wait(), 0);
    assert_ne!(made.sh("echo; exec sh -c '>>/dev/kmsg' 2>/dev/null").wait(), 0, "opened for writing");
    let second = programs();
    assert_eq!(second.len(), 1);
    assert_ne!(first, second);
}

#[test]
fn statistics_include_pressure() {
    if !PURE_V2.entered("v2::statistics_include_pressure") {
        return;
    }
    let made = Made::new(&format!("/{}", unique()), "{}");
    let _guest = made.sh("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo; exec sleep 60");
    let stats = serde_json::to_value(made.cgroup.stats().unwrap()).unwrap();
    assert!(stats["cpu"]["usage"]["total"].as_u64().unwrap() > 1_000_000, "{stats}");
    if made.paths[0].join("cpu.pressure").exists() {
        assert!(stats["cpu"]["psi"]["some"]["avg10"].is_f64(), "{stats}");
        assert!(stats["memory"]["psi"]["full"]["total"].is_u64(), "{stats}");
    }
}

#[test]
fn a_cgroup_in_use_is_not_taken() {
    if !PURE_V2.entered("v2::a_cgroup_in_use_is_not_taken") {
        return;
    }
    let name = unique();
    let other = Made::new(&format!("/{name}"), "{}");
    let _guest = other.sleepers(1);
    let err = Cgroup::create(&plan(&format!("/{name}"), "{}"), Parents::Made).unwrap_err();
    assert!(matches!(err, Error::Populated { .. }), "{err}");
    assert!(!other.cgroup.pids().unwrap().is_empty());
}

#[test]
fn a_container_that_may_manage_its_cgroup_owns_it() {
    use std::os::unix::fs::MetadataExt;
    if !PURE_V2.entered("v2::a_container_that_may_manage_its_cgroup_owns_it") {
        return;
    }
    let path = format!("/{}", unique());
    let made = Made::try_new(&plan_with(&path, "{}", r#"[{"type": "cgroup"}]"#)).unwrap();
    let owner = |file: &str| fs::metadata(made.paths[0].join(file)).unwrap().uid();
    assert_eq!([owner(""), owner("cgroup.procs"), owner("cgroup.subtree_control")], [1234; 3]);
    assert_eq!([owner("cgroup.freeze"), owner("cgroup.kill"), owner("cgroup.max.depth")], [0; 3]);
}
