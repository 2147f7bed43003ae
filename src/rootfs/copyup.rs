//! `tmpcopyup`: what lies under a tmpfs is copied into it before it covers that place.
//!
//! Whoever made the image wrote what is copied, and may even be changing it: so nothing is reached but by a directory
//! descriptor and one name, links are copied and never followed, and other mounts are left out. Init does this, so
//! there is no heap: names are read into one buffer per level, and the levels are bounded.

use std::ffi::CStr;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::fcntl::AtFlags;
use nix::sys::stat::{
    FileStat, Mode, SFlag, UtimensatFlags, fchmod, fchmodat, fstat, fstatat, futimens, mkdirat, mknodat,
    utimensat,
};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, Uid, fchown, fchownat, symlinkat};

use crate::sys::fd::{openat2, read_entries, readlinkat, resolve};
use crate::sys::{Errno, errno_of, xattr};

/// Levels of directories that are copied; each takes two descriptors and some stack while it lasts.
const MAX_DEPTH: usize = 64;

/// Room for several entries; the longest takes 280 bytes.
const ENTRIES: usize = 2048;

/// PATH_MAX of limits.h.
const PATH_MAX: usize = 4096;

/// No way out of the directory: one name, no link, no other mount.
const HERE: u64 = resolve::BENEATH | resolve::NO_SYMLINKS | resolve::NO_XDEV;

/// What the options of the tmpfs say about its root, which is then not taken from the place below.
#[derive(Clone, Copy, Default)]
pub struct Given {
    /// `mode=`.
    pub mode: bool,
    /// `uid=` or `gid=`.
    pub owner: bool,
}

/// Copies everything below `from` to `to`, and what `from` itself is like.
pub fn copy(from: BorrowedFd, to: BorrowedFd, given: Given) -> Result<(), Errno> {
    let (from, to) = (open_dir(from, c".")?, open_dir(to, c".")?);
    copy_entries(from.as_fd(), to.as_fd(), MAX_DEPTH)?;
    let stat = fstat(&from)?;
    dress(from.as_fd(), to.as_fd(), &stat, given)
}

fn open_dir(dir: BorrowedFd, name: &CStr) -> Result<OwnedFd, Errno> {
    openat2(dir, name, libc::O_RDONLY | libc::O_DIRECTORY | libc::O_NOFOLLOW, 0, HERE)
}

fn copy_entries(from: BorrowedFd, to: BorrowedFd, depth: usize) -> Result<(), Errno> {
    let mut buffer = [0; ENTRIES];
    loop {
        let mut entries = read_entries(from, &mut buffer)?;
        if entries.is_empty() {
            return Ok(());
        }
        while let Some((name, rest)) = next_name(entries) {
            if name != c"." && name != c".." {
                copy_entry(from, to, name, depth)?;
            }
            entries = rest;
        }
    }
}

/// Takes one `linux_dirent64` off: inode and offset of 8 bytes each, length of the entry, type, name.
fn next_name(entries: &[u8]) -> Option<(&CStr, &[u8])> {
    let length = usize::from(u16::from_ne_bytes([*entries.get(16)?, *entries.get(17)?]));
    let (entry, rest) = entries.split_at_checked(length)?;
    Some((CStr::from_bytes_until_nul(entry.get(19..)?).ok()?, rest))
}

fn copy_entry(from: BorrowedFd, to: BorrowedFd, name: &CStr, depth: usize) -> Result<(), Errno> {
    let stat = match fstatat(from, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
        // It was removed meanwhile.
        Err(Errno::ENOENT) => return Ok(()),
        stat => stat?,
    };
    match stat.st_mode & libc::S_IFMT {
        libc::S_IFDIR => copy_dir(from, to, name, &stat, depth),
        libc::S_IFREG => copy_file(from, to, name),
        libc::S_IFLNK => copy_link(from, to, name, &stat),
        _ => copy_node(to, name, &stat),
    }
}

/// A directory, and what is in it unless it is another mount.
fn copy_dir(
    from: BorrowedFd,
    to: BorrowedFd,
    name: &CStr,
    stat: &FileStat,
    depth: usize,
) -> Result<(), Errno> {
    let depth = depth.checked_sub(1).ok_or(Errno::ELOOP)?;
    mkdirat(to, name, Mode::S_IRWXU)?;
    let new = open_dir(to, name)?;
    let from = match open_dir(from, name) {
        Err(Errno::EXDEV) => {
            own_entry(to, name, stat)?;
            return fchmod(&new, mode_of(stat));
        }
        opened => opened?,
    };
    copy_entries(from.as_fd(), new.as_fd(), depth)?;
    dress(from.as_fd(), new.as_fd(), &fstat(&from)?, Given::default())
}

/// A file; none that another mount covers. O_NONBLOCK: a FIFO that took its place must not hold us up.
fn copy_file(from: BorrowedFd, to: BorrowedFd, name: &CStr) -> Result<(), Errno> {
    let flags = libc::O_RDONLY | libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let from = match openat2(from, name, flags, 0, HERE) {
        Err(Errno::EXDEV) => return Ok(()),
        opened => File::from(opened?),
    };
    let stat = fstat(&from)?;
    if stat.st_mode & libc::S_IFMT != libc::S_IFREG {
        return Err(Errno::ESTALE);
    }
    let new = File::from(openat2(to, name, libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL, 0o600, HERE)?);
    std::io::copy(&mut &from, &mut &new).map_err(|err| errno_of(&err))?;
    dress(from.as_fd(), new.as_fd(), &stat, Given::default())
}

fn copy_link(from: BorrowedFd, to: BorrowedFd, name: &CStr, stat: &FileStat) -> Result<(), Errno> {
    let mut content = [0; PATH_MAX];
    // One byte stays zero and ends the C string.
    let length = readlinkat(from, name, &mut content)?;
    if length == PATH_MAX {
        return Err(Errno::ENAMETOOLONG);
    }
    let content = CStr::from_bytes_until_nul(&content).map_err(|_| Errno::ENAMETOOLONG)?;
    symlinkat(content, to, name)?;
    own_entry(to, name, stat)?;
    set_entry_times(to, name, stat)
}

/// A FIFO, socket or device. Where devices cannot be made (user namespaces) they are left out.
fn copy_node(to: BorrowedFd, name: &CStr, stat: &FileStat) -> Result<(), Errno> {
    let kind = SFlag::from_bits_truncate(stat.st_mode & libc::S_IFMT);
    match mknodat(to, name, kind, Mode::S_IRUSR, stat.st_rdev) {
        Err(Errno::EPERM) => return Ok(()),
        made => made?,
    }
    own_entry(to, name, stat)?;
    // Nobody else can reach the new filesystem yet, so the name still is what we made.
    fchmodat(to, name, mode_of(stat), nix::sys::stat::FchmodatFlags::FollowSymlink)?;
    set_entry_times(to, name, stat)
}

fn own_entry(dir: BorrowedFd, name: &CStr, stat: &FileStat) -> Result<(), Errno> {
    let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
    unless_foreign(fchownat(dir, name, Some(uid), Some(gid), AtFlags::AT_SYMLINK_NOFOLLOW))
}

fn set_entry_times(dir: BorrowedFd, name: &CStr, stat: &FileStat) -> Result<(), Errno> {
    let (accessed, modified) = times_of(stat);
    utimensat(dir, name, &accessed, &modified, UtimensatFlags::NoFollowSymlink)
}

/// Owner, then mode, as a new owner takes set-id bits away; then attributes, and the times that all of it touched.
fn dress(from: BorrowedFd, to: BorrowedFd, stat: &FileStat, given: Given) -> Result<(), Errno> {
    if !given.owner {
        unless_foreign(fchown(to, Some(Uid::from_raw(stat.st_uid)), Some(Gid::from_raw(stat.st_gid))))?;
    }
    if !given.mode {
        fchmod(to, mode_of(stat))?;
    }
    copy_xattrs(from, to)?;
    let (accessed, modified) = times_of(stat);
    futimens(to, &accessed, &modified)
}

/// An owner who has no id in our user namespace stays behind: the copy is ours.
fn unless_foreign(done: Result<(), Errno>) -> Result<(), Errno> {
    match done {
        Err(Errno::EINVAL | Errno::EPERM) => Ok(()),
        done => done,
    }
}

fn mode_of(stat: &FileStat) -> Mode {
    Mode::from_bits_truncate(stat.st_mode)
}

fn times_of(stat: &FileStat) -> (TimeSpec, TimeSpec) {
    (TimeSpec::new(stat.st_atime, stat.st_atime_nsec), TimeSpec::new(stat.st_mtime, stat.st_mtime_nsec))
}

/// Extended attributes, as far as a tmpfs can keep them and we may set them.
fn copy_xattrs(from: BorrowedFd, to: BorrowedFd) -> Result<(), Errno> {
    let mut names = [0; xattr::MAX];
    let mut names = match xattr::list(from, &mut names) {
        Err(Errno::ENOTSUP) => return Ok(()),
        names => names?,
    };
    while let Ok(name) = CStr::from_bytes_until_nul(names) {
        let mut value = [0; xattr::MAX];
        let value = xattr::get(from, name, &mut value)?;
        match xattr::set(to, name, value) {
            Ok(()) | Err(Errno::ENOTSUP | Errno::EPERM) => {}
            Err(errno) => return Err(errno),
        }
        names = &names[name.count_bytes() + 1..];
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "files of temporary directories")]

    use std::fs;
    use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
    use std::path::Path;

    use super::*;

    fn copy_of(fill: impl FnOnce(&Path), given: Given) -> (tempfile::TempDir, Result<(), Errno>) {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        fs::create_dir(&from).unwrap();
        fs::create_dir(&to).unwrap();
        fill(&from);
        let open = |path| File::open(path).unwrap();
        let result = copy(open(&from).as_fd(), open(&to).as_fd(), given);
        (dir, result)
    }

    #[test]
    fn everything_is_copied() {
        let fill = |from: &Path| {
            fs::create_dir_all(from.join("a/b")).unwrap();
            for number in 0..300 {
                fs::write(from.join(format!("a/b/a rather long name of a file {number}")), "x").unwrap();
            }
            fs::write(from.join("big"), vec![7; 3_000_000]).unwrap();
            fs::set_permissions(from.join("big"), fs::Permissions::from_mode(0o4751)).unwrap();
            symlink("/etc/passwd", from.join("link")).unwrap();
            nix::unistd::mkfifo(&from.join("fifo"), Mode::S_IRWXU).unwrap();
            let old = TimeSpec::new(1_000_000, 5);
            for name in ["a", "link", "fifo"] {
                utimensat(
                    nix::fcntl::AT_FDCWD,
                    &from.join(name),
                    &old,
                    &old,
                    UtimensatFlags::NoFollowSymlink,
                )
                .unwrap();
            }
            fs::set_permissions(from, fs::Permissions::from_mode(0o1711)).unwrap();
        };
        let (dir, result) = copy_of(fill, Given::default());
        result.unwrap();
        let to = dir.path().join("to");
        assert_eq!(fs::read_dir(to.join("a/b")).unwrap().count(), 300);
        assert_eq!(fs::read(to.join("big")).unwrap(), vec![7; 3_000_000]);
        assert_eq!(fs::metadata(to.join("big")).unwrap().mode() & 0o7777, 0o4751);
        assert_eq!(fs::read_link(to.join("link")).unwrap(), Path::new("/etc/passwd"));
        assert!(fs::metadata(to.join("fifo")).unwrap().file_type().is_fifo());
        for name in ["a", "link", "fifo"] {
            let found = fs::symlink_metadata(to.join(name)).unwrap();
            assert_eq!((found.mtime(), found.mtime_nsec()), (1_000_000, 5), "{name}");
        }
        assert_eq!(fs::metadata(&to).unwrap().mode() & 0o7777, 0o1711);
    }

    #[test]
    fn a_given_mode_stays() {
        let fill = |from: &Path| fs::set_permissions(from, fs::Permissions::from_mode(0o711)).unwrap();
        let (dir, result) = copy_of(fill, Given { mode: true, owner: true });
        result.unwrap();
        assert_ne!(fs::metadata(dir.path().join("to")).unwrap().mode() & 0o777, 0o711);
    }

    #[test]
    fn attributes_are_copied() {
        let fill = |from: &Path| {
            fs::write(from.join("file"), "").unwrap();
            xattr::set(File::open(from.join("file")).unwrap().as_fd(), c"user.colour", b"red").unwrap();
        };
        let (dir, result) = copy_of(fill, Given::default());
        result.unwrap();
        let mut value = [0; xattr::MAX];
        let file = File::open(dir.path().join("to/file")).unwrap();
        assert_eq!(xattr::get(file.as_fd(), c"user.colour", &mut value).unwrap(), b"red");
    }

    #[test]
    fn depth_is_bounded() {
        let deep = |levels| move |from: &Path| fs::create_dir_all(from.join("d/".repeat(levels))).unwrap();
        assert_eq!(copy_of(deep(MAX_DEPTH), Given::default()).1, Ok(()));
        assert_eq!(copy_of(deep(MAX_DEPTH + 1), Given::default()).1, Err(Errno::ELOOP));
    }
}
