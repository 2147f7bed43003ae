//! `spec`: writes a config.json to start from.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

use serde_json::{Value, json};

use crate::cgroups;
use crate::error::Cause;
use crate::plan::CgroupLayout;

/// A shell on a terminal in a read-only root filesystem.
const DEFAULT: &str = include_str!("default.json");

/// Writes the document into the bundle, never over one that is there.
pub fn spec(bundle: &Path, rootless: bool) -> Result<(), Cause> {
    let path = bundle.join("config.json");
    let text = if rootless {
        let ids = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
        let config = unprivileged(ids).map_err(Cause::json("config.json"))?;
        format!("{config:#}\n")
    } else {
        default(&cgroups::layout::probe()).map_err(Cause::json("config.json"))?
    };
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => Cause::ConfigExists(path),
        _ => Cause::Io { what: path.display().to_string(), source },
    })
}

/// On cgroup v1, where engines show a container its cgroup by the host's path, it has no cgroup namespace.
fn default(layout: &CgroupLayout) -> Result<String, serde_json::Error> {
    if layout.is_v2() {
        return Ok(DEFAULT.to_owned());
    }
    let mut config: Value = serde_json::from_str(DEFAULT)?;
    leave_out(&mut config, "cgroup");
    Ok(format!("{config:#}\n"))
}

fn leave_out(config: &mut Value, namespace: &str) {
    if let Some(namespaces) = config["linux"]["namespaces"].as_array_mut() {
        namespaces.retain(|listed| listed["type"] != namespace);
    }
}

/// The same for a caller without privileges, who becomes root in a user namespace.
///
/// Such a caller has no sysfs of its own network namespace, no group 5 for terminals, and no cgroup to limit.
fn unprivileged((uid, gid): (u32, u32)) -> Result<Value, serde_json::Error> {
    let mut config: Value = serde_json::from_str(DEFAULT)?;
    for mount in config["mounts"].as_array_mut().into_iter().flatten() {
        if mount["type"] == "sysfs" {
            mount["type"] = json!("none");
            mount["source"] = json!("/sys");
            mount["options"] = json!(["rbind", "nosuid", "noexec", "nodev", "ro"]);
        } else if let Some(options) = mount.get_mut("options").and_then(Value::as_array_mut) {
            options.retain(|option| option != "gid=5");
        }
    }
    leave_out(&mut config, "network");
    let linux = &mut config["linux"];
    if let Some(linux) = linux.as_object_mut() {
        linux.remove("resources");
    }
    if let Some(namespaces) = linux["namespaces"].as_array_mut() {
        namespaces.push(json!({"type": "user"}));
    }
    linux["uidMappings"] = json!([{"containerID": 0, "hostID": uid, "size": 1}]);
    linux["gidMappings"] = json!([{"containerID": 0, "hostID": gid, "size": 1}]);
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{NamespaceKind, OCI_VERSION, Spec};

    fn written(rootless: bool) -> (String, Spec) {
        let dir = tempfile::tempdir().unwrap();
        spec(dir.path(), rootless).unwrap();
        let path = dir.path().join("config.json");
        let text = std::fs::read_to_string(&path).unwrap();
        let parsed = crate::spec::parse(&path, text.as_bytes()).unwrap();
        assert!(matches!(spec(dir.path(), rootless), Err(Cause::ConfigExists(_))), "written over");
        (text, parsed)
    }

    #[test]
    fn the_default_is_a_whole_document() {
        let (text, spec) = written(false);
        assert_eq!(spec.oci_version, OCI_VERSION);
        serde_json::from_str::<oci_spec::runtime::Spec>(&text).unwrap();
    }

    #[test]
    fn the_unprivileged_one_maps_the_caller_to_root() {
        let (text, spec) = written(true);
        let linux = &spec.linux;
        assert_eq!(linux.uid_mappings[0].host_id, nix::unistd::geteuid().as_raw());
        assert!(linux.resources.is_none() && !text.contains("gid=5") && !text.contains("null"));
        let kinds: Vec<_> = linux.namespaces.iter().map(|namespace| namespace.kind).collect();
        assert!(kinds.contains(&NamespaceKind::User) && !kinds.contains(&NamespaceKind::Network));
    }
}
