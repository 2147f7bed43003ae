//! Drives a runtime's command line: private `--root`, bounded time, output in files.
//!
//! Files and not pipes, because a container that outlives the command would hold a pipe open for ever.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::bundle::install;
use super::caller;
use super::driver::Driver;
use super::event::await_exit;

/// Far above what any command needs, even on a loaded machine.
const LIMIT: Duration = Duration::from_secs(30);

/// A runtime binary with a state directory of its own.
pub struct Runtime {
    launcher: Vec<OsString>,
    binary: PathBuf,
    root: tempfile::TempDir,
    /// Who makes cgroups.
    pub driver: Driver,
}

impl Runtime {
    /// `$RUNTIME` to check the tests on another runtime; else `$HULL`, the release binary; else the one that cargo
    /// built with this test.
    pub fn new(driver: Driver) -> Self {
        let named = ["RUNTIME", "HULL"].into_iter().find_map(std::env::var_os);
        let binary = named.unwrap_or_else(|| env!("CARGO_BIN_EXE_hull").into());
        let root = tempfile::Builder::new().prefix("hull-root-").tempdir().unwrap();
        Self { launcher: Vec::new(), binary: binary.into(), root, driver }
    }

    /// From now on every command is started by another program, which gets it as its last arguments.
    pub fn launch_by(&mut self, launcher: impl IntoIterator<Item = impl Into<OsString>>) {
        self.launcher = launcher.into_iter().map(Into::into).collect();
    }

    /// From now on the same runtime in a copy of its binary at `path`.
    pub fn copy_to(&mut self, path: PathBuf) {
        install(&self.binary, &path);
        self.binary = path;
    }

    /// The binary.
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// Where the runtime keeps its state.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// How a shell starts it: the program and what stands before the verb.
    pub fn words(&self) -> String {
        let command = self.command([""; 0]).command;
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        words.map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    /// A command line, to be adorned and then run or spawned.
    pub fn command(&self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Invocation {
        let mut words = self.launcher.iter().map(OsString::as_os_str).chain([self.binary.as_os_str()]);
        let mut command = Command::new(words.next().unwrap());
        command.args(words).arg("--root").arg(self.root());
        if self.driver == Driver::Systemd {
            command.arg("--systemd-cgroup");
        }
        command.args(args);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").stdin(Stdio::null());
        // The way to the user's systemd.
        command.envs(std::env::vars_os().filter(|(name, _)| !caller::is_root() && name == "XDG_RUNTIME_DIR"));
        // A group of its own, so that a command that hangs can be ended with its children.
        command.process_group(0);
        Invocation { command }
    }
}

/// A command line that was not started yet.
pub struct Invocation {
    /// For what the methods here do not offer.
    pub command: Command,
}

impl Invocation {
    /// One variable in the runtime's own environment.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// What the runtime reads from stdin.
    pub fn stdin(mut self, text: &str) -> Self {
        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
        file.rewind().unwrap();
        self.command.stdin(file);
        self
    }

    /// The runtime's working directory.
    pub fn cwd(mut self, dir: &Path) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// Runs to the end.
    pub fn run(self) -> Finished {
        self.spawn().finish()
    }

    /// Starts, and leaves the end to [`Running::finish`].
    pub fn spawn(mut self) -> Running {
        let stdout = tempfile::tempfile().unwrap();
        self.command.stdout(stdout.try_clone().unwrap());
        self.start(stdout)
    }

    /// Starts with the caller's terminal as stdout.
    pub fn spawn_on(mut self, terminal: OwnedFd) -> Running {
        self.command.stdout(terminal);
        self.start(tempfile::tempfile().unwrap())
    }

    fn start(mut self, stdout: File) -> Running {
        let stderr = tempfile::tempfile().unwrap();
        self.command.stderr(stderr.try_clone().unwrap());
        let child = self.command.spawn().unwrap_or_else(|err| panic!("{:?}: {err}", self.command));
        Running { child, stdout, stderr, what: format!("{:?}", self.command) }
    }
}

/// A command in progress; killed when dropped.
pub struct Running {
    child: Child,
    stdout: File,
    stderr: File,
    what: String,
}

impl Running {
    /// Its process id.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.pid()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    fn end(&self) {
        let group = rustix::process::Pid::from_raw(self.pid()).unwrap();
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }

    /// Waits for its end, which must come in time.
    pub fn finish(mut self) -> Finished {
        let ended = await_exit(self.pid(), LIMIT);
        if !ended {
            self.end();
        }
        let status = self.child.wait().unwrap();
        let finished = Finished {
            code: status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)),
            stdout: text(&mut self.stdout),
            stderr: text(&mut self.stderr),
            what: std::mem::take(&mut self.what),
        };
        // A second panic, while a failed test cleans up, would abort the tests of all other threads.
        assert!(
            ended || std::thread::panicking(),
            "{} ran longer than {LIMIT:?}: {finished:?}",
            finished.what
        );
        finished
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.end();
            let _ = self.child.wait();
        }
    }
}

fn text(file: &mut File) -> String {
    let mut bytes = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// How a command ended.
#[derive(Debug)]
pub struct Finished {
    /// Exit code, or 128 + signal.
    pub code: i32,
    /// All of stdout.
    pub stdout: String,
    /// All of stderr.
    pub stderr: String,
    what: String,
}

impl Finished {
    /// Asserts success.
    #[track_caller]
    pub fn ok(self) -> Self {
        self.exits(0)
    }

    /// Asserts an exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}\nstdout: {}\nstderr: {}", self.what, self.stdout, self.stderr);
        self
    }

    /// Asserts that the runtime refused, with a message that contains each of `words`.
    #[track_caller]
    pub fn refuses(self, words: &[&str]) -> Self {
        assert_ne!(self.code, 0, "{} succeeded\nstdout: {}", self.what, self.stdout);
        for word in words {
            assert!(self.stderr.contains(word), "{}: no {word:?} in: {}", self.what, self.stderr);
        }
        self
    }

    /// Asserts what it printed, but for white space at the end.
    #[track_caller]
    pub fn prints(self, text: &str) -> Self {
        assert_eq!(self.stdout.trim_end(), text, "{}\nstderr: {}", self.what, self.stderr);
        self
    }

    /// stdout as one JSON document.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|err| {
            panic!("{}: {err} in\nstdout: {}\nstderr: {}", self.what, self.stdout, self.stderr)
        })
    }
}
