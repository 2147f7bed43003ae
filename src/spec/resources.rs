//! `linux.resources` (config-linux.md, "Control groups"): also the whole document of `update --resources`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{null_is_default, object::objects};

objects!(
    Resources,
    DeviceRule,
    Memory,
    Cpu,
    Pids,
    BlockIo,
    WeightDevice,
    ThrottleDevice,
    HugepageLimit,
    Network,
    InterfacePriority,
    Rdma
);

/// `linux.resources`. Every field is optional; an absent one is not written.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase", default)]
pub struct Resources {
    /// Cgroup v2 files by name, written last.
    #[serde(deserialize_with = "null_is_default")]
    pub unified: BTreeMap<String, String>,
    /// Device rules, in order; the last match wins.
    #[serde(deserialize_with = "null_is_default")]
    pub devices: Vec<DeviceRule>,
    /// Memory.
    pub memory: Option<Memory>,
    /// CPU time and CPU sets.
    pub cpu: Option<Cpu>,
    /// Number of tasks.
    pub pids: Option<Pids>,
    /// Block devices.
    #[serde(rename = "blockIO")]
    pub block_io: Option<BlockIo>,
    /// Huge pages.
    #[serde(deserialize_with = "null_is_default")]
    pub hugepage_limits: Vec<HugepageLimit>,
    /// Network class and priorities (v1 only).
    pub network: Option<Network>,
    /// RDMA handles, by device.
    #[serde(deserialize_with = "null_is_default")]
    pub rdma: BTreeMap<String, Rdma>,
}

/// One device rule.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(remote = "Self")]
pub struct DeviceRule {
    /// Allow or deny.
    pub allow: bool,
    /// `a` (also when absent), `c` or `b`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Absent or -1 means all.
    pub major: Option<i64>,
    /// Absent or -1 means all.
    pub minor: Option<i64>,
    /// Subset of `rwm`.
    pub access: Option<String>,
}

/// Memory limits in bytes, -1 for unlimited.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase", default)]
pub struct Memory {
    /// Hard limit.
    pub limit: Option<i64>,
    /// Soft limit.
    pub reservation: Option<i64>,
    /// Limit of memory plus swap.
    pub swap: Option<i64>,
    /// Kernel memory (v1, deprecated).
    pub kernel: Option<i64>,
    /// Kernel TCP buffers (v1).
    #[serde(rename = "kernelTCP")]
    pub kernel_tcp: Option<i64>,
    /// 0 to 100 (v1).
    pub swappiness: Option<u64>,
    /// Stop instead of killing (v1).
    #[serde(rename = "disableOOMKiller")]
    pub disable_oom_killer: Option<bool>,
    /// Hierarchical accounting (v1).
    pub use_hierarchy: Option<bool>,
    /// Refuse an update below present usage.
    pub check_before_update: Option<bool>,
}

/// CPU limits.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase", default)]
pub struct Cpu {
    /// Relative weight, 2 to 262144.
    pub shares: Option<u64>,
    /// Microseconds per period, not above zero for unlimited.
    pub quota: Option<i64>,
    /// Microseconds that may be saved up.
    pub burst: Option<u64>,
    /// Microseconds.
    pub period: Option<u64>,
    /// Real-time microseconds per period (v1).
    pub realtime_runtime: Option<i64>,
    /// Real-time period in microseconds (v1).
    pub realtime_period: Option<u64>,
    /// CPU list.
    pub cpus: Option<String>,
    /// Memory node list.
    pub mems: Option<String>,
    /// 1 for SCHED_IDLE treatment.
    pub idle: Option<i64>,
}

/// Limit of tasks.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(remote = "Self")]
pub struct Pids {
    /// -1 for unlimited; absent writes nothing.
    pub limit: Option<i64>,
}

/// Block device weights and rates.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase", default)]
pub struct BlockIo {
    /// 10 to 1000.
    pub weight: Option<u16>,
    /// 10 to 1000 (v1 cfq).
    pub leaf_weight: Option<u16>,
    /// Weights by device.
    #[serde(deserialize_with = "null_is_default")]
    pub weight_device: Vec<WeightDevice>,
    /// Bytes per second.
    #[serde(deserialize_with = "null_is_default")]
    pub throttle_read_bps_device: Vec<ThrottleDevice>,
    /// Bytes per second.
    #[serde(deserialize_with = "null_is_default")]
    pub throttle_write_bps_device: Vec<ThrottleDevice>,
    /// Operations per second.
    #[serde(rename = "throttleReadIOPSDevice", deserialize_with = "null_is_default")]
    pub throttle_read_iops_device: Vec<ThrottleDevice>,
    /// Operations per second.
    #[serde(rename = "throttleWriteIOPSDevice", deserialize_with = "null_is_default")]
    pub throttle_write_iops_device: Vec<ThrottleDevice>,
}

/// Weight of one block device.
#[derive(Debug, Clone, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct WeightDevice {
    /// Device number.
    pub major: i64,
    /// Device number.
    pub minor: i64,
    /// 10 to 1000.
    pub weight: Option<u16>,
    /// 10 to 1000 (v1 cfq).
    pub leaf_weight: Option<u16>,
}

/// Rate of one block device.
#[derive(Debug, Clone, Deserialize)]
#[serde(remote = "Self")]
pub struct ThrottleDevice {
    /// Device number.
    pub major: i64,
    /// Device number.
    pub minor: i64,
    /// Per second.
    pub rate: u64,
}

/// Limit of one huge page size.
#[derive(Debug, Clone, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct HugepageLimit {
    /// `<number><KB|MB|GB>`. Readers in Go take any letter case, and some documents have this one in lower case.
    #[serde(alias = "pagesize")]
    pub page_size: String,
    /// Bytes.
    pub limit: u64,
}

/// net_cls and net_prio.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(remote = "Self", default)]
pub struct Network {
    /// Class of outgoing packets.
    #[serde(rename = "classID")]
    pub class_id: Option<u32>,
    /// Priorities by interface.
    #[serde(deserialize_with = "null_is_default")]
    pub priorities: Vec<InterfacePriority>,
}

/// Priority of one interface.
#[derive(Debug, Clone, Deserialize)]
#[serde(remote = "Self")]
pub struct InterfacePriority {
    /// Interface name.
    pub name: String,
    /// Priority.
    pub priority: u32,
}

/// RDMA limits of one device.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase", default)]
pub struct Rdma {
    /// Most HCA handles.
    pub hca_handles: Option<u32>,
    /// Most HCA objects.
    pub hca_objects: Option<u32>,
}
