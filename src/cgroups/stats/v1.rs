//! Statistics from the files of the v1 controllers.

use std::path::Path;

use super::{Blkio, BlkioEntry, CpuUsage, HugePages, MemoryEntry, Stats, keyed, number, page_sizes};
use crate::cgroups::{Dir, Error, file};

/// `cpuacct.stat` counts in these.
const NANOSECONDS_PER_TICK: u64 = 1_000_000_000 / 100;

/// Adds what the controllers of one hierarchy count.
pub(super) fn add(dir: &Dir, stats: &mut Stats) -> Result<(), Error> {
    for controller in &dir.controllers {
        match controller.as_str() {
            "cpu" => {
                let stat = keyed(&dir.file("cpu.stat"))?;
                let get = |key: &str| stat.get(key).copied().unwrap_or(0);
                stats.cpu.throttling.periods = get("nr_periods");
                stats.cpu.throttling.throttled_periods = get("nr_throttled");
                stats.cpu.throttling.throttled_time = get("throttled_time");
            }
            "cpuacct" => stats.cpu.usage = cpu_usage(dir)?,
            "cpuset" => cpuset(dir, stats)?,
            "memory" => memory(dir, stats)?,
            "pids" => {
                stats.pids.current = number(&dir.file("pids.current"))?.unwrap_or(0);
                stats.pids.limit = number(&dir.file("pids.max"))?.filter(|max| *max != u64::MAX).unwrap_or(0);
            }
            "blkio" => stats.blkio = blkio(&dir.path)?,
            "hugetlb" => {
                for size in page_sizes(&dir.path, ".usage_in_bytes") {
                    let read = |what: &str| number(&dir.file(&format!("hugetlb.{size}.{what}")));
                    let pages = HugePages {
                        usage: read("usage_in_bytes")?.unwrap_or(0),
                        max: read("max_usage_in_bytes")?.unwrap_or(0),
                        failcnt: read("failcnt")?.unwrap_or(0),
                    };
                    stats.hugetlb.insert(size, pages);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn cpu_usage(dir: &Dir) -> Result<CpuUsage, Error> {
    let stat = keyed(&dir.file("cpuacct.stat"))?;
    let ticks = |key: &str| stat.get(key).copied().unwrap_or(0).saturating_mul(NANOSECONDS_PER_TICK);
    let percpu = file::read_if_there(&dir.file("cpuacct.usage_percpu"))?.unwrap_or_default();
    // `cpu user system`, a head line and then a line for each CPU (Linux 4.10).
    let all = file::read_if_there(&dir.file("cpuacct.usage_all"))?.unwrap_or_default();
    let column = |n: usize| -> Vec<u64> {
        all.lines().skip(1).filter_map(|line| line.split_whitespace().nth(n)?.parse().ok()).collect()
    };
    Ok(CpuUsage {
        total: number(&dir.file("cpuacct.usage"))?.unwrap_or(0),
        percpu: percpu.split_whitespace().filter_map(|cpu| cpu.parse().ok()).collect(),
        percpu_kernel: column(2),
        percpu_user: column(1),
        kernel: ticks("system"),
        user: ticks("user"),
    })
}

fn cpuset(dir: &Dir, stats: &mut Stats) -> Result<(), Error> {
    let read =
        |name: &str| -> Result<u64, Error> { Ok(number(&dir.file(&format!("cpuset.{name}")))?.unwrap_or(0)) };
    let list = |name: &str| -> Result<Vec<u16>, Error> {
        Ok(numbers(&file::read_if_there(&dir.file(name))?.unwrap_or_default()))
    };
    let set = &mut stats.cpuset;
    set.cpus = list("cpuset.cpus")?;
    set.mems = list("cpuset.mems")?;
    set.cpu_exclusive = read("cpu_exclusive")?;
    set.mem_hardwall = read("mem_hardwall")?;
    set.mem_exclusive = read("mem_exclusive")?;
    set.memory_migrate = read("memory_migrate")?;
    set.memory_spread_page = read("memory_spread_page")?;
    set.memory_spread_slab = read("memory_spread_slab")?;
    set.memory_pressure = read("memory_pressure")?;
    set.sched_load_balance = read("sched_load_balance")?;
    let level = file::read_if_there(&dir.file("cpuset.sched_relax_domain_level"))?.unwrap_or_default();
    set.sched_relax_domain_level = level.trim().parse().unwrap_or(0);
    Ok(())
}

/// `0-2,7` as the numbers it means.
fn numbers(list: &str) -> Vec<u16> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse::<u16>().ok()?..=last.parse::<u16>().ok()?)
    };
    list.trim().split(',').filter_map(range).flatten().collect()
}

fn memory(dir: &Dir, stats: &mut Stats) -> Result<(), Error> {
    let entry = |kind: &str| -> Result<MemoryEntry, Error> {
        let read = |what: &str| number(&dir.file(&format!("memory{kind}.{what}")));
        let Some(usage) = read("usage_in_bytes")? else { return Ok(MemoryEntry::default()) };
        Ok(MemoryEntry {
            limit: read("limit_in_bytes")?.unwrap_or(0),
            usage,
            max: read("max_usage_in_bytes")?.unwrap_or(0),
            failcnt: read("failcnt")?.unwrap_or(0),
        })
    };
    stats.memory.raw = keyed(&dir.file("memory.stat"))?;
    stats.memory.cache = stats.memory.raw.get("cache").copied().unwrap_or(0);
    stats.memory.usage = entry("")?;
    stats.memory.swap = entry(".memsw")?;
    stats.memory.kernel = entry(".kmem")?;
    stats.memory.kernel_tcp = entry(".kmem.tcp")?;
    Ok(())
}

/// The I/O schedulers count in files of their own; the first family that has lines is the one in use.
fn blkio(dir: &Path) -> Result<Blkio, Error> {
    for family in ["blkio.bfq.", "blkio.", "blkio.throttle."] {
        let read = |name: &str| entries(&dir.join(format!("{family}{name}_recursive")));
        let stats = Blkio {
            io_service_bytes_recursive: read("io_service_bytes")?,
            io_serviced_recursive: read("io_serviced")?,
            io_queued_recursive: read("io_queued")?,
            io_service_time_recursive: read("io_service_time")?,
            io_wait_time_recursive: read("io_wait_time")?,
            io_merged_recursive: read("io_merged")?,
            io_time_recursive: read("time")?,
            sectors_recursive: read("sectors")?,
            psi: None,
        };
        if stats != Blkio::default() {
            return Ok(stats);
        }
    }
    Ok(Blkio {
        io_service_bytes_recursive: entries(&dir.join("blkio.throttle.io_service_bytes"))?,
        io_serviced_recursive: entries(&dir.join("blkio.throttle.io_serviced"))?,
        ..Blkio::default()
    })
}

/// Lines of `MAJOR:MINOR [OPERATION] NUMBER`, with a total at the end that is left out.
fn entries(file: &Path) -> Result<Vec<BlkioEntry>, Error> {
    let text = file::read_if_there(file)?.unwrap_or_default();
    let entry = |line: &str| {
        let (device, rest) = line.split_once(' ')?;
        let (major, minor) = device.split_once(':')?;
        let (op, value) = rest.rsplit_once(' ').unwrap_or(("", rest));
        let (major, minor, value) = (major.parse().ok()?, minor.parse().ok()?, value.parse().ok()?);
        Some(BlkioEntry { major, minor, op: op.to_owned(), value })
    };
    Ok(text.lines().filter_map(entry).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_lists_are_spelled_out() {
        assert_eq!(numbers("0-2,7\n"), [0, 1, 2, 7]);
        assert!(numbers("\n").is_empty());
    }
}
