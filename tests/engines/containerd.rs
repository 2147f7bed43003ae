//! containerd with its runc shim, driven by ctr: tasks, execs, terminals, freezing, metrics, events, checkpoints.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::engine::{Engine, Hold, Users};

use crate::needs;
use crate::sh;
use crate::shell::{eventually, run, until};
use crate::terminal::Terminal;

/// CRI lives in the same daemon, in a namespace of its own.
pub static CONTAINERD: Engine = Engine {
    name: "containerd",
    daemon: "containerd",
    ready: "ctr version",
    prepare: "for space in default k8s.io; do ctr --namespace $space images import /engines/images.tar; done",
    users: Users::none(),
};

/// `ctr run` with hull below the shim.
const RUN: &str = "ctr run --runc-binary hull";

/// A task in the background, removed at the end.
struct Task {
    name: String,
    _engine: Hold,
}

impl Task {
    fn run(options: &str, rest: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let (engine, name) = (CONTAINERD.hold(), format!("ctr-{}", NUMBER.fetch_add(1, Ordering::Relaxed)));
        sh!("{RUN} --detach {options} docker.io/library/{} {name} {}", image(rest).0, image(rest).1).ok();
        Self { name, _engine: engine }
    }

    /// A shell that ends at SIGTERM, and has said so to the kernel: before, the signal would be lost on a first process.
    fn waiting(options: &str) -> Self {
        let task = Self::run(options, "pause:1 sh -c 'trap exit TERM; sleep infinity & wait'");
        let processes = format!("ctr tasks ps {task} | tail -n +2 | wc -l");
        eventually("the shell and its child are listed", || run(&processes).stdout.trim() == "2");
        task
    }

    fn status(&self) -> String {
        sh!("ctr tasks list | awk '$1 == \"{self}\" {{ print $3 }}'").ok().stdout.trim().to_owned()
    }

    fn await_status(&self, wanted: &str) {
        eventually(&format!("{self} is {wanted}"), || self.status() == wanted);
    }
}

fn image(rest: &str) -> (&str, &str) {
    rest.split_once(' ').unwrap_or((rest, ""))
}

impl std::fmt::Display for Task {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.name)
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        sh!("ctr tasks delete --force {self}; ctr containers delete {self}");
    }
}

#[test]
fn run_gives_output_and_exit_code() {
    let _engine = CONTAINERD.hold();
    sh!("{RUN} --rm docker.io/library/world:1 ctr-run1 sh -c 'echo hi; exit 7'").exits(7).prints("hi");
    let missing = sh!("{RUN} --rm docker.io/library/world:1 ctr-run3 no-such-program").exits(1);
    assert!(missing.stderr.contains("executable file not found"), "{missing:?}");
    sh!("ctr containers delete ctr-run3");
}

#[test]
fn options_reach_the_container() {
    let _engine = CONTAINERD.hold();
    sh!("mkdir -p /srv/ctr && echo host >/srv/ctr/file").ok();
    sh!("{RUN} --rm --env A=b --cwd /tmp --read-only --mount type=bind,src=/srv/ctr,dst=/data,options=rbind:ro \
         --memory-limit 33554432 --cap-add CAP_NET_ADMIN --rootfs-propagation rslave docker.io/library/world:1 ctr-options \
         sh -c 'echo $A $(pwd); cat /data/file; touch /x 2>/dev/null || echo read-only; ip link set lo mtu 1000'")
    .ok()
    .prints("b /tmp\nhost\nread-only");
}

#[test]
fn privileged_with_the_hosts_network() {
    let _engine = CONTAINERD.hold();
    sh!("{RUN} --rm --privileged --net-host docker.io/library/world:1 ctr-privileged sh -c 'mkdir /m && mount -t tmpfs none /m && readlink /proc/self/ns/net'")
        .ok()
        .prints(sh!("readlink /proc/self/ns/net").ok().stdout.trim());
}

#[test]
fn exec_gives_output_and_exit_code() {
    let task = Task::waiting("");
    sh!("ctr tasks exec --exec-id e1 {task} sh -c 'echo hi; exit 5'").exits(5).prints("hi");
    sh!("ctr tasks exec --exec-id e2 --user 1000 --cwd /tmp {task} sh -c 'id -u; pwd'")
        .ok()
        .prints("1000\n/tmp");
    sh!("ctr tasks exec --exec-id e3 --detach {task} touch /made").ok();
    until(&format!("ctr tasks exec --exec-id e4 {task} ls /made"), "/made");
}

#[test]
fn a_terminal() {
    let _engine = CONTAINERD.hold();
    let mut terminal = Terminal::new(&format!("{RUN} --rm --tty docker.io/library/world:1 ctr-terminal sh"));
    terminal.types("tty; echo $((40 + 2))\n");
    terminal.shows("/dev/pts/0");
    terminal.shows("42");
    terminal.types("exit 3\n");
    terminal.ends().exits(3);
}

#[test]
fn a_terminal_for_exec_and_attach() {
    let _engine = CONTAINERD.hold();
    let mut first = Terminal::new(&format!("{RUN} --rm --tty docker.io/library/world:1 ctr-attached sh"));
    first.types("echo $((40 + 2))\n");
    first.shows("42");
    let mut exec = Terminal::new("ctr tasks exec --tty --exec-id terminal ctr-attached sh");
    exec.types("tty; exit 4\n");
    exec.shows("/dev/pts/1");
    exec.ends().exits(4);
    let mut attach = Terminal::new("ctr tasks attach ctr-attached");
    attach.types("exit 6\n");
    // Both clients delete the task at its end; who comes second finds nothing.
    let codes = [first.ends().code, attach.ends().code];
    assert!(codes.contains(&6), "{codes:?}");
}

#[test]
fn pause_and_resume() {
    let task = Task::waiting("");
    sh!("ctr tasks pause {task}").ok();
    assert_eq!(task.status(), "PAUSED");
    sh!("ctr tasks exec --exec-id frozen {task} true").exits(1);
    sh!("ctr tasks resume {task}").ok();
    assert_eq!(task.status(), "RUNNING");
    sh!("ctr tasks exec --exec-id thawed {task} true").ok();
}

#[test]
fn signals_and_deletion() {
    let task = Task::waiting("");
    sh!("ctr tasks kill --signal TERM {task}").ok();
    task.await_status("STOPPED");
    sh!("ctr tasks delete {task}").ok().prints("");
    sh!("ctr tasks start --detach {task}").ok();
    sh!("ctr tasks kill --signal KILL --all {task}").ok();
    task.await_status("STOPPED");
    let deleted = sh!("ctr tasks delete {task}").ok();
    assert!(deleted.stderr.contains("exit code 137"), "{deleted:?}");
}

#[test]
fn metrics_and_processes() {
    let task = Task::waiting("--memory-limit 33554432");
    let metrics = sh!("ctr tasks metrics {task}").ok().stdout;
    assert!(metrics.contains("33554432"), "{metrics}");
}

#[test]
fn events_and_out_of_memory() {
    let _engine = CONTAINERD.hold();
    let watcher = crate::shell::command(&["sh", "-c", "exec ctr events >/tmp/ctr-events"]).spawn();
    let seen = |topic: &str| run(&format!("grep -q '{topic}' /tmp/ctr-events")).code == 0;
    // The stream has begun once an event of another is seen in it.
    eventually("events flow", || {
        run("ctr namespaces create probe; ctr namespaces remove probe");
        seen("/namespaces/")
    });
    sh!("{RUN} --rm --memory-limit 16777216 docker.io/library/world:1 ctr-hungry /probe alloc 100000000")
        .exits(137);
    for topic in ["/tasks/create", "/tasks/start", "/tasks/oom", "/tasks/exit", "/tasks/delete"] {
        eventually(topic, || seen(&format!("{topic}.*ctr-hungry")));
    }
    drop(watcher);
}

/// What containerd's API calls update, ctr does not offer: `ctr tasks` has no such verb before containerd 2, so the
/// pods of tests/engines/cri.rs update.
#[test]
fn seccomp_of_ctr() {
    let _engine = CONTAINERD.hold();
    sh!("{RUN} --rm --seccomp docker.io/library/world:1 ctr-filtered grep Seccomp: /proc/self/status")
        .ok()
        .prints("Seccomp:\t2");
}

#[test]
fn a_pid_file_and_a_pty_less_log() {
    let _engine = CONTAINERD.hold();
    sh!("{RUN} --detach --pid-file /tmp/ctr.pid --log-uri file:///tmp/ctr.log docker.io/library/world:1 ctr-logged sh -c 'echo logged; sleep infinity'").ok();
    until("cat /tmp/ctr.log", "logged");
    sh!("grep -q sleep /proc/$(cat /tmp/ctr.pid)/task/*/children /proc/$(cat /tmp/ctr.pid)/cmdline || test -d /proc/$(cat /tmp/ctr.pid)").ok();
    sh!("ctr tasks delete --force ctr-logged; ctr containers delete ctr-logged").ok();
}

/// The container goes on under another name, in the cgroup that its image names; so its first life has to end.
#[test]
fn checkpoint_and_restore() {
    needs!(criu);
    let task = Task::run("", "world:1 sh -c 'n=0; while :; do n=$((n + 1)); echo $n >/n; sleep 0.1; done'");
    until(
        &format!(
            "ctr tasks exec --exec-id count{} {task} sh -c 'test $(cat /n) -gt 3 && echo yes'",
            task.name
        ),
        "yes",
    );
    sh!("ctr containers checkpoint --rw --task {task} docker.io/library/kept:1").ok();
    sh!("ctr tasks kill --signal KILL {task}").ok();
    task.await_status("STOPPED");
    sh!("ctr tasks delete {task}").ok();
    sh!("ctr containers restore --rw --live ctr-restored docker.io/library/kept:1").ok();
    sh!("ctr tasks delete --force ctr-restored; ctr containers delete ctr-restored").ok();
}

#[test]
fn fifty_at_once() {
    let _engine = CONTAINERD.hold();
    let codes = sh!(
        "set +e; for n in $(seq 50); do ({RUN} --rm docker.io/library/world:1 ctr-fifty$n sh -c \"echo $n; exit $n\" >/tmp/ctr-fifty.$n; echo $n $? >>/tmp/ctr-fifty) & done
         wait; awk '$1 == $2' /tmp/ctr-fifty | wc -l; cat /tmp/ctr-fifty.* | sort -n | xargs; rm /tmp/ctr-fifty*"
    );
    let numbers: Vec<String> = (1..=50).map(|n: u32| n.to_string()).collect();
    codes.ok().prints(&format!("50\n{}", numbers.join(" ")));
}

/// It was called for this container.
#[test]
fn the_runtime_is_the_one_named() {
    let task = Task::waiting("");
    let calls = std::fs::read_to_string("/engines/sent/calls").unwrap();
    for verb in ["create", "start"] {
        assert!(
            calls.lines().any(|call| call.contains(verb) && call.ends_with(&task.name)),
            "no {verb} of {task}"
        );
    }
}
