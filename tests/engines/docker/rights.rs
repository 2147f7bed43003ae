//! What a container may do: capabilities, seccomp, no_new_privs, masked paths, all of it at once with --privileged.

use super::{Detached, docker};
use crate::sh;

fn effective(options: &str) -> u64 {
    let line = sh!("docker run --rm {options} world:1 grep CapEff /proc/self/status").ok().stdout;
    u64::from_str_radix(line.trim().trim_start_matches("CapEff:").trim(), 16).unwrap()
}

const NET_ADMIN: u64 = 1 << 12;
const NET_RAW: u64 = 1 << 13;

#[test]
fn capabilities_come_and_go() {
    let _engine = docker();
    let usual = effective("");
    assert_eq!(usual, 0xa804_25fb);
    assert_eq!(effective("--cap-add NET_ADMIN"), usual | NET_ADMIN);
    assert_eq!(effective("--cap-drop NET_RAW"), usual & !NET_RAW);
    assert_eq!(effective("--cap-drop ALL"), 0);
    assert_eq!(effective("--cap-drop ALL --cap-add NET_ADMIN"), NET_ADMIN);
    // An ordinary user has none of them.
    assert_eq!(effective("--user 1000 --cap-add NET_ADMIN"), 0);
}

#[test]
fn a_capability_works() {
    let _engine = docker();
    sh!("docker run --rm world:1 ip link set lo mtu 1000").exits(2);
    sh!("docker run --rm --cap-add NET_ADMIN world:1 ip link set lo mtu 1000").ok();
}

#[test]
fn privileged() {
    let _engine = docker();
    sh!("docker run --rm --privileged world:1 sh -c 'grep -E \"^(NoNewPrivs|Seccomp):\" /proc/self/status | xargs; \
         mount -t tmpfs none /mnt 2>/dev/null || {{ mkdir /mnt && mount -t tmpfs none /mnt; }}; touch /proc/sys/kernel/hostname && \
         ls /dev/fuse && grep -c \" /sys sysfs rw\" /proc/mounts'")
    .ok()
    .prints("NoNewPrivs: 0 Seccomp: 0\n/dev/fuse\n1");
    let own = std::fs::read_to_string("/proc/self/status").unwrap();
    let own = own.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap();
    let own = u64::from_str_radix(own.trim(), 16).unwrap();
    // Docker 20.10 does not know the three youngest.
    let old = (1 << 38) - 1;
    assert_eq!(effective("--privileged") & old, own & old, "all that dockerd itself has");
}

#[test]
fn privileged_exec() {
    let web = Detached::waiting("--user 1000");
    sh!("docker exec --privileged --user 0 {web} ip link set lo mtu 1000").ok();
    sh!("docker exec {web} grep CapEff /proc/self/status").ok().prints("CapEff:\t0000000000000000");
}

#[test]
fn no_new_privileges() {
    let _engine = docker();
    sh!("docker run --rm --security-opt no-new-privileges world:1 grep NoNewPrivs /proc/self/status")
        .ok()
        .prints("NoNewPrivs:\t1");
    sh!("docker run --rm world:1 grep NoNewPrivs /proc/self/status").ok().prints("NoNewPrivs:\t0");
}

#[test]
fn seccomp_profiles() {
    let _engine = docker();
    sh!("docker run --rm world:1 sh -c 'grep Seccomp: /proc/self/status; unshare -U true'")
        .exits(1)
        .prints("Seccomp:\t2");
    sh!("docker run --rm --security-opt seccomp=unconfined world:1 grep Seccomp: /proc/self/status")
        .ok()
        .prints("Seccomp:\t0");
    let profile = r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["chmod","fchmodat","fchmodat2"],"action":"SCMP_ACT_ERRNO"}]}"#;
    std::fs::write("/tmp/no-chmod.json", profile).unwrap();
    sh!("docker run --rm --security-opt seccomp=/tmp/no-chmod.json world:1 sh -c 'touch /f && chmod 600 /f'")
        .exits(1);
}

#[test]
fn kernel_files_are_masked_unless_asked_for() {
    let _engine = docker();
    sh!("docker run --rm world:1 sh -c 'wc -c </proc/timer_list; echo x >/proc/sys/kernel/domainname'")
        .exits(1)
        .prints("0");
    sh!("docker run --rm --security-opt systempaths=unconfined world:1 sh -c 'echo x >/proc/sys/kernel/domainname'").ok();
}
