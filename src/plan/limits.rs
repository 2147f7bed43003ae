//! `linux.resources` as writes to cgroup files: one table for each cgroup version.
//!
//! A row says which property goes to which file and how it is written there. Where a property cannot be honoured
//! by the version that has its controller, the row refuses it, because a limit that silently does not hold is worse
//! than none. What both versions express as lists of files (huge pages, `unified`) follows the tables.

use std::borrow::Cow;

use serde::Serialize;

use super::limit_values as value;
use super::limit_values::Values;
use super::{CgroupLayout, Error};
use crate::spec::Resources;

/// One value for one file of the container's cgroup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Write {
    /// JSON path of the property that asked for it.
    pub at: String,
    /// File name, such as `memory.max`; its first word is the controller.
    pub file: Cow<'static, str>,
    /// What is written.
    pub value: String,
    /// What to do where the kernel has no such file.
    pub absent: Absent,
    /// A cgroup that was just made has this value already.
    pub fresh: bool,
}

/// What to do where the kernel has no such file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Absent {
    /// Fail: the limit would not hold.
    Refuse,
    /// Go on: without the file the limit holds anyway, or the kernel gave it up.
    Skip,
    /// Write another file, which another I/O scheduler offers.
    Instead {
        /// File name.
        file: Cow<'static, str>,
        /// What is written.
        value: String,
    },
}

impl Write {
    /// The controller that owns the file; `cgroup` for the files that every v2 cgroup has.
    #[must_use]
    pub fn controller(&self) -> &str {
        controller_of(&self.file)
    }

    fn new(file: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        let (at, absent) = (String::new(), Absent::Refuse);
        Self { at, file: file.into(), value: value.into(), absent, fresh: false }
    }
}

fn controller_of(file: &str) -> &str {
    file.split('.').next().unwrap_or(file)
}

/// A property, the file it goes to, and how.
struct Row {
    /// Property below `linux.resources`.
    at: &'static str,
    file: &'static str,
    values: fn(&Resources) -> Values,
    /// The value of a cgroup that was just made.
    fresh: &'static str,
    /// Values that hold even where the file is missing.
    optional: fn(&str) -> bool,
    instead: Option<Instead>,
    v1_only: bool,
}

/// Another file, and how the value is written there.
type Instead = (&'static str, fn(&str) -> String);

const fn row(at: &'static str, file: &'static str, values: fn(&Resources) -> Values) -> Row {
    Row { at, file, values, fresh: "", optional: |_| false, instead: None, v1_only: false }
}

impl Row {
    const fn fresh(self, fresh: &'static str) -> Self {
        Self { fresh, ..self }
    }

    const fn optional(self, optional: fn(&str) -> bool) -> Self {
        Self { optional, ..self }
    }

    const fn instead(self, file: &'static str, convert: fn(&str) -> String) -> Self {
        Self { instead: Some((file, convert)), ..self }
    }

    const fn v1_only(self) -> Self {
        Self { v1_only: true, ..self }
    }

    fn write(&self, value: String) -> Write {
        let fresh = value == self.fresh;
        let absent = match self.instead {
            Some((file, convert)) => Absent::Instead { file: file.into(), value: convert(&value) },
            None if fresh || (self.optional)(&value) => Absent::Skip,
            None => Absent::Refuse,
        };
        Write { at: String::new(), file: self.file.into(), value, absent, fresh }
    }
}

/// cgroup v1. Kernel memory has been accounted but not limited since Linux 5.16, so its file may refuse.
const V1: &[Row] = &[
    row("memory.limit", "memory.limit_in_bytes", |r| value::bytes(r.memory.as_ref()?.limit, "-1"))
        .fresh("-1"),
    row("memory.swap", "memory.memsw.limit_in_bytes", |r| value::memory_and_swap(r.memory.as_ref()?))
        .fresh("-1"),
    row("memory.reservation", "memory.soft_limit_in_bytes", |r| {
        value::bytes(r.memory.as_ref()?.reservation, "-1")
    })
    .fresh("-1"),
    row("memory.kernel", "memory.kmem.limit_in_bytes", |r| value::bytes(r.memory.as_ref()?.kernel, "-1"))
        .fresh("-1")
        .optional(|_| true),
    row("memory.kernelTCP", "memory.kmem.tcp.limit_in_bytes", |r| {
        value::bytes(r.memory.as_ref()?.kernel_tcp, "-1")
    })
    .fresh("-1"),
    row("memory.swappiness", "memory.swappiness", |r| value::swappiness(r.memory.as_ref()?.swappiness)),
    row("memory.disableOOMKiller", "memory.oom_control", |r| {
        value::switch(r.memory.as_ref()?.disable_oom_killer)
    }),
    row("memory.useHierarchy", "memory.use_hierarchy", |r| value::switch(r.memory.as_ref()?.use_hierarchy)),
    row("cpu.idle", "cpu.idle", |r| value::idle(r.cpu.as_ref()?)).fresh("0"),
    row("cpu.shares", "cpu.shares", |r| value::shares(r.cpu.as_ref()?)).fresh("1024"),
    row("cpu.period", "cpu.cfs_period_us", |r| value::nonzero(r.cpu.as_ref()?.period)).fresh("100000"),
    row("cpu.quota", "cpu.cfs_quota_us", |r| value::quota(r.cpu.as_ref()?.quota)).fresh("-1"),
    row("cpu.burst", "cpu.cfs_burst_us", |r| value::number(r.cpu.as_ref()?.burst)).fresh("0"),
    row("cpu.realtimePeriod", "cpu.rt_period_us", |r| value::nonzero(r.cpu.as_ref()?.realtime_period)),
    row("cpu.realtimeRuntime", "cpu.rt_runtime_us", |r| value::nonzero(r.cpu.as_ref()?.realtime_runtime)),
    row("cpu.cpus", "cpuset.cpus", |r| value::list(r.cpu.as_ref()?.cpus.as_ref())),
    row("cpu.mems", "cpuset.mems", |r| value::list(r.cpu.as_ref()?.mems.as_ref())),
    row("pids.limit", "pids.max", |r| value::tasks(r.pids.as_ref()?.limit, 0)).fresh("max"),
    row("blockIO.weight", "blkio.weight", |r| value::io_weight(r.block_io.as_ref()?.weight))
        .instead("blkio.bfq.weight", str::to_owned),
    row("blockIO.leafWeight", "blkio.leaf_weight", |r| value::io_weight(r.block_io.as_ref()?.leaf_weight)),
    row("blockIO.weightDevice", "blkio.weight_device", |r| {
        value::io_weights(r.block_io.as_ref()?, |device| device.weight)
    })
    .instead("blkio.bfq.weight_device", str::to_owned),
    row("blockIO.weightDevice", "blkio.leaf_weight_device", |r| {
        value::io_weights(r.block_io.as_ref()?, |device| device.leaf_weight)
    }),
    row("blockIO.throttleReadBpsDevice", "blkio.throttle.read_bps_device", |r| {
        value::rates(&r.block_io.as_ref()?.throttle_read_bps_device, "")
    }),
    row("blockIO.throttleWriteBpsDevice", "blkio.throttle.write_bps_device", |r| {
        value::rates(&r.block_io.as_ref()?.throttle_write_bps_device, "")
    }),
    row("blockIO.throttleReadIOPSDevice", "blkio.throttle.read_iops_device", |r| {
        value::rates(&r.block_io.as_ref()?.throttle_read_iops_device, "")
    }),
    row("blockIO.throttleWriteIOPSDevice", "blkio.throttle.write_iops_device", |r| {
        value::rates(&r.block_io.as_ref()?.throttle_write_iops_device, "")
    }),
    row("network.classID", "net_cls.classid", |r| value::nonzero(r.network.as_ref()?.class_id)),
    row("network.priorities", "net_prio.ifpriomap", |r| value::priorities(&r.network.as_ref()?.priorities)),
    row("rdma", "rdma.max", |r| value::rdma(r.rdma.iter())),
];

/// cgroup v2. Rows marked `v1_only` carry the name of the v1 file, for the controller it belongs to.
const V2: &[Row] = &[
    // Swap before memory, as lowering memory pushes pages out to swap.
    row("memory.swap", "memory.swap.max", |r| value::swap_alone(r.memory.as_ref()?))
        .fresh("max")
        .optional(|swap| swap == "0"),
    row("memory.limit", "memory.max", |r| value::bytes(r.memory.as_ref()?.limit, "max")).fresh("max"),
    row("memory.reservation", "memory.low", |r| value::bytes(r.memory.as_ref()?.reservation, "max")),
    row("memory.kernel", "memory.kmem.limit_in_bytes", |r| value::limited(r.memory.as_ref()?.kernel))
        .v1_only(),
    row("memory.kernelTCP", "memory.kmem.tcp.limit_in_bytes", |r| {
        value::limited(r.memory.as_ref()?.kernel_tcp)
    })
    .v1_only(),
    row("memory.swappiness", "memory.swappiness", |r| value::number(r.memory.as_ref()?.swappiness)).v1_only(),
    row("memory.disableOOMKiller", "memory.oom_control", |r| {
        value::switch(r.memory.as_ref()?.disable_oom_killer)
    })
    .v1_only(),
    row("cpu.idle", "cpu.idle", |r| value::idle(r.cpu.as_ref()?)).fresh("0"),
    row("cpu.shares", "cpu.weight", |r| value::weight_of_shares(r.cpu.as_ref()?)).fresh("100"),
    row("cpu.quota", "cpu.max", |r| value::cpu_max(r.cpu.as_ref()?)).fresh("max 100000"),
    row("cpu.burst", "cpu.max.burst", |r| value::number(r.cpu.as_ref()?.burst)).fresh("0"),
    row("cpu.realtimePeriod", "cpu.rt_period_us", |r| value::nonzero(r.cpu.as_ref()?.realtime_period))
        .v1_only(),
    row("cpu.realtimeRuntime", "cpu.rt_runtime_us", |r| value::nonzero(r.cpu.as_ref()?.realtime_runtime))
        .v1_only(),
    row("cpu.cpus", "cpuset.cpus", |r| value::list(r.cpu.as_ref()?.cpus.as_ref())),
    row("cpu.mems", "cpuset.mems", |r| value::list(r.cpu.as_ref()?.mems.as_ref())),
    // The container's first process is born inside and counted, so 1 is what forbids every further one.
    row("pids.limit", "pids.max", |r| value::tasks(r.pids.as_ref()?.limit, 1)).fresh("max"),
    row("blockIO.weight", "io.bfq.weight", |r| value::io_weight(r.block_io.as_ref()?.weight))
        .instead("io.weight", value::io_weight_v2),
    row("blockIO.leafWeight", "blkio.leaf_weight", |r| value::io_weight(r.block_io.as_ref()?.leaf_weight))
        .v1_only(),
    row("blockIO.weightDevice", "io.bfq.weight", |r| {
        value::io_weights(r.block_io.as_ref()?, |device| device.weight)
    })
    .instead("io.weight", value::io_weight_v2),
    row("blockIO.weightDevice", "blkio.leaf_weight_device", |r| {
        value::io_weights(r.block_io.as_ref()?, |device| device.leaf_weight)
    })
    .v1_only(),
    row("blockIO.throttleReadBpsDevice", "io.max", |r| {
        value::rates(&r.block_io.as_ref()?.throttle_read_bps_device, "rbps")
    }),
    row("blockIO.throttleWriteBpsDevice", "io.max", |r| {
        value::rates(&r.block_io.as_ref()?.throttle_write_bps_device, "wbps")
    }),
    row("blockIO.throttleReadIOPSDevice", "io.max", |r| {
        value::rates(&r.block_io.as_ref()?.throttle_read_iops_device, "riops")
    }),
    row("blockIO.throttleWriteIOPSDevice", "io.max", |r| {
        value::rates(&r.block_io.as_ref()?.throttle_write_iops_device, "wiops")
    }),
    row("network.classID", "net_cls.classid", |r| value::nonzero(r.network.as_ref()?.class_id)).v1_only(),
    row("network.priorities", "net_prio.ifpriomap", |r| value::priorities(&r.network.as_ref()?.priorities))
        .v1_only(),
    row("rdma", "rdma.max", |r| value::rdma(r.rdma.iter())),
];

/// The writes that `resources` ask for on this host, in order; `at` is the property's JSON path.
pub(super) fn writes(resources: &Resources, layout: &CgroupLayout, at: &str) -> Result<Vec<Write>, Error> {
    let mut writes = Vec::new();
    for row in table(layout) {
        let Some(values) = (row.values)(resources) else { continue };
        let at = || format!("{at}.{}", row.at);
        let values = values.map_err(|refusal| Error::new(at(), refusal.why).hint(refusal.hint))?;
        if row.v1_only && !values.is_empty() {
            return Err(Error::new(at(), "exists in cgroup v1 only, and this host has cgroup v2")
                .hint("remove the property: no file of cgroup v2 has this meaning"));
        }
        for value in values {
            offered(row.write(value), layout, at, &mut writes)?;
        }
    }
    huge_pages(resources, layout, at, &mut writes)?;
    unified(resources, layout, at, &mut writes)?;
    Ok(writes)
}

/// The rows that serve this host: v1's for what is mounted as v1, v2's for what the v2 hierarchy offers, which on a
/// hybrid host may be some controllers only. The kernel lends a controller to one hierarchy at a time.
fn table(layout: &CgroupLayout) -> impl Iterator<Item = &'static Row> {
    let v2 = layout.is_v2();
    let moved = |controller: &str| layout.offers_v2(if controller == "blkio" { "io" } else { controller });
    V1.iter()
        .filter(move |row| !v2 && !moved(controller_of(row.file)))
        .chain(V2.iter().filter(move |row| v2 || layout.offers_v2(controller_of(row.file))))
}

/// Adds a write if a hierarchy offers its controller; without one, only a limit that limits nothing can pass.
fn offered(
    write: Write,
    layout: &CgroupLayout,
    at: impl Fn() -> String,
    writes: &mut Vec<Write>,
) -> Result<(), Error> {
    let controller = write.controller();
    if layout.offers(controller) {
        writes.push(Write { at: at(), ..write });
    } else if !write.fresh {
        let lacking = match &layout.v2 {
            Some(v2) if layout.is_v2() => {
                format!("the cgroup v2 hierarchy at {} has none", v2.mount.display())
            }
            _ => "no hierarchy is mounted that has it".to_owned(),
        };
        let why = format!(
            "writing {:?} to {} needs the {controller} controller, and {lacking}",
            write.value, write.file
        );
        return Err(Error::new(at(), why).hint("enable the controller on this host or remove the limit"));
    }
    Ok(())
}

fn huge_pages(
    resources: &Resources,
    layout: &CgroupLayout,
    at: &str,
    writes: &mut Vec<Write>,
) -> Result<(), Error> {
    let suffix = if layout.offers_v2("hugetlb") || layout.is_v2() { "max" } else { "limit_in_bytes" };
    for (i, page) in resources.hugepage_limits.iter().enumerate() {
        let at = || format!("{at}.hugepageLimits[{i}].pageSize");
        if !is_page_size(&page.page_size) {
            return Err(Error::new(at(), format!("{:?} is no page size", page.page_size))
                .hint("write it as the kernel does: 64KB, 2MB, 1GB"));
        }
        let limit = page.limit.to_string();
        // Reservations first, or a process could reserve what it may not use (files since Linux 5.7).
        let mut reserved = Write::new(format!("hugetlb.{}.rsvd.{suffix}", page.page_size), limit.clone());
        reserved.absent = Absent::Skip;
        offered(reserved, layout, at, writes)?;
        offered(Write::new(format!("hugetlb.{}.{suffix}", page.page_size), limit), layout, at, writes)?;
    }
    Ok(())
}

fn is_page_size(text: &str) -> bool {
    let digits = ["KB", "MB", "GB"].iter().find_map(|unit| text.strip_suffix(unit));
    digits.is_some_and(|n| !n.is_empty() && !n.starts_with('0') && n.bytes().all(|b| b.is_ascii_digit()))
}

/// `unified`: file names and values as they are, one line at a time because files such as `io.max` take no more.
fn unified(
    resources: &Resources,
    layout: &CgroupLayout,
    at: &str,
    writes: &mut Vec<Write>,
) -> Result<(), Error> {
    for (file, value) in &resources.unified {
        let at = || format!("{at}.unified[{file:?}]");
        if !layout.is_v2() {
            return Err(Error::new(
                at(),
                "invalid configuration: a file of cgroup v2, and this host has cgroup v1",
            )
            .hint("use the properties beside `unified`, such as memory.limit"));
        }
        if file.starts_with("cgroup.") && !file.starts_with("cgroup.max.") && file != "cgroup.pressure" {
            return Err(Error::new(
                at(),
                "is no limit: the runtime itself needs the file to run the container",
            )
            .hint("of the files cgroup.*, only cgroup.max.* and cgroup.pressure can be set"));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let controller = controller_of(file);
        if controller.is_empty() || controller.len() == file.len() || !file.chars().all(plain) {
            return Err(Error::new(at(), "is no name of a cgroup file")
                .hint("write CONTROLLER.FILE, such as memory.high"));
        }
        for line in value.lines() {
            offered(Write::new(file.clone(), line), layout, at, writes)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Hierarchy;
    use super::*;

    fn hierarchy(mount: &str, controllers: &str) -> Hierarchy {
        let controllers = controllers.split(' ').map(str::to_owned).collect();
        Hierarchy { controllers, mount: mount.into(), own: "/".to_owned() }
    }

    fn v1() -> CgroupLayout {
        let names = ["cpu", "cpuset", "memory", "pids", "blkio", "hugetlb", "net_cls", "net_prio", "rdma"];
        CgroupLayout { v1: names.iter().map(|name| hierarchy("/c", name)).collect(), v2: None }
    }

    fn v2() -> CgroupLayout {
        CgroupLayout { v1: vec![], v2: Some(hierarchy("/c", "cpuset cpu io memory hugetlb pids rdma")) }
    }

    /// Huge pages by v2, the rest by v1, as on a kernel that has no v1 hugetlb mounted.
    fn hybrid() -> CgroupLayout {
        let v1 = vec![hierarchy("/c/memory", "memory"), hierarchy("/c/pids", "pids")];
        CgroupLayout { v1, v2: Some(hierarchy("/c/unified", "hugetlb")) }
    }

    fn compile(json: &str, layout: &CgroupLayout) -> Result<Vec<Write>, Error> {
        writes(&serde_json::from_str(json).unwrap(), layout, "linux.resources")
    }

    /// One write a line: `file = value`, with `?` after a file that may be missing and `*` after a fresh value.
    fn golden(json: &str, layout: &CgroupLayout) -> String {
        let line = |write: Write| {
            let absent = match write.absent {
                Absent::Refuse => String::new(),
                Absent::Skip => "?".to_owned(),
                Absent::Instead { file, value } => format!(" | {file} = {value}"),
            };
            let fresh = if write.fresh { "*" } else { "" };
            format!("{} = {}{absent}{fresh}\n", write.file, write.value)
        };
        compile(json, layout).unwrap().into_iter().map(line).collect()
    }

    const EVERYTHING: &str = r#"{
        "memory": {"limit": 67108864, "reservation": 33554432, "swap": 100663296},
        "cpu": {"shares": 1024, "quota": 50000, "period": 200000, "burst": 1000, "cpus": "0-1", "mems": "0"},
        "pids": {"limit": 0},
        "blockIO": {"weight": 100, "weightDevice": [{"major": 8, "minor": 0, "weight": 500}],
            "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 600}],
            "throttleWriteIOPSDevice": [{"major": 8, "minor": 16, "rate": 300}]},
        "hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}],
        "rdma": {"mlx5_1": {"hcaHandles": 3, "hcaObjects": 10000}}
    }"#;

    #[test]
    fn every_limit_has_its_v1_file() {
        let expected = "\
memory.limit_in_bytes = 67108864
memory.memsw.limit_in_bytes = 100663296
memory.soft_limit_in_bytes = 33554432
cpu.shares = 1024?*
cpu.cfs_period_us = 200000
cpu.cfs_quota_us = 50000
cpu.cfs_burst_us = 1000
cpuset.cpus = 0-1
cpuset.mems = 0
pids.max = 0
blkio.weight = 100 | blkio.bfq.weight = 100
blkio.weight_device = 8:0 500 | blkio.bfq.weight_device = 8:0 500
blkio.throttle.read_bps_device = 8:0 600
blkio.throttle.write_iops_device = 8:16 300
rdma.max = mlx5_1 hca_handle=3 hca_object=10000
hugetlb.2MB.rsvd.limit_in_bytes = 4194304?
hugetlb.2MB.limit_in_bytes = 4194304
";
        assert_eq!(golden(EVERYTHING, &v1()), expected);
        let old = r#"{"memory": {"limit": -1, "kernel": 5, "kernelTCP": 7, "swappiness": 0, "disableOOMKiller": true},
            "cpu": {"realtimeRuntime": 500, "realtimePeriod": 1000, "idle": 1, "shares": 10},
            "network": {"classID": 1048577, "priorities": [{"name": "eth0", "priority": 5}]}}"#;
        let expected = "\
memory.limit_in_bytes = -1?*
memory.memsw.limit_in_bytes = -1?*
memory.kmem.limit_in_bytes = 5?
memory.kmem.tcp.limit_in_bytes = 7
memory.swappiness = 0
memory.oom_control = 1
cpu.idle = 1
cpu.rt_period_us = 1000
cpu.rt_runtime_us = 500
net_cls.classid = 1048577
net_prio.ifpriomap = eth0 5
";
        assert_eq!(golden(old, &v1()), expected);
    }

    #[test]
    fn every_limit_has_its_v2_file() {
        let expected = "\
memory.swap.max = 33554432
memory.max = 67108864
memory.low = 33554432
cpu.weight = 100?*
cpu.max = 50000 200000
cpu.max.burst = 1000
cpuset.cpus = 0-1
cpuset.mems = 0
pids.max = 1
io.bfq.weight = 100 | io.weight = 910
io.bfq.weight = 8:0 500 | io.weight = 8:0 4950
io.max = 8:0 rbps=600
io.max = 8:16 wiops=300
rdma.max = mlx5_1 hca_handle=3 hca_object=10000
hugetlb.2MB.rsvd.max = 4194304?
hugetlb.2MB.max = 4194304
";
        assert_eq!(golden(EVERYTHING, &v2()), expected);
    }

    #[test]
    fn on_a_hybrid_host_each_limit_goes_to_the_hierarchy_that_has_its_controller() {
        let json = r#"{"memory": {"limit": 4096}, "hugepageLimits": [{"pageSize": "1GB", "limit": 0}]}"#;
        let expected = "memory.limit_in_bytes = 4096\nhugetlb.1GB.rsvd.max = 0?\nhugetlb.1GB.max = 0\n";
        assert_eq!(golden(json, &hybrid()), expected);
        let refused = compile(r#"{"cpu": {"shares": 512}}"#, &hybrid()).unwrap_err();
        assert_eq!(refused.at, "linux.resources.cpu.shares");
        assert_eq!(
            refused.why,
            "writing \"512\" to cpu.shares needs the cpu controller, and no hierarchy is mounted that has it"
        );
        // A limit that limits nothing needs no controller.
        assert_eq!(golden(r#"{"cpu": {"quota": -1}}"#, &hybrid()), "");
    }

    #[test]
    fn swap_is_a_sum_in_the_document_and_alone_in_v2() {
        let swap = |memory: &str| golden(&format!(r#"{{"memory": {memory}}}"#), &v2());
        assert_eq!(swap(r#"{"limit": 100, "swap": 100}"#), "memory.swap.max = 0?\nmemory.max = 100\n");
        assert_eq!(swap(r#"{"limit": -1}"#), "memory.swap.max = max?*\nmemory.max = max?*\n");
        assert_eq!(swap(r#"{"swap": -1}"#), "memory.swap.max = max?*\n");
        assert_eq!(swap(r#"{"limit": 0, "swap": 0}"#), "");
    }

    #[test]
    fn quota_and_period_share_a_v2_file() {
        let cpu = |cpu: &str| golden(&format!(r#"{{"cpu": {cpu}}}"#), &v2());
        assert_eq!(cpu(r#"{"quota": -1}"#), "cpu.max = max 100000?*\n");
        assert_eq!(cpu(r#"{"period": 50000}"#), "cpu.max = max 50000\n");
        assert_eq!(cpu(r#"{"quota": 1000}"#), "cpu.max = 1000 100000\n");
        assert_eq!(cpu(r#"{"quota": 0, "period": 0, "shares": 0, "cpus": ""}"#), "");
    }

    #[test]
    fn unified_comes_last_and_line_by_line() {
        let json = r#"{"unified": {"memory.high": "5", "io.max": "8:0 rbps=1\n8:16 rbps=2\n"}, "pids": {"limit": 9}}"#;
        let expected = "pids.max = 9\nio.max = 8:0 rbps=1\nio.max = 8:16 rbps=2\nmemory.high = 5\n";
        assert_eq!(golden(json, &v2()), expected);
    }

    #[test]
    fn what_cannot_be_honoured_is_refused_by_its_path() {
        let cases = [
            (r#"{"memory": {"limit": -2}}"#, "memory.limit"),
            (r#"{"memory": {"limit": 10, "swap": 9}}"#, "memory.swap"),
            (r#"{"memory": {"swap": 9}}"#, "memory.swap"),
            (r#"{"memory": {"swap": 9, "limit": -1}}"#, "memory.swap"),
            (r#"{"memory": {"swappiness": 0}}"#, "memory.swappiness"),
            (r#"{"memory": {"disableOOMKiller": true}}"#, "memory.disableOOMKiller"),
            (r#"{"memory": {"kernel": 1}}"#, "memory.kernel"),
            (r#"{"memory": {"kernelTCP": 1}}"#, "memory.kernelTCP"),
            (r#"{"cpu": {"realtimeRuntime": 1}}"#, "cpu.realtimeRuntime"),
            (r#"{"cpu": {"realtimePeriod": 1}}"#, "cpu.realtimePeriod"),
            (r#"{"cpu": {"idle": 2}}"#, "cpu.idle"),
            (r#"{"pids": {"limit": -5}}"#, "pids.limit"),
            (r#"{"blockIO": {"weight": 9}}"#, "blockIO.weight"),
            (r#"{"blockIO": {"leafWeight": 10}}"#, "blockIO.leafWeight"),
            (
                r#"{"blockIO": {"weightDevice": [{"major": 8, "minor": 0, "weight": 1001}]}}"#,
                "blockIO.weightDevice",
            ),
            (
                r#"{"blockIO": {"throttleReadBpsDevice": [{"major": -1, "minor": 0, "rate": 1}]}}"#,
                "blockIO.throttleReadBpsDevice",
            ),
            (r#"{"network": {"classID": 1}}"#, "network.classID"),
            (r#"{"network": {"priorities": [{"name": "lo", "priority": 1}]}}"#, "network.priorities"),
            (r#"{"rdma": {"a b": {}}}"#, "rdma"),
            (r#"{"hugepageLimits": [{"pageSize": "../2MB", "limit": 1}]}"#, "hugepageLimits[0].pageSize"),
            (r#"{"hugepageLimits": [{"pageSize": "2M", "limit": 1}]}"#, "hugepageLimits[0].pageSize"),
            (r#"{"hugepageLimits": [{"pageSize": "02MB", "limit": 1}]}"#, "hugepageLimits[0].pageSize"),
            (r#"{"unified": {"../memory.max": "1"}}"#, r#"unified["../memory.max"]"#),
            (r#"{"unified": {"..": "1"}}"#, r#"unified[".."]"#),
            (r#"{"unified": {"misc.max": "1"}}"#, r#"unified["misc.max"]"#),
            (r#"{"unified": {"cgroup.freeze": "1"}}"#, r#"unified["cgroup.freeze"]"#),
            (r#"{"unified": {"cgroup.type": "threaded"}}"#, r#"unified["cgroup.type"]"#),
            (r#"{"unified": {"memory": "1"}}"#, r#"unified["memory"]"#),
        ];
        for (json, at) in cases {
            let refused = compile(json, &v2()).expect_err(json);
            assert_eq!(refused.at, format!("linux.resources.{at}"), "{json}");
        }
        let cases = [
            (r#"{"unified": {"memory.max": "1"}}"#, r#"unified["memory.max"]"#),
            (r#"{"memory": {"limit": 10, "swap": 9}}"#, "memory.swap"),
            (r#"{"memory": {"swappiness": 101}}"#, "memory.swappiness"),
            (r#"{"cpu": {"shares": 1}}"#, "cpu.shares"),
        ];
        for (json, at) in cases {
            let refused = compile(json, &v1()).expect_err(json);
            assert_eq!(refused.at, format!("linux.resources.{at}"), "{json}");
        }
    }
}
