//! The container's standard streams across a checkpoint: those that come from outside are named by `descriptors.json`
//! beside the images, and a restore puts its own in their place.
//!
//! The file is runc's, a JSON list of what the links in /proc/PID/fd say. An entry that begins with `file[` is ours: the
//! name by which CRIU knows an open file that is not the container's, and its path if it is the host's.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::Error;

const FILE: &str = "descriptors.json";

/// What the container's streams 0, 1 and 2 are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Streams(Vec<String>);

impl Streams {
    /// Looks at a running process.
    pub fn of(pid: i32) -> Result<Self, Error> {
        let path = PathBuf::from(format!("/proc/{pid}/fd"));
        let look = || -> io::Result<Vec<String>> {
            let mounts = std::fs::read_to_string(format!("/proc/{pid}/mountinfo"))?;
            (0..3).map(|fd| stream(pid, fd, &mounts)).collect()
        };
        look().map(Self).map_err(|source| Error::Streams { path, source })
    }

    /// Writes the file beside the images.
    pub fn save(&self, images: &Path) -> Result<(), Error> {
        let path = images.join(FILE);
        let write = || -> io::Result<()> {
            let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
            serde_json::to_writer(file, &self.0).map_err(io::Error::from)
        };
        write().map_err(|source| Error::Streams { path: path.clone(), source })
    }

    /// Reads it.
    pub fn load(images: &Path) -> Result<Self, Error> {
        let path = images.join(FILE);
        let read = || serde_json::from_reader(File::open(&path)?).map_err(io::Error::from);
        read().map(Self).map_err(|source| Error::Streams { path: path.clone(), source })
    }

    /// The files of the host, as CRIU names them.
    #[must_use]
    pub fn external(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.0.iter().filter_map(|stream| Some(host_file(stream)?.0.to_owned())).collect();
        names.dedup();
        names
    }

    /// Which descriptors stand for them on a restore: pipes and files are replaced by our own streams, where
    /// CRIU lets them.
    pub fn inherit(&self) -> Result<Inherited, Error> {
        let mut inherited = Inherited::default();
        for (fd, stream) in (0..).zip(&self.0) {
            let (name, original) = match host_file(stream) {
                Some((name, path)) => (name, original(name, path, fd)),
                None if stream.starts_with("pipe:") => (stream.as_str(), None),
                None => continue,
            };
            if inherited.names.iter().any(|(known, _)| known == name) {
                continue;
            }
            match original {
                Some(file) => inherited.add(name.to_owned(), file.into())?,
                None => inherited.names.push((name.to_owned(), fd)),
            }
        }
        Ok(inherited)
    }
}

/// Descriptors for CRIU to inherit.
#[derive(Debug, Default)]
pub struct Inherited {
    /// By name.
    pub names: Vec<(String, i32)>,
    /// Held open for as long as their numbers are told.
    held: Vec<OwnedFd>,
}

impl Inherited {
    /// Lets CRIU have one more.
    pub fn add(&mut self, name: String, fd: OwnedFd) -> Result<(), Error> {
        super::criu::keep_on_exec(&fd)?;
        self.names.push((name, fd.as_raw_fd()));
        self.held.push(fd);
        Ok(())
    }
}

/// The file itself, where our own stream cannot stand for it: /dev/null, since whoever had that wanted to be left alone;
/// and a file of another size, which CRIU would refuse. That must be the very file that was open then, not one that has
/// its path by now, nor one behind a link.
fn original(name: &str, path: &str, fd: i32) -> Option<File> {
    let size = |path: &str| std::fs::metadata(path).ok().filter(Metadata::is_file).map(|file| file.len());
    let other_size = size(path).is_some_and(|found| size(&format!("/proc/self/fd/{fd}")) != Some(found));
    let file = (path == "/dev/null" || other_size).then(|| {
        OpenOptions::new().read(true).write(true).custom_flags(libc::O_NOFOLLOW).open(path).ok()
    })??;
    let found = file.metadata().ok()?;
    (path == "/dev/null" || found.is_file() && name.ends_with(&format!(":{:x}]", found.ino())))
        .then_some(file)
}

/// Name of an open file that is not the container's, and its path on the host; empty if it has none.
fn host_file(stream: &str) -> Option<(&str, &str)> {
    let end = stream.starts_with("file[").then(|| stream.find("]:"))?? + 1;
    Some((&stream[..end], &stream[end + 1..]))
}

fn stream(pid: i32, fd: i32, mounts: &str) -> io::Result<String> {
    let link = format!("/proc/{pid}/fd/{fd}");
    let target = match std::fs::read_link(&link) {
        // A program may have closed it.
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
        target => target?.to_string_lossy().into_owned(),
    };
    if !target.starts_with('/') {
        return Ok(target);
    }
    let info = std::fs::read_to_string(format!("/proc/{pid}/fdinfo/{fd}"))?;
    let mount = info.lines().find_map(|line| line.strip_prefix("mnt_id:")).unwrap_or_default().trim();
    let own = mounts.lines().any(|line| line.split(' ').next() == Some(mount));
    match mount.parse::<u64>() {
        Ok(mount) if !own => {
            let open = std::fs::metadata(&link)?;
            let path = if is_at(&open, &target) { &*target } else { "" };
            Ok(format!("file[{mount:x}:{:x}]:{path}", open.ino()))
        }
        _ => Ok(target),
    }
}

/// Whether an open file is what its path leads to here. A container can have files on mounts that are not among those of
/// its first process, as where that has gone into a chroot: what they are called is up to the container.
fn is_at(open: &Metadata, path: &str) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|found| (found.dev(), found.ino()) == (open.dev(), open.ino()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "files of temporary directories")]

    use super::*;

    #[test]
    fn pipes_and_files_of_the_host_are_replaced() {
        let streams =
            Streams(vec!["file[1a:4]:/dev/null".into(), "pipe:[77]".into(), "file[1a:99]:/var/log/x".into()]);
        assert_eq!(streams.external(), ["file[1a:4]", "file[1a:99]"]);
        let inherited = streams.inherit().unwrap();
        let null = inherited.held[0].as_raw_fd();
        let expected = [("file[1a:4]".to_owned(), null), ("pipe:[77]".into(), 1), ("file[1a:99]".into(), 2)];
        assert_eq!(inherited.names, expected);
    }

    #[test]
    fn another_file_of_that_path_is_not_opened() {
        let dir = tempfile::tempdir().unwrap();
        let (path, link) = (dir.path().join("log"), dir.path().join("link"));
        std::fs::write(&path, "something").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let inode = std::fs::metadata(&path).unwrap().ino();
        for (inode, path, opened) in [(inode, &path, true), (inode + 1, &path, false), (inode, &link, false)]
        {
            let streams = Streams(vec![format!("file[1:{inode:x}]:{}", path.display())]);
            assert_eq!(streams.inherit().unwrap().held.len(), usize::from(opened), "{streams:?}");
        }
    }

    #[test]
    fn what_is_inside_comes_back_by_itself() {
        let streams = Streams(vec!["/dev/null".into(), "/dev/pts/0".into(), "socket:[5]".into()]);
        assert!(streams.external().is_empty());
        assert!(streams.inherit().unwrap().names.is_empty());
    }

    #[test]
    fn the_file_is_runcs() {
        let dir = tempfile::tempdir().unwrap();
        let streams = Streams(["/dev/null", "pipe:[1]", "pipe:[1]"].map(str::to_owned).to_vec());
        streams.save(dir.path()).unwrap();
        let text = std::fs::read_to_string(dir.path().join(FILE)).unwrap();
        assert_eq!(text, r#"["/dev/null","pipe:[1]","pipe:[1]"]"#);
        let names = Streams::load(dir.path()).unwrap().inherit().unwrap().names;
        assert_eq!(names, [("pipe:[1]".to_owned(), 1)]);
    }
}
