//! Binary search over spans: the accumulator holds the system call's number.

use super::super::spans::{Span, Then};
use super::assemble::{Assembler, Target, Test};

/// Emits the search; `leaf` emits what follows when a span is found.
pub(super) fn emit(
    program: &mut Assembler,
    spans: &[Span],
    leaf: &mut impl FnMut(&mut Assembler, Then) -> Target,
) -> Target {
    match spans {
        [only] => leaf(program, only.then),
        // One number that differs from its surroundings takes one comparison instead of two.
        [around, one, after] if around.then == after.then && after.first - one.first == 1 => {
            let no = leaf(program, around.then);
            let yes = leaf(program, one.then);
            program.branch(Test::Equal, one.first, yes, no)
        }
        _ => {
            let (low, high) = spans.split_at(spans.len() / 2);
            let yes = emit(program, high, leaf);
            let no = emit(program, low, leaf);
            program.branch(Test::AtLeast, high[0].first, yes, no)
        }
    }
}
