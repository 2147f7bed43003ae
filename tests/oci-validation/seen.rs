//! Ways of looking into the world that the probe prints.

use serde_json::Value;

/// The last mount on a target.
#[track_caller]
pub fn mount_on<'a>(world: &'a Value, target: &str) -> &'a Value {
    let mounts = world["mounts"].as_array().unwrap();
    mounts.iter().rfind(|mount| mount["target"] == target).unwrap_or_else(|| panic!("no mount on {target}"))
}

/// Its per-mount flags.
pub fn mount_flags(mount: &Value) -> Vec<&str> {
    mount["flags"].as_array().unwrap().iter().map(|flag| flag.as_str().unwrap()).collect()
}
