//! `docker run -it` and `docker exec -it`, by a person at a terminal.

use super::{Detached, docker};
use crate::terminal::Terminal;

#[test]
fn run_at_a_terminal() {
    let _engine = docker();
    let mut terminal = Terminal::new("docker run --rm -it world:1 sh");
    terminal.types("tty; until stty size | grep 24; do sleep 0.1; done; echo $((40 + 2))\n");
    terminal.shows("/dev/pts/0");
    terminal.shows("24 80");
    terminal.shows("42");
    terminal.types("exit 5\n");
    terminal.ends().exits(5);
}

#[test]
fn exec_at_a_terminal_that_is_resized() {
    let web = Detached::waiting("");
    let mut terminal = Terminal::new(&format!("docker exec -it {web} sh"));
    terminal.types("tty\n");
    terminal.shows("/dev/pts/");
    terminal.resize(33, 111);
    terminal.types("until stty size | grep '33 11'; do sleep 0.1; done\n");
    terminal.shows("33 111");
    terminal.types("exit 7\n");
    terminal.ends().exits(7);
}

#[test]
fn control_c_ends_the_program() {
    let _engine = docker();
    let mut terminal = Terminal::new("docker run --rm -it --init world:1 sh -c 'echo ready; sleep 1000'");
    terminal.shows("ready");
    terminal.types("\x03");
    terminal.ends().exits(130);
}

#[test]
fn detach_and_attach_again() {
    let web = Detached::run("-it world:1 sh");
    let mut terminal = Terminal::new(&format!("docker attach --detach-keys ctrl-x {web}"));
    terminal.types("x=kept; echo $((1 + 1))\n");
    terminal.shows("2\r\n");
    terminal.types("\x18");
    assert!(terminal.ends().stderr.contains("read escape sequence"));
    let mut terminal = Terminal::new(&format!("docker attach {web}"));
    terminal.types("echo $x; exit 3\n");
    terminal.shows("kept");
    terminal.ends().exits(3);
}
