//! `plan`: what `create` would do, without doing it.

use std::path::Path;

use super::{Driver, launch, print};
use crate::cli::{Create, PlanFormat};
use crate::error::Cause;
use crate::log::Log;
use crate::state::Store;

pub(super) fn plan(
    store: &Store,
    id: &str,
    bundle: &Path,
    format: PlanFormat,
    driver: Driver,
    log: &Log,
) -> Result<(), Cause> {
    let create = Create { id: id.to_owned(), bundle: bundle.to_owned(), ..Create::default() };
    let plan = launch::compile(store, &create, true, driver, log)?.plan;
    match format {
        PlanFormat::Json => {
            let text = serde_json::to_string_pretty(&plan).map_err(Cause::json("plan"))?;
            print(&(text + "\n"))
        }
        PlanFormat::Text => print(&plan.to_string()),
    }
}
