//! Filesystems that init has just made: their roots are known, and need no walk.
//!
//! Nobody else can reach such a filesystem yet, so what is in it was made by earlier steps. A place right below its
//! root is made and used by its name, where elsewhere a walk must prove that no link leads away.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::place;
use crate::plan::Target;
use crate::sys::closing;

/// How many are remembered: /dev and /sys/fs/cgroup, and two more.
const MOST: usize = 4;

/// The longest path that is remembered; init has no heap.
const LONGEST: usize = 64;

#[derive(Default)]
pub(super) struct Fresh {
    roots: [Option<FreshRoot>; MOST],
    /// The one that gives way to the next.
    oldest: usize,
}

struct FreshRoot {
    path: [u8; LONGEST],
    length: usize,
    dir: OwnedFd,
}

impl FreshRoot {
    fn path(&self) -> &[u8] {
        &self.path[..self.length]
    }
}

impl Fresh {
    /// `dir` is the root of a new filesystem at `target`, of which nothing is known any more.
    pub fn remember(&mut self, target: &Target, dir: OwnedFd) {
        let bytes = target.path.to_bytes();
        let mut path = [0; LONGEST];
        let Some(room) = path.get_mut(..bytes.len()) else { return closing::later(dir) };
        room.copy_from_slice(bytes);
        let gone = self.roots[self.oldest].replace(FreshRoot { path, length: bytes.len(), dir });
        gone.into_iter().for_each(|root| closing::later(root.dir));
        self.oldest = (self.oldest + 1) % MOST;
    }

    /// Something else covers `target` and what is below.
    pub fn forget(&mut self, target: &Target) {
        let covered = |root: &mut FreshRoot| {
            let rest = root.path().strip_prefix(target.path.to_bytes());
            rest.is_some_and(|rest| target.path.is_empty() || matches!(rest.first(), None | Some(b'/')))
        };
        for root in &mut self.roots {
            root.take_if(covered).into_iter().for_each(|root| closing::later(root.dir));
        }
    }

    /// The root of the filesystem at `target`.
    pub fn at(&self, target: &Target) -> Option<BorrowedFd<'_>> {
        self.root(target.path.to_bytes())
    }

    /// The root that `target` lies right below, and its name there.
    pub fn parent<'t>(&self, target: &'t Target) -> Option<(BorrowedFd<'_>, &'t CStr)> {
        let (dir, name) = place::split(target)?;
        Some((self.root(dir)?, name))
    }

    fn root(&self, path: &[u8]) -> Option<BorrowedFd<'_>> {
        self.roots.iter().flatten().find(|root| root.path() == path).map(|root| root.dir.as_fd())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Text;

    fn target(path: &str) -> Target {
        Target { path: Text::new("", path).unwrap(), links: true, on_proc: false }
    }

    fn dir() -> OwnedFd {
        std::fs::File::open("/").unwrap().into()
    }

    #[test]
    fn what_is_covered_is_forgotten() {
        let mut fresh = Fresh::default();
        for path in ["dev", "dev/shm", "device"] {
            fresh.remember(&target(path), dir());
        }
        let pts = target("dev/pts");
        assert_eq!(fresh.parent(&pts).unwrap().1, c"pts");
        assert!(fresh.parent(&target("dev/a/b")).is_none() && fresh.parent(&target("dev")).is_none());
        fresh.forget(&target("dev"));
        assert!(fresh.at(&target("dev")).is_none() && fresh.at(&target("dev/shm")).is_none());
        assert!(fresh.at(&target("device")).is_some());
        fresh.forget(&target(""));
        assert!(fresh.at(&target("device")).is_none());
    }

    #[test]
    fn the_oldest_gives_way() {
        let mut fresh = Fresh::default();
        let long = "x".repeat(LONGEST + 1);
        for path in ["a", "b", "c", "d", "e", &long] {
            fresh.remember(&target(path), dir());
        }
        let known = ["a", "b", "c", "d", "e", &long].map(|path| fresh.at(&target(path)).is_some());
        assert_eq!(known, [false, true, true, true, true, false]);
    }
}
