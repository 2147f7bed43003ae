//! What the runtime and the container's init say to each other, over one SOCK_SEQPACKET pair.
//!
//! ```text
//! runtime                         init
//!    ───────────── Go ─────────────►   id maps, idmapped mounts or interfaces are done
//!    ◄─────────── Forked + pidfd ───   init is another process now (joined user namespaces only)
//!    ───────────── Go ─────────────►   and the runtime knows it
//!    ◄─────────── NetNs + fd ───────   the network namespace stands: interfaces may be moved in; the answer is Go
//!    ◄─────────── Hooks ────────────   namespaces and mounts stand: prestart and createRuntime may run
//!    ───────────── HooksDone ──────►
//!    ◄─────────── Listener + fd ────   seccomp notifications
//!    ◄─────────── Ready ────────────   nothing but `start` is missing
//!    ───────────── Commit ─────────►   the container is recorded
//!    ───────────── Start ──────────►   over the start socket, when create and start are two commands
//!    ◄─────────── Fail ─────────────   at any time: step, errno, and a text if a program said something
//!    ◄─────────── end of file ──────   after Commit or Start: the program was executed
//! ```
//!
//! Death closes the socket just as execve does. But a socket that closes with something unread resets the connection
//! (unix(7)). So init only looks at the runtime's last packet, Commit or Start, and takes it right before execve: if it
//! dies in between, that is no end of file to the runtime, but ECONNRESET.
//!
//! End of file towards init before Commit means that the runtime died: init ends too, so that no container outlives
//! its record. A packet is 12 bytes (kind, zero, step as u16, number as i32, detail as i32, native byte order) and perhaps a text.

use std::os::fd::{BorrowedFd, OwnedFd};

use crate::sys::{Errno, socket};

/// What a packet says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Runtime: go on.
    Go = 1,
    /// Init: I am this process now.
    Forked,
    /// Init: move the interfaces into this network namespace.
    NetNs,
    /// Init: run the hooks.
    Hooks,
    /// Runtime: they succeeded.
    HooksDone,
    /// Init: here is the seccomp listener.
    Listener,
    /// Init: all is set up.
    Ready,
    /// Runtime: you are recorded.
    Commit,
    /// `start`: execute the program.
    Start,
    /// Init: this step failed.
    Fail,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Go,
        Self::Forked,
        Self::NetNs,
        Self::Hooks,
        Self::HooksDone,
        Self::Listener,
        Self::Ready,
        Self::Commit,
        Self::Start,
        Self::Fail,
    ];
}

/// Longest text of a packet, in bytes.
pub const MAX_TEXT: usize = 1024;

/// Size of the fixed part, in bytes.
const HEADER: usize = 12;

/// One packet.
#[derive(Debug)]
pub struct Packet {
    /// What it says.
    pub kind: Kind,
    /// Which step failed, counted back from the last one, which is 1: `start` knows the end of the plan, but not its
    /// beginning, which depends on the options of `create`.
    pub step: u16,
    /// errno of a failure; the pid of `Forked`; signals that init ignores, as bits, of `Commit`.
    pub number: i32,
    /// How a hook ended, see [`super::hooks::Outcome`].
    pub detail: i32,
    /// What a failing program said.
    pub text: Text,
    /// The descriptor that came along.
    pub fd: Option<OwnedFd>,
}

/// A short text without an allocation.
#[derive(Debug, Clone, Copy)]
pub struct Text {
    bytes: [u8; MAX_TEXT],
    length: usize,
}

impl Default for Text {
    fn default() -> Self {
        Self { bytes: [0; MAX_TEXT], length: 0 }
    }
}

impl Text {
    /// Appends; when full, the oldest bytes go, as the end of what a program says matters most.
    pub fn push(&mut self, bytes: &[u8]) {
        let bytes = &bytes[bytes.len().saturating_sub(MAX_TEXT)..];
        let excess = (self.length + bytes.len()).saturating_sub(MAX_TEXT);
        self.bytes.copy_within(excess..self.length, 0);
        self.length -= excess;
        self.bytes[self.length..self.length + bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// Sends a packet without anything else.
pub fn send(socket: BorrowedFd, kind: Kind) -> Result<(), Errno> {
    send_number(socket, kind, 0)
}

/// Sends a packet with a number.
pub fn send_number(socket: BorrowedFd, kind: Kind, number: i32) -> Result<(), Errno> {
    socket::send_packet(socket, &header(kind, 0, number, 0))
}

/// Sends a packet with a number and a descriptor.
pub fn send_fd(socket: BorrowedFd, kind: Kind, number: i32, fd: BorrowedFd) -> Result<(), Errno> {
    socket::send_with_fd(socket, &header(kind, 0, number, 0), fd).map(drop)
}

/// Reports a failed step.
pub fn send_failure(
    socket: BorrowedFd,
    step: u16,
    errno: Errno,
    detail: i32,
    text: &Text,
) -> Result<(), Errno> {
    let mut packet = [0; HEADER + MAX_TEXT];
    packet[..HEADER].copy_from_slice(&header(Kind::Fail, step, errno as i32, detail));
    let end = HEADER + text.length;
    packet[HEADER..end].copy_from_slice(text.as_bytes());
    socket::send_packet(socket, &packet[..end])
}

/// Receives a packet; `None` at end of file.
pub fn receive(socket: BorrowedFd) -> Result<Option<Packet>, Errno> {
    let mut packet = [0; HEADER + MAX_TEXT];
    let (length, fd) = socket::receive(socket, &mut packet)?;
    if length == 0 {
        return Ok(None);
    }
    let kind = Kind::ALL.into_iter().find(|&kind| kind as u8 == packet[0]);
    let (Some(kind), true) = (kind, length >= HEADER) else { return Err(Errno::EPROTO) };
    let step = u16::from_ne_bytes([packet[2], packet[3]]);
    let (number, detail) = (integer(&packet, 4), integer(&packet, 8));
    let mut text = Text::default();
    text.push(&packet[HEADER..length]);
    Ok(Some(Packet { kind, step, number, detail, text, fd }))
}

/// Waits until init has executed the program (`None`), says why it could not, or has died before (ECONNRESET).
pub fn await_exec(socket: BorrowedFd) -> Result<Option<Packet>, Errno> {
    match receive(socket) {
        // The kernel tells this first, and what init said before it ended afterwards.
        Err(Errno::ECONNRESET) => receive(socket)?.map_or(Err(Errno::ECONNRESET), |packet| Ok(Some(packet))),
        said => said,
    }
}

/// Waits for exactly this packet, which stays to be found again, and returns its number.
pub fn look_for(socket: BorrowedFd, kind: Kind) -> Result<i32, Errno> {
    let mut packet = [0; HEADER];
    match socket::look_at(socket, &mut packet)? {
        0 => Err(Errno::EPIPE),
        length if length == HEADER && packet[0] == kind as u8 => Ok(integer(&packet, 4)),
        _ => Err(Errno::EPROTO),
    }
}

/// Waits for exactly this packet; anything else, or end of file, means that we are not wanted any more.
pub fn expect(socket: BorrowedFd, kind: Kind) -> Result<(), Errno> {
    match receive(socket)? {
        Some(packet) if packet.kind == kind => Ok(()),
        Some(_) => Err(Errno::EPROTO),
        None => Err(Errno::EPIPE),
    }
}

fn integer(packet: &[u8], at: usize) -> i32 {
    i32::from_ne_bytes([packet[at], packet[at + 1], packet[at + 2], packet[at + 3]])
}

fn header(kind: Kind, step: u16, number: i32, detail: i32) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[0] = kind as u8;
    header[2..4].copy_from_slice(&step.to_ne_bytes());
    header[4..8].copy_from_slice(&number.to_ne_bytes());
    header[8..].copy_from_slice(&detail.to_ne_bytes());
    header
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_failure_crosses_with_its_text() {
        let (ours, theirs) = socket::pair().unwrap();
        let mut text = Text::default();
        text.push(&[b'x'; MAX_TEXT]);
        text.push(b"the end");
        send_failure(ours.as_fd(), 7, Errno::EACCES, 0, &text).unwrap();
        let packet = receive(theirs.as_fd()).unwrap().unwrap();
        assert_eq!((packet.kind, packet.step, packet.number), (Kind::Fail, 7, libc::EACCES));
        assert_eq!(packet.text.as_bytes().len(), MAX_TEXT);
        assert!(packet.text.as_bytes().ends_with(b"xthe end"));
    }

    /// The runtime's end of a connection on which init has seen Start.
    fn started(init: impl FnOnce(BorrowedFd)) -> OwnedFd {
        let (ours, theirs) = socket::pair().unwrap();
        send(ours.as_fd(), Kind::Start).unwrap();
        look_for(theirs.as_fd(), Kind::Start).unwrap();
        init(theirs.as_fd());
        ours
    }

    #[test]
    fn death_is_no_execution() {
        let executed = started(|init| expect(init, Kind::Start).unwrap());
        assert!(await_exec(executed.as_fd()).unwrap().is_none());
        let died = started(|_| ());
        assert_eq!(await_exec(died.as_fd()).err(), Some(Errno::ECONNRESET));
        let failed = started(|init| send_failure(init, 1, Errno::ENOENT, 0, &Text::default()).unwrap());
        assert_eq!(await_exec(failed.as_fd()).unwrap().unwrap().kind, Kind::Fail);
        assert!(look_for(failed.as_fd(), Kind::Go).is_err());
    }

    #[test]
    fn a_packet_that_only_begins_like_one_is_another() {
        let (ours, theirs) = socket::pair().unwrap();
        let mut packet = header(Kind::Commit, 0, 0, 0).to_vec();
        packet.push(0);
        socket::send_packet(ours.as_fd(), &packet).unwrap();
        assert_eq!(look_for(theirs.as_fd(), Kind::Commit), Err(Errno::EPROTO));
    }

    #[test]
    fn a_vanished_peer_is_end_of_file() {
        let (ours, theirs) = socket::pair().unwrap();
        drop(ours);
        assert!(receive(theirs.as_fd()).unwrap().is_none());
        assert_eq!(expect(theirs.as_fd(), Kind::Go), Err(Errno::EPIPE));
    }
}
