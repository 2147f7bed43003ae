//! Mounts: kinds, order, destinations, sources, options, propagation (config.md, "Mounts").

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use rustix::fs::{CWD, FileType, Mode};
use serde_json::{Value, json};

use crate::harness::*;
use crate::needs;

/// The last mount on a target.
fn find<'a>(world: &'a Value, target: &str) -> &'a Value {
    let mounts = world["mounts"].as_array().unwrap();
    mounts.iter().rfind(|mount| mount["target"] == target).unwrap_or_else(|| panic!("no mount on {target}"))
}

fn flags(mount: &Value) -> Vec<&str> {
    mount["flags"].as_array().unwrap().iter().map(|flag| flag.as_str().unwrap()).collect()
}

/// A tmpfs with data for the filesystem: size and mode.
#[test]
fn filesystem_data() {
    needs!(root);
    let world =
        Container::new().mount("/data", "tmpfs", "scratch", &["size=64k", "mode=700", "nosuid"]).world();
    let mount = find(&world, "/data");
    assert_eq!((&mount["type"], &mount["source"]), (&json!("tmpfs"), &json!("scratch")));
    let options = mount["super"].as_array().unwrap();
    assert!(options.contains(&json!("size=64k")) && options.contains(&json!("mode=700")), "{options:?}");
    assert!(flags(mount).contains(&"nosuid"));
}

/// The default file systems are what they are called.
#[test]
fn default_filesystems() {
    needs!(root);
    let world = Container::new().world();
    for (target, kind) in [
        ("/proc", "proc"),
        ("/dev", "tmpfs"),
        ("/dev/pts", "devpts"),
        ("/dev/shm", "tmpfs"),
        ("/dev/mqueue", "mqueue"),
        ("/sys", "sysfs"),
    ] {
        assert_eq!(find(&world, target)["type"], kind, "{target}");
    }
    let shm = flags(find(&world, "/dev/shm")).join(",");
    assert!(shm.contains("nosuid") && shm.contains("nodev") && shm.contains("noexec"), "{shm}");
}

/// Mounts happen in the order listed: a later one covers an earlier one, a child lies on its parent.
#[test]
fn mounts_are_ordered() {
    needs!(root);
    let world = Container::new()
        .mount("/a", "tmpfs", "first", &[])
        .mount("/a/b", "tmpfs", "child", &[])
        .mount("/c", "tmpfs", "covered", &[])
        .mount("/c", "tmpfs", "covering", &[])
        .world();
    assert_eq!(find(&world, "/a/b")["parent"], find(&world, "/a")["id"]);
    assert_eq!(find(&world, "/c")["source"], "covering");
}

/// A destination without a leading slash is below the root.
#[test]
fn relative_destinations() {
    needs!(root);
    let world = Container::new().mount("rel/ative", "tmpfs", "tmpfs", &[]).world();
    assert_eq!(find(&world, "/rel/ative")["type"], "tmpfs");
}

/// Links in a destination are followed inside the root filesystem only, an absolute one and one with `..` too.
#[test]
fn destinations_stay_inside() {
    needs!(root);
    let container = Container::new().mount("/absolute/inside", "tmpfs", "one", &[]).mount(
        "/dotdot/inside",
        "tmpfs",
        "two",
        &[],
    );
    symlink("/tmp", container.bundle.rootfs().join("absolute")).unwrap();
    symlink("../../../../../../run", container.bundle.rootfs().join("dotdot")).unwrap();
    let world = container.world();
    assert_eq!(find(&world, "/tmp/inside")["source"], "one");
    assert_eq!(find(&world, "/run/inside")["source"], "two");
}

/// Directories and files of the host appear inside; a source is relative to the bundle; targets are made.
#[test]
fn bind_mounts() {
    needs!(root);
    let container = Container::new().mount("/host/dir", "bind", "shared", &["rbind"]).mount(
        "/host/file",
        "none",
        "shared/file",
        &["bind"],
    );
    fs::create_dir(container.bundle.join("shared")).unwrap();
    fs::write(container.bundle.join("shared/file"), "from the host").unwrap();
    let answer = container.probe(&["read", "/host/dir/file", "/host/file"]);
    assert_eq!(answer, json!({ "/host/dir/file": "from the host", "/host/file": "from the host" }));
}

/// Only `rbind` brings what is mounted below the source.
#[test]
fn recursive_binds() {
    needs!(root);
    for (option, seen) in [("rbind", json!(["inner"])), ("bind", json!([]))] {
        let mut container = Container::new().mount("/tree", "bind", "tree", &[option]);
        container.bundle.host_tmpfs("tree", "mode=755");
        let below = container.bundle.host_tmpfs("tree/below", "mode=755");
        fs::write(below.join("inner"), "").unwrap();
        let answer = container.probe(&["list", "/tree/below"]);
        assert_eq!(answer["/tree/below"], seen, "{option}");
    }
}

/// A read-only bind cannot be written, its source still can.
#[test]
fn read_only_binds() {
    needs!(root);
    let container =
        Container::new().mount("/host", "bind", "shared", &["bind", "ro", "nosuid", "nodev", "noexec"]);
    fs::create_dir(container.bundle.join("shared")).unwrap();
    let set = container.args(&["/probe", "write", "/host/new", "text"]);
    assert_eq!(set.world(), json!({ "errno": "EROFS" }));
    let world = set.args(&["/probe"]).world();
    let found = flags(find(&world, "/host")).join(",");
    for flag in ["ro", "nosuid", "nodev", "noexec"] {
        assert!(found.split(',').any(|word| word == flag), "{flag} is not among {found}");
    }
}

/// What is written through a bind is on the host.
#[test]
fn writable_binds() {
    needs!(root);
    let container = Container::new().mount("/host", "bind", "shared", &["bind"]);
    let shared = container.bundle.join("shared");
    fs::create_dir(&shared).unwrap();
    let container = container.args(&["/probe", "write", "/host/new", "text"]);
    container.world();
    assert_eq!(fs::read_to_string(shared.join("new")).unwrap(), "text");
}

/// A source that does not exist is named.
#[test]
fn missing_sources() {
    needs!(root);
    let container = Container::new().mount("/host", "bind", "/no/such/source", &["bind"]);
    container.create(&[]).refuses(&["/no/such/source"]).exits(1);
    container.assert_clean();
}

/// Per-mount options, each alone on a tmpfs: what mountinfo says.
#[test]
fn options_on_tmpfs() {
    needs!(root);
    let table: &[(&str, &[&str], &[&str])] = &[
        ("ro", &["ro"], &["rw"]),
        ("rw", &["rw"], &["ro"]),
        ("nosuid", &["nosuid"], &[]),
        ("suid", &[], &["nosuid"]),
        ("nodev", &["nodev"], &[]),
        ("dev", &[], &["nodev"]),
        ("noexec", &["noexec"], &[]),
        ("exec", &[], &["noexec"]),
        ("noatime", &["noatime"], &["relatime"]),
        ("atime", &[], &["noatime"]),
        ("relatime", &["relatime"], &[]),
        ("strictatime", &[], &["relatime", "noatime"]),
        ("nodiratime", &["nodiratime"], &[]),
        ("diratime", &[], &["nodiratime"]),
        ("nosymfollow", &["nosymfollow"], &[]),
        ("symfollow", &[], &["nosymfollow"]),
        ("norelatime", &[], &[]),
        ("nostrictatime", &[], &[]),
        ("async", &["rw"], &[]),
        ("loud", &["rw"], &[]),
        ("silent", &["rw"], &[]),
        ("iversion", &["rw"], &[]),
        ("noiversion", &["rw"], &[]),
        ("lazytime", &["rw"], &[]),
        ("nolazytime", &["rw"], &[]),
        ("nomand", &["rw"], &[]),
        ("sync", &["rw"], &[]),
        ("dirsync", &["rw"], &[]),
    ];
    let mut container = Container::new();
    for (option, _, _) in table {
        container = container.mount(&format!("/o/{option}"), "tmpfs", "tmpfs", &[option]);
    }
    let world = container.world();
    for (option, present, absent) in table {
        let target = format!("/o/{option}");
        let found = flags(find(&world, &target));
        assert!(present.iter().all(|flag| found.contains(flag)), "{option}: {found:?}");
        assert!(!absent.iter().any(|flag| found.contains(flag)), "{option}: {found:?}");
    }
}

/// `defaults` is a word of mount(8), not one for the filesystem.
#[test]
fn defaults_on_tmpfs() {
    needs!(root);
    let world = Container::new().mount("/data", "tmpfs", "tmpfs", &["defaults"]).world();
    assert!(flags(find(&world, "/data")).contains(&"rw"));
}

/// sync, dirsync and lazytime belong to the filesystem.
#[test]
fn options_of_the_filesystem() {
    needs!(root);
    let world = Container::new()
        .mount("/s", "tmpfs", "tmpfs", &["sync"])
        .mount("/d", "tmpfs", "tmpfs", &["dirsync"])
        .mount("/l", "tmpfs", "tmpfs", &["lazytime"])
        .world();
    for (target, option) in [("/s", "sync"), ("/d", "dirsync"), ("/l", "lazytime")] {
        assert!(find(&world, target)["super"].as_array().unwrap().contains(&json!(option)), "{option}");
    }
}

/// The same options on a bind change that mount, and only when asked.
#[test]
fn options_on_binds() {
    needs!(root);
    let table: &[(&str, &[&str])] = &[
        ("ro", &["ro"]),
        ("nosuid", &["nosuid"]),
        ("nodev", &["nodev"]),
        ("noexec", &["noexec"]),
        ("noatime", &["noatime"]),
        ("nodiratime", &["nodiratime"]),
        ("nosymfollow", &["nosymfollow"]),
        ("rw", &["rw"]),
        ("defaults", &["rw"]),
        ("relatime", &["rw", "relatime"]),
        ("suid", &["rw"]),
        ("silent", &["rw"]),
    ];
    let mut container = Container::new();
    fs::create_dir(container.bundle.join("shared")).unwrap();
    for (option, _) in table {
        container = container.mount(&format!("/o/{option}"), "bind", "shared", &["bind", option]);
    }
    let world = container.world();
    for (option, present) in table {
        let found = flags(find(&world, &format!("/o/{option}")));
        assert!(present.iter().all(|flag| found.contains(flag)), "{option}: {found:?}");
        let restricting = ["ro", "nosuid", "nodev", "noexec", "noatime", "nodiratime", "nosymfollow"];
        let extra = restricting.iter().find(|flag| found.contains(flag) && !present.contains(flag));
        assert!(extra.is_none(), "{option} brought {extra:?}");
    }
}

/// `rro` and its family reach the mounts below, plain `ro` does not.
#[test]
fn recursive_attributes() {
    needs!(root);
    let table: &[(&str, &str, bool)] = &[
        ("ro", "ro", false),
        ("rro", "ro", true),
        ("rnosuid", "nosuid", true),
        ("rnodev", "nodev", true),
        ("rnoexec", "noexec", true),
        ("rnoatime", "noatime", true),
        ("rnodiratime", "nodiratime", true),
        ("rnosymfollow", "nosymfollow", true),
    ];
    for (option, flag, below) in table {
        let mut container = Container::new().mount("/tree", "bind", "tree", &["rbind", option]);
        container.bundle.host_tmpfs("tree", "mode=755");
        container.bundle.host_tmpfs("tree/below", "mode=755");
        let world = container.world();
        assert!(flags(find(&world, "/tree")).contains(flag), "{option} on the tree");
        assert_eq!(flags(find(&world, "/tree/below")).contains(flag), *below, "{option} below");
    }
}

/// The positive recursive attributes take flags away from the whole tree.
#[test]
fn recursive_attributes_clear() {
    needs!(root);
    let table: &[(&str, &str)] = &[
        ("rrw", "ro"),
        ("rsuid", "nosuid"),
        ("rdev", "nodev"),
        ("rexec", "noexec"),
        ("rdiratime", "nodiratime"),
        ("rsymfollow", "nosymfollow"),
        ("rrelatime", "noatime"),
        ("rstrictatime", "noatime"),
    ];
    for (option, flag) in table {
        let mut container = Container::new().mount("/tree", "bind", "tree", &["rbind", option]);
        container.bundle.host_tmpfs("tree", "mode=755");
        fs::create_dir(container.bundle.join("tree/below")).unwrap();
        container.bundle.host_tmpfs("tree/below", &format!("mode=755,{flag}"));
        let world = container.world();
        assert!(!flags(find(&world, "/tree/below")).contains(flag), "{option} left {flag}");
    }
}

/// Propagation words set the kind of a mount.
#[test]
fn propagation_of_mounts() {
    needs!(root);
    for (option, tag) in [
        ("private", ""),
        ("rprivate", ""),
        ("shared", "shared:"),
        ("rshared", "shared:"),
        ("unbindable", "unbindable"),
        ("runbindable", "unbindable"),
    ] {
        let container = Container::new().mount("/host", "bind", "shared", &["rbind", option]);
        fs::create_dir(container.bundle.join("shared")).unwrap();
        let world = container.world();
        let found = find(&world, "/host")["propagation"].to_string();
        assert!(if tag.is_empty() { found == "[]" } else { found.contains(tag) }, "{option}: {found}");
    }
}

/// A slave of a shared mount on the host sees what is mounted there later; a private one does not.
#[test]
fn slaves_follow_their_master() {
    needs!(root);
    for (option, seen) in [("rslave", true), ("rprivate", false)] {
        let mut container = Container::new().mount("/tree", "bind", "tree", &["rbind", option]);
        let tree = container.bundle.host_tmpfs("tree", "mode=755");
        let shared = std::process::Command::new("mount").arg("--make-shared").arg(&tree).status();
        assert!(shared.unwrap().success());
        fs::create_dir(tree.join("late")).unwrap();
        let mut container = container.sleeping();
        let late = container.bundle.host_tmpfs("tree/late", "mode=755");
        fs::write(late.join("mark"), "").unwrap();
        let names = container.exec(&[], &["/probe", "list", "/tree/late"]).ok().json();
        assert_eq!(names["/tree/late"] == json!(["mark"]), seen, "{option}");
    }
}

/// What a container mounts does not appear on the host.
#[test]
fn mounts_stay_inside() {
    needs!(root);
    let before = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let container = Container::new().mount("/data", "tmpfs", "tmpfs", &[]).sleeping();
    let id = container.bundle.path().to_str().unwrap().to_owned();
    let after = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!after.contains(&id) && !before.contains(&id), "{after}");
}

/// The host's root cannot be reached: no mount of the old root is left.
#[test]
fn the_old_root_is_gone() {
    needs!(root);
    let world = Container::new().world();
    let mounts = world["mounts"].as_array().unwrap();
    let roots: Vec<&Value> = mounts.iter().filter(|mount| mount["target"] == "/").collect();
    assert_eq!(roots.len(), 1, "{roots:?}");
    for mount in mounts {
        assert!(!mount["target"].as_str().unwrap().contains("hull-test-"), "{mount}");
    }
}

/// Without pivot_root the container is sealed all the same.
#[test]
fn no_pivot() {
    needs!(root);
    let container = Container::new().args(&["/probe", "list", "/"]);
    let names = container.run(&["--no-pivot"]).ok().json();
    assert!(names["/"].as_array().unwrap().contains(&json!("probe")));
}

/// `tmpcopyup` keeps the content, owners and modes that the tmpfs covers.
#[test]
fn tmpcopyup() {
    needs!(root);
    let container = Container::new().mount("/full", "tmpfs", "tmpfs", &["tmpcopyup"]);
    let full = container.bundle.rootfs().join("full");
    fs::create_dir_all(full.join("sub")).unwrap();
    fs::write(full.join("sub/file"), "kept").unwrap();
    fs::set_permissions(full.join("sub/file"), fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::chown(full.join("sub/file"), Some(12), Some(34)).unwrap();
    symlink("sub/file", full.join("link")).unwrap();
    let container = container.args(&["/probe", "stat", "/full/sub/file", "/full/link"]);
    let stat = container.world();
    assert_eq!(stat["/full/sub/file"]["mode"], 0o640);
    assert_eq!(stat["/full/sub/file"]["uid"], 12);
    assert_eq!(stat["/full/sub/file"]["gid"], 34);
    assert_eq!(stat["/full/link"]["target"], "sub/file");
    let container = container.args(&["/probe", "write", "/full/sub/file", "changed"]);
    container.world();
    assert_eq!(
        fs::read_to_string(full.join("sub/file")).unwrap(),
        "kept",
        "the write went through the tmpfs"
    );
}

/// tmpcopyup copies nodes and the directory's own mode, but nothing of what is mounted below.
#[test]
fn tmpcopyup_takes_nodes_and_no_other_mounts() {
    needs!(root);
    let container = Container::new();
    let (full, outside) = (container.bundle.rootfs().join("full"), container.bundle.join("outside"));
    fs::create_dir_all(full.join("inner")).unwrap();
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), "x").unwrap();
    for (name, kind, mode) in [("fifo", FileType::Fifo, 0o622), ("null", FileType::CharacterDevice, 0o666)] {
        let null = rustix::fs::makedev(1, 3);
        rustix::fs::mknodat(CWD, full.join(name), kind, Mode::empty(), null).unwrap();
        fs::set_permissions(full.join(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    fs::set_permissions(&full, fs::Permissions::from_mode(0o1751)).unwrap();
    let container = container
        .mount("/full/inner", "none", outside.to_str().unwrap(), &["bind"])
        .mount("/full", "tmpfs", "tmpfs", &["tmpcopyup"])
        .args(&["/probe", "stat", "/full", "/full/fifo", "/full/null", "/full/inner", "/full/inner/secret"]);
    let stat = container.world();
    for (path, mode) in [("/full", 0o1751), ("/full/fifo", 0o622), ("/full/null", 0o666)] {
        assert_eq!(stat[path]["mode"], mode, "{path}: {stat}");
    }
    assert!(stat["/full/inner"]["mode"].is_u64(), "{stat}");
    assert_eq!(stat["/full/inner/secret"]["errno"], "ENOENT", "{stat}");
}

/// An idmapped bind shows other owners: host 0 is 100000 inside.
#[test]
fn idmapped_binds() {
    needs!(root);
    let map = json!([{ "containerID": 0, "hostID": 100_000, "size": 1000 }]);
    let container = Container::new().edit(|config| {
        config["mounts"].as_array_mut().unwrap().push(json!({
            "destination": "/mapped", "type": "bind", "source": "shared", "options": ["bind", "idmap"],
            "uidMappings": map, "gidMappings": map
        }));
    });
    let shared = container.bundle.join("shared");
    fs::create_dir(&shared).unwrap();
    fs::write(shared.join("file"), "").unwrap();
    std::os::unix::fs::chown(shared.join("file"), Some(7), Some(8)).unwrap();
    let stat = container.probe(&["stat", "/mapped/file"]);
    assert_eq!(stat["/mapped/file"]["uid"], 100_007);
    assert_eq!(stat["/mapped/file"]["gid"], 100_008);
}

/// In a user namespace, an idmapped bind shows the container's own ids, and new files get the host's.
#[test]
fn idmapped_binds_in_a_user_namespace() {
    needs!(root, user_ns);
    let map = json!([{ "containerID": 0, "hostID": 100_000, "size": 65_536 }]);
    let container = Container::new().user_namespace().edit(|config| {
        config["mounts"].as_array_mut().unwrap().push(json!({
            "destination": "/mapped", "type": "bind", "source": "shared", "options": ["rbind", "idmap"],
            "uidMappings": map, "gidMappings": map
        }));
    });
    let shared = container.bundle.join("shared");
    fs::create_dir(&shared).unwrap();
    fs::write(shared.join("file"), "").unwrap();
    let container = container.args(&["/probe", "write", "/mapped/new", "text"]);
    assert_eq!(container.world(), json!({ "written": 4 }));
    let container = container.args(&["/probe", "stat", "/mapped/file"]);
    assert_eq!(container.world()["/mapped/file"]["uid"], 0);
    assert_eq!(fs::metadata(shared.join("new")).unwrap().uid(), 0);
}

/// A bind in a user namespace may be read-only although its source is locked nosuid and nodev.
#[test]
fn locked_flags_in_a_user_namespace() {
    needs!(root, user_ns);
    let mut container =
        Container::new().user_namespace().mount("/locked", "bind", "locked", &["rbind", "ro"]);
    container.bundle.host_tmpfs("locked", "mode=755,nosuid,nodev,noexec");
    let world = container.world();
    let found = flags(find(&world, "/locked")).join(",");
    for flag in ["ro", "nosuid", "nodev", "noexec"] {
        assert!(found.split(',').any(|word| word == flag), "{flag} is not among {found}");
    }
}

/// A mount of type cgroup shows this host's hierarchies, rooted at the container.
#[test]
fn cgroup_mount() {
    needs!(root, cgroup_v1("pids"));
    let container = Container::new()
        .mount("/sys/fs/cgroup", "cgroup", "cgroup", &["nosuid", "noexec", "nodev", "relatime", "ro"])
        .set("/linux/resources/pids", json!({ "limit": 44 }))
        .args(&["/probe", "read", "/sys/fs/cgroup/pids/pids.max"]);
    assert_eq!(container.world()["/sys/fs/cgroup/pids/pids.max"], "44\n");
    let container = container.args(&["/probe", "write", "/sys/fs/cgroup/pids/pids.max", "50"]);
    assert_eq!(container.world(), json!({ "errno": "EROFS" }));
}

/// Without a cgroup namespace the mount still shows the container's own cgroup only.
#[test]
fn cgroup_mount_without_a_namespace() {
    needs!(root, cgroup_v1("pids"));
    let container = Container::new()
        .without_namespace("cgroup")
        .mount("/sys/fs/cgroup", "cgroup", "cgroup", &["nosuid", "noexec", "nodev", "relatime", "ro"])
        .set("/linux/resources/pids", json!({ "limit": 44 }));
    let answer = container.probe(&["read", "/sys/fs/cgroup/pids/pids.max"]);
    assert_eq!(answer["/sys/fs/cgroup/pids/pids.max"], "44\n");
}

/// Nothing may be mounted over /proc, but lxcfs-like files may.
#[test]
fn mounts_inside_proc() {
    needs!(root);
    let container = Container::new().mount("/proc/sys", "bind", "rootfs", &["bind"]);
    container.create(&[]).refuses(&["/proc"]).exits(1);
    let container = Container::new().mount("/proc/uptime", "bind", "uptime", &["bind"]);
    fs::write(container.bundle.join("uptime"), "1.00 2.00\n").unwrap();
    assert_eq!(container.probe(&["read", "/proc/uptime"])["/proc/uptime"], "1.00 2.00\n");
}

/// Not even an empty filesystem.
#[test]
fn tmpfs_inside_proc() {
    needs!(root);
    let container = Container::new().mount("/proc/sys", "tmpfs", "tmpfs", &[]);
    container.create(&[]).refuses(&["/proc"]).exits(1);
}
