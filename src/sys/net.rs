//! The one thing a new network namespace needs from us: its loopback interface up.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use super::Errno;
use super::clone::setns;
use super::netlink::own_netns;

/// Brings `lo` up (SIOCSIFFLAGS, netdevice(7)).
pub fn loopback_up() -> Result<(), Errno> {
    let inet = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    // SAFETY: ifreq is plain data, for which all zeroes is a valid value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = (*from).cast_signed() as libc::c_char;
    }
    request.ifr_ifru.ifru_flags =
        i16::try_from(libc::IFF_UP | libc::IFF_RUNNING).map_err(|_| Errno::EINVAL)?;
    let code = libc::SIOCSIFFLAGS.try_into().map_err(|_| Errno::EINVAL)?;
    // SAFETY: the argument points to a live ifreq.
    Errno::result(unsafe { libc::ioctl(inet.as_raw_fd(), code, &raw const request) })?;
    super::closing::later(inet);
    Ok(())
}

/// The same in another network namespace.
pub fn loopback_up_in(netns: BorrowedFd) -> Result<(), Errno> {
    let own = own_netns()?;
    setns(netns, libc::CLONE_NEWNET)?;
    let done = loopback_up();
    setns(own.as_fd(), libc::CLONE_NEWNET)?;
    done
}
