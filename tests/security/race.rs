//! Somebody with a hand in a shared volume exchanges a folder for a link, over and over, while containers are made.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use rustix::fs::{CWD, RenameFlags, renameat_with};

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
        assert!(self.exchanges.load(Ordering::Relaxed) > 100, "the attacker did not come to attack");
    }
}

/// A container that mounts at `destination`, while `place` in its root filesystem is exchanged for a link to the host.
fn raced(destination: &str, place: &str) {
    let container = Container::new().mount(destination, "tmpfs", "tmpfs", &[]).args(&["/probe", "exit", "0"]);
    let outside = Outside::of(&container);
    let rootfs = container.bundle.rootfs();
    fs::create_dir_all(rootfs.join(place)).unwrap();
    symlink(outside.join("folder"), rootfs.join("link")).unwrap();
    let attacker = Attacker::between(rootfs.join(place), rootfs.join("link"));
    for _ in 0..ROUNDS {
        container.run(&[]);
        outside.assert_untouched();
    }
    drop(attacker);
}

#[test]
fn cve_2021_30465_target_exchanged() {
    needs!(root);
    raced("/volume/target", "volume/target");
}

#[test]
fn cve_2021_30465_parent_exchanged() {
    needs!(root);
    raced("/volume/target", "volume");
}

#[test]
fn cve_2024_45310_parent_exchanged_while_places_are_made() {
    needs!(root);
    raced("/volume/a/b/c", "volume");
}
