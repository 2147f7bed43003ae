//! Many at once: on one container, on many, and somebody who kills the runtime in between. Whatever the order, every
//! command ends, nothing stays behind, and the id can be used again.
//!
//! `HULL_STORM=SECONDS` is how long the storms last, three seconds where it is not set; `HULL_SEED` where they begin.

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::harness::*;
use crate::needs;

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn duration() -> Duration {
    Duration::from_secs(number("HULL_STORM", 3))
}

/// splitmix64.
struct Random(u64);

impl Random {
    fn new(stream: u64) -> Self {
        Self(number("HULL_SEED", 7).wrapping_mul(1000).wrapping_add(stream))
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (z ^ (z >> 27)) % limit
    }
}

/// Words of one command on the container.
fn words<'a>(container: &'a Container, bundled: &[&'a str], verb: u64) -> Vec<&'a str> {
    let id = &*container.id;
    match verb {
        0 => [&["create"], bundled, &[id]].concat(),
        1 => [&["run", "--detach"], bundled, &[id]].concat(),
        2 => vec!["start", id],
        3 => vec!["exec", id, "/probe", "exit", "0"],
        4 => vec!["kill", id, "KILL"],
        5 => vec!["pause", id],
        6 => vec!["resume", id],
        7 => vec!["update", "--pids-limit", "50", id],
        8 => vec!["delete", id],
        9 => vec!["delete", "--force", id],
        10 => vec!["ps", id],
        _ => vec!["state", id],
    }
}

/// A refusal has a reason, unless it is the end of the program that somebody has killed; and nobody panics.
#[track_caller]
fn decent(done: &Finished) {
    assert!(![101, 134, 139].contains(&done.code), "{done:?}");
    assert!(done.code == 0 || done.code == 137 || !done.stderr.trim().is_empty(), "{done:?}");
}

fn recovers(container: &Container) {
    container.delete(&["--force"]).ok();
    container.assert_clean();
    container.run(&["--detach"]).ok();
    container.delete(&["--force"]).ok();
    container.assert_clean();
}

/// All verbs on one id, from eight processes at a time.
#[test]
fn eight_on_one_container() {
    needs!(root);
    let container = Container::new().args(&["/probe", "pause"]);
    let bundled = container.bundled(&[]);
    let end = Instant::now() + duration();
    thread::scope(|scope| {
        for stream in 0..8 {
            let (container, bundled) = (&container, &bundled);
            scope.spawn(move || {
                let mut random = Random::new(stream);
                while Instant::now() < end {
                    // In a paused container `exec` waits for `resume`, and at the end nobody comes with that.
                    let verb = Some(random.below(12)).filter(|verb| *verb != 5).unwrap_or(9);
                    decent(&container.runtime.command(words(container, bundled, verb)).run());
                }
            });
        }
    });
    container.runtime.command(["resume", &container.id]).run();
    recovers(&container);
}

/// Two hundred containers at a time, made and removed by sixteen processes.
#[test]
fn two_hundred_containers() {
    needs!(root, cgroupfs);
    let mut container = Container::new().args(&["/probe", "pause"]);
    container.bundle.config["linux"].as_object_mut().unwrap().remove("cgroupsPath");
    let bundled = container.bundled(&[]);
    let name = |number: usize| format!("{}-{number}", container.id);
    let in_parallel = |act: &(dyn Fn(&str) + Sync)| {
        thread::scope(|scope| {
            for first in 0..16 {
                let name = &name;
                scope.spawn(move || (first..200).step_by(16).for_each(|number| act(&name(number))));
            }
        });
    };
    let runtime = &container.runtime;
    in_parallel(&|id| drop(runtime.command([&["run", "--detach"], &bundled[..], &[id]].concat()).run().ok()));
    assert_eq!(runtime.command(["list", "--quiet"]).run().ok().stdout.lines().count(), 200);
    in_parallel(&|id| drop(runtime.command(["delete", "--force", id]).run().ok()));
    assert_eq!(std::fs::read_dir(runtime.root()).unwrap().count(), 0);
    let left: Vec<_> = (0..200).flat_map(|number| cgroups(&name(number))).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Containers come and go as fast as they can.
#[test]
fn made_and_removed() {
    needs!(root);
    let end = Instant::now() + duration();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let container = Container::new().args(&["/probe", "pause"]);
                while Instant::now() < end {
                    container.create(&[]).ok();
                    container.start().ok();
                    container.delete(&["--force"]).ok();
                    container.assert_clean();
                }
            });
        }
    });
}

/// The runtime is killed at any moment of any verb: what is left can be removed.
#[test]
fn killed_at_random() {
    needs!(root);
    let container = Container::new()
        .args(&["/probe", "pause"])
        .set("/hooks", json!({ "createRuntime": [{ "path": "/bin/true" }] }));
    let bundled = container.bundled(&[]);
    let mut random = Random::new(99);
    let end = Instant::now() + duration();
    while Instant::now() < end {
        let verb = random.below(12);
        if verb > 1 {
            container.run(&["--detach"]).ok();
        }
        let running = container.runtime.command(words(&container, &bundled, verb)).spawn();
        thread::sleep(Duration::from_micros(random.below(15_000)));
        running.signal(Signal::KILL);
        running.finish();
        container.runtime.command(["resume", &container.id]).run();
        container.delete(&["--force"]).ok();
        container.assert_clean();
    }
    recovers(&container);
}
