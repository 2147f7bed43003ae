//! docs/kernel-features.md at its word: each system call of its table is taken away from the runtime, and what becomes
//! of a container is what the table says.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test may panic, and writes only into directories of its own"
)]

#[path = "harness/mod.rs"]
mod harness;

use std::collections::BTreeMap;

use harness::*;
use serde_json::{Value, json};

const PAGE: &str = include_str!("../docs/kernel-features.md");

/// What the hint of a missing call begins with.
const TOO_OLD: &str = "hull needs Linux 5.14";

/// One row of the table of system calls.
#[derive(Debug)]
struct Row {
    /// As `probe hide` takes them.
    calls: Vec<String>,
    outcome: &'static str,
}

fn rows() -> Vec<Row> {
    let table = PAGE.split("## ").find(|section| section.starts_with("System calls")).unwrap();
    let lines = table.lines().filter(|line| line.starts_with("| `"));
    let rows = lines.map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let flags = match cells[1].split_once("` ").map_or("", |(_, which)| which) {
            // Only a pidfd stands for several namespaces.
            "by pidfd" => format!(":1:{:#x}", libc::CLONE_NEWNS | libc::CLONE_NEWUTS),
            "with P_PIDFD" => ":0:3".to_owned(),
            "with CLONE_NEWTIME" => format!(":0:{:#x}", libc::CLONE_NEWTIME),
            "with CLONE_NEWCGROUP" => format!(":0:{:#x}", libc::CLONE_NEWCGROUP),
            _ => String::new(),
        };
        let calls = cells[1].split('`').skip(1).step_by(2).map(|call| format!("{call}{flags}")).collect();
        Row { calls, outcome: cells[4] }
    });
    rows.collect()
}

/// A container whose runtime does without a call.
fn without(call: &str) -> Container {
    hide(Container::new(), call)
}

fn hide(mut container: Container, call: &str) -> Container {
    let probe = container.bundle.rootfs().join("probe");
    let mut words = vec![probe.as_os_str(), "hide".as_ref(), call.as_ref()];
    if call == "open_tree" {
        // No kernel without the one has the other.
        words.push("open_tree_attr".as_ref());
    }
    container.runtime.launch_by(words.into_iter().chain(["--".as_ref()]));
    container
}

/// With all calls again.
fn whole(mut container: Container) -> Container {
    container.runtime.launch_by([] as [&str; 0]);
    container
}

/// Asks for the property at a JSON path.
fn asking_for(property: &str, container: Container) -> Container {
    let pointer = format!("/{}", property.replace('.', "/"));
    let value = match property {
        "mounts[6]" => return container.mount("/dev/shm", "tmpfs", "shm", &["remount", "size=32k"]),
        "linux.namespaces" => return container,
        "linux.timeOffsets" => {
            return container.namespace("time").set(&pointer, json!({ "boottime": { "secs": 5 } }));
        }
        "linux.seccomp" => json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            { "names": ["sync"], "action": "SCMP_ACT_ERRNO" }] }),
        "process.scheduler" => json!({ "policy": "SCHED_BATCH" }),
        "process.ioPriority" => json!({ "class": "IOPRIO_CLASS_IDLE", "priority": 0 }),
        "linux.memoryPolicy" => json!({ "mode": "MPOL_DEFAULT" }),
        "linux.personality" => json!({ "domain": "LINUX" }),
        property => panic!("how does one ask for {property}?"),
    };
    container.set(&pointer, value)
}

#[test]
fn the_table_is_true() {
    needs!(root);
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows() {
        for call in &row.calls {
            eprintln!("{call}: {}", row.outcome);
            let (kind, property) = row.outcome.split_once(": ").unwrap_or((row.outcome, ""));
            *seen.entry(kind).or_default() += 1;
            match kind {
                "no container" | "no container of a caller who can write the binary, as root can" => {
                    no_container(call);
                }
                "no container of root's on a v2 host" => no_device_rules(call),
                "no `kill`, `delete`, `exec` of a process that lives" => no_way_to_init(call),
                "no `kill`, no `delete --force`" => no_signals(call),
                "no `exec`" => no_exec(call),
                "no hooks of the runtime's side" => no_hooks(call),
                "refused" => refused(call, property.trim_matches('`')),
                "no difference" => no_difference(call),
                other => panic!("{call}: no test for {other:?}"),
            }
        }
    }
    assert_eq!(seen.values().sum::<usize>(), 28, "{seen:?}");
}

/// Nothing begins, nothing stays.
fn no_container(call: &str) {
    let container = without(call);
    let finished = container.create(&[]).refuses(&["function not implemented", TOO_OLD]).exits(1);
    assert_eq!(finished.stderr.trim_end().lines().count(), 1, "{call}: {}", finished.stderr);
    container.assert_clean();
    whole(container);
}

fn no_device_rules(call: &str) {
    let container = without(call);
    match pure_cgroup2() {
        Ok(()) => drop(container.create(&[]).refuses(&["bpf", "CONFIG_CGROUP_BPF"])),
        Err(_) => drop(container.world()),
    }
    whole(container);
}

fn no_way_to_init(call: &str) {
    let container = hide(Container::new().sleeping(), call);
    for refused in [container.kill("KILL"), container.delete(&["--force"]), container.exec(&[], &["/probe"])]
    {
        refused.refuses(&["pidfd_open", TOO_OLD]);
    }
    assert_eq!(container.status(), "running");
    whole(container);
}

fn no_signals(call: &str) {
    let container = hide(Container::new().sleeping(), call);
    for refused in [container.kill("KILL"), container.delete(&["--force"])] {
        refused.refuses(&["pidfd_send_signal", TOO_OLD]);
    }
    container.exec_world(&[]);
    whole(container);
}

fn no_exec(call: &str) {
    let container = hide(Container::new().sleeping(), call);
    container.exec(&[], &["/probe"]).refuses(&["join the container's namespaces", "Linux 5.8"]).exits(255);
    assert_eq!(container.status(), "running");
    whole(container);
}

fn no_hooks(call: &str) {
    let hook = json!({ "createRuntime": [{ "path": "/bin/true" }] });
    let container = hide(Container::new().set("/hooks", hook), call);
    container.create(&[]).refuses(&["hooks.createRuntime[0]"]);
    let container = whole(container);
    container.assert_clean();
}

/// A container that does not ask for the property can do without; one that does is refused where it asks.
fn refused(call: &str, property: &str) {
    if property != "linux.namespaces" {
        let container = without(call);
        container.world();
        whole(container);
    }
    let container = hide(asking_for(property, Container::new()), call);
    let (reason, hint) = match call.split_once(':') {
        None => ("function not implemented", TOO_OLD),
        Some(_) => ("invalid argument", "this kernel has no"),
    };
    container.run(&[]).refuses(&[property, reason, hint]).exits(1);
    container.assert_clean();
    whole(container);
}

fn no_difference(call: &str) {
    let container = without(call);
    container.world();
    whole(container).running().exec(&[], &["/probe", "exit", "0"]);
}

/// What a property asks for is there when no call is missing.
#[test]
fn with_all_calls() {
    needs!(root, time_ns);
    for row in rows() {
        let Some(property) = row.outcome.strip_prefix("refused: ") else { continue };
        let property = property.trim_matches('`');
        let world: Value = asking_for(property, Container::new()).world();
        assert!(world.is_object(), "{property}");
    }
}
