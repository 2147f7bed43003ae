//! Namespaces: the host's, another container's, and users of its own.

use super::{Detached, docker};
use crate::sh;

fn own(name: &str) -> String {
    sh!("readlink /proc/self/ns/{name}").ok().stdout.trim().to_owned()
}

fn of(options: &str, name: &str) -> String {
    sh!("docker run --rm {options} world:1 readlink /proc/self/ns/{name}").ok().stdout.trim().to_owned()
}

#[test]
fn the_hosts() {
    let _engine = docker();
    for (option, name) in [("--pid", "pid"), ("--ipc", "ipc"), ("--uts", "uts"), ("--network", "net")] {
        assert_eq!(of(&format!("{option} host"), name), own(name), "{option}");
        assert_ne!(of("", name), own(name), "{option}");
    }
}

#[test]
fn another_containers() {
    let first = Detached::waiting("--ipc shareable --hostname first");
    let pid = first.inspect("{{.State.Pid}}");
    for (option, name) in [("--pid", "pid"), ("--ipc", "ipc"), ("--network", "net")] {
        let theirs = sh!("readlink /proc/{pid}/ns/{name}").ok().stdout;
        assert_eq!(of(&format!("{option} container:{first}"), name), theirs.trim(), "{option}");
    }
    sh!("docker run --rm --pid container:{first} world:1 ps").ok();
}

/// A process of another container's pid namespace can be signalled; the namespace's own first process goes on.
#[test]
fn processes_of_another_container() {
    let first = Detached::waiting("");
    let second = Detached::run(&format!("--pid container:{first} world:1 sleep 1000"));
    let seen = sh!("docker exec {first} ps").ok().stdout;
    assert!(seen.contains("sleep 1000"), "{seen}");
    sh!("docker stop --time 1 {second}").ok();
    sh!("docker exec {first} true").ok();
}

#[test]
fn cgroup_namespaces() {
    let _engine = docker();
    assert_eq!(of("--cgroupns host", "cgroup"), own("cgroup"));
    assert_ne!(of("--cgroupns private", "cgroup"), own("cgroup"));
}

#[test]
fn privileged_in_the_hosts_namespaces() {
    let _engine = docker();
    sh!("docker run --rm --privileged --pid host --network host --ipc host --uts host world:1 \
         nsenter -t 1 -m -- test -e /engines/runtime")
    .ok();
}
