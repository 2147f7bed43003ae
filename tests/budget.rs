//! What a start costs, in what can be counted, held against tests/budget.txt. `make bench` has the times.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test may panic, and writes only into directories of its own"
)]

#[path = "harness/mod.rs"]
mod harness;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use harness::*;
use serde_json::{Value, json};

/// Fails if the figure is above its limit.
#[track_caller]
fn within(figure: &str, found: f64) {
    let lines = include_str!("budget.txt").lines().filter(|line| !line.starts_with('#'));
    let limits = lines.filter_map(|line| line.split('#').next()?.split_once(": "));
    let limit: f64 = limits.into_iter().find(|(name, _)| *name == figure).unwrap().1.trim().parse().unwrap();
    eprintln!("{figure}: {found} of {limit}");
    assert!(found <= limit, "{figure}: {found} is above the {limit} of tests/budget.txt");
}

/// Docker's kind of container, with this program.
fn docker_like(program: &[&str]) -> Container {
    let container = Container::new();
    let bundle = &container.bundle;
    bundle.busybox(&["true", "sleep"]);
    fs::create_dir_all(bundle.join("binds/data")).unwrap();
    for name in ["resolv.conf", "hostname", "hosts"] {
        fs::write(bundle.join("binds").join(name), "budget\n").unwrap();
    }
    let text =
        include_str!("../benches/docker-like.json").replace("@BUNDLE@", bundle.path().to_str().unwrap());
    container.edit(|config| {
        let cgroup = config["linux"]["cgroupsPath"].take();
        *config = serde_json::from_str::<Value>(&text).unwrap();
        config["linux"]["cgroupsPath"] = cgroup;
        config["process"]["args"] = json!(program);
    })
}

/// What `measure` of benches/ says about a command.
#[derive(Clone, Copy)]
struct Cost {
    cpu: f64,
    peak: f64,
    faults: f64,
}

impl Cost {
    fn read(said: &str) -> Self {
        let numbers: Vec<f64> = said.split_whitespace().map(|number| number.parse().unwrap()).collect();
        let [_wall, cpu, peak, faults, status] = numbers[..] else { panic!("measure printed {said:?}") };
        assert!(status == 0.0, "wait status {status}");
        Self { cpu, peak, faults }
    }
}

/// `measure`, which is small: a parent's peak of memory is its child's.
fn measure() -> &'static Path {
    static MADE: LazyLock<PathBuf> = LazyLock::new(|| {
        let made = Path::new(env!("CARGO_TARGET_TMPDIR")).join("measure");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/measure.c");
        let compiled = Command::new("gcc").args(["-O2", "-static", "-o"]).arg(&made).arg(source).status();
        assert!(compiled.unwrap().success());
        made
    });
    &MADE
}

/// What a command of the container's runtime costs.
fn cost(container: &mut Container, act: impl FnOnce(&Container) -> Finished) -> Cost {
    container.runtime.launch_by([measure()]);
    let finished = act(container).ok();
    container.runtime.launch_by([""; 0]);
    Cost::read(&finished.stdout)
}

/// How many system calls it makes with all its children.
fn system_calls(container: &mut Container, act: impl FnOnce(&Container) -> Finished) -> f64 {
    let counts = container.bundle.join("calls");
    container.runtime.launch_by(["strace", "-f", "-c", "-o", counts.to_str().unwrap()]);
    act(container).ok();
    container.runtime.launch_by([""; 0]);
    let counts = fs::read_to_string(counts).unwrap();
    // percent, seconds, microseconds per call, calls, perhaps errors, `total`
    counts.lines().last().unwrap().split_whitespace().nth(3).unwrap().parse().unwrap()
}

#[test]
fn run() {
    needs!(root, release);
    let mut container = docker_like(&["/bin/true"]);
    // The first one makes mount points in the root filesystem.
    container.run(&[]).ok();
    within("run, system calls", system_calls(&mut container, |container| container.run(&[])));
    let cost = cost(&mut container, |container| container.run(&[]));
    within("run, page faults", cost.faults);
    within("run, peak KiB of any process", cost.peak);
}

#[test]
fn exec() {
    needs!(root, release);
    let mut container = docker_like(&["/bin/sleep", "1000"]).running();
    let enter = |container: &Container| container.exec(&[], &["/bin/true"]);
    within("exec, system calls", system_calls(&mut container, enter));
    within("exec, peak KiB of any process", cost(&mut container, enter).peak);
}

/// What `list` asks for each container that runs: the difference of a few and some more.
#[test]
fn list() {
    needs!(root, release, cgroupfs);
    let mut container = Container::new().args(&["/probe", "pause"]);
    container.bundle.config["linux"].as_object_mut().unwrap().remove("cgroupsPath");
    let ids: Vec<String> = (0..12).map(|number| format!("{}-{number}", container.id)).collect();
    let [few, more] = [&ids[..2], &ids[2..]].map(|ids| {
        for id in ids {
            let run = [&["run", "--detach"], &*container.bundled(&[]), &[id]].concat();
            container.runtime.command(run).run().ok();
        }
        system_calls(&mut container, |container| container.runtime.command(["list"]).run())
    });
    for id in &ids {
        container.runtime.command(["delete", "--force", id]).run().ok();
    }
    within("list, system calls for each container", (more - few) / 10.0);
}

#[test]
fn instructions() {
    needs!(release, valgrind);
    let mut container = docker_like(&["/bin/true"]);
    container.runtime.launch_by(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    let plan = container.runtime.command([&["plan"], &*container.bundled(&[])].concat()).run().ok();
    container.runtime.launch_by([""; 0]);
    let collected = plan.stderr.lines().find_map(|line| line.split_once("Collected : ")).unwrap().1;
    within("plan, instructions", collected.trim().parse().unwrap());
}

#[test]
fn binary() {
    needs!(release);
    let binary = fs::metadata(Runtime::new(Driver::chosen()).binary()).unwrap();
    within("binary, KiB", f64::from(u32::try_from(binary.len()).unwrap()) / 1024.0);
}

/// `run` of this runtime where crun has no objection to the host: a hybrid one must not have controllers in cgroup2.
fn beside(runtime: &Path, container: &Container) -> Cost {
    const HIDDEN: &str = "f=/sys/fs/cgroup/unified/cgroup.controllers
        [ -z \"$(cat $f 2>/dev/null)\" ] || mount --bind /dev/null $f; exec \"$@\"";
    let state = container.bundle.join(format!("state-{}", runtime.file_name().unwrap().display()));
    let line = Command::new("unshare")
        .args(["--mount", "--propagation", "slave", "sh", "-c", HIDDEN, "sh"])
        .args([measure(), runtime, Path::new("--root"), &state])
        .args([&["run"], &*container.bundled(&[]), &[&container.id]].concat())
        .output()
        .unwrap();
    Cost::read(&String::from_utf8(line.stdout).unwrap())
}

#[test]
fn cpu_time_beside_crun() {
    needs!(root, release);
    let container = docker_like(&["/bin/true"]);
    let runtimes = [container.runtime.binary(), Path::new("/usr/bin/crun")];
    let mut taken = [Vec::new(), Vec::new()];
    for _ in 0..7 {
        for (runtime, taken) in runtimes.iter().zip(&mut taken) {
            taken.push(beside(runtime, &container).cpu);
        }
    }
    let [hull, crun] = taken.map(|mut taken| {
        taken.sort_by(f64::total_cmp);
        taken[taken.len() / 2]
    });
    within("run, CPU time as a part of crun's", (hull / crun * 100.0).round() / 100.0);
}
