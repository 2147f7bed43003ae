//! `run`: create and start in one go; in the foreground also wait, and delete.

use super::console::Console;
use super::launch::{self, Birth, Compiled};
use super::{Driver, delete, start};
use crate::cli::Run;
use crate::error::Cause;
use crate::log::Log;
use crate::process::{self, Foreground, Sockets, Spawned};
use crate::state::{self, Container, Store};
use crate::timing;

/// Returns the program's exit code, or 0 with `--detach`.
pub(super) fn run(store: &Store, request: &Run, driver: Driver, log: &Log) -> Result<u8, Cause> {
    let create = &request.create;
    state::check_id(&create.id)?;
    let compiled = launch::kept(launch::compile(store, create, false, driver, log)?);
    if compiled.spec.process.is_none() {
        return Err(process::Error::NoProgram.into());
    }
    let terminal = compiled.spec.process.as_ref().is_some_and(|process| process.terminal);
    let mut console = Console::open(terminal, create.console_socket.as_deref(), !request.detach)?;
    let foreground = if request.detach { None } else { Some(Foreground::new(!request.no_subreaper)?) };
    let mut birth = Birth::begin(store, create, &compiled, log)?;
    let notify = birth.notify_socket()?;
    let mut spawned = birth.spawn(Sockets { console: console.sender.take(), start: None })?;
    let terminal = console.receive()?;
    launch::send_pidfd(create.pidfd_socket.as_deref(), &spawned)?;
    let mut container = birth.complete(&mut spawned, create.pid_file.as_deref())?;
    if let Err(cause) = begin(&compiled, &container, &mut spawned) {
        drop(terminal);
        delete::destroy(container, log)?;
        return Err(cause);
    }
    log.debug(|| "the program was executed".to_owned());
    container.unlock();
    let Some(foreground) = foreground else {
        launch::await_ready(notify, spawned.pidfd(), spawned.pid(), log);
        return Ok(0);
    };
    timing::wait(timing::PROGRAM_RUNS);
    let exit = foreground.wait(spawned.pid(), spawned.pidfd(), terminal, notify);
    match &exit {
        // Where we cannot wait any more, the container has nobody.
        Err(_) => delete::destroy_if_there(container, log)?,
        Ok(_) if !request.keep => delete::destroy_ended(container, log)?,
        Ok(_) => {}
    }
    Ok(exit?.shell_code())
}

/// Sees the program executed, then runs the poststart hooks.
fn begin(compiled: &Compiled, container: &Container, spawned: &mut Spawned) -> Result<(), Cause> {
    timing::wait("wait until the program is executed");
    spawned.await_exec(&compiled.plan.child)?;
    start::poststart(container, &compiled.plan.parent.poststart, spawned.pid())
}
