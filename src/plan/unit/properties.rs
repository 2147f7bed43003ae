//! What limits and device rules are to systemd (systemd.resource-control(5), org.freedesktop.systemd1(5)).
//!
//! The limits are taken as they will be written to the files, so that a property and the file it ends up in cannot
//! disagree, whichever of the document's words asked for it.

use super::super::{Absent, DeviceKind, DeviceList, DevicePolicy, DeviceRule, Write};
use super::{Property, Variant};

/// `CPUQuotaPerSecUSec` is kept in whole percents.
const PERCENT: u64 = 10_000;

/// The first systemd to which a weight of 0 means idle.
const KNOWS_IDLE: u32 = 252;

/// The properties for the limits that systemd knows.
pub(in crate::plan) fn of_writes(writes: &[Write], version: u32) -> Vec<Property> {
    let mut properties: Vec<Property> = Vec::new();
    for write in writes {
        for (name, value) in of_write(write, writes, version) {
            match (properties.iter_mut().find(|known| known.name == name), value) {
                (None, value) => {
                    // Known to scopes since version 253, and to some that were brought up to date.
                    let optional = name == "OOMPolicy";
                    properties.push(Property { optional, ..Property::new(&write.at, name, value) });
                }
                // Lines of one file for several devices.
                (Some(known), Variant::List(item, more)) if item.starts_with('(') => {
                    if let Variant::List(_, present) = &mut known.value {
                        present.extend(more);
                    }
                }
                (Some(known), value) => *known = Property::new(&write.at, name, value),
            }
        }
    }
    properties
}

/// None for a file that systemd does not know, or a value that is no limit; the kernel will say so.
fn of_write(write: &Write, all: &[Write], version: u32) -> Vec<(&'static str, Variant)> {
    let value = write.value.as_str();
    let named = |name, value: Option<Variant>| value.map(|value| (name, value)).into_iter().collect();
    match &*write.file {
        "memory.max" => named("MemoryMax", positive(value)),
        "memory.high" => named("MemoryHigh", positive(value)),
        "memory.low" => named("MemoryLow", limit(value)),
        "memory.min" => named("MemoryMin", limit(value)),
        "memory.swap.max" => named("MemorySwapMax", limit(value)),
        "memory.limit_in_bytes" => named("MemoryLimit", positive(value)),
        "memory.oom.group" => {
            named("OOMPolicy", Some(Variant::text(if value == "1" { "kill" } else { "continue" })))
        }
        "pids.max" => named("TasksMax", positive(value)),
        "cpu.weight" => named("CPUWeight", number(value)),
        "cpu.idle" if value == "1" && version >= KNOWS_IDLE => named("CPUWeight", number("0")),
        "cpu.shares" => named("CPUShares", number(value)),
        "cpu.max" => value.split_once(' ').map_or_else(Vec::new, |(quota, period)| cpu_quota(quota, period)),
        "cpu.cfs_quota_us" | "cpu.cfs_period_us" => {
            let written = |file: &str| all.iter().find(|write| write.file == file).map(|write| &*write.value);
            cpu_quota(
                written("cpu.cfs_quota_us").unwrap_or("-1"),
                written("cpu.cfs_period_us").unwrap_or("100000"),
            )
        }
        "cpuset.cpus" => named("AllowedCPUs", bit_mask(value)),
        "cpuset.mems" => named("AllowedMemoryNodes", bit_mask(value)),
        "io.weight" => io_weight(value),
        "io.max" => io_max(value),
        "blkio.weight" => named("BlockIOWeight", number(value)),
        "blkio.weight_device" => named("BlockIODeviceWeight", of_device(value)),
        "blkio.throttle.read_bps_device" => named("BlockIOReadBandwidth", of_device(value)),
        "blkio.throttle.write_bps_device" => named("BlockIOWriteBandwidth", of_device(value)),
        _ => match &write.absent {
            Absent::Instead { file, value } if file == "io.weight" => io_weight(value),
            _ => Vec::new(),
        },
    }
}

fn number(text: &str) -> Option<Variant> {
    text.parse().ok().map(Variant::u64)
}

/// A number, or the largest one for no limit.
fn limit(text: &str) -> Option<Variant> {
    match text {
        "max" | "-1" => Some(Variant::u64(u64::MAX)),
        text => number(text),
    }
}

/// A limit of nothing at all is none to systemd; one is as good.
fn positive(text: &str) -> Option<Variant> {
    limit(if text == "0" { "1" } else { text })
}

fn cpu_quota(quota: &str, period: &str) -> Vec<(&'static str, Variant)> {
    let Some(period) = period.parse().ok().filter(|period| *period > 0) else { return Vec::new() };
    let per_second = match quota.parse::<u64>() {
        // Rounded up: systemd rounds down when it writes the unit to a file, and 0 is no quota at all.
        Ok(quota) => {
            quota.saturating_mul(1_000_000).div_ceil(period).div_ceil(PERCENT).saturating_mul(PERCENT)
        }
        Err(_) if matches!(quota, "max" | "-1") => u64::MAX,
        Err(_) => return Vec::new(),
    };
    vec![("CPUQuotaPerSecUSec", Variant::u64(per_second)), ("CPUQuotaPeriodUSec", Variant::u64(period))]
}

/// `0-2,7` as a bit for each number, the lowest first.
fn bit_mask(list: &str) -> Option<Variant> {
    /// More than any kernel has CPUs or nodes.
    const MOST: usize = 65_536;
    let mut mask = Vec::new();
    for range in list.trim().split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (usize, usize) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        if last >= MOST || first > last {
            return None;
        }
        mask.resize(mask.len().max(last / 8 + 1), 0u8);
        (first..=last).for_each(|bit| mask[bit / 8] |= 1 << (bit % 8));
    }
    Some(Variant::bytes(mask))
}

fn io_weight(line: &str) -> Vec<(&'static str, Variant)> {
    match line.split_once(' ') {
        None => number(line).map(|weight| ("IOWeight", weight)),
        Some(("default", weight)) => number(weight).map(|weight| ("IOWeight", weight)),
        Some(_) => of_device(line).map(|weight| ("IODeviceWeight", weight)),
    }
    .into_iter()
    .collect()
}

/// `8:0 rbps=600 wiops=max`
fn io_max(line: &str) -> Vec<(&'static str, Variant)> {
    let Some((device, limits)) = line.split_once(' ') else { return Vec::new() };
    let property = |limit: &str| {
        let (key, rate) = limit.split_once('=')?;
        let name = match key {
            "rbps" => "IOReadBandwidthMax",
            "wbps" => "IOWriteBandwidthMax",
            "riops" => "IOReadIOPSMax",
            "wiops" => "IOWriteIOPSMax",
            _ => return None,
        };
        of_device(&format!("{device} {rate}")).map(|rate| (name, rate))
    };
    limits.split_ascii_whitespace().filter_map(property).collect()
}

/// `8:0 600`; systemd wants a path, of which it takes the numbers alone.
fn of_device(line: &str) -> Option<Variant> {
    let (device, value) = line.split_once(' ')?;
    let fields = vec![Variant::text(format!("/dev/block/{device}")), limit(value)?];
    Some(Variant::List("(st)".to_owned(), vec![Variant::Tuple(fields)]))
}

/// The device rules as systemd can have them.
///
/// It knows devices that are allowed, and nothing else: no order, no exceptions. Where the rules are more than that, it
/// is told of all that some rule allows, and our own program beside systemd's denies the rest.
pub(in crate::plan) fn of_devices(policy: &DevicePolicy, at: &str) -> Vec<Property> {
    let (open, allowed) = match policy {
        DevicePolicy::List(list) => (list.allow, list.exceptions.clone()),
        DevicePolicy::Program(rules) => match DeviceList::fold(rules, at) {
            Ok(list) => (list.allow, list.exceptions),
            Err(_) => {
                let allowed = || rules.iter().filter(|rule| rule.allow);
                (allowed().any(DeviceRule::is_total), allowed().flat_map(|rule| rule.by_kind()).collect())
            }
        },
    };
    // A list is added to the one that is there, unless it is empty.
    let mut lists = vec![Vec::new()];
    if !open && !allowed.is_empty() {
        lists.push(allowed.iter().map(|rule| entry(rule, &allowed)).collect());
    }
    let policy = Variant::text(if open { "auto" } else { "strict" });
    let list = |list| Property::new(at, "DeviceAllow", Variant::List("(ss)".to_owned(), list));
    std::iter::once(Property::new(at, "DevicePolicy", policy)).chain(lists.into_iter().map(list)).collect()
}

/// systemd lets a device be opened only where one single entry has every access that is wanted: so each gets what the
/// wider rules allow, too.
fn entry(rule: &DeviceRule, all: &[DeviceRule]) -> Variant {
    let mut access = rule.access;
    all.iter().filter(|wider| wider.covers(rule)).for_each(|wider| access.0 |= wider.access.0);
    let kind = if rule.kind == DeviceKind::Block { "block" } else { "char" };
    let path = match (rule.major, rule.minor) {
        (Some(major), Some(minor)) => format!("/dev/{kind}/{major}:{minor}"),
        (Some(major), None) => format!("{kind}-{major}"),
        // It has no entry for one minor number of any major one.
        (None, _) => format!("{kind}-*"),
    };
    Variant::Tuple(vec![Variant::text(path), Variant::text(access.to_string())])
}

#[cfg(test)]
mod tests {
    use super::super::super::{Access, CgroupLayout, Hierarchy, limits};
    use super::*;

    const V2: &str = "cpuset cpu io memory hugetlb pids";
    const V1: &str = "cpuset cpu blkio memory pids";

    /// One property a line.
    fn golden(resources: &str, controllers: &str, version: u32) -> String {
        let hierarchy = |controllers: &str| Hierarchy {
            controllers: controllers.split(' ').map(str::to_owned).collect(),
            mount: "/c".into(),
            own: "/".to_owned(),
        };
        let layout = if controllers == V2 {
            CgroupLayout { v1: Vec::new(), v2: Some(hierarchy(V2)) }
        } else {
            CgroupLayout { v1: vec![hierarchy(V1)], v2: None }
        };
        let writes = limits::writes(&serde_json::from_str(resources).unwrap(), &layout, "resources").unwrap();
        let line = |property: Property| format!("{} = {}\n", property.name, property.value);
        of_writes(&writes, version).into_iter().map(line).collect()
    }

    const EVERYTHING: &str = r#"{
        "memory": {"limit": 67108864, "reservation": 33554432, "swap": 100663296},
        "cpu": {"shares": 1024, "quota": 50000, "period": 200000, "cpus": "0-1,9", "mems": "0"},
        "pids": {"limit": -1},
        "blockIO": {"weight": 100, "weightDevice": [{"major": 8, "minor": 0, "weight": 500}],
            "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 600}, {"major": 8, "minor": 16, "rate": 0}],
            "throttleWriteBpsDevice": [{"major": 8, "minor": 0, "rate": 7}]}
    }"#;

    #[test]
    fn every_limit_that_systemd_knows_is_a_property() {
        let expected = "\
MemorySwapMax = uint64 33554432
MemoryMax = uint64 67108864
MemoryLow = uint64 33554432
CPUWeight = uint64 100
CPUQuotaPerSecUSec = uint64 250000
CPUQuotaPeriodUSec = uint64 200000
AllowedCPUs = [byte 3, byte 2]
AllowedMemoryNodes = [byte 1]
TasksMax = uint64 18446744073709551615
IOWeight = uint64 910
IODeviceWeight = [('/dev/block/8:0', uint64 4950)]
IOReadBandwidthMax = [('/dev/block/8:0', uint64 600), ('/dev/block/8:16', uint64 18446744073709551615)]
IOWriteBandwidthMax = [('/dev/block/8:0', uint64 7)]
";
        assert_eq!(golden(EVERYTHING, V2, 252), expected);
        let expected = "\
MemoryLimit = uint64 67108864
CPUShares = uint64 1024
CPUQuotaPerSecUSec = uint64 250000
CPUQuotaPeriodUSec = uint64 200000
AllowedCPUs = [byte 3, byte 2]
AllowedMemoryNodes = [byte 1]
TasksMax = uint64 18446744073709551615
BlockIOWeight = uint64 100
BlockIODeviceWeight = [('/dev/block/8:0', uint64 500)]
BlockIOReadBandwidth = [('/dev/block/8:0', uint64 600), ('/dev/block/8:16', uint64 0)]
BlockIOWriteBandwidth = [('/dev/block/8:0', uint64 7)]
";
        assert_eq!(golden(EVERYTHING, V1, 252), expected);
    }

    #[test]
    fn unified_is_understood_and_wins() {
        let json = r#"{"memory": {"limit": 5}, "unified": {"memory.max": "7", "memory.high": "max", "memory.low": "?",
            "memory.oom.group": "1", "io.max": "8:0 rbps=1 riops=2\n8:16 rbps=max", "cpu.idle": "1"}}"#;
        let expected = "\
MemoryMax = uint64 7
CPUWeight = uint64 0
IOReadBandwidthMax = [('/dev/block/8:0', uint64 1), ('/dev/block/8:16', uint64 18446744073709551615)]
IOReadIOPSMax = [('/dev/block/8:0', uint64 2)]
MemoryHigh = uint64 18446744073709551615
OOMPolicy = 'kill'
";
        assert_eq!(golden(json, V2, 252), expected);
        assert_eq!(golden(r#"{"unified": {"cpu.idle": "1", "cpuset.cpus": "7-5"}}"#, V2, 251), "");
    }

    #[test]
    fn a_limit_of_nothing_is_the_least_that_systemd_takes() {
        assert_eq!(golden(r#"{"pids": {"limit": 0}}"#, V1, 252), "TasksMax = uint64 1\n");
        assert_eq!(golden(r#"{"unified": {"memory.max": "0"}}"#, V2, 252), "MemoryMax = uint64 1\n");
    }

    #[test]
    fn a_quota_is_never_less_than_was_asked_for() {
        let quota = |json: &str| golden(&format!(r#"{{"cpu": {json}}}"#), V2, 252);
        assert!(
            quota(r#"{"quota": 1, "period": 1000000}"#).starts_with("CPUQuotaPerSecUSec = uint64 10000\n")
        );
        assert!(
            quota(r#"{"quota": 33333, "period": 100000}"#)
                .starts_with("CPUQuotaPerSecUSec = uint64 340000\n")
        );
        assert!(quota(r#"{"quota": -1}"#).starts_with("CPUQuotaPerSecUSec = uint64 18446744073709551615\n"));
    }

    fn rule(allow: bool, kind: DeviceKind, major: Option<u32>, minor: Option<u32>, access: u8) -> DeviceRule {
        DeviceRule { allow, kind, major, minor, access: Access(access) }
    }

    fn devices(rules: &[DeviceRule]) -> String {
        let properties = of_devices(&DevicePolicy::Program(rules.to_vec()), "resources");
        properties.iter().map(|property| format!("{} ", property.value)).collect()
    }

    #[test]
    fn device_rules_are_a_list_of_what_is_allowed() {
        let (none, all) =
            (rule(false, DeviceKind::All, None, None, 7), rule(true, DeviceKind::All, None, None, 7));
        let null = rule(true, DeviceKind::Char, Some(1), Some(3), 6);
        assert_eq!(devices(&[none]), "'strict' @a(ss) [] ");
        assert_eq!(devices(&[none, all]), "'auto' @a(ss) [] ");
        let listed = [
            none,
            null,
            rule(true, DeviceKind::Char, None, None, 1),
            rule(true, DeviceKind::All, Some(8), None, 2),
        ];
        let expected = "'strict' @a(ss) [] [('/dev/char/1:3', 'rwm'), ('char-*', 'm'), ('char-8', 'rm'), ('block-8', 'r')] ";
        assert_eq!(devices(&listed), expected);
    }

    #[test]
    fn what_systemd_cannot_deny_is_left_to_us() {
        let wide = rule(true, DeviceKind::All, Some(10), None, 6);
        let hole = rule(false, DeviceKind::Char, Some(10), Some(229), 4);
        let expected = "'strict' @a(ss) [] [('char-10', 'rw'), ('block-10', 'rw')] ";
        assert_eq!(devices(&[wide, hole]), expected);
        assert_eq!(devices(&[rule(true, DeviceKind::All, None, None, 7), hole]), "'auto' @a(ss) [] ");
    }
}
