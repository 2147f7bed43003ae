//! A profile taken at its word, rule by rule: who is right where two programs differ.

use hull::plan::seccomp::Syscall;
use hull::spec::{Action, Arch, Arg, Operator, Seccomp, SyscallRule};
use libseccomp::ScmpSyscall;

use crate::interpreter::Call;
use crate::machines::Machine;

/// The rules as one machine sees them.
pub struct Definition<'a> {
    machine: &'a Machine,
    wide: bool,
    default: u32,
    clauses: Vec<Clause<'a>>,
}

/// A rule for one call.
struct Clause<'a> {
    rule: &'a SyscallRule,
    value: u32,
    number: u32,
    /// What the first argument of socketcall or ipc has to be.
    selector: Option<u64>,
}

impl<'a> Definition<'a> {
    pub fn new(profile: &'a Seccomp, machine: &'a Machine) -> Self {
        let default = value(profile.default_action, profile.default_errno_ret);
        let mut clauses = Vec::new();
        for rule in &profile.syscalls {
            let value = value(rule.action, rule.errno_ret);
            for name in rule.names.iter().filter(|_| value != default) {
                let number = Syscall::named(name).and_then(|call| call.number(machine.arch));
                clauses.extend(number.map(|number| Clause { rule, value, number, selector: None }));
                clauses.extend(multiplexed(machine, name).map(|(number, selector)| Clause {
                    rule,
                    value,
                    number,
                    selector: Some(selector),
                }));
            }
        }
        let narrow = matches!(machine.arch, Arch::X32 | Arch::Mips64n32 | Arch::Mipsel64n32);
        Self { machine, wide: machine.audit & 0x8000_0000 != 0 && !narrow, default, clauses }
    }

    /// Whether a number is one of this machine's and not of another with the same AUDIT_ARCH.
    pub fn covers(&self, number: u32) -> bool {
        self.machine.audit != 0xc000_003e || (number >= 0x4000_0000) == (self.machine.base == 0x4000_0000)
    }

    /// The value that a program has to return.
    pub fn verdict(&self, call: &Call) -> u32 {
        let concerned = || self.clauses.iter().filter(|clause| clause.number == call.number);
        concerned()
            .find(|clause| clause.rule.args.is_empty() && clause.selector.is_none())
            .or_else(|| concerned().find(|clause| self.holds(clause, call)))
            .map_or(self.default, |clause| clause.value)
    }

    /// Whether the conditions hold: all of them, or one if they name an argument twice. Behind a multiplexer those
    /// on the first argument do not count.
    fn holds(&self, clause: &Clause, call: &Call) -> bool {
        let args = &clause.rule.args;
        let holds = |arg: &Arg| {
            let lost = clause.selector.is_some() && arg.index == 0;
            lost || compare(call.args[arg.index as usize], self.wide, arg.op, arg.value, arg.value_two)
        };
        let repeats = (0..6).any(|index| args.iter().filter(|arg| arg.index == index).count() > 1);
        let conditions = if repeats { args.iter().any(holds) } else { args.iter().all(holds) };
        conditions
            && clause
                .selector
                .is_none_or(|selector| compare(call.args[0], self.wide, Operator::Eq, selector, 0))
    }
}

/// The call that stands for `name`, and the first argument that says so, by libseccomp's placeholders (seccomp.h).
fn multiplexed(machine: &Machine, name: &str) -> Option<(u32, u64)> {
    let placeholder = i32::from(ScmpSyscall::from_name_by_arch(name, machine.scmp).ok()?);
    let (multiplexer, base) = match placeholder {
        -120..=-101 => ("socketcall", 100),
        -224..=-201 => ("ipc", 200),
        _ => return None,
    };
    let number = Syscall::named(multiplexer)?.number(machine.arch)?;
    Some((number, u64::from(placeholder.unsigned_abs() - base)))
}

fn compare(argument: u64, wide: bool, op: Operator, value: u64, value_two: u64) -> bool {
    let counts = if wide { u64::MAX } else { u64::from(u32::MAX) };
    let (argument, value, value_two) = (argument & counts, value & counts, value_two & counts);
    match op {
        Operator::Ne => argument != value,
        Operator::Lt => argument < value,
        Operator::Le => argument <= value,
        Operator::Eq => argument == value,
        Operator::Ge => argument >= value,
        Operator::Gt => argument > value,
        Operator::MaskedEq => argument & value == value_two & value,
    }
}

/// SECCOMP_RET_* of linux/seccomp.h.
fn value(action: Action, errno: Option<u32>) -> u32 {
    match action {
        Action::Kill | Action::KillThread => 0,
        Action::KillProcess => 0x8000_0000,
        Action::Trap => 0x0003_0000,
        Action::Errno => 0x0005_0000 | errno.unwrap_or(1),
        Action::Notify => 0x7fc0_0000,
        Action::Trace => 0x7ff0_0000 | errno.unwrap_or(1),
        Action::Log => 0x7ffc_0000,
        Action::Allow => 0x7fff_0000,
    }
}
