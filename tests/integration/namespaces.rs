//! Namespaces: new, joined, absent; user namespaces and time offsets (config-linux.md).

use serde_json::{Value, json};

use crate::harness::*;
use crate::needs;

const NAMES: [(&str, &str); 6] = [
    ("pid", "pid"),
    ("network", "net"),
    ("ipc", "ipc"),
    ("uts", "uts"),
    ("mount", "mnt"),
    ("cgroup", "cgroup"),
];

/// Every namespace without a path is a new one; what is not listed is the runtime's.
#[test]
fn new_namespaces() {
    needs!(root);
    let world = Container::new().world();
    for (_, name) in NAMES {
        assert_ne!(world["namespaces"][name], host_namespace(name), "{name}");
    }
    for name in ["user", "time"] {
        assert_eq!(world["namespaces"][name], host_namespace(name), "{name}");
    }
}

/// Without namespaces but the mount one, the rest of the host is shared.
#[test]
fn absent_namespaces() {
    needs!(root);
    let container = Container::new().set("/linux/namespaces", json!([{ "type": "mount" }])).edit(|config| {
        config.as_object_mut().unwrap().remove("hostname");
    });
    let world = container.world();
    for (_, name) in NAMES {
        let same = world["namespaces"][name] == host_namespace(name);
        assert_eq!(same, name != "mnt", "{name}");
    }
}

/// Namespaces with a path are joined, all of another container's at once.
#[test]
fn joined_namespaces() {
    needs!(root);
    let first = Container::new().sleeping();
    let path = |name: &str| format!("/proc/{}/ns/{name}", first.pid());
    let second = Container::new().set(
        "/linux/namespaces",
        json!([
            { "type": "mount" },
            { "type": "network", "path": path("net") },
            { "type": "ipc", "path": path("ipc") },
            { "type": "uts", "path": path("uts") },
            { "type": "pid", "path": path("pid") },
            { "type": "cgroup", "path": path("cgroup") }
        ]),
    );
    let (theirs, ours) = (first.exec_world(&[])["namespaces"].clone(), second.world());
    for name in ["net", "ipc", "uts", "pid", "cgroup"] {
        assert_eq!(ours["namespaces"][name], theirs[name], "{name}");
    }
    assert_ne!(ours["namespaces"]["mnt"], theirs["mnt"]);
    assert!(ours["pid"].as_u64().unwrap() > 1);
}

/// A path of another kind of namespace, and a file that is none, are errors.
#[test]
fn wrong_namespace_paths() {
    needs!(root);
    for path in ["/proc/self/ns/uts", "/etc/hostname", "/no/such/namespace"] {
        let container = Container::new().without_namespace("network").edit(|config| {
            let namespaces = config["linux"]["namespaces"].as_array_mut().unwrap();
            namespaces.push(json!({ "type": "network", "path": path }));
        });
        container.create(&[]).refuses(&[path]).exits(1);
        container.assert_clean();
    }
}

/// A FIFO as namespace path is an error and not an endless wait.
#[test]
fn a_fifo_is_no_namespace() {
    needs!(root);
    let container = Container::new();
    let path = container.bundle.join("fifo");
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR).unwrap();
    let container = container.without_namespace("network").edit(|config| {
        let namespaces = config["linux"]["namespaces"].as_array_mut().unwrap();
        namespaces.push(json!({ "type": "network", "path": path }));
    });
    container.create(&[]).refuses(&[]).exits(1);
}

/// The loopback interface of a new network namespace is up.
#[test]
fn loopback_is_up() {
    needs!(root);
    let world = Container::new().world();
    let lo = &world["interfaces"]["lo"];
    assert_eq!(lo["up"], true, "{lo}");
    assert!(lo["addresses"].as_array().unwrap().contains(&json!("127.0.0.1")));
    assert_eq!(world["interfaces"].as_object().unwrap().len(), 1, "host interfaces inside");
}

/// hostname and domainname are set in a new UTS namespace, and the host keeps its own.
#[test]
fn host_and_domain_names() {
    needs!(root);
    let before = rustix::system::uname().nodename().to_owned();
    let container = Container::new().set("/hostname", json!("some-host"));
    assert_eq!(container.world()["hostname"], "some-host");
    assert_eq!(rustix::system::uname().nodename().to_owned(), before);
}

/// The NIS domain name.
#[test]
fn domain_name() {
    needs!(root);
    let world = Container::new().set("/domainname", json!("some.domain")).world();
    assert_eq!(world["domainname"], "some.domain");
}

/// A user namespace has exactly the mappings of the config, and the process its ids inside it.
#[test]
fn user_namespace_mappings() {
    needs!(root, user_ns);
    let world = Container::new().user_namespace().world();
    assert_ne!(world["namespaces"]["user"], host_namespace("user"));
    assert_eq!(world["uid_map"], json!([[0, 100_000, 65_536]]));
    assert_eq!(world["gid_map"], json!([[0, 100_000, 65_536]]));
    assert_eq!(world["setgroups"], "allow");
    assert_eq!(world["uid"]["real"], 0);
    assert_eq!(world["groups"], json!([]));
}

/// More than five lines of mappings are possible since kernel 4.15.
#[test]
fn many_mappings() {
    needs!(root, user_ns);
    let lines: Vec<Value> = (0..20)
        .map(|line| json!({ "containerID": line * 10, "hostID": 100_000 + line * 10, "size": 10 }))
        .collect();
    let container = Container::new()
        .user_namespace()
        .set("/linux/uidMappings", json!(lines))
        .set("/linux/gidMappings", json!(lines));
    // The kernel may join neighbours; the whole range must be there.
    let world = container.world();
    let sizes: u64 = world["uid_map"].as_array().unwrap().iter().map(|row| row[2].as_u64().unwrap()).sum();
    assert_eq!(sizes, 200);
}

/// All default devices and file systems work in a user namespace too.
#[test]
fn user_namespace_devices() {
    needs!(root, user_ns);
    let world = Container::new().user_namespace().world();
    for name in ["null", "zero", "full", "random", "urandom", "tty"] {
        assert_eq!(world["devices"][format!("/dev/{name}")]["type"], "char", "{name}");
    }
    let answer = Container::new().user_namespace().probe(&["open-device", "/dev/null", "rw"]);
    assert_eq!(answer, json!({ "opened": "rw" }));
}

/// The user of a user namespace can be anybody who is mapped.
#[test]
fn user_namespace_users() {
    needs!(root, user_ns);
    let user = json!({ "uid": 1000, "gid": 1001, "additionalGids": [5, 7] });
    let world = Container::new().user_namespace().set("/process/user", user).world();
    assert_eq!(world["uid"]["real"], 1000);
    assert_eq!(world["gid"]["real"], 1001);
    assert_eq!(world["groups"], json!([5, 7]));
}

/// A user who is not mapped is an error that says so.
#[test]
fn unmapped_users_are_refused() {
    needs!(root, user_ns);
    let container =
        Container::new().user_namespace().set("/process/user", json!({ "uid": 70_000, "gid": 0 }));
    container.create(&[]).refuses(&[]).exits(1);
    container.assert_clean();
}

/// The user namespace of another container can be joined with its mappings.
#[test]
fn joined_user_namespace() {
    needs!(root, user_ns);
    let first = Container::new().user_namespace().sleeping();
    let path = format!("/proc/{}/ns/user", first.pid());
    let second = Container::new().user_namespace().without_namespace("user").edit(|config| {
        let namespaces = config["linux"]["namespaces"].as_array_mut().unwrap();
        namespaces.push(json!({ "type": "user", "path": path }));
        config["linux"].as_object_mut().unwrap().remove("uidMappings");
        config["linux"].as_object_mut().unwrap().remove("gidMappings");
    });
    let world = second.world();
    assert_eq!(world["namespaces"]["user"], first.exec_world(&[])["namespaces"]["user"]);
    assert_eq!(world["uid_map"], json!([[0, 100_000, 65_536]]));
}

/// A new time namespace with shifted clocks.
#[test]
fn time_offsets() {
    needs!(root, time_ns);
    let container = Container::new().namespace("time").set(
        "/linux/timeOffsets",
        json!({ "monotonic": { "secs": 1000, "nanosecs": 5 }, "boottime": { "secs": 2000, "nanosecs": 0 } }),
    );
    let world = container.world();
    assert_ne!(world["namespaces"]["time"], host_namespace("time"));
    assert_eq!(world["time_offsets"], json!({ "monotonic": [1000, 5], "boottime": [2000, 0] }));
    let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
    let host: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
    let inside = world["clocks"]["boottime"].as_f64().unwrap() / 1e9;
    assert!((1990.0..2010.0).contains(&(inside - host)), "boottime differs by {}", inside - host);
}

/// A time namespace without offsets is new all the same.
#[test]
fn time_namespace_without_offsets() {
    needs!(root, time_ns);
    let world = Container::new().namespace("time").world();
    assert_ne!(world["namespaces"]["time"], host_namespace("time"));
}

/// With a cgroup namespace the container sees itself at the root of every hierarchy.
#[test]
fn cgroup_namespace_roots() {
    needs!(root);
    let world = Container::new().world();
    for (controllers, path) in world["cgroups"].as_object().unwrap() {
        assert_eq!(path, "/", "{controllers}");
    }
}

/// Without one it sees its path below the host's root.
#[test]
fn cgroups_without_their_namespace() {
    needs!(root, cgroup_v1("pids"));
    let container = Container::new().without_namespace("cgroup");
    assert_eq!(container.world()["cgroups"]["pids"], container.cgroup.as_str());
}

/// exec into a container with user and time namespaces enters those as well.
#[test]
fn exec_joins_every_namespace() {
    needs!(root, user_ns, time_ns);
    let container = Container::new().user_namespace().namespace("time").sleeping();
    let inside = container.exec_world(&[])["namespaces"].clone();
    for name in ["user", "time", "mnt", "pid", "net", "ipc", "uts", "cgroup"] {
        assert_ne!(inside[name], host_namespace(name), "{name}");
    }
}
