//! pause, resume, update, events, ps: looking at and steering a running container.

use serde_json::{Value, json};

use crate::harness::*;
use crate::needs;

/// A paused container says so and stands still until resumed.
#[test]
fn pause_and_resume() {
    needs!(root_or_ranges, freezer);
    let container = Container::new().sleeping();
    container.verb("pause", &[], &[]).ok();
    assert_eq!(container.status(), "paused");
    assert!(container.is_frozen());
    container.verb("resume", &[], &[]).ok();
    assert_eq!(container.status(), "running");
    assert!(!container.is_frozen());
}

/// Resuming what is not paused is an error.
#[test]
fn resume_needs_a_pause() {
    needs!(root_or_ranges);
    let container = Container::new().sleeping();
    container.verb("resume", &[], &[]).refuses(&["not paused"]).exits(1);
    assert_eq!(container.status(), "running");
}

/// A stopped container cannot be paused.
#[test]
fn pause_needs_a_live_container() {
    needs!(root_or_ranges);
    let container = Container::new().running();
    container.await_stop();
    container.verb("pause", &[], &[]).refuses(&[]).exits(1);
}

/// A paused container is deleted by force without being resumed by hand.
#[test]
fn forced_delete_of_a_paused_container() {
    needs!(root_or_ranges, freezer);
    let container = Container::new().sleeping();
    let pid = container.pid();
    container.verb("pause", &[], &[]).ok();
    container.delete(&["--force"]).ok();
    assert!(await_exit(pid, std::time::Duration::from_secs(10)));
    container.assert_clean();
}

/// Flags of update change the files of the cgroup.
#[test]
fn update_by_flags() {
    needs!(root_or_ranges, controller("memory"), controller("pids"), controller("cpu"));
    let container = Container::new().sleeping();
    container.verb("update", &["--pids-limit", "17"], &[]).ok();
    assert_eq!(container.limit("pids.limit"), "17");
    container.verb("update", &["--memory", "64M", "--memory-reservation", "32M"], &[]).ok();
    assert_eq!(container.limit("memory.limit"), "67108864");
    assert_eq!(container.limit("memory.reservation"), "33554432");
    container.verb("update", &["--cpu-share", "200"], &[]).ok();
    let (file, value) = if is_v2() { ("cpu.weight", "29") } else { ("cpu.shares", "200") };
    assert_eq!(container.cgroup_file("cpu", file), value);
    container.verb("update", &["--cpu-period", "50000", "--cpu-quota", "25000"], &[]).ok();
    assert_eq!(container.limit("cpu.period"), "50000");
    assert_eq!(container.limit("cpu.quota"), "25000");
    container.verb("update", &["--cpuset-cpus", "0"], &[]).ok();
    assert_eq!(container.limit("cpu.cpus"), "0");
    assert_eq!(container.limit("pids.limit"), "17", "an update of one limit reset another");
}

/// `--resources FILE`, and `-` for stdin, take the document form.
#[test]
fn update_by_document() {
    needs!(root_or_ranges, controller("memory"), controller("pids"));
    let container = Container::new().sleeping();
    let document = json!({ "memory": { "limit": 33_554_432 }, "pids": { "limit": 9 } });
    let file = container.bundle.join("resources.json");
    std::fs::write(&file, document.to_string()).unwrap();
    container.verb("update", &["--resources", file.to_str().unwrap()], &[]).ok();
    assert_eq!(container.limit("memory.limit"), "33554432");
    assert_eq!(container.limit("pids.limit"), "9");

    let document = json!({ "pids": { "limit": 11 } }).to_string();
    let command = container.runtime.command(["update", "--resources", "-", &container.id]);
    command.stdin(&document).run().ok();
    assert_eq!(container.limit("pids.limit"), "11");
}

/// A limit can be raised again, memory and swap in the right order both ways.
#[test]
fn update_up_and_down() {
    needs!(root_or_ranges, controller("memory"));
    let container =
        Container::new().set("/linux/resources/memory", json!({ "limit": 33_554_432, "swap": 33_554_432 }));
    let container = container.sleeping();
    for (limit, bytes) in [("64M", "67108864"), ("48M", "50331648"), ("128M", "134217728")] {
        container.verb("update", &["--memory", limit, "--memory-swap", limit], &[]).ok();
        assert_eq!(container.limit("memory.limit"), bytes);
        assert_eq!(container.limit("memory.swap"), bytes);
    }
}

/// A value that the kernel refuses is an error, and names the file.
#[test]
fn update_refuses_nonsense() {
    needs!(root_or_ranges, controller("cpuset"));
    let container = Container::new().sleeping();
    container.verb("update", &["--cpuset-cpus", "4000"], &[]).refuses(&["cpuset.cpus"]).exits(1);
    container.verb("update", &["--memory", "plenty"], &[]).refuses(&[]).exits(1);
    assert_eq!(container.status(), "running");
}

/// A stopped container has no limits to change.
#[test]
fn update_needs_a_live_container() {
    needs!(root_or_ranges);
    let container = Container::new().running();
    container.await_stop();
    container.verb("update", &["--pids-limit", "5"], &[]).refuses(&[]).exits(1);
}

/// `events --stats` prints one document with the numbers that engines read.
#[test]
fn events_stats() {
    needs!(root_or_ranges, controller("memory"), controller("pids"));
    let container = Container::new().set("/linux/resources/pids", json!({ "limit": 30 })).sleeping();
    let stats = container.verb("events", &["--stats"], &[]).ok().json();
    assert_eq!(stats["type"], "stats");
    assert_eq!(stats["id"], container.id.as_str());
    let data = &stats["data"];
    assert!(data["pids"]["current"].as_u64().unwrap() >= 1);
    assert_eq!(data["pids"]["limit"], 30);
    assert!(data["memory"]["usage"]["usage"].as_u64().unwrap() > 0);
    assert!(data["cpu"]["usage"]["total"].as_u64().unwrap() > 0);
}

/// `events` of a stopped container is an error.
#[test]
fn events_need_a_live_container() {
    needs!(root_or_ranges);
    let container = Container::new().running();
    container.await_stop();
    container.verb("events", &["--stats"], &[]).refuses(&[]).exits(1);
}

/// The stream of events ends with its container.
#[test]
fn events_end_with_the_container() {
    needs!(root_or_ranges);
    let container = Container::new().sleeping();
    let events = container.runtime.command(["events", "--interval", "100ms", &container.id]).spawn();
    container.kill("KILL").ok();
    let text = events.finish().stdout;
    for line in text.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        assert_eq!(event["id"], container.id.as_str());
    }
}

/// The stream tells when the kernel kills a process for want of memory, and when it kills the container's own.
#[test]
fn events_tell_of_a_lack_of_memory() {
    needs!(root_or_ranges, controller("memory"));
    let container =
        Container::new().set("/linux/resources/memory", json!({ "limit": 33_554_432, "swap": 33_554_432 }));
    let mut told = Fifo::new(&container.bundle.join("told"));
    let container = container.sleeping();
    let stream = std::fs::File::options().write(true).open(container.bundle.join("told")).unwrap();
    let events = container.runtime.command(["events", "--interval", "100ms", &container.id]);
    let events = events.spawn_on(stream.into());
    // The first statistics say that it is watching.
    assert!(told.word().contains(r#""type":"stats""#));
    container.exec(&[], &["/probe", "alloc", "134217728"]).exits(137);
    // A line may come in two pieces.
    let (mut text, notice) = (String::new(), format!(r#"{{"type":"oom","id":"{}"}}"#, container.id));
    while !text.contains(&notice) {
        assert!(text.len() < 1 << 20, "statistics, and never a notice");
        text += &told.word();
    }
    assert_eq!(container.status(), "running");
    container.kill("KILL").ok();
    events.finish().ok();
}

/// `ps --format json` lists host pids, the table form what ps(1) says of them.
#[test]
fn ps_forms() {
    needs!(root_or_ranges, cgroup);
    let container = Container::new().sleeping();
    let pids = container.verb("ps", &["--format", "json"], &[]).ok().json();
    assert_eq!(pids, json!([container.pid()]));
    let table = container.verb("ps", &[], &[]).ok().stdout;
    let mut lines = table.lines();
    assert!(lines.next().unwrap().contains("PID"), "{table}");
    assert!(lines.next().unwrap().contains("/probe pause"), "{table}");
    let chosen = container.verb("ps", &[], &["-o", "pid,args"]).ok().stdout;
    assert!(
        chosen.lines().nth(1).unwrap().trim_start().starts_with(&container.pid().to_string()),
        "{chosen}"
    );
}

/// `update` cannot change a class that the container does not have.
#[test]
fn update_without_a_class() {
    needs!(root_or_ranges);
    let container = Container::new().sleeping();
    let flags = ["--l3-cache-schema", "L3:0=f"];
    container.verb("update", &flags, &[]).refuses(&["class of service"]).exits(1);
}
