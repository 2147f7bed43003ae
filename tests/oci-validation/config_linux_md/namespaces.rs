//! config-linux.md, "Namespaces" and "Offset for Time Namespace"; host names, which live in one.

use serde_json::{Value, json};

use crate::harness::*;
use crate::needs;
use crate::refused::{each_refused, refused};

const NAMES: [(&str, &str); 6] = [
    ("pid", "pid"),
    ("network", "net"),
    ("ipc", "ipc"),
    ("uts", "uts"),
    ("mount", "mnt"),
    ("cgroup", "cgroup"),
];

/// Every namespace without a path is a new one; what is not listed is the runtime's.
/// config-linux.md, "Namespaces"
#[test]
fn n1_new_namespaces() {
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
/// config-linux.md, "Namespaces"
#[test]
fn n1_absent_namespaces() {
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

/// With a cgroup namespace the container sees itself at the root of every hierarchy.
/// config-linux.md, "Namespaces"
#[test]
fn n1_cgroup_namespace_roots() {
    needs!(root_or_ranges);
    let world = Container::new().world();
    for (controllers, path) in world["cgroups"].as_object().unwrap() {
        assert_eq!(path, "/", "{controllers}");
    }
}

/// Without one it sees its path below the host's root.
/// config-linux.md, "Namespaces"
#[test]
fn n1_cgroups_without_their_namespace() {
    needs!(root_or_ranges, controller("pids"));
    let container = Container::new().without_namespace("cgroup");
    assert_eq!(membership(&container.world(), "pids"), container.cgroup);
}

/// Namespaces with a path are joined, all of another container's at once.
/// config-linux.md, "Namespaces"
#[test]
fn n2_joined_namespaces() {
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
/// config-linux.md, "Namespaces"
#[test]
fn n2_wrong_namespace_paths() {
    needs!(root_or_ranges);
    for path in ["/proc/self/ns/uts", "/etc/hostname", "/no/such/namespace"] {
        let container = Container::new().without_namespace("network").edit(|config| {
            let namespaces = config["linux"]["namespaces"].as_array_mut().unwrap();
            namespaces.push(json!({ "type": "network", "path": path }));
        });
        refused(&container);
    }
}

/// A FIFO as namespace path is an error and not an endless wait.
/// config-linux.md, "Namespaces"
#[test]
fn n2_a_fifo_is_no_namespace() {
    needs!(root_or_ranges);
    let container = Container::new();
    let path = container.bundle.join("fifo");
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR).unwrap();
    let container = container.without_namespace("network").edit(|config| {
        let namespaces = config["linux"]["namespaces"].as_array_mut().unwrap();
        namespaces.push(json!({ "type": "network", "path": path }));
    });
    container.create(&[]).refuses(&[]).exits(1);
}

/// exec into a container with user and time namespaces enters those as well.
/// config-linux.md, "Namespaces"
#[test]
fn n5_exec_joins_every_namespace() {
    needs!(root_or_ranges, user_ns, time_ns);
    let container = Container::new().user_namespace().namespace("time").sleeping();
    let inside = container.exec_world(&[])["namespaces"].clone();
    for name in ["user", "time", "mnt", "pid", "net", "ipc", "uts", "cgroup"] {
        assert_ne!(inside[name], host_namespace(name), "{name}");
    }
}

/// hostname and domainname are set in a new UTS namespace, and the host keeps its own.
/// config.md, "Hostname"
#[test]
fn n6_hostname() {
    needs!(root_or_ranges);
    let before = rustix::system::uname().nodename().to_owned();
    let container = Container::new().set("/hostname", json!("some-host"));
    assert_eq!(container.world()["hostname"], "some-host");
    assert_eq!(rustix::system::uname().nodename().to_owned(), before);
}

/// The NIS domain name.
/// config.md, "Domainname"
#[test]
fn n6_domainname() {
    needs!(root_or_ranges);
    let world = Container::new().set("/domainname", json!("some.domain")).world();
    assert_eq!(world["domainname"], "some.domain");
}

/// A new time namespace with shifted clocks.
/// config-linux.md, "Offset for Time Namespace"
#[test]
fn n7_time_offsets() {
    needs!(root_or_ranges, time_ns);
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
/// config-linux.md, "Offset for Time Namespace"
#[test]
fn n7_time_namespace_without_offsets() {
    needs!(root_or_ranges, time_ns);
    let world = Container::new().namespace("time").world();
    assert_ne!(world["namespaces"]["time"], host_namespace("time"));
}

/// The loopback interface of a new network namespace is up.
/// config-linux.md, "Namespaces"
#[test]
fn n8_loopback_is_up() {
    needs!(root_or_ranges);
    let world = Container::new().world();
    let lo = &world["interfaces"]["lo"];
    assert_eq!(lo["up"], true, "{lo}");
    assert!(lo["addresses"].as_array().unwrap().contains(&json!("127.0.0.1")));
    assert_eq!(world["interfaces"].as_object().unwrap().len(), 1, "host interfaces inside");
}

/// A path is absolute.
/// config-linux.md, "Namespaces"
#[test]
fn n2_relative_paths() {
    needs!(root_or_ranges);
    each_refused("/linux/namespaces/1/path", &[json!("proc/self/ns/net"), json!("./x")]);
}

/// Each type is listed once.
/// config-linux.md, "Namespaces"
#[test]
fn n3_twice() {
    needs!(root_or_ranges);
    refused(&Container::new().namespace("pid"));
    refused(&Container::new().namespace("mount"));
}

/// Types are those of the specification.
/// config-linux.md, "Namespaces"
#[test]
fn n4_unknown_types() {
    needs!(root_or_ranges);
    refused(&Container::new().namespace("bogus"));
    refused(&Container::new().namespace("net"));
    refused(&Container::new().edit(|config| config["linux"]["namespaces"][0] = json!({})));
}

/// A new user namespace owns the others: its root may act on them.
/// config-linux.md, "Namespaces"
#[test]
fn n5_the_user_namespace_owns_the_others() {
    needs!(root_or_ranges, user_ns);
    let container = || Container::new().user_namespace().capabilities(ROOT_ALL);
    assert_eq!(container().probe(&["syscall", "sethostname", "0", "0"]), json!({ "result": 0 }));
    let outside = container().without_namespace("uts").edit(|config| {
        config.as_object_mut().unwrap().remove("hostname");
    });
    assert_eq!(outside.probe(&["syscall", "sethostname", "0", "0"]), json!({ "errno": "EPERM" }));
}

/// Processes of containers that share a pid namespace see each other, and one may end alone.
/// config-linux.md, "Namespaces"
#[test]
fn n10_a_shared_pid_namespace() {
    needs!(root);
    let first = Container::new().sleeping();
    let path = format!("/proc/{}/ns/pid", first.pid());
    let second = Container::new().without_namespace("pid").edit(|config| {
        let namespaces = config["linux"]["namespaces"].as_array_mut().unwrap();
        namespaces.push(json!({ "type": "pid", "path": path }));
    });
    let second = second.sleeping();
    let seen = second.exec(&[], &["/probe", "read", "/proc/1/comm"]).ok().json();
    assert_eq!(seen["/proc/1/comm"], "probe\n");
    second.delete(&["--force"]).ok();
    assert_eq!(first.status(), "running");
}

/// Names need a UTS namespace of the container's own.
/// config.md, "Hostname"
#[test]
fn n6_names_need_a_namespace() {
    needs!(root_or_ranges);
    refused(&Container::new().without_namespace("uts"));
    let container = Container::new().without_namespace("uts").set("/domainname", json!("some.domain"));
    refused(&container.edit(|config| {
        config.as_object_mut().unwrap().remove("hostname");
    }));
}

/// Offsets need a time namespace, and are of two clocks.
/// config-linux.md, "Offset for Time Namespace"
#[test]
fn n7_bad_offsets() {
    needs!(root_or_ranges, time_ns);
    each_refused("/linux/timeOffsets", &[json!({ "monotonic": { "secs": 1 } })]);
    let offsets =
        |offsets: Value| refused(&Container::new().namespace("time").set("/linux/timeOffsets", offsets));
    offsets(json!({ "realtime": { "secs": 1, "nanosecs": 0 } }));
    offsets(json!({ "boottime": { "secs": 1, "nanosecs": 1_000_000_000 } }));
}
