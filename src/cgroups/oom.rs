//! Noticing that the kernel killed a process of the container for want of memory.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use nix::poll::PollFlags;
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::{Cgroup, Dir, Error, file};
use crate::plan::cgroup::Version;
use crate::sys::{Context, Errno};

/// A descriptor to poll, and what it means when it is ready.
#[derive(Debug)]
pub struct OomWatch {
    source: Source,
    dir: Dir,
    kills: u64,
}

#[derive(Debug)]
enum Source {
    /// v1: an eventfd that the kernel raises, and the file it was registered for.
    Counter { event: EventFd, _control: OwnedFd },
    /// v2: `memory.events`, which polls as exceptional when it changed.
    File(OwnedFd),
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Oom {
    /// The container ran out of memory.
    Out,
    /// Something else changed.
    Nothing,
    /// The cgroup was removed: nothing will follow.
    Gone,
}

impl Cgroup {
    /// How many processes the kernel has killed here for want of memory; 0 without a memory controller.
    pub fn oom_killed(&self) -> Result<u64, Error> {
        self.with("memory").map_or(Ok(0), Dir::oom_kills)
    }

    /// Starts watching for OOM; `None` without a memory controller.
    pub fn watch_oom(&self) -> Result<Option<OomWatch>, Error> {
        let Some(dir) = self.with("memory") else { return Ok(None) };
        let source = match dir.version {
            Version::V1 => dir.register_oom_event()?,
            Version::V2 => {
                let file = dir.file("memory.events");
                let events = file::open_for_reading(&file).map_err(|errno| Error::Read { file, errno })?;
                Source::File(events)
            }
        };
        Ok(Some(OomWatch { source, dir: dir.clone(), kills: dir.oom_kills()? }))
    }
}

impl Dir {
    fn oom_kills(&self) -> Result<u64, Error> {
        let name = if self.version == Version::V1 { "memory.oom_control" } else { "memory.events" };
        let text = file::read_if_there(&self.file(name))?.unwrap_or_default();
        Ok(file::keyed(&text, "oom_kill").unwrap_or(0))
    }

    /// Kernel Documentation/admin-guide/cgroup-v1/memory.rst, "OOM Control".
    fn register_oom_event(&self) -> Result<Source, Error> {
        use std::os::fd::AsRawFd;
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let event = EventFd::from_value_and_flags(0, flags).during("eventfd", "0")?;
        let path = self.file("memory.oom_control");
        let control = file::open_for_reading(&path).map_err(|errno| Error::Read { file: path, errno })?;
        let line = format!("{} {}", event.as_raw_fd(), control.as_raw_fd());
        file::write(&self.file("cgroup.event_control"), &line)?;
        Ok(Source::Counter { event, _control: control })
    }
}

impl OomWatch {
    /// What to poll, and for which events.
    #[must_use]
    pub fn poll(&self) -> (BorrowedFd<'_>, PollFlags) {
        match &self.source {
            Source::Counter { event, .. } => (event.as_fd(), PollFlags::POLLIN),
            Source::File(events) => (events.as_fd(), PollFlags::POLLPRI),
        }
    }

    /// Says what happened once the descriptor is ready, and makes it ready for the next time.
    pub fn read(&mut self) -> Result<Oom, Error> {
        match &self.source {
            Source::Counter { event, .. } => match event.read() {
                Ok(_) | Err(Errno::EAGAIN) => {}
                Err(errno) => return Err(read_failed(self.dir.file("memory.oom_control"), errno)),
            },
            // Reading is what makes the next change visible to poll.
            Source::File(events) => match nix::sys::uio::pread(events, &mut [0; 512], 0) {
                Ok(_) => {}
                Err(Errno::ENODEV) => return Ok(Oom::Gone),
                Err(errno) => return Err(read_failed(self.dir.file("memory.events"), errno)),
            },
        }
        // The kernel also raises the v1 event when the cgroup goes.
        match nix::unistd::access(&self.dir.path, nix::unistd::AccessFlags::F_OK) {
            Err(Errno::ENOENT) => return Ok(Oom::Gone),
            _ if self.dir.version == Version::V1 => return Ok(Oom::Out),
            _ => {}
        }
        let before = std::mem::replace(&mut self.kills, self.dir.oom_kills()?);
        Ok(if self.kills > before { Oom::Out } else { Oom::Nothing })
    }
}

fn read_failed(file: PathBuf, errno: Errno) -> Error {
    Error::Read { file, errno }
}
