//! create, start, state, kill, delete: the states of a container and what is allowed in each (runtime.md).

use std::fs;

use serde_json::json;

use crate::harness::*;
use crate::needs;

/// `run` passes the program's stdout and exit code through, and the world is that of the config.
#[test]
fn run_prints_the_world() {
    needs!(root);
    let world = Container::new().world();
    assert_eq!(world["pid"], 1);
    assert_eq!(world["argv"], json!(["/probe"]));
    assert_eq!(world["hostname"], "hull-test");
}

/// After `create` everything is there but the program, which `start` lets go.
#[test]
fn create_prepares_and_start_runs() {
    needs!(root);
    let container = Container::new().args(&["/probe", "write", "/ran", "yes"]);
    container.create(&[]).ok();
    assert_eq!(container.status(), "created");
    assert!(container.pid() > 0);
    assert!(fs::metadata(container.bundle.rootfs().join("ran")).is_err(), "the program ran before start");
    container.start().ok();
    container.await_stop();
    assert_eq!(fs::read_to_string(container.bundle.rootfs().join("ran")).unwrap(), "yes");
    container.delete(&[]).ok();
    container.assert_clean();
}
