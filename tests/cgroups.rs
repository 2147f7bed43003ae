//! Cgroups on the real kernel: the hierarchies of this host, and other kinds of hosts played in private namespaces.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test may panic, uses some needs only, and writes only into cgroups of its own"
)]

#[path = "harness/mod.rs"]
mod harness;

#[path = "cgroups/hosts.rs"]
mod hosts;
#[path = "cgroups/v1.rs"]
mod v1;
#[path = "cgroups/v2.rs"]
mod v2;
#[path = "cgroups/view.rs"]
mod view;

use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use hull::cgroups::{Cgroup, Error, Parents, layout};
use hull::plan::{self, CgroupPlan, HostFacts};
use view::{eventually, unique};

fn facts() -> HostFacts {
    HostFacts { cgroups: layout::probe(), capabilities: u64::MAX, ..HostFacts::default() }
}

/// Plans a cgroup for `linux.resources` at `path`.
fn plan(path: &str, resources: &str) -> CgroupPlan {
    plan_with(path, resources, "[]")
}

/// The same with namespaces, for a process of user 1234 that has its cgroup mounted.
fn plan_with(path: &str, resources: &str, namespaces: &str) -> CgroupPlan {
    let spec = format!(
        r#"{{"ociVersion": "1.3.0", "process": {{"cwd": "/", "user": {{"uid": 1234, "gid": 0}}}},
        "mounts": [{{"destination": "/sys/fs/cgroup", "type": "cgroup"}}],
        "linux": {{"cgroupsPath": "{path}", "resources": {resources}, "namespaces": {namespaces}}}}}"#
    );
    plan::cgroup::compile("unused", &serde_json::from_str(&spec).unwrap(), &facts()).unwrap()
}

/// A cgroup that is emptied and removed when the test ends, however it ends.
struct Made {
    cgroup: Cgroup,
    paths: Vec<PathBuf>,
}

impl Made {
    fn new(path: &str, resources: &str) -> Self {
        Self::try_new(&plan(path, resources)).unwrap()
    }

    fn try_new(plan: &CgroupPlan) -> Result<Self, Error> {
        let cgroup = Cgroup::create(plan, Parents::Made)?;
        Ok(Self { cgroup, paths: plan.dirs.iter().map(|dir| dir.path.clone()).collect() })
    }

    fn read(&self, controller: &str, file: &str) -> String {
        let dir = self.cgroup.path_of(controller).unwrap();
        fs::read_to_string(dir.join(file)).unwrap().trim().to_owned()
    }

    fn update(&self, resources: &str) -> Result<(), Error> {
        let update = plan::cgroup::update(&serde_json::from_str(resources).unwrap(), &facts()).unwrap();
        self.cgroup.apply(&update.writes)?;
        update.devices.as_ref().map_or(Ok(()), |devices| self.cgroup.set_devices(devices))
    }

    /// Whether any of the directories is there.
    fn is_there(&self) -> bool {
        self.paths.iter().any(|path| path.exists())
    }

    /// A shell that has joined in every hierarchy and runs `script`.
    fn sh(&self, script: &str) -> Guest {
        let tasks = self.cgroup.task_fds().unwrap();
        let procs = self.cgroup.v2_path().map(|dir| dir.join("cgroup.procs"));
        let by_number = |fd: &OwnedFd| format!("/proc/{}/fd/{}", std::process::id(), fd.as_raw_fd());
        let files = tasks.iter().map(by_number).chain(procs.iter().map(|path| path.display().to_string()));
        let join = r#"for file; do echo 0 > "$file" || exit 99; done; "#;
        let mut command = Command::new("timeout");
        command.args(["--foreground", "60", "sh", "-c", &format!("{join}{script}"), "sh"]).args(files);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        // The script's first words tell that it has joined.
        let mut output = child.stdout.take().unwrap();
        std::io::Read::read_exact(&mut output, &mut [0]).unwrap();
        drop(tasks);
        Guest(child)
    }

    /// `count` sleeping processes.
    fn sleepers(&self, count: usize) -> Guest {
        let more = "sleep 60 & ".repeat(count - 1);
        self.sh(&format!("{more} echo; exec sleep 60"))
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        if self.is_there() {
            self.cgroup.kill().ok();
            self.cgroup.remove().ok();
        }
    }
}

/// A process of a test, killed and reaped in the end.
struct Guest(Child);

impl Guest {
    /// Its exit code; 128 and more for a signal.
    fn wait(&mut self) -> i32 {
        use std::os::unix::process::ExitStatusExt;
        let status = self.0.wait().unwrap();
        status.code().unwrap_or_else(|| 128 + status.signal().unwrap())
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn state_of(pid: i32) -> String {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().unwrap_or_default().chars().take(1).collect()
}

/// Makes a directory that the container itself could have made, and puts a process there.
fn nest(parent: &Path, name: &str) -> PathBuf {
    let dir = parent.join(name);
    fs::create_dir(&dir).unwrap();
    dir
}
