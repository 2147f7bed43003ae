//! Who makes the containers' cgroups: the runtime itself, or systemd.
//!
//! `HULL_DRIVER=systemd` lets systemd make all of them, so that every test is one of that driver too. A test about one
//! driver says so: [`Container::in_scope`], or `needs!(cgroupfs)`.

use std::process::Command;

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
    pub fn place(self, id: &str) -> (String, String) {
        match self {
            Self::Cgroupfs => (format!("/hull-test-{id}"), format!("/hull-test-{id}")),
            Self::Systemd => {
                (format!("system.slice:hull-test:{id}"), format!("/system.slice/hull-test-{id}.scope"))
            }
        }
    }
}

/// A property of a unit of the machine's systemd, as `systemctl show` has it.
pub fn unit_property(unit: &str, name: &str) -> String {
    let shown = Command::new("systemctl").args(["show", "--value", "--property", name, "--", unit]).output();
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
