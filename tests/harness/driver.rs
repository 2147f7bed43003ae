//! Who makes the containers' cgroups: the runtime itself, or systemd.
//!
//! `HULL_DRIVER=systemd` lets systemd make all of them, so that every test is one of that driver too. A test about one
//! driver says so: [`Container::in_scope`], or `needs!(cgroupfs)`.

use std::process::Command;

use super::caller;
use super::container::Container;

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Driver {
    /// The runtime writes to the kernel's files.
    Cgroupfs,
    /// `--systemd-cgroup`.
    Systemd,
}

impl Driver {
    /// As the environment says.
    pub fn chosen() -> Self {
        match std::env::var("HULL_DRIVER").as_deref() {
            Ok("systemd") => Self::Systemd,
            Err(_) | Ok("" | "cgroupfs") => Self::Cgroupfs,
            Ok(other) => panic!("HULL_DRIVER is {other:?}, and must be cgroupfs or systemd"),
        }
    }

    /// For container `id`: a `linux.cgroupsPath` that nobody else has, and the cgroup that it means.
    ///
    /// A user who has no cgroup names none, and nothing is at the place that is told.
    pub fn place(self, id: &str) -> (String, String) {
        let above = caller::cgroup_above(self);
        match self {
            Self::Cgroupfs => {
                let place = format!("{}/hull-test-{id}", above.as_deref().unwrap_or_default());
                (above.map(|_| place.clone()).unwrap_or_default(), place)
            }
            Self::Systemd => {
                let slice = if caller::is_root() { "system.slice" } else { "user.slice" };
                let place = above.filter(|_| !caller::is_root()).unwrap_or_else(|| format!("/{slice}"));
                (format!("{slice}:hull-test:{id}"), format!("{place}/hull-test-{id}.scope"))
            }
        }
    }
}

/// A property of a unit of the caller's systemd, as `systemctl show` has it.
pub fn unit_property(unit: &str, name: &str) -> String {
    let whose = if caller::is_root() { "--system" } else { "--user" };
    let shown =
        Command::new("systemctl").args([whose, "show", "--value", "--property", name, "--", unit]).output();
    String::from_utf8(shown.unwrap().stdout).unwrap().trim_end().to_owned()
}

impl Container {
    /// A container whose cgroup is a scope of systemd's, whatever the environment says.
    pub fn in_scope() -> Self {
        Self::by(Driver::Systemd)
    }

    /// The name of its scope.
    pub fn unit(&self) -> &str {
        self.cgroup.rsplit('/').next().unwrap()
    }

    /// A property of its scope.
    pub fn property(&self, name: &str) -> String {
        unit_property(self.unit(), name)
    }
}
