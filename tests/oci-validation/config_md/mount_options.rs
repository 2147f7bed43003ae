//! config.md, "Linux mount options": each word of the table, on every kind of mount that can take it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use rustix::fs::{CWD, FileType, Mode};
use serde_json::json;

use crate::harness::*;
use crate::needs;
use crate::refused::each_refused;
use crate::seen::{mount_flags, mount_on};

/// Per-mount options, each alone on a tmpfs: what mountinfo says.
/// config.md, "Linux mount options"
#[test]
fn m6_options_on_tmpfs() {
    needs!(root_or_ranges);
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
        ("norelatime", &["relatime"], &[]),
        ("nostrictatime", &["relatime"], &[]),
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
        let found = mount_flags(mount_on(&world, &target));
        assert!(present.iter().all(|flag| found.contains(flag)), "{option}: {found:?}");
        assert!(!absent.iter().any(|flag| found.contains(flag)), "{option}: {found:?}");
    }
}

/// `defaults` is a word of mount(8), not one for the filesystem.
/// config.md, "Linux mount options"
#[test]
fn m6_defaults_on_tmpfs() {
    needs!(root_or_ranges);
    let world = Container::new().mount("/data", "tmpfs", "tmpfs", &["defaults"]).world();
    assert!(mount_flags(mount_on(&world, "/data")).contains(&"rw"));
}

/// A tmpfs without a mode takes that of the directory it covers; over none, and with one, it is as mount(8) makes it.
/// config.md, "Linux mount options"
#[test]
fn m12_tmpfs_mode() {
    needs!(root_or_ranges);
    let container = Container::new().mount("/covered", "tmpfs", "tmpfs", &[]);
    let covered = container.bundle.join("rootfs/covered");
    std::fs::create_dir(&covered).unwrap();
    std::fs::set_permissions(&covered, std::os::unix::fs::PermissionsExt::from_mode(0o1751)).unwrap();
    let world = container
        .mount("/new", "tmpfs", "tmpfs", &[])
        .mount("/given", "tmpfs", "tmpfs", &["mode=700"])
        .world();
    let modes = ["/covered", "/new", "/given"].map(|target| {
        let options = mount_on(&world, target)["super"].as_array().unwrap().clone();
        options.iter().find_map(|option| option.as_str()?.strip_prefix("mode=").map(String::from))
    });
    assert_eq!(modes, [Some("1751".to_owned()), None, Some("700".to_owned())]);
}

/// sync, dirsync and lazytime belong to the filesystem.
/// config.md, "Linux mount options"
#[test]
fn m6_options_of_the_filesystem() {
    needs!(root_or_ranges);
    let world = Container::new()
        .mount("/s", "tmpfs", "tmpfs", &["sync"])
        .mount("/d", "tmpfs", "tmpfs", &["dirsync"])
        .mount("/l", "tmpfs", "tmpfs", &["lazytime"])
        .mount("/async", "tmpfs", "tmpfs", &["async"])
        .mount("/nolazytime", "tmpfs", "tmpfs", &["nolazytime"])
        .world();
    for (target, option, there) in [
        ("/s", "sync", true),
        ("/d", "dirsync", true),
        ("/l", "lazytime", true),
        ("/async", "sync", false),
        ("/nolazytime", "lazytime", false),
    ] {
        let found = &mount_on(&world, target)["super"];
        assert_eq!(found.as_array().unwrap().contains(&json!(option)), there, "{target}: {found}");
    }
}

/// The same options on a bind change that mount, and only when asked.
/// config.md, "Linux mount options"
#[test]
fn m6_options_on_binds() {
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
        ("loud", &["rw"]),
        ("async", &["rw"]),
        ("sync", &["rw"]),
        ("dirsync", &["rw"]),
        ("dev", &["rw"]),
        ("exec", &["rw"]),
        ("atime", &["rw"]),
        ("diratime", &["rw"]),
        ("iversion", &["rw"]),
        ("noiversion", &["rw"]),
        ("lazytime", &["rw"]),
        ("nolazytime", &["rw"]),
        ("nomand", &["rw"]),
        ("norelatime", &["rw"]),
        ("nostrictatime", &["rw"]),
        ("strictatime", &["rw"]),
        ("symfollow", &["rw"]),
    ];
    let mut container = Container::new();
    container.bundle.host_tmpfs("shared", "mode=755");
    for (option, _) in table {
        container = container.mount(&format!("/o/{option}"), "bind", "shared", &["bind", option]);
    }
    let world = container.world();
    for (option, present) in table {
        let found = mount_flags(mount_on(&world, &format!("/o/{option}")));
        assert!(present.iter().all(|flag| found.contains(flag)), "{option}: {found:?}");
        let restricting = ["ro", "nosuid", "nodev", "noexec", "noatime", "nodiratime", "nosymfollow"];
        let extra = restricting.iter().find(|flag| found.contains(flag) && !present.contains(flag));
        assert!(extra.is_none(), "{option} brought {extra:?}");
    }
}

/// `rro` and its family reach the mounts below, plain `ro` does not.
/// config.md, "Linux mount options"
#[test]
fn m7_recursive_attributes() {
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
        assert!(mount_flags(mount_on(&world, "/tree")).contains(flag), "{option} on the tree");
        assert_eq!(mount_flags(mount_on(&world, "/tree/below")).contains(flag), *below, "{option} below");
    }
}

/// The positive recursive attributes take flags away from the whole tree.
/// config.md, "Linux mount options"
#[test]
fn m7_recursive_attributes_clear() {
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
        assert!(!mount_flags(mount_on(&world, "/tree/below")).contains(flag), "{option} left {flag}");
    }
}

/// Propagation words set the kind of a mount.
/// config.md, "Linux mount options"
#[test]
fn m6_propagation_of_mounts() {
    needs!(root_or_ranges);
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
        let found = mount_on(&world, "/host")["propagation"].to_string();
        assert!(if tag.is_empty() { found == "[]" } else { found.contains(tag) }, "{option}: {found}");
    }
}

/// The words with an r reach the mounts below, the others do not: those stay slaves of the host's.
/// config.md, "Linux mount options"
#[test]
fn m6_propagation_below() {
    needs!(root);
    for (option, top, below) in [
        ("private", "[]", "master:"),
        ("rprivate", "[]", "[]"),
        ("slave", "master:", "master:"),
        ("rslave", "master:", "master:"),
        ("shared", "shared:", "master:"),
        ("rshared", "shared:", "shared:"),
        ("unbindable", "unbindable", "master:"),
        ("runbindable", "unbindable", "unbindable"),
    ] {
        let mut container = Container::new().mount("/tree", "bind", "tree", &["rbind", option]);
        for place in ["tree", "tree/below"] {
            container.bundle.shared_tmpfs(place);
        }
        let world = container.world();
        for (target, tag) in [("/tree", top), ("/tree/below", below)] {
            let found = mount_on(&world, target)["propagation"].to_string();
            assert!(found.contains(tag), "{option}: {target} is {found}");
            assert!(tag == "shared:" || !found.contains("shared:"), "{option}: {target} is {found}");
        }
    }
}

/// What the container mounts on a bind is seen on the host where both the bind and the root are shared, and only there.
/// config.md, "Linux mount options"
#[test]
fn m6_mounts_that_the_host_sees() {
    needs!(root, busybox);
    for (option, propagation, seen) in
        [("rshared", "rshared", true), ("rslave", "rshared", false), ("rw", "rprivate", false)]
    {
        let mut container = Container::new()
            .mount("/tree", "bind", "tree", &["rbind", option])
            .set("/linux/rootfsPropagation", json!(propagation))
            .capabilities(ROOT_ALL);
        container.bundle.busybox(&["mount", "umount"]);
        let tree = container.bundle.shared_tmpfs("tree");
        let container = container.sleeping();
        container.exec(&[], &["/bin/mount", "-t", "tmpfs", "made-inside", "/tree"]).ok();
        let host = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let found =
            host.lines().any(|line| line.contains(tree.to_str().unwrap()) && line.contains("made-inside"));
        container.exec(&[], &["/bin/umount", "/tree"]).ok();
        assert_eq!(found, seen, "{option} with {propagation}");
    }
}

/// A slave of a shared mount on the host sees what is mounted there later; a private one does not.
/// config.md, "Linux mount options"
#[test]
fn m6_slaves_follow_their_master() {
    needs!(root);
    for (option, seen) in [("rslave", true), ("rprivate", false)] {
        let mut container = Container::new().mount("/tree", "bind", "tree", &["rbind", option]);
        let tree = container.bundle.shared_tmpfs("tree");
        fs::create_dir(tree.join("late")).unwrap();
        let mut container = container.sleeping();
        let late = container.bundle.host_tmpfs("tree/late", "mode=755");
        fs::write(late.join("mark"), "").unwrap();
        let names = container.exec(&[], &["/probe", "list", "/tree/late"]).ok().json();
        assert_eq!(names["/tree/late"] == json!(["mark"]), seen, "{option}");
    }
}

/// `tmpcopyup` keeps the content, owners and modes that the tmpfs covers.
/// config.md, "Linux mount options"
#[test]
fn m11_tmpcopyup() {
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

/// The other options of such a mount hold too, once the content is there.
/// config.md, "Linux mount options"
#[test]
fn m11_tmpcopyup_with_other_options() {
    needs!(root_or_ranges);
    let options = ["tmpcopyup", "ro", "nosuid", "noexec"];
    let container = Container::new().mount("/etc", "tmpfs", "tmpfs", &options);
    let world = container.world();
    let found = mount_flags(mount_on(&world, "/etc"));
    assert!(["ro", "nosuid", "noexec"].iter().all(|flag| found.contains(flag)), "{found:?}");
    let container = Container::new().mount("/etc", "tmpfs", "tmpfs", &options);
    assert!(container.probe(&["read", "/etc/group"])["/etc/group"].as_str().unwrap().contains("guest"));
}

/// A tmpfs with data for the filesystem: size and mode.
/// config.md, "Linux mount options"
#[test]
fn m12_other_words_go_to_the_filesystem() {
    needs!(root_or_ranges);
    let world =
        Container::new().mount("/data", "tmpfs", "scratch", &["size=64k", "mode=700", "nosuid"]).world();
    let mount = mount_on(&world, "/data");
    assert_eq!((&mount["type"], &mount["source"]), (&json!("tmpfs"), &json!("scratch")));
    let options = mount["super"].as_array().unwrap();
    assert!(options.contains(&json!("size=64k")) && options.contains(&json!("mode=700")), "{options:?}");
    assert!(mount_flags(mount).contains(&"nosuid"));
}

/// tmpcopyup copies nodes and the directory's own mode, but nothing of what is mounted below.
/// config.md, "Linux mount options"
#[test]
fn m11_tmpcopyup_takes_nodes_and_no_other_mounts() {
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

/// Options of a bind replace the flags of its source: what is named is as named, not as it was.
/// config.md, "Linux mount options"
#[test]
fn m6_binds_lose_flags() {
    needs!(root);
    assert_flags_lost(&[
        ("rw", "ro"),
        ("suid", "nosuid"),
        ("dev", "nodev"),
        ("exec", "noexec"),
        ("relatime", "noatime"),
    ]);
}

/// The rarer ones too.
/// config.md, "Linux mount options"
#[test]
fn m6_binds_lose_rare_flags() {
    needs!(root);
    assert_flags_lost(&[("diratime", "nodiratime"), ("symfollow", "nosymfollow")]);
}

#[track_caller]
fn assert_flags_lost(table: &[(&str, &str)]) {
    for (option, flag) in table {
        let mut container = Container::new().mount("/host", "bind", "source", &["bind", option]);
        container.bundle.host_tmpfs("source", &format!("mode=755,{flag}"));
        let world = container.world();
        let found = mount_flags(mount_on(&world, "/host"));
        assert!(!found.contains(flag), "{option} left {flag}: {found:?}");
    }
}

/// Several options of one mount all count, and the last of two that exclude each other wins.
/// config.md, "Linux mount options"
#[test]
fn m6_several_options() {
    needs!(root_or_ranges);
    let options = ["ro", "nosuid", "nodev", "noexec", "rw", "exec", "noatime"];
    let world = Container::new().mount("/data", "tmpfs", "tmpfs", &options).world();
    let found = mount_flags(mount_on(&world, "/data"));
    for (flag, there) in
        [("rw", true), ("nosuid", true), ("nodev", true), ("noatime", true), ("ro", false), ("noexec", false)]
    {
        assert_eq!(found.contains(&flag), there, "{flag}: {found:?}");
    }
}

/// Propagation words set the kind of a new filesystem too.
/// config.md, "Linux mount options"
#[test]
fn m6_propagation_on_tmpfs() {
    needs!(root_or_ranges);
    for (option, tag) in
        [("shared", "shared:"), ("rshared", "shared:"), ("unbindable", "unbindable"), ("private", "")]
    {
        let world = Container::new().mount("/data", "tmpfs", "tmpfs", &[option]).world();
        let found = mount_on(&world, "/data")["propagation"].to_string();
        assert!(if tag.is_empty() { found == "[]" } else { found.contains(tag) }, "{option}: {found}");
    }
}

/// Each recursive word says how the mounts below are afterwards, whatever they were.
/// config.md, "Linux mount options"
#[test]
fn m7_recursive_words() {
    needs!(root);
    let table: &[(&str, &str, &[&str], &[&str])] = &[
        ("rro", "rw", &["ro"], &[]),
        ("rrw", "ro", &["rw"], &[]),
        ("rnosuid", "rw", &["nosuid"], &[]),
        ("rsuid", "nosuid", &[], &["nosuid"]),
        ("rnodev", "rw", &["nodev"], &[]),
        ("rdev", "nodev", &[], &["nodev"]),
        ("rnoexec", "rw", &["noexec"], &[]),
        ("rexec", "noexec", &[], &["noexec"]),
        ("rnodiratime", "rw", &["nodiratime"], &[]),
        ("rdiratime", "nodiratime", &[], &["nodiratime"]),
        ("rnosymfollow", "rw", &["nosymfollow"], &[]),
        ("rsymfollow", "nosymfollow", &[], &["nosymfollow"]),
        ("rnoatime", "rw", &["noatime"], &["relatime"]),
        ("ratime", "noatime", &["relatime"], &["noatime"]),
        ("rrelatime", "noatime", &["relatime"], &["noatime"]),
        ("rnorelatime", "noatime", &["relatime"], &["noatime"]),
        ("rstrictatime", "noatime", &[], &["relatime", "noatime"]),
        ("rnostrictatime", "noatime", &["relatime"], &["noatime"]),
    ];
    for (word, before, present, absent) in table {
        let mut container = Container::new().mount("/tree", "bind", "tree", &["rbind", word]);
        container.bundle.host_tmpfs("tree", "mode=755");
        container.bundle.host_tmpfs("tree/below", &format!("mode=755,{before}"));
        let world = container.world();
        let found = mount_flags(mount_on(&world, "/tree/below"));
        assert!(present.iter().all(|flag| found.contains(flag)), "{word}: {found:?}");
        assert!(!absent.iter().any(|flag| found.contains(flag)), "{word}: {found:?}");
    }
}

/// A word that neither mount(8) nor the filesystem knows is an error, on a bind too, which has no data.
/// config.md, "Linux mount options"
#[test]
fn m12_unknown_words() {
    needs!(root_or_ranges);
    each_refused(
        "/mounts/5",
        &[
            json!({ "destination": "/x", "type": "tmpfs", "source": "x", "options": ["bogusoption"] }),
            json!({ "destination": "/x", "type": "tmpfs", "source": "x", "options": ["size=plenty"] }),
            json!({ "destination": "/x", "type": "bind", "source": "/etc", "options": ["bind", "bogusoption"] }),
        ],
    );
}

/// Words of mount(8) that are for mount(8) alone mean what they mean there: nothing to the kernel.
/// config.md, "Linux mount options"
#[test]
fn m13_words_of_mount8() {
    needs!(root_or_ranges);
    let world = Container::new()
        .mount("/a", "tmpfs", "tmpfs", &["defaults", "nosuid"])
        .mount("/b", "tmpfs", "tmpfs", &["nosuid", "defaults"])
        .world();
    assert!(mount_flags(mount_on(&world, "/a")).contains(&"nosuid"));
    assert!(mount_flags(mount_on(&world, "/b")).contains(&"rw"));
}

/// `remount` changes the mount that is there, and its other words are the new flags.
/// config.md, "Linux mount options"
#[test]
fn m6_remount() {
    needs!(root_or_ranges);
    let container = Container::new().mount("/data", "tmpfs", "tmpfs", &["size=64k"]).mount(
        "/data",
        "tmpfs",
        "tmpfs",
        &["remount", "ro", "nosuid"],
    );
    let world = container.world();
    let mounts = world["mounts"].as_array().unwrap();
    assert_eq!(mounts.iter().filter(|mount| mount["target"] == "/data").count(), 1);
    let found = mount_flags(mount_on(&world, "/data"));
    assert!(found.contains(&"ro") && found.contains(&"nosuid"), "{found:?}");
}
