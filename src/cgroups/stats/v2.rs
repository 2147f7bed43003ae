//! Statistics from the files of a v2 cgroup, translated into the v1 terms of the format.

use super::{BlkioEntry, HugePages, MemoryEntry, Pressure, Psi, Stats, keyed, number, page_sizes};
use crate::cgroups::{Dir, Error, file};

/// Adds all that a v2 host counts.
pub(super) fn add_all(dir: &Dir, stats: &mut Stats) -> Result<(), Error> {
    let stat = keyed(&dir.file("cpu.stat"))?;
    let get = |key: &str| stat.get(key).copied().unwrap_or(0);
    stats.cpu.usage.total = get("usage_usec").saturating_mul(1000);
    stats.cpu.usage.user = get("user_usec").saturating_mul(1000);
    stats.cpu.usage.kernel = get("system_usec").saturating_mul(1000);
    stats.cpu.throttling.periods = get("nr_periods");
    stats.cpu.throttling.throttled_periods = get("nr_throttled");
    stats.cpu.throttling.throttled_time = get("throttled_usec").saturating_mul(1000);
    add_controllers(dir, stats)
}

/// Adds what only the controllers of the v2 hierarchy and its pressure files count.
pub(super) fn add_controllers(dir: &Dir, stats: &mut Stats) -> Result<(), Error> {
    stats.cpu.psi = pressure(dir, "cpu.pressure")?;
    stats.memory.psi = pressure(dir, "memory.pressure")?;
    stats.blkio.psi = pressure(dir, "io.pressure")?;
    for controller in &dir.controllers {
        match controller.as_str() {
            "memory" => memory(dir, stats)?,
            "pids" => {
                stats.pids.current = number(&dir.file("pids.current"))?.unwrap_or(0);
                stats.pids.limit = number(&dir.file("pids.max"))?.filter(|max| *max != u64::MAX).unwrap_or(0);
            }
            "io" => io(dir, stats)?,
            "hugetlb" => {
                for size in page_sizes(&dir.path, ".current") {
                    let usage = number(&dir.file(&format!("hugetlb.{size}.current")))?.unwrap_or(0);
                    let events = keyed(&dir.file(&format!("hugetlb.{size}.events")))?;
                    let failcnt = events.get("max").copied().unwrap_or(0);
                    stats.hugetlb.insert(size, HugePages { usage, max: 0, failcnt });
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn memory(dir: &Dir, stats: &mut Stats) -> Result<(), Error> {
    stats.memory.raw = keyed(&dir.file("memory.stat"))?;
    stats.memory.cache = stats.memory.raw.get("file").copied().unwrap_or(0);
    let entry = |kind: &str| -> Result<Option<MemoryEntry>, Error> {
        let read = |what: &str| number(&dir.file(&format!("memory{kind}.{what}")));
        let Some(usage) = read("current")? else { return Ok(None) };
        let (limit, max) = (read("max")?.unwrap_or(u64::MAX), read("peak")?.unwrap_or(0));
        let events = keyed(&dir.file(&format!("memory{kind}.events")))?;
        Ok(Some(MemoryEntry { limit, usage, max, failcnt: events.get("max").copied().unwrap_or(0) }))
    };
    let Some(usage) = entry("")? else { return Ok(()) };
    let swap = entry(".swap")?.unwrap_or_default();
    stats.memory.usage = usage;
    // The format wants memory and swap together. Their peaks need not have fallen together, so there is no sum.
    stats.memory.swap = MemoryEntry {
        limit: swap.limit.saturating_add(usage.limit),
        usage: swap.usage.saturating_add(usage.usage),
        max: 0,
        failcnt: swap.failcnt,
    };
    Ok(())
}

/// `8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0`
fn io(dir: &Dir, stats: &mut Stats) -> Result<(), Error> {
    let text = file::read_if_there(&dir.file("io.stat"))?.unwrap_or_default();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let Some((major, minor)) = words.next().and_then(|device| device.split_once(':')) else { continue };
        let (Ok(major), Ok(minor)) = (major.parse(), minor.parse()) else { continue };
        for (key, value) in words.filter_map(|word| word.split_once('=')) {
            let (table, op) = match key {
                "rbytes" => (&mut stats.blkio.io_service_bytes_recursive, "Read"),
                "wbytes" => (&mut stats.blkio.io_service_bytes_recursive, "Write"),
                "rios" => (&mut stats.blkio.io_serviced_recursive, "Read"),
                "wios" => (&mut stats.blkio.io_serviced_recursive, "Write"),
                _ => continue,
            };
            table.push(BlkioEntry { major, minor, op: op.to_owned(), value: value.parse().unwrap_or(0) });
        }
    }
    Ok(())
}

fn pressure(dir: &Dir, name: &str) -> Result<Option<Psi>, Error> {
    let text = file::read_if_there(&dir.file(name))?;
    Ok(text.filter(|text| !text.is_empty()).map(|text| parse_pressure(&text)))
}

/// `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`
fn parse_pressure(text: &str) -> Psi {
    let mut psi = Psi::default();
    for line in text.lines() {
        let mut pressure = Pressure::default();
        for (key, value) in line.split_whitespace().filter_map(|word| word.split_once('=')) {
            match key {
                "avg10" => pressure.avg10 = value.parse().unwrap_or(0.0),
                "avg60" => pressure.avg60 = value.parse().unwrap_or(0.0),
                "avg300" => pressure.avg300 = value.parse().unwrap_or(0.0),
                "total" => pressure.total = value.parse().unwrap_or(0),
                _ => {}
            }
        }
        match line.split_whitespace().next() {
            Some("some") => psi.some = pressure,
            Some("full") => psi.full = pressure,
            _ => {}
        }
    }
    psi
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pressure_lines_are_understood() {
        let psi = parse_pressure(
            "some avg10=1.50 avg60=0.00 avg300=0.25 total=77\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=5\n",
        );
        assert_eq!((psi.some.avg10, psi.some.avg300, psi.some.total, psi.full.total), (1.5, 0.25, 77, 5));
    }
}
