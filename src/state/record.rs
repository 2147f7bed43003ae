//! What is remembered of a container, and how its state is shown.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::cgroups::Cgroup;
use crate::resctrl;
use crate::spec::OCI_VERSION;
use serde::{Deserialize, Serialize};

/// state.json: who the container is. It has no status, which is found by looking.
///
/// `create` writes it twice: as a journal with pid 0 before it makes anything, so that whatever a killed `create`
/// leaves behind can be found and removed, and again with the pid once the container is ready.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Version of the specification the bundle was written for.
    pub oci_version: String,
    /// First process; 0 while there is none.
    pub pid: i32,
    /// When that process started, in clock ticks since boot.
    pub start_time: u64,
    /// Absolute path of the bundle.
    pub bundle: PathBuf,
    /// Absolute path of the root filesystem.
    pub rootfs: PathBuf,
    /// RFC 3339 time of `create`.
    pub created: String,
    /// User id that called `create`.
    pub owner: u32,
    /// The container's cgroup, empty until the journal is written.
    pub cgroup: Cgroup,
    /// Its class of service, if config.json asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intel_rdt: Option<resctrl::Group>,
    /// Whether the container has a pid namespace of its own, so that all of it dies with init.
    pub private_pid_ns: bool,
    /// Whether config.json has `poststart` hooks.
    pub has_poststart: bool,
    /// Whether config.json has `poststop` hooks.
    pub has_poststop: bool,
    /// The bundle's annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Record {
    /// What is known of a container before its `create` has written anything down.
    pub(super) fn unwritten() -> Self {
        Self { oci_version: OCI_VERSION.to_owned(), ..Self::default() }
    }

    /// The state of container `id` as `state` and `list` print it.
    #[must_use]
    pub fn view<'a>(
        &'a self,
        id: &'a str,
        status: Status,
        owner: &'a str,
    ) -> View<'a, &'a BTreeMap<String, String>> {
        View {
            oci_version: &self.oci_version,
            id,
            pid: status.pid(self.pid),
            status,
            bundle: &self.bundle,
            rootfs: &self.rootfs,
            created: &self.created,
            annotations: Some(&self.annotations).filter(|annotations| !annotations.is_empty()),
            owner,
        }
    }
}

/// Where a container is in its life (runtime.md, "State"); `paused` is our own addition, as it is runc's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// `create` is at work.
    Creating,
    /// Ready, but the program does not run yet.
    Created,
    /// The program runs.
    Running,
    /// Frozen.
    Paused,
    /// The first process has ended, or never came to be.
    Stopped,
}

impl Status {
    /// As it is printed.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
        }
    }

    /// What is shown as the pid: 0 when there is no process.
    pub(super) fn pid(self, pid: i32) -> i32 {
        if matches!(self, Self::Stopped | Self::Creating) { 0 } else { pid }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The state document of runtime.md, as hooks and seccomp agents get it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct State<'a> {
    /// Version of the specification.
    pub oci_version: &'a str,
    /// Container.
    pub id: &'a str,
    /// Status.
    pub status: Status,
    /// First process, 0 when there is none.
    pub pid: i32,
    /// Absolute path of the bundle.
    pub bundle: &'a PathBuf,
    /// Annotations.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: &'a BTreeMap<String, String>,
}

/// The state as `state` and `list` print it: the document, and what runc adds to it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct View<'a, A> {
    /// Version of the specification.
    pub oci_version: &'a str,
    /// Container.
    pub id: &'a str,
    /// First process, 0 when there is none.
    pub pid: i32,
    /// Status.
    pub status: Status,
    /// Absolute path of the bundle.
    pub bundle: &'a Path,
    /// Absolute path of the root filesystem.
    pub rootfs: &'a Path,
    /// RFC 3339 time of `create`.
    pub created: &'a str,
    /// Annotations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotations: Option<A>,
    /// Name of the user that called `create`.
    pub owner: &'a str,
}
