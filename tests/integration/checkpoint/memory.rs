//! Memory that goes another way than into the images: to a page server, to where it is needed first, or nowhere twice.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;

use super::{Tally, with_criu};
use crate::harness::*;
use crate::needs;

/// A CRIU of our own that listens, until whoever connects has what it wants.
struct Daemon {
    pid: i32,
}

impl Daemon {
    /// It is ready when this returns.
    #[track_caller]
    fn start(words: &[&str], images: &Path) -> Self {
        let file = images.join("daemon.pid");
        let mut criu = Command::new(criu_program());
        criu.args(words).args([
            "--address",
            "127.0.0.1",
            "--port",
            "7000",
            "--daemon",
            "--log-file",
            "daemon.log",
        ]);
        criu.arg("--images-dir").arg(images).arg("--pidfile").arg(&file);
        // Not ours: who waits for the end of a stream would wait for the end of the daemon.
        let done = criu.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert!(
            done.success(),
            "{words:?}: {}",
            fs::read_to_string(images.join("daemon.log")).unwrap_or_default()
        );
        Self { pid: fs::read_to_string(file).unwrap().trim().parse().unwrap() }
    }

    #[track_caller]
    fn await_end(&self) {
        assert!(await_exit(self.pid, Duration::from_secs(20)), "CRIU, process {}, goes on", self.pid);
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_raw(self.pid).unwrap();
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

/// `--page-server`: memory is sent to another machine, where the images are complete with it.
#[test]
fn a_page_server() {
    needs!(root, criu, iproute2);
    in_private_network(|| {
        ip("link set lo up");
        let mut tally = Tally::new(Container::new()).at_two();
        let (images, pages) = (tally.container.bundle.join("images"), tally.container.bundle.join("pages"));
        fs::create_dir(&pages).unwrap();
        let server = Daemon::start(&["page-server"], &pages);
        tally.checkpoint(&["--page-server", "127.0.0.1:7000"]).ok();
        server.await_end();
        let of_memory = |dir: &Path| {
            let names =
                fs::read_dir(dir).unwrap().flatten().map(|file| file.file_name().into_string().unwrap());
            names.filter(|name| name.starts_with("pages-")).collect::<Vec<_>>()
        };
        assert_eq!(of_memory(&images), [""; 0]);
        assert_eq!(of_memory(&pages).len(), 1);
        for file in fs::read_dir(&pages).unwrap().flatten() {
            fs::copy(file.path(), images.join(file.file_name())).unwrap();
        }
        tally.restore(&["--detach"]).ok();
        assert_eq!(tally.next(), 3);
    });
}

/// `--lazy-pages`: a container starts elsewhere and gets its memory from the one that it was, which ends after that.
#[test]
fn lazy_pages() {
    needs!(root, criu, lazy_pages, iproute2);
    in_private_network(|| {
        ip("link set lo up");
        let Tally { container: first, numbers } = Tally::new(Container::new()).at_two();
        let images = first.bundle.join("images");
        let (mut ready, status) = std::io::pipe().unwrap();
        let flags = ["--lazy-pages", "--page-server", "127.0.0.1:7000", "--status-fd", "1"];
        let dump = with_criu(&first, "checkpoint", &flags).spawn_on(status.into());
        let mut byte = [1];
        ready.read_exact(&mut byte).unwrap();
        assert_eq!(byte, [0]);

        let second = Container::new().edit(|config| {
            let cgroup = config["linux"]["cgroupsPath"].clone();
            config.clone_from(&first.bundle.config);
            config["linux"]["cgroupsPath"] = cgroup;
            config["root"]["path"] = json!(first.bundle.rootfs());
        });
        let pages = Daemon::start(&["lazy-pages", "--page-server"], &images);
        let images = images.to_str().unwrap();
        let flags = ["--image-path", images, "--work-path", images, "--lazy-pages", "--detach"];
        let flags = [&flags[..], &["--manage-cgroups-mode", "ignore"]].concat();
        with_criu(&second, "restore", &second.bundled(&flags)).run().ok();
        let mut moved = Tally { container: second, numbers };
        pages.await_end();
        let dump = dump.finish();
        let log = fs::read_to_string(first.bundle.join("images/dump.log")).unwrap();
        if log.contains("page-pipe: splice: -1: Bad file descriptor") {
            let reason = "needs a CRIU that can serve any page but the first (4.2 writes to descriptor -1)";
            return skip("integration/checkpoint/memory/lazy_pages", reason);
        }
        dump.ok();
        assert_eq!(moved.next(), 3);
        first.verb("state", &[], &[]).refuses(&["does not exist"]);
        assert_eq!(moved.next(), 4);
    });
}

/// `--auto-dedup`: what was restored is no longer kept in the images.
#[test]
fn auto_dedup() {
    needs!(root, criu);
    let mut tally = Tally::new(Container::new()).at_two();
    tally.checkpoint(&["--auto-dedup"]).ok();
    let pages = tally.container.bundle.join("images/pages-1.img");
    let blocks = || File::open(&pages).unwrap().metadata().unwrap().blocks();
    let before = blocks();
    tally.restore(&["--detach", "--auto-dedup"]).ok();
    assert_eq!(tally.next(), 3);
    assert!(blocks() < before, "{} blocks, and {before} before", blocks());
}
