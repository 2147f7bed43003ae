//! Masked and read-only paths in a procfs of the container's own, where hull goes by names.

use serde_json::json;

use crate::harness::*;
use crate::needs;

fn read_only(path: &str) -> serde_json::Value {
    let container = Container::new()
        .set("/linux/maskedPaths", json!([]))
        .set("/linux/readonlyPaths", json!([path]))
        .args(&["/probe", "write", "/proc/self/comm", "name"]);
    container.world()
}

/// Files, directories, links and names that are not there.
#[test]
fn names_of_proc() {
    needs!(root_or_ranges);
    let container = Container::new()
        .set(
            "/linux/maskedPaths",
            json!(["/proc/version", "/proc/mounts", "/proc/fs", "/proc/none", "/proc/sys/kernel/version"]),
        )
        .args(&[
            "/probe",
            "read",
            "/proc/version",
            "/proc/mounts",
            "/proc/self/mounts",
            "/proc/sys/kernel/version",
            "/proc/fs/any",
        ]);
    assert_eq!(
        container.world(),
        json!({
            "/proc/version": "",
            "/proc/mounts": "",
            "/proc/self/mounts": "",
            "/proc/sys/kernel/version": "",
            "/proc/fs/any": { "errno": "ENOENT" },
        })
    );
    // A link leads to what is made read-only; a name that is not there makes nothing so.
    assert_eq!(read_only("/proc/self"), json!({ "errno": "EROFS" }));
    assert_ne!(read_only("/proc/none"), json!({ "errno": "EROFS" }));
}

/// What is mounted on top later is what is masked.
#[test]
fn a_second_proc() {
    needs!(root_or_ranges);
    let container = Container::new()
        .mount("/proc", "proc", "proc", &[])
        .set("/linux/maskedPaths", json!(["/proc/version"]))
        .args(&["/probe", "read", "/proc/version"]);
    assert_eq!(container.world(), json!({ "/proc/version": "" }));
}
