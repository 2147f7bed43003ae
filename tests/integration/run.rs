//! `run`: one command from config.json to exit code, in the foreground and detached.

use std::fs;

use rustix::process::Signal;
use serde_json::json;

use crate::harness::*;
use crate::needs;

/// The program's stdout passes through, and the world is that of the config.
#[test]
fn run_prints_the_world() {
    needs!(root_or_ranges);
    let world = Container::new().world();
    assert_eq!(world["pid"], 1);
    assert_eq!(world["argv"], json!(["/probe"]));
    assert_eq!(world["hostname"], "hull-test");
}

/// The exit code of the program is that of `run`.
#[test]
fn exit_codes_pass_through() {
    needs!(root_or_ranges);
    for code in [0, 1, 42, 127, 255] {
        Container::new().args(&["/probe", "exit", &code.to_string()]).run(&[]).exits(code);
    }
}

/// Death by a signal becomes 128 + its number.
#[test]
fn signals_become_exit_codes() {
    needs!(root);
    for signal in [9, 15, 6] {
        let container = Container::new().without_namespace("pid");
        container.args(&["/probe", "kill-self", &signal.to_string()]).run(&[]).exits(128 + signal);
    }
}

/// A foreground `run` removes its container when it ends.
#[test]
fn run_cleans_up() {
    needs!(root_or_ranges);
    let container = Container::new();
    container.run(&[]).ok();
    container.assert_clean();
    Container::new().args(&["/no/such/program"]).run(&[]).refuses(&["/no/such/program"]);
}

/// `--keep` leaves the stopped container to be looked at.
#[test]
fn run_keep() {
    needs!(root_or_ranges);
    let container = Container::new();
    container.run(&["--keep"]).ok();
    assert_eq!(container.status(), "stopped");
    container.delete(&[]).ok();
}

/// `--detach` returns at once, and the container goes on.
#[test]
fn run_detach() {
    needs!(root_or_ranges);
    let container = Container::new().args(&["/probe", "pause"]);
    let file = container.bundle.join("pid");
    container.run(&["--detach", "--pid-file", file.to_str().unwrap()]).ok();
    assert_eq!(container.status(), "running");
    assert_eq!(fs::read_to_string(&file).unwrap(), container.pid().to_string());
}

/// stdin reaches the program, its stdout and stderr come back apart.
#[test]
fn standard_streams_pass_through() {
    needs!(root_or_ranges);
    let container = Container::new().args(&["/probe", "cat"]);
    let command =
        container.runtime.command([&["run"], &container.bundled(&[])[..], &[&container.id]].concat());
    assert_eq!(command.stdin("a line\nand more").run().ok().stdout, "a line\nand more");

    let container = Container::new().args(&["/probe", "nonsense"]);
    let finished = container.run(&[]).exits(2);
    assert_eq!(finished.stdout, "");
    assert!(finished.stderr.contains("unknown words"));
}

/// Signals sent to a foreground `run` reach the program.
#[test]
fn run_forwards_signals() {
    needs!(root_or_ranges);
    for (signal, number) in [(Signal::TERM, 15), (Signal::INT, 2), (Signal::HUP, 1), (Signal::USR1, 10)] {
        let container = Container::new().args(&["/probe", "wait", "/ready"]);
        let mut ready = Fifo::new(&container.bundle.rootfs().join("ready"));
        let run =
            container.runtime.command([&["run"], &container.bundled(&[])[..], &[&container.id]].concat());
        let run = run.spawn();
        ready.word();
        run.signal(signal);
        assert_eq!(run.finish().ok().json()["signal"], number);
    }
}

/// KILL through the container's own verb ends `run` with 137.
#[test]
fn run_reports_a_kill() {
    needs!(root_or_ranges);
    let container = Container::new().args(&["/probe", "wait", "/ready"]);
    let mut ready = Fifo::new(&container.bundle.rootfs().join("ready"));
    let run = container.runtime.command([&["run"], &container.bundled(&[])[..], &[&container.id]].concat());
    let run = run.spawn();
    ready.word();
    container.kill("KILL").ok();
    run.finish().exits(137);
}

/// Runtime errors are exit code 1 and one line on stderr.
#[test]
fn runtime_errors_are_one_line() {
    needs!(root_or_ranges);
    let container = Container::new().set("/root/path", json!("no-such-directory"));
    let finished = container.run(&[]).exits(1);
    assert_eq!(finished.stdout, "");
    assert_eq!(finished.stderr.lines().count(), 1, "{}", finished.stderr);
    container.assert_clean();
}

/// `--log` with `--log-format json` gets one JSON object a line, whose last is the error, as containerd reads it.
#[test]
fn the_log_file_is_json() {
    needs!(root_or_ranges);
    let container = Container::new().set("/root/path", json!("no-such-directory"));
    container.bundle.write();
    let (log, bundle) = (container.bundle.join("log.json"), container.bundle.path().to_str().unwrap());
    let global = ["--log", log.to_str().unwrap(), "--log-format", "json"];
    let verb = ["create", "--bundle", bundle, &container.id];
    container.runtime.command([&global[..], &verb].concat()).run().refuses(&[]);
    let text = fs::read_to_string(&log).unwrap();
    let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(last["level"], "error");
    assert!(last["msg"].as_str().unwrap().contains("no-such-directory"), "{last}");
    assert!(last["time"].is_string());
}

/// The text log is a line of `time=.. level=error msg=..`.
#[test]
fn the_log_file_is_text() {
    needs!(root_or_ranges);
    let container = Container::new().set("/root/path", json!("no-such-directory"));
    container.bundle.write();
    let (log, bundle) = (container.bundle.join("log.txt"), container.bundle.path().to_str().unwrap());
    let verb = ["--log", log.to_str().unwrap(), "create", "--bundle", bundle, &container.id];
    container.runtime.command(verb).run().refuses(&[]);
    let text = fs::read_to_string(&log).unwrap();
    assert!(text.contains("level=error msg="), "{text}");
}

/// `--version` names the runtime and the specification.
#[test]
fn version() {
    let container = Container::new();
    let text = container.runtime.command(["--version"]).run().ok().stdout;
    assert!(text.contains(" version ") && text.contains("spec: 1."), "{text}");
}

/// A word or flag that does not exist is an error, never a silence.
#[test]
fn unknown_words_are_refused() {
    let container = Container::new();
    container.runtime.command(["no-such-verb"]).run().refuses(&[]);
    container.runtime.command(["state", "--no-such-flag", "x"]).run().refuses(&["no-such-flag"]);
    container.runtime.command(["create"]).run().refuses(&[]);
}

/// A tmpfs becomes read-only only when nothing is made in it any more: Podman mounts /dev so, with more inside.
#[test]
fn a_read_only_dev_with_all_that_lies_in_it() {
    needs!(root_or_ranges);
    let container = Container::new()
        .edit(|config| {
            for mount in config["mounts"].as_array_mut().unwrap() {
                if mount["destination"] == "/dev" {
                    mount["options"].as_array_mut().unwrap().push(json!("ro"));
                }
            }
        })
        .mount("/scratch", "tmpfs", "tmpfs", &["ro"])
        .mount("/scratch/inner", "tmpfs", "tmpfs", &[]);
    let container = container.sleeping();
    let write = |path| container.exec(&[], &["/probe", "write", path, "x"]).ok().json();
    for path in ["/dev/made", "/scratch/made"] {
        let refused = write(path);
        assert_eq!(refused["errno"], "EROFS", "{path}: {refused}");
    }
    for path in ["/dev/null", "/dev/shm/made", "/scratch/inner/made"] {
        let written = write(path);
        assert_eq!(written["written"], 1, "{path}: {written}");
    }
}

/// `--debug` says what hull and init do: on stderr, or in the file of `--log` in its form, and then there alone.
#[test]
fn debug_lines() {
    needs!(root);
    let container = Container::new().args(&["/probe", "exit", "0"]);
    container.bundle.write();
    let log = container.bundle.join("log");
    let bundle = container.bundle.path().to_str().unwrap();
    let run = |global: &[&str]| {
        let words = [global, &["run", "--bundle", bundle, &container.id]].concat();
        container.runtime.command(words).run().ok().stderr
    };
    for expected in
        ["level=debug msg=", "config.json", "made the cgroup", "pivot into the root", "was executed"]
    {
        let said = run(&["--debug"]);
        assert!(said.contains(expected), "{expected}: {said}");
    }
    assert_eq!(run(&["--debug", "--log", log.to_str().unwrap(), "--log-format", "json"]), "");
    let lines = std::fs::read_to_string(&log).unwrap();
    assert!(
        lines.lines().count() > 10
            && lines.lines().all(|line| line.starts_with(r#"{"level":"debug","msg":"#)),
        "{lines}"
    );
    assert_eq!(run(&[]), "");
}

/// The CPUs to which an engine keeps itself are not the container's: those of its cgroup are.
#[test]
fn the_affinity_of_the_caller() {
    needs!(root);
    let mut container = Container::new();
    let usual = container.world()["cpus"].clone();
    container.runtime.launch_by(["taskset", "-c", "0"]);
    assert_eq!(container.world()["cpus"], usual);
    assert_eq!(container.sleeping().exec_world(&[])["cpus"], usual);
}
