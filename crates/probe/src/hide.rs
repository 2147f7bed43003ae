//! `probe hide CALL[:INDEX:FLAGS].. -- PROGRAM [ARG..]`: runs a program on what looks like an older kernel.
//!
//! A call answers ENOSYS; or only where the argument of that index has all the FLAGS, and then EINVAL. That is what a
//! kernel says that does not know them yet. It holds for all that the program starts.

use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::sys;
use crate::syscalls::{number, scalar};

/// Offsets in struct seccomp_data.
const NUMBER: u32 = 0;
const ARGUMENTS: u32 = 16;

const ENOSYS: u32 = 38;
const EINVAL: u32 = 22;

/// Does not return unless something is wrong.
pub fn run(words: &[&str]) -> i32 {
    let (calls, program) = words.split_at(words.iter().position(|word| *word == "--").unwrap_or(words.len()));
    let mut filter = Vec::new();
    for call in calls {
        let mut parts = call.split(':');
        let Some(number) = parts.next().and_then(number) else {
            eprintln!("probe: unknown call {call}");
            return 2;
        };
        let mut value = || parts.next().and_then(|text| u32::try_from(scalar(text)).ok());
        filter.extend(rule(number, value().zip(value())));
    }
    filter.push(Insn::ret(libc::SECCOMP_RET_ALLOW));
    if let Err(errno) = load(&filter) {
        eprintln!("probe: seccomp: {errno:?}");
        return 2;
    }
    let Some((program, args)) = program.get(1..).and_then(<[&str]>::split_first) else { return 2 };
    eprintln!("probe: {program}: {}", Command::new(program).args(args).exec());
    2
}

/// Jumps past itself unless it is this call with these flags. The calls of 32-bit programs have other numbers, but no
/// test makes any.
fn rule(number: u32, argument: Option<(u32, u32)>) -> Vec<Insn> {
    let answer = |errno| Insn::ret(libc::SECCOMP_RET_ERRNO | errno);
    let Some((index, flags)) = argument else {
        return vec![Insn::load(NUMBER), Insn::jump_unless(number, 1), answer(ENOSYS)];
    };
    vec![
        Insn::load(NUMBER),
        Insn::jump_unless(number, 4),
        Insn::load(ARGUMENTS + 8 * index),
        Insn::and(flags),
        Insn::jump_unless(flags, 1),
        answer(EINVAL),
    ]
}

/// One instruction of a seccomp filter.
#[repr(transparent)]
struct Insn(libc::sock_filter);

impl Insn {
    fn new(code: u32, jf: u8, k: u32) -> Self {
        Self(libc::sock_filter { code: u16::try_from(code).unwrap_or(0), jt: 0, jf, k })
    }

    /// Loads a word of struct seccomp_data.
    fn load(offset: u32) -> Self {
        Self::new(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, offset)
    }

    /// Keeps these bits of what was loaded.
    fn and(mask: u32) -> Self {
        Self::new(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, 0, mask)
    }

    /// Skips instructions unless it is this value.
    fn jump_unless(value: u32, skipped: u8) -> Self {
        Self::new(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, skipped, value)
    }

    /// Decides.
    fn ret(action: u32) -> Self {
        Self::new(libc::BPF_RET | libc::BPF_K, 0, action)
    }
}

/// Loads a filter for ourselves and all that we start.
fn load(filter: &[Insn]) -> Result<(), sys::Errno> {
    let len = u16::try_from(filter.len()).map_err(|_| sys::Errno(libc::EINVAL))?;
    let program = libc::sock_fprog { len, filter: filter.as_ptr().cast_mut().cast() };
    let mode = usize::try_from(libc::SECCOMP_SET_MODE_FILTER).unwrap_or(1);
    sys::raw(libc::SYS_seccomp, [mode, 0, (&raw const program).addr(), 0, 0, 0]).map(drop)
}
