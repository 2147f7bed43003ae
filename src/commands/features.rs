//! `features`: what this build can do, as the runtime-spec's features document (features.md).
//!
//! Every list is the one that the parser or the planner works with, so the document cannot claim what they refuse.
//! It says what the build can do, not what this host offers, as the specification wants.

use std::collections::BTreeMap;

use serde::de::IntoDeserializer;
use serde::de::value::Error as ValueError;
use serde::{Deserialize, Serialize};

use super::print;
use crate::error::Cause;
use crate::plan;
use crate::seccomp;
use crate::spec::{self, words};

type Words = &'static [&'static str];

/// Prints the document.
pub fn features() -> Result<(), Cause> {
    let text = serde_json::to_string_pretty(&Features::of_this_build()).map_err(Cause::json("features"))?;
    print(&format!("{text}\n"))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Features {
    oci_version_min: &'static str,
    oci_version_max: &'static str,
    hooks: Words,
    mount_options: Vec<&'static str>,
    linux: Linux,
    annotations: BTreeMap<&'static str, &'static str>,
    /// Only those that become properties of a systemd unit change what hull does.
    potentially_unsafe_config_annotations: Words,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Linux {
    namespaces: Words,
    capabilities: Vec<String>,
    cgroup: Cgroup,
    seccomp: Seccomp,
    apparmor: Enabled,
    selinux: Enabled,
    intel_rdt: IntelRdt,
    memory_policy: MemoryPolicy,
    mount_extensions: MountExtensions,
    net_devices: Enabled,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Cgroup {
    v1: bool,
    v2: bool,
    systemd: bool,
    systemd_user: bool,
    rdma: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Seccomp {
    enabled: bool,
    actions: Words,
    operators: Words,
    archs: Words,
    known_flags: Words,
    supported_flags: Vec<&'static str>,
}

#[derive(Serialize)]
struct IntelRdt {
    enabled: bool,
    schemata: bool,
    monitoring: bool,
}

#[derive(Serialize)]
struct MemoryPolicy {
    modes: Words,
    flags: Words,
}

#[derive(Serialize)]
struct MountExtensions {
    idmap: Enabled,
}

#[derive(Serialize)]
struct Enabled {
    enabled: bool,
}

impl Features {
    fn of_this_build() -> Self {
        Self {
            oci_version_min: spec::OCI_VERSION_MIN,
            oci_version_max: spec::OCI_VERSION,
            hooks: words::<spec::Hooks>(),
            mount_options: plan::mount_option_names().collect(),
            linux: Linux::of_this_build(),
            annotations: BTreeMap::from([
                ("org.hull.version", env!("CARGO_PKG_VERSION")),
                ("org.hull.commit", env!("HULL_COMMIT")),
            ]),
            potentially_unsafe_config_annotations: &["org.systemd.property."],
        }
    }
}

impl Linux {
    fn of_this_build() -> Self {
        let mut capabilities: Vec<_> = caps::all().into_iter().collect();
        capabilities.sort_unstable_by_key(|capability| capability.index());
        let flags = words::<spec::FilterFlag>();
        Self {
            namespaces: words::<spec::NamespaceKind>(),
            capabilities: capabilities.iter().map(ToString::to_string).collect(),
            cgroup: Cgroup { v1: true, v2: true, systemd: true, systemd_user: true, rdma: true },
            seccomp: Seccomp {
                enabled: true,
                actions: words::<spec::Action>(),
                operators: words::<spec::Operator>(),
                archs: words::<spec::Arch>(),
                known_flags: flags,
                supported_flags: supported(flags),
            },
            apparmor: Enabled { enabled: true },
            selinux: Enabled { enabled: true },
            intel_rdt: IntelRdt { enabled: true, schemata: true, monitoring: true },
            memory_policy: MemoryPolicy {
                modes: words::<spec::MemoryPolicyMode>(),
                flags: words::<spec::MemoryPolicyFlag>(),
            },
            mount_extensions: MountExtensions { idmap: Enabled { enabled: true } },
            net_devices: Enabled { enabled: true },
        }
    }
}

/// The filter flags that the running kernel takes: the one list that the specification wants of the host.
fn supported(flags: Words) -> Vec<&'static str> {
    let known =
        |word: &str| spec::FilterFlag::deserialize(word.into_deserializer()).map_err(|_: ValueError| ());
    flags.iter().copied().filter(|word| known(word).is_ok_and(seccomp::supports)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_one_that_the_model_crate_reads() {
        let text = serde_json::to_string(&Features::of_this_build()).unwrap();
        let features: oci_spec::runtime::Features = serde_json::from_str(&text).unwrap();
        assert_eq!(features.oci_version_max(), "1.3.0");
        assert_eq!(features.linux().as_ref().unwrap().namespaces().as_ref().unwrap().len(), 8);
    }

    #[test]
    fn the_newest_and_the_oldest_capability_are_there_in_order() {
        let capabilities = Linux::of_this_build().capabilities;
        assert_eq!(capabilities.first().unwrap(), "CAP_CHOWN");
        assert_eq!(capabilities.len(), 41);
    }
}
