//! `create`: everything but the program.

use super::Driver;
use super::console::Console;
use super::launch::{self, Birth};
use crate::cli::Create;
use crate::error::Cause;
use crate::log::Log;
use crate::process::Sockets;
use crate::state::{self, Store};

pub(super) fn create(store: &Store, request: &Create, driver: Driver, log: &Log) -> Result<(), Cause> {
    state::check_id(&request.id)?;
    let compiled = launch::kept(launch::compile(store, request, true, driver, log)?);
    let terminal = compiled.spec.process.as_ref().is_some_and(|process| process.terminal);
    let console = Console::open(terminal, request.console_socket.as_deref(), false)?.sender;
    let mut birth = Birth::begin(store, request, &compiled, log)?;
    let start = Some(birth.listen_for_start()?);
    let mut spawned = birth.spawn(Sockets { console, start })?;
    launch::send_pidfd(request.pidfd_socket.as_deref(), &spawned)?;
    birth.complete(&mut spawned, request.pid_file.as_deref())?;
    Ok(())
}
