//! /proc/self/status, the source of everything that has no system call of its own.

use std::collections::BTreeMap;

/// The lines as name and trimmed value; empty without procfs.
pub type Status = BTreeMap<String, String>;

/// Reads the file.
pub fn read() -> Status {
    std::fs::read_to_string("/proc/self/status")
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect()
}

/// A hexadecimal mask as the numbers of its bits, counted from `first`.
pub fn bits(status: &Status, name: &str, first: u32) -> Vec<u32> {
    let mask = status.get(name).and_then(|hex| u64::from_str_radix(hex, 16).ok()).unwrap_or(0);
    (0..64).filter(|bit| mask & (1 << bit) != 0).map(|bit| bit + first).collect()
}
