//! One container under test: its bundle, its runtime, its id; and the promise that it leaves nothing behind.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::bundle::Bundle;
use super::caller;
use super::driver::Driver;
use super::event::await_exit;
use super::leaks;
use super::runtime::{Finished, Runtime};

/// Describes a container (by value), then acts on it (by reference). Dropping it deletes it by force and, when the
/// test has not failed already, asserts that the host is as before.
pub struct Container {
    /// Its bundle.
    pub bundle: Bundle,
    /// Its runtime.
    pub runtime: Runtime,
    /// Its id.
    pub id: String,
    /// Its cgroup, below the mount of each hierarchy.
    pub cgroup: String,
}

impl Container {
    /// The default bundle, an id and a cgroup that nobody else has.
    pub fn new() -> Self {
        Self::by(Driver::chosen())
    }

    /// The same, with cgroups by this driver.
    pub fn by(driver: Driver) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let id = format!("t{}-{number}", std::process::id());
        let (path, cgroup) = driver.place(&id);
        Self { bundle: Bundle::new(&path), runtime: Runtime::new(driver), id, cgroup }
    }

    /// Run by a copy of the runtime that no other test uses: `runtime` in the bundle.
    pub fn with_own_binary(mut self) -> Self {
        self.runtime.copy_to(self.bundle.join("runtime"));
        self
    }

    /// Changes the document.
    pub fn edit(mut self, change: impl FnOnce(&mut Value)) -> Self {
        change(&mut self.bundle.config);
        self
    }

    /// Sets the value at a JSON pointer such as `/process/user/uid`, making objects on the way.
    pub fn set(self, pointer: &str, value: Value) -> Self {
        self.edit(|config| {
            let place = pointer.split('/').skip(1).fold(config, |place, key| match key.parse::<usize>() {
                Ok(index) if place.is_array() => &mut place[index],
                _ => &mut place[key],
            });
            *place = value;
        })
    }

    /// Sets `process.args`.
    pub fn args(self, args: &[&str]) -> Self {
        self.set("/process/args", json!(args))
    }

    /// Appends a mount.
    pub fn mount(self, destination: &str, kind: &str, source: &str, options: &[&str]) -> Self {
        let mount = json!({ "destination": destination, "type": kind, "source": source, "options": options });
        self.edit(|config| config["mounts"].as_array_mut().unwrap().push(mount))
    }

    /// Appends a namespace without a path.
    pub fn namespace(self, kind: &str) -> Self {
        self.edit(|config| {
            config["linux"]["namespaces"].as_array_mut().unwrap().push(json!({ "type": kind }));
        })
    }

    /// Removes a namespace, so that the runtime's own is kept.
    pub fn without_namespace(self, kind: &str) -> Self {
        self.edit(|config| {
            config["linux"]["namespaces"]
                .as_array_mut()
                .unwrap()
                .retain(|namespace| namespace["type"] != kind);
        })
    }

    /// Removes the mounts at /dev and below.
    pub fn without_dev(self) -> Self {
        self.edit(|config| {
            let mounts = config["mounts"].as_array_mut().unwrap();
            mounts.retain(|mount| !mount["destination"].as_str().unwrap().starts_with("/dev"));
        })
    }

    /// A new user namespace whose root is host id 100000; a user's containers are in one anyway.
    pub fn user_namespace(self) -> Self {
        if !caller::is_root() {
            return self;
        }
        let maps = json!([{ "containerID": 0, "hostID": 100_000, "size": 65_536 }]);
        let own = rustix::fs::Uid::from_raw(100_000);
        let group = rustix::fs::Gid::from_raw(100_000);
        rustix::fs::chown(self.bundle.rootfs(), Some(own), Some(group)).unwrap();
        self.namespace("user").set("/linux/uidMappings", maps.clone()).set("/linux/gidMappings", maps)
    }

    /// Puts the same capabilities into bounding, permitted and effective.
    pub fn capabilities(self, names: &[&str]) -> Self {
        self.set(
            "/process/capabilities",
            json!({ "bounding": names, "permitted": names, "effective": names }),
        )
    }

    /// `runtime VERB [FLAGS..] ID [REST..]`.
    pub fn verb(&self, verb: &str, flags: &[&str], rest: &[&str]) -> Finished {
        self.runtime.command([&[verb], flags, &[&self.id], rest].concat()).run()
    }

    /// The flags that create and run share, in front of others.
    pub fn bundled<'a>(&'a self, flags: &[&'a str]) -> Vec<&'a str> {
        self.bundle.write();
        [&["--bundle", self.bundle.path().to_str().unwrap()], flags].concat()
    }

    /// Writes config.json and runs it in the foreground.
    pub fn run(&self, flags: &[&str]) -> Finished {
        self.verb("run", &self.bundled(flags), &[])
    }

    /// Runs to the end, which must be good, and returns the JSON that the program printed.
    #[track_caller]
    pub fn world(&self) -> Value {
        self.run(&[]).ok().json()
    }

    /// Runs `probe WORDS..` and returns its answer.
    #[track_caller]
    pub fn probe(self, words: &[&str]) -> Value {
        self.args(&[&["/probe"], words].concat()).world()
    }

    /// `run` of the probe with these words, however it ends.
    pub fn run_probe(self, words: &[&str]) -> Finished {
        self.args(&[&["/probe"], words].concat()).run(&[])
    }

    /// Writes config.json and creates.
    pub fn create(&self, flags: &[&str]) -> Finished {
        self.verb("create", &self.bundled(flags), &[])
    }

    /// `start`.
    pub fn start(&self) -> Finished {
        self.verb("start", &[], &[])
    }

    /// `kill ID SIGNAL`.
    pub fn kill(&self, signal: &str) -> Finished {
        self.verb("kill", &[], &[signal])
    }

    /// `delete`.
    pub fn delete(&self, flags: &[&str]) -> Finished {
        self.verb("delete", flags, &[])
    }

    /// `exec [FLAGS..] ID ARGS..`.
    pub fn exec(&self, flags: &[&str], args: &[&str]) -> Finished {
        self.verb("exec", flags, args)
    }

    /// `exec` of the whole probe; its world.
    #[track_caller]
    pub fn exec_world(&self, flags: &[&str]) -> Value {
        self.exec(flags, &["/probe"]).ok().json()
    }

    /// Created and started with a program that waits to be killed.
    #[track_caller]
    pub fn sleeping(self) -> Self {
        self.args(&["/probe", "pause"]).running()
    }

    /// Created and started.
    #[track_caller]
    pub fn running(self) -> Self {
        self.create(&[]).ok();
        self.start().ok();
        self
    }

    /// The document of `state`.
    #[track_caller]
    pub fn state(&self) -> Value {
        self.verb("state", &[], &[]).ok().json()
    }

    /// `status` of that.
    #[track_caller]
    pub fn status(&self) -> String {
        self.state()["status"].as_str().unwrap().to_owned()
    }

    /// `pid` of that.
    #[track_caller]
    pub fn pid(&self) -> i32 {
        i32::try_from(self.state()["pid"].as_i64().unwrap()).unwrap()
    }

    /// What `ps` lists.
    #[track_caller]
    pub fn pids(&self) -> Vec<i32> {
        serde_json::from_value(self.verb("ps", &["--format", "json"], &[]).ok().json()).unwrap()
    }

    /// Waits for the end of the program; the status must be `stopped` then.
    #[track_caller]
    pub fn await_stop(&self) {
        let state = self.state();
        let pid = state["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok()).filter(|pid| *pid > 0);
        if let Some(pid) = pid {
            assert!(await_exit(pid, Duration::from_secs(20)), "process {pid} goes on");
        }
        assert_eq!(self.status(), "stopped");
    }

    /// What is left of it on the host.
    pub fn leftovers(&self) -> Vec<String> {
        leaks::of(&self.id, &self.cgroup, self.bundle.path(), self.runtime.root(), None)
    }

    /// Asserts that a refused command left nothing.
    #[track_caller]
    pub fn assert_clean(&self) {
        let left = self.leftovers();
        assert!(left.is_empty(), "left behind: {left:#?}");
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let failed = std::thread::panicking();
        let pid = if failed { None } else { self.last_pid() };
        let deleted = self.delete(&["--force"]);
        self.bundle.unmount();
        let left = leaks::of(&self.id, &self.cgroup, self.bundle.path(), self.runtime.root(), pid);
        if failed {
            leaks::sweep(&self.cgroup);
            return;
        }
        assert_eq!(deleted.code, 0, "delete --force: {deleted:?}");
        assert!(left.is_empty(), "left behind after delete: {left:#?}");
    }
}

impl Container {
    fn last_pid(&self) -> Option<i32> {
        let state = self.verb("state", &[], &[]);
        let document: Value = serde_json::from_str(&state.stdout).ok()?;
        document["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok()).filter(|pid| *pid > 0)
    }
}
