//! Cgroups that systemd makes: what it knows of them, while they are there and afterwards.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::harness::*;
use crate::needs;

/// A container that waits to be killed, in a scope.
fn waiting() -> Container {
    Container::in_scope().args(&["/probe", "pause"])
}

fn systemctl(words: &[&str]) {
    let status = Command::new("systemctl").args(words).status().unwrap();
    assert!(status.success(), "systemctl {words:?}");
}

#[test]
fn the_scope_is_described() {
    needs!(root, systemd);
    let container = waiting().running();
    let expected = [
        ("Description", format!("container {}, by hull", container.id)),
        ("Slice", "system.slice".to_owned()),
        ("ControlGroup", container.cgroup.clone()),
        ("ActiveState", "active".to_owned()),
        ("Delegate", "yes".to_owned()),
        ("DefaultDependencies", "no".to_owned()),
        ("Transient", "yes".to_owned()),
    ];
    for (name, value) in expected {
        assert_eq!(container.property(name), value, "{name}");
    }
    // The process that kept the place for it has gone.
    assert_eq!(container.cgroup_file("systemd", "cgroup.procs"), container.pid().to_string());
}

/// Device rules are systemd's list, and still what they were after systemd has read its files again.
#[test]
fn device_rules() {
    needs!(root, systemd);
    let fuse = json!([
        { "allow": false, "access": "rwm" },
        { "allow": true, "type": "c", "major": 10, "minor": 229, "access": "rw" }
    ]);
    let container = waiting().set("/linux/resources/devices", fuse).running();
    assert_eq!(container.property("DevicePolicy"), "strict");
    let listed = |container: &Container| container.property("DeviceAllow");
    assert!(listed(&container).contains("/dev/char/10:229 rwm"), "{}", listed(&container));
    assert!(!listed(&container).contains("1:11"), "{}", listed(&container));

    let kmsg = r#"{"devices": [{"allow": false, "access": "rwm"},
        {"allow": true, "type": "c", "major": 1, "minor": 11, "access": "r"}]}"#;
    container.runtime.command(["update", "--resources", "-", &container.id]).stdin(kmsg).run().ok();
    systemctl(&["daemon-reload"]);
    assert!(listed(&container).contains("/dev/char/1:11 rm"), "{}", listed(&container));
    assert!(!listed(&container).contains("10:229"), "{}", listed(&container));
    let open =
        |path: &str, mode: &str| container.exec(&[], &["/probe", "open-device", path, mode]).ok().json();
    assert_eq!(open("/dev/null", "rw"), json!({ "opened": "rw" }));
}

/// An exception from a rule is more than systemd can express, and holds all the same.
#[test]
fn device_rules_that_systemd_cannot_have() {
    needs!(root, systemd, pure_cgroup2);
    let container = waiting()
        .capabilities(&["CAP_MKNOD"])
        .set(
            "/linux/resources/devices",
            json!([
                { "allow": true, "type": "c", "access": "rwm" },
                { "allow": false, "type": "c", "major": 1, "minor": 11, "access": "rwm" }
            ]),
        )
        .running();
    let make = |path: &str, minor: &str| {
        container.exec(&["--cap", "CAP_MKNOD"], &["/probe", "mknod", path, "c", "1", minor]).ok();
    };
    make("/dev/log-of-the-kernel", "11");
    make("/dev/nothing", "3");
    systemctl(&["daemon-reload"]);
    let open = |path: &str| container.exec(&[], &["/probe", "open-device", path, "r"]).ok().json();
    assert_eq!(open("/dev/log-of-the-kernel"), json!({ "errno": "EPERM" }));
    assert_eq!(open("/dev/nothing"), json!({ "opened": "r" }));
}

/// Limits are properties, and files; after an update too, and after systemd has read its files again.
#[test]
fn limits_are_properties() {
    needs!(root, systemd, controller("memory"), controller("cpu"), controller("pids"));
    let container = waiting()
        .edit(|config| {
            config["linux"]["resources"] = json!({
                "memory": { "limit": 67_108_864, "reservation": 33_554_432 },
                "cpu": { "quota": 33_333, "period": 100_000, "cpus": "0" },
                "pids": { "limit": 30 }
            });
        })
        .running();
    let memory = if is_v2() { "MemoryMax" } else { "MemoryLimit" };
    let holds = |name: &str, value: &str, property: &str, limit: &str| {
        assert_eq!(
            (container.property(name).as_str(), container.limit(property).as_str()),
            (value, limit),
            "{name}"
        );
    };
    holds(memory, "67108864", "memory.limit", "67108864");
    // systemd counts in percents, the kernel does not.
    holds("CPUQuotaPerSecUSec", "340ms", "cpu.quota", "33333");
    holds("TasksMax", "30", "pids.limit", "30");
    if is_v2() {
        holds("MemoryLow", "33554432", "memory.reservation", "33554432");
        holds("AllowedCPUs", "0", "cpu.cpus", "0");
    }
    let update = ["update", "--memory", "50331648", "--cpu-quota", "20000", "--pids-limit", "20"];
    container.runtime.command(update.iter().copied().chain([container.id.as_str()])).run().ok();
    for _ in 0..2 {
        holds(memory, "50331648", "memory.limit", "50331648");
        holds("CPUQuotaPerSecUSec", "200ms", "cpu.quota", "20000");
        holds("TasksMax", "20", "pids.limit", "20");
        systemctl(&["daemon-reload"]);
    }
}

/// What no property says is written all the same, and what limits nothing replaces systemd's own default.
#[test]
fn limits_that_are_no_properties() {
    needs!(root, systemd, cgroup2("memory"), cgroup2("pids"));
    let container = waiting()
        .edit(|config| {
            config["linux"]["resources"] = json!({
                "pids": { "limit": -1 }, "unified": { "memory.oom.group": "1", "memory.high": "50331648" }
            });
        })
        .running();
    assert_eq!(container.property("TasksMax"), "infinity");
    assert_eq!(container.cgroup_file("", "pids.max"), "max");
    assert_eq!(container.property("MemoryHigh"), "50331648");
    systemctl(&["daemon-reload"]);
    assert_eq!(container.cgroup_file("", "memory.oom.group"), "1");
}

/// The first process is allowed although another one kept its place.
#[test]
fn a_limit_of_one_process() {
    needs!(root, systemd, controller("pids"));
    let container = waiting().set("/linux/resources/pids", json!({ "limit": 1 })).running();
    assert_eq!(container.limit("pids.limit"), "1");
    assert_eq!(container.property("TasksMax"), "1");
}

/// systemd lets frozen processes be, whatever it is told meanwhile.
#[test]
fn paused_containers_stay_paused() {
    needs!(root, systemd, freezer);
    let container = waiting().running();
    container.verb("pause", &[], &[]).ok();
    systemctl(&["daemon-reload"]);
    let update = r#"{"devices": [{"allow": true, "access": "rwm"}]}"#;
    container.runtime.command(["update", "--resources", "-", &container.id]).stdin(update).run().ok();
    assert_eq!(container.property("DevicePolicy"), "auto");
    systemctl(&["set-property", "--runtime", container.unit(), "Description=other"]);
    assert_eq!(container.status(), "paused");
    assert!(container.is_frozen());
    container.verb("resume", &[], &[]).ok();
    assert_eq!(container.status(), "running");
}

/// A container that ends by itself takes its scope along, before it is deleted.
#[test]
fn an_ended_container_has_no_scope() {
    needs!(root_or_ranges, systemd);
    let container = Container::in_scope().args(&["/probe", "exit", "3"]);
    container.run(&[]).exits(3);
    container.assert_clean();
    let container = container.args(&["/probe", "pause"]).running();
    container.kill("KILL").ok();
    container.await_stop();
    container.delete(&[]).ok();
    container.assert_clean();
}

/// Names that systemd writes otherwise, and slices in slices.
#[test]
fn escaped_names() {
    needs!(root, systemd);
    let mut container = waiting();
    container.id += "+_.x";
    let cgroup = format!("hulltest.slice/hulltest-a.slice/{}.scope", container.id.replace('+', "\\x2b"));
    container.cgroup = format!("/{cgroup}");
    let container = container.set("/linux/cgroupsPath", json!("hulltest-a.slice::")).running();
    assert_eq!(container.property("ControlGroup"), container.cgroup);
    drop(container);

    let mut container = waiting();
    container.cgroup = "/system.slice/_pids.scope".to_owned();
    let container = container.set("/linux/cgroupsPath", json!("::pids")).running();
    assert_eq!(unit_property("pids.scope", "ControlGroup"), container.cgroup);
}

/// A unit of that name that runs is somebody else's; one that failed is none any more.
#[test]
fn a_name_that_is_taken() {
    needs!(root, systemd);
    let first = waiting().running();
    let path = first.bundle.config["linux"]["cgroupsPath"].clone();
    let second = waiting().set("/linux/cgroupsPath", path);
    second.create(&[]).refuses(&[first.unit(), "already", "linux.cgroupsPath"]).exits(1);
    second.assert_clean();
    assert_eq!(first.status(), "running");
    assert_eq!(first.property("ActiveState"), "active");

    let failing = waiting();
    let scope = format!("--unit={}", failing.unit());
    let run = Command::new("systemd-run")
        .args(["--scope", "--quiet", "-p", "RuntimeMaxSec=1ms", &scope, "sleep", "60"])
        .output()
        .unwrap();
    assert!(!run.status.success(), "{run:?}");
    while failing.property("ActiveState") == "deactivating" {}
    assert_eq!(failing.property("ActiveState"), "failed");
    let container = failing.running();
    assert_eq!(container.property("ActiveState"), "active");
}

/// A property that systemd does not have is refused by the annotation that asks for it.
#[test]
fn unknown_properties() {
    needs!(root_or_ranges, systemd);
    let container = waiting().set("/annotations", json!({ "org.systemd.property.NoSuchThing": "true" }));
    container.create(&[]).refuses(&["annotations", "NoSuchThing"]).exits(1);
    container.assert_clean();
}

/// Without a bus daemon, systemd's own socket will do.
#[test]
fn without_a_bus() {
    needs!(root_or_ranges, systemd);
    let container = waiting();
    let flags = container.bundled(&[]);
    let create = container.runtime.command([&["create"], &flags[..], &[&container.id]].concat());
    create.env("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere").run().ok();
    assert_eq!(container.property("ActiveState"), "active");
}

/// The plan says what systemd will be told.
#[test]
fn a_plan() {
    needs!(root, systemd);
    let container = waiting();
    let flags = container.bundled(&[]);
    let plan = container.runtime.command([&["plan"], &flags[..], &[&container.id]].concat()).run().ok();
    assert!(plan.stdout.contains(&format!("scope {} of systemd", container.unit())), "{}", plan.stdout);
    assert!(plan.stdout.contains("property Delegate = true"), "{}", plan.stdout);
    container.assert_clean();
}

/// Everybody finds the way into the scope, also into a cgroup below.
#[test]
fn exec_joins_the_scope() {
    needs!(root_or_ranges, systemd);
    let container = waiting().without_namespace("cgroup").running();
    let world = container.exec_world(&[]);
    assert_eq!(membership(&world, "systemd"), container.cgroup);
    fs::create_dir(container.cgroup_dir("systemd").join("sub")).unwrap();
    let world = container.exec_world(&["--cgroup", "sub"]);
    assert_eq!(membership(&world, "systemd"), format!("{}/sub", container.cgroup));
}

/// An ordinary user of the test host, who has a systemd.
const USER: u32 = 1000;

/// What starts a command as that user, in no session but with the way to one.
fn as_user() -> Vec<String> {
    systemctl(&["start", &format!("user@{USER}.service")]);
    let identity = ["setpriv", "--reuid=1000", "--regid=1000", "--init-groups"].map(str::to_owned);
    identity.into_iter().chain(["env".to_owned(), format!("XDG_RUNTIME_DIR=/run/user/{USER}")]).collect()
}

/// A container of the user's, with the user as its root.
fn users_own() -> Container {
    let own_id = json!([{ "containerID": 0, "hostID": USER, "size": 1 }]);
    let mut container = waiting()
        .with_own_binary()
        .without_namespace("network")
        .namespace("user")
        .set("/linux/uidMappings", own_id.clone())
        .set("/linux/gidMappings", own_id)
        .set("/linux/cgroupsPath", json!(""))
        .edit(|config| {
            config["linux"].as_object_mut().unwrap().remove("resources");
            let mounts = config["mounts"].as_array_mut().unwrap();
            mounts.retain(|mount| mount["type"] != "sysfs");
            for options in mounts.iter_mut().filter_map(|mount| mount["options"].as_array_mut()) {
                options.retain(|option| option != "gid=5");
            }
        });
    let below = format!("/user.slice/user-{USER}.slice/user@{USER}.service/user.slice");
    container.cgroup = format!("{below}/hull-{}.scope", container.id);
    for dir in [container.bundle.path(), &container.bundle.rootfs(), container.runtime.root()] {
        std::os::unix::fs::chown(dir, Some(USER), Some(USER)).unwrap();
    }
    container.runtime.launch_by(as_user());
    container
}

/// A property of a unit of the user's.
fn users_property(container: &Container, name: &str) -> String {
    let identity = as_user();
    let shown = Command::new(&identity[0])
        .args(&identity[1..])
        .args(["systemctl", "--user", "show", "--value", "--property", name, "--", container.unit()])
        .output();
    String::from_utf8(shown.unwrap().stdout).unwrap().trim_end().to_owned()
}

/// A user's container is in a scope of the user's own systemd, wherever its maker is: in a session, from which the
/// user could not move anybody there, or in another unit of that systemd.
#[test]
fn a_users_scope() {
    needs!(root, user_manager, user_ns, pure_cgroup2);
    let inside = ["systemd-run", "--user", "--scope", "--quiet"].map(str::to_owned);
    for launcher in [&[][..], &inside] {
        let mut container = users_own();
        container.runtime.launch_by(as_user().iter().chain(launcher));
        let container = container.running();
        let cgroup = |pid: i64| fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
        let place = cgroup(container.pid().into());
        assert!(place.contains(&container.cgroup), "{place}");
        assert_eq!(users_property(&container, "Delegate"), "yes");
        assert_eq!(users_property(&container, "Slice"), "user.slice");
        container.exec(&["--detach"], &["/probe", "pause"]).ok();
        let procs = container.cgroup_file("", "cgroup.procs");
        assert_eq!(procs.lines().count(), 2, "{procs}");
        container.verb("pause", &[], &[]).ok();
        assert!(container.is_frozen());
        container.verb("resume", &[], &[]).ok();
        container.delete(&["--force"]).ok();
        container.assert_clean();
        assert_eq!(users_property(&container, "LoadState"), "not-found");
    }
}

/// Limits of a user's container, where the user has controllers.
#[test]
fn a_users_limits() {
    needs!(root, user_manager, user_ns, cgroup2("memory"), cgroup2("pids"));
    let container = users_own()
        .set("/linux/resources", json!({ "memory": { "limit": 67_108_864 }, "pids": { "limit": 1 } }))
        .running();
    assert_eq!(users_property(&container, "MemoryMax"), "67108864");
    assert_eq!(
        (container.limit("memory.limit"), container.limit("pids.limit")),
        ("67108864".into(), "1".into())
    );
    container.verb("update", &["--pids-limit", "9"], &[]).ok();
    assert_eq!(users_property(&container, "TasksMax"), "9");
    assert_eq!(container.limit("pids.limit"), "9");
}

/// A user without a systemd is told so.
#[test]
fn a_user_without_a_session() {
    needs!(root, user_manager, user_ns, pure_cgroup2);
    let mut container = users_own();
    container.runtime.launch_by(["setpriv", "--reuid=1001", "--regid=1001", "--clear-groups"]);
    let refused = container.create(&[]).refuses(&["the user's systemd", "XDG_RUNTIME_DIR"]);
    assert!(!Path::new(&format!("/sys/fs/cgroup{}", container.cgroup)).exists(), "{}", refused.stderr);
    container.runtime.launch_by([""; 0]);
}
