//! `start`, from outside: init waits at its socket.

use std::os::fd::BorrowedFd;

use super::Error;
use super::failure::failure;
use super::spawn::await_exec;
use super::sync::{self, Kind};
use crate::plan::ChildPlan;
use crate::sys::Context;

/// Lets init go on, and waits until it has executed the program. The plan is asked for only to explain a failure; it
/// may be one that was compiled anew from the same document.
pub fn start<E: From<Error>>(init: BorrowedFd, plan: impl FnOnce() -> Result<ChildPlan, E>) -> Result<(), E> {
    let sent = sync::send(init, Kind::Start).during("send", "Start");
    match sent.map_err(Error::from).and_then(|()| await_exec(init))? {
        None => Ok(()),
        Some(packet) => Err(failure(&plan()?, &packet).into()),
    }
}
