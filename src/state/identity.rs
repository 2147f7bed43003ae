//! A process by pid *and* start time: a pid alone may by now be somebody else's.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::sys::{self, Context, Errno};

/// The first process of a container, alive when it was looked up, held by a pidfd.
#[derive(Debug)]
pub struct Init {
    pid: i32,
    pidfd: OwnedFd,
}

impl Init {
    /// The process that has this pid, if it is alive and the one that started at `start_time`.
    pub fn find(pid: i32, start_time: u64) -> Result<Option<Self>, sys::Error> {
        // The pidfd first: what is checked afterwards is then checked of the process that it holds.
        let pidfd = match sys::clone::pidfd_open(pid) {
            Err(Errno::ESRCH | Errno::EINVAL) => return Ok(None),
            result => result.during("pidfd_open", pid)?,
        };
        Ok((self::start_time(pid)? == Some(start_time)).then_some(Self { pid, pidfd }))
    }

    /// Its pid here.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Sends a signal; `false` if the process has died meanwhile.
    pub fn signal(&self, signal: i32) -> Result<bool, sys::Error> {
        match sys::clone::pidfd_send_signal(self.as_fd(), signal) {
            Err(Errno::ESRCH) => Ok(false),
            result => {
                result.map(|()| true).during("pidfd_send_signal", format_args!("{}, {signal}", self.pid))
            }
        }
    }

    /// Waits until it is dead, a zombie at least; `false` if it still lives after `timeout`.
    pub fn wait_death(&self, timeout: Duration) -> Result<bool, sys::Error> {
        let end = Instant::now() + timeout;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            match poll(&mut [PollFd::new(self.as_fd(), PollFlags::POLLIN)], left) {
                Err(Errno::EINTR) => {}
                result => {
                    return result
                        .map(|ready| ready > 0)
                        .during("poll", format_args!("pidfd of {}", self.pid));
                }
            }
        }
    }
}

impl From<Init> for OwnedFd {
    fn from(init: Init) -> Self {
        init.pidfd
    }
}

impl AsFd for Init {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

/// What the kernel says of a live process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stat {
    /// When it started, in clock ticks since boot.
    pub start_time: u64,
    /// Signals that it ignores, as bits; those above 31 are not told.
    pub ignored_signals: u32,
}

/// When a live process started, in clock ticks since boot; a zombie is not alive.
pub fn start_time(pid: i32) -> Result<Option<u64>, sys::Error> {
    Ok(stat(pid)?.map(|stat| stat.start_time))
}

/// What is to be known of a live process; a zombie is not alive.
pub fn stat(pid: i32) -> Result<Option<Stat>, sys::Error> {
    let path = format!("/proc/{pid}/stat");
    match sys::file::read_piece(Path::new(&path), &mut [0; 1024]) {
        Ok(text) => Ok(parse_stat(text)),
        // ESRCH: it died between open and read.
        Err(Errno::ENOENT | Errno::ESRCH) => Ok(None),
        Err(errno) => Err(errno).during("read", path),
    }
}

/// Fields 3 (state), 22 (start time) and 33 (ignored signals) of proc_pid_stat(5). Field 2 is the program's name in
/// parentheses, which may itself contain anything.
pub(super) fn parse_stat(text: &[u8]) -> Option<Stat> {
    let after_name = text.iter().rposition(|c| *c == b')')? + 1;
    let mut fields = std::str::from_utf8(&text[after_name..]).ok()?.split_ascii_whitespace();
    match fields.next()? {
        "Z" | "X" | "x" => None,
        _ => {
            let start_time = fields.nth(18)?.parse().ok()?;
            Some(Stat { start_time, ignored_signals: fields.nth(10)?.parse().ok()? })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_forge_the_start_time() {
        let stat = |name: &str, state: &str| {
            parse_stat(
                format!(
                    "7 ({name}) {state} 1 7 7 0 -1 4 0 0 0 0 0 0 0 0 20 0 1 0 4242 9 9 9 1 1 0 0 0 8 8 4096 1"
                )
                .as_bytes(),
            )
        };
        let found = Stat { start_time: 4242, ignored_signals: 4096 };
        assert_eq!(stat("sh", "S"), Some(found));
        assert_eq!(stat("x) Z 1 1 1 (", "R"), Some(found));
        assert_eq!(stat("sh", "Z"), None);
    }

    #[test]
    fn a_process_is_found_by_pid_and_start_time_until_it_dies() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let started = start_time(pid).unwrap().unwrap();
        assert!(Init::find(pid, started + 1).unwrap().is_none(), "another process's start time");
        let init = Init::find(pid, started).unwrap().unwrap();
        assert!(init.signal(libc::SIGKILL).unwrap());
        assert!(init.wait_death(Duration::from_secs(60)).unwrap());
        assert!(Init::find(pid, started).unwrap().is_none(), "a zombie");
        child.wait().unwrap();
        assert!(!init.signal(libc::SIGKILL).unwrap());
    }
}
