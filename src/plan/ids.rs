//! Id maps of user namespaces (user_namespaces(7)).

use caps::Capability;
use serde::Serialize;

use super::{Error, HostFacts};
use crate::spec::IdMapping;

/// The kernel takes this many lines since 4.15.
const MAX_LINES: usize = 340;

/// Both maps of a user namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IdMaps {
    /// User ids.
    pub uids: IdMap,
    /// Group ids.
    pub gids: IdMap,
}

/// One map of a user namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IdMap {
    /// Of which ids.
    #[serde(skip)]
    pub kind: IdKind,
    /// Its lines.
    pub lines: Vec<IdMapping>,
    /// Who writes it.
    pub writer: MapWriter,
}

/// Of users or of groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdKind {
    /// Of users.
    Uid,
    /// Of groups.
    Gid,
}

/// Who may write a map (user_namespaces(7), "Defining user and group ID mappings").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MapWriter {
    /// The runtime: it has the capability, or maps its own id and no other.
    Runtime,
    /// The runtime, which gives up setgroups(2) for the right to map its own group (CVE-2014-8989).
    WithoutGroups,
    /// newuidmap(1) or newgidmap(1), for ranges that subuid(5) and subgid(5) grant.
    Tool,
}

impl IdKind {
    /// The list's name in config.json.
    #[must_use]
    pub fn property(self) -> &'static str {
        match self {
            Self::Uid => "uidMappings",
            Self::Gid => "gidMappings",
        }
    }

    /// The map's file in /proc/PID.
    #[must_use]
    pub fn file(self) -> &'static str {
        match self {
            Self::Uid => "uid_map",
            Self::Gid => "gid_map",
        }
    }

    /// Where ordinary users find their ranges.
    #[must_use]
    pub fn database(self) -> &'static str {
        match self {
            Self::Uid => "/etc/subuid",
            Self::Gid => "/etc/subgid",
        }
    }

    /// The program that writes it for an ordinary user.
    #[must_use]
    pub fn tool(self) -> &'static str {
        match self {
            Self::Uid => "newuidmap",
            Self::Gid => "newgidmap",
        }
    }
}

impl IdMaps {
    /// Checks the two lists below the JSON path `at`, neither of which may be empty.
    pub fn new(at: &str, uids: &[IdMapping], gids: &[IdMapping]) -> Result<Self, Error> {
        let path = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
        let map = |kind: IdKind, lines: &[IdMapping]| {
            check(&path(kind.property()), lines)?;
            Ok(IdMap { kind, lines: lines.to_vec(), writer: MapWriter::Runtime })
        };
        Ok(Self { uids: map(IdKind::Uid, uids)?, gids: map(IdKind::Gid, gids)? })
    }

    /// The same, written as the caller may.
    #[must_use]
    pub fn written_by(mut self, facts: &HostFacts) -> Self {
        self.uids.writer = match facts.may(Capability::CAP_SETUID) || self.uids.is_only(facts.euid) {
            true => MapWriter::Runtime,
            false => MapWriter::Tool,
        };
        self.gids.writer = match facts.may(Capability::CAP_SETGID) {
            true => MapWriter::Runtime,
            false if self.gids.is_only(facts.egid) => MapWriter::WithoutGroups,
            false => MapWriter::Tool,
        };
        self
    }

    /// Whether uid 0 and gid 0 exist inside.
    #[must_use]
    pub fn maps_root(&self) -> bool {
        [&self.uids, &self.gids].into_iter().all(|map| map.contains(0))
    }
}

impl IdMap {
    /// Whether an id exists inside.
    #[must_use]
    pub fn contains(&self, id: u32) -> bool {
        self.lines.iter().any(|line| id.checked_sub(line.container_id).is_some_and(|past| past < line.size))
    }

    fn is_only(&self, id: u32) -> bool {
        matches!(self.lines.as_slice(), [line] if (line.host_id, line.size) == (id, 1))
    }

    /// The text of the map's file.
    #[must_use]
    pub fn text(&self) -> String {
        let lines = self.lines.iter();
        lines.map(|line| format!("{} {} {}\n", line.container_id, line.host_id, line.size)).collect()
    }
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
