//! The one document: all that a process can see of its container.

use serde_json::{Map, Value};

use crate::{devices, files, identity, limits, mounts, network, process, status, terminal};

/// Looks at everything; `sysctls` are dotted or slashed names below /proc/sys.
pub fn see(argv: &[String], sysctls: &[&str]) -> Value {
    let status = status::read();
    let mut world = Map::new();
    for part in [
        identity::see(&status),
        process::see(argv, &status),
        limits::see(),
        terminal::see(),
        mounts::see(),
        devices::see(),
        network::see(),
    ] {
        world.extend(part);
    }
    world.insert("sysctls".to_owned(), sysctls.iter().map(|name| sysctl(name)).collect());
    Value::Object(world)
}

fn sysctl(name: &str) -> (String, Value) {
    let path = format!("/proc/sys/{}", name.replace('.', "/"));
    (name.to_owned(), files::read(&path))
}
