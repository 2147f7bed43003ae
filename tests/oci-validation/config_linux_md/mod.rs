//! config-linux.md: the configuration that only Linux has.

mod cgroups;
mod devices;
mod intel_rdt;
mod kernel;
mod namespaces;
mod net_devices;
mod paths;
mod resources_v1;
mod seccomp;
mod user_namespaces;

use serde_json::Value;

use crate::harness::Container;

/// A created container with these members of `linux.resources`.
#[track_caller]
fn limited(resources: &Value) -> Container {
    let container = Container::new().edit(|config| {
        for (name, value) in resources.as_object().unwrap() {
            config["linux"]["resources"][name] = value.clone();
        }
    });
    container.create(&[]).ok();
    container
}
