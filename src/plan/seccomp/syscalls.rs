//! System calls by name, for every architecture that a profile can list.
//!
//! A plan keeps a call as its place in one sorted table, so a name is looked up once however many architectures
//! there are. The table is constant data without pointers: it costs nothing at start, and its pages are only
//! touched where a profile looks.

use std::fmt;

use super::Arch;

include!("syscalls.table");

/// Architectures with a numbering of their own; two byte orders of one machine share it.
const COLUMNS: usize = 18;

/// The architecture lacks the call.
const X: u16 = u16::MAX;

/// Where each name begins in [`NAMES`], and where the last one ends.
static STARTS: [u16; NUMBERS.len() + 1] = starts();

/// The places in [`NAMES`] by hash of the name: each at the hash's slot, or the next free one after it.
static PLACES: [u16; SLOTS] = places();

/// A power of two, and twice the number of names, so that most are found where they are looked for.
const SLOTS: usize = 1024;

/// A system call that the kernel has, or once had, on some architecture.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Syscall(u16);

impl Syscall {
    /// Looks a name up.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let mut slot = slot_of(name.as_bytes());
        loop {
            match PLACES[slot] {
                X => return None,
                place if name_at(usize::from(place)) == name => return Some(Self(place)),
                _ => slot = (slot + 1) % SLOTS,
            }
        }
    }

    /// Every call, by name.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..STARTS.len() - 1).filter_map(|place| u16::try_from(place).ok().map(Self))
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        name_at(usize::from(self.0))
    }

    /// What seccomp_data.nr holds when a program of this architecture makes the call; `None` if it cannot.
    #[must_use]
    pub fn number(self, arch: Arch) -> Option<u32> {
        let (column, base) = numbering(arch);
        match NUMBERS[usize::from(self.0)][column] {
            X => None,
            // ARM's private calls start at 0xf0000 and are written without one of the zeroes.
            private @ 0xf000.. => Some(0xf_0000 + u32::from(private & 0xfff)),
            number => Some(base + u32::from(number)),
        }
    }
}

impl fmt::Debug for Syscall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The column of an architecture, and the number that its calls start at.
fn numbering(arch: Arch) -> (usize, u32) {
    match arch {
        Arch::X86 => (0, 0),
        Arch::X86_64 => (1, 0),
        Arch::X32 => (2, 0x4000_0000),
        Arch::Arm => (3, 0),
        Arch::Aarch64 => (4, 0),
        Arch::Mips | Arch::Mipsel => (5, 4000),
        Arch::Mips64 | Arch::Mipsel64 => (6, 5000),
        Arch::Mips64n32 | Arch::Mipsel64n32 => (7, 6000),
        Arch::Ppc => (8, 0),
        Arch::Ppc64 | Arch::Ppc64le => (9, 0),
        Arch::S390 => (10, 0),
        Arch::S390x => (11, 0),
        Arch::Parisc => (12, 0),
        Arch::Parisc64 => (13, 0),
        Arch::Riscv64 => (14, 0),
        Arch::Loongarch64 => (15, 0),
        Arch::M68k => (16, 0),
        Arch::Sh | Arch::Sheb => (17, 0),
    }
}

fn name_at(place: usize) -> &'static str {
    &NAMES[usize::from(STARTS[place])..usize::from(STARTS[place + 1]) - 1]
}

#[expect(clippy::cast_possible_truncation, reason = "evaluated at build time, where the names are 7 KiB")]
const fn starts() -> [u16; NUMBERS.len() + 1] {
    let mut starts = [0; NUMBERS.len() + 1];
    let (mut place, mut at) = (1, 0);
    while at < NAMES.len() {
        if NAMES.as_bytes()[at] == b' ' {
            starts[place] = at as u16 + 1;
            place += 1;
        }
        at += 1;
    }
    assert!(place == starts.len() && NAMES.len() < X as usize);
    starts
}

/// FNV-1a, of which the low bits are good enough.
const fn slot_of(name: &[u8]) -> usize {
    let (mut hash, mut at) = (0x811c_9dc5_u32, 0);
    while at < name.len() {
        hash = (hash ^ name[at] as u32).wrapping_mul(0x0100_0193);
        at += 1;
    }
    hash as usize % SLOTS
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "evaluated at build time, where the names are some hundreds"
)]
const fn places() -> [u16; SLOTS] {
    assert!(NUMBERS.len() <= SLOTS / 2, "more slots, then");
    let mut places = [X; SLOTS];
    let mut place = 0;
    while place < NUMBERS.len() {
        let (_, after) = NAMES.as_bytes().split_at(STARTS[place] as usize);
        let (name, _) = after.split_at((STARTS[place + 1] - STARTS[place]) as usize - 1);
        let mut slot = slot_of(name);
        while places[slot] != X {
            slot = (slot + 1) % SLOTS;
        }
        places[slot] = place as u16;
        place += 1;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_every_name_and_nothing_else() {
        for call in Syscall::all() {
            assert_eq!(Syscall::named(call.name()), Some(call));
        }
        for name in ["", " ", "aaa", "openat ", "zzz", "open at", "accept accept4"] {
            assert_eq!(Syscall::named(name), None, "{name:?}");
        }
    }

    #[test]
    fn numbers_of_known_calls() {
        let number = |name, arch| Syscall::named(name).unwrap().number(arch);
        assert_eq!(number("read", Arch::X86_64), Some(0));
        assert_eq!(number("read", Arch::X32), Some(0x4000_0000));
        assert_eq!(number("open", Arch::Aarch64), None);
        assert_eq!(number("open", Arch::Mipsel), Some(4005));
        assert_eq!(number("set_tls", Arch::Arm), Some(0xf_0005));
        assert_eq!(number("openat", Arch::Loongarch64), Some(56));
        assert_eq!(number("mseal", Arch::M68k), Some(462));
        assert_eq!(number("socketcall", Arch::Sheb), Some(102));
    }
}
