//! A runtime that is killed in the middle of its work: what it leaves can always be deleted. The specification's own
//! cases of this are in tests/oci-validation/runtime_md/interrupted.rs.

use rustix::process::Signal;

use crate::harness::*;
use crate::needs;

/// KILL of a foreground `run`: the container goes on or is gone, and can be deleted either way.
#[test]
fn killed_during_run() {
    needs!(root_or_ranges);
    let container = Container::new().args(&["/probe", "wait", "/ready"]);
    let mut ready = Fifo::new(&container.bundle.rootfs().join("ready"));
    let flags = container.bundled(&[]);
    let run = container.runtime.command([&["run"], &flags[..], &[&container.id]].concat()).spawn();
    ready.word();
    run.signal(Signal::KILL);
    run.finish().exits(137);
    container.delete(&["--force"]).ok();
    container.assert_clean();
}

/// A state directory without content, as a crash may leave it, hinders nobody.
#[test]
fn empty_state_directories() {
    needs!(root_or_ranges);
    let container = Container::new();
    std::fs::create_dir(container.runtime.root().join(&container.id)).unwrap();
    container.runtime.command(["list", "-q"]).run().ok();
    container.delete(&["--force"]).ok();
    container.world();
}
