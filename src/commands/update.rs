//! `update`: changes the limits of a container.

use std::io::Read;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};

use super::launch;
use crate::cli::Update;
use crate::error::Cause;
use crate::host;
use crate::plan::{self, HostFacts};
use crate::spec::{self, IntelRdt, Resources};
use crate::state::{Container, Status, Store};
use crate::systemd::Systemd;

/// Fields in which 0 and the empty text mean "as it is", as engines write them for what they do not change.
const ZERO_IS_UNCHANGED: &[&str] = &[
    "/memory/limit",
    "/memory/reservation",
    "/memory/swap",
    "/memory/kernel",
    "/memory/kernelTCP",
    "/cpu/shares",
    "/cpu/quota",
    "/cpu/period",
    "/cpu/realtimeRuntime",
    "/cpu/realtimePeriod",
    "/cpu/cpus",
    "/cpu/mems",
    "/pids/limit",
    "/blockIO/weight",
];

/// Writes the limits that were given, and remembers them in the kept config.json.
pub fn update(store: &Store, request: &Update) -> Result<(), Cause> {
    let container = store.lock(&request.id)?;
    if container.status()? == Status::Stopped {
        return Err(Cause::Status("container not running"));
    }
    let (path, text) = container.config()?;
    let mut config: Value = spec::parse(&path, &text)?;
    let before = &mut config["linux"]["resources"];
    let wanted = merge(before, document(request)?);
    let wanted: Resources = reread("resources", &wanted)?;
    let cgroup = container.cgroup();
    let systemd = cgroup.unit().map(|unit| Systemd::connect(unit.user)).transpose()?;
    let known = systemd.as_ref().map(Systemd::facts).transpose()?;
    let facts = host::facts(plan::Wanted { cgroups: true, ..plan::Wanted::default() });
    let changes = plan::cgroup::update(&wanted, &HostFacts { systemd: known, ..facts })?;
    if let Some(limit) = changes.usage_below {
        cgroup.check_before_update(limit)?;
    }
    if let Some(systemd) = &systemd {
        cgroup.set_properties(systemd, &changes.properties)?;
    }
    cgroup.apply(&changes.writes)?;
    if let Some(devices) = &changes.devices {
        cgroup.set_devices(devices)?;
    }
    update_class(&container, &request.intel_rdt, &mut config)?;
    Ok(container.save_config(&serde_json::to_vec(&config).map_err(Cause::json("config.json"))?)?)
}

/// Writes schemata of the container's class of service; others in the class are subject to them too.
fn update_class(container: &Container, changes: &Value, config: &mut Value) -> Result<(), Cause> {
    let Value::Object(fields) = changes else { return Ok(()) };
    let Some(class) = &container.record.intel_rdt else {
        return Err(Cause::Status(
            "container has no class of service: it was created without linux.intelRdt",
        ));
    };
    let wanted: IntelRdt = reread("intelRdt", changes)?;
    class.write_schemata(&plan::intel_rdt::schemata(&wanted, "intelRdt")?)?;
    for (field, value) in fields {
        config["linux"]["intelRdt"][field] = value.clone();
    }
    Ok(())
}

/// A part of a document as its own type: by way of its text, as there is one reader of documents.
fn reread<T: for<'de> Deserialize<'de>>(what: &'static str, part: &Value) -> Result<T, Cause> {
    serde_json::from_str(&part.to_string()).map_err(Cause::json(what))
}

/// What is to change, as a `linux.resources` document.
fn document(request: &Update) -> Result<Value, Cause> {
    let Some(path) = &request.resources else { return Ok(without_zeros(request.limits.clone())) };
    let text = if path == Path::new("-") {
        let mut text = Vec::new();
        std::io::stdin().read_to_end(&mut text).map_err(Cause::io("stdin"))?;
        text
    } else {
        launch::read(path)?
    };
    // Read as what it is first, because that names the place of a mistake.
    spec::parse::<Resources>(path, &text)?;
    match spec::parse(path, &text)? {
        document @ Value::Object(_) => Ok(without_zeros(document)),
        _ => Err(plan::Error::new("resources", "is not a JSON object").into()),
    }
}

fn without_zeros(mut document: Value) -> Value {
    for pointer in ZERO_IS_UNCHANGED {
        if let Some(value) = document.pointer_mut(pointer)
            && (*value == 0 || *value == "")
        {
            *value = Value::Null;
        }
    }
    document
}

/// Adds the changes to `resources`; returns those of its sections that have changes.
///
/// A section is written as a whole, because the kernel sees some limits together (memory and swap, quota and
/// period). The other sections are left as they are on the host, where somebody else may have changed them.
fn merge(resources: &mut Value, changes: Value) -> Value {
    let mut changed = Value::Null;
    let Value::Object(sections) = changes else { return Value::Object(serde_json::Map::new()) };
    for (name, change) in sections {
        let section = &mut resources[&name];
        match change {
            Value::Null => continue,
            Value::Object(mut fields) => {
                // Memory without a limit cannot stay below the limited sum that was asked for before.
                let keeps_swap = fields.get("swap").is_none_or(Value::is_null);
                if name == "memory" && keeps_swap && fields.get("limit") == Some(&json!(-1)) {
                    fields.insert("swap".to_owned(), json!(-1));
                }
                for (field, value) in fields.into_iter().filter(|(_, value)| !value.is_null()) {
                    section[&field] = value;
                }
            }
            list => *section = list,
        }
        changed[&name] = section.clone();
    }
    if changed.is_null() { Value::Object(serde_json::Map::new()) } else { changed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sections_with_changes_are_written_but_those_as_a_whole() {
        let mut resources = json!({"memory": {"limit": 7, "swap": 9}, "cpu": {"shares": 2}, "devices": [1]});
        let changes =
            json!({"memory": {"limit": 5, "swap": null}, "pids": {"limit": 3}, "cpu": null, "devices": [2]});
        let wanted = merge(&mut resources, changes);
        assert_eq!(wanted, json!({"memory": {"limit": 5, "swap": 9}, "pids": {"limit": 3}, "devices": [2]}));
        assert_eq!(resources["cpu"], json!({"shares": 2}), "untouched");
        assert_eq!(resources["memory"], wanted["memory"], "remembered");
    }

    #[test]
    fn memory_without_a_limit_lifts_that_of_swap() {
        let mut resources = json!({"memory": {"limit": 7, "swap": 9}});
        assert_eq!(
            merge(&mut resources, json!({"memory": {"limit": -1}})),
            json!({"memory": {"limit": -1, "swap": -1}})
        );
    }

    #[test]
    fn nothing_to_change_is_an_empty_document() {
        assert_eq!(merge(&mut json!({"pids": {"limit": 3}}), Value::Null), json!({}));
        let zeros = json!({"memory": {"limit": 0, "swappiness": 0}, "cpu": {"cpus": "", "idle": 0}});
        let left = json!({"memory": {"limit": null, "swappiness": 0}, "cpu": {"cpus": null, "idle": 0}});
        assert_eq!(without_zeros(zeros), left);
    }
}
