//! Writes that are meant for the kernel do not go to what an image has at /proc.

use std::fs;

use serde_json::json;

use crate::harness::*;
use crate::needs;
use crate::outside::Outside;

/// A sysctl is not written to a file of a volume that hides /proc/sys, nor to a /proc of the image (CVE-2025-62596 too).
#[test]
fn cve_2025_52881_lookalikes() {
    needs!(root);
    for place in ["/proc", "/proc/sys", "/proc/sys/kernel/domainname"] {
        let container = Container::new();
        let outside = Outside::of(&container);
        for file in ["folder/sys/kernel", "folder/kernel"] {
            fs::create_dir_all(outside.join(file)).unwrap();
            fs::write(outside.join(file).join("shm_rmid_forced"), "untouched").unwrap();
        }
        let outside = Outside::of(&container);
        let source = outside.join(if place.ends_with("name") { "file" } else { "folder" });
        let container = container
            .mount(place, "bind", source.to_str().unwrap(), &["bind", "rw"])
            .set("/linux/sysctl", json!({ "kernel.shm_rmid_forced": "1" }));
        container.run(&[]);
        outside.assert_untouched();
    }
}

/// A profile is not written to a file of the image, and what cannot be confined does not run (CVE-2019-19921 too).
#[test]
fn cve_2019_16884_labels_of_a_fake_proc() {
    needs!(root);
    let container = Container::new();
    let outside = Outside::of(&container);
    fs::create_dir_all(outside.join("folder/self/attr/apparmor")).unwrap();
    for file in ["attr/exec", "attr/apparmor/exec"] {
        fs::write(outside.join("folder/self").join(file), "untouched").unwrap();
    }
    let outside = Outside::of(&container);
    let source = outside.join("folder");
    let container = container
        .edit(|config| {
            config["mounts"].as_array_mut().unwrap().retain(|mount| mount["destination"] != "/proc");
        })
        .mount("/proc", "bind", source.to_str().unwrap(), &["bind", "rw"])
        .set("/process/apparmorProfile", json!("hull-no-such-profile"));
    assert_ne!(container.run(&[]).code, 0);
    outside.assert_untouched();
}
