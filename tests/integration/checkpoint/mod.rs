//! checkpoint and restore: what a program holds in memory, and the world around it, outlive it.

mod memory;
mod network;

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::*;
use crate::needs;

/// A container whose program counts signals, with the FIFO that it tells the numbers.
struct Tally {
    container: Container,
    numbers: Fifo,
}

impl Tally {
    fn new(container: Container) -> Self {
        let numbers = Fifo::new(&container.bundle.rootfs().join("numbers"));
        Self { container: container.args(&["/probe", "tally", "/numbers"]), numbers }
    }

    /// Running, at 2.
    #[track_caller]
    fn at_two(mut self) -> Self {
        self.container = self.container.running();
        assert_eq!(self.numbers.word(), "0\n");
        assert_eq!((self.next(), self.next()), (1, 2));
        self
    }

    #[track_caller]
    fn next(&mut self) -> i32 {
        self.container.kill("USR1").ok();
        self.numbers.word().trim().parse().unwrap()
    }

    fn checkpoint(&self, flags: &[&str]) -> Finished {
        checkpoint(&self.container, flags)
    }

    fn restore(&self, flags: &[&str]) -> Finished {
        restore(&self.container, flags).run()
    }
}

fn with_criu(container: &Container, verb: &str, flags: &[&str]) -> Invocation {
    let images = container.bundle.join("images");
    let words = [&[verb, "--image-path", images.to_str().unwrap()], flags, &[&container.id]].concat();
    let folder = criu_program().parent().unwrap().display().to_string();
    container.runtime.command(words).env("PATH", format!("{folder}:/usr/sbin:/usr/bin:/sbin:/bin"))
}

fn checkpoint(container: &Container, flags: &[&str]) -> Finished {
    with_criu(container, "checkpoint", flags).run()
}

fn restore(container: &Container, flags: &[&str]) -> Invocation {
    with_criu(container, "restore", &container.bundled(flags))
}

/// The same program goes on where it was, as a process that the runtime knows; meanwhile the container is gone.
#[test]
fn a_restored_program_goes_on() {
    needs!(root, criu);
    let mut tally = Tally::new(Container::new()).at_two();
    let before = tally.container.exec_world(&[]);
    tally.checkpoint(&[]).ok();
    tally.container.verb("state", &[], &[]).refuses(&["does not exist"]);
    let file = tally.container.bundle.join("pid");
    tally.restore(&["--detach", "--pid-file", file.to_str().unwrap()]).ok();
    let state = tally.container.state();
    assert_eq!(state["status"], "running");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), state["pid"].to_string());
    assert_eq!(tally.next(), 3);
    let after = tally.container.exec_world(&[]);
    for part in ["hostname", "caps", "rlimits", "cgroup"] {
        assert_eq!(before[part], after[part], "{part}");
    }
    assert_eq!(tally.container.delete(&[]).refuses(&["not stopped"]).code, 1);
}

/// Clocks of the restored program and of one that joins it are the same.
#[test]
fn exec_joins_all_namespaces_of_a_restored_container() {
    needs!(root, criu, time_ns);
    let tally = Tally::new(Container::new()).at_two();
    tally.checkpoint(&[]).ok();
    tally.restore(&["--detach"]).ok();
    let container = &tally.container;
    let exec = container.exec(&[], &["/probe"]).ok().json();
    for kind in ["cgroup", "ipc", "mnt", "net", "pid", "time", "uts"] {
        let inode = std::fs::metadata(format!("/proc/{}/ns/{kind}", container.pid())).unwrap().ino();
        assert_eq!(exec["namespaces"][kind], inode, "{kind}");
    }
}

/// The loopback interface of an own network namespace is up again.
#[test]
fn loopback_is_up() {
    needs!(root, criu);
    let tally = Tally::new(Container::new()).at_two();
    tally.checkpoint(&[]).ok();
    tally.restore(&["--detach"]).ok();
    let flags = tally.container.exec(&[], &["/probe", "read", "/sys/class/net/lo/flags"]).ok().json();
    assert_eq!(flags["/sys/class/net/lo/flags"].as_str().unwrap().trim(), "0x9");
}

/// `--leave-running`: the original goes on, and the files hold what it was.
#[test]
fn leave_running() {
    needs!(root, criu);
    let mut tally = Tally::new(Container::new()).at_two();
    tally.checkpoint(&["--leave-running"]).ok();
    assert_eq!(tally.container.status(), "running");
    assert_eq!((tally.next(), tally.next()), (3, 4));
    tally.restore(&["--detach"]).refuses(&["already exists"]).exits(1);
    tally.container.delete(&["--force"]).ok();
    tally.restore(&["--detach"]).ok();
    assert_eq!(tally.next(), 3);
}

/// A paused container can be written down too.
#[test]
fn a_paused_container() {
    needs!(root, criu, freezer);
    let mut tally = Tally::new(Container::new()).at_two();
    tally.container.verb("pause", &[], &[]).ok();
    tally.checkpoint(&[]).ok();
    tally.restore(&["--detach"]).ok();
    assert_eq!(tally.next(), 3);
}

/// A foreground restore stays until the program ends, and ends as it does.
#[test]
fn foreground() {
    needs!(root, criu);
    let tally = Tally::new(Container::new()).at_two();
    tally.checkpoint(&[]).ok();
    let restored = restore(&tally.container, &[]).spawn();
    let deadline = Instant::now() + Duration::from_secs(20);
    while tally.container.verb("kill", &[], &["TERM"]).code != 0 {
        assert!(Instant::now() < deadline, "never running: {:?}", restored.finish());
    }
    restored.finish().exits(7);
    tally.container.verb("state", &[], &[]).refuses(&["does not exist"]);
    tally.container.assert_clean();
}

/// What was open on the host is replaced by the streams of `restore`.
#[test]
fn streams_of_the_host() {
    needs!(root, criu);
    let container = Container::new();
    let mut ready = Fifo::new(&container.bundle.rootfs().join("ready"));
    let container = container.args(&["/probe", "wait", "/ready"]).running();
    ready.word();
    checkpoint(&container, &[]).ok();
    let restored = restore(&container, &["--pid-file", "/dev/null/no"]).run();
    restored.refuses(&["--pid-file"]).exits(1);
    container.assert_clean();
    let restored = restore(&container, &[]).spawn();
    let deadline = Instant::now() + Duration::from_secs(20);
    while container.verb("kill", &[], &["USR2"]).code != 0 {
        assert!(Instant::now() < deadline, "never running: {:?}", restored.finish());
    }
    assert_eq!(restored.finish().ok().json(), json!({ "signal": 12 }));
}

/// A log on the host that was written to already goes on in its place, because CRIU takes no other for it.
#[test]
fn a_log_on_the_host() {
    needs!(root, criu, busybox);
    let container = Container::new();
    container.bundle.busybox(&["sh"]);
    let mut ready = Fifo::new(&container.bundle.rootfs().join("ready"));
    let container = container.args(&["/bin/sh", "-c", "echo started; exec /probe wait /ready"]);
    let log = container.bundle.join("log");
    let words = [&["run"], &container.bundled(&["--detach"])[..], &[&container.id]].concat();
    let run = container.runtime.command(words).spawn_on(File::create(&log).unwrap().into());
    run.finish().ok();
    ready.word();
    checkpoint(&container, &[]).ok();
    restore(&container, &["--detach"]).run().ok();
    container.kill("USR2").ok();
    container.await_stop();
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "started\n{\"signal\":12}\n");
}

/// Volumes come back, also one inside another, one behind a link of the image, and a file; so do masked paths, devices
/// and the container's own filesystems with their content.
#[test]
fn mounts_come_back() {
    needs!(root, criu);
    let container = Container::new();
    for dir in ["outer", "inner"] {
        std::fs::create_dir(container.bundle.join(dir)).unwrap();
        std::fs::write(container.bundle.join(dir).join("name"), dir).unwrap();
    }
    std::fs::create_dir(container.bundle.join("outer/below")).unwrap();
    std::fs::write(container.bundle.join("file"), "file").unwrap();
    std::fs::create_dir(container.bundle.rootfs().join("real")).unwrap();
    std::os::unix::fs::symlink("/real", container.bundle.rootfs().join("link")).unwrap();
    let source = |name: &str| container.bundle.join(name).to_str().unwrap().to_owned();
    let (outer, inner, file) = (source("outer"), source("inner"), source("file"));
    let container = container
        .mount("/data", "bind", &outer, &["rbind", "ro"])
        .mount("/data/below", "bind", &inner, &["bind"])
        .mount("/link/volume", "bind", &inner, &["bind", "nosuid"])
        .mount("/run/file", "bind", &file, &["bind"])
        .mount("/scratch", "tmpfs", "tmpfs", &["mode=700"])
        .mount("/sys/fs/cgroup", "cgroup", "cgroup", &["ro"]);
    let tally = Tally::new(container).at_two();
    let container = &tally.container;
    container.exec(&[], &["/probe", "write", "/scratch/kept", "yes"]).ok();
    let look = || {
        let world = container.exec_world(&[]);
        let table = world["mounts"].as_array().unwrap();
        let mut mounts: Vec<String> = table.iter().map(flags_of).collect();
        mounts.sort();
        let read = container.exec(
            &[],
            &[
                "/probe",
                "read",
                "/data/name",
                "/data/below/name",
                "/link/volume/name",
                "/run/file",
                "/scratch/kept",
            ],
        );
        (mounts, read.ok().json())
    };
    let before = look();
    tally.checkpoint(&[]).ok();
    tally.restore(&["--detach"]).ok();
    let after = look();
    assert_eq!(before.0, after.0);
    assert_eq!(before.1, after.1);
    assert_eq!(after.1["/data/below/name"], "inner");
}

fn flags_of(mount: &Value) -> String {
    ["target", "root", "type", "flags"].map(|field| mount[field].to_string()).join(" ")
}

/// A root filesystem without the mount points, as on another machine, gets them.
#[test]
fn mount_points_are_made() {
    needs!(root, criu);
    let container = Container::new();
    std::fs::create_dir(container.bundle.join("volume")).unwrap();
    let volume = container.bundle.join("volume").to_str().unwrap().to_owned();
    let mut tally = Tally::new(container.mount("/a/b", "bind", &volume, &["bind"])).at_two();
    tally.checkpoint(&[]).ok();
    let rootfs = tally.container.bundle.rootfs();
    std::fs::remove_dir_all(rootfs.join("a")).unwrap();
    std::fs::remove_dir(rootfs.join("sys")).unwrap();
    tally.restore(&["--detach"]).ok();
    assert_eq!(tally.next(), 3);
    assert!(!rootfs.join("dev/pts").exists(), "made below what covers it");
}

/// A network namespace that was joined by path is not in the files: it is joined again.
#[test]
fn a_joined_network_namespace() {
    needs!(root, criu);
    let owner = Container::new().sleeping();
    let path = format!("/proc/{}/ns/net", owner.pid());
    let inode = std::fs::metadata(&path).unwrap().ino();
    let container = Container::new().edit(|config| {
        for namespace in config["linux"]["namespaces"].as_array_mut().unwrap() {
            if namespace["type"] == "network" {
                namespace["path"] = json!(path);
            }
        }
    });
    let mut tally = Tally::new(container).at_two();
    tally.checkpoint(&[]).ok();
    tally.restore(&["--detach"]).ok();
    assert_eq!(tally.next(), 3);
    let restored = std::fs::metadata(format!("/proc/{}/ns/net", tally.container.pid())).unwrap();
    assert_eq!(restored.ino(), inode);
}

/// A container that was created for a supervisor comes back without one.
#[test]
fn a_supervisor_that_has_gone() {
    needs!(root, criu);
    let mut tally = Tally::new(Container::new());
    let words = [&["create"], &tally.container.bundled(&[])[..], &[&tally.container.id]].concat();
    tally.container.runtime.command(words).env("NOTIFY_SOCKET", "/nowhere/notify").run().ok();
    tally.container.start().ok();
    assert_eq!(tally.numbers.word(), "0\n");
    tally.checkpoint(&[]).ok();
    tally.restore(&["--detach"]).ok();
    assert_eq!(tally.next(), 1);
}

/// One that calls `restore` is no hindrance either, whether the container knew one before or not.
#[test]
fn a_supervisor_of_the_restore() {
    needs!(root, criu);
    for before in ["", "/nowhere/notify"] {
        let mut tally = Tally::new(Container::new());
        let words = [&["create"], &tally.container.bundled(&[])[..], &[&tally.container.id]].concat();
        tally.container.runtime.command(words).env("NOTIFY_SOCKET", before).run().ok();
        tally.container.start().ok();
        assert_eq!(tally.numbers.word(), "0\n");
        tally.checkpoint(&[]).ok();
        let path = tally.container.bundle.join("notify");
        let _supervisor = UnixDatagram::bind(&path).unwrap();
        restore(&tally.container, &["--detach"]).env("NOTIFY_SOCKET", &path).run().ok();
        assert_eq!(tally.next(), 1, "created with {before:?}");
    }
}

/// Limits hold again, in the cgroup that config.json names now.
#[test]
fn another_cgroup() {
    needs!(root, criu, controller("pids"));
    let container = Container::new().set("/linux/resources/pids", json!({ "limit": 33 }));
    let mut tally = Tally::new(container).at_two();
    tally.checkpoint(&[]).ok();
    let (path, cgroup) = Driver::chosen().place(&format!("{}-moved", tally.container.id));
    tally.container.cgroup = cgroup;
    tally.container.bundle.config["linux"]["cgroupsPath"] = json!(path);
    tally.restore(&["--detach", "--manage-cgroups-mode", "ignore"]).ok();
    assert_eq!(tally.next(), 3);
    assert_eq!(tally.container.limit("pids.limit"), "33");
    assert_eq!(tally.container.cgroup_file("pids", "cgroup.procs"), tally.container.pid().to_string());
}

/// An engine may keep FIFOs and links of its own where the logs go, as podman does.
#[test]
fn logs_beside_the_files_of_an_engine() {
    needs!(root, criu);
    let mut tally = Tally::new(Container::new()).at_two();
    let work = tally.container.bundle.join("work");
    std::fs::create_dir(&work).unwrap();
    let _control = Fifo::new(&work.join("ctl"));
    std::os::unix::fs::symlink("nowhere", work.join("attach")).unwrap();
    let logs = ["--work-path", work.to_str().unwrap()];
    tally.checkpoint(&logs).ok();
    assert!(work.join("dump.log").exists());
    tally.restore(&[&logs[..], &["--detach"]].concat()).ok();
    assert_eq!(tally.next(), 3);
}

/// The terminal is a new one, handed over as at create.
#[test]
fn a_terminal() {
    needs!(root, criu);
    let container = Container::new().set("/process/terminal", json!(true)).args(&["/probe", "cat"]);
    let console = Console::new(container.bundle.path());
    container.run(&["--detach", "--console-socket", console.path()]).ok();
    let first = console.master();
    checkpoint(&container, &[]).ok();
    drop(first);
    restore(&container, &["--detach", "--console-socket", console.path()]).run().ok();
    Console::assert_echoes(console.master());
    container.await_stop();
}

/// Hooks that prepare the namespaces run again, with the restored process in their state.
#[test]
fn hooks_run_again() {
    needs!(root, criu);
    let container = Container::new();
    let record = container.bundle.join("record").to_str().unwrap().to_owned();
    let probe = container.bundle.rootfs().join("probe").to_str().unwrap().to_owned();
    let hook = json!([{ "path": probe, "args": ["probe", "record", record] }]);
    let tally = Tally::new(container.set("/hooks/createRuntime", hook)).at_two();
    tally.checkpoint(&[]).ok();
    tally.restore(&["--detach"]).ok();
    let text = std::fs::read_to_string(&record).unwrap();
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(text.lines().count(), 2);
    assert_eq!(last["stdin"]["pid"], tally.container.pid());
}

/// Memory first, while the container runs, and then only what has changed since.
#[test]
fn a_dump_in_two_steps() {
    needs!(root, criu, dirty_memory_tracking);
    let mut tally = Tally::new(Container::new()).at_two();
    let first = tally.container.bundle.join("first");
    tally.checkpoint(&["--pre-dump", "--image-path", first.to_str().unwrap()]).ok();
    assert_eq!(tally.next(), 3);
    tally.checkpoint(&["--parent-path", "../first"]).ok();
    assert!(tally.container.bundle.join("images/parent").is_symlink());
    tally.restore(&["--detach"]).ok();
    assert_eq!(tally.next(), 4);
}

/// What does not run cannot be written down; options that lead nowhere are refused, and the container runs on.
#[test]
fn refused_checkpoints() {
    needs!(root, criu);
    let container = Container::new();
    container.create(&[]).ok();
    checkpoint(&container, &[]).refuses(&["Container cannot be checkpointed in created state"]).exits(1);
    container.delete(&["--force"]).ok();
    checkpoint(&container, &[]).refuses(&["container does not exist"]).exits(1);
    let container = container.sleeping();
    checkpoint(&container, &["--parent-path", "/x"]).refuses(&["--parent-path"]).exits(1);
    checkpoint(&container, &["--parent-path", "../x"]).refuses(&["invalid --parent-path"]).exits(1);
    checkpoint(&container, &["--manage-cgroups-mode", "x"]).refuses(&[]).exits(1);
    checkpoint(&container, &["--empty-ns", "x"]).refuses(&[]).exits(1);
    assert_eq!(container.status(), "running");
}

/// When CRIU fails, its log says why: the container runs on, and nothing half-restored stays.
#[test]
fn failures_of_criu() {
    needs!(root, criu);
    let container = Container::new().args(&["/probe", "pause"]);
    let (stdin, _outside) = UnixStream::pair().unwrap();
    let mut run = container
        .runtime
        .command([&["run"], &container.bundled(&["--detach"])[..], &[&container.id]].concat());
    run.command.stdin(OwnedFd::from(stdin));
    run.run().ok();
    let work = container.bundle.join("work");
    let refused = checkpoint(&container, &["--work-path", work.to_str().unwrap()]);
    refused.refuses(&["criu failed", "work/dump.log", "socket"]).exits(1);
    assert_eq!(container.status(), "running");
    container.delete(&["--force"]).ok();

    restore(&container, &["--detach"]).run().refuses(&["criu failed", "images/restore.log"]).exits(1);
    container.assert_clean();
    std::fs::remove_dir_all(container.bundle.join("images")).unwrap();
    restore(&container, &["--detach"]).run().refuses(&["descriptors.json"]).exits(1);
    container.assert_clean();
}

/// A machine without CRIU is told what is missing.
#[test]
fn without_criu() {
    needs!(root, criu);
    let container = Container::new().sleeping();
    let nowhere = |verb, flags: &[&str]| with_criu(&container, verb, flags).env("PATH", "/nowhere").run();
    nowhere("checkpoint", &[]).refuses(&["criu", "executable file not found in $PATH", "install"]).exits(1);
    assert_eq!(container.status(), "running");
    container.delete(&["--force"]).ok();
    nowhere("restore", &container.bundled(&["--detach"])).refuses(&["install"]).exits(1);
    container.assert_clean();
}

/// `--file-locks`: what was locked is locked again; without the option it is no checkpoint.
#[test]
fn file_locks() {
    needs!(root, criu);
    let container = Container::new();
    let numbers = Fifo::new(&container.bundle.rootfs().join("numbers"));
    let container = container.args(&["/probe", "locked", "/lock", "tally", "/numbers"]);
    let mut tally = Tally { container, numbers }.at_two();
    tally.checkpoint(&[]).refuses(&["criu failed"]).exits(1);
    tally.checkpoint(&["--file-locks"]).ok();
    let file = File::open(tally.container.bundle.rootfs().join("lock")).unwrap();
    file.try_lock().unwrap();
    file.unlock().unwrap();
    tally.restore(&["--detach", "--file-locks"]).ok();
    assert_eq!(tally.next(), 3);
    assert!(file.try_lock().is_err(), "nobody holds the lock");
    tally.container.kill("TERM").ok();
    tally.container.await_stop();
    file.try_lock().unwrap();
}

/// A user namespace is part of the checkpoint: the mappings are there again, and with them the ids. That nobody but root
/// may read the files is no hindrance.
#[test]
fn a_user_namespace() {
    needs!(root, criu, user_ns);
    let mut tally = Tally::new(Container::new().user_namespace()).at_two();
    let look = |tally: &Tally| {
        let world = tally.container.exec_world(&[]);
        ["uid_map", "gid_map", "uid", "capabilities"].map(|part| world[part].clone())
    };
    let before = look(&tally);
    tally.checkpoint(&[]).ok();
    tally.restore(&["--detach"]).ok();
    assert_eq!(tally.next(), 3);
    assert_eq!(look(&tally), before);
}
