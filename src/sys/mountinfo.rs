//! The mounts that a process sees (proc_pid_mountinfo(5)).
//!
//! The list grows with every container on the host, so that reading it is for the rare paths only.

use std::path::PathBuf;

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Which part of the filesystem is mounted.
    pub root: String,
    /// Where.
    pub point: PathBuf,
    /// Type of the filesystem.
    pub kind: String,
    /// Options of the filesystem, separated by commas.
    pub options: String,
}

impl Mount {
    /// Reads `36 35 98:0 /root /point rw,noatime shared:1 - cgroup cgroup rw,memory`.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let (before, after) = line.split_once(" - ")?;
        let mut after = after.split(' ');
        let kind = after.next()?.to_owned();
        let options = after.nth(1)?.to_owned();
        let mut before = before.split(' ').skip(3);
        let root = before.next()?.to_owned();
        let point = PathBuf::from(unescape(before.next()?));
        Some(Self { root, point, kind, options })
    }
}

/// The kernel writes blanks in paths as `\040` and the like.
fn unescape(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code {
            Some(code) => {
                plain.push(char::from(code));
                plain.push_str(&part[3..]);
            }
            None => plain.push_str(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_understood() {
        let line = r"36 35 0:31 /docker/ab /mnt/c\040g rw shared:9 - cgroup cgroup rw,cpu,cpuacct";
        let mount = Mount::parse(line).unwrap();
        assert_eq!((mount.root.as_str(), mount.point.to_str().unwrap()), ("/docker/ab", "/mnt/c g"));
        assert_eq!((mount.kind.as_str(), mount.options.as_str()), ("cgroup", "rw,cpu,cpuacct"));
        assert!(Mount::parse("36 35 0:31 / /tmp rw").is_none());
    }
}
