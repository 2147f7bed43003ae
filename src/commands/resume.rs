//! `resume`.

use crate::error::Cause;
use crate::state::Store;

/// Not yet.
pub fn resume(store: &Store, id: &str) -> Result<(), Cause> {
    store.lock(id)?;
    Err(Cause::Unsupported("resume"))
}
