//! What a person types, and what comes of it.

use std::time::{Duration, Instant};

use crate::harness::{Finished, Invocation};

/// Runs lines of shell, formatted like `format!`, to their end or to the first that fails.
#[macro_export]
macro_rules! sh {
    ($($line:tt)+) => { $crate::shell::run(&format!($($line)+)) };
}

/// See [`sh!`].
pub fn run(line: &str) -> Finished {
    command(&["sh", "-ec", line]).run()
}

/// A command that was not started yet, in a group of its own, so that it can be ended with its children.
pub fn command(words: &[&str]) -> Invocation {
    use std::os::unix::process::CommandExt;
    let mut command = std::process::Command::new(words[0]);
    command.args(&words[1..]).stdin(std::process::Stdio::null()).process_group(0);
    Invocation { command }
}

/// Asks again until it holds. Each question is a command, so this does not spin.
#[track_caller]
pub fn eventually(what: &str, holds: impl Fn() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < Duration::from_secs(60), "never: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Asks again until a line of shell succeeds and prints this.
#[track_caller]
pub fn until(line: &str, wanted: &str) {
    eventually(&format!("{line} prints {wanted:?}"), || {
        let finished = run(line);
        finished.code == 0 && finished.stdout.trim_end() == wanted
    });
}
