//! Enforcing device rules: by the files of the v1 controller, or by a small program that the kernel runs at every
//! mknod(2) and open(2) of a device node in a v2 cgroup.
//!
//! The program looks at the rules from the last to the first and keeps the wanted accesses in a register. An
//! allowing rule strikes out those it grants, and with none left the answer is yes; a denying rule that names one
//! still wanted makes the answer no, and so does the end of the list.
//!
//! Kind, major and minor number are one key, compared at once and in a copy. The verifier learns something of whatever a
//! jump looks at, and walks the rest of the program once more for each thing it may know: with a jump for each number,
//! loading took four times as long.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use super::{Error, file};
use crate::plan::{Access, DeviceKind, DeviceList, DeviceRule};
use crate::sys::bpf::{self, Insn};
use crate::sys::{Context, Errno, closing};

/// Makes a v1 cgroup have exactly `list`.
///
/// A default of deny is changed by its differences only, so that a running container never finds a device closed
/// that it may use before and after.
pub(super) fn write_list(dir: &Path, list: &DeviceList) -> Result<(), Error> {
    let present = if list.allow { String::new() } else { file::read(&dir.join("devices.list"))? };
    // `a *:* rwm` is also what a list with a default of allow shows, whatever its exceptions are.
    if list.allow || present.lines().any(|line| line.starts_with('a')) {
        return write_new_list(dir, list);
    }
    let wanted = lines_of(list);
    let present: Vec<&str> = present.lines().collect();
    write_lines(dir, false, present.iter().copied().filter(|line| !wanted.iter().any(|rule| rule == line)))?;
    write_lines(dir, true, wanted.iter().map(String::as_str).filter(|rule| !present.contains(rule)))
}

/// Makes a v1 cgroup that nobody has joined have exactly `list`.
pub(super) fn write_new_list(dir: &Path, list: &DeviceList) -> Result<(), Error> {
    write_lines(dir, list.allow, ["a"])?;
    write_lines(dir, !list.allow, lines_of(list).iter().map(String::as_str))
}

fn lines_of(list: &DeviceList) -> Vec<String> {
    list.exceptions.iter().map(ToString::to_string).collect()
}

fn write_lines<'a>(dir: &Path, allow: bool, lines: impl IntoIterator<Item = &'a str>) -> Result<(), Error> {
    let path = dir.join(if allow { "devices.allow" } else { "devices.deny" });
    let mut open: Option<OwnedFd> = None;
    for line in lines {
        let failed = |errno| Error::Write { file: path.clone(), value: line.to_owned(), errno };
        let fd = match open.take() {
            Some(fd) => fd,
            None => file::open_for_writing(&path).map_err(failed)?,
        };
        file::write_to(&fd, line).map_err(failed)?;
        open = Some(fd);
    }
    open.into_iter().for_each(closing::later);
    Ok(())
}

/// What our programs are called.
const NAME: bpf::Name = *b"hull_devices\0\0\0\0";

/// Makes a v2 cgroup obey `rules` and no earlier ones, without a moment in which neither hold.
///
/// `shared` with systemd, the cgroup keeps the programs of others, who would miss them.
pub(super) fn attach(dir: &Path, rules: &[DeviceRule], shared: bool) -> Result<(), Error> {
    let program = load(&program(rules))?;
    let cgroup = file::open_dir(dir).map_err(|errno| Error::Read { file: dir.to_owned(), errno })?;
    let what = || format!("device program of {}", dir.display());
    let old = bpf::device_programs(cgroup.as_fd()).during("bpf", what())?;
    let mut old: Vec<OwnedFd> =
        old.into_iter().map(bpf::program_by_id).collect::<Result<_, Errno>>().during("bpf", what())?;
    if shared {
        old.retain(|program| bpf::program_name(program.as_fd()) == Ok(NAME));
    }
    let replaced: Option<BorrowedFd> = if let [only] = &old[..] { Some(only.as_fd()) } else { None };
    bpf::attach_device_program(cgroup.as_fd(), program.as_fd(), replaced).during("bpf", what())?;
    if replaced.is_none() {
        // All attached programs must agree, so between these calls the stricter of both holds.
        for program in &old {
            bpf::detach_device_program(cgroup.as_fd(), program.as_fd()).during("bpf", what())?;
        }
    }
    Ok(())
}

fn load(program: &[Insn]) -> Result<OwnedFd, Error> {
    let loaded = match bpf::load_device_program(program, NAME) {
        // Before Linux 5.11 programs count as locked memory. Where the limit may not be raised, the answer stands.
        Err(Errno::EPERM) => {
            use nix::sys::resource::{RLIM_INFINITY, Resource, setrlimit};
            setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY).ok();
            bpf::load_device_program(program, NAME)
        }
        loaded => loaded,
    };
    Ok(loaded.during("bpf", format_args!("BPF_PROG_LOAD, {} instructions for devices", program.len()))?)
}

/// Registers by use: `r1` is the argument (`struct bpf_cgroup_dev_ctx`), `r0` the answer.
const VERDICT: u8 = 0;
const CONTEXT: u8 = 1;
const WANTED: u8 = 2;
const KEY: u8 = 3;
const MASKED: u8 = 4;
const VALUE: u8 = 5;

/// Where the numbers are in a key: beside one another as in the kernel's dev_t (include/linux/kdev_t.h), below the kind.
const MAJOR_SHIFT: u8 = 20;
const KIND_SHIFT: u8 = 32;
const MINORS: u32 = 1 << MAJOR_SHIFT;
const MAJORS: u32 = 1 << (KIND_SHIFT - MAJOR_SHIFT);

/// Instructions of the eBPF instruction set (kernel Documentation/bpf/standardization), of 32 and of 64 bits.
mod op {
    pub const LOAD_WORD: u8 = 0x61;
    pub const MOVE: u8 = 0xbc;
    pub const MOVE_CONST: u8 = 0xb4;
    pub const AND_CONST: u8 = 0x54;
    pub const SHIFT_RIGHT_CONST: u8 = 0x74;
    pub const JUMP_IF_EQUAL_CONST: u8 = 0x16;
    pub const JUMP_UNLESS_EQUAL_CONST: u8 = 0x56;
    pub const EXIT: u8 = 0x95;
    /// Takes two places; the second has the upper half.
    pub const LOAD_CONST64: u8 = 0x18;
    pub const SHIFT_LEFT_CONST64: u8 = 0x67;
    pub const OR64: u8 = 0x4f;
    pub const AND64: u8 = 0x5f;
    pub const JUMP_UNLESS_EQUAL64: u8 = 0x5d;
}

const fn insn(code: u8, destination: u8, source: u8, offset: i16, immediate: i32) -> Insn {
    Insn { code, registers: source << 4 | destination, offset, immediate }
}

/// The program that decides by `rules`.
fn program(rules: &[DeviceRule]) -> Vec<Insn> {
    let mut program = vec![
        // The first word holds the kind in its low half and the wanted accesses in its high half.
        insn(op::LOAD_WORD, WANTED, CONTEXT, 0, 0),
        insn(op::LOAD_WORD, KEY, CONTEXT, 4, 0),
        insn(op::LOAD_WORD, MASKED, CONTEXT, 8, 0),
        insn(op::SHIFT_LEFT_CONST64, KEY, 0, 0, MAJOR_SHIFT.into()),
        insn(op::OR64, KEY, MASKED, 0, 0),
        insn(op::MOVE, MASKED, WANTED, 0, 0),
        insn(op::AND_CONST, MASKED, 0, 0, 0xffff),
        insn(op::SHIFT_LEFT_CONST64, MASKED, 0, 0, KIND_SHIFT.into()),
        insn(op::OR64, KEY, MASKED, 0, 0),
        insn(op::SHIFT_RIGHT_CONST, WANTED, 0, 0, 16),
    ];
    for rule in rules.iter().rev() {
        if rule.is_total() {
            // Nothing before it counts, and the verifier refuses instructions that cannot be reached.
            program.extend(verdict(rule.allow));
            return program;
        }
        emit(rule, &mut program);
    }
    program.extend(verdict(false));
    program
}

fn emit(rule: &DeviceRule, program: &mut Vec<Insn>) {
    let Some((mask, value)) = key(rule) else {
        return;
    };
    let Access(access) = rule.access;
    let [answer, exit] = verdict(rule.allow);
    let action = match (rule.allow, rule.access) {
        (_, Access::ALL) => vec![answer, exit],
        (true, _) => vec![
            insn(op::AND_CONST, WANTED, 0, 0, !i32::from(access)),
            insn(op::JUMP_UNLESS_EQUAL_CONST, WANTED, 0, 2, 0),
            answer,
            exit,
        ],
        (false, _) => vec![
            insn(op::MOVE, MASKED, WANTED, 0, 0),
            insn(op::AND_CONST, MASKED, 0, 0, i32::from(access)),
            insn(op::JUMP_IF_EQUAL_CONST, MASKED, 0, 2, 0),
            answer,
            exit,
        ],
    };
    if mask != 0 {
        program.extend(constant(MASKED, mask));
        program.push(insn(op::AND64, MASKED, KEY, 0, 0));
        program.extend(constant(VALUE, value));
        // Over the action, which is five instructions at most.
        let skip = i16::try_from(action.len()).unwrap_or(0);
        program.push(insn(op::JUMP_UNLESS_EQUAL64, MASKED, VALUE, skip, 0));
    }
    program.extend(action);
}

/// The bits of a key that a rule speaks of, and what they must be; `None` if no device has such numbers.
fn key(rule: &DeviceRule) -> Option<(u64, u64)> {
    let (mut mask, mut value) = (0, 0);
    let mut want = |number: Option<u32>, below: u32, shift: u8| match number {
        Some(number) if number >= below => None,
        Some(number) => {
            mask |= u64::from(below - 1) << shift;
            value |= u64::from(number) << shift;
            Some(())
        }
        None => Some(()),
    };
    let kind = match rule.kind {
        DeviceKind::All => None,
        DeviceKind::Block => Some(1),
        DeviceKind::Char => Some(2),
    };
    want(rule.minor, MINORS, 0)?;
    want(rule.major, MAJORS, MAJOR_SHIFT)?;
    want(kind, 4, KIND_SHIFT)?;
    Some((mask, value))
}

/// Fills a register.
const fn constant(register: u8, value: u64) -> [Insn; 2] {
    let [a, b, c, d, e, f, g, h] = value.to_le_bytes();
    let [low, high] = [i32::from_le_bytes([a, b, c, d]), i32::from_le_bytes([e, f, g, h])];
    [insn(op::LOAD_CONST64, register, 0, 0, low), insn(0, 0, 0, 0, high)]
}

const fn verdict(allow: bool) -> [Insn; 2] {
    [insn(op::MOVE_CONST, VERDICT, 0, 0, if allow { 1 } else { 0 }), insn(op::EXIT, 0, 0, 0, 0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a program as the kernel would; `None` if it leaves its bounds.
    fn run(program: &[Insn], kind: u32, major: u32, minor: u32, wanted: u8) -> Option<bool> {
        let context = [u32::from(wanted) << 16 | kind, major, minor];
        let mut registers = [0u64; 6];
        let mut at = 0usize;
        loop {
            let insn = program.get(at)?;
            let destination = usize::from(insn.registers & 15);
            let source = registers[usize::from(insn.registers >> 4)];
            let constant = u64::from(insn.immediate.cast_unsigned());
            let value = registers[destination];
            let low = value & u64::from(u32::MAX);
            let skip = usize::try_from(insn.offset).unwrap();
            at += 1;
            match insn.code {
                op::LOAD_WORD => registers[destination] = context[skip / 4].into(),
                op::LOAD_CONST64 => {
                    let upper = program.get(at)?.immediate.cast_unsigned();
                    registers[destination] = u64::from(upper) << 32 | constant;
                    at += 1;
                }
                op::MOVE => registers[destination] = source & u64::from(u32::MAX),
                op::MOVE_CONST => registers[destination] = constant,
                op::AND_CONST => registers[destination] = low & constant,
                op::SHIFT_RIGHT_CONST => registers[destination] = low >> constant,
                op::SHIFT_LEFT_CONST64 => registers[destination] = value << constant,
                op::OR64 => registers[destination] = value | source,
                op::AND64 => registers[destination] = value & source,
                op::JUMP_UNLESS_EQUAL64 if value != source => at += skip,
                op::JUMP_UNLESS_EQUAL_CONST if low != constant => at += skip,
                op::JUMP_IF_EQUAL_CONST if low == constant => at += skip,
                op::JUMP_UNLESS_EQUAL64 | op::JUMP_UNLESS_EQUAL_CONST | op::JUMP_IF_EQUAL_CONST => {}
                op::EXIT => return Some(registers[0] != 0),
                _ => return None,
            }
        }
    }

    /// The meaning of a list, said the slow way: each access on its own, the last rule that speaks of it wins.
    fn meaning(rules: &[DeviceRule], kind: u32, major: u32, minor: u32, wanted: u8) -> bool {
        [1, 2, 4].into_iter().filter(|bit| wanted & bit != 0).all(|bit| {
            let speaks = |rule: &&DeviceRule| {
                let same_kind = match rule.kind {
                    DeviceKind::All => true,
                    DeviceKind::Block => kind == 1,
                    DeviceKind::Char => kind == 2,
                };
                same_kind
                    && rule.major.is_none_or(|own| own == major)
                    && rule.minor.is_none_or(|own| own == minor)
                    && rule.access.0 & bit != 0
            };
            rules.iter().rev().find(speaks).is_some_and(|rule| rule.allow)
        })
    }

    #[test]
    fn programs_decide_as_the_last_matching_rule_says() {
        // A small linear congruential generator: the same lists in every run.
        let mut state = 7u32;
        let mut random = move |below: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) % below
        };
        for _ in 0..2000 {
            let rules: Vec<DeviceRule> = (0..random(7))
                .map(|_| DeviceRule {
                    allow: random(2) == 0,
                    kind: [DeviceKind::All, DeviceKind::Char, DeviceKind::Block][random(3) as usize],
                    major: [None, Some(1), Some(MAJORS - 1), Some(MAJORS)][random(4) as usize],
                    minor: [None, Some(0), Some(3), Some(u32::MAX)][random(4) as usize],
                    access: Access(u8::try_from(1 + random(7)).unwrap()),
                })
                .collect();
            let program = program(&rules);
            for kind in [1, 2] {
                for major in [1, 2, 3, MAJORS - 1] {
                    for minor in [0, 3, 4, MINORS - 1] {
                        for wanted in 1..=7 {
                            let expected = meaning(&rules, kind, major, minor, wanted);
                            let decided = run(&program, kind, major, minor, wanted);
                            assert_eq!(decided, Some(expected), "{rules:?}: {kind} {major}:{minor} {wanted}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn nothing_follows_a_rule_that_decides_everything() {
        let total =
            DeviceRule { allow: true, kind: DeviceKind::All, major: None, minor: None, access: Access::ALL };
        let part = DeviceRule { allow: false, minor: Some(3), ..total };
        assert_eq!(program(&[part, total]).len(), 10 + 2);
        assert_eq!(program(&[total, part]).len(), 10 + 6 + 2 + 2);
    }
}
