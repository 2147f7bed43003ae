//! config.md, "Mounts": kinds, order, destinations, sources, id mappings.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::*;
use crate::needs;
use crate::refused::{each_refused, refused};
use crate::seen::{mount_flags, mount_on};

/// Mounts happen in the order listed: a later one covers an earlier one, a child lies on its parent.
/// config.md, "Mounts"
#[test]
fn m1_mounts_are_ordered() {
    needs!(root_or_ranges);
    let world = Container::new()
        .mount("/a", "tmpfs", "first", &[])
        .mount("/a/b", "tmpfs", "child", &[])
        .mount("/c", "tmpfs", "covered", &[])
        .mount("/c", "tmpfs", "covering", &[])
        .world();
    assert_eq!(mount_on(&world, "/a/b")["parent"], mount_on(&world, "/a")["id"]);
    assert_eq!(mount_on(&world, "/c")["source"], "covering");
}

/// A destination without a leading slash is below the root.
/// config.md, "Mounts"
#[test]
fn m2_relative_destinations() {
    needs!(root_or_ranges);
    let world = Container::new().mount("rel/ative", "tmpfs", "tmpfs", &[]).world();
    assert_eq!(mount_on(&world, "/rel/ative")["type"], "tmpfs");
}

/// Links in a destination are followed inside the root filesystem only, an absolute one and one with `..` too.
/// config.md, "Mounts"
#[test]
fn m3_destinations_stay_inside() {
    needs!(root_or_ranges);
    let container = Container::new().mount("/absolute/inside", "tmpfs", "one", &[]).mount(
        "/dotdot/inside",
        "tmpfs",
        "two",
        &[],
    );
    symlink("/tmp", container.bundle.rootfs().join("absolute")).unwrap();
    symlink("../../../../../../run", container.bundle.rootfs().join("dotdot")).unwrap();
    let world = container.world();
    assert_eq!(mount_on(&world, "/tmp/inside")["source"], "one");
    assert_eq!(mount_on(&world, "/run/inside")["source"], "two");
}

/// Directories and files of the host appear inside; a source is relative to the bundle; targets are made.
/// config.md, "Mounts"
#[test]
fn m4_bind_mounts() {
    needs!(root_or_ranges);
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
/// config.md, "Mounts"
#[test]
fn m4_recursive_binds() {
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
/// config.md, "Mounts"
#[test]
fn m5_read_only_binds() {
    needs!(root_or_ranges);
    let container =
        Container::new().mount("/host", "bind", "shared", &["bind", "ro", "nosuid", "nodev", "noexec"]);
    fs::create_dir(container.bundle.join("shared")).unwrap();
    let set = container.args(&["/probe", "write", "/host/new", "text"]);
    assert_eq!(set.world(), json!({ "errno": "EROFS" }));
    let world = set.args(&["/probe"]).world();
    let found = mount_flags(mount_on(&world, "/host")).join(",");
    for flag in ["ro", "nosuid", "nodev", "noexec"] {
        assert!(found.split(',').any(|word| word == flag), "{flag} is not among {found}");
    }
}

/// What is written through a bind is on the host.
/// config.md, "Mounts"
#[test]
fn m4_writable_binds() {
    needs!(root_or_ranges);
    let container = Container::new().mount("/host", "bind", "shared", &["bind"]);
    let shared = container.bundle.join("shared");
    fs::create_dir(&shared).unwrap();
    let container = container.args(&["/probe", "write", "/host/new", "text"]);
    container.world();
    assert_eq!(fs::read_to_string(shared.join("new")).unwrap(), "text");
}

/// A source that does not exist is named.
/// config.md, "Mounts"
#[test]
fn m4_missing_sources() {
    needs!(root_or_ranges);
    let container = Container::new().mount("/host", "bind", "/no/such/source", &["bind"]);
    container.create(&[]).refuses(&["/no/such/source"]).exits(1);
    container.assert_clean();
}

/// What a container mounts does not appear on the host.
/// config.md, "Mounts"
#[test]
fn m15_mounts_stay_inside() {
    needs!(root_or_ranges);
    let before = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let container = Container::new().mount("/data", "tmpfs", "tmpfs", &[]).sleeping();
    let id = container.bundle.path().to_str().unwrap().to_owned();
    let after = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!after.contains(&id) && !before.contains(&id), "{after}");
}

/// The host's root cannot be reached: no mount of the old root is left.
/// config.md, "Mounts"
#[test]
fn m19_the_old_root_is_gone() {
    needs!(root_or_ranges);
    let world = Container::new().world();
    let mounts = world["mounts"].as_array().unwrap();
    let roots: Vec<&Value> = mounts.iter().filter(|mount| mount["target"] == "/").collect();
    assert_eq!(roots.len(), 1, "{roots:?}");
    for mount in mounts {
        assert!(!mount["target"].as_str().unwrap().contains("hull-test-"), "{mount}");
    }
}

/// Below the container's root lies nothing that would come to light without it.
/// config.md, "Mounts"
#[test]
fn m19_nothing_lies_below_the_root() {
    needs!(root, busybox);
    let container = Container::new().capabilities(ROOT_ALL);
    container.bundle.busybox(&["umount"]);
    let container = container.sleeping();
    let namespace = format!("--mount=/proc/{}/ns/mnt", container.pid());
    let finds = |words: &[&str]| {
        Command::new("nsenter").arg(&namespace).args(words).output().unwrap().status.success()
    };
    assert!(finds(&["/probe", "exit", "0"]));
    container.exec(&[], &["/bin/umount", "-l", "/"]).ok();
    assert!(!finds(&["/probe", "exit", "0"]), "/ is still there");
    assert!(!finds(&["/bin/sh", "-c", "exit 0"]), "a root below the container's");
}

/// Without pivot_root the container is sealed all the same.
/// config.md, "Mounts"
#[test]
fn m19_without_pivot_root() {
    needs!(root_or_ranges);
    let mut container = Container::new().set("/process/capabilities", capability("CAP_SYS_CHROOT"));
    fs::create_dir(container.bundle.rootfs().join("below")).unwrap();
    for hooks in [json!({}), json!({ "createRuntime": [{ "path": "/bin/true" }] })] {
        container = container.set("/hooks", hooks).args(&["/probe", "list", "/"]);
        let names = container.run(&["--no-pivot"]).ok().json()["/"].clone();
        assert!(names.as_array().unwrap().contains(&json!("probe")));
        container = container.args(&["/probe", "leave-chroot", "/below"]);
        assert_eq!(container.run(&["--no-pivot"]).ok().json(), names);
    }
}

fn capability(name: &str) -> Value {
    json!({ "bounding": [name], "permitted": [name], "effective": [name] })
}

/// Nor can a user namespace inside mount what is masked: for that, the kernel wants to see a whole one somewhere.
/// config.md, "Mounts"
#[test]
fn m19_no_other_procfs_without_pivot_root() {
    needs!(root, busybox);
    let script = "mount -t $0 none $1 2>/dev/null && echo mounted || echo refused";
    for (kind, place) in [("proc", "/proc"), ("sysfs", "/sys")] {
        let container = Container::new().set("/process/capabilities", capability("CAP_SETFCAP")).args(&[
            "/bin/busybox",
            "unshare",
            "-mrpf",
            "sh",
            "-c",
            script,
            kind,
            place,
        ]);
        container.bundle.busybox(&["mount"]);
        container.run(&["--no-pivot"]).ok().prints("refused");
    }
}

/// An idmapped bind shows other owners: host 0 is 100000 inside.
/// config.md, "Mounts"
#[test]
fn m8_idmapped_binds() {
    needs!(root);
    let map = |host: u32| json!([{ "containerID": 0, "hostID": host, "size": 1000 }]);
    let container = Container::new().edit(|config| {
        config["mounts"].as_array_mut().unwrap().push(json!({
            "destination": "/mapped", "type": "bind", "source": "shared", "options": ["bind", "idmap"],
            "uidMappings": map(100_000), "gidMappings": map(200_000)
        }));
    });
    let shared = container.bundle.join("shared");
    fs::create_dir(&shared).unwrap();
    fs::write(shared.join("file"), "").unwrap();
    std::os::unix::fs::chown(shared.join("file"), Some(7), Some(8)).unwrap();
    let stat = container.probe(&["stat", "/mapped/file"]);
    assert_eq!(stat["/mapped/file"]["uid"], 100_007);
    assert_eq!(stat["/mapped/file"]["gid"], 200_008);
}

/// In a user namespace, an idmapped bind shows the container's own ids, and new files get the host's.
/// config.md, "Mounts"
#[test]
fn m8_idmapped_binds_in_a_user_namespace() {
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
/// config.md, "Mounts"
#[test]
fn m5_locked_flags_in_a_user_namespace() {
    needs!(root, user_ns);
    let mut container =
        Container::new().user_namespace().mount("/locked", "bind", "locked", &["rbind", "ro"]);
    container.bundle.host_tmpfs("locked", "mode=755,nosuid,nodev,noexec");
    let world = container.world();
    let found = mount_flags(mount_on(&world, "/locked")).join(",");
    for flag in ["ro", "nosuid", "nodev", "noexec"] {
        assert!(found.split(',').any(|word| word == flag), "{flag} is not among {found}");
    }
}

/// Nothing may be mounted over /proc, but lxcfs-like files may.
/// config.md, "Mounts"
#[test]
fn m20_mounts_inside_proc() {
    needs!(root_or_ranges);
    let container = Container::new().mount("/proc/sys", "bind", "rootfs", &["bind"]);
    container.create(&[]).refuses(&["/proc"]).exits(1);
    let container = Container::new().mount("/proc/uptime", "bind", "uptime", &["bind"]);
    fs::write(container.bundle.join("uptime"), "1.00 2.00\n").unwrap();
    assert_eq!(container.probe(&["read", "/proc/uptime"])["/proc/uptime"], "1.00 2.00\n");
}

/// Not even an empty filesystem.
/// config.md, "Mounts"
#[test]
fn m20_tmpfs_inside_proc() {
    needs!(root_or_ranges);
    let container = Container::new().mount("/proc/sys", "tmpfs", "tmpfs", &[]);
    container.create(&[]).refuses(&["/proc"]).exits(1);
}

/// What lies on /proc is a procfs, and lies there itself, not where a link of the image leads (CVE-2019-19921).
/// config.md, "Mounts"
#[test]
fn m20_only_a_procfs_on_proc() {
    needs!(root_or_ranges);
    let proc = |kind: &str, options: &[&str]| {
        let mount = json!({ "destination": "/proc", "type": kind, "source": "shared", "options": options });
        let container = Container::new().set("/mounts/0", mount);
        fs::create_dir(container.bundle.join("shared")).unwrap();
        container
    };
    refused(&proc("tmpfs", &[]));
    refused(&proc("bind", &["bind"]));
    let container = proc("proc", &[]);
    fs::remove_dir(container.bundle.rootfs().join("proc")).unwrap();
    symlink("/tmp", container.bundle.rootfs().join("proc")).unwrap();
    refused(&container);
}

/// Nor does a link of the image carry a mount into /proc.
/// config.md, "Mounts"
#[test]
fn m20_links_into_proc() {
    needs!(root_or_ranges);
    for (kind, options) in [("tmpfs", &[][..]), ("bind", &["bind"])] {
        let container = Container::new().mount("/link/sys", kind, "shared", options);
        fs::create_dir(container.bundle.join("shared")).unwrap();
        symlink("/proc", container.bundle.rootfs().join("link")).unwrap();
        refused(&container);
    }
}

/// The default file systems are what they are called.
/// config-linux.md, "Default Filesystems"
#[test]
fn m16_default_filesystems() {
    needs!(root_or_ranges);
    let world = Container::new().world();
    for (target, kind) in [
        ("/proc", "proc"),
        ("/dev", "tmpfs"),
        ("/dev/pts", "devpts"),
        ("/dev/shm", "tmpfs"),
        ("/dev/mqueue", "mqueue"),
        ("/sys", "sysfs"),
    ] {
        assert_eq!(mount_on(&world, target)["type"], kind, "{target}");
    }
    let shm = mount_flags(mount_on(&world, "/dev/shm")).join(",");
    assert!(shm.contains("nosuid") && shm.contains("nodev") && shm.contains("noexec"), "{shm}");
}

/// What a mount cannot do without: a destination, a filesystem that exists, a source to bind.
/// config.md, "Mounts"
#[test]
fn m4_bad_mounts() {
    needs!(root_or_ranges);
    each_refused(
        "/mounts/0",
        &[
            json!({ "type": "tmpfs" }),
            json!({ "destination": "/x", "type": "nosuchfs", "source": "none" }),
            json!({ "destination": "/x", "type": "bind", "options": ["bind"] }),
            json!({ "destination": "/x", "type": "tmpfs", "options": "ro" }),
        ],
    );
}

/// A file is bound over a file, a directory over a directory; the target is made as what the source is.
/// config.md, "Mounts"
#[test]
fn m3_targets_are_made() {
    needs!(root_or_ranges);
    let container = Container::new().mount("/new/dir", "bind", "shared", &["bind"]).mount(
        "/new/file",
        "bind",
        "shared/file",
        &["bind"],
    );
    fs::create_dir(container.bundle.join("shared")).unwrap();
    fs::write(container.bundle.join("shared/file"), "text").unwrap();
    let stat = container.probe(&["stat", "/new/dir", "/new/file"]);
    assert_eq!(
        (&stat["/new/dir"]["type"], &stat["/new/file"]["type"]),
        (&json!("directory"), &json!("file"))
    );
}

/// Directories made for mounts belong to root, and everybody may pass.
/// config.md, "Mounts"
#[test]
fn m23_made_targets() {
    needs!(root);
    let container = Container::new().set("/process/user/umask", json!(0o77)).mount(
        "/new/deep/target",
        "tmpfs",
        "tmpfs",
        &[],
    );
    let rootfs = container.bundle.rootfs();
    let world = container.world();
    assert_eq!(mount_on(&world, "/new/deep/target")["type"], "tmpfs");
    for made in ["new", "new/deep"] {
        let meta = fs::metadata(rootfs.join(made)).unwrap();
        assert_eq!((meta.mode() & 0o7777, meta.uid(), meta.gid()), (0o755, 0, 0), "{made}");
    }
}

/// One list of mappings without the other is an error, as are mappings that are missing altogether.
/// config.md, "Mounts"
#[test]
fn m9_half_mappings() {
    needs!(root_or_ranges);
    let map = json!([{ "containerID": 0, "hostID": 100_000, "size": 1000 }]);
    let bind = |more: &[(&str, &Value)]| {
        let mut mount =
            json!({ "destination": "/x", "type": "bind", "source": "/etc", "options": ["bind", "idmap"] });
        more.iter().for_each(|(name, value)| mount[name] = (*value).clone());
        mount
    };
    each_refused("/mounts/5", &[bind(&[]), bind(&[("uidMappings", &map)]), bind(&[("gidMappings", &map)])]);
}

/// Mappings mean an idmapped mount also when the option is not there, of that one mount; `ridmap` means all below.
/// config.md, "Mounts"
#[test]
fn m10_idmap_options() {
    // Earlier kernels cannot map the ids of a tmpfs.
    needs!(root, kernel("6.3"));
    let map = json!([{ "containerID": 0, "hostID": 100_000, "size": 1000 }]);
    for (option, top, below) in [("rbind", 100_000, 0), ("idmap", 100_000, 0), ("ridmap", 100_000, 100_000)] {
        let mut container = Container::new().edit(|config| {
            config["mounts"].as_array_mut().unwrap().push(json!({
                "destination": "/tree", "type": "bind", "source": "tree", "options": ["rbind", option],
                "uidMappings": map, "gidMappings": map
            }));
        });
        container.bundle.host_tmpfs("tree", "mode=755");
        container.bundle.host_tmpfs("tree/below", "mode=755");
        let stat = container.probe(&["stat", "/tree", "/tree/below"]);
        assert_eq!(
            (&stat["/tree"]["uid"], &stat["/tree/below"]["uid"]),
            (&json!(top), &json!(below)),
            "{option}"
        );
    }
}

/// Filesystems with data of their own pass through: an overlay shows its lower layer and writes to the upper.
/// config.md, "Mounts"
#[test]
fn m22_overlay() {
    needs!(root);
    let mut container = Container::new();
    let layers = container.bundle.host_tmpfs("layers", "mode=755");
    for name in ["lower", "upper", "work"] {
        fs::create_dir(layers.join(name)).unwrap();
    }
    fs::write(layers.join("lower/file"), "low").unwrap();
    let option = |name: &str| format!("{name}dir={}", layers.join(name).display());
    let (lower, upper, work) = (option("lower"), option("upper"), option("work"));
    let container = container.mount("/merged", "overlay", "overlay", &[&lower, &upper, &work]);
    let container = container.args(&["/probe", "write", "/merged/new", "text"]);
    assert_eq!(container.world(), json!({ "written": 4 }));
    let container = container.args(&["/probe", "read", "/merged/file"]);
    assert_eq!(container.world()["/merged/file"], "low");
    assert_eq!(fs::read_to_string(layers.join("upper/new")).unwrap(), "text");
}

/// The default filesystems are there in a user namespace too.
/// config-linux.md, "Default Filesystems"
#[test]
fn m16_default_filesystems_in_a_user_namespace() {
    needs!(root_or_ranges, user_ns);
    let world = Container::new().user_namespace().world();
    for (target, kind) in
        [("/proc", "proc"), ("/sys", "sysfs"), ("/dev/pts", "devpts"), ("/dev/shm", "tmpfs")]
    {
        assert_eq!(mount_on(&world, target)["type"], kind, "{target}");
    }
}

/// sysfs is there when the network is the host's.
/// config-linux.md, "Default Filesystems"
#[test]
fn m16_sysfs_without_a_network_namespace() {
    needs!(root);
    let world = Container::new().without_namespace("network").world();
    assert_eq!(mount_on(&world, "/sys")["type"], "sysfs");
}
