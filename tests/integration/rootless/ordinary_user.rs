//! A user who has nothing but an account: no privilege, no ranges of further ids, no cgroup.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use serde_json::json;

use crate::harness::*;
use crate::needs;

#[test]
fn the_world_of_a_container() {
    needs!(root, user_ns);
    let world = users_own().capabilities(ROOT_ALL).world();
    assert_eq!(world["uid_map"], json!([[0, USER, 1]]));
    assert_eq!(world["gid_map"], json!([[0, USER, 1]]));
    assert_eq!(world["setgroups"], "deny");
    assert_eq!(world["uid"]["effective"], 0);
    assert_eq!(world["capabilities"]["effective"].as_array().unwrap().len(), ROOT_ALL.len());
    for (path, major, minor) in
        [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)]
    {
        let device = &world["devices"][format!("/dev/{path}")];
        assert_eq!(
            (&device["type"], &device["major"], &device["minor"]),
            (&json!("char"), &json!(major), &json!(minor))
        );
    }
    // The one that clone(2) would have left with the caller.
    assert_eq!(world["devices"]["/dev/mqueue"]["uid"], 0);
}

#[test]
fn all_verbs() {
    needs!(root, user_ns);
    let container = users_own().args(&["/probe", "pause"]);
    container.create(&[]).ok();
    assert_eq!(container.status(), "created");
    container.start().ok();
    let world = container.exec_world(&["--cwd", "/tmp"]);
    assert_eq!((&world["cwd"], &world["uid_map"]), (&json!("/tmp"), &json!([[0, USER, 1]])));
    assert!(world["pid"].as_i64().unwrap() > 1, "{}", world["pid"]);
    container.exec(&[], &["/probe", "exit", "7"]).exits(7);
    container.verb("list", &["--quiet"], &[]);
    container.kill("KILL").ok();
    container.await_stop();
    container.delete(&[]).ok();
    container.assert_clean();
}

/// Until the program runs, the process holds what hull knows; so what may be done by a neighbour in the container, which
/// is to the kernel as good as the user, may not be done to this one.
#[test]
fn init_hides_its_memory() {
    needs!(root, user_ns);
    let container = users_own().args(&["/probe", "pause"]);
    let owner = || fs::metadata(format!("/proc/{}/environ", container.pid())).unwrap().uid();
    container.create(&[]).ok();
    assert_eq!(owner(), 0);
    container.exec(&[], &["/probe"]).refuses(&["waits for start"]);
    container.start().ok();
    assert_eq!(owner(), USER);
}

/// What only the user may pass through is opened as the user, also where the container's root is somebody else.
#[test]
fn a_bundle_in_a_private_directory() {
    needs!(root, user_ns);
    let container =
        users_own().mount("/srv", "none", "private", &["rbind", "ro"]).args(&["/probe", "stat", "/srv/x"]);
    let private = container.bundle.join("private");
    fs::create_dir(&private).unwrap();
    fs::write(private.join("x"), "").unwrap();
    std::os::unix::fs::chown(&private, Some(USER), Some(USER)).unwrap();
    for closed in [&private, container.bundle.path()] {
        fs::set_permissions(closed, fs::Permissions::from_mode(0o700)).unwrap();
    }
    assert_eq!(container.world()["/srv/x"]["type"], "file");
}

/// A pod: the second container lives in the namespaces of the first.
#[test]
fn joined_namespaces() {
    needs!(root, user_ns);
    let first = users_own().sleeping();
    let mut second = users_own().edit(|config| {
        for namespace in config["linux"]["namespaces"].as_array_mut().unwrap() {
            let kind = namespace["type"].as_str().unwrap().to_owned();
            if kind != "mount" && kind != "cgroup" {
                namespace["path"] = json!(format!("/proc/{}/ns/{kind}", first.pid()));
            }
        }
        config.as_object_mut().unwrap().remove("hostname");
    });
    second.runtime.launch_by(as_user());
    give_away(&second);
    let (world, neighbour) = (second.world(), first.exec_world(&[]));
    for kind in ["user", "pid", "ipc", "uts"] {
        assert_eq!(world["namespaces"][kind], neighbour["namespaces"][kind], "{kind}");
    }
    assert_ne!(world["namespaces"]["mnt"], neighbour["namespaces"]["mnt"]);
    assert!(world["pid"].as_i64().unwrap() > 1, "{}", world["pid"]);
}

/// The score is written before init hides its files, however the two are scheduled.
#[test]
fn the_oom_score() {
    needs!(root, user_ns);
    let container = users_own().set("/process/oomScoreAdj", json!(500)).sleeping();
    for _ in 0..20 {
        assert_eq!(container.exec_world(&[])["oom_score_adj"], 500);
    }
}

#[test]
fn a_terminal() {
    needs!(root, user_ns);
    let container = users_own().set("/process/terminal", json!(true));
    let console = Console::new(container.bundle.path());
    fs::set_permissions(console.path(), fs::Permissions::from_mode(0o777)).unwrap();
    container.create(&["--console-socket", console.path()]).ok();
    let master = console.master();
    container.start().ok();
    assert_eq!(Console::json(master)["tty"]["controlling"], true);
    container.await_stop();
}

#[test]
fn hooks_run_as_the_user() {
    needs!(root, user_ns);
    let container = users_own();
    let seen = container.bundle.join("seen");
    fs::write(&seen, "").unwrap();
    std::os::unix::fs::chown(&seen, Some(USER), None).unwrap();
    let script = format!("id -u >>{}", seen.display());
    let hook = json!([{ "path": "/bin/sh", "args": ["sh", "-c", script] }]);
    let container = container.set("/hooks", json!({ "createRuntime": hook, "poststop": hook }));
    container.world();
    assert_eq!(fs::read_to_string(seen).unwrap(), format!("{USER}\n{USER}\n"));
}

/// What an unprivileged map cannot give is refused, with the place and the reason.
#[test]
fn refusals() {
    needs!(root, user_ns);
    let refused = |container: Container, words: &[&str]| {
        container.create(&[]).refuses(words);
        container.assert_clean();
    };
    refused(
        users_own().without_namespace("user").edit(|config| {
            config["linux"].as_object_mut().unwrap().retain(|key, _| !key.ends_with("Mappings"));
        }),
        &["operation not permitted", "spec --rootless"],
    );
    refused(
        users_own().set("/process/user/additionalGids", json!([5])),
        &["process.user.additionalGids", "setgroups"],
    );
    refused(users_own().set("/process/user/uid", json!(1)), &["process.user", "not mapped"]);
    refused(
        users_own().set("/mounts/2/options", json!(["newinstance", "gid=5"])),
        &["mounts[2].options", "gid=5", "gidMappings"],
    );
    refused(
        users_own().set("/mounts/5", json!({ "destination": "/sys", "type": "sysfs" })),
        &["mounts[5]", "network namespace"],
    );
    refused(users_own().without_namespace("pid"), &["mounts[0]", "/proc", "pid namespace"]);
}

/// A procfs of its own would show what is hidden around it, as in a container: the kernel refuses, the reason is said,
/// and a bind is the way out.
#[test]
fn masks_around_it() {
    needs!(root, user_ns);
    let masked = || {
        let mut container = users_own();
        let masks = "mount --bind /dev/null /proc/version && exec \"$@\"";
        let outside = ["unshare", "--mount", "sh", "-c", masks, "sh"].map(str::to_owned);
        container.runtime.launch_by(outside.into_iter().chain(as_user()));
        container
    };
    masked().create(&[]).refuses(&["mounts[0]", "proc", "bind /proc instead"]);
    let bound = json!({ "destination": "/proc", "type": "none", "source": "/proc", "options": ["rbind"] });
    let world = masked().set("/mounts/0", bound).without_namespace("pid").world();
    assert_eq!(world["uid"]["effective"], 0);
}
