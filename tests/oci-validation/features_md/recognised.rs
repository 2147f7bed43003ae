//! features.md: all that is listed is really recognised.

use std::fs;

use serde_json::{Value, json};

use super::document::{features, words};
use crate::harness::*;
use crate::needs;
use crate::schema;
use crate::seen::mount_on;

/// What `features` says is what the documents understand: each version, action, operator and namespace.
/// features.md, "Features Structure"
#[test]
fn f5_seccomp_words() {
    needs!(root_or_ranges);
    let features = features();
    let seccomp = &features["linux"]["seccomp"];
    for action in words(&seccomp["actions"]) {
        if action == "SCMP_ACT_NOTIFY" {
            continue; // needs a listener: e7_listener shows it
        }
        let rule = json!({
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{ "names": ["ptrace"], "action": action }]
        });
        Container::new().set("/linux/seccomp", rule).world();
    }
    for operator in words(&seccomp["operators"]) {
        let rule = json!({
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{
                "names": ["personality"], "action": "SCMP_ACT_ERRNO",
                "args": [{ "index": 0, "value": 8, "valueTwo": 8, "op": operator }]
            }]
        });
        Container::new().set("/linux/seccomp", rule).world();
    }
    let all: Value = seccomp["archs"].clone();
    let rule = json!({ "defaultAction": "SCMP_ACT_ALLOW", "architectures": all,
        "syscalls": [{ "names": ["ptrace"], "action": "SCMP_ACT_ERRNO" }] });
    assert_eq!(Container::new().set("/linux/seccomp", rule).world()["seccomp"]["mode"], 2);
}

/// Every word that the schema has for a filter is listed, as every one is understood.
/// features.md, "Features Structure"
#[test]
fn f5_all_seccomp_words() {
    let features = features();
    let definitions = schema::read("defs-linux.json")["definitions"].clone();
    for (list, definition) in [
        ("actions", "SeccompAction"),
        ("operators", "SeccompOperators"),
        ("archs", "SeccompArch"),
        ("knownFlags", "SeccompFlag"),
    ] {
        let listed = words(&features["linux"]["seccomp"][list]);
        let missing: Vec<String> = words(&definitions[definition]["enum"])
            .into_iter()
            .filter(|word| !listed.contains(word))
            .collect();
        assert_eq!(missing, [""; 0], "not among {list}");
    }
}

/// Every mount option is understood, by a filesystem or by a bind.
/// features.md, "Features Structure"
#[test]
fn f5_mount_options() {
    needs!(root);
    let map = json!([{ "containerID": 0, "hostID": 0, "size": 1000 }]);
    let mut container = Container::new();
    fs::create_dir(container.bundle.join("shared")).unwrap();
    let options = words(&features()["mountOptions"]);
    for option in &options {
        let target = format!("/o/{option}");
        container = match option.as_str() {
            "tmpcopyup" => container.mount(&target, "tmpfs", "tmpfs", &[option]),
            "idmap" | "ridmap" => container.edit(|config| {
                config["mounts"].as_array_mut().unwrap().push(json!({
                    "destination": target, "type": "bind", "source": "shared", "options": ["rbind", option],
                    "uidMappings": map, "gidMappings": map
                }));
            }),
            _ => container.mount(&target, "bind", "shared", &["rbind", option]),
        };
    }
    let world = container.world();
    for option in &options {
        mount_on(&world, &format!("/o/{option}"));
    }
    assert!(options.len() > 40, "{options:?}");
}

/// Every capability can be named, and none is unknown.
/// features.md, "Features Structure"
#[test]
fn f5_capabilities() {
    needs!(root_or_ranges);
    let names = words(&features()["linux"]["capabilities"]);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let finished = Container::new().capabilities(&names).run(&[]).ok();
    assert!(!finished.stderr.contains("unknown"), "{}", finished.stderr);
    assert!(finished.json()["capabilities"]["bounding"].as_array().unwrap().len() > 20);
}

/// Every namespace can be a new one.
/// features.md, "Features Structure"
#[test]
fn f5_namespaces() {
    needs!(root, user_ns, time_ns);
    let kinds = words(&features()["linux"]["namespaces"]);
    let namespaces: Vec<Value> =
        kinds.iter().filter(|kind| *kind != "user").map(|kind| json!({ "type": kind })).collect();
    let world = Container::new().set("/linux/namespaces", json!(namespaces)).user_namespace().world();
    for kind in &kinds {
        let name = match kind.as_str() {
            "mount" => "mnt",
            "network" => "net",
            other => other,
        };
        assert_ne!(world["namespaces"][name], host_namespace(name), "{name}");
    }
}

/// Every hook runs.
/// features.md, "Features Structure"
#[test]
fn f5_hooks() {
    needs!(root_or_ranges);
    let container = Container::new();
    let kinds = words(&features()["hooks"]);
    let ran = container.bundle.join("ran");
    fs::create_dir(&ran).unwrap();
    let mut container = container.mount("/ran", "bind", "ran", &["bind"]);
    for kind in &kinds {
        let hook = match kind.as_str() {
            "startContainer" => {
                json!({ "path": "/probe", "args": ["probe", "record", format!("/ran/{kind}")] })
            }
            _ => {
                let probe = container.bundle.rootfs().join("probe");
                json!({ "path": probe, "args": ["probe", "record", ran.join(kind)] })
            }
        };
        container = container.set(&format!("/hooks/{kind}"), json!([hook]));
    }
    let container = container.running();
    container.await_stop();
    container.delete(&[]).ok();
    for kind in &kinds {
        assert!(fs::metadata(ran.join(kind)).is_ok(), "{kind} did not run");
    }
}

/// Every mode and flag of memory policies is understood.
/// features.md, "Features Structure"
#[test]
fn f5_memory_policies() {
    needs!(root_or_ranges, numa);
    let policy = features()["linux"]["memoryPolicy"].clone();
    for mode in words(&policy["modes"]) {
        if mode == "MPOL_WEIGHTED_INTERLEAVE" && kernel("6.9").is_err() {
            continue;
        }
        let nodes = if matches!(mode.as_str(), "MPOL_DEFAULT" | "MPOL_LOCAL") { "" } else { "0" };
        let asked = json!({ "mode": mode, "nodes": nodes });
        let world = Container::new().set("/linux/memoryPolicy", asked).world();
        assert_eq!(world["memory_policy"]["mode"], mode);
    }
}

/// Every flag that is supported loads.
/// features.md, "Features Structure"
#[test]
fn f5_seccomp_flags() {
    needs!(root_or_ranges);
    let seccomp = features()["linux"]["seccomp"].clone();
    let known = words(&seccomp["knownFlags"]);
    for flag in words(&seccomp["supportedFlags"]) {
        assert!(known.contains(&flag), "{flag} is not known");
        if flag == "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV" {
            continue; // is about a listener only
        }
        let filter = json!({ "defaultAction": "SCMP_ACT_ALLOW", "flags": [flag],
            "syscalls": [{ "names": ["ptrace"], "action": "SCMP_ACT_ERRNO" }] });
        assert_eq!(Container::new().set("/linux/seccomp", filter).world()["seccomp"]["mode"], 2, "{flag}");
    }
}

/// A bind refuses every word that is not listed among the mount options, and none of those is data of a filesystem.
/// features.md, "Features Structure"
#[test]
fn f3_mount_options_are_all() {
    needs!(root_or_ranges);
    let options = words(&features()["mountOptions"]);
    // Words of mount(8), of other runtimes and of filesystems.
    let others = "rmand rnomand rsync rdefaults rsilent auto noauto user nouser users owner group nofail _netdev \
        copy-symlink dir file remount,ro X-mount.mkdir rnostrict rrelatim nolock uid=0 \
        context=x rw=recursive RO BIND";
    for word in others.split_whitespace().filter(|word| !options.iter().any(|option| option == word)) {
        let container = Container::new().mount("/host", "bind", "shared", &["rbind", word]);
        fs::create_dir(container.bundle.join("shared")).unwrap();
        let finished = container.create(&[]);
        assert_ne!(finished.code, 0, "{word} is accepted, and not listed");
        container.assert_clean();
    }
    for word in ["size", "mode", "uid", "gid", "nr_inodes", "newinstance", "hidepid", "lowerdir"] {
        assert!(!options.iter().any(|option| option.starts_with(word)), "{word} belongs to a filesystem");
    }
}

/// The hooks are those of the specification.
/// features.md, "Features Structure"
#[test]
fn f3_hooks_are_all() {
    let mut kinds = words(&features()["hooks"]);
    kinds.sort_unstable();
    assert_eq!(
        kinds,
        ["createContainer", "createRuntime", "poststart", "poststop", "prestart", "startContainer"]
    );
}

/// What is not listed is not accepted: namespaces, actions, operators, architectures, flags, memory policies.
/// features.md, "Features Structure"
#[test]
fn f5_nothing_else_is_accepted() {
    needs!(root_or_ranges);
    let listed = features()["linux"].clone();
    let filter = |pointer: &str, word: &str| {
        let mut filter = json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{
            "names": ["ptrace"], "action": "SCMP_ACT_ERRNO",
            "args": [{ "index": 0, "value": 77, "op": "SCMP_CMP_EQ" }]
        }] });
        *filter.pointer_mut(pointer).unwrap() = json!(word);
        json!({ "seccomp": filter })
    };
    let list =
        |name: &str, word: &str| json!({ "seccomp": { "defaultAction": "SCMP_ACT_ALLOW", name: [word] } });
    // What is listed, words of the same kind that should not be, and `linux` with such a word.
    type Row<'a> = (&'a Value, &'a [&'a str], &'a dyn Fn(&str) -> Value);
    let table: &[Row] = &[
        (
            &listed["namespaces"],
            &["mnt", "net", "PID", "syslog", ""],
            &|word| json!({ "namespaces": [{ "type": "mount" }, { "type": word }] }),
        ),
        (&listed["seccomp"]["actions"], &["SCMP_ACT_KILL_GROUP", "SCMP_ACT_USER_NOTIF", "ALLOW"], &|word| {
            filter("/syscalls/0/action", word)
        }),
        (&listed["seccomp"]["operators"], &["SCMP_CMP_MASKED_NE", "EQ", "=="], &|word| {
            filter("/syscalls/0/args/0/op", word)
        }),
        (&listed["seccomp"]["archs"], &["SCMP_ARCH_NATIVE", "SCMP_ARCH_SPARC", "amd64"], &|word| {
            list("architectures", word)
        }),
        (
            &listed["seccomp"]["knownFlags"],
            &["SECCOMP_FILTER_FLAG_NEW_LISTENER", "SECCOMP_FILTER_FLAG_TSYNC_ESRCH", "TSYNC"],
            &|word| list("flags", word),
        ),
        (
            &listed["memoryPolicy"]["modes"],
            &["MPOL_MAX", "bind", ""],
            &|word| json!({ "memoryPolicy": { "mode": word, "nodes": "0" } }),
        ),
        (
            &listed["memoryPolicy"]["flags"],
            &["MPOL_F_MEMS_ALLOWED", "static"],
            &|word| json!({ "memoryPolicy": { "mode": "MPOL_BIND", "nodes": "0", "flags": [word] } }),
        ),
    ];
    for (list, others, document) in table {
        let known = words(list);
        for word in others.iter().filter(|word| !known.iter().any(|one| one == *word)) {
            let container = Container::new().edit(|config| {
                for (name, value) in document(word).as_object().unwrap() {
                    config["linux"][name] = value.clone();
                }
            });
            assert_ne!(container.create(&[]).code, 0, "{word} is accepted, and not listed");
            container.assert_clean();
        }
    }
}
