//! `--trace-timing`: where the time went, as JSON and as a picture.

use std::fs;

use serde_json::{Value, json};

use crate::harness::*;
use crate::needs;

/// Runs a verb with the clock.
fn traced(container: &Container, name: &str, verb: &str, rest: &[&str]) -> Finished {
    let file = container.bundle.join(name);
    let option = ["--trace-timing", file.to_str().unwrap(), verb];
    let bundled = if ["create", "run"].contains(&verb) { container.bundled(&[]) } else { Vec::new() };
    container.runtime.command([&option, &*bundled, &[&container.id], rest].concat()).run()
}

/// The report on a verb, which must succeed.
fn timed(container: &Container, verb: &str, rest: &[&str]) -> Value {
    traced(container, "timing.json", verb, rest).ok();
    let report: Value =
        serde_json::from_slice(&fs::read(container.bundle.join("timing.json")).unwrap()).unwrap();
    assert_eq!(report["command"], format!("{verb} {}", container.id));
    report
}

/// Names of one track, whose spans must follow each other within the whole.
fn names(report: &Value, track: &str) -> Vec<String> {
    let mut end = 0.0;
    let spans = report[track].as_array().unwrap().iter().map(|span| {
        let (begin, took) = (span["begin_us"].as_f64().unwrap(), span["took_us"].as_f64().unwrap());
        assert!(begin >= end - 0.2 && took >= 0.0, "{track}: {span} begins before {end}");
        end = begin + took;
        span["name"].as_str().unwrap().to_owned()
    });
    let names = spans.collect();
    assert!(end <= report["total_us"].as_f64().unwrap() + 0.2, "{track} ends at {end}");
    names
}

/// `run` reports on both processes: the phases of the runtime, and the steps of init as `hull plan` has them, with the
/// properties that asked for them.
#[test]
fn timing_of_run() {
    needs!(root);
    let container = Container::new();
    let report = timed(&container, "run", &[]);
    assert!(report["cpuBefore_us"].as_f64().unwrap() > 0.0);
    let phases = names(&report, "runtime");
    assert_eq!(phases.first().unwrap(), "read config.json");
    assert!(phases.contains(&"the program runs".to_owned()), "{phases:?}");
    assert_eq!(phases.last().unwrap(), "remove the container");

    let plan = container.runtime.command([&["plan"], &*container.bundled(&[])].concat()).run().ok();
    let steps = plan.stdout.split_once("init:\n").unwrap().1.lines();
    // The plan is that of `create`.
    let steps = steps.filter(|step| !step.ends_with("wait for start")).count();
    assert_eq!(names(&report, "init").len(), steps);
    let mounted = report["init"].as_array().unwrap().iter().find(|span| span["at"] == "mounts[0]").unwrap();
    assert!(mounted["name"].as_str().unwrap().starts_with("mount proc on /proc"), "{mounted}");
    container.assert_clean();
}

/// A filter may forbid the clock, so what follows it is one span; and the program starts all the same.
#[test]
fn timing_ends_with_the_filter() {
    needs!(root);
    let container = Container::new().args(&["/probe", "exit", "0"]).edit(|config| {
        config["process"]["noNewPrivileges"] = json!(true);
        config["linux"]["seccomp"] = json!({
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{ "names": ["clock_gettime"], "action": "SCMP_ACT_KILL_PROCESS" }],
        });
    });
    let report = timed(&container, "run", &[]);
    let last = report["init"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["name"], &last["at"]), (&json!("load the seccomp filter"), &json!("linux.seccomp")));
    assert_eq!(last["furtherSteps"], 1);
}

/// Every verb can be timed: `create` up to the container that waits, `start`, `exec`, and those without a process.
#[test]
fn timing_of_the_other_verbs() {
    needs!(root);
    let container = Container::new().args(&["/probe", "pause"]);
    let created = timed(&container, "create", &[]);
    assert_eq!(names(&created, "runtime").last().unwrap(), "record the first process");
    assert!(names(&created, "init").contains(&"report ready".to_owned()));
    let started = timed(&container, "start", &[]);
    assert!(names(&started, "runtime").contains(&"wait until the program is executed".to_owned()));
    assert_eq!(started["init"], json!([]));
    let exec = timed(&container, "exec", &["/probe", "exit", "0"]);
    assert!(names(&exec, "init").contains(&"find the program".to_owned()));
    assert_eq!(timed(&container, "state", &[])["runtime"], json!([]));
    assert_eq!(
        names(&timed(&container, "delete", &["--force"]), "runtime"),
        ["kill it", "remove the container"]
    );
}

/// A file that ends in .svg gets a picture, also of a start that fails.
#[test]
fn timing_as_a_picture() {
    needs!(root);
    let container = Container::new().args(&["/no/such/program"]);
    traced(&container, "timing.svg", "run", &[]).refuses(&["/no/such/program"]);
    let picture = fs::read_to_string(container.bundle.join("timing.svg")).unwrap();
    assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"), "{picture}");
    for part in ["compile the plan", "find the program", &container.id] {
        assert!(picture.contains(part), "{part} is not in {picture}");
    }
}

/// A file that cannot be written is known before anything is made.
#[test]
fn timing_where_nothing_can_be_written() {
    needs!(root);
    let container = Container::new();
    let run = traced(&container, "no/such/folder/timing.json", "run", &[]);
    run.refuses(&["--trace-timing", "no/such/folder/timing.json", "No such file or directory"]);
    container.assert_clean();
}
