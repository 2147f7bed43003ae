//! Which of many containers are frozen, as `list` asks: of a cgroup in state.json nothing but its freezer is read, and
//! the kernel walks only that part of its path in which it differs from the others.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
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
    /// A directory in which all of them lie so far. Its path ends with a slash.
    above: Option<(String, OwnedFd)>,
    reader: Reader,
}

impl Freezers {
    /// Whether every process of the cgroup is stopped.
    pub fn is_frozen(&mut self, Freezer(text): &Freezer) -> Result<bool, Error> {
        let Some(Line { version, path, .. }) = Line::parse(&text.0) else { return Ok(false) };
        // It may have gone; or what lies above was made anew since we opened it.
        self.look(version, path).or_else(|_| reads_frozen(version, Path::new(path)))
    }

    fn look(&mut self, version: Version, path: &str) -> Result<bool, Errno> {
        let above = open_above(&mut self.above, path)?;
        let (file, frozen) = frozen_line(version);
        let text = self.reader.read(above.1, &[&path[above.0..], file], 0)?;
        Ok(text.split(|byte| *byte == b'\n').any(|line| line == frozen.as_bytes()))
    }
}

/// A directory above `path`, with the length of its own path: the one that is open, else one that both lie in.
fn open_above<'d>(
    open: &'d mut Option<(String, OwnedFd)>,
    path: &str,
) -> Result<(usize, BorrowedFd<'d>), Errno> {
    let same = match open {
        Some((above, _)) => above.bytes().zip(path.bytes()).take_while(|(a, b)| a == b).count(),
        None => path.len(),
    };
    let wanted = path.as_bytes()[..same].iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    let (above, dir) = match open.take() {
        Some(open) if open.0.len() == wanted => open,
        _ => (path[..wanted].to_owned(), file::open_dir(Path::new(&path[..wanted]))?),
    };
    let (_, dir) = &*open.insert((above, dir));
    Ok((wanted, dir.as_fd()))
}
