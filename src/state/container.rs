//! One container's folder: its files, its lock, and the status that they and the kernel tell.

use std::ffi::{CStr, OsStr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use nix::fcntl::AtFlags;
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, connect, listen, socket};
use nix::sys::stat::{FchmodatFlags, FileStat, Mode, fchmodat, fstat, mkdirat};
use nix::unistd::{AccessFlags, UnlinkatFlags, faccessat, unlinkat};

use super::{Error, Init, Record, State, Status};
use crate::cgroups::Cgroup;
use crate::spec::from_json;
use crate::sys::file::{BENEATH, Reader, flock, read_at, write_atomic, write_new};
use crate::sys::{self, Context, Errno};

/// A container that exists on disk.
#[derive(Debug)]
pub struct Container {
    /// Its id.
    pub id: String,
    /// What is remembered of it. A folder without state.json, as a killed `create` may leave it, has an empty one.
    pub record: Record,
    path: PathBuf,
    dir: OwnedFd,
    locked: bool,
    /// Whether `create` held the lock when the record was read, and had no process yet.
    creating: bool,
}

impl Container {
    pub(super) fn load(id: &str, path: PathBuf, dir: OwnedFd) -> Result<Self, Error> {
        let mut container = Self::unread(id, path, dir);
        container.read_record()?;
        if container.record.pid == 0 {
            container.creating = container.held_elsewhere()?;
            if !container.creating {
                // Its creator may have recorded the process and gone since we read.
                container.read_record()?;
            }
        }
        Ok(container)
    }

    fn unread(id: &str, path: PathBuf, dir: OwnedFd) -> Self {
        let record = Record::unwritten();
        Self { id: id.to_owned(), record, path, dir, locked: false, creating: false }
    }

    pub(super) fn lock(id: &str, path: PathBuf, dir: OwnedFd) -> Result<Self, Error> {
        let mut container = Self::unread(id, path, dir);
        if container.lock_again()? { Ok(container) } else { Err(Error::Absent) }
    }

    pub(super) fn read_record(&mut self) -> Result<(), Error> {
        match Reader::default().read(self.dir.as_fd(), &["state.json"], BENEATH) {
            Err(Errno::ENOENT) => {}
            // A journal that is just being written.
            Ok([]) => {}
            result => {
                let text = result.during("read", self.path.join("state.json").display())?;
                let corrupt = |source| Error::Corrupt { path: self.path.join("state.json"), source };
                self.record = from_json(text).map_err(corrupt)?;
            }
        }
        Ok(())
    }

    /// Locks it, once more perhaps; `false` if it was removed while we waited.
    pub fn lock_again(&mut self) -> Result<bool, Error> {
        flock(self.dir(), libc::LOCK_EX).during("flock", self.path.display())?;
        (self.locked, self.creating) = (true, false);
        let stat = self.stat()?;
        self.refuse_foreign_owner(&stat)?;
        Ok(stat.st_nlink > 0)
    }

    /// See [`Error::Foreign`]; a locked container is not foreign.
    pub(super) fn refuse_foreign(&self) -> Result<(), Error> {
        self.refuse_foreign_owner(&self.stat()?)
    }

    fn refuse_foreign_owner(&self, stat: &FileStat) -> Result<(), Error> {
        if [0, nix::unistd::geteuid().as_raw()].contains(&stat.st_uid) {
            return Ok(());
        }
        Err(Error::Foreign { path: self.path.clone(), owner: stat.st_uid })
    }

    fn stat(&self) -> Result<FileStat, sys::Error> {
        fstat(&self.dir).during("fstat", self.path.display())
    }

    /// Gives the container free for other verbs before this one ends.
    pub fn unlock(&mut self) {
        if std::mem::take(&mut self.locked) {
            // Said aloud, not left to close(2): a cloned child may still hold the same open directory. Unlocking
            // a valid descriptor cannot fail.
            let _ = flock(self.dir.as_fd(), libc::LOCK_UN);
        }
    }

    /// Its folder.
    #[must_use]
    pub fn dir(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }

    /// Writes the first record and a copy of config.json, where nothing is yet: what the bundle says later has no effect.
    pub fn begin(&self, config: &[u8]) -> Result<(), Error> {
        for (name, text) in [(c"state.json", &*self.record_text()?), (c"config.json", config)] {
            match write_new(self.dir(), name, text) {
                Err(Errno::EEXIST) => return Err(Error::Exists(self.id.clone())),
                written => written.during("write", self.file(name).display())?,
            }
        }
        Ok(())
    }

    /// Writes `record` to state.json, as a whole.
    pub fn save_record(&self) -> Result<(), Error> {
        self.write(c"state.json", &self.record_text()?)
    }

    fn record_text(&self) -> Result<Vec<u8>, Error> {
        let corrupt = |source| Error::Corrupt { path: self.file(c"state.json"), source };
        serde_json::to_vec(&self.record).map_err(corrupt)
    }

    /// Changes the kept copy of config.json.
    pub fn save_config(&self, text: &[u8]) -> Result<(), Error> {
        self.write(c"config.json", text)
    }

    /// The kept copy of config.json, with the path it is kept at.
    pub fn config(&self) -> Result<(PathBuf, Vec<u8>), Error> {
        let path = self.path.join("config.json");
        let text = read_at(self.dir(), c"config.json").during("read", path.display())?;
        Ok((path, text))
    }

    fn write(&self, name: &CStr, text: &[u8]) -> Result<(), Error> {
        Ok(write_atomic(self.dir(), name, text).during("write", self.file(name).display())?)
    }

    fn file(&self, name: &CStr) -> PathBuf {
        self.path.join(OsStr::from_bytes(name.to_bytes()))
    }

    /// A folder for something that lasts no longer than the container.
    pub fn make_folder(&self, name: &str) -> Result<PathBuf, Error> {
        let path = self.path.join(name);
        let made = std::fs::create_dir_all(&path).and_then(|()| path.canonicalize());
        made.map_err(|source| Error::Folder { call: "mkdir", path, source })
    }

    /// The first process, if it is alive.
    pub fn init(&self) -> Result<Option<Init>, Error> {
        match self.record.pid {
            0 => Ok(None),
            pid => Ok(Init::find(pid, self.record.start_time)?),
        }
    }

    /// Its cgroup.
    #[must_use]
    pub fn cgroup(&self) -> &Cgroup {
        &self.record.cgroup
    }

    /// Where the container is in its life.
    ///
    /// No process yet: `creating` while another verb, which can only be `create`, holds the lock, else that one was
    /// killed and the container is `stopped`. A dead process, a zombie too: `stopped`. A frozen cgroup: `paused`. A
    /// start socket: `created`. Else `running`.
    pub fn status(&self) -> Result<Status, Error> {
        match self.record.pid {
            0 => Ok(if self.creating { Status::Creating } else { Status::Stopped }),
            pid if super::start_time(pid)? != Some(self.record.start_time) => Ok(Status::Stopped),
            _ => self.status_alive(),
        }
    }

    /// Where the container is in its life while its first process is alive.
    pub fn status_alive(&self) -> Result<Status, Error> {
        if self.cgroup().is_frozen()? {
            return Ok(Status::Paused);
        }
        Ok(if self.has_start_socket()? { Status::Created } else { Status::Running })
    }

    fn has_start_socket(&self) -> Result<bool, sys::Error> {
        is_there(self.dir(), "start.sock").during("access", self.start_path().display())
    }

    fn held_elsewhere(&self) -> Result<bool, Error> {
        match flock(self.dir(), libc::LOCK_SH | libc::LOCK_NB) {
            Err(Errno::EWOULDBLOCK) => Ok(true),
            result => {
                result
                    .and_then(|()| flock(self.dir(), libc::LOCK_UN))
                    .during("flock", self.path.display())?;
                Ok(false)
            }
        }
    }

    /// The socket on which init waits for `start`; it makes the container `created`.
    pub fn listen_for_start(&self) -> Result<OwnedFd, Error> {
        let socket = self.seqpacket()?;
        bind(socket.as_raw_fd(), &self.start_address()?).during("bind", self.start_path().display())?;
        listen(&socket, Backlog::MAXCONN).during("listen", self.start_path().display())?;
        Ok(socket)
    }

    /// Reaches the init that waits for `start`.
    pub fn connect_to_init(&self) -> Result<OwnedFd, Error> {
        let socket = self.seqpacket()?;
        connect(socket.as_raw_fd(), &self.start_address()?).during("connect", self.start_path().display())?;
        Ok(socket)
    }

    /// Ends the time in which the container is `created`.
    pub fn remove_start_socket(&self) -> Result<(), Error> {
        match unlinkat(self.dir(), c"start.sock", UnlinkatFlags::NoRemoveDir) {
            Err(Errno::ENOENT) => Ok(()),
            result => Ok(result.during("unlink", self.start_path().display())?),
        }
    }

    /// Makes the directory that the container gets to see.
    pub fn make_notify_dir(&self) -> Result<(), Error> {
        let what = || self.path.join("notify");
        mkdirat(self.dir(), c"notify", Mode::empty()).during("mkdir", what().display())?;
        // Not left to mkdir, as the caller's umask would have a say.
        fchmodat(self.dir(), c"notify", Mode::from_bits_truncate(0o755), FchmodatFlags::FollowSymlink)
            .during("chmod", what().display())?;
        Ok(())
    }

    /// The socket for the program's sd_notify(3) messages, open to each of the container's users; `None` if `create`
    /// was not asked for one.
    pub fn listen_for_notifications(&self) -> Result<Option<OwnedFd>, Error> {
        let name = c"notify/notify.sock";
        let path = format!("/proc/self/fd/{}/notify/notify.sock", self.dir.as_raw_fd());
        match unlinkat(self.dir(), name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(errno) => Err(errno).during("unlink", &path)?,
        }
        let socket = socket(AddressFamily::Unix, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)
            .during("socket", "AF_UNIX, SOCK_DGRAM")?;
        let address = UnixAddr::new(path.as_str()).during("unix", &path)?;
        match bind(socket.as_raw_fd(), &address) {
            Err(Errno::ENOENT) => return Ok(None),
            bound => bound.during("bind", &path)?,
        }
        fchmodat(self.dir(), name, Mode::from_bits_truncate(0o777), FchmodatFlags::FollowSymlink)
            .during("chmod", path)?;
        Ok(Some(socket))
    }

    fn seqpacket(&self) -> Result<OwnedFd, sys::Error> {
        socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None)
            .during("socket", "AF_UNIX, SOCK_SEQPACKET")
    }

    /// By way of the descriptor: a socket's path may have no more than 107 bytes, a folder's may.
    fn start_address(&self) -> Result<UnixAddr, sys::Error> {
        let path = format!("/proc/self/fd/{}/start.sock", self.dir.as_raw_fd());
        UnixAddr::new(path.as_str()).during("unix", path)
    }

    fn start_path(&self) -> PathBuf {
        self.path.join("start.sock")
    }

    /// The state document for hooks and seccomp agents, who are told where in its life the container is.
    #[must_use]
    pub fn state(&self, status: Status, pid: i32) -> State<'_> {
        State {
            oci_version: &self.record.oci_version,
            id: &self.id,
            status,
            pid,
            bundle: &self.record.bundle,
            annotations: &self.record.annotations,
        }
    }

    /// Removes the folder, and with it the container: its id is free again.
    pub fn remove(self) -> Result<(), Error> {
        for name in [c"state.json", c"config.json"] {
            // What cannot be removed like this is tried, and explained, below.
            let _ = unlinkat(self.dir(), name, UnlinkatFlags::NoRemoveDir);
        }
        // Most often that was all.
        let remove = || unlinkat(nix::fcntl::AT_FDCWD, &self.path, UnlinkatFlags::RemoveDir);
        if remove().is_ok() {
            return Ok(());
        }
        let failed = |source| Error::Folder { call: "remove", path: self.path.clone(), source };
        self.remove_content().map_err(failed)?;
        match remove() {
            // The path may be somebody else's by now.
            Err(_) if fstat(&self.dir).is_ok_and(|stat| stat.st_nlink == 0) => Ok(()),
            done => done.map_err(|errno| failed(errno.into())),
        }
    }

    /// Everything in the folder, found by its descriptor: the path may lead to another one of the same id.
    fn remove_content(&self) -> std::io::Result<()> {
        for entry in std::fs::read_dir(format!("/proc/self/fd/{}", self.dir.as_raw_fd()))? {
            let entry = entry?;
            match entry.file_type()?.is_dir() {
                true => std::fs::remove_dir_all(entry.path())?,
                false => std::fs::remove_file(entry.path())?,
            }
        }
        Ok(())
    }
}

/// Whether a directory has this file.
pub(super) fn is_there(dir: BorrowedFd, path: &str) -> Result<bool, Errno> {
    match faccessat(dir, path, AccessFlags::F_OK, AtFlags::empty()) {
        Err(Errno::ENOENT) => Ok(false),
        result => result.map(|()| true),
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.unlock();
    }
}
