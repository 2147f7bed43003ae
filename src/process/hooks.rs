//! Running a hook: state on stdin, a deadline, and the end of what it says kept for the error message.
//!
//! The runtime uses this for its own hooks, init for those that run inside, so nothing here allocates.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, pipe2};

use super::sync::Text;
use crate::plan::HookPlan;
use crate::seccomp::Filter;
use crate::sys::clone::{Clone, Exit, clone3, exit_now, pidfd_send_signal, wait_pidfd};
use crate::sys::cred::{CapSets, capset};
use crate::sys::exec::{CStrArray, close_from_on_exec, execve};
use crate::sys::{Errno, reason, seccomp, signal};

/// A hook with its arrays built.
pub struct Prepared {
    path: crate::plan::Text,
    argv: CStrArray,
    envp: CStrArray,
    timeout: Option<Duration>,
}

impl Prepared {
    /// Builds the arrays.
    #[must_use]
    pub fn new(hook: &HookPlan) -> Self {
        Self {
            path: hook.path.clone(),
            argv: CStrArray::new(hook.args.iter().map(|text| &**text)),
            envp: CStrArray::new(hook.env.iter().map(|text| &**text)),
            timeout: hook.timeout.map(|seconds| Duration::from_secs(seconds.into())),
        }
    }
}

/// How a hook failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It could not be run at all.
    System(Errno),
    /// It ended by itself, but not with 0.
    Exit(i32),
    /// It was killed by a signal.
    Signal(i32),
    /// It took longer than its timeout, and was killed.
    Timeout,
}

impl Outcome {
    /// As two numbers of a packet: errno and detail.
    #[must_use]
    pub fn encode(self) -> (Errno, i32) {
        match self {
            Self::System(errno) => (errno, 0),
            Self::Exit(code) => (Errno::ECANCELED, 1 << 16 | code),
            Self::Signal(signal) => (Errno::ECANCELED, 2 << 16 | signal),
            Self::Timeout => (Errno::ECANCELED, 3 << 16),
        }
    }

    /// The reverse of [`Self::encode`].
    #[must_use]
    pub fn decode(errno: Errno, detail: i32) -> Self {
        match detail >> 16 & 0xf {
            1 => Self::Exit(detail & 0xffff),
            2 => Self::Signal(detail & 0xffff),
            3 => Self::Timeout,
            _ => Self::System(errno),
        }
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::System(errno) => write!(f, "could not be run: {}", reason(*errno)),
            Self::Exit(code) => write!(f, "exited with status {code}"),
            Self::Signal(libc::SIGSYS) => {
                f.write_str("was killed for a bad system call, one that linux.seccomp forbids")
            }
            Self::Signal(signal) => write!(f, "was killed by signal {signal}"),
            Self::Timeout => f.write_str("did not end within its timeout"),
        }
    }
}

/// Where and as what a hook runs.
pub struct Setting<'a> {
    /// Working directory.
    pub dir: Dir<'a>,
    /// Capabilities; `None` for ours.
    pub caps: Option<CapSets>,
    /// The container's filter, if the hook is a program of the container and init has not loaded it yet.
    pub filter: Option<&'a Filter>,
}

/// A working directory.
pub enum Dir<'a> {
    /// Ours.
    Same,
    /// By its path.
    Path(&'a CStr),
    /// By its descriptor.
    Open(BorrowedFd<'a>),
}

/// Runs a hook to its end. What it says is appended to `said`.
pub fn run(hook: &Prepared, state: &[u8], setting: &Setting, said: &mut Text) -> Result<(), Outcome> {
    let deadline = hook.timeout.map(|timeout| Instant::now() + timeout);
    let (stdin, feed) = pipe2(OFlag::O_CLOEXEC).map_err(Outcome::System)?;
    let (listen, stdout) = pipe2(OFlag::O_CLOEXEC).map_err(Outcome::System)?;
    match clone3(0, None).map_err(Outcome::System)? {
        Clone::Child => become_hook(hook, stdin, stdout, setting),
        Clone::Parent { pid, pidfd } => {
            drop((stdin, stdout));
            let ended = attend(pidfd.as_fd(), feed, &listen, state, deadline, said);
            if !matches!(ended, Ok(true)) {
                kill_group(pid, pidfd.as_fd());
            }
            let exit = wait_pidfd(pidfd.as_fd()).map_err(Outcome::System)?;
            match (ended.map_err(Outcome::System)?, exit) {
                (false, _) => Err(Outcome::Timeout),
                (true, Exit::Code(0)) => Ok(()),
                (true, Exit::Code(code)) => Err(Outcome::Exit(code)),
                (true, Exit::Signal(signal)) => Err(Outcome::Signal(signal)),
            }
        }
    }
}

/// In the cloned process: becomes the hook, or says why not and ends.
fn become_hook(hook: &Prepared, stdin: OwnedFd, stdout: OwnedFd, setting: &Setting) -> ! {
    let failed =
        prepare(stdin, stdout, setting).err().unwrap_or_else(|| execve(&hook.path, &hook.argv, &hook.envp));
    for part in [b"cannot execute ", hook.path.to_bytes(), b": ", failed.desc().as_bytes()] {
        let _ = nix::unistd::write(std::io::stderr(), part);
    }
    exit_now(127)
}

fn prepare(stdin: OwnedFd, stdout: OwnedFd, setting: &Setting) -> Result<(), Errno> {
    // A process group of its own, so that a deadline ends the hook's children too.
    nix::unistd::setpgid(Pid::from_raw(0), Pid::from_raw(0))?;
    nix::unistd::dup2_stdin(stdin)?;
    nix::unistd::dup2_stdout(&stdout)?;
    nix::unistd::dup2_stderr(stdout)?;
    close_from_on_exec(3)?;
    match setting.dir {
        Dir::Same => {}
        Dir::Path(path) => nix::unistd::chdir(path)?,
        Dir::Open(dir) => nix::unistd::fchdir(dir)?,
    }
    nix::sys::stat::umask(Mode::from_bits_truncate(0o022));
    signal::reset(signal::ANY)?;
    // Before capabilities go: loading takes CAP_SYS_ADMIN without no_new_privs.
    setting.filter.map_or(Ok(None), |filter| seccomp::load(&filter.program, filter.flags))?;
    setting.caps.map_or(Ok(()), capset)
}

/// Feeds and listens until the hook has ended (`true`) or its time is over (`false`).
fn attend(
    pidfd: BorrowedFd,
    feed: OwnedFd,
    listen: &OwnedFd,
    state: &[u8],
    deadline: Option<Instant>,
    said: &mut Text,
) -> Result<bool, Errno> {
    for fd in [&feed, listen] {
        nix::fcntl::fcntl(fd, nix::fcntl::FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    }
    let (mut feed, mut left, mut listening) = (Some(feed), state, true);
    loop {
        let fds = &mut [
            PollFd::new(pidfd, PollFlags::POLLIN),
            PollFd::new(listen.as_fd(), if listening { PollFlags::POLLIN } else { PollFlags::empty() }),
            PollFd::new(feed.as_ref().map_or(pidfd, AsFd::as_fd), feed_events(feed.is_some())),
        ];
        match poll(fds, time_left(deadline)) {
            Ok(0) => return Ok(false),
            Err(Errno::EINTR) => continue,
            result => result.map(drop)?,
        }
        let ready = |index: usize| fds[index].any().unwrap_or(false);
        let (dead, speaks, hungry) = (ready(0), ready(1), ready(2));
        if let (Some(pipe), true) = (&feed, hungry) {
            // A hook that does not read its state is not wrong: EPIPE just ends the feeding.
            match nix::unistd::write(pipe, left) {
                Ok(length) if length < left.len() => left = &left[length..],
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                Ok(_) | Err(Errno::EPIPE) => feed = None,
                Err(errno) => return Err(errno),
            }
        }
        if speaks {
            listening = hear(listen, said);
        }
        if dead {
            hear(listen, said);
            return Ok(true);
        }
    }
}

fn feed_events(open: bool) -> PollFlags {
    if open { PollFlags::POLLOUT } else { PollFlags::empty() }
}

fn time_left(deadline: Option<Instant>) -> PollTimeout {
    let Some(deadline) = deadline else { return PollTimeout::NONE };
    let left = deadline.saturating_duration_since(Instant::now());
    // poll(2) counts whole milliseconds: round up, so that it does not spin in the last one.
    PollTimeout::try_from(left + Duration::from_micros(999)).unwrap_or(PollTimeout::MAX)
}

/// Takes what the hook has said; `false` once it cannot say more.
fn hear(listen: &OwnedFd, said: &mut Text) -> bool {
    let mut chunk = [0; 1024];
    loop {
        match nix::unistd::read(listen, &mut chunk) {
            Ok(0) => return false,
            Ok(length) => said.push(&chunk[..length]),
            Err(Errno::EINTR) => {}
            Err(_) => return true,
        }
    }
}

/// The process itself too, as it may not have come to make its group yet.
fn kill_group(pid: i32, pidfd: BorrowedFd) {
    let _ = nix::sys::signal::killpg(Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
    let _ = pidfd_send_signal(pidfd, libc::SIGKILL);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, timeout: Option<u32>) -> (Result<(), Outcome>, String) {
        let text = |text: &str| crate::plan::Text::new("", text).unwrap();
        let (path, args) = (text("/bin/sh"), ["sh", "-c", script].map(text).to_vec());
        let env = vec![text("PATH=/usr/bin:/bin")];
        let hook = HookPlan { at: String::new(), path, args, env, timeout };
        let mut said = Text::default();
        let state = vec![b'x'; 200_000];
        let result = run(
            &Prepared::new(&hook),
            &state,
            &Setting { dir: Dir::Path(c"/"), caps: None, filter: None },
            &mut said,
        );
        (result, String::from_utf8_lossy(said.as_bytes()).into_owned())
    }

    #[test]
    fn a_hook_gets_the_whole_state_and_its_words_are_kept() {
        assert_eq!(shell("wc -c", None), (Ok(()), "200000\n".into()));
        assert_eq!(shell("echo no >&2; exit 3", None), (Err(Outcome::Exit(3)), "no\n".into()));
        assert_eq!(shell("kill -9 $$", None).0, Err(Outcome::Signal(9)));
    }

    #[test]
    fn a_deadline_ends_the_hook_and_its_children() {
        let start = Instant::now();
        let (result, _) = shell("sleep 60 & sleep 60", Some(1));
        assert_eq!(result, Err(Outcome::Timeout));
        assert!(start.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn a_daemon_that_keeps_the_pipe_does_not_hold_us_up() {
        let start = Instant::now();
        assert_eq!(shell("sleep 60 & echo done", None), (Ok(()), "done\n".into()));
        assert!(start.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn outcomes_survive_the_packet() {
        for outcome in
            [Outcome::System(Errno::ENOENT), Outcome::Exit(3), Outcome::Signal(9), Outcome::Timeout]
        {
            let (errno, detail) = outcome.encode();
            assert_eq!(Outcome::decode(errno, detail), outcome);
        }
    }
}
