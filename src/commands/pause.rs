//! `pause`.

use crate::error::Cause;
use crate::state::Store;

/// Not yet.
pub fn pause(store: &Store, id: &str) -> Result<(), Cause> {
    store.lock(id)?;
    Err(Cause::Unsupported("pause"))
}
