//! rtnetlink(7), as far as moving an interface between namespaces needs it: find one, send it away, bring it up, and
//! carry its addresses over.
//!
//! A request is a header, a fixed part, and attributes; everything is in native byte order and padded to 4 bytes.

use std::ffi::CStr;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};

use super::clone::setns;
use super::{Errno, errno_of};

/// Size of nlmsghdr.
const HEADER: usize = 16;

/// Size of ifinfomsg, the fixed part of link messages.
const LINK: usize = 16;

/// Size of ifaddrmsg, the fixed part of address messages.
const ADDRESS: usize = 8;

/// Metric of the route that an address brings along; not in libc.
const IFA_RT_PRIORITY: u16 = 9;

/// The kernel sends no larger datagram to a reader that offers this much.
const BUFFER: usize = 32 * 1024;

/// A socket that speaks for one network namespace, wherever the process itself is.
#[derive(Debug)]
pub struct Netlink {
    socket: OwnedFd,
    sequence: u32,
}

/// An interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its number.
    pub index: i32,
    /// Its name.
    pub name: String,
    /// IFF_UP.
    pub up: bool,
}

/// An address of an interface, as the kernel tells it, so that it can be set again with nothing lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Family, length of the prefix, flags, scope.
    fixed: [u8; 4],
    attributes: Vec<u8>,
    /// All of its flags, IFA_F_*.
    flags: u32,
}

impl Address {
    /// Whether it was set to stay (IFA_F_PERMANENT), unlike one with a lifetime.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.flags & libc::IFA_F_PERMANENT != 0
    }

    /// Whether it is valid everywhere (RT_SCOPE_UNIVERSE), not on the link or host alone.
    #[must_use]
    pub fn is_global(&self) -> bool {
        self.fixed[3] == libc::RT_SCOPE_UNIVERSE
    }

    fn parse(body: &[u8]) -> Option<(i32, Self)> {
        let (fixed, attributes) = body.split_at_checked(ADDRESS)?;
        let index = i32::from_ne_bytes(fixed[4..].try_into().ok()?);
        let fixed: [u8; 4] = fixed[..4].try_into().ok()?;
        let mut address = Self { fixed, attributes: Vec::new(), flags: fixed[2].into() };
        for (kind, value) in Attributes(attributes) {
            match kind {
                libc::IFA_FLAGS => address.flags = u32::from_ne_bytes(value.try_into().ok()?),
                libc::IFA_ADDRESS | libc::IFA_LOCAL | libc::IFA_BROADCAST | IFA_RT_PRIORITY => {}
                // The label repeats the interface's old name; the lifetime of a permanent address is endless.
                _ => continue,
            }
            put_attribute(&mut address.attributes, kind, value);
        }
        Some((index, address))
    }
}

impl Netlink {
    /// Speaks for our own network namespace.
    pub fn open() -> Result<Self, Errno> {
        let (kind, flags) = (SockType::Raw, SockFlag::SOCK_CLOEXEC);
        let socket = socket(AddressFamily::Netlink, kind, flags, SockProtocol::NetlinkRoute)?;
        Ok(Self { socket, sequence: 0 })
    }

    /// Speaks for another one, which this thread visits for as long as the socket is made.
    pub fn open_in(netns: BorrowedFd) -> Result<Self, Errno> {
        let own = own_netns()?;
        setns(netns, libc::CLONE_NEWNET)?;
        let opened = Self::open();
        setns(own.as_fd(), libc::CLONE_NEWNET)?;
        opened
    }

    /// The interface of that name; ENODEV when there is none.
    pub fn link_named(&mut self, name: &str) -> Result<Link, Errno> {
        let mut request = link_message(0, 0, 0);
        put_name(&mut request, name);
        self.link(request)
    }

    /// The interface of that number; ENODEV when there is none.
    pub fn link_at(&mut self, index: i32) -> Result<Link, Errno> {
        self.link(link_message(index, 0, 0))
    }

    fn link(&mut self, request: Vec<u8>) -> Result<Link, Errno> {
        let found = self.request(libc::RTM_GETLINK, libc::NLM_F_ACK, request)?;
        found.iter().find_map(|body| parse_link(body)).ok_or(Errno::ENODEV)
    }

    /// Moves an interface to another namespace, under a new number and name (IFLA_NEW_IFINDEX, kernel 5.13).
    pub fn move_link(&mut self, from: i32, netns: BorrowedFd, to: i32, name: &str) -> Result<(), Errno> {
        let mut request = link_message(from, 0, 0);
        put_attribute(&mut request, libc::IFLA_NET_NS_FD, &netns.as_raw_fd().to_ne_bytes());
        put_attribute(&mut request, libc::IFLA_NEW_IFINDEX, &to.to_ne_bytes());
        put_name(&mut request, name);
        self.request(libc::RTM_SETLINK, libc::NLM_F_ACK, request).map(drop)
    }

    /// Brings an interface up.
    pub fn set_up(&mut self, index: i32) -> Result<(), Errno> {
        let up = libc::IFF_UP.cast_unsigned();
        self.request(libc::RTM_SETLINK, libc::NLM_F_ACK, link_message(index, up, up)).map(drop)
    }

    /// The addresses of an interface, of every family.
    pub fn addresses(&mut self, index: i32) -> Result<Vec<Address>, Errno> {
        loop {
            // Family 0 is all of them.
            match self.request(libc::RTM_GETADDR, libc::NLM_F_DUMP, vec![0; ADDRESS]) {
                // They changed while they were listed.
                Err(Errno::EINTR) => {}
                result => {
                    let found = result?;
                    let all = found.iter().filter_map(|body| Address::parse(body));
                    return Ok(all.filter(|(of, _)| *of == index).map(|(_, address)| address).collect());
                }
            }
        }
    }

    /// Gives an interface an address.
    pub fn add_address(&mut self, index: i32, address: &Address) -> Result<(), Errno> {
        let request = [&address.fixed[..], &index.to_ne_bytes(), &address.attributes].concat();
        let flags = libc::NLM_F_ACK | libc::NLM_F_CREATE | libc::NLM_F_REPLACE;
        self.request(libc::RTM_NEWADDR, flags, request).map(drop)
    }

    /// Sends one request and collects the bodies of the answer, up to its acknowledgement or the end of a list.
    fn request(&mut self, kind: u16, flags: i32, body: Vec<u8>) -> Result<Vec<Vec<u8>>, Errno> {
        self.sequence += 1;
        let flags = u16::try_from(flags | libc::NLM_F_REQUEST).map_err(|_| Errno::EINVAL)?;
        let length = u32::try_from(HEADER + body.len()).map_err(|_| Errno::EMSGSIZE)?;
        let mut message = Vec::with_capacity(HEADER + body.len());
        message.extend(length.to_ne_bytes());
        message.extend(kind.to_ne_bytes());
        message.extend(flags.to_ne_bytes());
        message.extend(self.sequence.to_ne_bytes());
        // The sender's port: the kernel knows it.
        message.extend([0; 4]);
        message.extend(body);
        send(self.socket.as_raw_fd(), &message, MsgFlags::empty())?;
        let (mut answer, mut buffer) = (Answer::default(), vec![0; BUFFER]);
        loop {
            let length = recv(self.socket.as_raw_fd(), &mut buffer, MsgFlags::MSG_TRUNC)?;
            let datagram = buffer.get(..length).ok_or(Errno::EMSGSIZE)?;
            if answer.collect(datagram, self.sequence)? {
                return if answer.torn { Err(Errno::EINTR) } else { Ok(answer.bodies) };
            }
        }
    }
}

/// Our own network namespace.
pub fn own_netns() -> Result<OwnedFd, Errno> {
    let opened = File::open("/proc/thread-self/ns/net");
    opened.map(OwnedFd::from).map_err(|err| errno_of(&err))
}

/// What has come of an answer.
#[derive(Debug, Default)]
struct Answer {
    bodies: Vec<Vec<u8>>,
    /// The list changed while the kernel wrote it (NLM_F_DUMP_INTR). It must still be read to its end, for a socket
    /// takes no other request before.
    torn: bool,
}

impl Answer {
    /// Takes the messages of one datagram; true when the answer is complete.
    fn collect(&mut self, mut datagram: &[u8], sequence: u32) -> Result<bool, Errno> {
        while let Some(header) = datagram.first_chunk::<HEADER>() {
            let word = |at: usize| header[at..at + 4].try_into().map(u32::from_ne_bytes).unwrap_or(0);
            let [.., kind, kind_high, flags, flags_high] = *header.first_chunk::<8>().ok_or(Errno::EPROTO)?;
            let length = usize::try_from(word(0)).map_err(|_| Errno::EPROTO)?;
            let body = datagram.get(HEADER..length).ok_or(Errno::EPROTO)?;
            datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
            // What is left of an earlier request that failed half-way.
            if word(8) != sequence {
                continue;
            }
            self.torn |= i32::from(u16::from_ne_bytes([flags, flags_high])) & libc::NLM_F_DUMP_INTR != 0;
            match u16::from_ne_bytes([kind, kind_high]).into() {
                libc::NLMSG_DONE => return Ok(true),
                libc::NLMSG_ERROR => {
                    let code = body.first_chunk().map(|code| i32::from_ne_bytes(*code));
                    return match code.ok_or(Errno::EPROTO)? {
                        0 => Ok(true),
                        code => Err(Errno::from_raw(-code)),
                    };
                }
                _ => self.bodies.push(body.to_owned()),
            }
        }
        Ok(false)
    }
}

/// ifinfomsg: family and type are the kernel's to know.
fn link_message(index: i32, flags: u32, change: u32) -> Vec<u8> {
    [[0; 4], index.to_ne_bytes(), flags.to_ne_bytes(), change.to_ne_bytes()].concat()
}

fn parse_link(body: &[u8]) -> Option<Link> {
    let (fixed, attributes) = body.split_at_checked(LINK)?;
    let index = i32::from_ne_bytes(fixed[4..8].try_into().ok()?);
    let flags = u32::from_ne_bytes(fixed[8..12].try_into().ok()?);
    let (_, name) = Attributes(attributes).find(|(kind, _)| *kind == libc::IFLA_IFNAME)?;
    let name = CStr::from_bytes_until_nul(name).ok()?.to_str().ok()?.to_owned();
    Some(Link { index, name, up: flags & libc::IFF_UP.cast_unsigned() != 0 })
}

fn put_name(message: &mut Vec<u8>, name: &str) {
    put_attribute(message, libc::IFLA_IFNAME, &[name.as_bytes(), b"\0"].concat());
}

/// rtattr: length with header, type, value, padding. Names and addresses are far shorter than a length can say.
fn put_attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    message.extend(length.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(value);
    message.resize(message.len().next_multiple_of(4), 0);
}

/// Walks over attributes, as type and value.
struct Attributes<'a>(&'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let [low, high, kind @ ..] = *self.0.first_chunk::<4>()?;
        let length = usize::from(u16::from_ne_bytes([low, high]));
        let value = self.0.get(4..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((u16::from_ne_bytes(kind), value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_is_found_by_name_and_by_number() {
        let mut netlink = Netlink::open().unwrap();
        let lo = netlink.link_named("lo").unwrap();
        assert_eq!((lo.index, lo.name.as_str()), (1, "lo"));
        assert_eq!(netlink.link_at(1).unwrap(), lo);
        assert_eq!(netlink.link_named("no-such-dev0"), Err(Errno::ENODEV));
        for address in netlink.addresses(1).unwrap() {
            assert!(address.is_permanent());
            assert_eq!(address.is_global(), !matches!(address.fixed[3], libc::RT_SCOPE_HOST));
        }
    }

    #[test]
    fn attributes_are_read_as_they_are_written_and_nonsense_ends_the_walk() {
        let mut message = Vec::new();
        put_name(&mut message, "eth0");
        put_attribute(&mut message, 7, &[1, 2]);
        assert_eq!(message.len(), 12 + 8);
        assert_eq!(Attributes(&message).collect::<Vec<_>>(), [(3, &b"eth0\0"[..]), (7, &[1, 2])]);
        for nonsense in [&[0u8, 0, 0, 0][..], &[255, 255, 0, 0, 1], &[3, 0, 1, 0], &[5]] {
            assert_eq!(Attributes(nonsense).count(), 0, "{nonsense:?}");
        }
    }

    #[test]
    fn an_answer_ends_with_its_acknowledgement_and_stale_ones_are_passed_over() {
        let message = |kind: i32, sequence: u32, body: &[u8]| {
            let length = u32::try_from(HEADER + body.len()).unwrap().to_ne_bytes();
            let kind = u32::try_from(kind).unwrap().to_ne_bytes();
            [&length[..], &kind, &sequence.to_ne_bytes(), &[0; 4], body].concat()
        };
        let refusal = message(libc::NLMSG_ERROR, 2, &(-libc::EEXIST).to_ne_bytes());
        let mut answer = Answer::default();
        assert_eq!(answer.collect(&message(16, 2, b"body"), 2), Ok(false));
        let stale = message(libc::NLMSG_ERROR, 1, &[1; 4]);
        assert_eq!(answer.collect(&[stale, refusal].concat(), 2), Err(Errno::EEXIST));
        assert_eq!(answer.collect(&message(libc::NLMSG_DONE, 2, &[]), 2), Ok(true));
        assert_eq!((answer.bodies.as_slice(), answer.torn), (&[b"body".to_vec()][..], false));
        let mut cut = message(16, 2, b"body");
        cut.truncate(18);
        assert_eq!(Answer::default().collect(&cut, 2), Err(Errno::EPROTO));
    }
}
