//! config.md, "Specification version", "Extensibility", "Valid values" and "Annotations"; bundle.md.

use std::fs;

use serde_json::{Value, json};

use crate::harness::*;
use crate::needs;
use crate::refused::{each_refused, lacking, refused};

/// `create` with exactly these bytes as config.json.
fn create_with(text: &[u8]) -> (Container, Finished) {
    let container = Container::new();
    fs::write(container.bundle.join("config.json"), text).unwrap();
    let bundle = container.bundle.path().to_str().unwrap().to_owned();
    let finished = container.verb("create", &["--bundle", &bundle], &[]);
    (container, finished)
}

/// The default document as text.
fn document() -> String {
    Container::new().bundle.config.to_string()
}

/// A bundle without config.json is refused.
/// bundle.md, "Filesystem Bundle"
#[test]
fn b1_config_json_is_required() {
    needs!(root_or_ranges);
    let container = Container::new();
    let bundle = container.bundle.path().to_str().unwrap();
    container.verb("create", &["--bundle", bundle], &[]).refuses(&["config.json"]);
    container.assert_clean();
}

/// The bundle may be named from wherever the caller is.
/// bundle.md, "Filesystem Bundle"
#[test]
fn b1_relative_bundles() {
    needs!(root_or_ranges);
    let container = Container::new();
    container.bundle.write();
    let name = container.bundle.path().file_name().unwrap().to_str().unwrap();
    let parent = container.bundle.path().parent().unwrap();
    container.runtime.command(["run", "--bundle", name, &container.id]).cwd(parent).run().ok().json();
}

/// ociVersion is there and a semantic version.
/// config.md, "Specification version"
#[test]
fn b2_version_is_required() {
    needs!(root_or_ranges);
    refused(&lacking("", "ociVersion"));
    each_refused("/ociVersion", &[json!(""), json!("banana"), json!("1.0"), json!(1)]);
}

/// Every version up to 1.3 is understood.
/// config.md, "Specification version"
#[test]
fn b3_versions() {
    needs!(root_or_ranges);
    for version in ["1.0.0", "1.0.2", "1.0.2-dev", "1.1.0", "1.2.1", "1.3.0"] {
        Container::new().set("/ociVersion", json!(version)).world();
    }
}

/// A newer minor version is compatible, a newer major version is not.
/// config.md, "Specification version"
#[test]
fn b3_newer_versions() {
    needs!(root_or_ranges);
    Container::new().set("/ociVersion", json!("1.99.0")).world();
    each_refused("/ociVersion", &[json!("2.0.0"), json!("0.9.0")]);
}

/// Unknown properties are ignored at every level.
/// config.md, "Extensibility"
#[test]
fn b4_unknown_properties() {
    needs!(root_or_ranges, cgroup);
    let mut container = Container::new();
    let places = [
        "",
        "/process",
        "/process/user",
        "/process/rlimits/0",
        "/process/capabilities",
        "/root",
        "/mounts/0",
    ];
    let linux = ["/linux", "/linux/resources", "/linux/resources/devices/0", "/linux/namespaces/0"];
    for place in places.iter().chain(&linux) {
        container = container.set(&format!("{place}/futureProperty"), json!({ "a": [1, 2] }));
    }
    assert_eq!(container.world()["hostname"], "hull-test");
}

/// A value of another type than the one specified is an error.
/// config.md, "Valid values"
#[test]
fn b5_wrong_types() {
    needs!(root_or_ranges);
    for (pointer, value) in [
        ("/process", json!([])),
        ("/process/args", json!("/probe")),
        ("/process/env", json!({ "A": "1" })),
        ("/process/user/uid", json!("root")),
        ("/process/noNewPrivileges", json!("yes")),
        ("/root/readonly", json!("no")),
        ("/hostname", json!(5)),
        ("/mounts", json!({})),
        ("/linux/namespaces", json!("mount")),
        ("/linux/maskedPaths", json!("/proc/kcore")),
        ("/linux/resources/pids", json!({ "limit": "many" })),
    ] {
        each_refused(pointer, &[value]);
    }
}

/// A list of its members is no object.
/// config.md, "Valid values"
#[test]
fn b5_lists_for_objects() {
    needs!(root_or_ranges);
    for (pointer, value) in [
        ("/root", json!(["rootfs", false])),
        ("/hooks", json!([])),
        ("/process/user", json!([0, 0, null, []])),
        ("/process/rlimits/0", json!(["RLIMIT_NOFILE", 1024, 1024])),
        ("/mounts/0", json!(["/proc", "proc", "proc", []])),
        ("/linux", json!([])),
        ("/linux/resources/pids", json!([5])),
        ("/linux/namespaces/0", json!(["pid"])),
    ] {
        each_refused(pointer, &[value]);
    }
}

/// The document is UTF-8, and one JSON object.
/// config.md, "Configuration"
#[test]
fn b6_no_documents() {
    needs!(root_or_ranges);
    let mut broken = document().into_bytes();
    let name = broken.windows(9).position(|window| window == b"hull-test").unwrap();
    broken[name] = 0xff;
    let truncated = &document().into_bytes()[..200];
    for text in [&broken[..], truncated, b"", b"[]", b"null"] {
        let (container, finished) = create_with(text);
        finished.refuses(&[]);
        container.assert_clean();
    }
}

/// `null` for something optional is the same as absent.
/// config.md, "Extensibility"
#[test]
fn b7_null_is_absent() {
    needs!(root_or_ranges);
    let mut container = Container::new();
    for pointer in
        ["/hooks", "/annotations", "/linux/seccomp", "/linux/sysctl", "/linux/devices", "/process/rlimits"]
    {
        container = container.set(pointer, json!(null));
    }
    container.world();
    Container::new().set("/linux/resources", json!(null)).world();
}

/// Large documents are read whole.
/// config.md, "Annotations"
#[test]
fn b8_large_documents() {
    needs!(root_or_ranges);
    let text = "x".repeat(2_000_000);
    let container = Container::new().set("/annotations", json!({ "large": text })).sleeping();
    assert_eq!(container.state()["annotations"]["large"].as_str().map(str::len), Some(text.len()));
}

/// Many mounts are made, each of them.
/// config.md, "Mounts"
#[test]
fn b8_many_mounts() {
    needs!(root_or_ranges);
    let mut container = Container::new();
    for number in 0..300 {
        container = container.mount(&format!("/many/{number}"), "tmpfs", "tmpfs", &["size=4k"]);
    }
    let world = container.world();
    let mounts = world["mounts"].as_array().unwrap();
    let made = mounts.iter().filter(|mount| mount["target"].as_str().unwrap().starts_with("/many/"));
    assert_eq!(made.count(), 300);
}

/// Sections of other platforms say nothing on Linux.
/// config.md, "Platform-specific configuration"
#[test]
fn b11_other_platforms() {
    needs!(root_or_ranges);
    let container = Container::new()
        .set("/vm", json!({ "hypervisor": { "path": "/x" }, "kernel": { "path": "/k" } }))
        .set("/freebsd", json!({ "jail": { "host": "new" } }))
        .set("/zos", json!({ "namespaces": [] }))
        .set("/windows", json!({ "layerFolders": ["C:\\x"] }))
        .set("/solaris", json!({ "milestone": "x" }));
    container.world();
}

/// Keys are not empty, values are strings.
/// config.md, "Annotations"
#[test]
fn an1_keys_and_values() {
    needs!(root_or_ranges);
    each_refused(
        "/annotations",
        &[json!({ "": "x" }), json!({ "key": 1 }), json!({ "key": null }), json!(["key"])],
    );
}

/// Unknown annotations are no error.
/// config.md, "Annotations"
#[test]
fn an1_unknown_keys() {
    needs!(root_or_ranges);
    let annotations = json!({ "com.example.unknown": "", "org.opencontainers.image.unknown": "x" });
    let container = Container::new().set("/annotations", annotations.clone()).sleeping();
    assert_eq!(container.state()["annotations"], annotations);
}

/// An empty key is an error, beside others that are good.
/// config.md, "Annotations"
#[test]
fn an1_empty_keys() {
    needs!(root_or_ranges);
    each_refused("/annotations", &[json!({ "": "x" }), json!({ "good": "x", "": "" })]);
}

/// `kill` without a signal sends TERM, or what the image's annotation asks for; nothing else.
/// config.md, "Annotations"
#[test]
fn an2_stop_signal() {
    needs!(root_or_ranges);
    let container = Container::new()
        .set("/annotations", json!({ "org.opencontainers.image.stopSignal": "SIGUSR1" }))
        .args(&["/probe", "wait", "/ready"]);
    let mut ready = Fifo::new(&container.bundle.rootfs().join("ready"));
    let flags = container.bundled(&[]);
    let run = container.runtime.command([&["run"], &flags[..], &[&container.id]].concat()).spawn();
    assert_eq!(ready.word(), "ready\n");
    container.verb("kill", &[], &[]).ok();
    let signal = run.finish().ok().json()["signal"].clone();
    assert!(signal == 15 || signal == 10, "signal {signal}");
}

/// Annotations that change what happens on the host are listed by `features`; those of other runtimes and of service
/// managers are only words when they are not.
/// features.md, "Features Structure"
#[test]
fn an3_unsafe_annotations() {
    needs!(root_or_ranges);
    let container = Container::new();
    let features = container.runtime.command(["features"]).run().ok().json();
    let listed: Vec<&str> = match features["potentiallyUnsafeConfigAnnotations"].as_array() {
        Some(list) => list.iter().map(|name| name.as_str().unwrap()).collect(),
        None => Vec::new(),
    };
    // A name that ends with a dot stands for all names below it.
    let is_listed = |name: &str| {
        listed.iter().any(|unsafe_one| {
            *unsafe_one == name || unsafe_one.ends_with('.') && name.starts_with(unsafe_one)
        })
    };
    let attempts = [
        ("run.oci.keep_original_groups", "1"),
        ("run.oci.hooks.stdout", "stdout-of-hooks"),
        ("run.oci.systemd.subgroup", "inner"),
        ("run.oci.delegate-cgroup", "inner"),
        ("run.oci.mount_context_type", "rootcontext"),
        ("run.oci.timens_offset", "1000"),
        ("run.oci.handler", "wasm"),
        ("org.systemd.property.TasksMax", "7"),
        ("io.kubernetes.cri-o.Devices", "/dev/kmsg"),
    ];
    let world = |container: Container| {
        let world = container.without_namespace("cgroup").world();
        ["groups", "mounts", "devices", "cwd", "rlimits", "exe"].map(|part| forget_ids(&world[part]))
    };
    let plain = world(container);
    for (name, value) in attempts.into_iter().filter(|(name, _)| !is_listed(name)) {
        let container = Container::new().set("/annotations", json!({ name: value }));
        let (cgroup, made) = (container.cgroup.clone(), container.bundle.join("stdout-of-hooks"));
        let own = world(container);
        assert_eq!(own, plain, "{name} changes the container, and features does not list it ({cgroup})");
        assert!(fs::metadata(made).is_err(), "{name} made a file on the host");
    }
}

/// Without what differs between any two containers: ids and devices of mounts, paths of the bundle.
fn forget_ids(part: &Value) -> Value {
    match part {
        Value::Array(items) => items.iter().map(forget_ids).collect(),
        Value::Object(members) => {
            let kept = members.iter().filter(|(name, _)| {
                !matches!(name.as_str(), "id" | "parent" | "device" | "root" | "propagation")
            });
            kept.map(|(name, value)| (name.clone(), forget_ids(value))).collect()
        }
        other => other.clone(),
    }
}
