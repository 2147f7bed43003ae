//! Staying with a program that runs in the foreground: signals go through to it, its terminal is ours, orphans that
//! it leaves to us are reaped, and its end is ours.

use std::os::fd::{AsFd, BorrowedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::SigSet;
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::terminal::Terminal;
use super::{Error, NotifySocket};
use crate::sys::clone::{Exit, pidfd_send_signal, reap_any};
use crate::sys::{Context, Errno, closing, cred, signal};

/// Signals, taken over before the program is made, so that none is lost in between.
pub struct Foreground {
    signals: SignalFd,
}

impl Foreground {
    /// Blocks all signals for this process; a program that init executes gets none blocked.
    pub fn new(subreaper: bool) -> Result<Self, Error> {
        let all = SigSet::all();
        signal::set_mask(&all).during("sigprocmask", "all signals")?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        let signals = SignalFd::with_flags(&all, flags).during("signalfd", "all signals")?;
        if subreaper {
            cred::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0).during("prctl", "PR_SET_CHILD_SUBREAPER")?;
        }
        Ok(Self { signals })
    }

    /// Waits for the program's end; `terminal` is served meanwhile, and what it says to `notify` is passed on. Whoever
    /// supervises us sees the program's end as ours, so that we are the main process.
    pub fn wait(
        &self,
        pid: i32,
        pidfd: BorrowedFd,
        mut terminal: Option<Terminal>,
        mut notify: Option<NotifySocket>,
    ) -> Result<Exit, Error> {
        closing::now();
        loop {
            let mut fds = vec![PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
            if let Some(terminal) = &terminal {
                fds.extend(terminal.interests());
            }
            fds.extend(notify.as_ref().map(|notify| PollFd::new(notify.as_fd(), PollFlags::POLLIN)));
            match poll(&mut fds, PollTimeout::NONE) {
                Err(Errno::EINTR) => continue,
                result => result.map(drop).during("poll", "the program's signals and terminal")?,
            }
            let ready: Vec<PollFlags> =
                fds.iter().map(|fd| fd.revents().unwrap_or(PollFlags::empty())).collect();
            drop(fds);
            if let Some(terminal) = &mut terminal {
                terminal.relay(&ready[1..]);
            }
            if notify.as_ref().is_some_and(NotifySocket::hears_ready) {
                // A supervisor that does not listen any more does not wait for it either.
                notify.take().map(|notify| notify.announce(nix::unistd::getpid().as_raw()));
            }
            if !ready[0].is_empty()
                && let Some(exit) = self.handle_signals(pid, pidfd, terminal.as_ref())?
            {
                terminal.iter_mut().for_each(Terminal::drain);
                return Ok(exit);
            }
        }
    }

    fn handle_signals(
        &self,
        pid: i32,
        pidfd: BorrowedFd,
        terminal: Option<&Terminal>,
    ) -> Result<Option<Exit>, Error> {
        while let Some(info) = self.signals.read_signal().during("read", "signalfd")? {
            let signal = i32::try_from(info.ssi_signo).unwrap_or(0);
            match signal {
                libc::SIGCHLD => {
                    if let Some(exit) = reap(pid)? {
                        return Ok(Some(exit));
                    }
                }
                libc::SIGWINCH if let Some(terminal) = terminal => terminal.resize(),
                // The kernel's own remarks about our terminal and sockets are not meant for the program.
                libc::SIGURG | libc::SIGPIPE | libc::SIGTTIN | libc::SIGTTOU => {}
                // A program that ended meanwhile does not mind.
                signal => drop(pidfd_send_signal(pidfd, signal)),
            }
        }
        Ok(None)
    }
}

/// Reaps what has ended until it meets `pid`; returns how that did. What is left then is left to our own parent.
fn reap(pid: i32) -> Result<Option<Exit>, Error> {
    while let Some((dead, exit)) = reap_any().during("waitpid", "any child")? {
        if dead == pid {
            return Ok(Some(exit));
        }
    }
    Ok(None)
}
