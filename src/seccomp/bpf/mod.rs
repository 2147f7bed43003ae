//! Sections of spans as a classic BPF program: by architecture, then by number, then by arguments.

mod args;
mod assemble;
mod tree;

use crate::sys::seccomp::Instruction;

use super::spans::{FOREIGN, Section, Then};
use assemble::{Assembler, Target, Test};

/// Offsets in struct seccomp_data.
mod data {
    pub(super) const NUMBER: u32 = 0;
    pub(super) const ARCH: u32 = 4;
    pub(super) const ARGS: u32 = 16;
}

/// The program for `sections`, tried in order.
pub(super) fn program(sections: &[Section]) -> Vec<Instruction> {
    let mut program = Assembler::default();
    let mut next = Target::Return(FOREIGN);
    let starts: Vec<_> =
        sections.iter().rev().map(|section| (section.audit, start(&mut program, section))).collect();
    for (audit, start) in starts {
        next = program.branch(Test::Equal, audit, start, next);
    }
    program.load(data::ARCH, next);
    program.finish()
}

fn start(program: &mut Assembler, section: &Section) -> Target {
    let tree = tree::emit(program, &section.spans, &mut |program, then| match then {
        Then::Return(value) => Target::Return(value),
        Then::Check(check) => args::emit(program, &section.checks[check], section.little_endian),
    });
    match tree {
        Target::Return(_) => tree,
        Target::At(_) => program.load(data::NUMBER, tree),
    }
}
