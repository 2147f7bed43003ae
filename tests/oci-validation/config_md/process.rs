//! config.md, "Process": program, directory, environment, terminal, and what must not leak into it.

use std::fs;

use serde_json::{Value, json};

use crate::harness::*;
use crate::needs;
use crate::refused::{each_refused, lacking, refused};

/// The working directory is that of the config, and made when missing.
/// config.md, "Process"
#[test]
fn p1_working_directory() {
    needs!(root_or_ranges);
    assert_eq!(Container::new().set("/process/cwd", json!("/tmp")).world()["cwd"], "/tmp");
    assert_eq!(
        Container::new().set("/process/cwd", json!("/made/on/demand")).world()["cwd"],
        "/made/on/demand"
    );
}

/// A directory that leads out of the container (CVE-2024-21626) is refused, or leads to a place inside.
/// config.md, "Process"
#[test]
fn p1_cve_2024_21626_working_directory_outside() {
    needs!(root_or_ranges);
    for fd in 3..12 {
        let container = Container::new().set("/process/cwd", json!(format!("/proc/self/fd/{fd}")));
        let finished = container.run(&[]);
        if finished.code == 0 {
            // The kernel's name for a place outside begins with "(unreachable)", which std refuses.
            assert!(finished.json()["cwd"].as_str().is_some_and(|cwd| cwd.starts_with('/')), "fd {fd}");
        }
    }
}

/// args[0] is looked up in the PATH of the container, not of the runtime.
/// config.md, "POSIX process"
#[test]
fn p2_programs_are_found_by_path() {
    needs!(root_or_ranges);
    let container =
        Container::new().args(&["guest", "print"]).set("/process/env", json!(["PATH=/none:/hidden"]));
    fs::create_dir(container.bundle.rootfs().join("hidden")).unwrap();
    install(&container.bundle.rootfs().join("probe"), &container.bundle.rootfs().join("hidden/guest"));
    let world = container.world();
    assert_eq!(world["argv"], json!(["guest", "print"]));
    assert_eq!(world["exe"], "/hidden/guest");
    Container::new().args(&["ls"]).run(&[]).refuses(&["ls"]);
}

/// The environment is the config's, in order, and nothing of the runtime's own.
/// config.md, "POSIX process"
#[test]
fn p3_environment() {
    needs!(root_or_ranges);
    let env = json!(["B=2", "A=1", "EMPTY=", "PATH=/", "HOME=/home"]);
    let container = Container::new().set("/process/env", env.clone());
    let command =
        container.runtime.command([&["run"], &container.bundled(&[])[..], &[&container.id]].concat());
    let world = command.env("LEAK", "from-the-caller").run().ok().json();
    assert_eq!(world["env"], env);
}

/// HOME comes from the container's passwd when it is not given, or empty.
/// config.md, "POSIX process"
#[test]
fn p3_home_from_passwd() {
    needs!(root_or_ranges);
    let container = Container::new().set("/process/user", json!({ "uid": 1000, "gid": 1000 }));
    let world = container.world();
    assert!(world["env"].as_array().unwrap().contains(&json!("HOME=/home/guest")), "{}", world["env"]);
    let container = Container::new().set("/process/user", json!({ "uid": 1000, "gid": 1000 }));
    let world = container.set("/process/env", json!(["HOME=", "PATH=/"])).world();
    assert!(world["env"].as_array().unwrap().contains(&json!("HOME=/home/guest")), "{}", world["env"]);
    let container = Container::new().set("/process/user", json!({ "uid": 4321, "gid": 1 }));
    assert!(container.world()["env"].as_array().unwrap().contains(&json!("HOME=/")));
}

/// Streams that a user's process is given can be opened anew by their names in /dev.
/// runtime-linux.md, "Dev symbolic links"
#[test]
fn p4_streams_belong_to_the_user() {
    needs!(root_or_ranges);
    let user = json!({ "uid": 1000, "gid": 1000 });
    let container = Container::new().set("/process/user", user);
    let answer = container.probe(&["open-device", "/dev/stdout", "w"]);
    assert_eq!(answer, json!({ "opened": "w" }));
}

/// No signal is blocked, ignored, caught or pending, SIGPIPE included, whatever the caller ignores.
/// config.md, "Process"
#[test]
fn p20_signals_are_clean() {
    needs!(root_or_ranges);
    let mut container = Container::new();
    container.runtime.launch_by(["sh", "-c", "trap '' HUP INT QUIT USR1 TERM; exec \"$@\"", "sh"]);
    assert_eq!(
        container.world()["signals"],
        json!({ "blocked": [], "ignored": [], "caught": [], "pending": [] })
    );
}

/// The program leads a session and a process group of its own.
/// config.md, "Process"
#[test]
fn p21_a_session_of_its_own() {
    needs!(root_or_ranges);
    let world = Container::new().world();
    assert_eq!((&world["sid"], &world["pgid"]), (&json!(1), &json!(1)));
    assert_eq!(world["tty"]["controlling"], false);
}

/// Nothing that the runtime changed of itself on the way is left in the program, nor in what `exec` adds.
/// config.md, "Process"
#[test]
fn p22_nothing_of_the_runtime_remains() {
    needs!(root_or_ranges);
    let container = Container::new().sleeping();
    for world in [Container::new().world(), container.exec_world(&[])] {
        assert_eq!(world["parent_death_signal"], 0);
        assert_eq!(world["dumpable"], 1);
        assert_eq!(world["thp_disabled"], 0);
        assert_eq!(world["timer_slack"], 50_000);
        assert_eq!(world["personality"], 0);
        assert_eq!(world["securebits"], 0);
    }
}

/// The session keyring is the container's, unless it shall not be.
/// config.md, "Process"
#[test]
fn p21_session_keyring() {
    needs!(root_or_ranges);
    let container = Container::new();
    let ring = container.world()["session_keyring"].clone();
    assert_eq!(ring, format!("_ses.{}", container.id));
    let container = Container::new();
    let ring = container.run(&["--no-new-keyring"]).ok().json()["session_keyring"].clone();
    assert_ne!(ring, format!("_ses.{}", container.id));
}

/// With `terminal`, the three streams are a pty, /dev/console is the same, it controls the session, and the
/// master arrives at the console socket.
/// config.md, "Process"
#[test]
fn p6_terminal() {
    needs!(root_or_ranges);
    let container = Container::new().set("/process/terminal", json!(true));
    let console = Console::new(container.bundle.path());
    container.create(&["--console-socket", console.path()]).ok();
    let master = console.master();
    container.start().ok();
    let world = Console::json(master);
    for stream in ["stdin", "stdout", "stderr"] {
        assert!(world["tty"][stream].is_object(), "{stream} is no terminal");
    }
    assert_eq!(world["tty"]["controlling"], true);
    assert_eq!(world["tty"]["console_is_stdin"], true);
    assert_eq!(world["fds"]["0"], "/dev/pts/0");
    assert_eq!(world["sid"], 1);
    container.await_stop();
}

/// `consoleSize` is the size that the program sees.
/// config.md, "Process"
#[test]
fn p6_console_size() {
    needs!(root_or_ranges);
    let container = Container::new()
        .set("/process/terminal", json!(true))
        .set("/process/consoleSize", json!({ "height": 33, "width": 111 }));
    let console = Console::new(container.bundle.path());
    container.run(&["--detach", "--console-socket", console.path()]).ok();
    let world = Console::json(console.master());
    assert_eq!(world["tty"]["stdin"], json!({ "rows": 33, "columns": 111 }));
}

/// Without `terminal`, `consoleSize` says nothing and no stream is a terminal.
/// config.md, "Process"
#[test]
fn p6_console_size_without_a_terminal() {
    needs!(root_or_ranges);
    let world = Container::new().set("/process/consoleSize", json!({ "height": 33, "width": 111 })).world();
    assert_eq!(world["tty"]["stdin"], Value::Null);
    assert_eq!(world["tty"]["controlling"], false);
}

/// Without flags the process is as the config says: user, groups, cwd, env, capabilities, rlimits, no_new_privs.
/// config.md, "Process"
#[test]
fn p23_exec_inherits() {
    needs!(root_or_ranges);
    let container = Container::new()
        .set("/process/user", json!({ "uid": 1000, "gid": 1000, "additionalGids": [2000] }))
        .set("/process/cwd", json!("/tmp"))
        .set("/process/env", json!(["PATH=/", "MARK=config"]))
        .set("/process/rlimits", json!([{ "type": "RLIMIT_NOFILE", "soft": 100, "hard": 200 }]))
        .set("/process/oomScoreAdj", json!(77))
        .sleeping();
    let world = container.exec_world(&[]);
    assert_eq!(world["uid"], json!({ "real": 1000, "effective": 1000, "saved": 1000 }));
    assert_eq!(world["gid"]["effective"], 1000);
    assert_eq!(world["groups"], json!([2000]));
    assert_eq!(world["cwd"], "/tmp");
    assert!(world["env"].as_array().unwrap().contains(&json!("MARK=config")));
    assert_eq!(world["rlimits"]["RLIMIT_NOFILE"], json!({ "soft": 100, "hard": 200 }));
    assert_eq!(world["no_new_privs"], 1);
    assert_eq!(world["oom_score_adj"], 77);
    assert_eq!(
        world["capabilities"]["bounding"],
        json!(["CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_AUDIT_WRITE"])
    );
}

/// The umask of the config holds for exec too.
/// config.md, "Process"
#[test]
fn p23_exec_inherits_the_umask() {
    needs!(root_or_ranges);
    let container = Container::new().set("/process/user/umask", json!(0o77)).sleeping();
    assert_eq!(container.exec_world(&[])["umask"], 0o77);
}

/// The working directory is required and absolute.
/// config.md, "Process"
#[test]
fn p1_relative_directories() {
    needs!(root_or_ranges);
    refused(&lacking("/process", "cwd"));
    each_refused("/process/cwd", &[json!("tmp"), json!(""), json!("./")]);
}

/// /dev/console is bound to the terminal only when there is one.
/// config.md, "Process"
#[test]
fn p6_no_console_without_a_terminal() {
    needs!(root_or_ranges);
    assert_eq!(Container::new().world()["devices"]["/dev/console"], Value::Null);
}

/// There is something to execute.
/// config.md, "POSIX process"
#[test]
fn p2_no_program() {
    needs!(root_or_ranges);
    refused(&lacking("/process", "args"));
    each_refused("/process/args", &[json!([]), json!([1])]);
}

/// A later value of a variable wins.
/// config.md, "POSIX process"
#[test]
fn p3_repeated_variables() {
    needs!(root_or_ranges);
    let container =
        Container::new().set("/process/env", json!(["PATH=/first", "PATH=/", "HOME=/"])).args(&["probe"]);
    let world = container.world();
    let env: Vec<&str> =
        world["env"].as_array().unwrap().iter().map(|entry| entry.as_str().unwrap()).collect();
    assert_eq!(world["exe"], "/probe");
    assert_eq!(env.iter().rfind(|entry| entry.starts_with("PATH=")), Some(&"PATH=/"));
}
