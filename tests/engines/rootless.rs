//! Podman by an ordinary user.

use std::sync::LazyLock;

use crate::engine::{Hold, machine};
use crate::harness::Finished;
use crate::sh;
use crate::shell::until;

/// A line of shell, by the user.
fn tester(line: &str) -> Finished {
    let line = line.replace('\'', "'\\''");
    sh!(
        "cd /home/tester && exec setpriv --reuid 1000 --regid 1000 --init-groups env HOME=/home/tester USER=tester \
         XDG_RUNTIME_DIR=/run/user/1000 sh -ec '{line}'"
    )
}

fn podman() -> Hold {
    static IMAGES: LazyLock<()> = LazyLock::new(|| {
        tester("podman load --quiet --input /engines/images.tar").ok();
    });
    let hold = machine();
    LazyLock::force(&IMAGES);
    hold
}

#[test]
fn run_gives_output_and_exit_code() {
    let _machine = podman();
    tester("podman run --rm --network none world:1 sh -c 'id -u; echo err >&2; exit 3'").exits(3).prints("0");
    tester("echo hello | podman run --rm -i --network none world:1 cat").ok().prints("hello");
    tester("podman run --rm --network none world:1 no-such-program").exits(127);
}

/// Root inside is the user outside, and others are of the range in /etc/subuid.
#[test]
fn users() {
    let _machine = podman();
    tester(
        "podman run --rm --network none world:1 sh -c 'awk \"{print \\$1, \\$2, \\$3}\" /proc/self/uid_map'",
    )
    .ok()
    .prints("0 1000 1\n1 100000 65536");
    tester(
        "podman run --rm --network none --user 1000 world:1 sh -c 'id -u; touch /tmp/x && stat -c %u /tmp/x'",
    )
    .ok()
    .prints("1000\n1000");
    tester("podman run --rm --network none --userns keep-id world:1 id -u").ok().prints("1000");
    tester("mkdir -p data && podman run --rm --network none -v /home/tester/data:/data world:1 touch /data/made && stat -c %u data/made").ok().prints("1000");
}

#[test]
fn a_network_of_its_own() {
    let _machine = podman();
    tester("podman run --rm --network slirp4netns world:1 sh -c 'ip -o -4 addr show tap0 | awk \"{print \\$4}\"'").ok().prints("10.0.2.100/24");
}

#[test]
fn exec_stop_and_logs() {
    let _machine = podman();
    tester("podman run --detach --name web --network none world:1 sh -c 'trap \"exit 143\" TERM; echo ready; sleep 1000 & wait'").ok();
    tester("podman exec web sh -c 'echo hi; exit 4'").exits(4).prints("hi");
    tester("podman exec --user 1000 web id -u").ok().prints("1000");
    tester("podman logs web").ok().prints("ready");
    assert!(tester("podman top web pid args").ok().stdout.contains("sleep 1000"));
    tester("podman stop web").ok();
    tester("podman inspect --format '{{.State.ExitCode}} {{.OCIRuntime}}' web").ok().prints("143 hull");
    tester("podman start web && podman kill web && podman rm --force web").ok();
}

#[test]
fn options() {
    let _machine = podman();
    tester("podman run --rm --network none --read-only --tmpfs /scratch --hostname inner --cap-drop ALL world:1 sh -c 'hostname; touch /scratch/x; grep CapEff /proc/self/status'")
        .ok()
        .prints("inner\nCapEff:\t0000000000000000");
    tester("podman run --rm --network none --privileged world:1 sh -c 'mkdir /m && mount -t tmpfs none /m && echo mounted'").ok().prints("mounted");
    tester("podman run --rm --network none --device /dev/fuse world:1 stat -c %t:%T /dev/fuse")
        .ok()
        .prints("a:e5");
    tester(
        "podman run --rm --network host --pid host --ipc host --uts host world:1 readlink /proc/self/ns/net",
    )
    .ok()
    .prints(sh!("readlink /proc/self/ns/net").ok().stdout.trim());
}

#[test]
fn a_pod() {
    let _machine = podman();
    tester(
        "podman pod create --name pod --network none && podman run --detach --pod pod --name member pause:1",
    )
    .ok();
    tester("podman exec member hostname").ok().prints("pod");
    tester("podman pod rm --force --time 2 pod").ok();
    until(
        "setpriv --reuid 1000 --regid 1000 --init-groups env HOME=/home/tester XDG_RUNTIME_DIR=/run/user/1000 podman pod ps --quiet | wc -l",
        "0",
    );
}

#[test]
fn build() {
    let _machine = podman();
    tester("mkdir -p build && printf 'FROM docker.io/library/world:1\\nRUN id -u >/who\\n' >build/Containerfile && podman build --quiet --network none --tag built:1 build").ok();
    tester("podman run --rm --network none built:1 cat /who").ok().prints("0");
}
