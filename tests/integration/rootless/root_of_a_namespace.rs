//! A caller who is nobody on the host but root in a user namespace of their own, as rootless engines call.

use std::process::{Child, Command, Stdio};

use serde_json::json;

use crate::harness::*;
use crate::needs;

/// A user namespace in which the user is root, for as long as this lives.
struct Namespace {
    first: Child,
    mounts: bool,
}

impl Namespace {
    /// `mounts`: whether there is a mount namespace too, without which the mounts are still the host's.
    fn new(mounts: bool) -> Self {
        let [setpriv, words @ ..] = as_user();
        let mut command = Command::new(setpriv);
        command.args(words).args([
            "unshare",
            "--user",
            "--map-root-user",
            if mounts { "--mount" } else { "--ipc" },
        ]);
        // Says that it is there, and ends with us.
        command.args(["sh", "-c", "echo; cat"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let first = command.spawn().unwrap();
        let ready = readable(first.stdout.as_ref().unwrap(), std::time::Duration::from_secs(20));
        assert!(ready, "no user namespace");
        Self { first, mounts }
    }

    /// What starts a command as its root.
    fn as_root(&self) -> Vec<String> {
        let mut words = Vec::from(as_user());
        words.extend(["nsenter", "--preserve-credentials", "--user"].map(str::to_owned));
        words.extend(self.mounts.then(|| "--mount".to_owned()));
        words.extend([format!("--target={}", self.first.id()), "--".to_owned()]);
        words
    }

    /// A container of that root, without a user namespace of its own.
    fn container(&self) -> Container {
        let mut container = users_own().without_namespace("user").edit(|config| {
            config["linux"].as_object_mut().unwrap().retain(|key, _| !key.ends_with("Mappings"));
        });
        container.runtime.launch_by(self.as_root());
        container
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        self.first.kill().unwrap();
        self.first.wait().unwrap();
    }
}

/// Root here may neither make a cgroup nor go back to the host's pid namespace once `exec` has joined the container's.
#[test]
fn a_container_and_exec_in_it() {
    needs!(root, user_ns);
    for mounts in [true, false] {
        let namespace = Namespace::new(mounts);
        let container = namespace
            .container()
            .mount("/sys/fs/cgroup", "cgroup", "cgroup", &["ro"])
            .args(&["/probe", "pause"]);
        container.create(&[]).ok();
        let early = container.exec_world(&[]);
        container.start().ok();
        let late = container.exec_world(&[]);
        for world in [early, late] {
            assert_eq!(world["uid_map"], json!([[0, USER, 1]]), "{world}");
            assert!(world["pid"].as_i64().unwrap() > 1, "{}", world["pid"]);
        }
        container.kill("KILL").ok();
        container.await_stop();
        container.delete(&[]).ok();
    }
}

/// Its ids are those of the namespace around it.
#[test]
fn a_user_namespace_in_the_namespace() {
    needs!(root, user_ns);
    for mounts in [true, false] {
        let namespace = Namespace::new(mounts);
        let map = json!([{ "containerID": 5, "hostID": 0, "size": 1 }]);
        let container = namespace
            .container()
            .namespace("user")
            .set("/linux/uidMappings", map.clone())
            .set("/linux/gidMappings", map)
            .set("/process/user", json!({ "uid": 5, "gid": 5 }))
            .sleeping();
        let world = container.exec_world(&[]);
        assert_eq!((&world["uid_map"], &world["uid"]["real"]), (&json!([[5, 0, 1]]), &json!(5)));
    }
}

/// Engines list what /etc/group of the image says, also where no group can be set.
#[test]
fn groups_that_cannot_be_set() {
    needs!(root, user_ns);
    let namespace = Namespace::new(true);
    let container = namespace.container().set("/process/user/additionalGids", json!([1, 2]));
    let ran = container.run(&[]).ok();
    assert_eq!(ran.json()["setgroups"], "deny");
    assert!(ran.stderr.contains("process.user.additionalGids"), "{}", ran.stderr);
}
