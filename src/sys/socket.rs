//! Packets and descriptors between processes, without allocating.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, accept4, recv, send, socketpair};

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

/// Sends one packet with a descriptor (SCM_RIGHTS); returns how many bytes of it a stream took.
pub fn send_with_fd(socket: BorrowedFd, packet: &[u8], fd: BorrowedFd) -> Result<usize, Errno> {
    let part = IoSlice::new(packet);
    let mut control = [0u64; 3];
    // SAFETY: msghdr is plain data, for which all zeroes is a valid value.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = (&raw const part).cast_mut().cast();
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    // SAFETY: CMSG_SPACE and CMSG_LEN only compute.
    let (space, length) = unsafe { (libc::CMSG_SPACE(4), libc::CMSG_LEN(4)) };
    header.msg_controllen = space.try_into().map_err(|_| Errno::EINVAL)?;
    // SAFETY: the control buffer holds one message with one descriptor, for which it is large and aligned enough.
    unsafe {
        let message = libc::CMSG_FIRSTHDR(&raw const header);
        (*message).cmsg_level = libc::SOL_SOCKET;
        (*message).cmsg_type = libc::SCM_RIGHTS;
        (*message).cmsg_len = length.try_into().map_err(|_| Errno::EINVAL)?;
        libc::CMSG_DATA(message).cast::<RawFd>().write_unaligned(fd.as_raw_fd());
    }
    // SAFETY: header points to live buffers of the lengths it states.
    let sent =
        Errno::result(unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const header, libc::MSG_NOSIGNAL) })?;
    usize::try_from(sent).map_err(|_| Errno::EINVAL)
}

/// Receives the beginning of one packet, which stays to be received again (MSG_PEEK); returns how long all of it is.
pub fn look_at(socket: BorrowedFd, packet: &mut [u8]) -> Result<usize, Errno> {
    loop {
        match recv(socket.as_raw_fd(), packet, MsgFlags::MSG_PEEK | MsgFlags::MSG_TRUNC) {
            Err(Errno::EINTR) => {}
            seen => return seen,
        }
    }
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
