//! Finding and making places inside the root filesystem.
//!
//! openat2(RESOLVE_IN_ROOT) takes the root for `/` during the whole walk, so `..` and links stay inside, whatever
//! someone with access to the image or a shared volume does meanwhile (CVE-2021-30465, CVE-2024-45310).

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sys::stat::{Mode, SFlag, mkdirat, mknodat};
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};

use crate::plan::Target;
use crate::sys::fd::{openat2, resolve};
use crate::sys::{Errno, closing};

/// Mode of directories that are made on the way (config.md leaves it open; peers use the same).
const DIR_MODE: Mode = Mode::from_bits_truncate(0o755);

/// Longest chain of dangling links that is followed while making a path, as in the kernel.
const MAX_LINKS: usize = 40;

/// What to make when nothing is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// A directory, with its parents.
    Dir,
    /// An empty file, and its parents.
    File,
}

/// Opens what is there, for use by descriptor only.
pub fn open(root: BorrowedFd, target: &Target) -> Result<OwnedFd, Errno> {
    walk(root, &target.path, target.links)
}

/// Opens what is there to be covered by a mount. A link in the image must not carry that into a procfs, where it would
/// stand in for the kernel's own files (CVE-2025-52881).
pub fn open_to_cover(root: BorrowedFd, target: &Target) -> Result<OwnedFd, Errno> {
    match walk(root, &target.path, false) {
        Err(Errno::ELOOP) if target.links => {}
        done => return done,
    }
    let place = open(root, target)?;
    if !target.on_proc && fstatfs(&place)?.filesystem_type() == PROC_SUPER_MAGIC {
        return Err(Errno::EPERM);
    }
    Ok(place)
}

/// Makes a target that is not there, and opens it.
pub fn make_missing(root: BorrowedFd, target: &Target, missing: Missing) -> Result<OwnedFd, Errno> {
    // Most often only the last component is missing.
    let (dir, name) = parent(root, target)?;
    let made = make_one(dir.as_fd(), name, missing).and_then(|()| walk(dir.as_fd(), name, false));
    closing::later(dir);
    match made {
        // A dangling link, or somebody was faster.
        Err(Errno::EEXIST) => {
            make(root, &target.path, missing)?;
            open_to_cover(root, target)
        }
        made => made,
    }
}

/// Makes a directory or an empty file.
pub fn make_one(dir: BorrowedFd, name: &CStr, missing: Missing) -> Result<(), Errno> {
    match missing {
        Missing::Dir => mkdirat(dir, name, DIR_MODE),
        Missing::File => mknodat(dir, name, SFlag::S_IFREG, Mode::from_bits_truncate(0o644), 0),
    }
}

/// The directory and the name in it, the first empty for what lies in the root; `None` for the root itself.
pub fn split(target: &Target) -> Option<(&[u8], &CStr)> {
    let path = target.path.to_bytes_with_nul();
    let cut = path.iter().rposition(|&byte| byte == b'/');
    let name = CStr::from_bytes_with_nul(&path[cut.map_or(0, |cut| cut + 1)..]).ok()?;
    if name.is_empty() { None } else { Some((&path[..cut.unwrap_or(0)], name)) }
}

/// Opens the directory that holds the target's last component, making it if need be, and returns that component.
pub fn parent<'t>(root: BorrowedFd, target: &'t Target) -> Result<(OwnedFd, &'t CStr), Errno> {
    let (dir, name) = split(target).ok_or(Errno::EISDIR)?;
    let dir = Path::new(dir)?;
    match walk(root, dir.as_c_str()?, target.links) {
        Err(Errno::ENOENT) => {
            make(root, dir.as_c_str()?, Missing::Dir)?;
            Ok((walk(root, dir.as_c_str()?, target.links)?, name))
        }
        other => Ok((other?, name)),
    }
}

/// One walk that cannot leave the root.
fn walk(root: BorrowedFd, path: &CStr, links: bool) -> Result<OwnedFd, Errno> {
    let path = if path.is_empty() { c"." } else { path };
    let how = resolve::IN_ROOT | resolve::NO_MAGICLINKS | if links { 0 } else { resolve::NO_SYMLINKS };
    openat2(root, path, libc::O_PATH, 0, how)
}

/// Makes a path component by component. A dangling link on the way is made good inside the root.
fn make(root: BorrowedFd, path: &CStr, missing: Missing) -> Result<(), Errno> {
    let mut path = Path::new(path.to_bytes())?;
    for _ in 0..MAX_LINKS {
        match make_once(root, &mut path, missing)? {
            None => return Ok(()),
            Some(at) => path.splice_link(root, at)?,
        }
    }
    Err(Errno::ELOOP)
}

/// Makes what is missing; returns the length of the first prefix that is a dangling link.
fn make_once(root: BorrowedFd, path: &mut Path, missing: Missing) -> Result<Option<usize>, Errno> {
    let mut parent = walk(root, c".", true)?;
    let mut start = 0;
    while start < path.length {
        let end = path.component_end(start);
        let prefix = path.prefix(end)?;
        match walk(root, prefix.as_c_str()?, true) {
            Ok(next) => parent = next,
            Err(Errno::ENOENT) => {
                let name = path.slice(start, end)?;
                let last = end == path.length;
                let kind = if last { missing } else { Missing::Dir };
                match make_one(parent.as_fd(), name.as_c_str()?, kind) {
                    Ok(()) => {}
                    Err(Errno::EEXIST) if is_link(parent.as_fd(), name.as_c_str()?) => return Ok(Some(end)),
                    Err(Errno::EEXIST) => {}
                    Err(errno) => return Err(errno),
                }
                parent = walk(root, prefix.as_c_str()?, true)?;
            }
            Err(errno) => return Err(errno),
        }
        start = end + 1;
    }
    Ok(None)
}

fn is_link(dir: BorrowedFd, name: &CStr) -> bool {
    let stat = nix::sys::stat::fstatat(dir, name, nix::fcntl::AtFlags::AT_SYMLINK_NOFOLLOW);
    stat.is_ok_and(|stat| stat.st_mode & libc::S_IFMT == libc::S_IFLNK)
}

/// A path in a fixed buffer, as init does not allocate.
struct Path {
    bytes: [u8; PATH_MAX],
    length: usize,
}

/// PATH_MAX of limits.h.
const PATH_MAX: usize = 4096;

impl Path {
    fn new(path: &[u8]) -> Result<Self, Errno> {
        let mut bytes = [0; PATH_MAX];
        // One byte stays zero and ends the C string.
        bytes[..PATH_MAX - 1].get_mut(..path.len()).ok_or(Errno::ENAMETOOLONG)?.copy_from_slice(path);
        Ok(Self { bytes, length: path.len() })
    }

    fn as_c_str(&self) -> Result<&CStr, Errno> {
        CStr::from_bytes_until_nul(&self.bytes).map_err(|_| Errno::ENAMETOOLONG)
    }

    fn component_end(&self, start: usize) -> usize {
        let rest = &self.bytes[start..self.length];
        rest.iter().position(|&byte| byte == b'/').map_or(self.length, |found| start + found)
    }

    fn prefix(&self, end: usize) -> Result<Self, Errno> {
        Self::new(&self.bytes[..end])
    }

    fn slice(&self, start: usize, end: usize) -> Result<Self, Errno> {
        Self::new(&self.bytes[start..end])
    }

    /// Replaces the link that ends at `end` by its content.
    fn splice_link(&mut self, root: BorrowedFd, end: usize) -> Result<(), Errno> {
        let start = self.bytes[..end].iter().rposition(|&byte| byte == b'/').map_or(0, |cut| cut + 1);
        let parent = walk(root, self.prefix(start.saturating_sub(1))?.as_c_str()?, true)?;
        let mut content = [0; PATH_MAX];
        let length = read_link(parent.as_fd(), self.slice(start, end)?.as_c_str()?, &mut content)?;
        let content = &content[..length];
        let keep = if content.first() == Some(&b'/') { 0 } else { start };
        let mut joined = Self::new(&self.bytes[..keep])?;
        joined.append(content.strip_prefix(b"/").unwrap_or(content))?;
        joined.append(&self.bytes[end..self.length])?;
        *self = joined;
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Errno> {
        let end = self.length + bytes.len();
        self.bytes[..PATH_MAX - 1]
            .get_mut(self.length..end)
            .ok_or(Errno::ENAMETOOLONG)?
            .copy_from_slice(bytes);
        self.length = end;
        Ok(())
    }
}

fn read_link(dir: BorrowedFd, name: &CStr, content: &mut [u8; PATH_MAX]) -> Result<usize, Errno> {
    crate::sys::fd::readlinkat(dir, name, content)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::plan::Text;

    fn target(path: &str) -> Target {
        Target { path: Text::new("", path).unwrap(), links: true, on_proc: false }
    }

    fn made(
        links: &[(&str, &str)],
        path: &str,
        missing: Missing,
    ) -> (tempfile::TempDir, Result<OwnedFd, Errno>) {
        let dir = tempfile::tempdir().unwrap();
        for (name, to) in links {
            symlink(to, dir.path().join(name)).unwrap();
        }
        let root = std::fs::File::open(dir.path()).unwrap();
        let fd = make_missing(root.as_fd(), &target(path), missing);
        (dir, fd)
    }

    #[test]
    fn makes_directories_and_files() {
        let (dir, fd) = made(&[], "a/b/c", Missing::File);
        fd.unwrap();
        assert!(dir.path().join("a/b/c").is_file());
        let (dir, fd) = made(&[], "x/y", Missing::Dir);
        fd.unwrap();
        assert!(dir.path().join("x/y").is_dir());
    }

    #[test]
    fn dangling_links_are_made_good_inside() {
        let (dir, fd) = made(&[("run", "/gone/deep"), ("rel", "../../../up")], "run/x", Missing::Dir);
        fd.unwrap();
        assert!(dir.path().join("gone/deep/x").is_dir());
        let root = std::fs::File::open(dir.path()).unwrap();
        make_missing(root.as_fd(), &target("rel/y"), Missing::Dir).unwrap();
        assert!(dir.path().join("up/y").is_dir());
    }

    #[test]
    fn a_loop_ends() {
        let (_dir, fd) = made(&[("a", "b"), ("b", "a")], "a/x", Missing::Dir);
        assert_eq!(fd.unwrap_err(), Errno::ELOOP);
    }

    #[test]
    fn renames_elsewhere_do_not_disturb() {
        let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::create_dir_all(dir.path().join("a/b")).unwrap();
        std::fs::create_dir(elsewhere.path().join("0")).unwrap();
        let root = std::fs::File::open(dir.path()).unwrap();
        let place = target("a/b/../../a/b/../../a");
        let renames = AtomicUsize::new(0);
        let walked: Result<(), Errno> = std::thread::scope(|scope| {
            scope.spawn(|| {
                for n in 0..20_000 {
                    let name = |n: usize| elsewhere.path().join(n.to_string());
                    std::fs::rename(name(n), name(n + 1)).unwrap();
                    renames.store(n + 1, Ordering::Relaxed);
                }
            });
            while renames.load(Ordering::Relaxed) < 20_000 {
                open(root.as_fd(), &place)?;
            }
            Ok(())
        });
        walked.unwrap();
    }

    #[test]
    fn parent_gives_the_last_component() {
        let dir = tempfile::tempdir().unwrap();
        let root = std::fs::File::open(dir.path()).unwrap();
        let place = target("dev/net/tun");
        let (_fd, name) = parent(root.as_fd(), &place).unwrap();
        assert_eq!(name, c"tun");
        assert!(dir.path().join("dev/net").is_dir());
    }
}
