//! From `docker run` to `docker rm`: exit codes, signals, pause, restart, logs, and all that looks at a container.

use super::{Detached, docker};
use crate::sh;
use crate::shell::until;
use crate::terminal::Terminal;

#[test]
fn run_gives_output_and_exit_code() {
    let _engine = docker();
    sh!("docker run --rm world:1 sh -c 'echo out; echo err >&2; exit 3'").exits(3).prints("out");
}

#[test]
fn standard_input_reaches_the_program() {
    let _engine = docker();
    sh!("echo hello | docker run --rm -i world:1 cat").ok().prints("hello");
    sh!("head -c 3000000 /dev/zero | docker run --rm -i world:1 wc -c").ok().prints("3000000");
}

/// Docker tells "not found" (127) from "not executable" (126) by the runtime's message.
#[test]
fn a_program_that_cannot_run() {
    let _engine = docker();
    let missing = sh!("docker run --rm world:1 no-such-program").exits(127);
    assert!(missing.stderr.contains("no-such-program"), "{missing:?}");
    sh!("docker run --rm world:1 /no/such/program").exits(127);
    sh!("docker run --rm world:1 /etc/passwd").exits(126);
    sh!("docker run --rm world:1 /etc").exits(126);
}

#[test]
fn exec_gives_output_and_exit_code() {
    let web = Detached::waiting("");
    sh!("docker exec {web} sh -c 'echo hi; exit 4'").exits(4).prints("hi");
    sh!("echo hello | docker exec -i {web} cat").ok().prints("hello");
    let missing = sh!("docker exec {web} no-such-program");
    // Docker before 28 says 126 here.
    assert!(
        [126, 127].contains(&missing.code) && missing.stdout.contains("executable file not found"),
        "{missing:?}"
    );
    sh!("docker exec -u 1000:2000 -w /tmp -e A=b {web} sh -c 'echo $(id -u):$(id -g) $PWD $A'")
        .ok()
        .prints("1000:2000 /tmp b");
    sh!("docker exec --detach {web} touch /tmp/made").ok();
    until(&format!("docker exec {web} ls /tmp"), "made");
}

#[test]
fn stop_asks_and_the_exit_code_says_so() {
    let shell = Detached::run("world:1 sh -c 'trap \"exit 143\" TERM; echo ready; sleep 1000 & wait'");
    until(&format!("docker logs {shell}"), "ready");
    sh!("docker stop {shell}").ok();
    assert_eq!(shell.inspect("{{.State.ExitCode}} {{.State.Status}}"), "143 exited");
}

/// --init answers SIGTERM on behalf of a program that as process 1 would not see it.
#[test]
fn stop_through_init() {
    let sleep = Detached::run("--init world:1 sleep 1000");
    sh!("docker exec {sleep} cat /proc/1/comm").ok().prints("docker-init");
    sh!("docker stop {sleep}").ok();
    assert_eq!(sleep.inspect("{{.State.ExitCode}}"), "143");
}

#[test]
fn stop_kills_what_does_not_listen() {
    let deaf = Detached::run("world:1 sleep 1000");
    sh!("docker stop --time 1 {deaf}").ok();
    assert_eq!(deaf.inspect("{{.State.ExitCode}}"), "137");
}

#[test]
fn kill_ends_at_once() {
    let deaf = Detached::run("world:1 sleep 1000");
    sh!("docker kill {deaf}").ok();
    sh!("docker wait {deaf}").ok().prints("137");
    let shell =
        Detached::run("world:1 sh -c 'trap \"echo hup\" HUP; echo ready; while :; do sleep 0.1; done'");
    until(&format!("docker logs {shell}"), "ready");
    sh!("docker kill --signal HUP {shell}").ok();
    until(&format!("docker logs {shell}"), "ready\nhup");
}

#[test]
fn a_signal_of_the_image() {
    let own = Detached::run(
        "--stop-signal USR1 world:1 sh -c 'trap \"exit 9\" USR1; echo ready; sleep 1000 & wait'",
    );
    until(&format!("docker logs {own}"), "ready");
    sh!("docker stop {own}").ok();
    assert_eq!(own.inspect("{{.State.ExitCode}}"), "9");
}

#[test]
fn pause_freezes_and_unpause_thaws() {
    let web = Detached::waiting("");
    sh!("docker pause {web}").ok();
    assert_eq!(web.inspect("{{.State.Status}}"), "paused");
    sh!("docker exec {web} true").exits(1);
    sh!("docker unpause {web}").ok();
    sh!("docker exec {web} true").ok();
}

/// A paused container can be removed by force: nothing frozen survives.
#[test]
fn a_paused_container_is_removed() {
    let web = Detached::waiting("");
    sh!("docker pause {web} && docker rm --force {web}").ok();
    sh!("docker inspect {web}").exits(1);
}

#[test]
fn restart_gives_a_new_process_in_the_same_files() {
    let web = Detached::waiting("");
    let before = web.inspect("{{.State.Pid}}");
    sh!("docker exec {web} touch /kept").ok();
    sh!("docker restart {web}").ok();
    assert_ne!(web.inspect("{{.State.Pid}}"), before);
    sh!("docker exec {web} ls /kept").ok().prints("/kept");
}

#[test]
fn create_then_start() {
    let _engine = docker();
    let id = sh!("docker create --name made world:1 echo made").ok().stdout;
    sh!("docker start --attach made").ok().prints("made");
    sh!("docker start --attach {id}").ok().prints("made");
    sh!("docker rm made").ok();
}

#[test]
fn logs_have_both_streams() {
    let said = Detached::run("world:1 sh -c 'echo one; echo two >&2; echo three'");
    sh!("docker wait {said}").ok().prints("0");
    let logs = sh!("docker logs {said}").ok();
    assert_eq!((logs.stdout.as_str(), logs.stderr.as_str()), ("one\nthree\n", "two\n"));
    sh!("docker logs --tail 2 {said} 2>&1 | wc -l").ok().prints("2");
}

#[test]
fn attach_follows_until_the_end() {
    let said = Detached::run("-i world:1 sh -c 'read line; echo got $line; exit 6'");
    let mut terminal = Terminal::new(&format!("docker attach {said}"));
    terminal.types("word\n");
    terminal.shows("got word");
    terminal.ends().exits(6);
}

#[test]
fn top_lists_the_processes() {
    let web = Detached::run("--init world:1 sleep 1234");
    let top = sh!("docker top {web} -o pid,args").ok().stdout;
    assert!(top.contains("docker-init") && top.contains("sleep 1234"), "{top}");
}

#[test]
fn stats_come_from_the_cgroup() {
    let web = Detached::waiting("--memory 64m");
    let stats = sh!("docker stats --no-stream --format '{{{{.MemUsage}}}} {{{{.PIDs}}}}' {web}").ok().stdout;
    assert!(stats.contains("64MiB") && stats.trim().ends_with(" 2"), "{stats}");
}

#[test]
fn events_tell_the_whole_life() {
    let _engine = docker();
    let begin = sh!("date +%s.%N").ok().stdout;
    sh!("docker run --name told --rm world:1 false").exits(1);
    let told =
        "docker events --filter container=told --format '{{.Action}}' --since ".to_owned() + begin.trim();
    // `destroy` comes last; --until is a moment, so it is asked again.
    until(&format!("{told} --until $(date +%s.%N) | xargs"), "create attach start die destroy");
}

#[test]
fn diff_commit_and_export() {
    let web = Detached::waiting("");
    sh!("docker exec {web} sh -c 'echo new >/made'").ok();
    assert!(sh!("docker diff {web}").ok().stdout.contains("A /made"));
    sh!("docker commit {web} committed:1").ok();
    sh!("docker run --rm committed:1 cat /made").ok().prints("new");
    sh!("docker rmi committed:1").ok();
    assert!(sh!("docker export {web} | tar t").ok().stdout.contains("made"));
}

#[test]
fn rename_and_find() {
    let web = Detached::waiting("--name before --label kind=test");
    sh!("docker rename before after && docker exec after true").ok();
    sh!("docker ps --quiet --no-trunc --filter label=kind=test").ok().prints(&web.name);
}

/// Fifty at once: each ends with its own exit code, and nothing is mixed up.
#[test]
fn fifty_at_once() {
    let _engine = docker();
    let codes = sh!(
        "set +e; for n in $(seq 50); do (docker run --rm world:1 sh -c \"echo $n; exit $n\" >/tmp/fifty.$n; echo $n $? >>/tmp/fifty) & done
         wait; awk '$1 == $2' /tmp/fifty | wc -l; cat /tmp/fifty.* | sort -n | xargs; rm /tmp/fifty*"
    );
    let numbers: Vec<String> = (1..=50).map(|n: u32| n.to_string()).collect();
    codes.ok().prints(&format!("50\n{}", numbers.join(" ")));
}
