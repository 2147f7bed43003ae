//! Every place of the root filesystem that the runtime touches, as everything that it could be instead of a folder: a run
//! may fail or succeed, but touches nothing outside, and leaves nothing.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::json;

use crate::harness::*;
use crate::needs;
use crate::outside::Outside;

const PLACES: [&str; 14] = [
    "proc",
    "sys",
    "dev",
    "etc",
    "work",
    "volume",
    "dev/pts",
    "dev/shm",
    "dev/mqueue",
    "dev/null",
    "dev/console",
    "masked",
    "readonly",
    "run",
];

const SHAPES: [&str; 8] = [
    "link to a folder",
    "link to a file",
    "link up",
    "dangling link",
    "link to itself",
    "file",
    "fifo",
    "socket",
];

fn put(shape: &str, at: &Path, outside: &Outside) {
    let _ = fs::remove_dir_all(at);
    fs::create_dir_all(at.parent().unwrap()).unwrap();
    match shape {
        "link to a folder" => symlink(outside.join("folder"), at).unwrap(),
        "link to a file" => symlink(outside.join("file"), at).unwrap(),
        "link up" => symlink(
            "../../../../../../../../../../../..".to_owned() + outside.join("folder").to_str().unwrap(),
            at,
        )
        .unwrap(),
        "dangling link" => symlink(outside.join("new"), at).unwrap(),
        "link to itself" => symlink(at.file_name().unwrap(), at).unwrap(),
        "file" => fs::write(at, "").unwrap(),
        "fifo" => mknodat(CWD, at, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap(),
        _ => drop(UnixListener::bind(at).unwrap()),
    }
}

#[test]
fn whatever_a_place_is() {
    needs!(root);
    for place in PLACES {
        for shape in SHAPES {
            let container = Container::new()
                .edit(|config| {
                    // Without a fresh /dev the image's own is what there is.
                    if place.starts_with("dev") {
                        config["mounts"]
                            .as_array_mut()
                            .unwrap()
                            .retain(|mount| mount["destination"] != "/dev");
                    }
                })
                .mount("/volume", "tmpfs", "tmpfs", &[])
                .set("/process/cwd", json!("/work"))
                .set("/linux/maskedPaths", json!(["/masked", "/proc/keys"]))
                .set("/linux/readonlyPaths", json!(["/readonly", "/proc/sys"]))
                .args(&["/probe", "exit", "0"]);
            let outside = Outside::of(&container);
            let at = container.bundle.rootfs().join(place);
            if UnixListener::bind(container.bundle.join("s")).is_ok() && at.as_os_str().len() < 100 {
                put(shape, &at, &outside);
            }
            let done = container.run(&[]);
            assert!(done.code < 128, "{shape} at /{place}: {done:?}");
            outside.assert_untouched();
            if done.code != 0 {
                container.assert_clean();
            }
        }
    }
}
