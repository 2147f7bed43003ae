//! Words for what init reports in numbers: which step failed, and why.

use super::Error;
use super::hooks::Outcome;
use super::sync::{Packet, Text};
use crate::plan::{ChildPlan, HookPlan, Op};
use crate::sys::{self, Errno};

pub(super) fn hook_error(hook: &HookPlan, outcome: Outcome, said: &Text) -> Error {
    Error::Hook {
        at: hook.at.clone(),
        path: hook.path.to_string(),
        outcome,
        said: String::from_utf8_lossy(said.as_bytes()).into_owned(),
    }
}

/// What a failed step means to the user.
pub(super) fn failure(child: &ChildPlan, packet: &Packet) -> Error {
    let errno = Errno::from_raw(packet.number);
    let index = child.steps.len().checked_sub(packet.step.into());
    // Before its steps, init does one thing.
    let Some(index) = index else {
        return sys::Error { call: "close_range", what: "what the runtime has open".to_owned(), errno }
            .into();
    };
    let Some(step) = child.steps.get(index) else { return Error::Protocol };
    match &step.op {
        Op::FindProgram | Op::Exec => match child.program.as_ref().and_then(|program| program.args.first()) {
            Some(name) => {
                let found = matches!(step.op, Op::Exec);
                Error::Program { name: name.to_string(), found, errno }
            }
            None => Error::NoProgram,
        },
        Op::RunHooks { hooks, .. } => {
            let index = usize::try_from(packet.detail >> 20).unwrap_or(0);
            match hooks.get(index) {
                Some(hook) => hook_error(hook, Outcome::decode(errno, packet.detail), &packet.text),
                None => Error::Protocol,
            }
        }
        op => Error::Step {
            at: step.at.clone(),
            doing: op.to_string(),
            op: Box::new(op.clone()),
            errno,
            said: String::from_utf8_lossy(packet.text.as_bytes()).into_owned(),
        },
    }
}
