//! Conditions on arguments: 64-bit comparisons on a machine with 32-bit words.

use crate::plan::seccomp::{Condition, Operator};

use super::super::spans::Check;
use super::assemble::{Assembler, Target, Test};
use super::data;

/// Emits a check: its clauses one after the other.
pub(super) fn emit(program: &mut Assembler, check: &Check, little_endian: bool) -> Target {
    let mut next = Target::Return(check.otherwise);
    for clause in check.clauses.iter().rev() {
        let mut holds = Target::Return(clause.value);
        for condition in clause.conditions.iter().rev() {
            let argument = Argument::new(condition, check.wide, little_endian);
            holds = argument.compare(program, condition.op, holds, next);
        }
        next = holds;
    }
    next
}

/// Half of an argument: where it is, which bits count, what it is compared with.
#[derive(Clone, Copy)]
struct Half {
    offset: u32,
    mask: u32,
    operand: u32,
}

/// An argument as the filter sees it; the high half is missing where it does not count.
struct Argument {
    high: Option<Half>,
    low: Half,
}

impl Argument {
    #[expect(clippy::cast_possible_truncation, reason = "the two halves of 64 bits")]
    fn new(condition: &Condition, wide: bool, little_endian: bool) -> Self {
        let offset = data::ARGS + 8 * u32::from(condition.index);
        let (low, high) = if little_endian { (0, 4) } else { (4, 0) };
        let half = |at: u32, shift: u32| Half {
            offset: offset + at,
            mask: (condition.mask >> shift) as u32,
            operand: (condition.value >> shift) as u32,
        };
        Self { high: Some(half(high, 32)).filter(|half| wide && half.mask != 0), low: half(low, 0) }
    }

    fn compare(&self, program: &mut Assembler, op: Operator, yes: Target, no: Target) -> Target {
        match op {
            Operator::Eq | Operator::MaskedEq => self.equal(program, yes, no),
            Operator::Ne => self.equal(program, no, yes),
            Operator::Gt => self.ordered(program, Test::Greater, yes, no),
            Operator::Le => self.ordered(program, Test::Greater, no, yes),
            Operator::Ge => self.ordered(program, Test::AtLeast, yes, no),
            Operator::Lt => self.ordered(program, Test::AtLeast, no, yes),
        }
    }

    fn equal(&self, program: &mut Assembler, yes: Target, no: Target) -> Target {
        let low = self.low.test(program, Test::Equal, yes, no);
        match self.high {
            Some(high) => high.test(program, Test::Equal, low, no),
            None => low,
        }
    }

    /// Greater, or at least: decided by the high half unless that is equal.
    fn ordered(&self, program: &mut Assembler, test: Test, yes: Target, no: Target) -> Target {
        let low = self.low.test(program, test, yes, no);
        let Some(high) = self.high else { return low };
        let tie = program.branch(Test::Equal, high.operand, low, no);
        let greater = program.branch(Test::Greater, high.operand, yes, tie);
        program.load(high.offset, greater)
    }
}

impl Half {
    fn test(self, program: &mut Assembler, test: Test, yes: Target, no: Target) -> Target {
        if self.mask == 0 {
            return yes;
        }
        let compared = program.branch(test, self.operand, yes, no);
        let masked = program.mask(self.mask, compared);
        program.load(self.offset, masked)
    }
}
