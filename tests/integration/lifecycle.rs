//! create, start, state, kill, delete: the states of a container and what is allowed in each (runtime.md).

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::harness::*;
use crate::needs;

/// `delete --force` of an absent id is no error, so that clean-up can be repeated.
#[test]
fn forced_delete_of_an_absent_container() {
    needs!(root_or_ranges);
    Container::new().delete(&["--force"]).ok();
}

/// `delete --force` kills a running container first.
#[test]
fn forced_delete_kills() {
    needs!(root_or_ranges);
    let container = Container::new().sleeping();
    let pid = container.pid();
    container.delete(&["--force"]).ok();
    assert!(await_exit(pid, std::time::Duration::from_secs(10)));
    container.assert_clean();
}

/// A created container is killed and removed, as engines expect of `delete`.
#[test]
fn delete_of_a_created_container() {
    needs!(root_or_ranges);
    let container = Container::new().args(&["/probe", "write", "/ran", "yes"]);
    container.create(&[]).ok();
    container.delete(&[]).ok();
    container.assert_clean();
    assert!(fs::metadata(container.bundle.rootfs().join("ran")).is_err(), "delete let the program run");
}

/// Letters, digits and `_+-.` make an id.
#[test]
fn ids_may_have_marks() {
    needs!(root_or_ranges);
    let mut container = Container::new();
    container.id = format!("Aa0_+-.{}", container.id);
    container.world();
}

/// `delete --force` without a pid namespace ends every process of the container.
#[test]
fn forced_delete_reaches_children() {
    needs!(root);
    let container = Container::new().without_namespace("pid").sleeping();
    container.exec(&["--detach"], &["/probe", "pause"]).ok();
    let pids: Vec<i32> =
        container.cgroup_file("pids", "cgroup.procs").lines().map(|pid| pid.parse().unwrap()).collect();
    assert_eq!(pids.len(), 2);
    container.delete(&["--force"]).ok();
    for pid in pids {
        assert!(await_exit(pid, std::time::Duration::from_secs(10)), "{pid} survived delete --force");
    }
}

/// `--pid-file` holds the pid and nothing else.
#[test]
fn create_writes_the_pid_file() {
    needs!(root_or_ranges);
    let container = Container::new();
    let file = container.bundle.join("pid");
    container.create(&["--pid-file", file.to_str().unwrap()]).ok();
    assert_eq!(fs::read_to_string(&file).unwrap(), container.pid().to_string());
}

/// An id that cannot be is what the message is about, whatever else is wrong, such as the bundle.
#[test]
fn bad_ids_come_first() {
    let container = Container::new().set("/linux/cgroupsPath", serde_json::json!(null));
    for verb in ["create", "run"] {
        for (id, reason) in [("", "container id cannot be empty"), ("a/b", "invalid container ID format")] {
            let flags = container.bundled(&[]);
            let finished = container.runtime.command([&[verb], &flags[..], &[id]].concat()).run();
            finished.refuses(&[reason]).exits(1);
            let nowhere = container.runtime.command([verb, "--bundle", "/no/such/bundle", id]);
            nowhere.run().refuses(&[reason]).exits(1);
        }
    }
}

/// Engines delete at once what cannot start, and lose track of a container that is not stopped by then.
#[test]
fn a_start_that_fails_leaves_a_stopped_container() {
    needs!(root_or_ranges);
    let container = Container::new().args(&["/text"]);
    let text = container.bundle.rootfs().join("text");
    fs::write(&text, "neither a program nor a script\n").unwrap();
    fs::set_permissions(&text, fs::Permissions::from_mode(0o755)).unwrap();
    container.create(&[]).ok();
    let pid = container.pid();
    container.start().refuses(&["process.args[0]", "exec format error"]);
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    assert!(stat.is_empty() || stat.contains(") Z ") || stat.contains(") X "), "{stat}");
    container.delete(&[]).ok();
}
