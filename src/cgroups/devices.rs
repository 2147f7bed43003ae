//! Enforcing device rules: by the files of the v1 controller, or by a small program that the kernel runs at every
//! mknod(2) and open(2) of a device node in a v2 cgroup.
//!
//! The program looks at the rules from the last to the first and keeps the wanted accesses in a register. An
//! allowing rule strikes out those it grants, and with none left the answer is yes; a denying rule that names one
//! still wanted makes the answer no, and so does the end of the list.

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
const KIND: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;

/// Instructions of the eBPF instruction set (kernel Documentation/bpf/standardization), 32 bit forms.
mod op {
    pub const LOAD_WORD: u8 = 0x61;
    pub const MOVE: u8 = 0xbc;
    pub const MOVE_CONST: u8 = 0xb4;
    pub const AND_CONST: u8 = 0x54;
    pub const SHIFT_RIGHT_CONST: u8 = 0x74;
    pub const JUMP: u8 = 0x05;
    pub const JUMP_UNLESS_EQUAL_CONST: u8 = 0x56;
    pub const JUMP_IF_BITS_CONST: u8 = 0x46;
    pub const EXIT: u8 = 0x95;
}

const fn insn(code: u8, destination: u8, source: u8, offset: i16, immediate: i32) -> Insn {
    Insn { code, registers: source << 4 | destination, offset, immediate }
}

/// The program that decides by `rules`.
fn program(rules: &[DeviceRule]) -> Vec<Insn> {
    let mut program = vec![
        // The first word holds the kind in its low half and the wanted accesses in its high half.
        insn(op::LOAD_WORD, WANTED, CONTEXT, 0, 0),
        insn(op::LOAD_WORD, MAJOR, CONTEXT, 4, 0),
        insn(op::LOAD_WORD, MINOR, CONTEXT, 8, 0),
        insn(op::MOVE, KIND, WANTED, 0, 0),
        insn(op::AND_CONST, KIND, 0, 0, 0xffff),
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
    let kind = match rule.kind {
        DeviceKind::All => None,
        DeviceKind::Block => Some(1),
        DeviceKind::Char => Some(2),
    };
    let mut tests = Vec::with_capacity(3);
    tests.extend(kind.map(|kind| (KIND, kind)));
    tests.extend(rule.major.map(|major| (MAJOR, major.cast_signed())));
    tests.extend(rule.minor.map(|minor| (MINOR, minor.cast_signed())));
    let Access(access) = rule.access;
    let action: Vec<Insn> = if rule.allow {
        let [answer, exit] = verdict(true);
        vec![
            insn(op::AND_CONST, WANTED, 0, 0, !i32::from(access)),
            insn(op::JUMP_UNLESS_EQUAL_CONST, WANTED, 0, 2, 0),
            answer,
            exit,
        ]
    } else {
        let [answer, exit] = verdict(false);
        vec![
            insn(op::JUMP_IF_BITS_CONST, WANTED, 0, 1, i32::from(access)),
            insn(op::JUMP, 0, 0, 2, 0),
            answer,
            exit,
        ]
    };
    // A test that fails jumps over the tests after it and the action, which are seven instructions at most.
    let mut left = tests.len() + action.len();
    for (register, value) in tests {
        left -= 1;
        program.push(insn(op::JUMP_UNLESS_EQUAL_CONST, register, 0, i16::try_from(left).unwrap_or(0), value));
    }
    program.extend(action);
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
        let mut registers = [0u32; 6];
        let mut at = 0usize;
        loop {
            let insn = program.get(at)?;
            let destination = usize::from(insn.registers & 15);
            let source = registers[usize::from(insn.registers >> 4)];
            let constant = insn.immediate.cast_unsigned();
            let value = registers[destination];
            let skip = usize::try_from(insn.offset).unwrap();
            at += 1;
            match insn.code {
                op::LOAD_WORD => registers[destination] = context[skip / 4],
                op::MOVE => registers[destination] = source,
                op::MOVE_CONST => registers[destination] = constant,
                op::AND_CONST => registers[destination] = value & constant,
                op::SHIFT_RIGHT_CONST => registers[destination] = value >> constant,
                op::JUMP => at += skip,
                op::JUMP_UNLESS_EQUAL_CONST if value != constant => at += skip,
                op::JUMP_IF_BITS_CONST if value & constant != 0 => at += skip,
                op::JUMP_UNLESS_EQUAL_CONST | op::JUMP_IF_BITS_CONST => {}
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
                    major: [None, Some(1), Some(2), Some(u32::MAX)][random(4) as usize],
                    minor: [None, Some(0), Some(3)][random(3) as usize],
                    access: Access(u8::try_from(1 + random(7)).unwrap()),
                })
                .collect();
            let program = program(&rules);
            for kind in [1, 2] {
                for major in [1, 2, 3, u32::MAX] {
                    for minor in [0, 3, 4] {
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
        assert_eq!(program(&[part, total]).len(), 6 + 2);
        assert_eq!(program(&[total, part]).len(), 6 + 5 + 2);
    }
}
