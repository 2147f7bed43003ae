//! socketcall(2) and ipc(2): one call that stands for many, chosen by its first argument.
//!
//! A rule for `socket` must also govern `socketcall(SYS_SOCKET)`, or the older call would be a way around it (or,
//! in a list of allowed calls, be forbidden to the programs that know nothing else). The arguments proper lie behind a
//! pointer, where no filter can look: as with libseccomp, conditions on the first one are lost, for it now says
//! which call is meant, and the other conditions stay.

use crate::plan::seccomp::{Arch, Syscall};

/// The calls behind socketcall, from 1 on (net.h).
const SOCKET_CALLS: [&str; 20] = [
    "socket",
    "bind",
    "connect",
    "listen",
    "accept",
    "getsockname",
    "getpeername",
    "socketpair",
    "send",
    "recv",
    "sendto",
    "recvfrom",
    "shutdown",
    "setsockopt",
    "getsockopt",
    "sendmsg",
    "recvmsg",
    "accept4",
    "recvmmsg",
    "sendmmsg",
];

/// The calls behind ipc (ipc.h).
const IPC_CALLS: [(u8, &str); 12] = [
    (1, "semop"),
    (2, "semget"),
    (3, "semctl"),
    (4, "semtimedop"),
    (11, "msgsnd"),
    (12, "msgrcv"),
    (13, "msgget"),
    (14, "msgctl"),
    (21, "shmat"),
    (22, "shmdt"),
    (23, "shmget"),
    (24, "shmctl"),
];

/// The calls that one architecture also reaches through a multiplexer, in the order of their names.
pub(super) struct Multiplexers(Vec<(Syscall, u32, u8)>);

impl Multiplexers {
    /// Those of `arch`; none on most.
    pub(super) fn of(arch: Arch) -> Self {
        let number = |name| Syscall::named(name).and_then(|call| call.number(arch));
        let (Some(socketcall), Some(ipc), true) = (number("socketcall"), number("ipc"), has_any(arch)) else {
            return Self(Vec::new());
        };
        let sockets = (1..).zip(SOCKET_CALLS).map(|(selector, name)| (name, socketcall, selector));
        let ipcs = IPC_CALLS.into_iter().map(|(selector, name)| (name, ipc, selector));
        let mut calls: Vec<_> = sockets
            .chain(ipcs)
            .filter_map(|(name, number, selector)| Some((Syscall::named(name)?, number, selector)))
            .collect();
        calls.sort_unstable();
        Self(calls)
    }

    /// The number of the multiplexer that can stand for `call`, and the first argument that makes it do so.
    pub(super) fn find(&self, call: Syscall) -> Option<(u32, u8)> {
        let place = self.0.binary_search_by_key(&call, |&(call, ..)| call).ok()?;
        let (_, number, selector) = self.0[place];
        Some((number, selector))
    }
}

fn has_any(arch: Arch) -> bool {
    use Arch::{M68k, Mips, Mipsel, Ppc, Ppc64, Ppc64le, S390, S390x, Sh, Sheb, X86};
    matches!(arch, X86 | Mips | Mipsel | Ppc | Ppc64 | Ppc64le | S390 | S390x | M68k | Sh | Sheb)
}
