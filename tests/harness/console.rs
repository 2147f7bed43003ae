//! The receiving end of `--console-socket`: gets the pseudoterminal's master by SCM_RIGHTS.

use std::io::{IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

use super::event::readable;

/// A listening socket.
pub struct Console {
    path: PathBuf,
    listener: UnixListener,
}

impl Console {
    /// Listens in `dir`.
    pub fn new(dir: &Path) -> Self {
        let path = dir.join("console.sock");
        let listener = UnixListener::bind(&path).unwrap();
        Self { path, listener }
    }

    /// For `--console-socket`.
    pub fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }

    /// The master of the terminal that a runtime sent.
    pub fn master(&self) -> OwnedFd {
        assert!(readable(&self.listener, Duration::from_secs(20)), "no connection to the console socket");
        let (connection, _) = self.listener.accept().unwrap();
        let (mut name, mut space) = ([0; 256], [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))]);
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut parts = [IoSliceMut::new(&mut name)];
        recvmsg(&connection, &mut parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC).unwrap();
        let fd = ancillary.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
            _ => None,
        });
        fd.expect("a message without a descriptor")
    }

    /// Types a line and the end of input to a program that repeats what it reads, and wants to see it twice: from the
    /// terminal and from the program.
    #[track_caller]
    pub fn assert_echoes(master: OwnedFd) {
        let mut keyboard = std::fs::File::from(master.try_clone().unwrap());
        keyboard.write_all(b"hello\n\x04").unwrap();
        let text = Self::read_to_end(master);
        assert!(text.matches("hello").count() >= 2, "no echo and output in {text:?}");
    }

    /// The one document that is written to the terminal.
    pub fn json(master: OwnedFd) -> serde_json::Value {
        let text = Self::read_to_end(master);
        serde_json::from_str(text.trim()).unwrap_or_else(|err| panic!("{err}: {text}"))
    }

    /// All that is written to the terminal until its last user closes it.
    pub fn read_to_end(master: OwnedFd) -> String {
        let mut file = std::fs::File::from(master);
        let (mut text, deadline) = (Vec::new(), Instant::now() + Duration::from_secs(20));
        let mut part = [0; 4096];
        while Instant::now() < deadline && readable(&file, Duration::from_secs(20)) {
            // EIO is how a master sees that nobody has the terminal open.
            match file.read(&mut part) {
                Ok(0) | Err(_) => return String::from_utf8_lossy(&text).into_owned(),
                Ok(length) => text.extend_from_slice(&part[..length]),
            }
        }
        panic!("the terminal was never closed; so far: {}", String::from_utf8_lossy(&text));
    }
}
