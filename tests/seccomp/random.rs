//! Profiles and calls out of a seed.

use crate::libseccomp_program::is_known;
use hull::plan::seccomp::Syscall;
use hull::spec::{Action, Arg, Operator, Seccomp, SyscallRule};

/// splitmix64: small, and the same everywhere.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit).unwrap()).unwrap()
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// A value as profiles have them, or one that is hard on 32-bit halves.
    pub fn value(&mut self) -> u64 {
        let small = self.next() % 64;
        match self.below(8) {
            0..=2 => small,
            3 => 1 << small,
            4 => (1 << small) - 1,
            5 => u64::from(u32::MAX) + small,
            6 => (small << 32) | (self.next() % 3),
            _ => self.next(),
        }
    }
}

const ACTIONS: [(Action, Option<u32>); 9] = [
    (Action::Allow, None),
    (Action::Errno, None),
    (Action::Errno, Some(38)),
    (Action::Kill, None),
    (Action::KillProcess, None),
    (Action::Trap, None),
    (Action::Log, None),
    (Action::Trace, Some(513)),
    (Action::KillThread, None),
];

const OPERATORS: [Operator; 7] =
    [Operator::Ne, Operator::Lt, Operator::Le, Operator::Eq, Operator::Ge, Operator::Gt, Operator::MaskedEq];

/// Calls behind socketcall and ipc, and these two: rules for them meet in one number.
fn is_multiplexed(name: &str) -> bool {
    const PREFIXES: [&str; 7] = ["socket", "sem", "shm", "msg", "send", "recv", "ipc"];
    const NAMES: [&str; 10] = [
        "bind",
        "connect",
        "listen",
        "accept",
        "accept4",
        "getsockname",
        "getpeername",
        "shutdown",
        "setsockopt",
        "getsockopt",
    ];
    PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || NAMES.contains(&name)
}

/// A profile whose verdicts do not depend on the order in which conditional rules of one number are tried, as that
/// is an accident of libseccomp's tree (it refuses some orders and reorders others): all of them share one action.
pub fn profile(random: &mut Random) -> Seccomp {
    let (default_action, default_errno_ret) = random.pick(&ACTIONS);
    let shared = random.pick(&ACTIONS);
    let names: Vec<_> = Syscall::all().map(Syscall::name).filter(|name| is_known(name)).collect();
    // Few calls, so that rules meet.
    let dozen: Vec<_> = (0..12).map(|_| random.pick(&names)).collect();
    let multiplexed: Vec<_> = names.iter().copied().filter(|name| is_multiplexed(name)).collect();
    let mut syscalls = Vec::new();
    for _ in 0..random.below(14) {
        let conditional = random.chance(50);
        let from = if random.chance(50) { &names } else { &dozen };
        let mut chosen: Vec<_> = (0..=random.below(40)).map(|_| random.pick(from)).collect();
        let mut action = random.pick(&ACTIONS);
        if random.chance(25) {
            chosen.extend((0..4).map(|_| random.pick(&multiplexed)));
        }
        if conditional || chosen.iter().any(|name| is_multiplexed(name)) {
            action = shared;
        }
        let args = if conditional { args(random) } else { Vec::new() };
        syscalls.push(SyscallRule {
            names: chosen.into_iter().collect(),
            action: action.0,
            errno_ret: action.1,
            args,
        });
    }
    Seccomp {
        default_action,
        default_errno_ret,
        architectures: Vec::new(),
        flags: None,
        listener_path: None,
        listener_metadata: None,
        syscalls,
    }
}

fn args(random: &mut Random) -> Vec<Arg> {
    let mut indexes = vec![0, 1, 2, 3, 4, 5];
    (0..=random.below(3))
        .map(|_| {
            let place = random.below(indexes.len());
            let index = if random.chance(90) { indexes.remove(place) } else { indexes[place] };
            Arg { index, value: random.value(), value_two: random.value(), op: random.pick(&OPERATORS) }
        })
        .collect()
}
