//! The terminal, seen from outside: ours in raw mode, its bytes relayed to and from the container's master.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags};
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};

use super::Error;
use crate::sys::{Context, Errno, file, socket, tty};

/// How much is moved at once, in bytes.
const CHUNK: usize = 4096;

/// More than a pseudoterminal holds that nobody reads, in bytes: the kernel takes 8192 and the line discipline 4096.
const BUFFERED: usize = 16 * CHUNK;

/// Relays between our stdio and a master; dropped, it restores our terminal.
pub struct Terminal {
    master: OwnedFd,
    saved: Option<Termios>,
    /// What we read but the container has not taken yet.
    pending: Vec<u8>,
    reading: bool,
    writing: bool,
}

impl Terminal {
    /// Takes the master that init sends over `receiver`.
    pub fn receive(receiver: BorrowedFd) -> Result<Self, Error> {
        let (_, master) = socket::receive(receiver, &mut [0; 64]).during("recvmsg", "console socket")?;
        let master = master.ok_or(Error::Protocol)?;
        // A container that does not read must not hold up what it writes.
        fcntl(&master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).during("fcntl", "O_NONBLOCK")?;
        let stdin = std::io::stdin();
        let saved = tcgetattr(&stdin).ok();
        if let Some(saved) = &saved {
            let mut raw = saved.clone();
            cfmakeraw(&mut raw);
            tcsetattr(&stdin, SetArg::TCSANOW, &raw).during("tcsetattr", "stdin")?;
        }
        let terminal = Self { master, saved, pending: Vec::new(), reading: true, writing: true };
        terminal.resize();
        Ok(terminal)
    }

    /// Gives the container's terminal the size of ours, if we have one.
    pub fn resize(&self) {
        if let Ok((rows, columns)) = tty::size(std::io::stdin().as_fd())
            && (rows, columns) != (0, 0)
        {
            // The program may just have gone; then the size does not matter.
            let _ = tty::set_size(self.master.as_fd(), rows, columns);
        }
    }

    /// What to wait for: the master, then stdin.
    pub(super) fn interests(&self) -> [PollFd<'_>; 2] {
        let mut master = PollFlags::empty();
        master.set(PollFlags::POLLIN, self.writing);
        master.set(PollFlags::POLLOUT, !self.pending.is_empty());
        let stdin =
            if self.reading && self.pending.is_empty() { PollFlags::POLLIN } else { PollFlags::empty() };
        // A descriptor that is only watched for hang-up would wake us for ever: watch the master twice instead.
        let second = if stdin.is_empty() { self.master.as_fd() } else { STDIN };
        [PollFd::new(self.master.as_fd(), master), PollFd::new(second, stdin)]
    }

    /// Moves what can be moved without waiting.
    pub(super) fn relay(&mut self, ready: &[PollFlags]) {
        if ready[0].intersects(PollFlags::POLLOUT) {
            self.feed();
        }
        if self.writing && ready[0].intersects(PollFlags::POLLIN | PollFlags::POLLHUP) {
            self.show();
        }
        if self.reading
            && self.pending.is_empty()
            && ready[1].intersects(PollFlags::POLLIN | PollFlags::POLLHUP)
        {
            let mut chunk = [0; CHUNK];
            match nix::unistd::read(STDIN, &mut chunk) {
                Ok(0) => self.reading = false,
                Ok(length) => {
                    self.pending.extend_from_slice(&chunk[..length]);
                    self.feed();
                }
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                Err(_) => self.reading = false,
            }
        }
    }

    /// Shows what the program wrote before it ended, and no more: something that it left behind may write for ever.
    pub(super) fn drain(&mut self) {
        let mut shown = 0;
        while shown < BUFFERED && self.writing && self.show() {
            shown += CHUNK;
        }
    }

    fn feed(&mut self) {
        match nix::unistd::write(&self.master, &self.pending) {
            Ok(length) => drop(self.pending.drain(..length)),
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            Err(_) => self.pending.clear(),
        }
    }

    /// One chunk from the container to stdout; `false` if there is none now, or never again (EIO).
    fn show(&mut self) -> bool {
        let mut chunk = [0; CHUNK];
        match nix::unistd::read(&self.master, &mut chunk) {
            Ok(length) if length > 0 => file::write_all(std::io::stdout(), &chunk[..length]).is_ok(),
            Err(Errno::EAGAIN | Errno::EINTR) => false,
            _ => {
                self.writing = false;
                false
            }
        }
    }
}

/// Our stdin, whatever Rust's own buffer thinks of it.
const STDIN: BorrowedFd<'static> = crate::sys::fd::STDIN;

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(saved) = &self.saved {
            let _ = tcsetattr(std::io::stdin(), SetArg::TCSANOW, saved);
        }
    }
}
