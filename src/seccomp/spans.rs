//! The rules of a plan, resolved to numbers: for each machine, which verdict every possible number gets.

use crate::plan::seccomp::{Arch, Condition, Operator, Rule, SeccompPlan, Verdict};

use super::arch::{audit, is_little_endian, is_wide};
use super::multiplex::Multiplexers;
use super::return_value;

/// First of x32's calls, which have bit 30 set.
const X32_BIT: u32 = 0x4000_0000;

/// First of ARM's private calls.
const ARM_PRIVATE: u32 = 0xf_0000;

/// The answer to calls from a machine that the filter does not cover: libseccomp's, SCMP_ACT_KILL.
pub(super) const FOREIGN: u32 = libc::SECCOMP_RET_KILL_THREAD;

/// What one AUDIT_ARCH_* value leads to.
pub(super) struct Section {
    /// That value.
    pub(super) audit: u32,
    /// Whether the low half of an argument comes first.
    pub(super) little_endian: bool,
    /// Consecutive spans; the first starts at 0.
    pub(super) spans: Vec<Span>,
    /// What the spans refer to.
    pub(super) checks: Vec<Check>,
}

/// Numbers from `first` to the next span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) first: u32,
    pub(super) then: Then,
}

/// What happens to a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// Return this value.
    Return(u32),
    /// Look at the arguments: index of a check.
    Check(usize),
}

/// Clauses in order: the first that holds decides.
pub(super) struct Check {
    /// Whether all 64 bits of an argument count.
    pub(super) wide: bool,
    pub(super) clauses: Vec<Clause>,
    /// The value when none holds.
    pub(super) otherwise: u32,
}

/// Conditions that must all hold for a value to be returned.
pub(super) struct Clause {
    pub(super) conditions: Vec<Condition>,
    pub(super) value: u32,
}

/// A rule that concerns a number, perhaps by way of a multiplexer's first argument. One integer, which sorts by number,
/// then rule, in a fraction of the time: the number, 23 bits for the rule, 9 for the selector, of which 0 is none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry(u64);

impl Entry {
    fn new(number: u32, rule: usize, selector: Option<u8>) -> Self {
        let selector = selector.map_or(0, |selector| u64::from(selector) + 1);
        Self(u64::from(number) << 32 | (rule as u64) << 9 | selector)
    }

    fn number(self) -> u32 {
        (self.0 >> 32) as u32
    }

    fn rule(self) -> usize {
        (self.0 >> 9) as usize & 0x7f_ffff
    }

    #[expect(clippy::cast_possible_truncation, reason = "the field has 9 bits, and less one 8")]
    fn selector(self) -> Option<u8> {
        (self.0 as u16 & 0x1ff).checked_sub(1).map(|selector| selector as u8)
    }
}

/// One section for each machine, the native one first.
pub(super) fn sections(plan: &SeccompPlan, native: Arch, newer: Verdict) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::with_capacity(plan.architectures.len() + 1);
    let mut entries = Vec::with_capacity(plan.rules.iter().map(|rule| rule.calls.len()).sum());
    let listed = |arch| arch == native || plan.architectures.contains(&arch);
    for arch in std::iter::once(native).chain(plan.architectures.iter().copied()) {
        if sections.iter().any(|section| section.audit == audit(arch)) {
            continue;
        }
        let mut builder = Builder {
            plan,
            default: return_value(plan.default),
            newer: return_value(newer),
            entries,
            spans: Vec::with_capacity(256),
            checks: Vec::new(),
        };
        match arch {
            Arch::X86_64 | Arch::X32 => {
                builder.abi(0, listed(Arch::X86_64).then_some(Arch::X86_64));
                builder.abi(X32_BIT, listed(Arch::X32).then_some(Arch::X32));
            }
            arch => builder.abi(0, Some(arch)),
        }
        let (spans, checks) = (builder.spans, builder.checks);
        entries = builder.entries;
        sections.push(Section { audit: audit(arch), little_endian: is_little_endian(arch), spans, checks });
    }
    sections
}

struct Builder<'a> {
    plan: &'a SeccompPlan,
    default: u32,
    newer: u32,
    /// Those of the machine at hand; the memory serves all.
    entries: Vec<Entry>,
    spans: Vec<Span>,
    checks: Vec<Check>,
}

impl Builder<'_> {
    /// Covers the numbers from `first` on, which belong to `arch`, or to nobody that the profile lists.
    fn abi(&mut self, first: u32, arch: Option<Arch>) {
        let Some(arch) = arch else {
            self.push(first, Then::Return(FOREIGN));
            if first == X32_BIT {
                // A tracer that skips a call sets its number to -1 (kernel 4.8), which is no x32 call.
                self.push(u32::MAX, Then::Return(self.default));
            }
            return;
        };
        let mut entries = std::mem::take(&mut self.entries);
        self.collect(arch, &mut entries);
        entries.sort_unstable();
        let private = match arch {
            Arch::Arm => entries.partition_point(|entry| entry.number() < ARM_PRIVATE),
            _ => entries.len(),
        };
        self.numbers(first, arch, &entries[..private]);
        if arch == Arch::Arm {
            self.numbers(ARM_PRIVATE, arch, &entries[private..]);
        }
        self.entries = entries;
    }

    fn collect(&self, arch: Arch, entries: &mut Vec<Entry>) {
        let multiplexers = Multiplexers::of(arch);
        entries.clear();
        for (rule, Rule { calls, .. }) in self.plan.rules.iter().enumerate() {
            for &call in calls {
                if let Some(number) = call.number(arch) {
                    entries.push(Entry::new(number, rule, None));
                }
                if let Some((number, selector)) = multiplexers.find(call) {
                    entries.push(Entry::new(number, rule, Some(selector)));
                }
            }
        }
    }

    /// Appends the spans of one sequence of numbers, beginning at `first`; what lies beyond the last one named is
    /// newer than the profile.
    fn numbers(&mut self, first: u32, arch: Arch, entries: &[Entry]) {
        let default = Then::Return(self.default);
        self.push(first, default);
        let Some(last) = entries.last() else { return };
        if matches!(arch, Arch::S390 | Arch::S390x) {
            // Numbers above 255 that the kernel does not know arrive as 0, a call that is long gone.
            self.push(0, Then::Return(self.newer));
            self.push(1, default);
        }
        for group in entries.chunk_by(|one, other| one.number() == other.number()) {
            let then = self.group(arch, group);
            self.push(group[0].number(), then);
            self.push(group[0].number() + 1, default);
        }
        self.push(last.number() + 1, Then::Return(self.newer));
    }

    /// The rules of one number: the first unconditional one decides, else the conditional ones in the profile's order
    /// (where their verdicts differ, libseccomp refuses some profiles and reorders others by the shape of its tree).
    /// Rules that repeat the default change nothing.
    fn group(&mut self, arch: Arch, entries: &[Entry]) -> Then {
        let rules = || {
            (entries.iter())
                .map(|entry| (&self.plan.rules[entry.rule()], entry.selector()))
                .map(|(rule, selector)| (rule, selector, return_value(rule.verdict)))
                .filter(|&(.., value)| value != self.default)
        };
        if let Some((.., value)) =
            rules().find(|(rule, selector, _)| rule.ways.is_empty() && selector.is_none())
        {
            return Then::Return(value);
        }
        let clauses: Vec<Clause> = rules()
            .flat_map(|(rule, selector, value)| {
                let always: &[Vec<Condition>] = &[Vec::new()];
                let ways = if rule.ways.is_empty() { always } else { &rule.ways };
                ways.iter()
                    .map(move |way| Clause { conditions: select(way, selector), value })
                    .collect::<Vec<_>>()
            })
            .collect();
        if clauses.is_empty() {
            return Then::Return(self.default);
        }
        self.checks.push(Check { wide: is_wide(arch), clauses, otherwise: self.default });
        Then::Check(self.checks.len() - 1)
    }

    /// Appends a span, joined to the last one when nothing changes, in place of it when that is empty.
    fn push(&mut self, first: u32, then: Then) {
        self.spans.pop_if(|last| last.first == first);
        if self.spans.last().is_none_or(|last| last.then != then) {
            self.spans.push(Span { first, then });
        }
    }
}

/// The conditions of a way, the first argument's replaced by a multiplexer's selector.
fn select(way: &[Condition], selector: Option<u8>) -> Vec<Condition> {
    let Some(selector) = selector else { return way.to_vec() };
    let chosen = Condition { index: 0, op: Operator::Eq, value: u64::from(selector), mask: u64::MAX };
    std::iter::once(chosen).chain(way.iter().filter(|condition| condition.index != 0).copied()).collect()
}
