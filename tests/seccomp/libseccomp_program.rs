//! The program that libseccomp makes of a profile, driven as runc drives it.

use std::io::{Read, Seek};

use hull::spec::{Action, Arg, Operator, Seccomp};
use hull::sys::seccomp::Instruction;
use libseccomp::{ScmpAction, ScmpArch, ScmpArgCompare, ScmpCompareOp, ScmpFilterContext, ScmpSyscall};

use crate::machines::Machine;

/// Compiles `profile` for `machines` and nothing else.
pub fn compile(profile: &Seccomp, machines: &[Machine], big_endian: bool) -> Vec<Instruction> {
    let default = action(profile.default_action, profile.default_errno_ret);
    let mut context = ScmpFilterContext::new(default).unwrap();
    context.remove_arch(libseccomp::ScmpArch::native()).unwrap();
    for machine in machines {
        context.add_arch(machine.scmp).unwrap();
    }
    for rule in &profile.syscalls {
        let action = action(rule.action, rule.errno_ret);
        if action == default {
            continue;
        }
        for name in rule.names.iter() {
            let Ok(call) = ScmpSyscall::from_name(name) else { continue };
            let args: Vec<_> = rule.args.iter().map(compare).collect();
            let added = match repeats(&rule.args) {
                _ if args.is_empty() => context.add_rule(action, call).map(drop),
                false => context.add_rule_conditional(action, call, &args).map(drop),
                true => args.iter().try_for_each(|arg| {
                    context.add_rule_conditional(action, call, std::slice::from_ref(arg)).map(drop)
                }),
            };
            added.unwrap_or_else(|err| panic!("{name} {rule:?}: {err}"));
        }
    }
    let mut file = tempfile::tempfile().unwrap();
    context.export_bpf(&file).unwrap();
    file.rewind().unwrap();
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    bytes.chunks_exact(8).map(|bytes| instruction(bytes.try_into().unwrap(), big_endian)).collect()
}

/// Whether the installed libseccomp is new enough for a call. It also confuses two, which share a placeholder where
/// they do not exist (switch_endian and sys_debug_setcontext).
pub fn is_known(name: &str) -> bool {
    ScmpSyscall::from_name(name).is_ok_and(|call| call.get_name().is_ok_and(|known| known == name))
}

/// Whether it has a number for a call of a machine, or a placeholder for one behind socketcall and ipc.
pub fn has_number(name: &str, machine: ScmpArch) -> bool {
    ScmpSyscall::from_name_by_arch(name, machine).is_ok_and(|number| i32::from(number) > -10_000)
}

/// libseccomp writes programs in the byte order of the machine that they are for, but not the operand of every return.
fn instruction([c0, c1, jt, jf, k0, k1, k2, k3]: [u8; 8], big_endian: bool) -> Instruction {
    let (code, mut k) = match big_endian {
        true => (u16::from_be_bytes([c0, c1]), u32::from_be_bytes([k0, k1, k2, k3])),
        false => (u16::from_le_bytes([c0, c1]), u32::from_le_bytes([k0, k1, k2, k3])),
    };
    if code == 0x06 && !is_verdict(k) {
        k = k.swap_bytes();
        assert!(is_verdict(k), "return of {k:#x}");
    }
    Instruction { code, jt, jf, k }
}

/// Whether a value is one of SECCOMP_RET_*, with data only where that means something.
fn is_verdict(value: u32) -> bool {
    let with_data = [0x0005_0000, 0x7ff0_0000];
    let without = [0, 0x8000_0000, 0x0003_0000, 0x7fc0_0000, 0x7ffc_0000, 0x7fff_0000];
    with_data.contains(&(value & 0xffff_0000)) || without.contains(&value)
}

fn repeats(args: &[Arg]) -> bool {
    (0..6).any(|index| args.iter().filter(|arg| arg.index == index).count() > 1)
}

fn action(action: Action, errno: Option<u32>) -> ScmpAction {
    let errno = errno.unwrap_or(1);
    match action {
        Action::Kill | Action::KillThread => ScmpAction::KillThread,
        Action::KillProcess => ScmpAction::KillProcess,
        Action::Trap => ScmpAction::Trap,
        Action::Errno => ScmpAction::Errno(errno.cast_signed()),
        Action::Trace => ScmpAction::Trace(errno.try_into().unwrap()),
        Action::Allow => ScmpAction::Allow,
        Action::Log => ScmpAction::Log,
        Action::Notify => ScmpAction::Notify,
    }
}

fn compare(arg: &Arg) -> ScmpArgCompare {
    let (op, value) = match arg.op {
        Operator::Ne => (ScmpCompareOp::NotEqual, arg.value),
        Operator::Lt => (ScmpCompareOp::Less, arg.value),
        Operator::Le => (ScmpCompareOp::LessOrEqual, arg.value),
        Operator::Eq => (ScmpCompareOp::Equal, arg.value),
        Operator::Ge => (ScmpCompareOp::GreaterEqual, arg.value),
        Operator::Gt => (ScmpCompareOp::Greater, arg.value),
        Operator::MaskedEq => (ScmpCompareOp::MaskedEqual(arg.value), arg.value_two),
    };
    ScmpArgCompare::new(arg.index, op, value)
}
