//! What the planner may know about the host: probed once, elsewhere, and handed in as data.

use std::path::PathBuf;

use super::unit::SystemdFacts;
use crate::spec::{Process, Spec};

/// Parts of the host that not every plan depends on: looked at only for those that do.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted {
    /// [`HostFacts::cgroups`], where no process joins the cgroup of a container that is there.
    pub cgroups: bool,
    /// [`HostFacts::resctrl`].
    pub resctrl: bool,
    /// [`HostFacts::apparmor`] and [`HostFacts::selinux`].
    pub security_modules: bool,
    /// [`HostFacts::kernel_views`].
    pub kernel_views: bool,
}

impl Wanted {
    /// What a container's plan depends on.
    #[must_use]
    pub fn by(spec: &Spec) -> Self {
        Self {
            cgroups: true,
            resctrl: spec.linux.intel_rdt.is_some(),
            security_modules: spec.linux.mount_label.is_some()
                || spec.process.as_ref().is_some_and(Process::is_labelled),
            kernel_views: false,
        }
    }

    /// What the plan of one more process depends on.
    #[must_use]
    pub fn by_process(process: &Process) -> Self {
        Self { security_modules: process.is_labelled(), ..Self::default() }
    }
}

/// The host, as far as policy depends on it.
#[derive(Debug, Clone, Default)]
pub struct HostFacts {
    /// Effective user id of the caller.
    pub euid: u32,
    /// Whether missing rights over cgroups are forgiven where nothing asks for one.
    pub rootless: bool,
    /// Effective group id of the caller.
    pub egid: u32,
    /// Whether the caller runs inside a user namespace other than the host's first.
    pub in_user_ns: bool,
    /// Whether setgroups(2) is given up in that namespace (CVE-2014-8989).
    pub no_setgroups: bool,
    /// Whether the mounts that the caller sees belong to a user namespace in which it has no rights, as the host's
    /// do to an ordinary user: it cannot clone them.
    pub foreign_mounts: bool,
    /// Capabilities that the caller can hand on, as bits by number.
    pub capabilities: u64,
    /// Where the cgroup hierarchies are.
    pub cgroups: CgroupLayout,
    /// The systemd that is to manage the container's cgroup, if one is.
    pub systemd: Option<SystemdFacts>,
    /// Where the resctrl filesystem is mounted.
    pub resctrl: Option<PathBuf>,
    /// Whether an AppArmor profile can be set.
    pub apparmor: bool,
    /// Whether an SELinux label can be set.
    pub selinux: bool,
    /// Where procfs and sysfs are mounted, in the order of mounting.
    pub kernel_views: Vec<PathBuf>,
}

impl HostFacts {
    /// Whether the caller has a capability in its own user namespace.
    #[must_use]
    pub fn may(&self, capability: caps::Capability) -> bool {
        self.capabilities & capability.bitmask() != 0
    }
}

/// How cgroups are mounted on this host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CgroupLayout {
    /// v1 hierarchies, one for each mount, in the order of /proc/self/cgroup. Empty on a pure v2 host.
    pub v1: Vec<Hierarchy>,
    /// The v2 hierarchy: the whole host (mounted at /sys/fs/cgroup), or the unified part of a hybrid one.
    pub v2: Option<Hierarchy>,
}

/// One cgroup hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hierarchy {
    /// Controllers: v1 those mounted together (`["cpu", "cpuacct"]`, a named one as `name=systemd`), v2 those in
    /// the root's cgroup.controllers.
    pub controllers: Vec<String>,
    /// Where it is mounted.
    pub mount: PathBuf,
    /// The caller's own cgroup in it, absolute below the mount.
    pub own: String,
}

impl CgroupLayout {
    /// Whether this is a pure v2 host.
    #[must_use]
    pub fn is_v2(&self) -> bool {
        self.v1.is_empty() && self.v2.is_some()
    }

    /// Whether some hierarchy offers `controller`; `cgroup` stands for what every v2 cgroup has.
    #[must_use]
    pub fn offers(&self, controller: &str) -> bool {
        self.v1.iter().any(|hierarchy| hierarchy.has(controller)) || self.offers_v2(controller)
    }

    /// Whether the v2 hierarchy offers `controller`.
    #[must_use]
    pub fn offers_v2(&self, controller: &str) -> bool {
        self.v2.as_ref().is_some_and(|v2| controller == "cgroup" || v2.has(controller))
    }
}

impl Hierarchy {
    fn has(&self, controller: &str) -> bool {
        self.controllers.iter().any(|own| own == controller)
    }
}
