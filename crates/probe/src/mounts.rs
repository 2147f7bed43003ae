//! /proc/self/mountinfo (proc_pid_mountinfo(5)), parsed, and whether `/` can be written.

use serde_json::{Map, Value, json};

use crate::{errno, sys};

/// The mounts part of the world.
pub fn see() -> Map<String, Value> {
    let mut part = Map::new();
    part.insert("mounts".into(), mounts());
    part.insert(
        "root_writable".into(),
        match sys::access(c"/", libc::W_OK) {
            Ok(()) => json!(true),
            Err(number) => errno::report(number),
        },
    );
    part
}

fn mounts() -> Value {
    let Ok(text) = std::fs::read_to_string("/proc/self/mountinfo") else { return Value::Null };
    text.lines().filter_map(entry).collect()
}

/// `36 35 98:0 /root /target rw,noatime shared:1 - ext3 /dev/root rw,errors=continue`
fn entry(line: &str) -> Option<Value> {
    let (left, right) = line.split_once(" - ")?;
    let left: Vec<&str> = left.split(' ').collect();
    let right: Vec<&str> = right.split(' ').collect();
    Some(json!({
        "id": left.first()?.parse::<u64>().ok()?,
        "parent": left.get(1)?.parse::<u64>().ok()?,
        "device": left.get(2)?,
        "root": unescape(left.get(3)?),
        "target": unescape(left.get(4)?),
        "flags": left.get(5)?.split(',').collect::<Vec<_>>(),
        "propagation": left.get(6..)?,
        "type": right.first()?,
        "source": unescape(right.get(1)?),
        "super": right.get(2)?.split(',').collect::<Vec<_>>(),
    }))
}

/// Undoes the octal escapes of blanks, newlines and backslashes.
fn unescape(field: &str) -> String {
    ["\\040", "\\011", "\\012", "\\134"]
        .into_iter()
        .zip([" ", "\t", "\n", "\\"])
        .fold(field.to_owned(), |text, (code, plain)| text.replace(code, plain))
}
