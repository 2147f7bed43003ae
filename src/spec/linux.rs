//! `linux` (config-linux.md), less resources and seccomp.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::{Resources, Seccomp, null_is_default, object::objects};

objects!(Linux, Namespace, IdMapping, TimeOffset, Device, NetDevice, IntelRdt, Personality, MemoryPolicy);

/// `linux`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase", default)]
pub struct Linux {
    /// Namespaces to make or join.
    #[serde(deserialize_with = "null_is_default")]
    pub namespaces: Vec<Namespace>,
    /// User ids of a new user namespace.
    #[serde(deserialize_with = "null_is_default")]
    pub uid_mappings: Vec<IdMapping>,
    /// Group ids of a new user namespace.
    #[serde(deserialize_with = "null_is_default")]
    pub gid_mappings: Vec<IdMapping>,
    /// Clock offsets of a new time namespace, by clock name.
    #[serde(deserialize_with = "null_is_default")]
    pub time_offsets: BTreeMap<String, TimeOffset>,
    /// Devices that must exist inside.
    #[serde(deserialize_with = "null_is_default")]
    pub devices: Vec<Device>,
    /// Network interfaces moved from the host, by host name.
    #[serde(deserialize_with = "null_is_default")]
    pub net_devices: BTreeMap<String, NetDevice>,
    /// Where the container's cgroup lies.
    pub cgroups_path: Option<String>,
    /// Limits.
    pub resources: Option<Resources>,
    /// Intel resource director.
    pub intel_rdt: Option<IntelRdt>,
    /// Namespaced kernel parameters.
    #[serde(deserialize_with = "null_is_default")]
    pub sysctl: BTreeMap<String, String>,
    /// Seccomp profile.
    pub seccomp: Option<Seccomp>,
    /// Propagation of `/`.
    pub rootfs_propagation: Option<String>,
    /// Paths made unreadable.
    #[serde(deserialize_with = "null_is_default")]
    pub masked_paths: Vec<String>,
    /// Paths made read-only.
    #[serde(deserialize_with = "null_is_default")]
    pub readonly_paths: Vec<String>,
    /// SELinux label of mounts.
    pub mount_label: Option<String>,
    /// personality(2).
    pub personality: Option<Personality>,
    /// set_mempolicy(2).
    pub memory_policy: Option<MemoryPolicy>,
}

/// One entry of `linux.namespaces`.
#[derive(Debug, Clone, Deserialize)]
#[serde(remote = "Self")]
pub struct Namespace {
    /// Which kind.
    #[serde(rename = "type")]
    pub kind: NamespaceKind,
    /// File of a namespace to join; absent means a new one.
    pub path: Option<PathBuf>,
}

/// The eight kinds of namespaces(7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names are those of namespaces(7)")]
pub enum NamespaceKind {
    User,
    Pid,
    Network,
    Mount,
    Ipc,
    Uts,
    Cgroup,
    Time,
}

/// One line of a uid_map or gid_map (user_namespaces(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct IdMapping {
    /// First id inside.
    #[serde(rename = "containerID")]
    pub container_id: u32,
    /// First id outside.
    #[serde(rename = "hostID")]
    pub host_id: u32,
    /// How many.
    pub size: u32,
}

impl serde::Serialize for IdMapping {
    fn serialize<S: serde::Serializer>(&self, format: S) -> Result<S::Ok, S::Error> {
        // The derived function, which is not the trait's.
        Self::serialize(self, format)
    }
}

/// One clock of `linux.timeOffsets`.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(remote = "Self")]
pub struct TimeOffset {
    /// Seconds.
    #[serde(default, deserialize_with = "null_is_default")]
    pub secs: i64,
    /// Nanoseconds.
    #[serde(default, deserialize_with = "null_is_default")]
    pub nanosecs: u32,
}

/// One entry of `linux.devices`.
#[derive(Debug, Clone, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct Device {
    /// `c`, `u`, `b` or `p`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Path inside.
    pub path: PathBuf,
    /// Major number, needed unless `p`.
    pub major: Option<i64>,
    /// Minor number, needed unless `p`.
    pub minor: Option<i64>,
    /// Mode bits, 0666 when absent.
    pub file_mode: Option<u32>,
    /// Owner inside.
    pub uid: Option<u32>,
    /// Group inside.
    pub gid: Option<u32>,
}

/// One value of `linux.netDevices`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(remote = "Self")]
pub struct NetDevice {
    /// Name inside; absent keeps the host's.
    pub name: Option<String>,
}

/// `linux.intelRdt`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase", default)]
pub struct IntelRdt {
    /// Class of service; absent means the container id.
    #[serde(rename = "closID")]
    pub clos_id: Option<String>,
    /// L3 cache schema.
    pub l3_cache_schema: Option<String>,
    /// Memory bandwidth schema.
    pub mem_bw_schema: Option<String>,
    /// Lines for the `schemata` file, after the two above.
    #[serde(deserialize_with = "null_is_default")]
    pub schemata: Vec<String>,
    /// Whether a monitoring group is made.
    #[serde(deserialize_with = "null_is_default")]
    pub enable_monitoring: bool,
}

/// `linux.personality`.
#[derive(Debug, Clone, Deserialize)]
#[serde(remote = "Self")]
pub struct Personality {
    /// Execution domain.
    pub domain: PersonalityDomain,
    /// The specification defines none, so any is refused.
    #[serde(default, deserialize_with = "null_is_default")]
    pub flags: Vec<String>,
}

/// personality(2) domains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum PersonalityDomain {
    /// PER_LINUX
    #[serde(rename = "LINUX")]
    Linux,
    /// PER_LINUX32
    #[serde(rename = "LINUX32")]
    Linux32,
}

/// `linux.memoryPolicy` (set_mempolicy(2)).
#[derive(Debug, Clone, Deserialize)]
#[serde(remote = "Self")]
pub struct MemoryPolicy {
    /// Mode.
    pub mode: MemoryPolicyMode,
    /// Node list such as `0-3,7`.
    #[serde(default, deserialize_with = "null_is_default")]
    pub nodes: String,
    /// Mode flags.
    #[serde(default, deserialize_with = "null_is_default")]
    pub flags: Vec<MemoryPolicyFlag>,
}

/// set_mempolicy(2) modes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[expect(missing_docs, reason = "the names are those of set_mempolicy(2)")]
pub enum MemoryPolicyMode {
    #[serde(rename = "MPOL_DEFAULT")]
    Default,
    #[serde(rename = "MPOL_BIND")]
    Bind,
    #[serde(rename = "MPOL_INTERLEAVE")]
    Interleave,
    #[serde(rename = "MPOL_WEIGHTED_INTERLEAVE")]
    WeightedInterleave,
    #[serde(rename = "MPOL_PREFERRED")]
    Preferred,
    #[serde(rename = "MPOL_PREFERRED_MANY")]
    PreferredMany,
    #[serde(rename = "MPOL_LOCAL")]
    Local,
}

/// set_mempolicy(2) mode flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[expect(missing_docs, reason = "the names are those of set_mempolicy(2)")]
pub enum MemoryPolicyFlag {
    #[serde(rename = "MPOL_F_NUMA_BALANCING")]
    NumaBalancing,
    #[serde(rename = "MPOL_F_RELATIVE_NODES")]
    RelativeNodes,
    #[serde(rename = "MPOL_F_STATIC_NODES")]
    StaticNodes,
}

impl NamespaceKind {
    /// Every kind, in the order of the specification's table.
    pub const ALL: [Self; 8] =
        [Self::User, Self::Pid, Self::Network, Self::Mount, Self::Ipc, Self::Uts, Self::Cgroup, Self::Time];

    /// The name that config.json uses.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Pid => "pid",
            Self::Network => "network",
            Self::Mount => "mount",
            Self::Ipc => "ipc",
            Self::Uts => "uts",
            Self::Cgroup => "cgroup",
            Self::Time => "time",
        }
    }

    /// The CLONE_NEW* bit.
    #[must_use]
    pub fn clone_flag(self) -> i32 {
        match self {
            Self::User => libc::CLONE_NEWUSER,
            Self::Pid => libc::CLONE_NEWPID,
            Self::Network => libc::CLONE_NEWNET,
            Self::Mount => libc::CLONE_NEWNS,
            Self::Ipc => libc::CLONE_NEWIPC,
            Self::Uts => libc::CLONE_NEWUTS,
            Self::Cgroup => libc::CLONE_NEWCGROUP,
            Self::Time => libc::CLONE_NEWTIME,
        }
    }
}
