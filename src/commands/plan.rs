//! `plan`: what `create` would do, without doing it.

use std::fmt::Write;
use std::path::Path;

use super::{launch, print};
use crate::cli::{Create, PlanFormat};
use crate::error::Cause;
use crate::log::Log;
use crate::plan::Plan;

pub(super) fn plan(id: &str, bundle: &Path, format: PlanFormat, log: &Log) -> Result<(), Cause> {
    let create = Create { id: id.to_owned(), bundle: bundle.to_owned(), ..Create::default() };
    let plan = launch::compile(&create, true, log)?.plan;
    match format {
        PlanFormat::Json => {
            let text = serde_json::to_string_pretty(&plan).map_err(Cause::json("plan"))?;
            print(&(text + "\n"))
        }
        PlanFormat::Text => print(&text(&plan)),
    }
}

/// The parent's part, then the steps of init, numbered as in error messages.
fn text(plan: &Plan) -> String {
    let parent = &plan.parent;
    let mut text = String::from("runtime:\n");
    for dir in &parent.cgroup.dirs {
        line(&mut text, &format!("cgroup {}", dir.path.display()));
    }
    for write in &parent.cgroup.writes {
        line(&mut text, &format!("write {} = {:?}", write.file, write.value));
    }
    if let Some(rdt) = &parent.intel_rdt {
        line(&mut text, &format!("class of service {}", rdt.clos.display()));
        rdt.schemata.iter().for_each(|schema| line(&mut text, &format!("write schemata = {schema:?}")));
    }
    for (slot, open) in parent.open.iter().enumerate() {
        line(&mut text, &format!("slot {slot}: {open}"));
    }
    if let Some(seccomp) = &parent.seccomp {
        line(&mut text, &format!("seccomp: {seccomp}"));
    }
    let names: Vec<_> = parent.namespaces.iter().map(|kind| kind.name()).collect();
    line(&mut text, &format!("clone into new namespaces: {}", names.join(" ")));
    for device in &parent.net_devices {
        line(&mut text, &format!("move interface {} in as {}", device.host, device.inside));
    }
    for (kind, hook) in &parent.create_hooks {
        line(&mut text, &format!("{kind} hook {}", hook.path));
    }
    text += "init:\n";
    for (index, step) in plan.child.steps.iter().enumerate() {
        let at = if step.at.is_empty() { String::new() } else { format!("  [{}]", step.at) };
        line(&mut text, &format!("{:3} {}{at}", index + 1, step.op));
    }
    text
}

fn line(text: &mut String, content: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "  {content}");
}
