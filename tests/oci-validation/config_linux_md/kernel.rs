//! config-linux.md, "Sysctl", "Personality", "Memory policy" and "Mount Label".

use std::fs;

use serde_json::json;

use crate::harness::*;
use crate::needs;
use crate::refused::{each_refused, refused};

/// Sysctls of the container's own namespaces are set, and the host keeps its own.
/// config-linux.md, "Sysctl"
#[test]
fn a3_sysctls() {
    needs!(root_or_ranges);
    let host = fs::read_to_string("/proc/sys/kernel/msgmax").unwrap();
    let world = Container::new()
        .set(
            "/linux/sysctl",
            json!({ "kernel.msgmax": "4097", "net.ipv4.ip_forward": "1", "net/ipv4/ip_default_ttl": "33" }),
        )
        .args(&["/probe", "print", "kernel.msgmax", "net.ipv4.ip_forward", "net.ipv4.ip_default_ttl"])
        .world();
    assert_eq!(world["sysctls"]["kernel.msgmax"], "4097\n");
    assert_eq!(world["sysctls"]["net.ipv4.ip_forward"], "1\n");
    assert_eq!(world["sysctls"]["net.ipv4.ip_default_ttl"], "33\n");
    assert_eq!(fs::read_to_string("/proc/sys/kernel/msgmax").unwrap(), host);
}

/// Every parameter of an IPC namespace, and the one of a UTS namespace that no property has.
/// config-linux.md, "Sysctl"
#[test]
fn a3_sysctls_of_each_namespace() {
    needs!(root);
    let table = json!({
        "kernel.msgmax": "4097", "kernel.msgmnb": "4098", "kernel.msgmni": "99", "kernel.sem": "251\t32001\t33\t129",
        "kernel.shmall": "4099", "kernel.shmmax": "4100", "kernel.shmmni": "101", "kernel.shm_rmid_forced": "1",
        "fs.mqueue.queues_max": "17", "kernel.domainname": "some.domain"
    });
    let names: Vec<&str> = table.as_object().unwrap().keys().map(String::as_str).collect();
    let container = Container::new().set("/linux/sysctl", table.clone());
    let found = container.args(&[&["/probe", "print"], &names[..]].concat()).world()["sysctls"].clone();
    for name in names {
        assert_eq!(found[name].as_str().map(str::trim_end), table[name].as_str(), "{name}");
    }
}

/// A sysctl whose value the kernel refuses is an error that names it, and nothing is left.
/// config-linux.md, "Sysctl"
#[test]
fn a3_refused_values() {
    needs!(root_or_ranges);
    let container = Container::new().set("/linux/sysctl", json!({ "kernel.msgmax": "a lot" }));
    container.create(&[]).refuses(&["msgmax"]).exits(1);
    container.assert_clean();
}

/// LINUX32 makes `uname -m` that of the 32-bit sibling, LINUX changes nothing.
/// config-linux.md, "Personality"
#[test]
fn a2_personality() {
    needs!(root_or_ranges);
    let world = Container::new().set("/linux/personality", json!({ "domain": "LINUX32" })).world();
    assert_eq!(world["personality"], 8);
    assert_ne!(world["machine"], std::env::consts::ARCH);
    let world = Container::new().set("/linux/personality", json!({ "domain": "LINUX" })).world();
    assert_eq!(world["personality"], 0);
}

/// exec has the personality of the container.
/// config-linux.md, "Personality"
#[test]
fn a2_exec_inherits_the_personality() {
    needs!(root_or_ranges);
    let container = Container::new().set("/linux/personality", json!({ "domain": "LINUX32" })).sleeping();
    assert_eq!(container.exec_world(&[])["personality"], 8);
}

/// NUMA policies with nodes and flags.
/// config-linux.md, "Memory policy"
#[test]
fn mp1_modes() {
    needs!(root_or_ranges, numa);
    let table = [
        (
            json!({ "mode": "MPOL_BIND", "nodes": "0" }),
            json!({ "mode": "MPOL_BIND", "flags": [], "nodes": [0] }),
        ),
        (
            json!({ "mode": "MPOL_INTERLEAVE", "nodes": "0" }),
            json!({ "mode": "MPOL_INTERLEAVE", "flags": [], "nodes": [0] }),
        ),
        (
            json!({ "mode": "MPOL_PREFERRED", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"] }),
            json!({ "mode": "MPOL_PREFERRED", "flags": ["MPOL_F_STATIC_NODES"], "nodes": [0] }),
        ),
        (json!({ "mode": "MPOL_LOCAL" }), json!({ "mode": "MPOL_LOCAL", "flags": [], "nodes": [] })),
        (json!({ "mode": "MPOL_DEFAULT" }), json!({ "mode": "MPOL_DEFAULT", "flags": [], "nodes": [] })),
    ];
    for (asked, expected) in table {
        let world = Container::new().set("/linux/memoryPolicy", asked).world();
        assert_eq!(world["memory_policy"], expected);
    }
}

/// Domains are two, flags are none.
/// config-linux.md, "Personality"
#[test]
fn a2_bad_personalities() {
    needs!(root_or_ranges);
    each_refused(
        "/linux/personality",
        &[json!({ "domain": "BOGUS" }), json!({ "domain": "LINUX", "flags": ["X"] }), json!({})],
    );
}

/// Only what belongs to a namespace of the container's own may be set.
/// config-linux.md, "Sysctl"
#[test]
fn a3_foreign_sysctls() {
    needs!(root_or_ranges);
    each_refused(
        "/linux/sysctl",
        &[
            json!({ "kernel.panic": "1" }),
            json!({ "vm.swappiness": "1" }),
            json!({ "net/../kernel/panic": "1" }),
            json!({ "": "1" }),
            json!({ "kernel.msgmax": 1 }),
            json!({ "net.ipv4.no_such_parameter": "1" }),
        ],
    );
    refused(
        &Container::new()
            .without_namespace("network")
            .set("/linux/sysctl", json!({ "net.ipv4.ip_forward": "1" })),
    );
    refused(
        &Container::new().without_namespace("ipc").set("/linux/sysctl", json!({ "kernel.msgmax": "4097" })),
    );
}

/// Nodes that the mode wants or does not want, flags that exclude each other, words that nobody knows.
/// config-linux.md, "Memory policy"
#[test]
fn mp2_bad_policies() {
    needs!(root_or_ranges, numa);
    let policy = |mode: &str, nodes: &str| json!({ "mode": mode, "nodes": nodes });
    let flags = |flags: &[&str]| json!({ "mode": "MPOL_BIND", "nodes": "0", "flags": flags });
    each_refused(
        "/linux/memoryPolicy",
        &[
            policy("MPOL_BOGUS", ""),
            policy("MPOL_BIND", ""),
            policy("MPOL_INTERLEAVE", ""),
            policy("MPOL_DEFAULT", "0"),
            policy("MPOL_LOCAL", "0"),
            policy("MPOL_BIND", "0-4294967295"),
            policy("MPOL_BIND", "900"),
            policy("MPOL_BIND", "zero"),
            flags(&["MPOL_F_STATIC_NODES", "MPOL_F_RELATIVE_NODES"]),
            flags(&["BOGUS"]),
        ],
    );
}

/// Flags reach the kernel.
/// config-linux.md, "Memory policy"
#[test]
fn mp3_flags() {
    needs!(root_or_ranges, numa);
    for flag in ["MPOL_F_STATIC_NODES", "MPOL_F_RELATIVE_NODES", "MPOL_F_NUMA_BALANCING"] {
        let asked = json!({ "mode": "MPOL_BIND", "nodes": "0", "flags": [flag] });
        let world = Container::new().set("/linux/memoryPolicy", asked.clone()).world();
        assert_eq!(world["memory_policy"]["flags"], asked["flags"]);
    }
}

/// exec has the policy of the container.
/// config-linux.md, "Memory policy"
#[test]
fn mp4_exec_inherits() {
    needs!(root_or_ranges, numa);
    let asked = json!({ "mode": "MPOL_BIND", "nodes": "0" });
    let container = Container::new().set("/linux/memoryPolicy", asked).sleeping();
    assert_eq!(container.exec_world(&[])["memory_policy"]["mode"], "MPOL_BIND");
}

/// A label where SELinux is off is an error.
/// config-linux.md, "Mount Label"
#[test]
fn m21_mount_label_without_selinux() {
    needs!(root_or_ranges, no_selinux);
    each_refused("/linux/mountLabel", &[json!("system_u:object_r:container_file_t:s0")]);
}

/// A directory of the image at /proc gets no kernel parameter in place of the kernel (CVE-2025-52881).
/// config-linux.md, "Sysctl"
#[test]
fn a1_a_planted_proc_is_not_trusted() {
    needs!(root_or_ranges);
    let container = Container::new().edit(|config| {
        config["mounts"].as_array_mut().unwrap().retain(|mount| mount["destination"] != "/proc");
    });
    let fake = container.bundle.join("fake");
    let planted = fake.join("sys/net/ipv4/ip_forward");
    fs::create_dir_all(planted.parent().unwrap()).unwrap();
    fs::write(&planted, "planted").unwrap();
    let container = container
        .mount("/proc", "bind", "fake", &["rbind"])
        .mount("/true/proc", "proc", "proc", &[])
        .set("/linux/maskedPaths", json!([]))
        .set("/linux/readonlyPaths", json!([]))
        .set("/linux/sysctl", json!({ "net.ipv4.ip_forward": "1" }))
        .args(&["/probe", "read", "/true/proc/sys/net/ipv4/ip_forward"]);
    let finished = container.run(&[]);
    assert_eq!(fs::read_to_string(&planted).unwrap(), "planted");
    if finished.code == 0 {
        assert_eq!(finished.json()["/true/proc/sys/net/ipv4/ip_forward"], "1\n");
    }
}
