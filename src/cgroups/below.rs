//! The cgroups below one, as deep as they go.
//!
//! A container may make cgroups in its own, under names and to a depth of its choice: one inside the other until no path
//! reaches the last. So they are walked by descriptor, from one to the next, and without recursion.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use nix::dir::{Dir as Entries, Type};
use nix::fcntl::OFlag;
use nix::sys::stat::{Mode, fstat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::file;
use crate::sys::{Errno, closing, fd};

/// What is done with every cgroup below another.
trait Visitor {
    /// With the cgroup, when those below it are done.
    fn visit(&mut self, _cgroup: BorrowedFd) -> Result<(), Errno> {
        Ok(())
    }

    /// Afterwards, with the one above it and its name there.
    fn leave(&mut self, _above: BorrowedFd, _name: &CStr) {}
}

/// Calls `visit` with every cgroup below `dir`, those further below first. What vanishes meanwhile is left out.
pub(super) fn each(dir: &Path, visit: impl FnMut(BorrowedFd) -> Result<(), Errno>) -> Result<(), Errno> {
    struct Each<F>(F);
    impl<F: FnMut(BorrowedFd) -> Result<(), Errno>> Visitor for Each<F> {
        fn visit(&mut self, cgroup: BorrowedFd) -> Result<(), Errno> {
            (self.0)(cgroup)
        }
    }
    walk(dir, &mut Each(visit))
}

/// Removes the cgroups below `dir`, but for those that are in use and what is above them.
pub(super) fn remove(dir: &Path) -> Result<(), Errno> {
    struct Remove;
    impl Visitor for Remove {
        fn leave(&mut self, above: BorrowedFd, name: &CStr) {
            // Whoever wants all of them gone asks again.
            unlinkat(above, name, UnlinkatFlags::RemoveDir).ok();
        }
    }
    walk(dir, &mut Remove)
}

/// Whether there is any below `dir`.
pub(super) fn is_any(dir: &Path) -> Result<bool, Errno> {
    match file::open_dir(dir) {
        Err(Errno::ENOENT) => Ok(false),
        opened => Ok(!names(opened?.as_fd())?.is_empty()),
    }
}

/// Where the walk is between `dir` and the cgroup that it has come to.
struct Level {
    name: CString,
    /// What is below it and was not visited yet.
    left: Vec<CString>,
}

fn walk(dir: &Path, visitor: &mut impl Visitor) -> Result<(), Errno> {
    let mut here = match file::open_dir(dir) {
        Err(Errno::ENOENT) => return Ok(()),
        opened => opened?,
    };
    let mut levels = vec![Level { name: CString::default(), left: names(here.as_fd())? }];
    while let Some(level) = levels.last_mut() {
        if let Some(name) = level.left.pop() {
            let below = match fd::openat2(here.as_fd(), &name, DIR | libc::O_NOFOLLOW, 0, 0) {
                Err(Errno::ENOENT | Errno::ENODEV) => continue,
                opened => opened?,
            };
            levels.push(Level { name, left: names(below.as_fd())? });
            here = below;
            continue;
        }
        let Some(done) = levels.pop().filter(|_| !levels.is_empty()) else { break };
        visitor.visit(here.as_fd())?;
        let above = fd::openat2(here.as_fd(), c"..", DIR, 0, 0)?;
        here = above;
        visitor.leave(here.as_fd(), &done.name);
    }
    closing::later(here);
    Ok(())
}

const DIR: i32 = libc::O_RDONLY | libc::O_DIRECTORY;

/// The cgroups right below one; none if it has gone.
fn names(dir: BorrowedFd) -> Result<Vec<CString>, Errno> {
    // A directory has a link from above, its own `.`, and a `..` from each directory below: most often that is all.
    if fstat(dir).is_ok_and(|stat| stat.st_nlink == 2) {
        return Ok(Vec::new());
    }
    let mut entries = match Entries::openat(dir, c".", OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty()) {
        Err(Errno::ENOENT | Errno::ENODEV) => return Ok(Vec::new()),
        opened => opened?,
    };
    let mut names = Vec::new();
    for entry in entries.iter() {
        let entry = entry?;
        if entry.file_type() == Some(Type::Directory) && ![c".", c".."].contains(&entry.file_name()) {
            names.push(entry.file_name().to_owned());
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "files of temporary directories")]

    use super::*;

    /// Directories as a container may make cgroups: `wide` beside one another in each of `deep` levels, of names so long
    /// that no path reaches the last.
    fn made(deep: usize, wide: usize) -> tempfile::TempDir {
        let top = tempfile::tempdir().unwrap();
        let mut here = file::open_dir(top.path()).unwrap();
        for _ in 0..deep {
            let names: Vec<_> =
                (0..wide).map(|n| CString::new(format!("{n}{}", "x".repeat(200))).unwrap()).collect();
            for name in &names {
                nix::sys::stat::mkdirat(&here, name.as_c_str(), Mode::S_IRWXU).unwrap();
            }
            here = fd::openat2(here.as_fd(), &names[0], DIR, 0, 0).unwrap();
        }
        top
    }

    #[test]
    fn all_are_visited_and_removed() {
        for (deep, wide) in [(0, 0), (1, 3), (500, 2)] {
            let top = made(deep, wide);
            let mut count = 0;
            each(top.path(), |_| {
                count += 1;
                Ok(())
            })
            .unwrap();
            assert_eq!(count, deep * wide);
            remove(top.path()).unwrap();
            std::fs::remove_dir(top.path()).unwrap();
        }
    }

    #[test]
    fn what_is_in_use_stays_with_what_is_above() {
        let top = made(2, 1);
        let used = std::fs::read_dir(top.path()).unwrap().next().unwrap().unwrap().path();
        std::fs::write(used.join("file"), "").unwrap();
        remove(top.path()).unwrap();
        assert_eq!(std::fs::read_dir(&used).unwrap().count(), 1);
    }
}
