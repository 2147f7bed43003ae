//! Runs one command under ptrace(2), names every process of it by its place in the family, counts their system calls,
//! and at one of them either makes the call fail or kills the process.
//!
//! A process is followed until it executes something that is not the runtime: hooks and the container's program are
//! nobody's faults. Once the fault has struck, everybody is let go and runs on as without a tracer.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill, raise};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::call::{Call, Registers};

/// What happens at the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blow {
    /// The call returns this, and is not made.
    Fail(Errno),
    /// The process is killed in front of the call.
    Kill,
}

/// Where and what.
#[derive(Debug, Clone)]
pub struct Fault {
    /// Place in the family: `0` is the command, `0.2` its second child, and so on.
    pub process: String,
    /// How many calls of that process come before.
    pub call: usize,
    /// What happens there.
    pub blow: Blow,
}

/// How the command went.
pub struct Outcome {
    /// Each process with its calls, as far as they were counted.
    pub calls: Vec<(String, Vec<Call>)>,
    /// The call that the fault struck; nothing if there were not that many.
    pub struck: Option<Call>,
    /// Exit code, or 128 + signal.
    pub code: i32,
    /// What a command that had to be ended was doing.
    pub hung: Option<String>,
}

/// The word that makes this test program hold still until it is traced, and then become the command.
pub const HOLD: &str = "--hold";

/// What [`HOLD`] does. Never returns.
pub fn hold(words: &[String]) -> ! {
    let [program, args @ ..] = words else { panic!("{HOLD} needs a program") };
    raise(Signal::SIGSTOP).unwrap();
    panic!("{program}: {}", Command::new(program).args(args).exec())
}

/// A process under trace.
struct Member {
    name: String,
    children: usize,
    calls: Vec<Call>,
    count: usize,
}

/// One thread of one, as ptrace sees it.
#[derive(Clone, Copy)]
struct Thread {
    member: usize,
    /// Unknown of one that was in the middle of something when it was seized.
    in_call: Option<bool>,
}

struct Tracer<'a> {
    fault: Option<&'a Fault>,
    runtime: &'a str,
    main: Pid,
    members: Vec<Member>,
    threads: HashMap<Pid, Thread>,
    /// Born, but not yet announced by the parent.
    early: Vec<Pid>,
    struck: Option<Call>,
    failing: Option<Pid>,
    releasing: bool,
    /// The command is this program until it executes the runtime.
    begun: bool,
}

/// Runs `words` with its output in `out` and `err`. `waiting` is one more process to trace: the init that `start` talks to.
pub fn run(
    words: &[&str],
    waiting: Option<i32>,
    (out, err): (File, File),
    fault: Option<&Fault>,
    limit: Duration,
) -> Outcome {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg(HOLD).args(words).stdin(Stdio::null()).stdout(out).stderr(err);
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    #[expect(clippy::zombie_processes, reason = "whoever traces it waits for it")]
    let child = command.spawn().unwrap();
    let main = Pid::from_raw(i32::try_from(child.id()).unwrap());
    let runtime = Path::new(words[0]).file_name().unwrap().to_str().unwrap();
    let mut tracer = Tracer {
        fault,
        runtime,
        main,
        members: Vec::new(),
        threads: HashMap::new(),
        early: Vec::new(),
        struck: None,
        failing: None,
        releasing: false,
        begun: false,
    };
    let watchdog = Watchdog::over(main, limit);
    tracer.seize_stopped(main);
    if let Some(pid) = waiting {
        tracer.seize(Pid::from_raw(pid), "init".to_owned());
        ptrace::interrupt(Pid::from_raw(pid)).unwrap();
    }
    let code = tracer.follow();
    let hung = watchdog.finish();
    let calls = tracer.members.into_iter().map(|member| (member.name, member.calls)).collect();
    Outcome { calls, struck: tracer.struck, code, hung }
}

const ALL: WaitPidFlag = WaitPidFlag::__WALL;
const EVENT_STOP: i32 = 128;

impl Tracer<'_> {
    fn seize(&mut self, pid: Pid, name: String) {
        let options = Options::PTRACE_O_TRACESYSGOOD
            | Options::PTRACE_O_TRACECLONE
            | Options::PTRACE_O_TRACEFORK
            | Options::PTRACE_O_TRACEVFORK
            | Options::PTRACE_O_TRACEEXEC
            | Options::PTRACE_O_EXITKILL;
        ptrace::seize(pid, options).unwrap();
        self.members.push(Member { name, children: 0, calls: Vec::new(), count: 0 });
        self.threads.insert(pid, Thread { member: self.members.len() - 1, in_call: None });
    }

    fn seize_stopped(&mut self, pid: Pid) {
        waitpid(pid, Some(WaitPidFlag::WUNTRACED)).unwrap();
        self.seize(pid, "0".to_owned());
        kill(pid, Signal::SIGCONT).unwrap();
    }

    /// Until the command has ended and nobody is traced any more.
    fn follow(&mut self) -> i32 {
        let mut code = None;
        while code.is_none() || !self.threads.is_empty() {
            let status = match waitpid(None, Some(ALL)) {
                Ok(status) => status,
                Err(Errno::ECHILD) => break,
                Err(errno) => panic!("waitpid: {errno}"),
            };
            match status {
                WaitStatus::Exited(pid, _) | WaitStatus::Signaled(pid, _, _) => {
                    self.threads.remove(&pid);
                    self.early.retain(|early| *early != pid);
                    if pid == self.main {
                        code = Some(match status {
                            WaitStatus::Exited(_, code) => code,
                            WaitStatus::Signaled(_, signal, _) => 128 + signal as i32,
                            _ => unreachable!(),
                        });
                        self.release();
                    }
                }
                WaitStatus::PtraceSyscall(pid) => self.at_call(pid),
                WaitStatus::PtraceEvent(pid, signal, event) => self.at_event(pid, signal, event),
                WaitStatus::Stopped(pid, signal) => self.resume(pid, Some(signal)),
                _ => {}
            }
        }
        code.unwrap_or(255)
    }

    /// Lets everybody go who has not stopped yet; the rest is let go at its next stop.
    fn release(&mut self) {
        if !std::mem::replace(&mut self.releasing, true) {
            for pid in self.threads.keys() {
                let _ = ptrace::interrupt(*pid);
            }
        }
    }

    fn resume(&mut self, pid: Pid, signal: Option<Signal>) {
        if self.releasing && self.failing != Some(pid) {
            self.threads.remove(&pid);
            let _ = ptrace::detach(pid, signal);
            return;
        }
        let Some(thread) = self.threads.get(&pid) else { return };
        // Gone in the meantime: its end is reported next.
        let _ =
            if self.counts(thread.member) { ptrace::syscall(pid, signal) } else { ptrace::cont(pid, signal) };
    }

    /// Whether this member's calls are of interest.
    fn counts(&self, member: usize) -> bool {
        self.begun && self.fault.is_none_or(|fault| fault.process == self.members[member].name)
    }

    fn at_call(&mut self, pid: Pid) {
        let Some(thread) = self.threads.get_mut(&pid) else { return };
        let Ok(registers) = Registers::of(pid) else { return };
        let entering = thread.in_call.map_or_else(|| registers.entering(), |in_call| !in_call);
        thread.in_call = Some(entering);
        let index = thread.member;
        if !entering {
            if self.failing == Some(pid) {
                let Some(Fault { blow: Blow::Fail(errno), .. }) = self.fault else { unreachable!() };
                registers.answer(*errno);
                self.failing = None;
            }
            return self.resume(pid, None);
        }
        let member = &mut self.members[index];
        let number = member.count;
        member.count += 1;
        match self.fault {
            None => member.calls.push(Call::read(pid, &registers)),
            Some(fault) if fault.call == number => {
                let call = Call::read(pid, &registers);
                // Not the same number as in another run, and a call that cannot fail.
                if matches!(fault.blow, Blow::Fail(_)) && call.errors().is_empty() {
                    return self.resume(pid, None);
                }
                self.struck = Some(call);
                match fault.blow {
                    Blow::Fail(_) => {
                        // close(2) gives the descriptor free whatever it says.
                        if self.struck.as_ref().is_none_or(|call| call.name != "close") {
                            registers.skip();
                        }
                        self.failing = Some(pid);
                        let _ = ptrace::syscall(pid, None);
                    }
                    Blow::Kill => kill(process_of(pid), Signal::SIGKILL).unwrap(),
                }
                return self.release();
            }
            Some(_) => {}
        }
        self.resume(pid, None);
    }

    fn at_event(&mut self, pid: Pid, signal: Signal, event: i32) {
        use nix::libc::{PTRACE_EVENT_CLONE, PTRACE_EVENT_EXEC, PTRACE_EVENT_FORK, PTRACE_EVENT_VFORK};
        match event {
            PTRACE_EVENT_CLONE | PTRACE_EVENT_FORK | PTRACE_EVENT_VFORK => {
                if let Ok(child) = ptrace::getevent(pid) {
                    self.born(pid, Pid::from_raw(i32::try_from(child).unwrap()));
                }
                self.resume(pid, None);
            }
            PTRACE_EVENT_EXEC => self.executed(pid),
            EVENT_STOP if !self.threads.contains_key(&pid) => self.early.push(pid),
            // A stop of a whole group, or the first stop of somebody new.
            EVENT_STOP => self.resume(pid, None),
            _ => self.resume(pid, Some(signal).filter(|signal| *signal != Signal::SIGTRAP)),
        }
    }

    fn born(&mut self, parent: Pid, child: Pid) {
        let Some(thread) = self.threads.get(&parent) else { return };
        let member = if process_of(child) == process_of(parent) {
            thread.member
        } else {
            let parent = &mut self.members[thread.member];
            parent.children += 1;
            let name = format!("{}.{}", parent.name, parent.children);
            self.members.push(Member { name, children: 0, calls: Vec::new(), count: 0 });
            self.members.len() - 1
        };
        self.threads.insert(child, Thread { member, in_call: Some(false) });
        if let Some(place) = self.early.iter().position(|early| *early == child) {
            self.early.swap_remove(place);
            self.resume(child, None);
        }
    }

    fn executed(&mut self, pid: Pid) {
        let file = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
        let own = file.to_string_lossy().contains(self.runtime);
        self.begun |= own;
        if !own {
            self.threads.remove(&pid);
            let _ = ptrace::detach(pid, None);
            return;
        }
        // Other threads have died of it. The end of execve itself is reported next, if calls are.
        let counted = self.threads.get(&pid).is_some_and(|thread| self.counts(thread.member));
        if let Some(thread) = self.threads.get_mut(&pid) {
            thread.in_call = Some(counted);
        }
        self.resume(pid, None);
    }
}

/// The process that a thread belongs to.
fn process_of(thread: Pid) -> Pid {
    let status = std::fs::read_to_string(format!("/proc/{thread}/status")).unwrap_or_default();
    let group = status.lines().find_map(|line| line.strip_prefix("Tgid:"));
    group.and_then(|group| group.trim().parse().ok()).map_or(thread, Pid::from_raw)
}

/// Memory of a process under trace: a text that ends with zero.
pub fn text_at(pid: Pid, address: u64) -> Option<String> {
    let memory = File::open(format!("/proc/{pid}/mem")).ok()?;
    let mut bytes = [0; 256];
    // A page's end may cut it short.
    let length =
        memory.read_at(&mut bytes, address).or_else(|_| memory.read_at(&mut bytes[..16], address)).ok()?;
    let end = bytes[..length].iter().position(|byte| *byte == 0).unwrap_or(length);
    Some(String::from_utf8_lossy(&bytes[..end]).into_owned())
}

/// Ends a command that does not end by itself.
struct Watchdog {
    stop: Sender<()>,
    thread: std::thread::JoinHandle<()>,
    seen: Arc<Mutex<Option<String>>>,
}

impl Watchdog {
    fn over(main: Pid, limit: Duration) -> Self {
        let (stop, stopped) = mpsc::channel();
        let seen = Arc::new(Mutex::new(None));
        let told = Arc::clone(&seen);
        let thread = std::thread::spawn(move || {
            if stopped.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                *told.lock().unwrap() =
                    Some(family(main).iter().map(|pid| doing(*pid)).collect::<Vec<_>>().join("; "));
                for pid in family(main) {
                    let _ = kill(pid, Signal::SIGKILL);
                }
            }
        });
        Self { stop, thread, seen }
    }

    fn finish(self) -> Option<String> {
        let _ = self.stop.send(());
        self.thread.join().unwrap();
        self.seen.lock().unwrap().take()
    }
}

fn family(pid: Pid) -> Vec<Pid> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let children = children.split_whitespace().filter_map(|pid| pid.parse().ok()).map(Pid::from_raw);
    std::iter::once(pid).chain(children.flat_map(family)).collect()
}

fn doing(pid: Pid) -> String {
    let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    format!("{} {} in {} at {}", pid, read("comm").trim(), read("wchan"), read("syscall").trim())
}
