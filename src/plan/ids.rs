//! Id maps of user namespaces (user_namespaces(7)).

use serde::Serialize;

use super::Error;
use crate::spec::IdMapping;

/// The kernel takes this many lines since 4.15.
const MAX_LINES: usize = 340;

/// Both maps of a user namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IdMaps {
    /// User ids.
    pub uids: Vec<IdMapping>,
    /// Group ids.
    pub gids: Vec<IdMapping>,
}

impl IdMaps {
    /// Checks the two lists below the JSON path `at`, neither of which may be empty.
    pub fn new(at: &str, uids: &[IdMapping], gids: &[IdMapping]) -> Result<Self, Error> {
        let path = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
        check(&path("uidMappings"), uids)?;
        check(&path("gidMappings"), gids)?;
        Ok(Self { uids: uids.to_vec(), gids: gids.to_vec() })
    }

    /// Whether uid 0 and gid 0 exist inside.
    #[must_use]
    pub fn maps_root(&self) -> bool {
        [&self.uids, &self.gids].into_iter().all(|map| map.iter().any(|line| line.container_id == 0))
    }
}

/// The text of a uid_map or gid_map file.
#[must_use]
pub fn map_text(map: &[IdMapping]) -> String {
    map.iter().map(|line| format!("{} {} {}\n", line.container_id, line.host_id, line.size)).collect()
}

fn check(at: &str, map: &[IdMapping]) -> Result<(), Error> {
    if map.is_empty() {
        return Err(Error::new(at, "is missing").hint("a user namespace needs at least one mapping"));
    }
    if map.len() > MAX_LINES {
        return Err(Error::new(at, format!("has {} entries, the kernel takes {MAX_LINES}", map.len()))
            .hint("join neighbouring ranges"));
    }
    for (index, line) in map.iter().enumerate() {
        let place = format!("{at}[{index}]");
        if line.size == 0 {
            return Err(
                Error::new(format!("{place}.size"), "is 0").hint("write how many ids, or remove the entry")
            );
        }
        let end = |first: u32| first.checked_add(line.size - 1);
        if end(line.container_id).is_none() || end(line.host_id).is_none() {
            return Err(Error::new(place, "goes beyond the largest id").hint("the largest is 4294967294"));
        }
        let overlaps = |a: u32, b: u32, other: &IdMapping| {
            a - b.min(a) < other.size && b <= a || b - a.min(b) < line.size && a <= b
        };
        for other in &map[..index] {
            if overlaps(line.container_id, other.container_id, other)
                || overlaps(line.host_id, other.host_id, other)
            {
                return Err(Error::new(place, "overlaps an earlier entry")
                    .hint("each id may be mapped once, inside and outside"));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(container_id: u32, host_id: u32, size: u32) -> IdMapping {
        IdMapping { container_id, host_id, size }
    }

    #[test]
    fn overlapping_lines_are_refused() {
        let good = [line(0, 1000, 10), line(10, 2000, 10)];
        assert!(IdMaps::new("", &good, &good).is_ok());
        for bad in [[line(0, 1000, 11), line(10, 2000, 10)], [line(0, 1000, 10), line(10, 1009, 1)]] {
            let err = IdMaps::new("linux", &bad, &good).unwrap_err();
            assert_eq!(err.at, "linux.uidMappings[1]");
        }
    }

    #[test]
    fn empty_and_overflowing_lines_are_refused() {
        let good = [line(0, 0, u32::MAX)];
        assert_eq!(IdMaps::new("", &good, &[]).unwrap_err().at, "gidMappings");
        assert_eq!(IdMaps::new("", &[line(0, 0, 0)], &good).unwrap_err().at, "uidMappings[0].size");
        assert!(IdMaps::new("", &[line(2, 0, u32::MAX)], &good).is_err());
    }
}
