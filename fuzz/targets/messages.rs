//! What arrives on sockets: from init, from the program (sd_notify), from a terminal's sender, from systemd, from CRIU.
//! The first byte chooses who writes.
#![no_main]

use std::cell::LazyCell;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use hull::checkpoint::protobuf;
use hull::process::{NotifySocket, sync};
use hull::sys::socket;
use hull::systemd::wire;
use libfuzzer_sys::fuzz_target;

/// A packet of init's, with a descriptor or without; then the end of file.
fn from_init(packet: &[u8], with_fd: bool) {
    let (ours, theirs) = socket::pair().expect("a pair");
    let sent = match with_fd {
        true => socket::send_with_fd(theirs.as_fd(), packet, theirs.as_fd()).map(drop),
        false => socket::send_packet(theirs.as_fd(), packet),
    };
    drop(theirs);
    if sent.is_err() || packet.is_empty() {
        return;
    }
    for kind in [sync::Kind::Go, sync::Kind::Commit, sync::Kind::Start] {
        let found = sync::look_for(ours.as_fd(), kind);
        assert!(
            found.is_err() || (packet.len() == 12 && packet[0] == kind as u8),
            "{packet:?} is no {kind:?}"
        );
    }
    match sync::receive(ours.as_fd()) {
        Ok(Some(said)) => assert!(packet.len() >= 12 && said.fd.is_some() == with_fd),
        Ok(None) => panic!("a packet is no end of file: {packet:?}"),
        Err(_) => assert!(packet.len() < 12 || sync::Kind::ALL.iter().all(|kind| *kind as u8 != packet[0])),
    }
    assert!(matches!(sync::receive(ours.as_fd()), Ok(None)));
}

/// Datagrams of the program's, one a line of two empty ones between; only `READY=1` as a line of its own is ready.
fn from_program(text: &[u8]) {
    thread_local! {
        static SUPERVISOR: LazyCell<(UnixDatagram, String)> = LazyCell::new(|| {
            let name = format!("hull-fuzz-{}", std::process::id());
            let address = SocketAddr::from_abstract_name(&name).expect("a name");
            (UnixDatagram::bind_addr(&address).expect("a socket"), format!("@{name}"))
        });
    }
    let (ours, theirs) = UnixDatagram::pair().expect("a pair");
    theirs.set_nonblocking(true).expect("O_NONBLOCK");
    let datagrams = text.split(|byte| *byte == 0).take(8).filter(|datagram| theirs.send(datagram).is_ok());
    let lines =
        datagrams.flat_map(|datagram| datagram[..datagram.len().min(4096)].split(|byte| *byte == b'\n'));
    let ready = lines.filter(|line| line == b"READY=1").count() > 0;
    let notify =
        SUPERVISOR.with(|supervisor| NotifySocket::connect(OwnedFd::from(ours), supervisor.1.as_ref()));
    assert!(notify.expect("a supervisor").hears_ready() == ready, "{text:?}");
}

/// A terminal's descriptor is taken, or there is none; a name that is too long is cut off.
fn from_terminal(name: &[u8], with_fd: bool) {
    let (ours, theirs) = socket::stream_pair().expect("a pair");
    if with_fd && !name.is_empty() {
        socket::send_with_fd(theirs.as_fd(), name, theirs.as_fd()).expect("a message");
    } else {
        socket::send_packet(theirs.as_fd(), name).expect("a message");
    }
    drop(theirs);
    let mut room = [0; 64];
    let (length, fd) = socket::receive(ours.as_fd(), &mut room).expect("a message");
    assert!(length == name.len().min(room.len()) && fd.is_some() == (with_fd && !name.is_empty()));
    assert!(fd.is_none_or(|fd| fd.as_raw_fd() > 2));
}

fuzz_target!(|data: &[u8]| {
    let Some((who, said)) = data.split_first() else { return };
    match who % 6 {
        0 => from_init(said, false),
        1 => from_init(said, true),
        2 => from_program(said),
        3 => from_terminal(said, who & 64 != 0),
        4 => {
            if let Some(fixed) = said.first_chunk() {
                let _ = wire::length_of_rest(fixed);
            }
            if let Ok(message) = wire::Message::parse(said) {
                let _ = message.texts();
            }
        }
        _ => {
            let count = protobuf::fields(said).take(said.len() + 1).count();
            assert!(count <= said.len(), "{count} fields in {} bytes", said.len());
        }
    }
});
