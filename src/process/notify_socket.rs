//! sd_notify(3) through the container's wall: the program talks to a socket of ours, and what we pass on is that it is
//! ready and which process is the main one.
//!
//! The supervisor's own socket stays outside: it believes whoever may write to it.

use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, connect, recv, socket};

use crate::sys::socket::{send_packet, send_with_fd};
use crate::sys::{Context, Errno, Error};

/// How long a supervisor may take to work through what it was sent; one that knows no barriers never says.
const BARRIER: Duration = Duration::from_secs(30);

/// More messages than wait in a socket: net.unix.max_dgram_qlen is 10 unless somebody has raised it, 512 with systemd.
const QUEUED: usize = 1024;

/// Between the program's socket and its supervisor's.
pub struct NotifySocket {
    program: OwnedFd,
    supervisor: OwnedFd,
}

impl NotifySocket {
    /// Takes the socket that the program writes to, and reaches for the supervisor's: a path, or `@` and an abstract
    /// name.
    pub fn connect(program: OwnedFd, supervisor: &OsStr) -> Result<Self, Error> {
        let address = match supervisor.as_bytes().strip_prefix(b"@") {
            Some(name) => UnixAddr::new_abstract(name),
            None => UnixAddr::new(supervisor),
        };
        let what = || format!("NOTIFY_SOCKET {}", supervisor.display());
        let address = address.during("connect", what())?;
        let socket = socket(AddressFamily::Unix, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)
            .during("socket", "AF_UNIX, SOCK_DGRAM")?;
        connect(socket.as_raw_fd(), &address).during("connect", what())?;
        Ok(Self { program, supervisor: socket })
    }

    /// Waits until the program is ready, or dead; the supervisor has then taken note of it. `pid` is the main process
    /// from then on.
    pub fn wait(self, pidfd: BorrowedFd, pid: i32) -> Result<(), Error> {
        loop {
            let fds =
                &mut [PollFd::new(self.as_fd(), PollFlags::POLLIN), PollFd::new(pidfd, PollFlags::POLLIN)];
            match poll(fds, PollTimeout::NONE) {
                Err(Errno::EINTR) => continue,
                result => result.map(drop).during("poll", "the program's notifications")?,
            }
            let dead = fds[1].any().unwrap_or(true);
            if self.hears_ready() {
                return self.announce(pid).and_then(|()| self.barrier());
            }
            if dead {
                return Ok(());
            }
        }
    }

    /// Reads what the program has written until now; whether it is ready. No more than that: a program that never stops
    /// writing must not keep us from all else.
    pub fn hears_ready(&self) -> bool {
        let mut message = [0; 4096];
        for _ in 0..QUEUED {
            let received = recv(self.program.as_raw_fd(), &mut message, MsgFlags::MSG_DONTWAIT);
            let Ok(length) = received else { return false };
            if message[..length].split(|&byte| byte == b'\n').any(|line| line == b"READY=1") {
                return true;
            }
        }
        false
    }

    /// Tells the supervisor that the program is ready.
    pub(super) fn announce(&self, pid: i32) -> Result<(), Error> {
        let message = format!("READY=1\nMAINPID={pid}\n");
        send_packet(self.supervisor.as_fd(), message.as_bytes()).during("send", "NOTIFY_SOCKET, READY=1")
    }

    /// Waits until the supervisor has read what we sent, so that it can still see who we are: it then closes the end
    /// of a pipe that comes with the last message (sd_notify_barrier(3)).
    fn barrier(&self) -> Result<(), Error> {
        let (ours, theirs) = nix::unistd::pipe2(OFlag::O_CLOEXEC).during("pipe2", "")?;
        send_with_fd(self.supervisor.as_fd(), b"BARRIER=1", theirs.as_fd())
            .during("sendmsg", "NOTIFY_SOCKET, BARRIER=1")?;
        drop(theirs);
        let end = Instant::now() + BARRIER;
        loop {
            let left = PollTimeout::try_from(end.saturating_duration_since(Instant::now()));
            let fds = &mut [PollFd::new(ours.as_fd(), PollFlags::POLLIN)];
            match poll(fds, left.unwrap_or(PollTimeout::MAX)) {
                Err(Errno::EINTR) => {}
                result => return result.map(drop).during("poll", "BARRIER=1"),
            }
        }
    }
}

impl AsFd for NotifySocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.program.as_fd()
    }
}
