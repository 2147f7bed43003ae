//! `exec`: another process in a running container.

use std::fs;

use serde_json::{Value, json};

use crate::harness::*;
use crate::needs;

/// The new process lives in all of the container's namespaces and its cgroup.
#[test]
fn exec_joins_the_container() {
    needs!(root_or_ranges);
    let container = Container::new().sleeping();
    let world = container.exec_world(&[]);
    for name in ["mnt", "pid", "net", "ipc", "uts", "cgroup"] {
        let link = fs::read_link(format!("/proc/{}/ns/{name}", container.pid())).unwrap();
        let inode = world["namespaces"][name].to_string();
        assert!(link.to_str().unwrap().contains(&inode), "{name}: {inode} is not {}", link.display());
    }
    assert_eq!(world["hostname"], "hull-test");
    assert!(world["pid"].as_u64().unwrap() > 1);
    assert_eq!(membership(&world, "pids"), "/", "seen through the container's cgroup namespace");
}

/// Exit codes pass through; signals become 128 + number.
#[test]
fn exec_exit_codes() {
    needs!(root_or_ranges);
    let container = Container::new().sleeping();
    container.exec(&[], &["/probe", "exit", "0"]).ok();
    container.exec(&[], &["/probe", "exit", "7"]).exits(7);
    container.exec(&[], &["/probe", "kill-self", "15"]).exits(143);
    container.exec(&[], &["/probe", "kill-self", "9"]).exits(137);
    assert_eq!(container.status(), "running");
}

/// What cannot be executed at all is 255, apart from any code of a program.
#[test]
fn exec_that_cannot_start_is_255() {
    needs!(root_or_ranges);
    let container = Container::new().sleeping();
    fs::write(container.bundle.rootfs().join("data"), "no program").unwrap();
    container.exec(&[], &["/no/such/program"]).refuses(&["/no/such/program"]).exits(255);
    container.exec(&[], &["/data"]).refuses(&["/data"]).exits(255);
    container.exec(&[], &["/tmp"]).refuses(&["/tmp"]).exits(255);
    container.exec(&["--cwd", "/no/such/dir"], &["/data"]).exits(255);
}

/// A stopped container takes no new process.
#[test]
fn exec_needs_a_live_container() {
    needs!(root_or_ranges);
    let container = Container::new().running();
    container.await_stop();
    container.exec(&[], &["/probe"]).refuses(&["stopped"]).exits(255);
}

/// A created container does take one, as runc allows.
#[test]
fn exec_in_a_created_container() {
    needs!(root);
    let container = Container::new();
    container.create(&[]).ok();
    assert_eq!(container.exec_world(&[])["hostname"], "hull-test");
    assert_eq!(container.status(), "created");
}

/// --cwd, --env, --user, --additional-gids, --cap and --no-new-privs override the config.
#[test]
fn exec_flags() {
    needs!(root_or_ranges);
    let container = Container::new().set("/process/noNewPrivileges", json!(false)).sleeping();
    let plain = container.exec_world(&[]);
    assert_eq!(plain["no_new_privs"], 0);
    let flags = ["--cwd", "/tmp", "--env", "ONE=1", "--env", "TWO=2", "--user", "1000:2000"];
    let more = ["-g", "3000", "-g", "3001", "--no-new-privs"];
    let world = container.exec_world(&[&flags[..], &more].concat());
    assert_eq!(world["cwd"], "/tmp");
    let env = world["env"].as_array().unwrap();
    assert!(env.contains(&json!("ONE=1")) && env.contains(&json!("TWO=2")), "{env:?}");
    assert_eq!(world["uid"]["effective"], 1000);
    assert_eq!(world["gid"]["effective"], 2000);
    assert_eq!(world["groups"], json!([3000, 3001]));
    assert_eq!(world["no_new_privs"], 1);
}

/// `--cap` adds to the config's capabilities.
#[test]
fn exec_adds_capabilities() {
    needs!(root_or_ranges);
    let container = Container::new().sleeping();
    let world = container.exec_world(&["-c", "CAP_CHOWN", "-c", "CAP_SYS_CHROOT"]);
    for set in ["bounding", "effective", "permitted"] {
        let names = world["capabilities"][set].as_array().unwrap();
        for name in ["CAP_CHOWN", "CAP_SYS_CHROOT", "CAP_KILL"] {
            assert!(names.contains(&json!(name)), "{set} lacks {name}: {names:?}");
        }
    }
}

/// `--process FILE` takes the whole process object from a file, and arguments beside it are not needed.
#[test]
fn exec_process_file() {
    needs!(root_or_ranges);
    let container = Container::new().sleeping();
    let file = container.bundle.join("process.json");
    let process = json!({
        "user": { "uid": 5, "gid": 6, "additionalGids": [7] },
        "args": ["/probe"],
        "env": ["ONLY=this"],
        "cwd": "/proc",
        "capabilities": { "bounding": ["CAP_CHOWN"] },
        "rlimits": [{ "type": "RLIMIT_CORE", "soft": 0, "hard": 0 }],
        "noNewPrivileges": true
    });
    fs::write(&file, process.to_string()).unwrap();
    let finished = container.exec(&["--process", file.to_str().unwrap()], &[]).ok();
    let world = finished.json();
    assert_eq!(world["uid"]["real"], 5);
    assert_eq!(world["gid"]["real"], 6);
    assert_eq!(world["groups"], json!([7]));
    assert_eq!(world["cwd"], "/proc");
    assert_eq!(world["capabilities"]["bounding"], json!(["CAP_CHOWN"]));
    assert_eq!(world["rlimits"]["RLIMIT_CORE"], json!({ "soft": 0, "hard": 0 }));
    assert!(world["env"].as_array().unwrap().contains(&json!("ONLY=this")));
    assert!(!world["env"].as_array().unwrap().contains(&json!("TERM=xterm")));
}

/// `--detach` returns while the process goes on, and `--pid-file` names it.
#[test]
fn exec_detach() {
    needs!(root_or_ranges, cgroup);
    let container = Container::new().sleeping();
    let file = container.bundle.join("exec.pid");
    let flags = ["--detach", "--pid-file", file.to_str().unwrap()];
    container.exec(&flags, &["/probe", "pause"]).ok();
    let pid = fs::read_to_string(&file).unwrap();
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap();
    assert_eq!(line, b"/probe\0pause\0");
    let procs = container.cgroup_file("pids", "cgroup.procs");
    assert!(procs.lines().any(|line| line == pid), "{pid} is not among {procs}");
}

/// exec without anything to execute is an error.
#[test]
fn exec_needs_a_program() {
    needs!(root_or_ranges);
    let container = Container::new().sleeping();
    container.exec(&[], &[]).refuses(&[]);
}

/// A paused container refuses exec, unless told to ignore that.
#[test]
fn exec_in_a_paused_container() {
    needs!(root_or_ranges, cgroup);
    let container = Container::new().sleeping();
    container.verb("pause", &[], &[]).ok();
    container.exec(&[], &["/probe"]).refuses(&["paused"]).exits(255);
    container.verb("resume", &[], &[]).ok();
    container.exec(&[], &["/probe"]).ok();
}

/// stdin, stdout and stderr of exec are those of the caller.
#[test]
fn exec_standard_streams() {
    needs!(root_or_ranges);
    let container = Container::new().sleeping();
    let command = container.runtime.command(["exec", &container.id, "/probe", "cat"]).stdin("through");
    assert_eq!(command.run().ok().stdout, "through");
}

/// The process has no descriptors but the three standard ones, and clean signals.
#[test]
fn exec_leaks_nothing() {
    needs!(root_or_ranges);
    let container = Container::new().sleeping();
    let world = container.exec_world(&[]);
    let fds: Vec<&String> = world["fds"].as_object().unwrap().keys().collect();
    assert_eq!(fds, ["0", "1", "2"]);
    assert_eq!(world["signals"]["blocked"], json!([]));
    assert_eq!(world["signals"]["ignored"], json!([]));
    assert_eq!(world["parent_death_signal"], 0);
}

/// A hundred executions in a row work and leave no process behind.
#[test]
fn many_execs() {
    needs!(root_or_ranges, cgroup);
    let container = Container::new().sleeping();
    for _ in 0..30 {
        container.exec(&[], &["/probe", "exit", "3"]).exits(3);
    }
    assert_eq!(container.cgroup_file("pids", "cgroup.procs").lines().count(), 1);
}

/// The process is a child of nobody inside, in a user namespace too.
#[test]
fn exec_in_a_user_namespace() {
    needs!(root, user_ns);
    let container = Container::new().user_namespace().sleeping();
    let world = container.exec_world(&["--user", "1000:1000"]);
    assert_eq!(world["uid"]["effective"], 1000);
    assert_eq!(world["uid_map"], json!([[0, 100_000, 65_536]]));
    let own: Value = container.exec_world(&[]);
    assert_eq!(own["uid"]["effective"], 0);
}

/// Signals sent to a foreground exec reach the process.
#[test]
fn exec_forwards_signals() {
    needs!(root_or_ranges);
    let container = Container::new();
    let mut ready = Fifo::new(&container.bundle.rootfs().join("ready"));
    let container = container.sleeping();
    let exec = container.runtime.command(["exec", &container.id, "/probe", "wait", "/ready"]).spawn();
    ready.word();
    exec.signal(rustix::process::Signal::TERM);
    assert_eq!(exec.finish().ok().json()["signal"], 15);
}

/// A sleeping process does not keep a detached exec waiting, nor the container from being deleted.
#[test]
fn exec_detach_without_pid_file() {
    needs!(root_or_ranges);
    let container = Container::new().sleeping();
    container.exec(&["-d"], &["/probe", "pause"]).ok();
    container.delete(&["--force"]).ok();
    container.assert_clean();
}

/// A container that has moved its processes to cgroups of its own, and hands controllers down to them, takes further
/// ones there.
#[test]
fn exec_where_a_container_manages_cgroups() {
    needs!(root, domain_controller);
    let container = Container::new().without_namespace("cgroup").sleeping();
    let top = container.cgroup_dir("");
    fs::create_dir_all(top.join("init.scope/inner")).unwrap();
    fs::write(top.join("init.scope/inner/cgroup.procs"), container.pid().to_string()).unwrap();
    let offered = fs::read_to_string(top.join("cgroup.controllers")).unwrap();
    let controller = offered.split_whitespace().find(|name| DOMAIN_CONTROLLERS.contains(name)).unwrap();
    fs::write(top.join("cgroup.subtree_control"), format!("+{controller}")).unwrap();
    assert_eq!(membership(&container.exec_world(&[]), ""), format!("{}/init.scope/inner", container.cgroup));
    // Nobody who asked for a place is put elsewhere.
    container.exec(&["--cgroup", "init.scope"], &["/probe"]).ok();
    container.exec(&["--cgroup", "/"], &["/probe"]).refuses(&["hands controllers down"]).exits(255);
}

/// The payload of exec can be put into a cgroup below.
#[test]
fn exec_into_a_sub_cgroup() {
    needs!(root, controller("pids"));
    let container = Container::new().without_namespace("cgroup").sleeping();
    fs::create_dir(container.cgroup_dir("pids").join("sub")).unwrap();
    let world = container.exec_world(&["--cgroup", "pids:sub"]);
    assert_eq!(membership(&world, "pids"), format!("{}/sub", container.cgroup));
    if !is_v2() {
        assert_eq!(membership(&world, "memory"), container.cgroup);
    }
}

/// A container that may trace gets further processes by another way, on which nothing is lost.
#[test]
fn beside_those_who_may_trace() {
    needs!(root);
    let container = Container::new()
        .set("/process/oomScoreAdj", json!(321))
        .edit(|config| {
            for set in ["bounding", "effective", "permitted"] {
                config["process"]["capabilities"][set].as_array_mut().unwrap().push(json!("CAP_SYS_PTRACE"));
            }
        })
        .sleeping();
    for _ in 0..10 {
        let world = container.exec_world(&[]);
        assert_eq!(world["oom_score_adj"], 321);
        assert_eq!(world["namespaces"], container.exec_world(&[])["namespaces"]);
    }
}
