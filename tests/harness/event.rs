//! Waiting for events instead of sleeping: the end of a process, a word from the guest.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// Waits until process `pid` has ended; false when it has not by then.
pub fn await_exit(pid: i32, limit: Duration) -> bool {
    // No such process: it ended, and was reaped, before we looked.
    let Ok(pidfd) = pidfd_open(Pid::from_raw(pid).unwrap(), PidfdFlags::empty()) else { return true };
    readable(&pidfd, limit)
}

/// Waits until a descriptor is readable (or hung up).
pub fn readable(fd: &impl AsFd, limit: Duration) -> bool {
    let limit =
        Timespec { tv_sec: i64::try_from(limit.as_secs()).unwrap(), tv_nsec: limit.subsec_nanos().into() };
    poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&limit)).unwrap() > 0
}

/// A FIFO between a guest and its test. The test's end is open from the start, so the guest never blocks in open.
pub struct Fifo {
    path: PathBuf,
    file: File,
}

impl Fifo {
    /// Makes the FIFO at a host path, open to everybody.
    pub fn new(path: &Path) -> Self {
        rustix::fs::mkfifoat(rustix::fs::CWD, path, rustix::fs::Mode::from_raw_mode(0o666)).unwrap();
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
        let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let file = File::options().read(true).custom_flags(nonblocking).open(path).unwrap();
        Self { path: path.to_owned(), file }
    }

    /// Waits for the guest's next text.
    #[track_caller]
    pub fn word(&mut self) -> String {
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            let mut text = [0; 4096];
            if readable(&self.file, Duration::from_secs(20)) {
                match self.file.read(&mut text) {
                    Ok(0) | Err(_) => std::thread::yield_now(),
                    Ok(length) => return String::from_utf8_lossy(&text[..length]).into_owned(),
                }
            }
        }
        panic!("no word from the guest through {}", self.path.display());
    }

    /// Lets a guest go that is in `probe hold`: it waits for the end of the file, which comes with our close.
    pub fn release(&self) {
        File::options().write(true).open(&self.path).unwrap().write_all(b"go").unwrap();
    }
}
