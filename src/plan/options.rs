//! The one table of mount options (config.md, "Linux mount options"): what is not in it goes to the filesystem.

use std::fmt;

use super::mount::{Attrs, Param, PropagationChange};
use super::{Error, Text};

/// MOUNT_ATTR__ATIME: relatime, noatime and strictatime are one field, and relatime is 0.
const ATIME_FIELD: u64 = 0x70;
const RELATIME: u64 = 0;
const NOATIME: u64 = libc::MOUNT_ATTR_NOATIME;
const STRICTATIME: u64 = libc::MOUNT_ATTR_STRICTATIME;

/// What one word of `mounts[].options` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// Accepted and without effect on a mount made through the new mount API.
    Nothing,
    Bind,
    RecursiveBind,
    Remount,
    CopyUp,
    Idmap,
    RecursiveIdmap,
    /// Sets a MOUNT_ATTR_* bit.
    Set(u64),
    /// Clears a MOUNT_ATTR_* bit.
    Clear(u64),
    /// Chooses how access times are kept.
    Atime(u64),
    /// The same, for the mount and all below.
    TreeSet(u64),
    TreeClear(u64),
    TreeAtime(u64),
    /// A parameter that every filesystem takes (fsconfig(2)).
    Superblock(&'static str),
    Propagation(u64, bool),
}

use Effect::{
    Atime, Bind, Clear, CopyUp, Idmap, Nothing, Propagation, RecursiveBind, RecursiveIdmap, Remount, Set,
    Superblock, TreeAtime, TreeClear, TreeSet,
};

const RDONLY: u64 = libc::MOUNT_ATTR_RDONLY;
const NOSUID: u64 = libc::MOUNT_ATTR_NOSUID;
const NODEV: u64 = libc::MOUNT_ATTR_NODEV;
const NOEXEC: u64 = libc::MOUNT_ATTR_NOEXEC;
const NODIRATIME: u64 = libc::MOUNT_ATTR_NODIRATIME;
const NOSYMFOLLOW: u64 = libc::MOUNT_ATTR_NOSYMFOLLOW;

/// Sorted by name, for binary search.
const TABLE: &[(&str, Effect)] = &[
    ("async", Superblock("async")),
    ("atime", Atime(RELATIME)),
    ("bind", Bind),
    ("defaults", Nothing),
    ("dev", Clear(NODEV)),
    ("diratime", Clear(NODIRATIME)),
    ("dirsync", Superblock("dirsync")),
    ("exec", Clear(NOEXEC)),
    ("idmap", Idmap),
    // i_version is each filesystem's own business since the new mount API; mount(2) ignored it where unknown.
    ("iversion", Nothing),
    ("lazytime", Superblock("lazytime")),
    // Messages of the kernel log are not affected by the new mount API.
    ("loud", Nothing),
    ("mand", Superblock("mand")),
    ("noatime", Atime(NOATIME)),
    ("nodev", Set(NODEV)),
    ("nodiratime", Set(NODIRATIME)),
    ("noexec", Set(NOEXEC)),
    ("noiversion", Nothing),
    ("nolazytime", Superblock("nolazytime")),
    ("nomand", Superblock("nomand")),
    ("norelatime", Atime(RELATIME)),
    ("nostrictatime", Atime(RELATIME)),
    ("nosuid", Set(NOSUID)),
    ("nosymfollow", Set(NOSYMFOLLOW)),
    ("private", Propagation(libc::MS_PRIVATE, false)),
    ("ratime", TreeAtime(RELATIME)),
    ("rbind", RecursiveBind),
    ("rdev", TreeClear(NODEV)),
    ("rdiratime", TreeClear(NODIRATIME)),
    ("relatime", Atime(RELATIME)),
    ("remount", Remount),
    ("rexec", TreeClear(NOEXEC)),
    ("ridmap", RecursiveIdmap),
    ("rnoatime", TreeAtime(NOATIME)),
    ("rnodev", TreeSet(NODEV)),
    ("rnodiratime", TreeSet(NODIRATIME)),
    ("rnoexec", TreeSet(NOEXEC)),
    ("rnorelatime", TreeAtime(RELATIME)),
    ("rnostrictatime", TreeAtime(RELATIME)),
    ("rnosuid", TreeSet(NOSUID)),
    ("rnosymfollow", TreeSet(NOSYMFOLLOW)),
    ("ro", Set(RDONLY)),
    ("rprivate", Propagation(libc::MS_PRIVATE, true)),
    ("rrelatime", TreeAtime(RELATIME)),
    ("rro", TreeSet(RDONLY)),
    ("rrw", TreeClear(RDONLY)),
    ("rshared", Propagation(libc::MS_SHARED, true)),
    ("rslave", Propagation(libc::MS_SLAVE, true)),
    ("rstrictatime", TreeAtime(STRICTATIME)),
    ("rsuid", TreeClear(NOSUID)),
    ("rsymfollow", TreeClear(NOSYMFOLLOW)),
    ("runbindable", Propagation(libc::MS_UNBINDABLE, true)),
    ("rw", Clear(RDONLY)),
    ("shared", Propagation(libc::MS_SHARED, false)),
    ("silent", Nothing),
    ("slave", Propagation(libc::MS_SLAVE, false)),
    ("strictatime", Atime(STRICTATIME)),
    ("suid", Clear(NOSUID)),
    ("symfollow", Clear(NOSYMFOLLOW)),
    ("sync", Superblock("sync")),
    ("tmpcopyup", CopyUp),
    ("unbindable", Propagation(libc::MS_UNBINDABLE, false)),
];

/// Every option name that is understood here, for the features document.
pub fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|(name, _)| *name)
}

/// A mount's options, understood.
#[derive(Debug, Default)]
pub struct Options {
    /// `bind` or `rbind`; the bool says which.
    pub bind: Option<bool>,
    /// Whether a mount that is there is to be changed.
    pub remount: bool,
    /// `tmpcopyup`.
    pub copy_up: bool,
    /// `idmap` or `ridmap`; the bool says which.
    pub idmap: Option<bool>,
    /// Flags of the mount.
    pub attrs: Attrs,
    /// Parameters that every filesystem takes.
    pub superblock: Vec<&'static str>,
    /// Propagation changes in order.
    pub propagation: Vec<PropagationChange>,
    /// Parameters for this filesystem: what the table does not know.
    pub data: Vec<Param>,
}

impl Options {
    /// Understands the words at the JSON path `at`.
    pub fn parse(at: impl fmt::Display, words: &[String]) -> Result<Self, Error> {
        let mut options = Self::default();
        for (index, word) in words.iter().enumerate() {
            match TABLE.binary_search_by(|(name, _)| (*name).cmp(word)) {
                Ok(found) => options.apply(TABLE[found].1),
                Err(_) => options.add_data(format_args!("{at}[{index}]"), word)?,
            }
        }
        Ok(options)
    }

    fn apply(&mut self, effect: Effect) {
        let attrs = &mut self.attrs;
        match effect {
            Nothing => {}
            Bind => self.bind = Some(self.bind.unwrap_or(false)),
            RecursiveBind => self.bind = Some(true),
            Remount => self.remount = true,
            CopyUp => self.copy_up = true,
            Idmap => self.idmap = Some(self.idmap.unwrap_or(false)),
            RecursiveIdmap => self.idmap = Some(true),
            Set(bit) => change(&mut attrs.set, &mut attrs.clear, bit, bit),
            Clear(bit) => change(&mut attrs.set, &mut attrs.clear, bit, 0),
            Atime(value) => choose_atime(&mut attrs.set, &mut attrs.clear, value),
            TreeSet(bit) => change(&mut attrs.tree_set, &mut attrs.tree_clear, bit, bit),
            TreeClear(bit) => change(&mut attrs.tree_set, &mut attrs.tree_clear, bit, 0),
            TreeAtime(value) => choose_atime(&mut attrs.tree_set, &mut attrs.tree_clear, value),
            Superblock(name) => self.superblock.push(name),
            Propagation(kind, recursive) => self.propagation.push(PropagationChange { kind, recursive }),
        }
    }

    fn add_data(&mut self, at: fmt::Arguments, word: &str) -> Result<(), Error> {
        for part in word.split(',').filter(|part| !part.is_empty()) {
            self.data.push(match part.split_once('=') {
                Some((key, value)) => Param::Pair(Text::new(at, key)?, Text::new(at, value)?),
                None => Param::Flag(Text::new(at, part)?),
            });
        }
        Ok(())
    }
}

/// The later word wins: one bit is in `set` or in `clear`, never in both.
fn change(set: &mut u64, clear: &mut u64, bit: u64, value: u64) {
    *set = (*set & !bit) | value;
    *clear = (*clear & !bit) | (bit & !value);
}

/// mount_setattr(2) wants the whole field cleared whenever a part of it changes.
fn choose_atime(set: &mut u64, clear: &mut u64, value: u64) {
    *set = (*set & !ATIME_FIELD) | value;
    *clear |= ATIME_FIELD;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_sorted() {
        assert!(TABLE.is_sorted_by_key(|(name, _)| *name));
    }

    #[test]
    fn later_option_wins() {
        let words = ["ro", "nosuid", "rw", "noatime", "strictatime"].map(String::from);
        let attrs = Options::parse("options", &words).unwrap().attrs;
        assert_eq!(attrs.set, NOSUID | STRICTATIME);
        assert_eq!(attrs.clear, RDONLY | ATIME_FIELD);
    }

    #[test]
    fn unknown_options_are_data() {
        let words = ["size=64k,mode=700".to_owned(), "newinstance".to_owned()];
        let data = Options::parse("options", &words).unwrap().data;
        assert_eq!(data.len(), 3);
        assert_eq!(data[2], Param::Flag(Text::from(c"newinstance")));
    }
}
