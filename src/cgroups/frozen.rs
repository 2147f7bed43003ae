//! Which of many containers are frozen, as `list` asks: of a cgroup in state.json nothing but its freezer is read, and
//! the kernel walks only that part of its path in which it differs from the others.

use std::fmt;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};

use super::freezer::{frozen_line, reads_frozen};
use super::record::{Line, Text};
use super::{Error, file};
use crate::plan::cgroup::Version;
use crate::sys::Errno;
use crate::sys::file::Reader;

/// The line of a [`Cgroup`](super::Cgroup) in state.json that tells of its freezer; empty if it has none.
#[derive(Debug, Default)]
pub struct Freezer<'a>(Text<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Freezer<'a> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Cgroup<'a> {
            #[serde(borrow, deserialize_with = "freezer")]
            dirs: Freezer<'a>,
        }
        Cgroup::deserialize(json).map(|cgroup| cgroup.dirs)
    }
}

fn freezer<'de, D: Deserializer<'de>>(json: D) -> Result<Freezer<'de>, D::Error> {
    struct Dirs;
    impl<'de> Visitor<'de> for Dirs {
        type Value = Freezer<'de>;

        fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
            out.write_str("directories")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut dirs: A) -> Result<Freezer<'de>, A::Error> {
            let mut found = Freezer::default();
            while let Some(text) = dirs.next_element::<Text>()? {
                let line = text.line()?;
                if line.has("freezer") {
                    while dirs.next_element::<IgnoredAny>()?.is_some() {}
                    return Ok(Freezer(text));
                }
                if line.version == Version::V2 && found.0.0.is_empty() {
                    found = Freezer(text);
                }
            }
            Ok(found)
        }
    }
    json.deserialize_seq(Dirs)
}

/// Asks one freezer after the other.
#[derive(Debug, Default)]
pub struct Freezers {
    /// A directory that all of them lie in so far. Its path ends with a slash.
    above: Option<(String, OwnedFd)>,
    reader: Reader,
}

impl Freezers {
    /// Whether every process of the cgroup is stopped.
    pub fn is_frozen(&mut self, Freezer(text): &Freezer) -> Result<bool, Error> {
        let Some(Line { version, path, .. }) = Line::parse(&text.0) else { return Ok(false) };
        let (file, frozen) = frozen_line(version);
        match self.read(path, file) {
            Ok(text) => Ok(text.split(|byte| *byte == b'\n').any(|line| line == frozen.as_bytes())),
            // It has gone; or what lies above it has, and was made anew since we opened that.
            Err(Errno::ENOENT | Errno::ENODEV) => reads_frozen(version, Path::new(path)),
            Err(errno) => Err(Error::Read { file: Path::new(path).join(file), errno }),
        }
    }

    fn read(&mut self, dir: &str, name: &str) -> Result<&[u8], Errno> {
        let above = match self.above.take() {
            Some(above) if dir.starts_with(&*above.0) => above,
            other => {
                let path = common(dir, other.as_ref().map_or(dir, |(path, _)| path));
                (path.to_owned(), file::open_dir(Path::new(path))?)
            }
        };
        let (path, opened) = &*self.above.insert(above);
        self.reader.read(opened.as_fd(), &[&dir[path.len()..], name], 0)
    }
}

/// The directory that `path` lies in, and `other` too, with a slash at its end.
fn common<'p>(path: &'p str, other: &str) -> &'p str {
    let same = path.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    let slash = path.as_bytes()[..same].iter().rposition(|byte| *byte == b'/');
    &path[..slash.map_or(0, |slash| slash + 1)]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "files of temporary directories")]

    use std::fs;

    use super::*;

    #[test]
    fn the_freezer_is_that_of_v1_or_else_the_v2_directory() {
        let freezer = |lines: &str| {
            let text = format!(r#"{{"dirs":[{lines}]}}"#);
            let Freezer(Text(line)) = serde_json::from_str(&text).unwrap();
            line.into_owned()
        };
        let (pids, v1, v2) =
            (r#""v1:pids:1:/pids/c""#, r#""v1:cpu,freezer:1:/freezer/c:\\x2d""#, r#""v2:io:2:/c""#);
        assert_eq!(freezer(&[pids, v1, v2].join(",")), "v1:cpu,freezer:1:/freezer/c:\\x2d");
        assert_eq!(freezer(&[v2, v1, pids].join(",")), "v1:cpu,freezer:1:/freezer/c:\\x2d");
        assert_eq!(freezer(&[pids, v2].join(",")), "v2:io:2:/c");
        assert_eq!(freezer(pids), "");
        assert_eq!(freezer(""), "");
    }

    #[test]
    fn every_cgroup_is_asked_wherever_it_lies() {
        let place = tempfile::tempdir().unwrap();
        let dir = |name: &str| place.path().join(name).to_str().unwrap().to_owned();
        let make = |name: &str, events: &str| {
            fs::create_dir_all(dir(name)).unwrap();
            fs::write(place.path().join(name).join("cgroup.events"), events).unwrap();
        };
        let (frozen, thawed) = ("populated 1\nfrozen 1\n", "populated 1\nfrozen 0\n");
        let cgroups =
            [("a/b/c1", frozen), ("a/b/c2", thawed), ("a/b2/c", frozen), ("a/b2", thawed), ("d", frozen)];
        for (name, events) in cgroups {
            make(name, events);
        }
        let mut freezers = Freezers::default();
        let mut ask =
            |name: &str| freezers.is_frozen(&Freezer(Text(format!("v2::1:{}", dir(name)).into()))).unwrap();
        for (name, events) in cgroups.iter().chain(&cgroups) {
            assert_eq!(ask(name), *events == frozen, "{name}");
        }
        assert!(!ask("e"), "there is none");
        fs::rename(place.path(), place.path().with_extension("old")).unwrap();
        fs::create_dir(place.path()).unwrap();
        make("a/b/c9", frozen);
        assert!(ask("a/b/c9"), "what lies above is another directory now");
        fs::remove_dir_all(place.path().with_extension("old")).unwrap();
    }
}
