//! runtime.md, "Lifecycle", "Errors" and "Scope of a Container".

use std::fs;

use crate::harness::*;
use crate::needs;

/// After create no process of the runtime stays behind: the container's parent is an adopter.
/// runtime.md, "Scope of a Container"
#[test]
fn n9_no_supervisor_remains() {
    needs!(root_or_ranges);
    let container = Container::new().sleeping();
    let status = fs::read_to_string(format!("/proc/{}/status", container.pid())).unwrap();
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap().trim().to_owned();
    let name = fs::read_to_string(format!("/proc/{parent}/comm")).unwrap();
    assert!(!name.starts_with("hull") && !name.starts_with("runc"), "the parent is {name}");
}

/// A signal that does not exist is an error and harms nobody.
/// runtime.md, "Errors"
#[test]
fn l15_errors_change_nothing() {
    needs!(root_or_ranges);
    let container = Container::new().sleeping();
    container.kill("NOSUCHSIGNAL").refuses(&["NOSUCHSIGNAL"]).exits(1);
    container.kill("999").refuses(&[]).exits(1);
    assert_eq!(container.status(), "running");
}
