//! A daemon that is started when the first test needs it, shared, and stopped when no test needs it any more.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::Signal;

use crate::harness::{Running, await_exit};
use crate::leftovers;
use crate::shell::{command, eventually, run};

/// Where scripts/engines puts images and configuration, and finds what was logged.
pub const HERE: &str = "/engines";

/// A daemon.
pub struct Engine {
    /// Its name, for the log.
    pub name: &'static str,
    /// Its command line, in shell.
    pub daemon: &'static str,
    /// What succeeds as soon as it answers.
    pub ready: &'static str,
    /// What is done after its first start.
    pub prepare: &'static str,
    /// Who uses it now.
    pub users: Mutex<Users>,
}

/// How many tests use a daemon, and the daemon.
pub struct Users {
    count: usize,
    daemon: Option<Running>,
    prepared: bool,
}

impl Users {
    /// Nobody yet.
    pub const fn none() -> Mutex<Self> {
        Mutex::new(Self { count: 0, daemon: None, prepared: false })
    }
}

/// What all engines of a machine have in common.
struct Machine {
    holds: usize,
    /// What a failed test leaves is no news.
    failed: bool,
}

static MACHINE: Mutex<Machine> = Mutex::new(Machine { holds: 0, failed: false });

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A test's hold on the machine, and on an engine if it has a daemon.
pub struct Hold(Option<&'static Engine>);

/// For engines without a daemon.
pub fn machine() -> Hold {
    assert!(
        Path::new(HERE).join("runtime").is_file(),
        "these tests run in machines that scripts/engines makes"
    );
    lock(&MACHINE).holds += 1;
    Hold(None)
}

impl Engine {
    /// A running engine, for as long as the answer is kept.
    pub fn hold(&'static self) -> Hold {
        let mut hold = machine();
        let mut users = lock(&self.users);
        if users.count == 0 {
            users.daemon = Some(self.start());
            if !users.prepared {
                run(self.prepare).ok();
                users.prepared = true;
            }
        }
        users.count += 1;
        hold.0 = Some(self);
        hold
    }

    fn start(&self) -> Running {
        let line = format!("exec {} >>{HERE}/log/{} 2>&1", self.daemon, self.name);
        let daemon = command(&["sh", "-c", &line]).spawn();
        eventually(&format!("{} answers", self.name), || run(self.ready).code == 0);
        daemon
    }

    /// Ends the daemon by a signal, under its users, and starts it again.
    pub fn restart(&self, signal: Signal) {
        let mut users = lock(&self.users);
        stop(users.daemon.take().unwrap(), signal);
        users.daemon = Some(self.start());
    }
}

fn stop(daemon: Running, signal: Signal) {
    daemon.signal(signal);
    assert!(await_exit(daemon.pid(), Duration::from_secs(60)), "the daemon goes on");
    drop(daemon);
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut machine = lock(&MACHINE);
        machine.failed |= std::thread::panicking();
        machine.holds -= 1;
        if let Some(engine) = self.0 {
            let mut users = lock(&engine.users);
            users.count -= 1;
            if users.count == 0 {
                stop(users.daemon.take().unwrap(), Signal::TERM);
            }
        }
        if machine.holds == 0 && !machine.failed {
            leftovers::none();
        }
    }
}
