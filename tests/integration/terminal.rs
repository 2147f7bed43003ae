//! Pseudoterminals: handed over by the console socket, with size and controlling terminal.

use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcgetwinsize, tcsetwinsize};

use serde_json::json;

use crate::harness::*;
use crate::needs;

/// What is typed at the master is the program's stdin.
#[test]
fn typing() {
    needs!(root_or_ranges);
    let container = Container::new().set("/process/terminal", json!(true)).args(&["/probe", "cat"]);
    let console = Console::new(container.bundle.path());
    container.run(&["--detach", "--console-socket", console.path()]).ok();
    Console::assert_echoes(console.master());
    container.await_stop();
}

/// A terminal of a detached container needs a socket to go to.
#[test]
fn a_terminal_needs_a_socket() {
    needs!(root_or_ranges);
    let container = Container::new().set("/process/terminal", json!(true));
    container.create(&[]).refuses(&["console"]).exits(1);
    container.assert_clean();
    container.run(&["--detach"]).refuses(&["console"]).exits(1);
}

/// A socket without a terminal is refused, for nobody would ever connect to it.
#[test]
fn a_socket_needs_a_terminal() {
    needs!(root_or_ranges);
    let container = Container::new();
    let console = Console::new(container.bundle.path());
    container.create(&["--console-socket", console.path()]).refuses(&["console"]).exits(1);
}

/// `exec --tty` makes a second terminal in the same container.
#[test]
fn exec_tty() {
    needs!(root_or_ranges);
    let container = Container::new().sleeping();
    let console = Console::new(container.bundle.path());
    let flags = ["--tty", "--detach", "--console-socket", console.path()];
    container.exec(&flags, &["/probe"]).ok();
    let world = Console::json(console.master());
    assert!(world["tty"]["stdin"].is_object());
    assert_eq!(world["tty"]["controlling"], true);
}

/// The slave belongs to the container's user.
#[test]
fn the_terminal_is_the_users() {
    needs!(root_or_ranges);
    let container = Container::new()
        .set("/process/terminal", json!(true))
        .set("/process/user", json!({ "uid": 1000, "gid": 1000 }))
        .args(&["/probe", "stat", "/dev/pts/0"]);
    let console = Console::new(container.bundle.path());
    container.run(&["--detach", "--console-socket", console.path()]).ok();
    let stat = Console::json(console.master());
    assert_eq!(stat["/dev/pts/0"]["uid"], 1000);
}

/// A terminal works in a user namespace.
#[test]
fn console_in_a_user_namespace() {
    needs!(root_or_ranges, user_ns);
    let container = Container::new().user_namespace().set("/process/terminal", json!(true));
    let console = Console::new(container.bundle.path());
    container.run(&["--detach", "--console-socket", console.path()]).ok();
    let world = Console::json(console.master());
    assert!(world["tty"]["stdout"].is_object());
    assert_eq!(world["tty"]["controlling"], true);
}

/// The caller's own terminal, as a user has it: master and slave.
fn own_terminal() -> (OwnedFd, OwnedFd) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let slave = open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    (master, slave)
}

/// A foreground `run` with a terminal passes the caller's terminal through: size, keys and output; and leaves the
/// settings as they were.
#[test]
fn foreground_terminal() {
    needs!(root_or_ranges);
    let (master, slave) = own_terminal();
    tcsetwinsize(&slave, Winsize { ws_row: 21, ws_col: 83, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    let before = tcgetattr(&slave).unwrap();
    let container = Container::new().set("/process/terminal", json!(true));
    let flags = container.bundled(&[]);
    let mut run = container.runtime.command([&["run"], &flags[..], &[&container.id]].concat());
    let copy = || slave.try_clone().unwrap();
    run.command.stdin(copy());
    let run = run.spawn_on(copy());
    let reader = std::thread::spawn(move || Console::json(master));
    run.finish().ok();
    assert_eq!(tcgetattr(&slave).unwrap().local_modes, before.local_modes, "the terminal's settings changed");
    assert!(before.local_modes.contains(LocalModes::ICANON));
    assert_eq!(tcgetwinsize(&slave).unwrap().ws_row, 21);
    drop(slave);
    let world = reader.join().unwrap();
    assert_eq!(world["tty"]["stdin"], json!({ "rows": 21, "columns": 83 }));
    assert_eq!(world["tty"]["controlling"], true);
}
