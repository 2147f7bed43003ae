//! `start`, from outside: init waits at its socket.

use std::os::fd::BorrowedFd;

use super::Error;
use super::spawn::await_exec;
use super::sync::{self, Kind};
use crate::plan::Step;
use crate::sys::Context;

/// Lets init go on, and waits until it has executed the program. `plan` gives the steps and the program's name, for
/// the message of a failure.
pub fn start(init: BorrowedFd, plan: impl FnOnce() -> (Vec<Step>, String)) -> Result<(), Error> {
    sync::send(init, Kind::Start).during("send", "Start")?;
    await_exec(init, plan)
}
