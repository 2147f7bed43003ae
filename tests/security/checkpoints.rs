//! A checkpoint that somebody else has packed.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::json;

use crate::harness::*;
use crate::needs;
use crate::outside::Outside;

fn restore(container: &Container) -> Finished {
    let images = container.bundle.join("images");
    let flags = container.bundled(&["--image-path", images.to_str().unwrap()]);
    let words = [&["restore"], &flags[..], &[&container.id]].concat();
    let folder = criu_program().parent().unwrap().display().to_string();
    container.runtime.command(words).env("PATH", format!("{folder}:/usr/sbin:/usr/bin:/sbin:/bin")).run()
}

/// A log, or any other file, that is a link out of the checkpoint is neither written nor read (CVE-2026-50195 and
/// CVE-2026-53492 too).
#[test]
fn cve_2026_53489_links_in_a_checkpoint() {
    needs!(root, criu);
    for file in ["restore.log", "stats-restore", "descriptors.json", "inventory.img"] {
        let container = Container::new();
        let outside = Outside::of(&container);
        let images = container.bundle.join("images");
        fs::create_dir(&images).unwrap();
        fs::write(images.join("descriptors.json"), "[]").unwrap();
        let _ = fs::remove_file(images.join(file));
        symlink(outside.join("file"), images.join(file)).unwrap();
        restore(&container).refuses(&[file, "symbolic link"]);
        outside.assert_untouched();
        container.assert_clean();
    }
}

/// Nor does a new checkpoint write through what somebody has put into its folder, or the folder of its log; a FIFO is as bad.
#[test]
fn cve_2026_53489_links_in_the_way_of_a_checkpoint() {
    needs!(root, criu);
    let container = Container::new().sleeping();
    let outside = Outside::of(&container);
    for (number, file) in ["dump.log", "stats-dump", "descriptors.json", "inventory.img"].iter().enumerate() {
        for name in ["link", "fifo"] {
            let [images, work] =
                ["images", "work"].map(|kind| container.bundle.join(format!("{kind}-{name}-{number}")));
            fs::create_dir(&images).unwrap();
            fs::create_dir(&work).unwrap();
            let at = if number < 2 { work.join(file) } else { images.join(file) };
            match name {
                "link" => symlink(outside.join("file"), &at).unwrap(),
                _ => drop(Fifo::new(&at)),
            }
            let words = ["--image-path", images.to_str().unwrap(), "--work-path", work.to_str().unwrap()];
            container.verb("checkpoint", &words, &[]).refuses(&[file, "symbolic link"]);
            outside.assert_untouched();
        }
    }
    assert_eq!(container.status(), "running");
}

/// A file of the container on a mount that its first process cannot see is not taken for the host's file of that name.
#[test]
fn a_stream_that_is_called_as_a_file_of_the_host() {
    needs!(root, busybox, criu);
    let program = "echo ready >/ready; exec >/etc/shadow; exec /bin/busybox chroot /jail /busybox sleep 1000";
    let container = Container::new().capabilities(&["CAP_SYS_CHROOT"]).args(&["/bin/sh", "-c", program]);
    container.bundle.busybox(&["sh"]);
    let rootfs = container.bundle.rootfs();
    fs::create_dir(rootfs.join("jail")).unwrap();
    install(std::path::Path::new("/bin/busybox"), &rootfs.join("jail/busybox"));
    let mut ready = Fifo::new(&rootfs.join("ready"));
    let container = container.running();
    ready.word();
    let root = format!("/proc/{}/root", container.pid());
    while fs::read_link(&root).unwrap() == std::path::Path::new("/") {
        std::thread::yield_now();
    }
    let images = container.bundle.join("images");
    let folder = criu_program().parent().unwrap().display().to_string();
    let words = ["checkpoint", "--image-path", images.to_str().unwrap(), &container.id];
    // Whether CRIU can do with a first process in a chroot is not the question.
    container.runtime.command(words).env("PATH", format!("{folder}:/usr/sbin:/usr/bin:/sbin:/bin")).run();
    let streams = fs::read_to_string(images.join("descriptors.json")).unwrap();
    assert!(streams.contains("file[") && !streams.contains("shadow"), "{streams}");
}

/// A file of the host that the checkpoint names is not opened because of its name.
#[test]
fn cve_2026_53489_files_that_a_checkpoint_names() {
    needs!(root, criu);
    let container = Container::new();
    let outside = Outside::of(&container);
    let images = container.bundle.join("images");
    fs::create_dir(&images).unwrap();
    let streams = json!([format!("file[1:2]:{}", outside.join("file").display()), "", ""]);
    fs::write(images.join("descriptors.json"), streams.to_string()).unwrap();
    assert_ne!(restore(&container).code, 0, "there are no images");
    outside.assert_untouched();
    container.assert_clean();
}
