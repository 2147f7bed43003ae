//! From `podman run` to `podman rm`.

use super::{Detached, podman};
use crate::needs;
use crate::sh;
use crate::shell::until;
use crate::terminal::Terminal;

#[test]
fn run_gives_output_and_exit_code() {
    let _machine = podman();
    sh!("podman run --rm world:1 sh -c 'echo out; echo err >&2; exit 3'").exits(3).prints("out");
    sh!("echo hello | podman run --rm -i world:1 cat").ok().prints("hello");
    sh!("podman run --rm world:1 no-such-program").exits(127);
    sh!("podman run --rm world:1 /etc/passwd").exits(126);
    sh!("podman run --rm world:1 /etc").exits(126);
}

#[test]
fn exec_gives_output_and_exit_code() {
    let web = Detached::waiting("");
    sh!("podman exec {web} sh -c 'echo hi; exit 4'").exits(4).prints("hi");
    sh!("echo hello | podman exec -i {web} cat").ok().prints("hello");
    sh!("podman exec {web} no-such-program").exits(127);
    sh!("podman exec {web} /etc/passwd").exits(126);
    sh!("podman exec -u 1000 -w /tmp -e A=b {web} sh -c 'echo $(id -u) $PWD $A'").ok().prints("1000 /tmp b");
    sh!("podman exec --detach {web} touch /made").ok();
    until(&format!("podman exec {web} ls /made"), "/made");
}

#[test]
fn terminals() {
    let web = Detached::waiting("");
    let mut run = Terminal::new("podman run --rm -it world:1 sh");
    run.types("tty; until stty size | grep 24; do sleep 0.1; done; echo $((40 + 2)); exit 5\n");
    run.shows("/dev/pts/0");
    run.shows("42");
    run.ends().exits(5);
    let mut exec = Terminal::new(&format!("podman exec -it {web} sh"));
    exec.types("tty\n");
    exec.shows("/dev/pts/");
    exec.resize(33, 111);
    exec.types("until stty size | grep '33 11'; do sleep 0.1; done; exit 6\n");
    exec.shows("33 111");
    exec.ends().exits(6);
}

#[test]
fn stop_kill_and_restart() {
    let web = Detached::run("world:1 sh -c 'trap \"exit 143\" TERM; sleep 1000 & wait'");
    sh!("podman stop {web}").ok();
    assert_eq!(web.inspect("{{.State.ExitCode}} {{.State.Status}}"), "143 exited");
    sh!("podman start {web} && podman kill {web} && podman wait {web}").ok();
    assert_eq!(web.inspect("{{.State.ExitCode}}"), "137");
    sh!("podman start {web}").ok();
    let before = web.inspect("{{.State.Pid}}");
    sh!("podman restart {web}").ok();
    assert_ne!(web.inspect("{{.State.Pid}}"), before);
}

#[test]
fn pause_and_unpause() {
    let web = Detached::waiting("");
    sh!("podman pause {web}").ok();
    assert_eq!(web.inspect("{{.State.Status}}"), "paused");
    sh!("podman exec {web} true").exits(255);
    sh!("podman unpause {web} && podman exec {web} true").ok();
}

#[test]
fn logs_top_stats_and_diff() {
    let web = Detached::run("--init --memory 64m world:1 sh -c 'echo one; echo two >&2; sleep 1000'");
    until(&format!("podman logs {web} 2>&1 | sort"), "one\ntwo");
    let top = sh!("podman top {web} pid args").ok().stdout;
    assert!(top.contains("sleep 1000"), "{top}");
    let stats = sh!("podman stats --no-stream --format json {web}").ok().stdout;
    assert!(stats.contains("67.11MB"), "{stats}");
    sh!("podman exec {web} touch /made").ok();
    assert!(sh!("podman diff {web}").ok().stdout.contains("A /made"));
    sh!("podman cp {web}:/etc/passwd /tmp/podman-passwd && grep -q guest /tmp/podman-passwd").ok();
    sh!("podman commit --quiet {web} committed:1 && podman run --rm committed:1 ls /made").ok();
    sh!("podman rmi committed:1").ok();
}

/// Where systemd is, a timer does this; a command does it anywhere.
#[test]
fn a_health_check_is_an_exec() {
    let well = Detached::waiting("--health-cmd 'test -e /well' --health-interval disable");
    sh!("podman healthcheck run {well}").exits(1);
    sh!("podman exec {well} touch /well && podman healthcheck run {well}").ok();
    assert_eq!(well.inspect("{{.State.Health.Status}}"), "healthy");
}

/// conmon, not systemd, starts it again.
#[test]
fn on_failure_three_times() {
    let failing = Detached::run("--restart on-failure:3 world:1 sh -c 'echo try; exit 1'");
    until(&format!("podman logs {failing} | wc -l"), "4");
    until(&format!("podman inspect --format '{{{{.State.Status}}}}' {failing}"), "exited");
}

#[test]
fn update_of_limits() {
    let web = Detached::waiting("--memory 64m");
    sh!("podman update --memory 32m --cpus 0.5 {web}").ok();
    sh!("podman exec {web} sh -c 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max'").ok().prints("33554432");
}

#[test]
fn checkpoint_and_restore() {
    needs!(criu);
    let count = Detached::run("world:1 sh -c 'n=0; while :; do n=$((n + 1)); echo $n >/n; sleep 0.1; done'");
    until(&format!("podman exec {count} sh -c 'test $(cat /n) -gt 3 && echo yes'"), "yes");
    sh!("podman container checkpoint {count}").ok();
    let at = sh!("podman exec {count} cat /n");
    assert_ne!(at.code, 0);
    sh!("podman container restore {count}").ok();
    until(&format!("podman exec {count} sh -c 'test $(cat /n) -gt 5 && echo yes'"), "yes");
    sh!("podman container checkpoint --export /tmp/kept.tar {count} && podman rm {count} && podman container restore --import /tmp/kept.tar").ok();
    // The same container again, by name and id.
    until(&format!("podman exec {count} sh -c 'test $(cat /n) -gt 7 && echo yes'"), "yes");
}

/// Told apart by what the engine says and by what was called.
#[test]
fn the_runtime_is_the_one_configured() {
    let web = Detached::waiting("");
    assert_eq!(web.inspect("{{.OCIRuntime}}"), "hull");
    let calls = std::fs::read_to_string("/engines/sent/calls").unwrap();
    for verb in ["create", "start"] {
        assert!(
            calls.lines().any(|call| call.contains(verb) && call.ends_with(&web.name)),
            "no {verb} of {web}"
        );
    }
}

#[test]
fn thirty_at_once() {
    let _machine = podman();
    sh!("set +e; for n in $(seq 30); do (podman run --rm world:1 sh -c \"exit $n\"; echo $n $? >>/tmp/podman-thirty) & done; wait; awk '$1 == $2' /tmp/podman-thirty | wc -l")
        .ok()
        .prints("30");
}
