//! The process itself: arguments, environment, descriptors, signals, namespaces, cgroups.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;

use serde_json::{Map, Value, json};

use crate::status::{Status, bits};
use crate::sys;

/// The process part of the world.
pub fn see(argv: &[String], status: &Status) -> Map<String, Value> {
    let (session, group) = sys::session_and_group();
    let [hostname, domainname, machine] = sys::uname();
    let mut part = Map::new();
    part.insert("argv".into(), json!(argv));
    part.insert("env".into(), json!(environment()));
    part.insert("cwd".into(), json!(std::env::current_dir().ok()));
    part.insert("exe".into(), json!(fs::read_link("/proc/self/exe").ok()));
    part.insert("pid".into(), json!(std::process::id()));
    part.insert("ppid".into(), json!(std::os::unix::process::parent_id()));
    part.insert("pgid".into(), json!(group));
    part.insert("sid".into(), json!(session));
    part.insert("fds".into(), json!(descriptors()));
    part.insert(
        "signals".into(),
        json!({
            "blocked": bits(status, "SigBlk", 1),
            "ignored": ignored(status),
            "caught": bits(status, "SigCgt", 1),
            "pending": bits(status, "ShdPnd", 1),
        }),
    );
    part.insert("namespaces".into(), json!(namespaces()));
    part.insert("time_offsets".into(), json!(time_offsets()));
    part.insert("cgroups".into(), json!(cgroups()));
    part.insert("hostname".into(), json!(hostname));
    part.insert("domainname".into(), json!(domainname));
    part.insert("machine".into(), json!(machine));
    part.insert("parent_death_signal".into(), json!(sys::parent_death_signal()));
    part.insert("dumpable".into(), json!(sys::prctl(libc::PR_GET_DUMPABLE)));
    part.insert("timer_slack".into(), json!(sys::prctl(libc::PR_GET_TIMERSLACK)));
    part.insert("thp_disabled".into(), json!(sys::prctl(libc::PR_GET_THP_DISABLE)));
    part.insert("child_subreaper".into(), json!(status.get("ChildSubreaper")));
    part.insert(
        "clocks".into(),
        json!({
            "realtime": nanoseconds(libc::CLOCK_REALTIME),
            "monotonic": nanoseconds(libc::CLOCK_MONOTONIC),
            "boottime": nanoseconds(libc::CLOCK_BOOTTIME),
        }),
    );
    part
}

/// The environment in its order, as `NAME=value`; from procfs when there, because std drops malformed entries.
fn environment() -> Vec<String> {
    if let Ok(block) = fs::read("/proc/self/environ") {
        let entries = block.split(|byte| *byte == 0).filter(|entry| !entry.is_empty());
        return entries.map(|entry| String::from_utf8_lossy(entry).into_owned()).collect();
    }
    let join = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        let bytes = [name.into_vec(), value.into_vec()].join(&b'=');
        String::from_utf8_lossy(&bytes).into_owned()
    };
    std::env::vars_os().map(join).collect()
}

/// Open descriptors and what they lead to, without the one used to look.
fn descriptors() -> Option<BTreeMap<u32, String>> {
    let listing = fs::read_dir("/proc/self/fd").ok()?;
    let numbers: Vec<u32> =
        listing.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    Some(
        numbers
            .into_iter()
            .filter_map(|fd| {
                let target = fs::read_link(format!("/proc/self/fd/{fd}")).ok()?;
                Some((fd, target.to_string_lossy().into_owned()))
            })
            .collect(),
    )
}

/// Ignored signals, without 32 and 33: glibc's posix_spawn ignores them in every child, and no call of a C library
/// can give them back their default.
fn ignored(status: &Status) -> Vec<u32> {
    bits(status, "SigIgn", 1).into_iter().filter(|signal| !(32..=33).contains(signal)).collect()
}

fn namespaces() -> BTreeMap<String, u64> {
    let Ok(listing) = fs::read_dir("/proc/self/ns") else { return BTreeMap::new() };
    listing
        .flatten()
        .filter_map(|entry| {
            let inode = fs::metadata(entry.path()).ok()?.ino();
            Some((entry.file_name().to_string_lossy().into_owned(), inode))
        })
        .collect()
}

/// `{"monotonic": [seconds, nanoseconds], "boottime": ...}`.
fn time_offsets() -> Option<BTreeMap<String, Vec<i64>>> {
    let text = fs::read_to_string("/proc/self/timens_offsets").ok()?;
    let row = |line: &str| {
        let mut words = line.split_whitespace();
        Some((words.next()?.to_owned(), words.filter_map(|word| word.parse().ok()).collect()))
    };
    Some(text.lines().filter_map(row).collect())
}

/// Controllers (as the file joins them, empty for v2) and the path in their hierarchy.
fn cgroups() -> Option<BTreeMap<String, String>> {
    let text = fs::read_to_string("/proc/self/cgroup").ok()?;
    let row = |line: &str| {
        let mut fields = line.splitn(3, ':').skip(1);
        Some((fields.next()?.to_owned(), fields.next()?.to_owned()))
    };
    Some(text.lines().filter_map(row).collect())
}

fn nanoseconds(clock: libc::c_int) -> Option<u64> {
    u64::try_from(sys::clock(clock)).ok()
}
