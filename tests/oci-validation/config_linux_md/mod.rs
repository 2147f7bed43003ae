//! config-linux.md: the configuration that only Linux has.

mod cgroups;
mod cgroups_v2;
mod devices;
mod intel_rdt;
mod kernel;
mod namespaces;
mod net_devices;
mod paths;
mod resources_v1;
mod resources_v2;
mod seccomp;
mod systemd;
mod user_namespaces;

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::harness::{Container, is_v2};

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

/// A container with more than 32 MiB in use is not limited to 16 by an update that checks, but to 128.
#[track_caller]
fn check_before_update() {
    let limits = |limit: u64| json!({ "limit": limit, "checkBeforeUpdate": true });
    let container = Container::new().set("/linux/resources/memory", limits(268_435_456)).sleeping();
    // Pages of a tmpfs are charged to whoever writes them, and stay.
    let filled = container.exec(&[], &["/probe", "fill", "/dev/shm/full", "33554432"]).ok().json();
    assert_eq!(filled, json!({ "filled": 33_554_432 }));
    let update = |limit: u64| {
        let command = container.runtime.command(["update", "--resources", "-", &container.id]);
        command.stdin(&json!({ "memory": limits(limit) }).to_string()).run()
    };
    update(16_777_216).refuses(&[]);
    assert_eq!(container.limit("memory.limit"), "268435456");
    assert_eq!(container.status(), "running");
    update(134_217_728).ok();
    assert_eq!(container.limit("memory.limit"), "134217728");
}

/// A cgroup that is frozen until the end of the test, also when a runtime hangs in it.
struct Frozen {
    dir: PathBuf,
}

impl Frozen {
    /// Makes the directory, in the v1 freezer's hierarchy or on v2, and freezes it.
    fn new(dir: PathBuf) -> Self {
        // With the slice, which systemd makes when it needs it.
        std::fs::create_dir_all(&dir).unwrap();
        let frozen = Self { dir };
        frozen.set(if is_v2() { "1" } else { "FROZEN" }).unwrap();
        frozen
    }

    fn set(&self, state: &str) -> std::io::Result<()> {
        std::fs::write(self.dir.join(if is_v2() { "cgroup.freeze" } else { "freezer.state" }), state)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        let _ = self.set(if is_v2() { "0" } else { "THAWED" });
        let _ = std::fs::remove_dir(&self.dir);
    }
}
