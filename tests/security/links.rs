//! Links that an image has where the runtime makes, mounts or opens something.

use std::fs;
use std::os::unix::fs::symlink;

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use serde_json::json;

use crate::harness::*;
use crate::needs;
use crate::outside::Outside;

/// A mount whose target is a link to a folder or file of the host stays inside (CVE-2019-18837 too).
#[test]
fn cve_2021_30465_mounts_on_links() {
    needs!(root);
    for (target, kind) in [("folder", "tmpfs"), ("file", "none"), ("made/by/mkdir", "tmpfs")] {
        let container = Container::new();
        let outside = Outside::of(&container);
        symlink(outside.join(target), container.bundle.rootfs().join("link")).unwrap();
        fs::write(container.bundle.join("source"), "source").unwrap();
        let options: &[&str] = if kind == "none" { &["bind"] } else { &[] };
        let container = container.mount("/link", kind, "source", options);
        container.run(&[]);
        outside.assert_untouched();
    }
}

/// Places for mounts are made inside, whatever links lead there.
#[test]
fn cve_2024_45310_places_are_made_inside() {
    needs!(root);
    for below in ["/link/new/folder", "/link/../new", "/link/folder/../../new"] {
        let container = Container::new();
        let outside = Outside::of(&container);
        symlink(outside.join(""), container.bundle.rootfs().join("link")).unwrap();
        let container = container.mount(below, "tmpfs", "tmpfs", &[]);
        container.run(&[]);
        outside.assert_untouched();
    }
}

/// /proc and /sys are no links, neither to the host nor inside (CVE-2025-54867 too).
#[test]
fn cve_2023_27561_proc_is_a_link() {
    needs!(root);
    for place in ["proc", "sys"] {
        let container = Container::new();
        let outside = Outside::of(&container);
        let path = container.bundle.rootfs().join(place);
        fs::remove_dir(&path).unwrap();
        symlink(outside.join("folder"), &path).unwrap();
        assert_ne!(container.run(&[]).code, 0, "/{place}");
        outside.assert_untouched();
        fs::remove_file(&path).unwrap();
        symlink("tmp", &path).unwrap();
        assert_ne!(container.run(&[]).code, 0, "/{place} to /tmp");
    }
}

/// Nor to a volume, in which somebody has laid out what a /proc would have.
#[test]
fn cve_2023_28642_proc_is_a_link_to_a_volume() {
    needs!(root);
    for place in ["proc", "sys"] {
        let container = Container::new();
        let outside = Outside::of(&container);
        fs::create_dir_all(outside.join("folder/self/attr/apparmor")).unwrap();
        fs::write(outside.join("folder/self/attr/exec"), "untouched").unwrap();
        let outside = Outside::of(&container);
        let rootfs = container.bundle.rootfs();
        fs::remove_dir(rootfs.join(place)).unwrap();
        fs::create_dir(rootfs.join("x")).unwrap();
        symlink("/x", rootfs.join(place)).unwrap();
        let source = outside.join("folder");
        let volume =
            json!({ "destination": "/x", "type": "bind", "source": source, "options": ["rbind", "rw"] });
        let container = container.edit(|config| config["mounts"].as_array_mut().unwrap().insert(0, volume));
        assert_ne!(container.run(&[]).code, 0, "/{place}");
        outside.assert_untouched();
    }
}

/// The device nodes and links of /dev are made inside, though the image's /dev is a link (CVE-2026-47766 too).
#[test]
fn cve_2026_41579_dev_is_a_link() {
    needs!(root);
    let container = Container::new().without_dev();
    let outside = Outside::of(&container);
    let dev = container.bundle.rootfs().join("dev");
    fs::remove_dir(&dev).unwrap();
    symlink(outside.join("folder"), &dev).unwrap();
    container.run(&[]);
    outside.assert_untouched();
}

/// Masks are the host's null device, though the image has something else at /dev/null; and what they hide stays hidden
/// or nothing runs (CVE-2025-62161 too).
#[test]
fn cve_2025_31133_dev_null_of_the_image() {
    needs!(root);
    for null in ["link", "file"] {
        let container = Container::new()
            .edit(|config| {
                config["mounts"]
                    .as_array_mut()
                    .unwrap()
                    .retain(|mount| !mount["destination"].as_str().unwrap().starts_with("/dev"));
            })
            .set("/linux/maskedPaths", json!(["/secret"]))
            .args(&["/probe", "read", "/secret"]);
        let outside = Outside::of(&container);
        let rootfs = container.bundle.rootfs();
        fs::write(rootfs.join("secret"), "the secret").unwrap();
        if null == "link" {
            symlink("/secret", rootfs.join("dev/null")).unwrap();
        } else {
            fs::write(rootfs.join("dev/null"), "the secret").unwrap();
        }
        let done = container.run(&[]);
        assert!(!done.stdout.contains("the secret"), "{done:?}");
        outside.assert_untouched();
    }
}

/// A terminal is not bound where a link at /dev/console leads.
#[test]
fn cve_2025_52565_console_is_a_link() {
    needs!(root);
    let container = Container::new()
        .edit(|config| {
            config["mounts"].as_array_mut().unwrap().retain(|mount| mount["destination"] != "/dev");
        })
        .set("/process/terminal", json!(true))
        .args(&["/probe", "pause"]);
    let outside = Outside::of(&container);
    symlink(outside.join("file"), container.bundle.rootfs().join("dev/console")).unwrap();
    let console = Console::new(container.bundle.path());
    container.create(&["--console-socket", console.path()]);
    outside.assert_untouched();
}

/// Without a cgroup namespace, too, and for a user who owns the cgroups, they are mounted for reading only.
#[test]
fn cve_2023_25809_cgroup_mounts_are_read_only() {
    needs!(root, user_ns);
    let places = ["/sys/fs/cgroup/new", "/sys/fs/cgroup/unified/new", "/sys/fs/cgroup/memory/new"];
    let words = [&["/probe", "mkdir"], &places[..]].concat();
    let mounted =
        |container: Container| container.mount("/sys/fs/cgroup", "cgroup", "cgroup", &["ro"]).args(&words);
    for container in [
        Container::new(),
        Container::new().without_namespace("cgroup"),
        users_own(),
        users_own().without_namespace("cgroup"),
    ] {
        let done = mounted(container).run(&[]);
        // What cannot be mounted for that user is refused.
        let Ok(made) = serde_json::from_str::<serde_json::Value>(&done.stdout) else {
            assert_ne!(done.code, 0, "{done:?}");
            continue;
        };
        for (path, said) in made.as_object().unwrap() {
            assert!(said["errno"].is_string(), "{path}: {said}");
        }
    }
}

/// Nothing is written into the root filesystem for a handler that an annotation asks for.
#[test]
fn cve_2025_24965_a_handlers_file_is_a_link() {
    needs!(root);
    let container = Container::new()
        .edit(|config| config["annotations"] = json!({ "run.oci.handler": "krun" }))
        .args(&["/probe", "exit", "0"]);
    let outside = Outside::of(&container);
    symlink(outside.join("file"), container.bundle.rootfs().join(".krun_config.json")).unwrap();
    container.run(&[]);
    outside.assert_untouched();
}

/// What a tmpfs takes over from the place below it is the image's: links are copied, not followed, and nothing outside
/// changes its mode or owner (CVE-2021-32760 too).
#[test]
fn cve_2022_23648_copies_do_not_follow_links() {
    needs!(root);
    let container = Container::new().args(&["/probe", "list", "/data", "/data/link", "/place"]);
    let outside = Outside::of(&container);
    let rootfs = container.bundle.rootfs();
    fs::create_dir(rootfs.join("data")).unwrap();
    fs::write(outside.join("folder/secret"), "the secret").unwrap();
    let outside = Outside::of(&container);
    for (link, to) in [("link", "folder"), ("file", "folder/secret")] {
        symlink(outside.join(to), rootfs.join("data").join(link)).unwrap();
    }
    symlink(outside.join("folder"), rootfs.join("place")).unwrap();
    let container = container.mount("/data", "tmpfs", "tmpfs", &["tmpcopyup"]).mount(
        "/place",
        "tmpfs",
        "tmpfs",
        &["tmpcopyup"],
    );
    let done = container.run(&[]);
    assert!(!done.stdout.contains("secret"), "{done:?}");
    outside.assert_untouched();
}

/// A device of the image that has the name of another, and the place of one that is a link.
#[test]
fn devices_are_what_they_are_called() {
    needs!(root);
    let no_dev = |container: Container| {
        container.edit(|config| {
            config["mounts"]
                .as_array_mut()
                .unwrap()
                .retain(|mount| !mount["destination"].as_str().unwrap().starts_with("/dev"));
        })
    };
    let memory = no_dev(Container::new());
    let null = memory.bundle.rootfs().join("dev/null");
    mknodat(CWD, &null, FileType::CharacterDevice, Mode::from_raw_mode(0o666), makedev(1, 1)).unwrap();
    memory.run(&[]).refuses(&["dev/null"]);
    let linked = no_dev(Container::new());
    let outside = Outside::of(&linked);
    symlink(outside.join("file"), linked.bundle.rootfs().join("dev/null")).unwrap();
    linked.run(&[]).refuses(&["dev/null"]);
    outside.assert_untouched();
}

/// A sparse file of many terabytes in the place of one that the runtime reads holds nobody up.
#[test]
fn files_without_an_end() {
    needs!(root);
    let container = Container::new().edit(|config| config["process"]["env"] = json!([]));
    let passwd = fs::File::create(container.bundle.rootfs().join("etc/passwd")).unwrap();
    passwd.set_len(8 << 40).unwrap();
    container.run(&[]).ok();
    container.sleeping().exec(&["-u", "5"], &["/probe"]).ok();
}
