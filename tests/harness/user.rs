//! A caller who is nobody on this host.

use std::os::unix::fs::chown;

use serde_json::json;

use super::container::Container;
use super::driver::Driver;

/// An ordinary user of this host, and their group: no more than a number, which nobody else has.
pub const USER: u32 = 61_234;

/// What starts a command as that user.
pub fn as_user() -> [String; 4] {
    ["setpriv".into(), format!("--reuid={USER}"), format!("--regid={USER}"), "--clear-groups".into()]
}

/// A container of that user, as `spec --rootless` describes one: the user is its root, and nobody else is mapped.
pub fn users_own() -> Container {
    let mut container = Container::by(Driver::Cgroupfs)
        .with_own_binary()
        .without_namespace("network")
        .namespace("user")
        .set("/linux/uidMappings", json!([{ "containerID": 0, "hostID": USER, "size": 1 }]))
        .set("/linux/gidMappings", json!([{ "containerID": 0, "hostID": USER, "size": 1 }]))
        .edit(|config| {
            let linux = config["linux"].as_object_mut().unwrap();
            linux.remove("cgroupsPath");
            linux.remove("resources");
            for mount in config["mounts"].as_array_mut().unwrap() {
                if mount["type"] == "sysfs" {
                    *mount = json!({ "destination": "/sys", "type": "none", "source": "/sys",
                        "options": ["rbind", "nosuid", "noexec", "nodev", "ro"] });
                } else if let Some(options) = mount["options"].as_array_mut() {
                    options.retain(|option| option != "gid=5");
                }
            }
        });
    container.runtime.launch_by(as_user());
    give_away(&container);
    container
}

/// The bundle and the runtime's state become the user's.
pub fn give_away(container: &Container) {
    let owned = [container.bundle.path(), &container.bundle.rootfs(), container.runtime.root()];
    owned.iter().for_each(|dir| chown(dir, Some(USER), Some(USER)).unwrap());
}
