//! Options of `docker run` that shape the process and what it sees.

use super::{Detached, docker};
use crate::sh;
use crate::shell::run;

#[test]
fn user_groups_directory_and_environment() {
    let _engine = docker();
    sh!("docker run --rm --user 1000:1000 --group-add 2000 --workdir /made/here --env A=b world:1 sh -c 'id; pwd; echo $A $HOME'")
        .ok()
        .prints("uid=1000(guest) gid=1000(guest) groups=1000(guest),2000(extra)\n/made/here\nb /home/guest");
    sh!("docker run --rm --user guest world:1 id -un").ok().prints("guest");
    let unknown = sh!("docker run --rm --user nobody-knows world:1 true").exits(125);
    assert!(unknown.stderr.contains("nobody-knows"), "{unknown:?}");
}

#[test]
fn environment_from_a_file_and_the_entrypoint() {
    let _engine = docker();
    sh!("printf 'A=1\\nB=two words\\n' >/tmp/env; docker run --rm --env-file /tmp/env --entrypoint /bin/sh world:1 -c 'echo $A $B'")
        .ok()
        .prints("1 two words");
}

#[test]
fn names_of_the_machine_and_of_others() {
    let _engine = docker();
    sh!("docker run --rm --hostname inner --domainname example.org --add-host other:10.1.2.3 --dns 10.9.9.9 world:1 \
         sh -c 'hostname; cat /proc/sys/kernel/domainname; grep other /etc/hosts; grep ^nameserver /etc/resolv.conf'")
    .ok()
    .prints("inner\nexample.org\n10.1.2.3\tother\nnameserver 10.9.9.9");
}

#[test]
fn read_only_with_tmpfs() {
    let _engine = docker();
    sh!("docker run --rm --read-only --tmpfs /scratch:rw,noexec,size=1m,mode=1770 world:1 \
         sh -c 'touch /x; touch /scratch/x && grep -o \"/scratch tmpfs [a-z,]*,relatime\" /proc/mounts; stat -c %a /scratch; df -k /scratch | tail -n 1 | awk \"{{print \\$2}}\"'")
    .ok()
    .prints("/scratch tmpfs rw,nosuid,nodev,noexec,relatime\n1770\n1024");
}

#[test]
fn limits_of_the_process() {
    let _engine = docker();
    sh!("docker run --rm --ulimit nofile=100:200 --ulimit core=0 --ulimit cpu=100 world:1 sh -c 'ulimit -Sn; ulimit -Hn; ulimit -c; ulimit -t'")
        .ok()
        .prints("100\n200\n0\n100");
}

#[test]
fn raised_limits() {
    let _engine = docker();
    sh!("docker run --rm --ulimit nofile=1048577 world:1 sh -c 'ulimit -n'").ok().prints("1048577");
}

#[test]
fn sysctls() {
    let _engine = docker();
    sh!("docker run --rm --sysctl net.ipv4.ip_forward=1 --sysctl kernel.msgmax=9000 --sysctl net.core.somaxconn=321 world:1 \
         cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax /proc/sys/net/core/somaxconn")
    .ok()
    .prints("1\n9000\n321");
    sh!("docker run --rm --sysctl kernel.no_such_thing=1 world:1 true").exits(125);
}

#[test]
fn shared_memory_has_the_size_asked_for() {
    let _engine = docker();
    sh!("docker run --rm --shm-size 5m world:1 sh -c 'df -k /dev/shm | tail -n 1 | awk \"{{print \\$2}}\"'")
        .ok()
        .prints("5120");
}

#[test]
fn oom_score() {
    let _engine = docker();
    sh!("docker run --rm --oom-score-adj 500 world:1 cat /proc/self/oom_score_adj").ok().prints("500");
}

#[test]
fn a_lower_oom_score() {
    let _engine = docker();
    sh!("docker run --rm --oom-score-adj=-500 world:1 cat /proc/self/oom_score_adj").ok().prints("-500");
}

#[test]
fn devices() {
    let _engine = docker();
    sh!("docker run --rm --device /dev/fuse:/dev/made:r world:1 sh -c 'stat -c %t:%T /dev/made; : </dev/made && ! (: <>/dev/made)'").ok().prints("a:e5");
    sh!("docker run --rm --device /dev/fuse world:1 sh -c ': <>/dev/fuse'").ok();
}

#[test]
fn a_rule_for_devices() {
    let _engine = docker();
    sh!("docker run --rm --device-cgroup-rule 'c 10:229 rwm' world:1 sh -c 'mknod /f c 10 229 && : <>/f && echo open'").ok().prints("open");
    sh!("docker run --rm world:1 sh -c 'mknod /f c 10 229 && : <>/f'").exits(1);
}

#[test]
fn init_is_process_one_and_reaps() {
    let _engine = docker();
    sh!("docker run --rm --init world:1 sh -c '(true &); ps -o pid,comm | head -n 3'").ok();
    let tree = sh!("docker run --rm --init world:1 ps -o pid,comm").ok().stdout;
    assert!(tree.contains("1 docker-init"), "{tree}");
}

#[test]
fn a_hook_of_the_network_gives_an_address() {
    let _engine = docker();
    sh!("docker network create --subnet 10.77.0.0/24 net77").ok();
    sh!("docker run --rm --network net77 --ip 10.77.0.9 --mac-address 02:42:0a:4d:00:09 world:1 \
         sh -c 'ip -o -4 addr show eth0 | awk \"{{print \\$4}}\"; cat /sys/class/net/eth0/address'")
    .ok()
    .prints("10.77.0.9/24\n02:42:0a:4d:00:09");
    sh!("docker network rm net77").ok();
}

#[test]
fn containers_find_each_other_by_name() {
    let _engine = docker();
    sh!("docker network create named").ok();
    let server =
        Detached::run("--network named --name server world:1 sh -c 'echo found >/index.html; httpd -f -h /'");
    sh!("docker run --rm --network named world:1 sh -c 'until wget -qO- http://server/; do sleep 0.1; done'")
        .ok()
        .prints("found");
    drop(server);
    sh!("docker network rm named").ok();
}

#[test]
fn published_ports() {
    let server =
        Detached::run("--publish 127.0.0.1:8080:80 world:1 sh -c 'echo found >/index.html; httpd -f -h /'");
    sh!("curl --silent --retry 20 --retry-connrefused --retry-all-errors --retry-delay 0 --retry-max-time 20 http://127.0.0.1:8080/")
        .ok()
        .prints("found");
    drop(server);
}

/// A network can be joined and left while the container runs.
#[test]
fn networks_come_and_go() {
    let web = Detached::waiting("");
    sh!("docker network create late && docker network connect late {web} && docker exec {web} ip link show eth1").ok();
    sh!("docker network disconnect late {web}").ok();
    sh!("docker exec {web} ip link show eth1").exits(2);
    sh!("docker network rm late").ok();
}

#[test]
fn no_network() {
    let _engine = docker();
    sh!("docker run --rm --network none world:1 sh -c 'ip -o link | wc -l; ip -o addr show lo | grep -c 127.0.0.1'").ok().prints("1\n1");
}

#[test]
fn a_health_check_is_an_exec() {
    let well = Detached::waiting(
        "--health-cmd 'test -e /well' --health-interval 200ms --health-retries 2 --health-timeout 20s",
    );
    crate::shell::until(
        &format!("docker inspect --format '{{{{.State.Health.Status}}}}' {well}"),
        "unhealthy",
    );
    sh!("docker exec {well} touch /well").ok();
    crate::shell::until(&format!("docker inspect --format '{{{{.State.Health.Status}}}}' {well}"), "healthy");
}

/// The engine names the runtime that made the container.
#[test]
fn the_runtime_is_the_one_configured() {
    let web = Detached::waiting("");
    assert_eq!(web.inspect("{{.HostConfig.Runtime}}"), "hull");
    let info = run("docker info --format '{{.DefaultRuntime}}'").ok();
    info.prints("hull");
    let id = &web.name;
    let calls = std::fs::read_to_string("/engines/sent/calls").unwrap();
    for verb in ["create", "start"] {
        assert!(calls.lines().any(|call| call.contains(verb) && call.ends_with(id)), "no {verb} of {id}");
    }
}
