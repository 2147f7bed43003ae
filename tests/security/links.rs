//! Links that an image has where the runtime makes, mounts or opens something.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::json;

use crate::harness::*;
use crate::needs;
use crate::outside::Outside;

/// A mount whose target is a link to a folder or file of the host stays inside.
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

/// /proc and /sys are no links.
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
        // Nor inside (CVE-2023-28642, CVE-2019-19921, CVE-2025-54867).
        fs::remove_file(&path).unwrap();
        symlink("tmp", &path).unwrap();
        assert_ne!(container.run(&[]).code, 0, "/{place} to /tmp");
    }
}

/// The device nodes and links of /dev are made inside, though the image's /dev is a link (CVE-2026-47766 too).
#[test]
fn cve_2026_41579_dev_is_a_link() {
    needs!(root);
    let container = Container::new().edit(|config| {
        config["mounts"]
            .as_array_mut()
            .unwrap()
            .retain(|mount| !mount["destination"].as_str().unwrap().starts_with("/dev"));
    });
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

/// A link at /sys/fs/cgroup, or in it, does not lead the cgroup mount elsewhere.
#[test]
fn cve_2023_25809_cgroup_mounts_are_read_only() {
    needs!(root);
    let container = Container::new().mount("/sys/fs/cgroup", "cgroup", "cgroup", &["ro"]).args(&[
        "/probe",
        "mkdir",
        "/sys/fs/cgroup/new",
        "/sys/fs/cgroup/unified/new",
        "/sys/fs/cgroup/memory/new",
    ]);
    let made = container.world();
    for (path, said) in made.as_object().unwrap() {
        assert!(said["errno"].is_string(), "{path}: {said}");
    }
}
