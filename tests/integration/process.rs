//! `process`: identity, capabilities, environment, directory, limits, and what must not leak in (config.md).

use std::fs;

use serde_json::{Value, json};

use crate::harness::*;
use crate::needs;

/// uid, gid and exactly the listed groups; none of the caller's remain.
#[test]
fn user_and_groups() {
    needs!(root);
    let user = json!({ "uid": 1000, "gid": 1001, "additionalGids": [2000, 3000] });
    let world = Container::new().set("/process/user", user).world();
    assert_eq!(world["uid"], json!({ "real": 1000, "effective": 1000, "saved": 1000 }));
    assert_eq!(world["gid"], json!({ "real": 1001, "effective": 1001, "saved": 1001 }));
    assert_eq!(world["groups"], json!([2000, 3000]));
}

/// No user means root.
#[test]
fn the_default_user() {
    needs!(root);
    let container = Container::new().edit(|config| {
        config["process"].as_object_mut().unwrap().remove("user");
    });
    let world = container.world();
    assert_eq!(world["uid"]["real"], 0);
    assert_eq!(world["gid"]["real"], 0);
    assert_eq!(world["groups"], json!([]));
}

/// umask as the config says, 0022 otherwise.
#[test]
fn umask() {
    needs!(root);
    assert_eq!(Container::new().world()["umask"], 0o22);
    assert_eq!(Container::new().set("/process/user/umask", json!(0o77)).world()["umask"], 0o77);
    assert_eq!(Container::new().set("/process/user/umask", json!(0)).world()["umask"], 0);
}

/// The five sets are as listed, no more and no less.
#[test]
fn capability_sets() {
    needs!(root);
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

/// Root gets what the bounding set allows.
#[test]
fn capabilities_of_root() {
    needs!(root);
    let world = Container::new().world();
    let expected = json!(["CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_AUDIT_WRITE"]);
    for set in ["bounding", "permitted", "effective"] {
        assert_eq!(world["capabilities"][set], expected, "{set}");
    }
}

/// Ambient capabilities survive execve of a plain user.
#[test]
fn ambient_capabilities() {
    needs!(root);
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

/// No capabilities object means none at all.
#[test]
fn no_capabilities() {
    needs!(root);
    let container = Container::new().edit(|config| {
        config["process"].as_object_mut().unwrap().remove("capabilities");
    });
    let world = container.world();
    for set in ["bounding", "permitted", "effective", "inheritable", "ambient"] {
        assert_eq!(world["capabilities"][set], json!([]), "{set}");
    }
}

/// A capability that nobody knows is a warning, not an error.
#[test]
fn unknown_capabilities_warn() {
    needs!(root);
    let names = ["CAP_KILL", "CAP_FROM_THE_FUTURE"];
    let container = Container::new().capabilities(&names);
    let finished = container.run(&[]).ok();
    assert_eq!(finished.json()["capabilities"]["bounding"], json!(["CAP_KILL"]));
    assert!(finished.stderr.contains("CAP_FROM_THE_FUTURE"), "no warning: {}", finished.stderr);
}

/// no_new_privs is as asked, also beside a filter.
#[test]
fn no_new_privileges() {
    needs!(root);
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

/// The environment is the config's, in order, and nothing of the runtime's own.
#[test]
fn environment() {
    needs!(root);
    let env = json!(["B=2", "A=1", "EMPTY=", "PATH=/", "HOME=/home"]);
    let container = Container::new().set("/process/env", env.clone());
    let command =
        container.runtime.command([&["run"], &container.bundled(&[])[..], &[&container.id]].concat());
    let world = command.env("LEAK", "from-the-caller").run().ok().json();
    assert_eq!(world["env"], env);
}

/// HOME comes from the container's passwd when it is not given.
#[test]
fn home_from_passwd() {
    needs!(root);
    let container = Container::new().set("/process/user", json!({ "uid": 1000, "gid": 1000 }));
    let world = container.world();
    assert!(world["env"].as_array().unwrap().contains(&json!("HOME=/home/guest")), "{}", world["env"]);
    let container = Container::new().set("/process/user", json!({ "uid": 4321, "gid": 1 }));
    assert!(container.world()["env"].as_array().unwrap().contains(&json!("HOME=/")));
}

/// args[0] is looked up in the PATH of the container, not of the runtime.
#[test]
fn programs_are_found_by_path() {
    needs!(root);
    let container =
        Container::new().args(&["guest", "print"]).set("/process/env", json!(["PATH=/none:/hidden"]));
    fs::create_dir(container.bundle.rootfs().join("hidden")).unwrap();
    install(&container.bundle.rootfs().join("probe"), &container.bundle.rootfs().join("hidden/guest"));
    let world = container.world();
    assert_eq!(world["argv"], json!(["guest", "print"]));
    assert_eq!(world["exe"], "/hidden/guest");
    Container::new().args(&["ls"]).run(&[]).refuses(&["ls"]);
}

/// The working directory is that of the config, and made when missing.
#[test]
fn working_directory() {
    needs!(root);
    assert_eq!(Container::new().set("/process/cwd", json!("/tmp")).world()["cwd"], "/tmp");
    assert_eq!(
        Container::new().set("/process/cwd", json!("/made/on/demand")).world()["cwd"],
        "/made/on/demand"
    );
}

/// A directory that leads out of the container (CVE-2024-21626) is refused, or leads to a place inside.
#[test]
fn cve_2024_21626_working_directory_outside() {
    needs!(root);
    for fd in 3..12 {
        let container = Container::new().set("/process/cwd", json!(format!("/proc/self/fd/{fd}")));
        let finished = container.run(&[]);
        if finished.code == 0 {
            // The kernel's name for a place outside begins with "(unreachable)", which std refuses.
            assert!(finished.json()["cwd"].as_str().is_some_and(|cwd| cwd.starts_with('/')), "fd {fd}");
        }
    }
}

/// Every rlimit is set to soft and hard.
#[test]
fn rlimits() {
    needs!(root);
    let own = |name: &str| Container::new().world()["rlimits"][name].clone();
    let file = own("RLIMIT_FSIZE");
    let container = Container::new().set(
        "/process/rlimits",
        json!([
            { "type": "RLIMIT_NOFILE", "soft": 100, "hard": 200 },
            { "type": "RLIMIT_CORE", "soft": 0, "hard": 1024 },
            { "type": "RLIMIT_NPROC", "soft": 50, "hard": 60 },
            { "type": "RLIMIT_STACK", "soft": 4_194_304, "hard": 8_388_608 },
            { "type": "RLIMIT_CPU", "soft": 100, "hard": 200 },
            { "type": "RLIMIT_AS", "soft": 1_073_741_824u64, "hard": 1_073_741_824u64 },
            { "type": "RLIMIT_DATA", "soft": 1_073_741_824u64, "hard": 1_073_741_824u64 },
            { "type": "RLIMIT_RSS", "soft": 1_073_741_824u64, "hard": 1_073_741_824u64 },
            { "type": "RLIMIT_LOCKS", "soft": 10, "hard": 10 },
            { "type": "RLIMIT_SIGPENDING", "soft": 10, "hard": 10 },
            { "type": "RLIMIT_MSGQUEUE", "soft": 10, "hard": 10 },
            { "type": "RLIMIT_MEMLOCK", "soft": 65536, "hard": 65536 },
            { "type": "RLIMIT_RTTIME", "soft": 10_000_000, "hard": 10_000_000 },
            { "type": "RLIMIT_NICE", "soft": 0, "hard": 0 },
            { "type": "RLIMIT_RTPRIO", "soft": 0, "hard": 0 }
        ]),
    );
    let limits = container.world()["rlimits"].clone();
    assert_eq!(limits["RLIMIT_NOFILE"], json!({ "soft": 100, "hard": 200 }));
    assert_eq!(limits["RLIMIT_CORE"], json!({ "soft": 0, "hard": 1024 }));
    assert_eq!(limits["RLIMIT_NPROC"], json!({ "soft": 50, "hard": 60 }));
    assert_eq!(limits["RLIMIT_STACK"], json!({ "soft": 4_194_304, "hard": 8_388_608 }));
    assert_eq!(limits["RLIMIT_AS"]["soft"], 1_073_741_824u64);
    assert_eq!(limits["RLIMIT_MSGQUEUE"], json!({ "soft": 10, "hard": 10 }));
    assert_eq!(limits["RLIMIT_RTTIME"], json!({ "soft": 10_000_000, "hard": 10_000_000 }));
    assert_eq!(limits["RLIMIT_FSIZE"], file, "a limit that was not listed changed");
}

/// The largest u64 means no limit.
#[test]
fn unlimited_rlimits() {
    needs!(root);
    let container = Container::new()
        .set("/process/rlimits", json!([{ "type": "RLIMIT_CORE", "soft": 0, "hard": u64::MAX }]));
    assert_eq!(container.world()["rlimits"]["RLIMIT_CORE"]["hard"], json!(u64::MAX));
}

/// Limits that would choke the runtime itself only hit the program.
#[test]
fn tight_rlimits() {
    needs!(root);
    for (name, value) in [("RLIMIT_NOFILE", 9), ("RLIMIT_NPROC", 1), ("RLIMIT_FSIZE", 0)] {
        let limit = json!([{ "type": name, "soft": value, "hard": value }]);
        // A regular file as stdout would meet FSIZE, so the exit code has to tell.
        let container = Container::new().set("/process/rlimits", limit).args(&["/probe", "exit", "5"]);
        container.run(&[]).exits(5);
    }
}

/// Raising a hard limit needs CAP_SYS_RESOURCE, and is done when it is there.
#[test]
fn raised_rlimits() {
    needs!(root, sys_resource);
    let limit = json!([{ "type": "RLIMIT_MEMLOCK", "soft": u64::MAX, "hard": u64::MAX }]);
    let world = Container::new().set("/process/rlimits", limit).world();
    assert_eq!(world["rlimits"]["RLIMIT_MEMLOCK"]["hard"], json!(u64::MAX));
}

/// oom_score_adj is as asked, and the caller's when not asked.
#[test]
fn oom_score_adj() {
    needs!(root);
    assert_eq!(Container::new().set("/process/oomScoreAdj", json!(123)).world()["oom_score_adj"], 123);
    let own: Value =
        fs::read_to_string("/proc/self/oom_score_adj").unwrap().trim().parse::<i64>().unwrap().into();
    assert_eq!(Container::new().world()["oom_score_adj"], own);
}

/// Only stdin, stdout and stderr are open.
#[test]
fn no_descriptors_leak() {
    needs!(root);
    let world = Container::new().world();
    let fds: Vec<&String> = world["fds"].as_object().unwrap().keys().collect();
    assert_eq!(fds, ["0", "1", "2"]);
}

/// No signal is blocked, ignored, caught or pending, SIGPIPE included.
#[test]
fn signals_are_clean() {
    needs!(root);
    let signals = Container::new().world()["signals"].clone();
    assert_eq!(signals, json!({ "blocked": [], "ignored": [], "caught": [], "pending": [] }));
}

/// The program leads a session of its own and nothing of the runtime's stage remains.
#[test]
fn a_session_of_its_own() {
    needs!(root);
    let world = Container::new().world();
    assert_eq!((&world["sid"], &world["pgid"]), (&json!(1), &json!(1)));
    assert_eq!(world["parent_death_signal"], 0);
    assert_eq!(world["dumpable"], 1);
    assert_eq!(world["thp_disabled"], 0);
    assert_eq!(world["timer_slack"], 50_000);
    assert_eq!(world["personality"], 0);
    assert_eq!(world["securebits"], 0);
}

/// The session keyring is the container's, unless it shall not be.
#[test]
fn session_keyring() {
    needs!(root);
    let container = Container::new();
    let ring = container.world()["session_keyring"].clone();
    assert_eq!(ring, format!("_ses.{}", container.id));
    let container = Container::new();
    let ring = container.run(&["--no-new-keyring"]).ok().json()["session_keyring"].clone();
    assert_ne!(ring, format!("_ses.{}", container.id));
}

/// A profile on a host without AppArmor is refused and not forgotten.
#[test]
fn apparmor_without_apparmor() {
    needs!(root, no_apparmor);
    let container = Container::new().set("/process/apparmorProfile", json!("docker-default"));
    container.create(&[]).refuses(&["pparmor"]).exits(1);
    container.assert_clean();
}

/// A label on a host without SELinux is refused and not forgotten.
#[test]
fn selinux_without_selinux() {
    needs!(root, no_selinux);
    let label = json!("system_u:system_r:container_t:s0");
    let container = Container::new().set("/process/selinuxLabel", label);
    container.create(&[]).refuses(&["elinux"]).exits(1);
    container.assert_clean();
}

/// exec from a caller in another directory, with a long id or an odd bundle path, is no different.
#[test]
fn relative_bundles() {
    needs!(root);
    let container = Container::new();
    container.bundle.write();
    let name = container.bundle.path().file_name().unwrap().to_str().unwrap();
    let parent = container.bundle.path().parent().unwrap();
    container.runtime.command(["run", "--bundle", name, &container.id]).cwd(parent).run().ok().json();
}
