//! The way of a terminal's master out of the container: to `--console-socket`, or to us.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::error::Cause;
use crate::process::{self, Terminal};
use crate::sys::{Context, socket};

/// The two ends of the way that a terminal's master takes out of the container.
pub(super) struct Console {
    /// For init.
    pub sender: Option<OwnedFd>,
    /// For us, when we serve the terminal ourselves.
    receiver: Option<OwnedFd>,
}

impl Console {
    /// Connects `socket` if the document wants a terminal; without one, a foreground verb serves it. Options that
    /// contradict the document are refused.
    pub fn open(terminal: bool, socket: Option<&Path>, foreground: bool) -> Result<Self, Cause> {
        let (sender, receiver) = match socket {
            Some(_) if !terminal => return Err(process::Error::NoTerminal.into()),
            Some(path) => {
                let what = format!("--console-socket {}", path.display());
                (Some(UnixStream::connect(path).map_err(Cause::io(what))?.into()), None)
            }
            None if !terminal => (None, None),
            None if !foreground => return Err(process::Error::NoConsole.into()),
            None => {
                let (ours, theirs) = socket::stream_pair().during("socketpair", "AF_UNIX")?;
                (Some(theirs), Some(ours))
            }
        };
        Ok(Self { sender, receiver })
    }

    /// The terminal that init has sent, if it is ours to serve.
    pub fn receive(&self) -> Result<Option<Terminal>, Cause> {
        Ok(self.receiver.as_ref().map(|receiver| Terminal::receive(receiver.as_fd())).transpose()?)
    }
}
