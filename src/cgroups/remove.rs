//! Removing the container's cgroup, with the cgroups that the container made inside.

use std::path::Path;
use std::time::{Duration, Instant};

use super::freezer::await_event;
use super::{Cgroup, Dir, Error, below, members};
use crate::plan::cgroup::Version;
use crate::sys::{Errno, errno_of};

/// How long killed processes may take to leave; freeing their memory is what takes time.
const PATIENCE: Duration = Duration::from_secs(5);

impl Cgroup {
    /// Removes every directory as long as there is nobody in it; `false` if there may be more to do. One that systemd
    /// keeps is for systemd to remove.
    #[must_use]
    pub fn remove_if_empty(&self) -> bool {
        if self.unit.is_some() {
            return false;
        }
        // Where processes are looked for comes first: if there are any, they must be found afterwards too.
        let (v2, v1): (Vec<&Dir>, Vec<&Dir>) = self.dirs.iter().partition(|dir| dir.version == Version::V2);
        v2.iter().chain(&v1).all(|dir| rmdir(&dir.path).is_ok())
            && self.dirs.iter().all(|dir| dir.remove_parents().is_ok())
    }

    /// Removes every directory, waiting for killed processes to leave, and the parents made with it that are empty.
    ///
    /// A directory in which processes stay survives and is the error; the others go all the same.
    pub fn remove(&self) -> Result<(), Error> {
        let start = Instant::now();
        let mut first = Ok(());
        for dir in &self.dirs {
            let removed = dir.remove(start);
            first = first.and(removed);
        }
        first
    }
}

impl Dir {
    fn remove(&self, start: Instant) -> Result<(), Error> {
        remove_tree(&self.path, self.version, start)?;
        self.remove_parents()
    }

    /// Removes the directories that were made above this one, as far as nobody uses them.
    fn remove_parents(&self) -> Result<(), Error> {
        for parent in self.path.ancestors().take(self.made).skip(1) {
            if !remove_unless_used(parent)? {
                break;
            }
        }
        Ok(())
    }
}

/// Whether a parent could go; it stays when it is somebody else's, too.
fn remove_unless_used(dir: &Path) -> Result<bool, Error> {
    let mut pause = Duration::from_micros(200);
    loop {
        match rmdir(dir) {
            Ok(()) => return Ok(true),
            Err(Errno::EBUSY | Errno::ENOTEMPTY) => {}
            Err(errno) => return Err(Error::Remove { dir: dir.to_owned(), errno }),
        }
        // What was in it may be gone for everybody but the kernel.
        if pause > Duration::from_millis(20)
            || !members::pids_below(dir)?.is_empty()
            || below::is_any(dir).map_err(|errno| Error::Remove { dir: dir.to_owned(), errno })?
        {
            return Ok(false);
        }
        std::thread::sleep(pause);
        pause *= 2;
    }
}

/// rmdir(2); one that is not there counts as removed.
pub(super) fn rmdir(dir: &Path) -> Result<(), Errno> {
    match std::fs::remove_dir(dir) {
        Ok(()) => Ok(()),
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(err) => Err(errno_of(&err)),
    }
}

/// Removes a cgroup and those below it; the common case of one without any takes one call.
fn remove_tree(dir: &Path, version: Version, start: Instant) -> Result<(), Error> {
    let mut pause = Duration::from_micros(200);
    loop {
        match rmdir(dir) {
            Ok(()) => return Ok(()),
            Err(Errno::EBUSY) if start.elapsed() < PATIENCE => {}
            Err(errno) => return Err(Error::Remove { dir: dir.to_owned(), errno }),
        }
        below::remove(dir).map_err(|errno| Error::Remove { dir: dir.to_owned(), errno })?;
        match version {
            Version::V2 => {
                let left = PATIENCE.saturating_sub(start.elapsed());
                await_event(dir, "populated 0", left)?;
            }
            // v1 tells nobody when the last process has left.
            Version::V1 => {}
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}
