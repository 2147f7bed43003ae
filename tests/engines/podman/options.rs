//! Options of `podman run`.

use super::{Detached, podman};
use crate::sh;

fn inside(options: &str, v1: &str, v2: &str) -> String {
    sh!("podman run --rm {options} world:1 sh -c 'cat /sys/fs/cgroup/{v1} 2>/dev/null || cat /sys/fs/cgroup/{v2}'").ok().stdout.trim().to_owned()
}

#[test]
fn limits() {
    let _machine = podman();
    assert_eq!(inside("--memory 40m", "memory/memory.limit_in_bytes", "memory.max"), "41943040");
    assert_eq!(inside("--pids-limit 33", "pids/pids.max", "pids.max"), "33");
    let quota = inside("--cpus 0.5", "cpu/cpu.cfs_quota_us", "cpu.max");
    assert!(["50000", "50000 100000"].contains(&quota.as_str()), "{quota}");
    assert_eq!(inside("--cpuset-cpus 0", "cpuset/cpuset.cpus", "cpuset.cpus"), "0");
}

#[test]
fn out_of_memory() {
    let hungry = Detached::run("--memory 16m --memory-swap 16m world:1 /probe alloc 100000000");
    sh!("podman wait {hungry}").ok().prints("137");
}

#[test]
fn rights() {
    let _machine = podman();
    let effective =
        |options: &str| sh!("podman run --rm {options} world:1 grep CapEff /proc/self/status").ok().stdout;
    assert!(effective("--cap-drop ALL --cap-add NET_ADMIN").ends_with("0000000000001000\n"));
    assert!(effective("--user 1000").ends_with("0000000000000000\n"));
    sh!("podman run --rm --security-opt no-new-privileges world:1 grep NoNewPrivs /proc/self/status")
        .ok()
        .prints("NoNewPrivs:\t1");
    sh!("podman run --rm --security-opt seccomp=unconfined world:1 grep Seccomp: /proc/self/status")
        .ok()
        .prints("Seccomp:\t0");
    sh!("podman run --rm --security-opt unmask=ALL world:1 sh -c 'echo x >/proc/sys/kernel/domainname'").ok();
    sh!("podman run --rm --security-opt mask=/etc/passwd world:1 wc -c /etc/passwd")
        .ok()
        .prints("0 /etc/passwd");
}

#[test]
fn privileged() {
    let _machine = podman();
    sh!("podman run --rm --privileged world:1 sh -c 'mkdir /m && mount -t tmpfs none /m && grep Seccomp: /proc/self/status'").ok().prints("Seccomp:\t0");
}

#[test]
fn files() {
    let _machine = podman();
    sh!("mkdir -p /srv/podman && echo host >/srv/podman/file").ok();
    sh!("podman run --rm -v /srv/podman:/data:ro world:1 sh -c 'cat /data/file; touch /data/x 2>/dev/null || echo read-only'").ok().prints("host\nread-only");
    sh!("podman run --rm -v /srv/podman:/data:O world:1 sh -c 'touch /data/x && ls /data' && ls /srv/podman")
        .ok()
        .prints("file\nx\nfile");
    sh!("podman volume create kept && podman run --rm -v kept:/etc world:1 touch /etc/mine && podman run --rm -v kept:/data world:1 ls /data/mine").ok();
    sh!("podman volume rm kept").ok();
    sh!("podman run --rm --read-only --tmpfs /scratch:size=1m,mode=1770 world:1 sh -c 'touch /x 2>/dev/null || stat -c %a /scratch'").ok().prints("1770");
    sh!("podman run --rm --mount type=tmpfs,destination=/t,tmpfs-size=65536 world:1 sh -c 'df -k /t | tail -n 1 | awk \"{{print \\$2}}\"'").ok().prints("64");
    sh!("podman run --rm --shm-size 5m world:1 sh -c 'df -k /dev/shm | tail -n 1 | awk \"{{print \\$2}}\"'")
        .ok()
        .prints("5120");
    sh!(
        "podman run --rm --device /dev/fuse:/dev/made world:1 sh -c 'stat -c %t:%T /dev/made; : <>/dev/made'"
    )
    .ok()
    .prints("a:e5");
}

/// The image is made on the host by nobody in particular: ids are shifted by the mounts or by copies.
#[test]
fn user_namespaces() {
    let _machine = podman();
    sh!("podman run --rm --uidmap 0:200000:65536 --gidmap 0:200000:65536 world:1 sh -c 'xargs </proc/self/uid_map; id -u; touch /x && stat -c %u /x'")
        .ok()
        .prints("0 200000 65536\n0\n0");
    sh!("podman run --rm --uidmap 0:200000:65536 --network none --user 1000 world:1 id -u")
        .ok()
        .prints("1000");
}

#[test]
fn namespaces_of_others() {
    let first = Detached::waiting("--ipc shareable");
    let pid = first.inspect("{{.State.Pid}}");
    for (option, name) in [("--pid", "pid"), ("--ipc", "ipc"), ("--network", "net"), ("--uts", "uts")] {
        let theirs = sh!("readlink /proc/{pid}/ns/{name}").ok().stdout;
        sh!("podman run --rm {option} container:{first} world:1 readlink /proc/self/ns/{name}")
            .ok()
            .prints(theirs.trim());
        let own = sh!("readlink /proc/self/ns/{name}").ok().stdout;
        sh!("podman run --rm {option} host world:1 readlink /proc/self/ns/{name}").ok().prints(own.trim());
    }
}

#[test]
fn process() {
    let _machine = podman();
    sh!("podman run --rm --hostname inner --user 1000:1000 --group-add 2000 --workdir /tmp --env A=b world:1 sh -c 'hostname; id -G; pwd; echo $A'")
        .ok()
        .prints("inner\n1000 2000\n/tmp\nb");
    sh!("podman run --rm --sysctl net.ipv4.ip_forward=1 --umask 0077 world:1 sh -c 'cat /proc/sys/net/ipv4/ip_forward; umask'").ok().prints("1\n0077");
    sh!("podman run --rm --oom-score-adj 500 world:1 cat /proc/self/oom_score_adj").ok().prints("500");
    sh!("podman run --rm --init world:1 cat /proc/1/comm").ok();
    sh!("podman run --rm --entrypoint /bin/sh world:1 -c 'echo given'").ok().prints("given");
    sh!("podman run --rm --secret none world:1 true").exits(125);
}

/// Podman asks for more processes than the machine may have as soon as one limit is named.
#[test]
fn limits_of_the_process() {
    let _machine = podman();
    sh!("podman run --rm --ulimit nofile=100:200 world:1 sh -c 'ulimit -Sn; ulimit -Hn'")
        .ok()
        .prints("100\n200");
}

#[test]
fn networks() {
    let _machine = podman();
    sh!("podman network create --subnet 10.78.0.0/24 net78").ok();
    sh!("podman run --rm --network net78 --ip 10.78.0.9 world:1 sh -c 'ip -o -4 addr show eth0 | awk \"{{print \\$4}}\"'").ok().prints("10.78.0.9/24");
    sh!("podman network rm net78").ok();
    sh!("podman run --rm --network none world:1 sh -c 'ip -o addr show lo | grep -c 127.0.0.1'")
        .ok()
        .prints("1");
}

/// Environment, files and limits of another's making: the hooks of OCI in /etc/containers/oci/hooks.d.
#[test]
fn hooks_of_the_administrator() {
    let _machine = podman();
    let hook = r#"{"version":"1.0.0","hook":{"path":"/bin/sh","args":["sh","-c","cat >/tmp/hook-state"]},"when":{"annotations":{"^hooked$":"^yes$"}},"stages":["prestart"]}"#;
    std::fs::create_dir_all("/srv/hooks").unwrap();
    std::fs::write("/srv/hooks/state.json", hook).unwrap();
    sh!("podman --hooks-dir /srv/hooks run --rm --annotation hooked=yes world:1 true").ok();
    sh!("jq -r .status /tmp/hook-state").ok().prints("creating");
}
