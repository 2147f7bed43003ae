//! `resume`: lets the processes of a paused container run on.

use crate::error::Cause;
use crate::state::{Status, Store};

/// Thaws a paused container.
pub fn resume(store: &Store, id: &str) -> Result<(), Cause> {
    let container = store.lock(id)?;
    match container.status()? {
        Status::Paused => Ok(container.cgroup().thaw()?),
        _ => Err(Cause::Status("container not paused")),
    }
}
