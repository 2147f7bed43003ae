//! Packets and descriptors between processes, without allocating.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, accept4, send, sendmsg, socketpair,
};

use super::Errno;

/// A pair of connected SOCK_SEQPACKET sockets, closed on exec.
pub fn pair() -> Result<(OwnedFd, OwnedFd), Errno> {
    socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
}

/// A pair of connected SOCK_STREAM sockets, closed on exec.
pub fn stream_pair() -> Result<(OwnedFd, OwnedFd), Errno> {
    socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC)
}

/// accept4(2), closed on exec.
pub fn accept(listener: BorrowedFd) -> Result<OwnedFd, Errno> {
    loop {
        match accept4(listener.as_raw_fd(), SockFlag::SOCK_CLOEXEC) {
            // SAFETY: the kernel has just returned this descriptor to us alone.
            Ok(fd) => return Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Sends one packet; a vanished reader is EPIPE, not SIGPIPE.
pub fn send_packet(socket: BorrowedFd, packet: &[u8]) -> Result<(), Errno> {
    send(socket.as_raw_fd(), packet, MsgFlags::MSG_NOSIGNAL).map(drop)
}

/// Sends one packet with a descriptor (SCM_RIGHTS). Allocates, so only for the runtime's side.
pub fn send_with_fd(socket: BorrowedFd, packet: &[u8], fd: BorrowedFd) -> Result<(), Errno> {
    let fds: [RawFd; 1] = [fd.as_raw_fd()];
    let parts = [IoSlice::new(packet)];
    let rights = [ControlMessage::ScmRights(&fds)];
    sendmsg::<()>(socket.as_raw_fd(), &parts, &rights, MsgFlags::MSG_NOSIGNAL, None).map(drop)
}

/// Receives one packet and at most one descriptor; a length of 0 means that the other side is gone.
pub fn receive(socket: BorrowedFd, packet: &mut [u8]) -> Result<(usize, Option<OwnedFd>), Errno> {
    let mut part = IoSliceMut::new(packet);
    let mut control = [0u64; 8];
    // SAFETY: msghdr is plain data, for which all zeroes is a valid value.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = (&raw mut part).cast();
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = size_of_val(&control).try_into().map_err(|_| Errno::EINVAL)?;
    let length = loop {
        // SAFETY: header points to live buffers of the lengths it states.
        match Errno::result(unsafe {
            libc::recvmsg(socket.as_raw_fd(), &raw mut header, libc::MSG_CMSG_CLOEXEC)
        }) {
            Ok(length) => break length,
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    };
    Ok((length.try_into().map_err(|_| Errno::EINVAL)?, first_descriptor(&header)))
}

/// Takes the first descriptor out of a received header. More than one is never sent to us.
fn first_descriptor(header: &libc::msghdr) -> Option<OwnedFd> {
    // SAFETY: header was filled by recvmsg and its control buffer is alive.
    let message = unsafe { libc::CMSG_FIRSTHDR(header).as_ref()? };
    if (message.cmsg_level, message.cmsg_type) != (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
        return None;
    }
    // SAFETY: an SCM_RIGHTS message carries at least one descriptor, which recvmsg gave to us alone.
    Some(unsafe { OwnedFd::from_raw_fd(libc::CMSG_DATA(message).cast::<RawFd>().read_unaligned()) })
}
