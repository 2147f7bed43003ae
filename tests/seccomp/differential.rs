//! Our program against the profile taken at its word, and against libseccomp's program.

use std::cell::Cell;
use std::collections::BTreeMap;

use hull::plan::SeccompPlan;
use hull::plan::seccomp::{Condition, Syscall};
use hull::seccomp::program;
use hull::spec::{Operator, Seccomp};
use hull::sys::seccomp::Instruction;

use crate::definition::Definition;
use crate::interpreter::{Call, run};
use crate::libseccomp_program;
use crate::machines::{FAMILIES, Machine};
use crate::random::{Random, profile};
use crate::{docker, plan};

/// socketcall and ipc, which stand for many calls.
const MULTIPLEXERS: [u32; 4] = [102, 117, 4102, 4117];

/// Two programs of one profile.
struct Pair<'a> {
    ours: Vec<Instruction>,
    theirs: Vec<Instruction>,
    plan: SeccompPlan,
    profile: &'a Seccomp,
    machines: &'a [Machine],
    big_endian: bool,
    what: String,
    compared: Cell<usize>,
    excused: Cell<usize>,
}

impl<'a> Pair<'a> {
    fn new(profile: &'a Seccomp, machines: &'a [Machine], big_endian: bool, what: String) -> Self {
        let mut plan = plan(profile);
        plan.architectures = machines.iter().map(|machine| machine.arch).collect();
        Self {
            // libseccomp has no verdict for calls newer than the profile: compare without.
            ours: program(&plan, machines[0].arch, plan.default).unwrap(),
            theirs: libseccomp_program::compile(profile, machines, big_endian),
            plan,
            profile,
            machines,
            big_endian,
            what,
            compared: Cell::new(0),
            excused: Cell::new(0),
        }
    }

    /// Compares everything that the machines can call, and what one beside them would.
    fn compare(&self, random: &mut Random) {
        let interesting = interesting(self.profile);
        for machine in self.machines {
            let definition = Definition::new(self.profile, machine);
            let unknown = unknown_to_libseccomp(machine);
            let ways = self.ways(machine);
            for number in numbers(machine.base) {
                let multiplexes = MULTIPLEXERS.contains(&number);
                let ways = ways.get(&number);
                let excuse =
                    multiplexes || ways.is_some_and(|ways| is_hard(ways)) || unknown.contains(&number);
                for _ in 0..if multiplexes || ways.is_some() { 40 } else { 2 } {
                    let args = std::array::from_fn(|_| argument(random, &interesting));
                    self.agree(&definition, &Call { number, audit: machine.audit, args }, excuse);
                }
            }
        }
        for audit in [0, 0xdead_beef, 0x4000_003e, 0xc000_00b7, 0xc000_003e, 0x8000_0016, u32::MAX] {
            for number in [0, 1, 0x4000_0001, u32::MAX] {
                let call = Call { number, audit, args: [0; 6] };
                let (ours, theirs) = self.run(&call);
                assert!(ours == theirs, "{}: {call:#x?}: {ours:#x}, libseccomp {theirs:#x}", self.what);
            }
        }
    }

    fn run(&self, call: &Call) -> (u32, u32) {
        (run(&self.ours, call, self.big_endian), run(&self.theirs, call, self.big_endian))
    }

    fn agree(&self, definition: &Definition, call: &Call, excuse: bool) {
        let (ours, theirs) = self.run(call);
        let (what, profile) = (&self.what, self.profile);
        if definition.covers(call.number) {
            let right = definition.verdict(call);
            assert!(ours == right, "{what}: {call:#x?}: {ours:#x} instead of {right:#x}\n{profile:#?}");
        }
        assert!(
            ours == theirs || excuse,
            "{what}: {call:#x?}: {ours:#x}, libseccomp {theirs:#x}\n{profile:#?}"
        );
        self.compared.set(self.compared.get() + 1);
        self.excused.set(self.excused.get() + usize::from(ours != theirs));
    }

    /// The conditional ways of each number.
    fn ways(&self, machine: &Machine) -> BTreeMap<u32, Vec<&[Condition]>> {
        let mut ways = BTreeMap::<_, Vec<_>>::new();
        for rule in self.plan.rules.iter().filter(|rule| !rule.ways.is_empty()) {
            for number in rule.calls.iter().filter_map(|call| call.number(machine.arch)) {
                ways.entry(number).or_default().extend(rule.ways.iter().map(Vec::as_slice));
            }
        }
        ways
    }
}

/// Whether libseccomp's verdict cannot be trusted: it joins conditions to a tree of shared 32-bit comparisons, and
/// some trees lose a way (2.5.4: `a0 > 62 && a4 != 2` beside `a0 <= 55 && a2 == 2`) or a condition behind an ordered
/// one (`a1 == 11 && a3 < 0x35_0000_0002 && a5 & 13 == 12`).
fn is_hard(ways: &[&[Condition]]) -> bool {
    let ordered = |way: &&[Condition]| {
        let ordered = [Operator::Lt, Operator::Le, Operator::Ge, Operator::Gt];
        way.len() > 1 && way.iter().any(|condition| ordered.contains(&condition.op))
    };
    ways.len() > 1 || ways.iter().any(ordered)
}

/// Numbers of a machine that the installed libseccomp does not know, and one that it alone does.
fn unknown_to_libseccomp(machine: &Machine) -> Vec<u32> {
    let unknown = |call: &Syscall| !libseccomp_program::has_number(call.name(), machine.scmp);
    let llseek = (machine.audit == 0x8000_000f).then_some(140);
    Syscall::all().filter(unknown).filter_map(|call| call.number(machine.arch)).chain(llseek).collect()
}

/// All numbers that could mean something, and borders. libseccomp gives calls that a machine lacks numbers between
/// -20000 and -100, and puts them into the program; no kernel sends those, so they are left out.
fn numbers(base: u32) -> impl Iterator<Item = u32> {
    let around = |number: u32| number.saturating_sub(2)..number.saturating_add(2);
    (base..base + 620)
        .chain(0..10)
        .chain(0xf_0000..0xf_0010)
        .chain(0x4000_0000..0x4000_0010)
        .chain([base, 0x4000_0000, 0x4000_0000 + 620, 0x8000_0000, 0xc000_0000].into_iter().flat_map(around))
        .chain([0x3fff_ffff, 0x7fff_ffff, u32::MAX])
}

/// Values at which the profile's conditions change their mind.
fn interesting(profile: &Seccomp) -> Vec<u64> {
    let args = profile.syscalls.iter().flat_map(|rule| &rule.args);
    let mut values: Vec<u64> = args
        .flat_map(|arg| match arg.op {
            Operator::MaskedEq => {
                vec![arg.value, arg.value_two, arg.value & arg.value_two, !arg.value | arg.value_two]
            }
            _ => vec![arg.value],
        })
        .flat_map(|value| {
            [value, value.wrapping_add(1), value.wrapping_sub(1), value ^ (1 << 32), value << 32]
        })
        .collect();
    values.extend([0, 1, 21, u64::from(u32::MAX), 1 << 32, u64::MAX]);
    values
}

fn argument(random: &mut Random, interesting: &[u64]) -> u64 {
    match random.below(8) {
        0 => random.value(),
        1 => random.next() % 25,
        2 => (random.pick(interesting) & !0xffff_ffff) | (random.pick(interesting) & 0xffff_ffff),
        _ => random.pick(interesting),
    }
}

#[test]
fn dockers_profile_on_every_family_of_machines() {
    let mut docker = docker();
    for rule in &mut docker.syscalls {
        rule.names = rule.names.iter().filter(|name| libseccomp_program::is_known(name)).collect();
    }
    for (machines, big_endian) in FAMILIES {
        let pair = Pair::new(&docker, machines, big_endian, format!("docker on {:?}", machines[0].arch));
        pair.compare(&mut Random(1));
    }
}

#[test]
fn random_profiles() {
    let (mut compared, mut excused) = (0, 0);
    for seed in 0..320 {
        let mut random = Random(seed);
        let profile = profile(&mut random);
        let (family, big_endian) = random.pick(&FAMILIES);
        let machines = &family[..=random.below(family.len())];
        let pair = Pair::new(&profile, machines, big_endian, format!("seed {seed}"));
        pair.compare(&mut random);
        compared += pair.compared.get();
        excused += pair.excused.get();
    }
    println!("{compared} calls compared; libseccomp is wrong about {excused} of them");
    assert!(compared > 1_000_000 && excused < compared / 1000, "{excused} of {compared} calls differ");
}
