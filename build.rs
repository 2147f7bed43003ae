//! Hands the commit to `hull --version` (a source tree without git history reports `unknown`), and the order of the
//! functions to the linker.
#![allow(missing_docs)]

use std::process::Command;

fn main() {
    let commit = Command::new("git")
        .args(["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"])
        .output()
        .ok()
        .filter(|out| out.status.success())
        .and_then(|out| String::from_utf8(out.stdout).ok())
        .map_or_else(|| "unknown".to_owned(), |text| text.trim().to_owned());
    println!("cargo:rustc-env=HULL_COMMIT={commit}");
    println!("cargo:rerun-if-changed=.git/HEAD");
    println!("cargo:rerun-if-changed=.git/refs/heads");
    // Of release builds only: where functions are not sections of their own, or not optimised, there is nothing to order.
    if std::env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        println!("cargo:rustc-link-arg-bin=hull=-Wl,--script,{}/src/order.ld", env!("CARGO_MANIFEST_DIR"));
        // A position-independent program has thousands of addresses to add its own to: a bit each, not 24 bytes.
        println!("cargo:rustc-link-arg-bin=hull=-Wl,-z,pack-relative-relocs");
    }
    println!("cargo:rerun-if-changed=src/order.ld");
}
