//! config-linux.md, "Sysctl", "Personality", "Memory policy", "Network Devices", "IntelRdt" and "Mount Label".

use std::fs;

use serde_json::json;

use crate::harness::*;
use crate::needs;

/// Sysctls of the container's own namespaces are set, and the host keeps its own.
/// config-linux.md, "Sysctl"
#[test]
fn a3_sysctls() {
    needs!(root);
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

/// A sysctl whose value the kernel refuses is an error that names it, and nothing is left.
/// config-linux.md, "Sysctl"
#[test]
fn a3_refused_values() {
    needs!(root);
    let container = Container::new().set("/linux/sysctl", json!({ "kernel.msgmax": "a lot" }));
    container.create(&[]).refuses(&["msgmax"]).exits(1);
    container.assert_clean();
}

/// LINUX32 makes `uname -m` that of the 32-bit sibling, LINUX changes nothing.
/// config-linux.md, "Personality"
#[test]
fn a2_personality() {
    needs!(root);
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
    needs!(root);
    let container = Container::new().set("/linux/personality", json!({ "domain": "LINUX32" })).sleeping();
    assert_eq!(container.exec_world(&[])["personality"], 8);
}

/// NUMA policies with nodes and flags.
/// config-linux.md, "Memory policy"
#[test]
fn mp1_modes() {
    needs!(root, numa);
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
