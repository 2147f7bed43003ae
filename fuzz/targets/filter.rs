//! A profile out of bytes: what our program answers is what the profile says, taken at its word rule by rule, for the
//! calls and arguments around which the rules turn.
#![no_main]
#![allow(dead_code, reason = "the seccomp tests need more of these modules")]

#[path = "../../tests/seccomp/definition.rs"]
mod definition;
#[path = "../../tests/seccomp/interpreter.rs"]
mod interpreter;
#[path = "../../tests/seccomp/machines.rs"]
mod machines;

use definition::Definition;
use hull::plan::SeccompPlan;
use hull::plan::seccomp::Syscall;
use hull::seccomp;
use hull::spec::{Action, Arg, Operator, Seccomp, SyscallRule};
use interpreter::{Call, run};
use libfuzzer_sys::fuzz_target;

/// The bytes, taken as numbers; zero at the end.
struct Source<'a>(&'a [u8]);

impl Source<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// Small, a power of two, around 2^32, or anything.
    fn value(&mut self) -> u64 {
        let (kind, small) = (self.byte(), u64::from(self.byte()));
        match kind % 6 {
            0 => small,
            1 => 1 << (small % 64),
            2 => (1 << (small % 64)) - 1,
            3 => u64::from(u32::MAX).wrapping_add(small),
            4 => small << 32 | u64::from(self.byte()),
            _ => (0..8).fold(0, |value, _| value << 8 | u64::from(self.byte())),
        }
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::from(self.byte()) % from.len()]
    }
}

const ACTIONS: [Action; 7] = [
    Action::Allow,
    Action::Errno,
    Action::KillProcess,
    Action::KillThread,
    Action::Trap,
    Action::Log,
    Action::Trace,
];

const OPERATORS: [Operator; 7] =
    [Operator::Ne, Operator::Lt, Operator::Le, Operator::Eq, Operator::Ge, Operator::Gt, Operator::MaskedEq];

/// Conditional rules share one action: which of two comes first is not defined.
fn profile(source: &mut Source, names: &[&'static str]) -> Seccomp {
    let (default_action, shared) = (source.pick(&ACTIONS), source.pick(&ACTIONS));
    let mut syscalls = Vec::new();
    while !source.0.is_empty() && syscalls.len() < 64 {
        let count = 1 + source.byte() % 4;
        let names = (0..count).map(|_| names[usize::from(source.byte()) * 3 % names.len()]).collect();
        let args: Vec<Arg> = (0..source.byte() % 4)
            .map(|_| Arg {
                index: u32::from(source.byte() % 6),
                value: source.value(),
                value_two: source.value(),
                op: source.pick(&OPERATORS),
            })
            .collect();
        let action = if args.is_empty() { source.pick(&ACTIONS) } else { shared };
        let errno_ret = (action == Action::Errno).then(|| u32::from(source.byte()));
        let errno_ret = if args.is_empty() { errno_ret } else { None };
        syscalls.push(SyscallRule { names, action, errno_ret, args });
    }
    let architectures = Vec::new();
    Seccomp {
        default_action,
        default_errno_ret: None,
        architectures,
        flags: None,
        listener_path: None,
        listener_metadata: None,
        syscalls,
    }
}

/// Calls of the rules and their neighbours, with arguments on both sides of every value.
fn calls(profile: &Seccomp, audit: u32, arch: hull::spec::Arch) -> Vec<Call> {
    let mut values = vec![0, u64::MAX];
    for arg in profile.syscalls.iter().flat_map(|rule| &rule.args).take(24) {
        for value in [arg.value, arg.value_two] {
            values.extend([value, value.wrapping_sub(1), value.wrapping_add(1), value ^ (1 << 40)]);
        }
    }
    let numbers = profile.syscalls.iter().flat_map(|rule| rule.names.iter());
    let numbers = numbers.filter_map(|name| Syscall::named(name)?.number(arch));
    let mut numbers: Vec<u32> = numbers.flat_map(|number| [number, number + 1]).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let each = |number: &u32| {
        let number = *number;
        let turned =
            move |turn: usize, values: &[u64]| std::array::from_fn(|i| values[(i * 7 + turn) % values.len()]);
        let values = values.clone();
        (0..values.len()).map(move |turn| Call { number, audit, args: turned(turn, &values) })
    };
    numbers.iter().take(48).flat_map(each).collect()
}

fuzz_target!(|data: &[u8]| {
    let machine = &machines::FAMILIES[11].0[0];
    let names: Vec<&str> =
        Syscall::all().filter(|call| call.number(machine.arch).is_some()).map(Syscall::name).collect();
    let profile = profile(&mut Source(data), &names);
    let Ok(mut plan) = SeccompPlan::compile(&profile) else { return };
    plan.architectures = vec![machine.arch];
    let Ok(program) = seccomp::program(&plan, machine.arch, plan.default) else { return };
    assert!(program.len() <= 4096, "{} instructions", program.len());
    let definition = Definition::new(&profile, machine);
    for call in calls(&profile, machine.audit, machine.arch) {
        let (ours, wanted) = (run(&program, &call, false), definition.verdict(&call));
        assert!(ours == wanted, "{call:?}: {ours:#x}, not {wanted:#x}, of {profile:?}");
    }
});
