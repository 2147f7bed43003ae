//! config.md, "Process", for one more process: what `exec` takes from the command line in place of the document.

use std::fs;

use serde_json::json;

use crate::harness::*;
use crate::needs;

/// User, groups, directory and environment of the command line, each in place of or beside the document's.
/// config.md, "Process"
#[test]
fn p23_exec_flags() {
    needs!(root_or_ranges);
    let container = Container::new().set("/process/noNewPrivileges", json!(false)).sleeping();
    let flags =
        ["--user", "1000:1001", "--additional-gids", "7", "--cwd", "/tmp", "--env", "A=1", "--no-new-privs"];
    let world = container.exec_world(&flags);
    assert_eq!(world["uid"], json!({ "real": 1000, "effective": 1000, "saved": 1000 }));
    assert_eq!(world["gid"], json!({ "real": 1001, "effective": 1001, "saved": 1001 }));
    assert_eq!(world["groups"], json!([7]));
    assert_eq!(world["cwd"], "/tmp");
    let env = world["env"].as_array().unwrap();
    assert!(env.contains(&json!("A=1")) && env.contains(&json!("TERM=xterm")), "{env:?}");
    assert_eq!(world["no_new_privs"], 1);
    assert_eq!(container.exec_world(&[])["no_new_privs"], 0);
}

/// Further capabilities.
/// config.md, "Process"
#[test]
fn p23_exec_capabilities() {
    needs!(root_or_ranges);
    let container = Container::new().sleeping();
    let world = container.exec_world(&["--cap", "CAP_CHOWN"]);
    let expected = json!(["CAP_CHOWN", "CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_AUDIT_WRITE"]);
    for set in ["bounding", "permitted", "effective"] {
        assert_eq!(world["capabilities"][set], expected, "{set}");
    }
}

/// A process in a file is taken as it is, but for capabilities: if it does not name any, they are the container's.
/// config.md, "Process"
#[test]
fn p23_exec_document() {
    needs!(root_or_ranges);
    let container = Container::new().sleeping();
    let file = container.bundle.join("process.json");
    let process = json!({ "args": ["/probe", "print"], "cwd": "/etc", "env": ["B=2", "HOME=/"],
        "user": { "uid": 5, "gid": 6 } });
    fs::write(&file, process.to_string()).unwrap();
    let flags = ["exec", "--process", file.to_str().unwrap(), &container.id];
    let world = container.runtime.command(flags).run().ok().json();
    assert_eq!((&world["cwd"], &world["env"]), (&json!("/etc"), &json!(["B=2", "HOME=/"])));
    assert_eq!((&world["uid"]["real"], &world["gid"]["real"]), (&json!(5), &json!(6)));
    assert_eq!((&world["no_new_privs"], &world["groups"]), (&json!(0), &json!([])));
    let expected = json!(["CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_AUDIT_WRITE"]);
    assert_eq!(world["capabilities"]["bounding"], expected);
}

/// `exec` ends as its program does, by a code or by a signal.
/// config.md, "Process"
#[test]
fn p23_exec_ends_as_the_program() {
    needs!(root_or_ranges);
    let container = Container::new().sleeping();
    container.exec(&[], &["/probe", "exit", "7"]).exits(7);
    container.exec(&[], &["/probe", "kill-self", "9"]).exits(137);
    assert_eq!(container.status(), "running");
}

/// A process of `exec` is in the container's cgroups, and leads a session of its own.
/// config.md, "Process"
#[test]
fn p23_exec_place() {
    needs!(root_or_ranges, cgroup);
    let container = Container::new().without_namespace("cgroup").sleeping();
    let world = container.exec_world(&[]);
    // What is not mounted is not the host's, though the kernel may know of it.
    let mounted = |controllers: &str| controllers.is_empty() || !is_v2();
    let cgroups = world["cgroups"].as_object().unwrap();
    for (controllers, path) in cgroups.iter().filter(|(controllers, _)| mounted(controllers)) {
        assert!(path.as_str().unwrap().ends_with(&container.cgroup), "{controllers:?}: {path}");
    }
    assert_eq!((&world["sid"], &world["pgid"]), (&world["pid"], &world["pid"]));
    assert_eq!(world["fds"].as_object().unwrap().len(), 3, "{}", world["fds"]);
}

/// A terminal of its own, whatever the document says of the first process.
/// config.md, "Process"
#[test]
fn p23_exec_terminal() {
    needs!(root_or_ranges);
    let container = Container::new().sleeping();
    let console = Console::new(container.bundle.path());
    container.exec(&["--tty", "--detach", "--console-socket", console.path()], &["/probe"]).ok();
    let world = Console::json(console.master());
    assert_eq!((&world["tty"]["controlling"], &world["sid"]), (&json!(true), &world["pid"]));
}

/// There is nothing to join in a container that has stopped.
/// config.md, "Process"
#[test]
fn p23_exec_needs_a_running_container() {
    needs!(root_or_ranges);
    let container = Container::new().running();
    container.await_stop();
    assert_ne!(container.exec(&[], &["/probe", "exit", "0"]).refuses(&["stopped"]).code, 0);
}
