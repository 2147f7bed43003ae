//! Somebody with a hand in a shared volume exchanges a folder for a link, over and over, while containers are made.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde_json::json;

use crate::harness::*;
use crate::needs;
use crate::outside::Outside;

const ROUNDS: usize = 40;

/// The one who exchanges, until dropped.
struct Attacker {
    stop: Arc<AtomicBool>,
    exchanges: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Attacker {
    fn between(one: PathBuf, other: PathBuf) -> Self {
        let (stop, exchanges) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (stopped, count) = (Arc::clone(&stop), Arc::clone(&exchanges));
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                if renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE).is_ok() {
                    count.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        Self { stop, exchanges, thread: Some(thread) }
    }
}

impl Drop for Attacker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
        let exchanges = self.exchanges.load(Ordering::Relaxed);
        assert!(
            exchanges > 50 || std::thread::panicking(),
            "the attacker came to attack {exchanges} times only"
        );
    }
}

/// Runs containers while `place` in the root filesystem is exchanged for a link to the host, over and over.
fn raced(container: &Container, place: &str, is_file: bool, look: impl Fn(&Finished)) {
    let outside = Outside::of(container);
    let rootfs = container.bundle.rootfs();
    let (at, link) = (rootfs.join(place), rootfs.join("link-of-the-attacker"));
    fs::create_dir_all(at.parent().unwrap()).unwrap();
    if is_file {
        fs::write(&at, "").unwrap();
        symlink(outside.join("file"), &link).unwrap();
    } else {
        fs::create_dir_all(&at).unwrap();
        symlink(outside.join("folder"), &link).unwrap();
    }
    // Two of them, so that one is at it whenever a core is free.
    let attackers = [(); 2].map(|()| Attacker::between(at.clone(), link.clone()));
    for _ in 0..ROUNDS {
        look(&container.run(&[]));
        outside.assert_untouched();
    }
    drop(attackers);
}

fn mounting_at(destination: &str) -> Container {
    Container::new().mount(destination, "tmpfs", "tmpfs", &[]).args(&["/probe", "exit", "0"])
}

/// The image's own /dev, which nothing covers.
fn without_dev() -> Container {
    Container::new().args(&["/probe", "exit", "0"]).edit(|config| {
        let mounts = config["mounts"].as_array_mut().unwrap();
        mounts.retain(|mount| !mount["destination"].as_str().unwrap().starts_with("/dev"));
    })
}

#[test]
fn cve_2021_30465_target_exchanged() {
    needs!(root);
    raced(&mounting_at("/volume/target"), "volume/target", false, |_| ());
}

#[test]
fn cve_2021_30465_parent_exchanged() {
    needs!(root);
    raced(&mounting_at("/volume/target"), "volume", false, |_| ());
}

#[test]
fn cve_2024_45310_parent_exchanged_while_places_are_made() {
    needs!(root);
    raced(&mounting_at("/volume/a/b/c"), "volume", false, |_| ());
}

#[test]
fn cve_2019_19921_proc_exchanged() {
    needs!(root);
    raced(&Container::new().args(&["/probe", "exit", "0"]), "proc", false, |_| ());
}

#[test]
fn cve_2026_41579_dev_exchanged() {
    needs!(root);
    raced(&without_dev(), "dev", false, |_| ());
}

#[test]
fn cve_2026_47766_device_exchanged() {
    needs!(root);
    raced(&without_dev(), "dev/full", true, |_| ());
}

/// The mask is the host's null device, or nothing runs: what it hides is not shown in any round.
#[test]
fn cve_2025_31133_masks_exchanged() {
    needs!(root);
    let container =
        without_dev().set("/linux/maskedPaths", json!(["/secret"])).args(&["/probe", "read", "/secret"]);
    fs::write(container.bundle.rootfs().join("secret"), "the secret").unwrap();
    raced(&container, "dev/null", true, |done| assert!(!done.stdout.contains("the secret"), "{done:?}"));
}

/// The terminal does not land where the link at /dev/console leads.
#[test]
fn cve_2025_52565_console_exchanged() {
    needs!(root);
    let container = without_dev()
        .mount("/dev/pts", "devpts", "devpts", &["newinstance", "ptmxmode=0666"])
        .set("/process/terminal", json!(true));
    raced(&container, "dev/console", true, |_| ());
}

/// A mount in a shared volume does not land in /proc, where it would stand in for a file of the kernel's.
#[test]
fn cve_2025_52881_volume_exchanged_for_proc() {
    needs!(root);
    let container = Container::new()
        .mount("/volume/target", "tmpfs", "tmpfs", &[])
        .edit(|config| config["linux"]["readonlyPaths"] = json!([]))
        .args(&["/probe", "read", "/proc/self/mountinfo"]);
    let rootfs = container.bundle.rootfs();
    fs::create_dir_all(rootfs.join("volume/target")).unwrap();
    symlink("../proc/sys/kernel", rootfs.join("volume/other")).unwrap();
    let attacker = Attacker::between(rootfs.join("volume/target"), rootfs.join("volume/other"));
    for _ in 0..ROUNDS {
        let done = container.run(&[]);
        assert!(!done.stdout.contains(" /proc/sys"), "{done:?}");
    }
    drop(attacker);
}

/// What is copied into a tmpfs is never what the link leads to, of the host or of the image.
#[test]
fn cve_2022_23648_copies_exchanged() {
    needs!(root);
    for (place, is_file, read) in [("volume/a", false, "/volume/a/file"), ("volume/a", true, "/volume/a")] {
        let container = Container::new()
            .mount("/volume", "tmpfs", "tmpfs", &["tmpcopyup"])
            .args(&["/probe", "read", read]);
        raced(&container, place, is_file, |done| assert!(!done.stdout.contains("untouched"), "{done:?}"));
    }
}

/// A few rounds for every other place that the runtime touches.
#[test]
fn other_places_exchanged() {
    needs!(root);
    for place in ["sys", "etc", "work", "masked", "readonly", "dev/pts", "dev/shm", "dev/mqueue"] {
        let container = without_dev()
            .mount("/dev/pts", "devpts", "devpts", &["newinstance"])
            .mount("/dev/shm", "tmpfs", "tmpfs", &[])
            .mount("/dev/mqueue", "mqueue", "mqueue", &[])
            .mount("/etc/file", "bind", "config.json", &["bind"])
            .set("/process/cwd", json!("/work"))
            .set("/linux/maskedPaths", json!(["/masked"]))
            .set("/linux/readonlyPaths", json!(["/readonly"]));
        let outside = Outside::of(&container);
        let rootfs = container.bundle.rootfs();
        fs::create_dir_all(rootfs.join(place)).unwrap();
        symlink(outside.join("folder"), rootfs.join("link")).unwrap();
        let attacker = Attacker::between(rootfs.join(place), rootfs.join("link"));
        for _ in 0..ROUNDS / 4 {
            container.run(&[]);
            outside.assert_untouched();
        }
        drop(attacker);
    }
}
