//! The processes of a cgroup: listing, signalling and killing them.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use super::{Cgroup, Error, below, file};
use crate::plan::cgroup::Version;
use crate::sys::{Context, Errno, clone, closing, errno_of};

/// Rounds of listing and killing on hosts without cgroup.kill; a fork bomb is caught frozen, so few are needed.
const ROUNDS: usize = 20;

/// How many processes are held at a time; descriptors are few.
const HELD: usize = 128;

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
        let mut found = None;
        in_each(&top.path, |cgroup| {
            if found.is_none() && pids_in(cgroup)?.contains(&pid) {
                found = Some(cgroup.try_clone_to_owned().map_err(|err| errno_of(&err))?);
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// Moves a process of the host into the container's cgroup.
    pub fn adopt(&self, pid: i32) -> Result<(), Error> {
        self.dirs.iter().try_for_each(|dir| file::write(&dir.file("cgroup.procs"), &pid.to_string()))
    }

    /// Sends a signal, by number, to every process of the container.
    pub fn signal_all(&self, signal: i32) -> Result<(), Error> {
        self.pids()?.chunks(HELD).try_for_each(|pids| self.signal_each(pids, signal))
    }

    /// A container whose processes come and go fast could have its number given to a process of the host meanwhile: so only
    /// those are signalled that are members still when they are held.
    fn signal_each(&self, pids: &[i32], signal: i32) -> Result<(), Error> {
        let mut held = Vec::with_capacity(pids.len());
        for &pid in pids {
            match clone::pidfd_open(pid) {
                // One that has ended meanwhile needs no signal.
                Err(Errno::ESRCH) => {}
                opened => held.push((pid, opened.during("pidfd_open", pid)?)),
            }
        }
        let mut members = self.pids()?;
        members.sort_unstable();
        for (pid, pidfd) in held.iter().filter(|(pid, _)| members.binary_search(pid).is_ok()) {
            match clone::pidfd_send_signal(pidfd.as_fd(), signal) {
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
        self.let_die()
    }

    /// Lets killed processes go that are frozen, be it by themselves: cgroup v1 would keep them until they are thawed.
    pub fn let_die(&self) -> Result<(), Error> {
        match self.with("freezer") {
            Some(dir) if dir.version == Version::V1 => dir.thaw_all_v1(),
            _ => Ok(()),
        }
    }

    fn kill_by_rounds(&self) -> Result<(), Error> {
        for _ in 0..ROUNDS {
            // Best effort: what cannot be frozen can still be killed.
            self.freeze().ok();
            let killed = self.signal_all(libc::SIGKILL);
            self.thaw()?;
            self.let_die()?;
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
    in_each(dir, |cgroup| {
        pids.extend(pids_in(cgroup)?);
        Ok(())
    })?;
    Ok(pids)
}

/// Calls `visit` with a cgroup and those below it; with none if it has gone.
fn in_each(dir: &Path, mut visit: impl FnMut(BorrowedFd) -> Result<(), Errno>) -> Result<(), Error> {
    let all = || {
        match file::open_dir(dir) {
            Err(Errno::ENOENT) => return Ok(()),
            opened => {
                let cgroup = opened?;
                visit(cgroup.as_fd())?;
                closing::later(cgroup);
            }
        }
        below::each(dir, visit)
    };
    all().map_err(|errno| Error::Read { file: dir.to_owned(), errno })
}

/// The processes of one cgroup; none if it has gone.
fn pids_in(cgroup: BorrowedFd) -> Result<Vec<i32>, Errno> {
    let text = match file::try_read_list(cgroup, c"cgroup.procs") {
        Ok(text) => text,
        // A threaded cgroup has threads of processes that are listed further up.
        Err(Errno::ENOENT | Errno::ENODEV | Errno::EOPNOTSUPP) => String::new(),
        Err(errno) => return Err(errno),
    };
    Ok(text.lines().filter_map(|line| line.parse().ok()).collect())
}
