//! `state`: prints what is known of a container.

use super::{list::Users, print};
use crate::error::Cause;
use crate::state::Store;

/// Prints the container's state document, with runc's additions.
pub fn state(store: &Store, id: &str) -> Result<(), Cause> {
    let container = store.load(id)?;
    let mut users = Users::read();
    let view = container.record.view(id, container.status()?, users.name(container.record.owner));
    print(&format!("{}\n", serde_json::to_string_pretty(&view).map_err(Cause::json("state"))?))
}
