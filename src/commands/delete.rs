//! `delete`: removes what is left of a container.

use crate::error::Cause;
use crate::log::Log;
use crate::state::{self, Status, Store};

/// Removes a stopped or created container; with `force` any, even an absent one.
pub fn delete(store: &Store, id: &str, force: bool, _log: &Log) -> Result<(), Cause> {
    let container = match store.lock(id) {
        Err(state::Error::Absent) if force => return Ok(()),
        result => result?,
    };
    match container.status()? {
        status @ (Status::Running | Status::Paused) if !force => {
            return Err(Cause::NotStopped { id: id.to_owned(), status });
        }
        _ => {}
    }
    Ok(container.remove()?)
}
