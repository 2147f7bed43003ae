//! An assembler that works from the end of the program to its start.
//!
//! Classic BPF only jumps forward, so written backwards every target exists before the jump to it. Conditional jumps
//! reach 255 instructions; for a target farther away a copy of the return, or an unconditional jump, is put in between.

use crate::sys::seccomp::Instruction;

/// How far a conditional jump reaches.
const REACH: usize = 255;

/// A comparison of the accumulator with a constant, unsigned.
#[derive(Clone, Copy)]
pub(super) enum Test {
    Equal,
    Greater,
    AtLeast,
}

/// Where the program goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// It ends with this value.
    Return(u32),
    /// At an instruction, counted from the program's end.
    At(usize),
}

/// The program so far, last instruction first.
#[derive(Default)]
pub(super) struct Assembler {
    backwards: Vec<Instruction>,
    /// The foremost return of each value.
    returns: Vec<(u32, usize)>,
}

impl Assembler {
    /// Compares the accumulator with `operand`.
    pub(super) fn branch(&mut self, test: Test, operand: u32, yes: Target, no: Target) -> Target {
        if yes == no {
            return yes;
        }
        let code = match test {
            Test::Equal => libc::BPF_JEQ,
            Test::Greater => libc::BPF_JGT,
            Test::AtLeast => libc::BPF_JGE,
        };
        let (yes, no) = (self.near(yes), self.near(no));
        let (jt, jf) = (self.distance(yes), self.distance(no));
        self.put(libc::BPF_JMP | code | libc::BPF_K, jt, jf, operand)
    }

    /// Loads a word of struct seccomp_data into the accumulator.
    pub(super) fn load(&mut self, offset: u32, next: Target) -> Target {
        self.flow_into(next);
        self.put(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, offset)
    }

    /// Clears the accumulator's bits outside `mask`.
    pub(super) fn mask(&mut self, mask: u32, next: Target) -> Target {
        if mask == u32::MAX {
            return next;
        }
        self.flow_into(next);
        self.put(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, 0, 0, mask)
    }

    /// The program, first instruction first.
    pub(super) fn finish(mut self) -> Vec<Instruction> {
        self.backwards.reverse();
        self.backwards
    }

    /// Makes `next` the instruction that the following one falls into.
    fn flow_into(&mut self, next: Target) {
        match next {
            Target::Return(value) => self.put_return(value),
            Target::At(at) if at + 1 == self.backwards.len() => {}
            Target::At(at) => self.put_jump(at),
        }
    }

    /// A place that a conditional jump reaches, even after one more instruction.
    fn near(&mut self, target: Target) -> usize {
        let at = match target {
            Target::At(at) => Some(at),
            Target::Return(value) => {
                self.returns.iter().find(|&&(other, _)| other == value).map(|&(_, at)| at)
            }
        };
        match (at, target) {
            (Some(at), _) if self.backwards.len() - at <= REACH => return at,
            (_, Target::Return(value)) => self.put_return(value),
            (_, Target::At(at)) => self.put_jump(at),
        }
        self.backwards.len() - 1
    }

    fn distance(&self, at: usize) -> u8 {
        // `near` has seen to it that this fits.
        u8::try_from(self.backwards.len() - at - 1).unwrap_or(u8::MAX)
    }

    fn put_return(&mut self, value: u32) {
        self.put(libc::BPF_RET | libc::BPF_K, 0, 0, value);
        let at = self.backwards.len() - 1;
        match self.returns.iter_mut().find(|(other, _)| *other == value) {
            Some((_, foremost)) => *foremost = at,
            None => self.returns.push((value, at)),
        }
    }

    fn put_jump(&mut self, at: usize) {
        let distance = u32::try_from(self.backwards.len() - at - 1).unwrap_or(u32::MAX);
        self.put(libc::BPF_JMP | libc::BPF_JA, 0, 0, distance);
    }

    fn put(&mut self, code: u32, jt: u8, jf: u8, k: u32) -> Target {
        let code = u16::try_from(code).unwrap_or_default();
        self.backwards.push(Instruction { code, jt, jf, k });
        Target::At(self.backwards.len() - 1)
    }
}
