//! The runtime inside a container that it made itself, as Docker in Docker has it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::harness::*;
use crate::needs;

/// A container whose program is the runtime, which runs the bundle of another container in it.
struct Nested {
    outer: Container,
    inner: Bundle,
}

impl Nested {
    fn new(outer: Container, inner: impl FnOnce(&mut Value)) -> Self {
        let mut bundle = Bundle::new("/inner");
        inner(&mut bundle.config);
        bundle.write();
        // A runtime that is linked dynamically runs inside only with its libraries.
        let libraries = ["/lib", "/lib64", "/usr/lib"].into_iter().filter(|dir| fs::metadata(dir).is_ok());
        let outer = libraries.fold(outer, |outer, dir| outer.mount(dir, "none", dir, &["rbind", "ro"]));
        let outer = outer.mount("/inner", "none", bundle.path().to_str().unwrap(), &["rbind"]).args(&[
            "/runtime",
            "--rootless=true",
            "--root",
            "/run/runtime",
            "run",
            "--bundle",
            "/inner",
            "inner",
        ]);
        install(outer.runtime.binary(), &outer.bundle.rootfs().join("runtime"));
        fs::set_permissions(outer.bundle.rootfs().join("run"), fs::Permissions::from_mode(0o777)).unwrap();
        Self { outer, inner: bundle }
    }

    fn run(&self) -> Finished {
        assert!(self.inner.path().is_dir());
        self.outer.run(&[])
    }
}

/// As engines make it for `--privileged`: every right that the caller has, nothing hidden, cgroups that can be written.
fn privileged() -> Container {
    let needed_inside = ["CAP_AUDIT_WRITE", "CAP_NET_BIND_SERVICE"];
    Container::new()
        .capabilities(&[ROOT_ALL, &needed_inside].concat())
        .mount("/sys/fs/cgroup", "cgroup", "cgroup", &["nosuid", "noexec", "nodev"])
        .edit(|config| {
            let linux = config["linux"].as_object_mut().unwrap();
            linux.remove("maskedPaths");
            linux.remove("readonlyPaths");
            linux["resources"] = json!({ "devices": [{ "allow": true, "access": "rwm" }] });
            config["process"]["noNewPrivileges"] = json!(false);
            config["mounts"][5]["options"] = json!(["nosuid", "noexec", "nodev"]);
        })
}

/// As engines make it by default.
fn plain() -> Container {
    Container::new()
        .capabilities(&["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETUID"])
        .mount("/sys/fs/cgroup", "cgroup", "cgroup", &["nosuid", "noexec", "nodev", "ro"])
}

/// What an unprivileged caller can have there: /proc and /sys as they are around, no pid and network namespace.
fn unprivileged(config: &mut Value) {
    let bound =
        |place: &str| json!({ "destination": place, "type": "none", "source": place, "options": ["rbind"] });
    (config["mounts"][0], config["mounts"][5]) = (bound("/proc"), bound("/sys"));
    config["mounts"][2]["options"] = json!(["newinstance", "ptmxmode=0666"]);
    let linux = config["linux"].as_object_mut().unwrap();
    linux.retain(|key, _| key == "namespaces");
    linux["namespaces"] =
        json!([{ "type": "user" }, { "type": "mount" }, { "type": "ipc" }, { "type": "uts" }]);
    for map in ["uidMappings", "gidMappings"] {
        linux.insert(map.to_owned(), json!([{ "containerID": 0, "hostID": 0, "size": 1 }]));
    }
}

#[test]
fn privileged_in_privileged() {
    needs!(root);
    let world = Nested::new(privileged(), |_| {}).run().ok().json();
    assert_eq!((&world["pid"], &world["hostname"]), (&json!(1), &json!("hull-test")));
    assert_eq!(world["uid_map"], json!([[0, 0, 4_294_967_295_u32]]));
}

/// A user namespace inside takes no privilege.
#[test]
fn unprivileged_in_unprivileged() {
    needs!(root_or_ranges, user_ns);
    let world = Nested::new(plain(), unprivileged).run().ok().json();
    assert_eq!(world["uid_map"], json!([[0, 0, 1]]));
    assert_eq!(world["devices"]["/dev/null"]["type"], "char");
}

/// The runtime as root of a container with a user namespace: it may do nearly all there.
#[test]
fn privileged_in_a_user_namespace() {
    needs!(root, user_ns);
    let nested = Nested::new(privileged().user_namespace(), |config| {
        let linux = config["linux"].as_object_mut().unwrap();
        linux.remove("cgroupsPath");
        linux.remove("resources");
    });
    let world = nested.run().ok().json();
    assert_eq!(world["uid_map"], json!([[0, 100_000, 65_536]]));
    assert_eq!(world["pid"], 1);
}

/// What a plain container denies is refused, with the way out.
#[test]
fn refusals() {
    needs!(root_or_ranges, user_ns);
    let no_cgroups = |config: &mut Value| {
        config["linux"].as_object_mut().unwrap().retain(|key, _| key != "resources" && key != "cgroupsPath");
    };
    let without_privilege = Nested::new(plain(), no_cgroups);
    without_privilege.run().refuses(&["operation not permitted", "user namespace"]).exits(1);
    let without_setfcap = Nested::new(Container::new(), unprivileged);
    without_setfcap.run().refuses(&["linux.uidMappings", "CAP_SETFCAP"]).exits(1);
    let masked = Nested::new(plain(), |config| {
        unprivileged(config);
        config["mounts"][0] = json!({ "destination": "/proc", "type": "proc", "source": "proc" });
        config["linux"]["namespaces"].as_array_mut().unwrap().push(json!({ "type": "pid" }));
    });
    masked.run().refuses(&["mounts[0]", "bind /proc instead"]).exits(1);
}
