//! Another daemon beside the first, as an administrator may configure it: users of its own for containers, which also
//! outlive the daemon, and hull as one of several runtimes. Each daemon has a network of its own, as it would remove
//! what it does not know of another's.

use rustix::process::Signal;

use crate::engine::{Engine, Hold, Users};
use crate::sh;
use crate::shell::until;

static OTHER: Engine = Engine {
    name: "docker-other",
    daemon: "unshare --net dockerd --config-file /etc/docker/other.json",
    ready: "docker -H unix:///run/other.sock version",
    prepare: "docker -H unix:///run/other.sock load --quiet --input /engines/images.tar",
    users: Users::none(),
};

/// All by flags, and its containers outlive it.
static LIVES: Engine = Engine {
    name: "docker-lives",
    daemon: "unshare --net dockerd --config-file /etc/docker/empty.json --add-runtime hull=/usr/local/sbin/hull --default-runtime hull --live-restore \
             --host unix:///run/lives.sock --data-root /srv/docker-lives --exec-root /run/lives --pidfile /run/lives.pid",
    ready: "docker -H unix:///run/lives.sock version",
    prepare: "docker -H unix:///run/lives.sock load --quiet --input /engines/images.tar",
    users: Users::none(),
};

/// The client's first words.
const CLIENT: &str = "docker -H unix:///run/other.sock";

fn other() -> Hold {
    OTHER.hold()
}

#[test]
fn a_runtime_by_its_name() {
    let _engine = other();
    sh!("{CLIENT} run --rm --runtime hull world:1 echo hi").ok().prints("hi");
}

/// Docker wraps a runtime with arguments of its own into a script.
#[test]
fn a_runtime_with_arguments() {
    let _engine = other();
    sh!("{CLIENT} run --rm --runtime hull-debug world:1 echo hi").ok().prints("hi");
    let calls = std::fs::read_to_string("/engines/sent/calls").unwrap();
    assert!(calls.lines().any(|call| call.starts_with("--debug ")), "{calls}");
}

/// Root inside is 200000 outside, by the ranges of `dockremap` in /etc/subuid.
#[test]
fn users_of_its_own() {
    let _engine = other();
    sh!("{CLIENT} run --rm --runtime hull world:1 sh -c 'xargs </proc/self/uid_map; id -u'")
        .ok()
        .prints("0 200000 65536\n0");
    sh!("{CLIENT} run --rm --runtime hull --user 1000 --read-only --tmpfs /tmp world:1 sh -c 'id -u; touch /tmp/x && stat -c %u /tmp/x'")
        .ok()
        .prints("1000\n1000");
    sh!("{CLIENT} run --rm --runtime hull --init --cap-add NET_ADMIN --network none world:1 ip link set lo mtu 1000").ok();
    sh!("{CLIENT} run --rm --runtime hull --userns host world:1 sh -c 'xargs </proc/self/uid_map'")
        .ok()
        .prints("0 0 4294967295");
}

#[test]
fn exec_and_copies_into_a_user_namespace() {
    let _engine = other();
    let id = sh!("{CLIENT} run --detach --runtime hull pause:1").ok().stdout;
    let id = id.trim();
    sh!("{CLIENT} exec {id} sh -c 'id -u; xargs </proc/self/uid_map'").ok().prints("0\n0 200000 65536");
    sh!("echo there >/tmp/users && {CLIENT} cp /tmp/users {id}:/there && {CLIENT} exec {id} cat /there")
        .ok()
        .prints("there");
    sh!("{CLIENT} rm --force {id}").ok();
}

/// With live-restore, containers outlive the daemon, however it ends, and the next one finds them.
#[test]
fn containers_outlive_the_daemon() {
    const CLIENT: &str = "docker -H unix:///run/lives.sock";
    let _engine = LIVES.hold();
    let id = sh!("{CLIENT} run --detach pause:1").ok().stdout;
    let id = id.trim();
    let pid = sh!("{CLIENT} inspect --format '{{{{.State.Pid}}}}' {id}").ok().stdout;
    for signal in [Signal::TERM, Signal::KILL] {
        LIVES.restart(signal);
        until(&format!("{CLIENT} inspect --format '{{{{.State.Pid}}}}' {id}"), pid.trim());
        sh!("{CLIENT} exec {id} echo still here").ok().prints("still here");
    }
    sh!("{CLIENT} stop {id} && {CLIENT} rm {id}").ok();
}
