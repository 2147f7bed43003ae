//! config.md, "User" and "Linux Process": ids, groups, capabilities, labels.

use std::fs;

use serde_json::json;

use crate::harness::*;
use crate::needs;
use crate::refused::each_refused;

/// uid, gid and exactly the listed groups; none of the caller's remain.
/// config.md, "User"
#[test]
fn p4_user_and_groups() {
    needs!(root_or_ranges);
    let user = json!({ "uid": 1000, "gid": 1001, "additionalGids": [2000, 3000] });
    let world = Container::new().set("/process/user", user).world();
    assert_eq!(world["uid"], json!({ "real": 1000, "effective": 1000, "saved": 1000 }));
    assert_eq!(world["gid"], json!({ "real": 1001, "effective": 1001, "saved": 1001 }));
    assert_eq!(world["groups"], json!([2000, 3000]));
}

/// No user means root.
/// config.md, "User"
#[test]
fn p4_the_default_user() {
    needs!(root_or_ranges);
    let container = Container::new().edit(|config| {
        config["process"].as_object_mut().unwrap().remove("user");
    });
    let world = container.world();
    assert_eq!(world["uid"]["real"], 0);
    assert_eq!(world["gid"]["real"], 0);
    assert_eq!(world["groups"], json!([]));
}

/// umask as the config says, 0022 otherwise.
/// config.md, "User"
#[test]
fn p5_umask() {
    needs!(root_or_ranges);
    assert_eq!(Container::new().world()["umask"], 0o22);
    assert_eq!(Container::new().set("/process/user/umask", json!(0o77)).world()["umask"], 0o77);
    assert_eq!(Container::new().set("/process/user/umask", json!(0)).world()["umask"], 0);
}

/// The five sets are as listed, no more and no less.
/// config.md, "Linux Process"
#[test]
fn p7_capability_sets() {
    needs!(root_or_ranges);
    let container = Container::new().set(
        "/process/capabilities",
        json!({
            "bounding": ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID"],
            "permitted": ["CAP_CHOWN", "CAP_KILL"],
            "effective": ["CAP_KILL"],
            "inheritable": ["CAP_CHOWN"],
            "ambient": []
        }),
    );
    // For uid 0, execve turns the bounding and inheritable sets into permitted; a plain user shows the sets.
    let world = container.set("/process/user", json!({ "uid": 1000, "gid": 1000 })).world();
    assert_eq!(world["capabilities"]["bounding"], json!(["CAP_CHOWN", "CAP_KILL", "CAP_SETUID"]));
    assert_eq!(world["capabilities"]["inheritable"], json!(["CAP_CHOWN"]));
    assert_eq!(world["capabilities"]["permitted"], json!([]));
    assert_eq!(world["capabilities"]["effective"], json!([]));
    assert_eq!(world["capabilities"]["ambient"], json!([]));
}

/// The process has its sets from `create` on; of the effective one nothing is seen later, as execve(2) makes it anew.
/// config.md, "Linux Process"
#[test]
fn p7_effective_capabilities() {
    needs!(root_or_ranges);
    let container = Container::new().set(
        "/process/capabilities",
        json!({
            "bounding": ["CAP_CHOWN", "CAP_KILL", "CAP_BPF"], "permitted": ["CAP_CHOWN", "CAP_KILL", "CAP_BPF"],
            "effective": ["CAP_KILL", "CAP_BPF"], "inheritable": ["CAP_CHOWN"]
        }),
    );
    let container = container.edit(|config| {
        config["process"].as_object_mut().unwrap().remove("rlimits");
    });
    container.create(&[]).ok();
    let status = fs::read_to_string(format!("/proc/{}/status", container.pid())).unwrap();
    for line in ["CapInh:\t0000000000000001", "CapPrm:\t0000008000000021", "CapEff:\t0000008000000020"] {
        assert!(status.lines().any(|found| found == line), "no {line} in {status}");
    }
}

/// All the capabilities that there are, the newest too, can be given and are gone where they are not.
/// config.md, "Linux Process"
#[test]
fn p7_every_capability() {
    needs!(root_or_ranges);
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let own = status.lines().find_map(|line| line.strip_prefix("CapBnd:")).unwrap().trim();
    let own = u64::from_str_radix(own, 16).unwrap();
    let newest = ["CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE"];
    let given: Vec<&str> =
        (37..).zip(newest).filter(|(bit, _)| own & (1u64 << bit) != 0).map(|(_, name)| name).collect();
    let world = Container::new().capabilities(&given).world();
    for set in ["bounding", "permitted", "effective"] {
        assert_eq!(world["capabilities"][set], json!(given), "{set}");
    }
}

/// Root gets what the bounding set allows.
/// config.md, "Linux Process"
#[test]
fn p7_capabilities_of_root() {
    needs!(root_or_ranges);
    let world = Container::new().world();
    let expected = json!(["CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_AUDIT_WRITE"]);
    for set in ["bounding", "permitted", "effective"] {
        assert_eq!(world["capabilities"][set], expected, "{set}");
    }
}

/// No capabilities object means none at all.
/// config.md, "Linux Process"
#[test]
fn p7_no_capabilities() {
    needs!(root_or_ranges);
    let container = Container::new().edit(|config| {
        config["process"].as_object_mut().unwrap().remove("capabilities");
    });
    let world = container.world();
    for set in ["bounding", "permitted", "effective", "inheritable", "ambient"] {
        assert_eq!(world["capabilities"][set], json!([]), "{set}");
    }
}

/// A capability that nobody knows is a warning, not an error.
/// config.md, "Linux Process"
#[test]
fn p7_unknown_capabilities_warn() {
    needs!(root_or_ranges);
    let names = ["CAP_KILL", "CAP_FROM_THE_FUTURE"];
    let container = Container::new().capabilities(&names);
    let finished = container.run(&[]).ok();
    assert_eq!(finished.json()["capabilities"]["bounding"], json!(["CAP_KILL"]));
    assert!(finished.stderr.contains("CAP_FROM_THE_FUTURE"), "no warning: {}", finished.stderr);
}

/// Ambient capabilities survive execve of a plain user.
/// config.md, "Linux Process"
#[test]
fn p8_ambient_capabilities() {
    needs!(root_or_ranges);
    let names = json!(["CAP_NET_BIND_SERVICE"]);
    let container = Container::new().set("/process/user", json!({ "uid": 1000, "gid": 1000 })).set(
        "/process/capabilities",
        json!({
            "bounding": names, "permitted": names, "effective": names, "inheritable": names, "ambient": names
        }),
    );
    let world = container.world();
    for set in ["ambient", "effective", "permitted", "inheritable", "bounding"] {
        assert_eq!(world["capabilities"][set], names, "{set}");
    }
}

/// no_new_privs is as asked, also beside a filter.
/// config.md, "Linux Process"
#[test]
fn p9_no_new_privileges() {
    needs!(root_or_ranges);
    let filter = json!({ "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{ "names": ["ptrace"], "action": "SCMP_ACT_ERRNO" }] });
    for (asked, bit) in [(true, 1), (false, 0)] {
        let container = Container::new().set("/process/noNewPrivileges", json!(asked));
        assert_eq!(container.world()["no_new_privs"], bit);
        let container = Container::new().set("/process/noNewPrivileges", json!(asked));
        let world = container.set("/linux/seccomp", filter.clone()).world();
        assert_eq!((&world["no_new_privs"], &world["seccomp"]["mode"]), (&json!(bit), &json!(2)));
    }
}

/// A profile on a host without AppArmor is refused and not forgotten.
/// config.md, "Linux Process"
#[test]
fn p16_apparmor_without_apparmor() {
    needs!(root_or_ranges, no_apparmor);
    let container = Container::new().set("/process/apparmorProfile", json!("docker-default"));
    container.create(&[]).refuses(&["pparmor"]).exits(1);
    container.assert_clean();
}

/// A label on a host without SELinux is refused and not forgotten.
/// config.md, "Linux Process"
#[test]
fn p17_selinux_without_selinux() {
    needs!(root_or_ranges, no_selinux);
    let label = json!("system_u:system_r:container_t:s0");
    let container = Container::new().set("/process/selinuxLabel", label);
    container.create(&[]).refuses(&["elinux"]).exits(1);
    container.assert_clean();
}

/// Ids are those of the container's user namespace, its host ids those of the mapping.
/// config.md, "User"
#[test]
fn p4_ids_are_those_of_the_user_namespace() {
    needs!(root, user_ns);
    let user = json!({ "uid": 5, "gid": 6 });
    let container = Container::new().user_namespace().set("/process/user", user).sleeping();
    let status = fs::read_to_string(format!("/proc/{}/status", container.pid())).unwrap();
    assert!(status.contains("\nUid:\t100005\t100005\t100005\t100005\n"), "{status}");
    assert!(status.contains("\nGid:\t100006\t100006\t100006\t100006\n"), "{status}");
}

/// Only root's ids, and numbers.
/// config.md, "User"
#[test]
fn p4_bad_ids() {
    needs!(root_or_ranges);
    each_refused("/process/user/uid", &[json!(-1), json!("root")]);
    each_refused("/process/user/gid", &[json!(-1)]);
    each_refused("/process/user/additionalGids", &[json!([-1]), json!(5)]);
}

/// An ambient capability that is not inheritable is a warning, and is not there.
/// config.md, "Linux Process"
#[test]
fn p8_ambient_needs_inheritable() {
    needs!(root_or_ranges);
    let names = json!(["CAP_KILL"]);
    let container = Container::new().set("/process/user", json!({ "uid": 1000, "gid": 1000 })).set(
        "/process/capabilities",
        json!({ "bounding": names, "permitted": names, "effective": names, "ambient": names }),
    );
    assert_eq!(container.world()["capabilities"]["ambient"], json!([]));
}
