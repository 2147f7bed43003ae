//! config-linux.md: the configuration that only Linux has.

mod cgroups;
mod devices;
mod intel_rdt;
mod kernel;
mod namespaces;
mod net_devices;
mod paths;
mod resources_v1;
mod resources_v2;
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

/// A cgroup that is frozen until the end of the test, also when a runtime hangs in it.
struct Frozen {
    dir: String,
    thaw: (&'static str, &'static str),
}

impl Frozen {
    /// Makes the directory and writes `freeze` to the control file that `thaw` names with its other value.
    fn new(dir: String, freeze: &str, thaw: (&'static str, &'static str)) -> Self {
        std::fs::create_dir(&dir).unwrap();
        std::fs::write(format!("{dir}/{}", thaw.0), freeze).unwrap();
        Self { dir, thaw }
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        let _ = std::fs::write(format!("{}/{}", self.dir, self.thaw.0), self.thaw.1);
        let _ = std::fs::remove_dir(&self.dir);
    }
}
