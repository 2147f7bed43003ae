//! The container's cgroup as a scope of systemd's: its name, its slice, its properties.
//!
//! systemd makes the cgroup, and believes that what it was not told is not so: at its next look it would write its own
//! defaults over our limits. So whatever limit it has a property for is told to it, and all of them are written to the
//! files besides, because systemd rounds some and does not say which the kernel refused.

mod name;
mod properties;
mod variant;

use std::collections::BTreeMap;

use serde::Serialize;

pub use variant::Variant;

pub(super) use properties::{of_devices, of_writes};

use super::{CgroupPlan, Error, HostFacts};
use name::Scope;

/// A systemd that manages cgroups here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemdFacts {
    /// Whether it is the caller's own, not the machine's.
    pub user: bool,
    /// The cgroup below which it has everything; empty for the root.
    pub root: String,
    /// Its version.
    pub version: u32,
}

/// The scope to start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnitPlan {
    /// Name, as `hull-web.scope`.
    pub name: String,
    /// Whether the caller's own systemd is asked for it.
    pub user: bool,
    /// Properties, in order; those that come later win.
    pub properties: Vec<Property>,
}

/// One property of a unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Property {
    /// JSON path of what asked for it; empty where nothing did.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub at: String,
    /// Name, as on D-Bus.
    pub name: String,
    /// Value.
    pub value: Variant,
    /// Some systemd does without it, and none can change it later.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

impl Property {
    fn new(at: &str, name: &str, value: Variant) -> Self {
        Self { at: at.to_owned(), name: name.to_owned(), value, optional: false }
    }
}

/// Where the scope of `linux.cgroupsPath` will be, relative to each hierarchy's root.
pub(super) fn locate(id: &str, path: &str, systemd: &SystemdFacts) -> Result<String, Error> {
    Ok(format!("{}{}", systemd.root, Scope::of(id, path, systemd.user)?.path())
        .trim_start_matches('/')
        .to_owned())
}

/// The scope for a cgroup that is otherwise planned.
pub(super) fn compile(
    id: &str,
    path: &str,
    annotations: &BTreeMap<String, String>,
    cgroup: &CgroupPlan,
    facts: &HostFacts,
    systemd: &SystemdFacts,
) -> Result<UnitPlan, Error> {
    if systemd.user && !facts.cgroups.is_v2() {
        return Err(Error::new(
            "linux.cgroupsPath",
            "names a unit of the user's own systemd, and this host has cgroup v1",
        )
        .hint("boot with cgroup v2, which can be delegated to users, or leave out --systemd-cgroup"));
    }
    let scope = Scope::of(id, path, systemd.user)?;
    let io = if facts.cgroups.is_v2() { "IOAccounting" } else { "BlockIOAccounting" };
    let yes = |name| Property::new("", name, Variant::Bool(true));
    let mut properties = vec![
        Property::new("", "Description", Variant::text(format!("container {id}, by hull"))),
        Property::new("linux.cgroupsPath", "Slice", Variant::text(&scope.slice)),
        yes("Delegate"),
        // Not to be stopped with the slice at shutdown, before the engine that wants to stop its containers itself.
        Property::new("", "DefaultDependencies", Variant::Bool(false)),
        yes("CPUAccounting"),
        yes(io),
        yes("MemoryAccounting"),
        yes("TasksAccounting"),
    ];
    properties.extend(of_writes(&cgroup.writes, systemd.version));
    properties.extend(cgroup.devices.iter().flat_map(|policy| of_devices(policy, "linux.resources.devices")));
    properties.extend(annotated(annotations)?);
    Ok(UnitPlan { name: scope.name, user: systemd.user, properties })
}

/// `org.systemd.property.NAME`: VALUE, as the other runtimes have it.
fn annotated(annotations: &BTreeMap<String, String>) -> Result<Vec<Property>, Error> {
    let prefix = "org.systemd.property.";
    let ours = annotations.iter().filter_map(|(key, text)| Some((key, key.strip_prefix(prefix)?, text)));
    ours.map(|(key, name, text)| {
        let at = format!("annotations[{key:?}]");
        let refuse = |why: String, hint: &str| Err(Error::new(&at, why).hint(hint));
        if name.len() < 3
            || !name.starts_with(|c: char| c.is_ascii_uppercase())
            || !name.chars().all(|c| c.is_ascii_alphanumeric())
        {
            return refuse(format!("{name:?} is no name of a unit property"), "systemctl show lists them");
        }
        if matches!(name, "PIDs" | "Slice") {
            return refuse(
                "is for the runtime to set".to_owned(),
                "the slice is the first part of linux.cgroupsPath",
            );
        }
        // systemd's own files write times in seconds, D-Bus in microseconds.
        let seconds = name.strip_suffix("Sec").filter(|stem| !stem.ends_with('U'));
        if let (Some(stem), Some(microseconds)) = (seconds, microseconds(text)) {
            return Ok(Property::new(&at, &format!("{stem}USec"), Variant::u64(microseconds)));
        }
        match Variant::parse(text) {
            Ok(value) => Ok(Property::new(&at, name, value)),
            Err(expected) => {
                refuse(format!("{text:?} is no value: expected {expected}"), "write it as busctl prints it")
            }
        }
    })
    .collect()
}

/// Seconds, perhaps with a type in front and a fraction behind.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
fn microseconds(text: &str) -> Option<u64> {
    let seconds: f64 = text.split_ascii_whitespace().next_back()?.parse().ok()?;
    let microseconds = (seconds * 1e6).round();
    (0.0..1e18).contains(&microseconds).then_some(microseconds as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn annotation(name: &str, value: &str) -> Result<String, Error> {
        let annotations = BTreeMap::from([(format!("org.systemd.property.{name}"), value.to_owned())]);
        let [property] = &annotated(&annotations)?[..] else { panic!("one annotation, one property") };
        Ok(format!("{} = {}", property.name, property.value))
    }

    #[test]
    fn annotations_become_properties() {
        assert_eq!(
            annotation("CollectMode", "'inactive-or-failed'").unwrap(),
            "CollectMode = 'inactive-or-failed'"
        );
        assert_eq!(annotation("TimeoutStopUSec", "uint64 5").unwrap(), "TimeoutStopUSec = uint64 5");
        assert_eq!(annotation("TimeoutStopSec", "uint64 5").unwrap(), "TimeoutStopUSec = uint64 5000000");
        assert_eq!(annotation("RuntimeMaxSec", "1.5").unwrap(), "RuntimeMaxUSec = uint64 1500000");
        assert_eq!(annotation("KillSignal", "3").unwrap(), "KillSignal = 3");
    }

    #[test]
    fn annotations_that_say_nothing_are_refused_by_their_name() {
        for (name, value) in [
            ("x", "1"),
            ("Ab", "1"),
            ("lower", "1"),
            ("Ki ll", "1"),
            ("PIDs", "[uint32 1]"),
            ("Slice", "'a.slice'"),
            ("KillSignal", "SIGTERM"),
            ("TimeoutStopSec", "-1 s"),
        ] {
            let refused = annotation(name, value).expect_err(name);
            assert_eq!(refused.at, format!("annotations[\"org.systemd.property.{name}\"]"));
        }
    }
}
