//! The verbs under the sweep: in what state of the container each is called, what its success means, and what must be
//! possible after its failure.

use std::fs;
use std::io::{Read, Seek};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::Duration;

use nix::errno::Errno;
use serde_json::{Value, json};

use super::call::Call;
use super::harness::{Bundle, Driver, Finished, Runtime, await_exit, cgroups, controller, is_v2};
use super::host::{Host, strangers};
use super::trace::{self, Blow, Fault, Outcome};

/// Far above what a command may wait for somebody else: hull gives processes ten seconds to die.
const LIMIT: Duration = Duration::from_secs(25);

/// The container before the verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    Nothing,
    Created,
    Running,
    Paused,
    Stopped,
}

/// One verb.
pub struct Scenario {
    /// What the table calls it.
    pub name: &'static str,
    /// In what state the container is.
    pub before: Before,
    /// The command line without the id; `ID` stands for it.
    pub words: &'static [&'static str],
    /// What holds after success.
    pub done: fn(&Stage, &Said) -> Result<(), String>,
    /// Whether the container is as it was after the verb, and can serve again.
    pub harmless: bool,
}

/// All of them.
pub const SCENARIOS: [Scenario; 14] = [
    Scenario {
        name: "create",
        before: Before::Nothing,
        words: &["create", "--pid-file", "PIDFILE", "ID"],
        done: created,
        harmless: false,
    },
    Scenario { name: "run", before: Before::Nothing, words: &["run", "ID"], done: ran, harmless: false },
    Scenario {
        name: "start",
        before: Before::Created,
        words: &["start", "ID"],
        done: started,
        harmless: false,
    },
    Scenario {
        name: "exec",
        before: Before::Running,
        words: &["exec", "ID", "/probe", "echo", "ran"],
        done: said_ran,
        harmless: true,
    },
    Scenario {
        name: "kill",
        before: Before::Running,
        words: &["kill", "ID", "KILL"],
        done: stopped,
        harmless: false,
    },
    Scenario {
        name: "pause",
        before: Before::Running,
        words: &["pause", "ID"],
        done: paused,
        harmless: true,
    },
    Scenario {
        name: "resume",
        before: Before::Paused,
        words: &["resume", "ID"],
        done: running,
        harmless: true,
    },
    Scenario {
        name: "update",
        before: Before::Running,
        words: &["update", "--pids-limit", "77", "--memory", "300000000", "ID"],
        done: updated,
        harmless: true,
    },
    Scenario {
        name: "state",
        before: Before::Running,
        words: &["state", "ID"],
        done: said_running,
        harmless: true,
    },
    Scenario { name: "list", before: Before::Running, words: &["list"], done: listed, harmless: true },
    Scenario {
        name: "ps",
        before: Before::Running,
        words: &["ps", "--format", "json", "ID"],
        done: said_pid,
        harmless: true,
    },
    Scenario {
        name: "events",
        before: Before::Running,
        words: &["events", "--stats", "ID"],
        done: said_stats,
        harmless: true,
    },
    Scenario {
        name: "delete",
        before: Before::Stopped,
        words: &["delete", "ID"],
        done: gone,
        harmless: false,
    },
    Scenario {
        name: "delete --force",
        before: Before::Running,
        words: &["delete", "--force", "ID"],
        done: gone,
        harmless: false,
    },
];

const ID: &str = "box";

/// What init does when the runtime has nothing more to wait for. To everybody else, who dies there died later.
const LAST: [(&str, &str); 7] = [
    ("create", "recvfrom"),
    ("create", "recvmsg"),
    ("create", "accept4"),
    ("start", "seccomp"),
    ("start", "capset"),
    ("start", "prctl"),
    ("start", "execve"),
];

/// Answers of the kernel that a runtime must take for the truth: something is not there, so neither is what it is about;
/// a cgroup has somebody else's in it. What comes of that lie is nobody's fault, but it must end, and be told.
fn believed(call: &Call, struck: Option<Blow>) -> bool {
    match struck {
        Some(Blow::Fail(Errno::ENOENT)) => true,
        Some(Blow::Fail(Errno::EBUSY)) => call.name == "rmdir",
        _ => false,
    }
}

/// The bundle, the runtime and the host around them.
pub struct Stage {
    bundle: Bundle,
    runtime: Runtime,
    host: Host,
    cgroup: String,
    /// Only hull answers for the parents of cgroups that it made.
    strict: bool,
    pid: Option<i32>,
}

/// What the command printed.
#[derive(Default)]
pub struct Said {
    pub out: String,
    pub err: String,
}

/// What came of one fault.
pub struct Verdict {
    pub outcome: Outcome,
    pub said: Said,
    /// Why this is a failure of the runtime; nothing if all is well.
    pub wrong: Option<String>,
}

impl Stage {
    /// A bundle like Docker's, with all kinds of hooks, and a cgroup two levels deep or in a scope.
    pub fn new() -> Self {
        let (driver, name) = (Driver::chosen(), format!("sweep-{}", std::process::id()));
        let (place, cgroup) = match driver {
            Driver::Cgroupfs => (format!("/hull-{name}/{ID}"), format!("/hull-{name}/{ID}")),
            Driver::Systemd => driver.place(&name),
        };
        let mut bundle = Bundle::new(&place);
        let path = bundle.path().to_str().unwrap().to_owned();
        fs::create_dir_all(bundle.join("binds/data")).unwrap();
        for name in ["resolv.conf", "hostname", "hosts"] {
            fs::write(bundle.join("binds").join(name), "sweep\n").unwrap();
        }
        let text = include_str!("../../benches/docker-like.json").replace("@BUNDLE@", &path);
        bundle.config = serde_json::from_str(&text).unwrap();
        let (outside, inside) =
            (json!([{ "path": "/bin/true" }]), json!([{ "path": "/probe", "args": ["probe", "exit", "0"] }]));
        bundle.config["hooks"] = json!({
            "createRuntime": outside, "createContainer": outside, "startContainer": inside, "poststart": outside, "poststop": outside,
        });
        bundle.config["linux"]["cgroupsPath"] = place.into();
        // scripts/systemd-host has few controllers.
        for (limit, name) in [("memory", "memory"), ("cpu", "cpu"), ("pids", "pids"), ("blockIO", "io")] {
            if is_v2() && controller(name).is_err() {
                bundle.config["linux"]["resources"].as_object_mut().unwrap().remove(limit);
            }
        }
        bundle.config["process"]["args"] = json!(["/probe", "pause"]);
        fs::write(bundle.join("pid"), "").unwrap();
        let runtime = Runtime::new(driver);
        // What a run makes in the root filesystem is made once, so that every run finds the same.
        symlink("/probe", bundle.rootfs().join("bin/probe")).unwrap();
        bundle.write();
        let host = Host::now(bundle.path(), runtime.root(), &cgroup);
        // A slice is not ours to remove.
        let strict = std::env::var_os("RUNTIME").is_none() && driver == Driver::Cgroupfs;
        Self { bundle, runtime, host, cgroup, strict, pid: None }
    }

    fn ask(&self, words: &[&str]) -> Finished {
        self.runtime.command(words).cwd(self.bundle.path()).run()
    }

    fn status(&self) -> String {
        let state: Value = serde_json::from_str(&self.ask(&["state", ID]).stdout).unwrap_or_default();
        state["status"].as_str().unwrap_or("absent").to_owned()
    }

    /// A text without what differs from one sweep to the next.
    pub fn anonymous(&self, text: &str) -> String {
        let path = |path: &std::path::Path| path.to_str().unwrap().to_owned();
        let names = [
            (path(self.bundle.path()), "BUNDLE"),
            (path(self.runtime.root()), "STATE"),
            (self.cgroup.clone(), "/CGROUP"),
        ];
        let parent = (self.cgroup.rsplit_once('/').unwrap().0.to_owned(), "/CGROUPS");
        let named = names
            .iter()
            .chain([&parent])
            .fold(text.to_owned(), |text, (name, word)| text.replace(name, word));
        // Process ids.
        let words = named.split('/').map(|word| if word.parse::<u32>().is_ok() { "N" } else { word });
        words.collect::<Vec<_>>().join("/")
    }

    fn pid_file(&self) -> PathBuf {
        self.bundle.join("pid")
    }

    /// Brings the container into a state.
    fn prepare(&mut self, before: Before, program: &[&str]) {
        if self.bundle.config["process"]["args"] != json!(program) {
            self.bundle.config["process"]["args"] = json!(program);
            self.bundle.write();
        }
        if before == Before::Nothing || self.pid.is_some() {
            return;
        }
        let pid_file = self.pid_file();
        self.ask(&["create", "--pid-file", pid_file.to_str().unwrap(), ID]).ok();
        self.pid = Some(fs::read_to_string(pid_file).unwrap().parse().unwrap());
        if before != Before::Created {
            self.ask(&["start", ID]).ok();
        }
        if before == Before::Stopped {
            self.ask(&["kill", ID, "KILL"]).ok();
            await_exit(self.pid.unwrap(), LIMIT);
        }
    }

    /// Runs the verb once, with or without a fault, and looks at what it leaves.
    pub fn play(&mut self, scenario: &Scenario, fault: Option<&Fault>) -> Verdict {
        let program: &[&str] =
            if scenario.name == "run" { &["/probe", "echo", "ran"] } else { &["/probe", "pause"] };
        self.prepare(scenario.before, program);
        if scenario.before == Before::Paused {
            self.ask(&["pause", ID]).ok();
        }
        let (pid_file, root) = (self.pid_file(), self.runtime.root().to_str().unwrap().to_owned());
        let mut words = vec![self.runtime.binary().to_str().unwrap(), "--root", &root];
        words.extend((self.runtime.driver == Driver::Systemd).then_some("--systemd-cgroup"));
        words.extend(scenario.words.iter().map(|word| match *word {
            "ID" => ID,
            "PIDFILE" => pid_file.to_str().unwrap(),
            word => word,
        }));
        let (mut out, mut err) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        let files = (out.try_clone().unwrap(), err.try_clone().unwrap());
        let waiting = self.pid.filter(|_| scenario.before == Before::Created);
        std::env::set_current_dir(self.bundle.path()).unwrap();
        let outcome = trace::run(&words, waiting, files, fault, LIMIT);
        let mut said = Said::default();
        out.rewind().and_then(|()| out.read_to_string(&mut said.out)).unwrap();
        err.rewind().and_then(|()| err.read_to_string(&mut said.err)).unwrap();
        let struck = fault.filter(|_| outcome.struck.is_some()).map(|fault| fault.blow);
        let wrong = self.judge(scenario, &outcome, struck, &said).err();
        if wrong.is_some() {
            self.clear();
        }
        Verdict { outcome, said, wrong }
    }

    fn judge(
        &mut self,
        scenario: &Scenario,
        outcome: &Outcome,
        struck: Option<Blow>,
        said: &Said,
    ) -> Result<(), String> {
        if let Some(doing) = &outcome.hung {
            return Err(format!("hung: {doing}"));
        }
        if outcome.code == 0 {
            let last = outcome.struck.as_ref().is_some_and(|call| {
                LAST.iter().any(|(verb, name)| *verb == scenario.name && *name == call.name)
            });
            // One that cannot hear the runtime's last word ends, which is the same.
            let deaf = scenario.name == "create" && matches!(struck, Some(Blow::Fail(_)));
            let handed_over = last && (deaf || struck == Some(Blow::Kill));
            let believed = handed_over || outcome.struck.as_ref().is_some_and(|call| believed(call, struck));
            let done =
                (scenario.done)(self, said).map_err(|why| format!("said that it succeeded, but {why}"));
            if !believed {
                done?;
            } else if done.is_err() && !handed_over && !scenario.harmless {
                // What the kernel denies to be there, nobody finds.
                self.clear();
                return Ok(());
            }
        } else if struck.is_none() {
            return Err(format!("failed without a fault: {}", said.err));
        } else if outcome.code < 128 && said.err.trim().is_empty() {
            return Err(format!("exit code {} without a word", outcome.code));
        }
        if scenario.harmless {
            return self.still_serves(scenario);
        }
        // What could not be done must be undone at once; a `run` whose program ran has been done.
        let failed = scenario.before == Before::Nothing && (1..128).contains(&outcome.code);
        let undone = failed && struck != Some(Blow::Kill) && said.out.is_empty();
        self.can_be_removed(undone, outcome.code)
    }

    /// A container that ran before runs on, and the verb can be repeated.
    fn still_serves(&mut self, scenario: &Scenario) -> Result<(), String> {
        let pid = self.pid.unwrap_or(0);
        if self.status() == "absent" || !matches!(&*self.status(), "running" | "paused") {
            return Err(format!("the container that ran before is {}", self.status()));
        }
        let extra = if self.status() == "paused" { Vec::new() } else { strangers(&[pid]) };
        if !extra.is_empty() {
            return Err(format!("processes {extra:?} were left"));
        }
        let words: Vec<&str> =
            scenario.words.iter().map(|word| if *word == "ID" { ID } else { word }).collect();
        let again = self.ask(&words);
        let already = matches!((scenario.name, &*self.status()), ("pause", "paused") | ("resume", "running"));
        if again.code != 0 && !already {
            return Err(format!("cannot be repeated: {}", again.stderr));
        }
        if self.status() == "paused" {
            self.ask(&["resume", ID]).ok();
        }
        let changes = self.host.changes();
        if changes.is_empty() { Ok(()) } else { Err(format!("changed the host: {changes:?}")) }
    }

    /// What was killed can be removed; what was `undone` left nothing to remove.
    fn can_be_removed(&mut self, undone: bool, code: i32) -> Result<(), String> {
        let left = if undone { self.host.leftovers(self.strict) } else { Vec::new() };
        if !left.is_empty() {
            return Err(format!("exit code {code}, and left without being killed: {left:?}"));
        }
        let deleted = self.ask(&["delete", "--force", ID]);
        if deleted.code != 0 {
            return Err(format!("delete --force: {}", deleted.stderr));
        }
        self.pid = None;
        let left = self.host.leftovers(self.strict);
        if left.is_empty() { Ok(()) } else { Err(format!("left after delete --force: {left:?}")) }
    }

    /// After a failure: by all means to a clean host, so that the next fault is judged by itself.
    pub fn clear(&mut self) {
        self.ask(&["resume", ID]);
        self.ask(&["delete", "--force", ID]);
        for pid in strangers(&[]) {
            let _ =
                nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
            await_exit(pid, LIMIT);
        }
        strangers(&[]);
        let parent = self.cgroup.rsplit_once('/').unwrap().0;
        for cgroup in [&self.cgroup, parent] {
            cgroups(cgroup).iter().for_each(|dir| fs::remove_dir(dir).unwrap_or_default());
        }
        for entry in fs::read_dir(self.runtime.root()).into_iter().flatten().flatten() {
            let _ = fs::remove_dir_all(entry.path());
        }
        for path in self.host.strange_files() {
            let _ = fs::remove_file(path);
        }
        self.pid = None;
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.clear();
    }
}

fn expect(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

fn is(stage: &Stage, status: &str) -> Result<(), String> {
    expect(stage.status() == status, || format!("the container is {}, not {status}", stage.status()))
}

fn created(stage: &Stage, _: &Said) -> Result<(), String> {
    is(stage, "created")?;
    let pid = fs::read_to_string(stage.pid_file()).unwrap_or_default();
    expect(pid.parse::<i32>().is_ok(), || format!("the pid file says {pid:?}"))
}

fn ran(stage: &Stage, said: &Said) -> Result<(), String> {
    said_ran(stage, said)?;
    gone(stage, said)
}

fn started(stage: &Stage, _: &Said) -> Result<(), String> {
    is(stage, "running")?;
    let pid = stage.pid.unwrap_or(0);
    let words = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    expect(words == "/probe\0pause\0", || format!("its program is {words:?}"))
}

fn said_ran(_: &Stage, said: &Said) -> Result<(), String> {
    expect(said.out == "ran\n", || format!("printed {:?}", said.out))
}

fn stopped(stage: &Stage, _: &Said) -> Result<(), String> {
    expect(await_exit(stage.pid.unwrap_or(0), LIMIT), || "the process lives".to_owned())
}

fn paused(stage: &Stage, _: &Said) -> Result<(), String> {
    is(stage, "paused")
}

fn running(stage: &Stage, _: &Said) -> Result<(), String> {
    is(stage, "running")
}

fn updated(stage: &Stage, _: &Said) -> Result<(), String> {
    for (file, wanted) in
        [("pids.max", "77"), ("memory.max", "299999232"), ("memory.limit_in_bytes", "299999232")]
    {
        for dir in cgroups(&stage.cgroup) {
            let Ok(found) = fs::read_to_string(dir.join(file)) else { continue };
            expect(found.trim() == wanted, || format!("{} is {found}", dir.join(file).display()))?;
        }
    }
    Ok(())
}

fn said_running(_: &Stage, said: &Said) -> Result<(), String> {
    expect(said.out.contains(ID) && said.out.contains("running"), || format!("printed {:?}", said.out))
}

/// A container that cannot be looked at is named in a warning.
fn listed(stage: &Stage, said: &Said) -> Result<(), String> {
    if said.err.contains(ID) { Ok(()) } else { said_running(stage, said) }
}

fn said_pid(stage: &Stage, said: &Said) -> Result<(), String> {
    let pid = stage.pid.unwrap_or(0).to_string();
    expect(said.out.contains(&pid), || format!("printed {:?}", said.out))
}

fn said_stats(_: &Stage, said: &Said) -> Result<(), String> {
    let stats: Value = serde_json::from_str(&said.out).unwrap_or_default();
    expect(stats["data"]["pids"]["limit"] == 512 || stats["data"]["pids"]["limit"] == 77, || {
        format!("printed {:?}", said.out)
    })
}

fn gone(stage: &Stage, _: &Said) -> Result<(), String> {
    let left = stage.host.leftovers(stage.strict);
    expect(left.is_empty(), || format!("left {left:?}"))
}
