//! The processes of a cgroup: listing, signalling and killing them.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use super::{Cgroup, Error, file};
use crate::plan::cgroup::Version;
use crate::sys::{Context, Errno, clone, errno_of};

/// Rounds of listing and killing on hosts without cgroup.kill; a fork bomb is caught frozen, so few are needed.
const ROUNDS: usize = 20;

impl Cgroup {
    /// Every process of the container, nested cgroups included, by host pid.
    pub fn pids(&self) -> Result<Vec<i32>, Error> {
        match self.v2().or_else(|| self.dirs.first()) {
            Some(dir) => pids_below(&dir.path),
            None => Ok(Vec::new()),
        }
    }

    /// The v2 cgroup, at the container's or below, in which a process of the container is.
    pub fn clone_fd_beside(&self, pid: i32) -> Result<Option<OwnedFd>, Error> {
        let Some(top) = self.v2() else { return Ok(None) };
        let Some(dir) = place_of(pid, &top.path)? else { return Ok(None) };
        file::open_dir(&dir).map(Some).map_err(|errno| Error::Read { file: dir, errno })
    }

    /// Moves a process of the host into the container's cgroup.
    pub fn adopt(&self, pid: i32) -> Result<(), Error> {
        self.dirs.iter().try_for_each(|dir| file::write(&dir.file("cgroup.procs"), &pid.to_string()))
    }

    /// Sends a signal, by number, to every process of the container.
    pub fn signal_all(&self, signal: i32) -> Result<(), Error> {
        for pid in self.pids()? {
            match clone::pidfd_open(pid).and_then(|pidfd| clone::pidfd_send_signal(pidfd.as_fd(), signal)) {
                // One that has ended meanwhile needs no signal.
                Err(Errno::ESRCH) => {}
                sent => sent.during("pidfd_send_signal", format_args!("{pid}, {signal}"))?,
            }
        }
        Ok(())
    }

    /// Kills every process of the container, also while it is frozen or forks; does not wait for their end.
    pub fn kill(&self) -> Result<(), Error> {
        let killed = match self.v2() {
            // Linux 5.14
            Some(dir) => match file::try_write(&dir.file("cgroup.kill"), "1") {
                Ok(()) | Err(Errno::ENODEV) => true,
                Err(Errno::ENOENT | Errno::EOPNOTSUPP) => false,
                Err(errno) => {
                    return Err(Error::Write { file: dir.file("cgroup.kill"), value: "1".to_owned(), errno });
                }
            },
            None => false,
        };
        if !killed {
            self.kill_by_rounds()?;
        }
        // A task frozen by v1 dies only when thawed; v2 lets it die as it is.
        match self.with("freezer") {
            Some(dir) if dir.version == Version::V1 => dir.set_v1_state("THAWED"),
            _ => Ok(()),
        }
    }

    fn kill_by_rounds(&self) -> Result<(), Error> {
        for _ in 0..ROUNDS {
            // Best effort: what cannot be frozen can still be killed.
            self.freeze().ok();
            let killed = self.signal_all(libc::SIGKILL);
            self.thaw()?;
            killed?;
            if self.pids()?.is_empty() {
                break;
            }
        }
        Ok(())
    }
}

/// Every process of a cgroup and those below it; none if it has gone.
pub(super) fn pids_below(dir: &Path) -> Result<Vec<i32>, Error> {
    let mut pids = Vec::new();
    collect(dir, &mut pids)?;
    Ok(pids)
}

fn collect(dir: &Path, pids: &mut Vec<i32>) -> Result<(), Error> {
    pids.extend(pids_in(dir)?);
    children(dir)?.iter().try_for_each(|child| collect(child, pids))
}

/// The cgroup, `dir` or one below, that lists a process.
fn place_of(pid: i32, dir: &Path) -> Result<Option<PathBuf>, Error> {
    if pids_in(dir)?.contains(&pid) {
        return Ok(Some(dir.to_owned()));
    }
    for child in children(dir)? {
        if let Some(place) = place_of(pid, &child)? {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

/// The processes of one cgroup; none if it has gone.
fn pids_in(dir: &Path) -> Result<Vec<i32>, Error> {
    let text = match file::try_read_list(&dir.join("cgroup.procs")) {
        Ok(text) => text,
        // A threaded cgroup has threads of processes that are listed further up.
        Err(Errno::ENOENT | Errno::ENODEV | Errno::EOPNOTSUPP) => String::new(),
        Err(errno) => return Err(Error::Read { file: dir.join("cgroup.procs"), errno }),
    };
    Ok(text.lines().filter_map(|line| line.parse().ok()).collect())
}

/// The cgroups right below one.
pub(super) fn children(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |errno: Errno| Error::Read { file: dir.to_owned(), errno };
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(err) => return Err(failed(errno_of(&err))),
    };
    let is_dir = |entry: &std::fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    Ok(entries.flatten().filter(is_dir).map(|entry| entry.path()).collect())
}
