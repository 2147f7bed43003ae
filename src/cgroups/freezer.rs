//! Freezing and thawing: v1's freezer controller where there is one, since tools of such hosts look there; else the
//! v2 freezer.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{Cgroup, Dir, Error, below, file};
use crate::plan::cgroup::Version;
use crate::sys::Errno;

/// How long freezing may take: a task in uninterruptible sleep delays it.
const PATIENCE: Duration = Duration::from_secs(10);

impl Cgroup {
    /// Stops every process where it is; returns when all have stopped, or thaws them again and fails.
    pub fn freeze(&self) -> Result<(), Error> {
        let Some(dir) = self.freezer() else { return Ok(()) };
        let frozen = match dir.version {
            Version::V1 => dir.freeze_v1(),
            Version::V2 => dir.set_v2(true),
        };
        if frozen.is_err() {
            self.thaw().ok();
        }
        frozen
    }

    /// Lets every process run again.
    pub fn thaw(&self) -> Result<(), Error> {
        match self.freezer() {
            None => Ok(()),
            Some(dir) if dir.version == Version::V1 => dir.set_v1_state("THAWED"),
            Some(dir) => dir.set_v2(false),
        }
    }

    /// Whether every process is stopped.
    pub fn is_frozen(&self) -> Result<bool, Error> {
        self.freezer().map_or(Ok(false), Dir::is_frozen)
    }

    /// Whether there is a freezer at all, without which `pause` must fail.
    #[must_use]
    pub fn can_freeze(&self) -> bool {
        self.freezer().is_some()
    }

    fn freezer(&self) -> Option<&Dir> {
        self.with("freezer").or_else(|| self.v2())
    }
}

impl Dir {
    pub(super) fn is_frozen(&self) -> Result<bool, Error> {
        let is_freezer = self.version == Version::V2 || self.has("freezer");
        Ok(is_freezer && reads_frozen(self.version, &self.path)?)
    }

    /// Whether it stops whoever comes, though not all that are there have stopped yet, which [`Dir::is_frozen`] asks.
    pub(super) fn freezes(&self) -> Result<bool, Error> {
        let says = |dir: &Path, name: &str, value: &str| -> Result<bool, Error> {
            let text = file::read_if_there(&dir.join(name))?;
            Ok(text.is_some_and(|text| text.trim_end() == value))
        };
        if self.is_frozen()? || self.has("freezer") && says(&self.path, "freezer.state", "FREEZING")? {
            return Ok(true);
        }
        if self.version == Version::V1 {
            return Ok(false);
        }
        for dir in self.path.ancestors() {
            if says(dir, "cgroup.freeze", "1")? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) fn set_v1_state(&self, state: &str) -> Result<(), Error> {
        match file::try_write(&self.file("freezer.state"), state) {
            Ok(()) | Err(Errno::ENOENT | Errno::ENODEV) => Ok(()),
            Err(errno) => {
                Err(Error::Write { file: self.file("freezer.state"), value: state.to_owned(), errno })
            }
        }
    }

    /// Also what the container has frozen in cgroups of its own.
    pub(super) fn thaw_all_v1(&self) -> Result<(), Error> {
        self.set_v1_state("THAWED")?;
        let thaw = |cgroup: BorrowedFd| match file::open_in(cgroup, c"freezer.state") {
            Err(Errno::ENOENT | Errno::ENODEV) => Ok(()),
            opened => file::write_to(&opened?, "THAWED"),
        };
        below::each(&self.path, thaw).map_err(|errno| Error::Read { file: self.path.clone(), errno })
    }

    /// v1 has no event to wait for, and may stay half-way until told again: a task that was forking when the state
    /// was set is only caught by the next write.
    fn freeze_v1(&self) -> Result<(), Error> {
        let file = self.file("freezer.state");
        let start = Instant::now();
        let mut pause = Duration::from_micros(50);
        while start.elapsed() < PATIENCE {
            file::write(&file, "FROZEN")?;
            if self.is_frozen()? {
                return Ok(());
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(10));
        }
        Err(self.stuck("frozen"))
    }

    fn set_v2(&self, frozen: bool) -> Result<(), Error> {
        let (value, wanted) = if frozen { ("1", "frozen") } else { ("0", "thawed") };
        match file::try_write(&self.file("cgroup.freeze"), value) {
            Ok(()) => {}
            Err(Errno::ENOENT | Errno::ENODEV) if !frozen => return Ok(()),
            Err(errno) => {
                let (file, value) = (self.file("cgroup.freeze"), value.to_owned());
                return Err(Error::Write { file, value, errno });
            }
        }
        if await_event(&self.path, &format!("frozen {value}"), PATIENCE)? {
            Ok(())
        } else {
            Err(self.stuck(wanted))
        }
    }

    fn stuck(&self, wanted: &'static str) -> Error {
        Error::Stuck { dir: self.path.clone(), wanted, seconds: PATIENCE.as_secs() }
    }
}

/// The file of a freezer that tells whether its cgroup is frozen, and the line that says so.
pub(super) fn frozen_line(version: Version) -> (&'static str, &'static str) {
    match version {
        Version::V1 => ("freezer.state", "FROZEN"),
        Version::V2 => ("cgroup.events", "frozen 1"),
    }
}

/// Whether the cgroup of this directory, which has a freezer, is frozen.
pub(super) fn reads_frozen(version: Version, dir: &Path) -> Result<bool, Error> {
    let (name, frozen) = frozen_line(version);
    // The v2 file does not speak of freezing before Linux 5.2, and neither file outlives its cgroup.
    let text = file::read_if_there(&dir.join(name))?.unwrap_or_default();
    Ok(text.lines().any(|line| line == frozen))
}

/// Waits until `cgroup.events` has `line`; false if time runs out first. A cgroup that has gone counts as arrived.
pub(super) fn await_event(dir: &Path, line: &str, patience: Duration) -> Result<bool, Error> {
    let path = dir.join("cgroup.events");
    let failed = |errno| Error::Read { file: path.clone(), errno };
    let events = match file::open_for_reading(&path) {
        Ok(events) => events,
        Err(Errno::ENOENT | Errno::ENODEV) => return Ok(true),
        Err(errno) => return Err(failed(errno)),
    };
    let start = Instant::now();
    let mut buffer = [0; 256];
    loop {
        match nix::sys::uio::pread(&events, &mut buffer, 0) {
            Err(Errno::ENODEV) => return Ok(true),
            Err(errno) => return Err(failed(errno)),
            Ok(n) if buffer[..n].split(|byte| *byte == b'\n').any(|known| known == line.as_bytes()) => {
                return Ok(true);
            }
            Ok(_) => {}
        }
        let Some(left) = patience.checked_sub(start.elapsed()) else { return Ok(false) };
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(events.as_fd(), PollFlags::POLLPRI)], timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(failed(errno)),
        }
    }
}
