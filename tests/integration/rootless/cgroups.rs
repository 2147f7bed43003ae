//! What becomes of cgroups when the caller has little or no right to make any, as runc documents it for rootless
//! containers: nothing asks for one, and none is made; a limit or a path asks for one, and is refused.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::harness::*;
use crate::needs;
use crate::view::{self, PURE_V2};

/// A cgroup that is the user's own, and the callers inside it, for as long as this lives.
struct Delegated {
    dir: PathBuf,
}

impl Delegated {
    /// In the hierarchy that is mounted at `mount`.
    fn new(mount: &str) -> Self {
        let dir = Path::new(mount).join(view::unique());
        // The callers sit beside the container: on v2, a cgroup with processes has no controllers for others.
        fs::create_dir_all(dir.join("callers")).unwrap();
        let delegated = Self { dir };
        for place in ["", "callers"] {
            for file in ["", "cgroup.procs", "tasks", "cgroup.threads", "cgroup.subtree_control"] {
                let path = delegated.dir.join(place).join(file);
                if path.exists() {
                    chown(path, Some(USER), Some(USER)).unwrap();
                }
            }
        }
        delegated
    }

    /// What starts a command as the user, inside.
    fn as_user(&self) -> Vec<String> {
        let enter = format!("echo $$ >{}/callers/cgroup.procs && exec \"$@\"", self.dir.display());
        ["sh", "-c", &enter, "sh"].map(str::to_owned).into_iter().chain(as_user()).collect()
    }
}

impl Drop for Delegated {
    fn drop(&mut self) {
        for dir in [self.dir.join("callers"), self.dir.clone()] {
            view::eventually("the delegated cgroup is empty", || fs::remove_dir(&dir).is_ok());
        }
    }
}

fn limited(container: Container) -> Container {
    container.set("/linux/resources", json!({ "unified": { "cgroup.max.depth": "3" } }))
}

/// What asks for a cgroup names itself when there can be none.
#[test]
fn without_a_right_to_any() {
    needs!(root, user_ns);
    let on_v2 = pure_cgroup2().is_ok();
    assert_eq!(users_own().world()["uid"]["effective"], 0);
    let limits = json!({ "pids": { "limit": 20 } });
    let limit = "linux.resources.pids.limit";
    let refused = |container: Container, words: &[&str]| {
        container.create(&[]).refuses(words);
        container.assert_clean();
    };
    if !on_v2 {
        refused(users_own().set("/linux/resources", limits), &[limit, "cannot make the cgroup", "delegated"]);
    }
    let path = json!(format!("/{}", view::unique()));
    refused(users_own().set("/linux/cgroupsPath", path), &["cannot make the cgroup", "linux.cgroupsPath"]);
    let container = users_own();
    container.bundle.write();
    let create =
        ["--rootless=false", "create", "--bundle", container.bundle.path().to_str().unwrap(), &container.id];
    container.runtime.command(create).run().refuses(&["cannot make the cgroup"]);
    container.assert_clean();
}

/// Nobody but the first process can be found then; what is asked about the others is refused.
#[test]
fn verbs_that_need_one() {
    needs!(root, user_ns);
    let container = users_own().sleeping();
    for verb in [&["pause"][..], &["update", "--pids-limit", "20"], &["ps"]] {
        let (name, flags) = verb.split_first().unwrap();
        container.verb(name, flags, &[]).refuses(&["cgroup"]);
    }
    container.verb("kill", &["--all"], &["TERM"]).refuses(&["cgroup"]);
    container.verb("kill", &["--all"], &["KILL"]).ok();
    container.await_stop();
}

/// On v1, each hierarchy by itself: limits where they can be set, none where nothing asks for them.
#[test]
fn a_delegated_v1_controller() {
    needs!(root_or_ranges, user_ns, cgroup_v1("pids"));
    let delegated = Delegated::new("/sys/fs/cgroup/pids");
    let mut container = users_own().set("/linux/resources", json!({ "pids": { "limit": 20 } }));
    container.runtime.launch_by(delegated.as_user());
    let container = container.sleeping();
    let cgroup = delegated.dir.join("callers").join(&container.id);
    let read = |file: &str| fs::read_to_string(cgroup.join(file)).unwrap().trim().to_owned();
    assert_eq!(read("pids.max"), "20");
    assert_eq!(read("cgroup.procs"), container.pid().to_string());
    container.verb("update", &["--pids-limit", "30"], &[]).ok();
    assert_eq!(read("pids.max"), "30");
    container.exec_world(&[]);
    let pids: Value = container.verb("ps", &["--format", "json"], &[]).ok().json();
    assert_eq!(pids, json!([container.pid()]));
    container.verb("kill", &["--all"], &["KILL"]).ok();
    container.await_stop();
    container.delete(&[]).ok();
    assert!(!cgroup.exists());
    let mut refused = users_own().set("/linux/resources", json!({ "memory": { "limit": 100_000_000 } }));
    refused.runtime.launch_by(delegated.as_user());
    refused.create(&[]).refuses(&["linux.resources.memory.limit", "cannot make the cgroup"]);
    refused.assert_clean();
}

#[test]
fn a_delegated_v2_subtree() {
    needs!(root, user_ns);
    if !PURE_V2.entered("rootless::cgroups::a_delegated_v2_subtree") {
        return;
    }
    let delegated = Delegated::new("/sys/fs/cgroup");
    let mut container = limited(users_own());
    container.runtime.launch_by(delegated.as_user());
    let container = container.sleeping();
    let cgroup = delegated.dir.join(&container.id);
    let read = |file: &str| fs::read_to_string(cgroup.join(file)).unwrap().trim().to_owned();
    assert_eq!((read("cgroup.max.depth").as_str(), read("cgroup.procs")), ("3", container.pid().to_string()));
    assert_eq!(container.exec_world(&[])["cgroups"][""], "/", "a cgroup namespace of its own");
    container.verb("pause", &[], &[]).ok();
    assert_eq!(container.status(), "paused");
    container.verb("resume", &[], &[]).ok();
    container.verb("kill", &["--all"], &["KILL"]).ok();
    container.await_stop();
    container.delete(&[]).ok();
    assert!(!cgroup.exists());
}

/// A user may write to every file of their cgroup, and still put nobody there from outside.
#[test]
fn a_v2_subtree_from_outside() {
    needs!(root, user_ns);
    if !PURE_V2.entered("rootless::cgroups::a_v2_subtree_from_outside") {
        return;
    }
    let delegated = Delegated::new("/sys/fs/cgroup");
    let path = delegated.dir.join("container");
    let path = path.strip_prefix("/sys/fs/cgroup").unwrap();
    let container = users_own().set("/linux/cgroupsPath", json!(format!("/{}", path.display())));
    container.create(&[]).refuses(&["clone3", "permission denied", "not in the delegated part of the tree"]);
    container.assert_clean();
    assert!(!delegated.dir.join("container").exists());
}
