//! The hosts that plans are compiled for: every cgroup layout, with and without privilege.

use hull::plan::{CgroupLayout, Hierarchy, HostFacts, SystemdFacts};

/// CAP_CHOWN to CAP_CHECKPOINT_RESTORE.
const ALL_CAPABILITIES: u64 = (1 << 41) - 1;

/// A host by name.
pub fn named(name: &str) -> HostFacts {
    let root = HostFacts { capabilities: ALL_CAPABILITIES, ..HostFacts::default() };
    match name {
        "none" => root,
        "v1" => HostFacts { cgroups: v1(&["hugetlb"]), ..root },
        "v2" => HostFacts { cgroups: v2(), ..root },
        // As on Debian before 11: controllers on v1, but one of them handed to the unified hierarchy.
        "hybrid" => {
            let unified = Some(hierarchy("/sys/fs/cgroup/unified", "hugetlb", "/init.scope"));
            HostFacts { cgroups: CgroupLayout { v2: unified, ..v1(&[]) }, ..root }
        }
        "complete" => {
            let cgroups = v1(&["hugetlb", "net_cls net_prio"]);
            HostFacts { cgroups, apparmor: true, selinux: true, ..root }
        }
        "labelled" => HostFacts { cgroups: v2(), apparmor: true, selinux: true, ..root },
        "rdt" => HostFacts { cgroups: v2(), resctrl: Some("/sys/fs/resctrl".into()), ..root },
        // An ordinary user.
        "rootless" => HostFacts {
            euid: 1000,
            egid: 1000,
            rootless: true,
            foreign_mounts: true,
            cgroups: v2(),
            ..HostFacts::default()
        },
        "systemd" => HostFacts { cgroups: v2(), systemd: systemd(false), ..root },
        "systemd-v1" => HostFacts { cgroups: v1(&["hugetlb"]), systemd: systemd(false), ..root },
        "systemd-user" => {
            HostFacts { euid: 1000, cgroups: v2(), systemd: systemd(true), ..HostFacts::default() }
        }
        "systemd-user-v1" => {
            HostFacts { euid: 1000, cgroups: v1(&[]), systemd: systemd(true), ..HostFacts::default() }
        }
        // As a rootless engine calls: root of a namespace that holds its user's ids.
        "rootless-v1" => HostFacts { in_user_ns: true, rootless: true, cgroups: v1(&[]), ..root },
        // Root of a user namespace, as in a container or below rootlesskit.
        "nested" => HostFacts { in_user_ns: true, rootless: true, cgroups: v2(), ..root },
        name => panic!("no host is called {name}"),
    }
}

fn systemd(user: bool) -> Option<SystemdFacts> {
    let root = if user { "/user.slice/user-1000.slice/user@1000.service" } else { "" };
    Some(SystemdFacts { user, root: root.to_owned(), version: 252 })
}

fn v2() -> CgroupLayout {
    let controllers = "cpuset cpu io memory hugetlb pids rdma";
    CgroupLayout { v1: Vec::new(), v2: Some(hierarchy("/sys/fs/cgroup", controllers, "/user.slice/shell")) }
}

fn v1(more: &[&str]) -> CgroupLayout {
    let mounts =
        ["cpu cpuacct", "cpuset", "memory", "pids", "blkio", "devices", "freezer", "rdma", "name=systemd"];
    let mount = |controllers: &&str| {
        let dir = controllers.replace(' ', ",").replace("name=", "");
        hierarchy(&format!("/sys/fs/cgroup/{dir}"), controllers, "/user")
    };
    CgroupLayout { v1: mounts.iter().chain(more).map(mount).collect(), v2: None }
}

fn hierarchy(mount: &str, controllers: &str, own: &str) -> Hierarchy {
    let controllers = controllers.split(' ').map(str::to_owned).collect();
    Hierarchy { controllers, mount: mount.into(), own: own.to_owned() }
}
