//! `pause`: stops every process of a container where it is.

use crate::error::Cause;
use crate::state::{Status, Store};

/// Freezes a created or running container.
pub fn pause(store: &Store, id: &str) -> Result<(), Cause> {
    let container = store.lock(id)?;
    if !matches!(container.status()?, Status::Created | Status::Running) {
        return Err(Cause::Status("container not running"));
    }
    let cgroup = container.cgroup();
    if !cgroup.can_freeze() {
        return Err(Cause::Status("container has no freezer cgroup"));
    }
    Ok(cgroup.freeze()?)
}
