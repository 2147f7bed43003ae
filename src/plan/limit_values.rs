//! How a property of `linux.resources` is written into a cgroup file: the formatters of the tables in `limits`.
//!
//! Zero means "not set" wherever the kernel has no use for a zero, because engines write it for every property
//! that the user left alone.

use crate::spec::{BlockIo, Cpu, InterfacePriority, Memory, Rdma, ThrottleDevice, WeightDevice};

/// The values to write, in order; `None` when the property is not set.
pub(super) type Values = Option<Result<Vec<String>, Refusal>>;

/// Why a property cannot be honoured.
pub(super) struct Refusal {
    pub why: String,
    pub hint: &'static str,
}

#[expect(clippy::needless_pass_by_value, reason = "most values are numbers made for the call")]
fn one(value: impl ToString) -> Values {
    Some(Ok(vec![value.to_string()]))
}

fn refuse(why: impl Into<String>, hint: &'static str) -> Values {
    Some(Err(Refusal { why: why.into(), hint }))
}

/// A limit in bytes; -1 is `unlimited`.
pub(super) fn bytes(limit: Option<i64>, unlimited: &'static str) -> Values {
    match limit? {
        0 => None,
        -1 => one(unlimited),
        bytes if bytes < 0 => refuse(format!("{bytes} is no number of bytes"), "write -1 for no limit"),
        bytes => one(bytes),
    }
}

/// `pids.limit`, where zero is a limit: no fork at all. `least` is what the kernel must be told for that.
pub(super) fn tasks(limit: Option<i64>, least: i64) -> Values {
    match limit? {
        -1 => one("max"),
        0 => one(least),
        tasks if tasks < 0 => refuse(format!("{tasks} is no number of tasks"), "write -1 for no limit"),
        tasks => one(tasks),
    }
}

/// v1 `memory.memsw.limit_in_bytes`: the sum of memory and swap.
pub(super) fn memory_and_swap(memory: &Memory) -> Values {
    let limit = memory.limit.unwrap_or(0);
    match memory.swap.unwrap_or(0) {
        // Memory without a limit cannot stay below a limited sum.
        0 if limit == -1 => one("-1"),
        swap if swap > 0 && swap < limit => below_memory(swap, limit),
        swap => bytes(Some(swap), "-1"),
    }
}

/// v2 `memory.swap.max`: swap alone, which the document gives as a sum with memory.
pub(super) fn swap_alone(memory: &Memory) -> Values {
    let limit = memory.limit.unwrap_or(0);
    match memory.swap.unwrap_or(0) {
        0 if limit == -1 => one("max"),
        0 => None,
        -1 => one("max"),
        swap if swap < 0 => bytes(Some(swap), "max"),
        swap if limit <= 0 => refuse(
            format!("{swap} is the sum of memory and swap, but memory has no limit"),
            "set memory.limit too, or write -1 for unlimited swap",
        ),
        swap if swap < limit => below_memory(swap, limit),
        swap => one(swap - limit),
    }
}

fn below_memory(swap: i64, limit: i64) -> Values {
    refuse(
        format!("{swap} is the sum of memory and swap, but memory.limit alone is {limit}"),
        "raise swap to at least memory.limit; equal values mean no swap",
    )
}

/// `memory.swappiness`, where zero is a value.
pub(super) fn swappiness(swappiness: Option<u64>) -> Values {
    match swappiness? {
        percent @ 0..=100 => one(percent),
        other => refuse(format!("is {other}"), "write 0 to 100"),
    }
}

/// A limit that the version at hand does not know, which only matters when it limits.
pub(super) fn limited(limit: Option<i64>) -> Values {
    if limit? > 0 { one("") } else { None }
}

/// A switch that only has an effect when true.
pub(super) fn switch(on: Option<bool>) -> Values {
    if on? { one(1) } else { None }
}

/// A number that zero leaves alone.
pub(super) fn nonzero<T: PartialEq + Default + ToString>(number: Option<T>) -> Values {
    match number? {
        number if number == T::default() => None,
        number => one(number),
    }
}

/// A number that is written even when zero.
pub(super) fn number<T: ToString>(number: Option<T>) -> Values {
    one(number?)
}

/// A CPU or node list, verbatim.
pub(super) fn list(list: Option<&String>) -> Values {
    let list = list?;
    if list.is_empty() { None } else { one(list) }
}

/// `cpu.idle`: the kernel knows 0 and 1.
pub(super) fn idle(cpu: &Cpu) -> Values {
    match cpu.idle? {
        idle @ 0..=1 => one(idle),
        other => refuse(format!("is {other}"), "write 0 or 1"),
    }
}

/// v1 `cpu.shares`; an idle group takes none (the kernel answers EINVAL).
pub(super) fn shares(cpu: &Cpu) -> Values {
    match cpu.shares? {
        0 => None,
        _ if cpu.idle == Some(1) => None,
        shares @ 2..=262_144 => one(shares),
        other => refuse(format!("is {other}"), "write 2 to 262144"),
    }
}

/// v2 `cpu.weight`: shares on a curve through (2, 1), (1024, 100) and (262144, 10000).
pub(super) fn weight_of_shares(cpu: &Cpu) -> Values {
    match cpu.shares? {
        0 => None,
        _ if cpu.idle == Some(1) => None,
        1..=2 => one(1),
        262_144.. => one(10_000),
        shares => {
            let log = f64::from(u32::try_from(shares).unwrap_or(u32::MAX)).log2();
            let exponent = (log * log + 125.0 * log) / 612.0 - 7.0 / 34.0;
            // The points of the curve are whole numbers; binary fractions land a hair above them.
            one((10f64.powf(exponent) - 1e-9).ceil())
        }
    }
}

/// v1 `cpu.cfs_quota_us`.
pub(super) fn quota(quota: Option<i64>) -> Values {
    match quota? {
        0 => None,
        quota if quota < 0 => one(-1),
        quota => one(quota),
    }
}

/// v2 `cpu.max`: quota and period in one line.
pub(super) fn cpu_max(cpu: &Cpu) -> Values {
    let period = match cpu.period.unwrap_or(0) {
        0 => 100_000,
        period => period,
    };
    match cpu.quota.unwrap_or(0) {
        0 if cpu.period.unwrap_or(0) == 0 => None,
        quota if quota <= 0 => one(format!("max {period}")),
        quota => one(format!("{quota} {period}")),
    }
}

/// A block I/O weight.
pub(super) fn io_weight(weight: Option<u16>) -> Values {
    match weight? {
        0 => None,
        weight @ 10..=1000 => one(weight),
        other => refuse(format!("is {other}"), "write 10 to 1000"),
    }
}

/// Block I/O weights by device, `MAJOR:MINOR WEIGHT`.
pub(super) fn io_weights(io: &BlockIo, pick: fn(&WeightDevice) -> Option<u16>) -> Values {
    let mut lines = Vec::new();
    for device in &io.weight_device {
        match io_weight(pick(device)) {
            None => {}
            Some(Err(refusal)) => return Some(Err(refusal)),
            Some(Ok(weight)) => match device_number(device.major, device.minor) {
                Ok(number) => lines.push(format!("{number} {}", weight.concat())),
                Err(refusal) => return Some(Err(refusal)),
            },
        }
    }
    Some(Ok(lines))
}

/// `io.weight` has a range of 1 to 10000 where the older schedulers have 10 to 1000: converts the last word.
pub(super) fn io_weight_v2(line: &str) -> String {
    let (device, weight) = line.rsplit_once(' ').map_or(("", line), |(device, weight)| (device, weight));
    let weight: u32 = weight.parse().unwrap_or(100);
    let weight = 1 + weight.saturating_sub(10) * 9999 / 990;
    if device.is_empty() { weight.to_string() } else { format!("{device} {weight}") }
}

/// Block I/O rates by device: v1 `MAJOR:MINOR RATE`, v2 `MAJOR:MINOR KEY=RATE` with `max` for zero.
pub(super) fn rates(devices: &[ThrottleDevice], key: &str) -> Values {
    let line = |device: &ThrottleDevice| {
        let number = device_number(device.major, device.minor)?;
        Ok(match (key, device.rate) {
            ("", rate) => format!("{number} {rate}"),
            (key, 0) => format!("{number} {key}=max"),
            (key, rate) => format!("{number} {key}={rate}"),
        })
    };
    Some(devices.iter().map(line).collect())
}

fn device_number(major: i64, minor: i64) -> Result<String, Refusal> {
    if major < 0 || minor < 0 {
        return Err(Refusal {
            why: format!("{major}:{minor} is no device"),
            hint: "ls -l shows both numbers",
        });
    }
    Ok(format!("{major}:{minor}"))
}

/// `net_prio.ifpriomap`.
pub(super) fn priorities(priorities: &[InterfacePriority]) -> Values {
    let line = |entry: &InterfacePriority| Ok(format!("{} {}", word(&entry.name)?, entry.priority));
    Some(priorities.iter().map(line).collect())
}

/// `rdma.max`.
pub(super) fn rdma<'a>(devices: impl Iterator<Item = (&'a String, &'a Rdma)>) -> Values {
    let line = |(name, limit): (&'a String, &'a Rdma)| {
        let mut line = word(name)?.to_owned();
        for (key, value) in [("hca_handle", limit.hca_handles), ("hca_object", limit.hca_objects)] {
            if let Some(value) = value {
                line.push_str(&format!(" {key}={value}"));
            }
        }
        Ok(line)
    };
    Some(devices.map(line).collect())
}

/// A name that would otherwise break the line that it is written in.
fn word(name: &str) -> Result<&str, Refusal> {
    if name.is_empty() || name.contains(char::is_whitespace) {
        return Err(Refusal {
            why: format!("{name:?} is no device name"),
            hint: "write a name without blanks",
        });
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weight(shares: u64) -> Option<String> {
        weight_of_shares(&Cpu { shares: Some(shares), ..Cpu::default() }).map(|r| r.ok().unwrap().concat())
    }

    #[test]
    fn shares_meet_the_curve_at_its_three_points_and_stay_on_it_between() {
        let expected =
            [(1, "1"), (2, "1"), (256, "35"), (512, "59"), (1024, "100"), (2048, "174"), (4096, "303")];
        for (shares, expected) in expected {
            assert_eq!(weight(shares).as_deref(), Some(expected), "shares {shares}");
        }
        assert_eq!(weight(262_144).as_deref(), Some("10000"));
        assert_eq!(weight(u64::MAX).as_deref(), Some("10000"));
        assert_eq!(weight(0), None);
    }

    #[test]
    fn io_weights_convert_at_both_ends_and_by_device() {
        assert_eq!(io_weight_v2("10"), "1");
        assert_eq!(io_weight_v2("1000"), "10000");
        assert_eq!(io_weight_v2("8:0 100"), "8:0 910");
    }
}
