//! A connection to a D-Bus daemon, or to systemd's own socket, which speaks the same: made, authenticated, and used by
//! one call at a time.

use std::cell::Cell;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Error;
use super::wire::{self, Encoder, FIXED, Message, Method, kind};

/// How long systemd may take for an answer: it is busy while it reloads, and its jobs wait for each other.
const PATIENCE: Duration = Duration::from_secs(30);

/// The daemon that passes messages on.
const DAEMON: Method = Method {
    destination: "org.freedesktop.DBus",
    path: "/org/freedesktop/DBus",
    interface: "org.freedesktop.DBus",
    member: "",
};

/// An authenticated connection.
#[derive(Debug)]
pub(super) struct Bus {
    socket: UnixStream,
    serial: Cell<u32>,
}

/// Where a connection can be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// What an error calls it.
    pub name: String,
    socket: Socket,
    /// Whether a daemon listens there, and not systemd itself.
    daemon: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Socket {
    Path(PathBuf),
    Abstract(Vec<u8>),
}

impl Address {
    /// systemd's own socket.
    pub fn private(path: &Path) -> Self {
        Self { name: path.display().to_string(), socket: Socket::Path(path.to_owned()), daemon: false }
    }

    /// The daemon's, by a list such as DBUS_SESSION_BUS_ADDRESS (D-Bus specification, "Server Addresses").
    pub fn daemon(list: &OsString) -> Vec<Self> {
        let list = list.to_string_lossy();
        let socket = |address: &str| {
            let (key, value) = address.strip_prefix("unix:")?.split(',').find_map(|pair| {
                pair.split_once('=').filter(|(key, _)| matches!(*key, "path" | "abstract"))
            })?;
            let value = unescape(value);
            Some(if key == "path" {
                Socket::Path(String::from_utf8(value).ok()?.into())
            } else {
                Socket::Abstract(value)
            })
        };
        let known = list.split(';').filter_map(|address| Some((address, socket(address)?)));
        known.map(|(address, socket)| Self { name: address.to_owned(), socket, daemon: true }).collect()
    }

    fn connect(&self) -> io::Result<UnixStream> {
        match &self.socket {
            Socket::Path(path) => UnixStream::connect(path),
            Socket::Abstract(name) => UnixStream::connect_addr(&SocketAddr::from_abstract_name(name)?),
        }
    }
}

/// `%2f` is a slash.
fn unescape(text: &str) -> Vec<u8> {
    let mut parts = text.split('%');
    let mut plain = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        match part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                plain.push(byte);
                plain.extend(&part.as_bytes()[2..]);
            }
            None => plain.extend(part.bytes()),
        }
    }
    plain
}

impl Bus {
    /// Connects; a daemon is told that `signals` are wanted.
    pub fn connect(address: &Address, signals: &str) -> Result<Self, Error> {
        let named = |err| Error::Connection { address: address.name.clone(), source: err };
        let socket = address.connect().map_err(named)?;
        socket.set_write_timeout(Some(PATIENCE)).map_err(named)?;
        let bus = Self { socket, serial: Cell::new(0) };
        // EXTERNAL without a name: who we are is what the socket says, which also holds in a user namespace, where our
        // own idea of our user id is another than the daemon's.
        bus.send(b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n").map_err(named)?;
        bus.authenticated(Instant::now() + PATIENCE)?;
        if address.daemon {
            bus.call(Method { member: "Hello", ..DAEMON }, "", |_| {})?;
            bus.call(Method { member: "AddMatch", ..DAEMON }, "s", |body| body.text(signals))?;
        }
        Ok(bus)
    }

    /// Reads lines up to the one that lets us in.
    fn authenticated(&self, deadline: Instant) -> Result<(), Error> {
        let mut line = Vec::new();
        loop {
            let mut byte = [0];
            self.receive(&mut byte, deadline)?;
            line.push(byte[0]);
            if line.ends_with(b"\r\n") {
                if line.starts_with(b"OK ") {
                    return Ok(());
                }
                if !line.starts_with(b"DATA") {
                    return Err(Error::Protocol("that we are not who we are"));
                }
                line.clear();
            }
            if line.len() > 1024 {
                return Err(Error::Protocol("a line without an end"));
            }
        }
    }

    /// Calls a method; returns the answer.
    pub fn call(
        &self,
        method: Method,
        signature: &str,
        arguments: impl FnOnce(&mut Encoder),
    ) -> Result<Message, Error> {
        self.converse(method, signature, arguments, |_| {})
    }

    /// The same, with an ear for signals that come before the answer.
    pub fn converse(
        &self,
        method: Method,
        signature: &str,
        arguments: impl FnOnce(&mut Encoder),
        mut signal: impl FnMut(Message),
    ) -> Result<Message, Error> {
        let serial = self.serial.get() + 1;
        self.serial.set(serial);
        let sent = self.send(&wire::call(serial, method, signature, arguments));
        sent.map_err(|source| Error::Connection { address: method.member.to_owned(), source })?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let message = self.next(deadline)?;
            match message.kind {
                kind::RETURN if message.answers == serial => return Ok(message),
                kind::ERROR if message.answers == serial => {
                    let said = message.texts()?.first().copied().unwrap_or_default().to_owned();
                    return Err(Error::Refused { method: method.member, name: message.error, said });
                }
                kind::SIGNAL => signal(message),
                _ => {}
            }
        }
    }

    /// Waits for signals until one is what was waited for.
    pub fn await_signal<T>(&self, mut wanted: impl FnMut(&Message) -> Option<T>) -> Result<T, Error> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) =
                Some(self.next(deadline)?).filter(|m| m.kind == kind::SIGNAL).and_then(|m| wanted(&m))
            {
                return Ok(found);
            }
        }
    }

    fn next(&self, deadline: Instant) -> Result<Message, Error> {
        let mut fixed = [0; FIXED];
        self.receive(&mut fixed, deadline)?;
        let mut bytes = fixed.to_vec();
        bytes.resize(FIXED + wire::length_of_rest(&fixed)?, 0);
        self.receive(&mut bytes[FIXED..], deadline)?;
        Message::parse(&bytes)
    }

    fn send(&self, bytes: &[u8]) -> io::Result<()> {
        (&self.socket).write_all(bytes)
    }

    fn receive(&self, mut buffer: &mut [u8], deadline: Instant) -> Result<(), Error> {
        while !buffer.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            // Zero would mean to wait for ever.
            self.socket.set_read_timeout(Some(left.max(Duration::from_millis(1)))).map_err(Error::lost)?;
            match (&self.socket).read(buffer) {
                Ok(0) => return Err(Error::lost(io::ErrorKind::UnexpectedEof.into())),
                Ok(read) => buffer = &mut buffer[read..],
                Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => {
                    return Err(Error::Silent(PATIENCE.as_secs()));
                }
                Err(err) => return Err(Error::lost(err)),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &str) -> Vec<Socket> {
        Address::daemon(&list.into()).into_iter().map(|address| address.socket).collect()
    }

    #[test]
    fn addresses_are_paths_or_abstract_names() {
        assert_eq!(names("unix:path=/run/bus"), [Socket::Path("/run/bus".into())]);
        assert_eq!(names("unix:abstract=/tmp/x,guid=1"), [Socket::Abstract(b"/tmp/x".to_vec())]);
        let expected = [Socket::Path("/a b".into()), Socket::Path("/c".into())];
        assert_eq!(names("unix:guid=1,path=/a%20b;tcp:host=x;unix:path=/c"), expected);
        assert_eq!(names(""), []);
        assert_eq!(names("unix:runtime=yes"), []);
    }
}
