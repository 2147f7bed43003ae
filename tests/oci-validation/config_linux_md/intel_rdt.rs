//! Classes of service and monitoring groups (config-linux.md, "IntelRdt"), where the processor has them.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::harness::*;
use crate::needs;
use crate::refused::each_refused;

fn resctrl(below: &str) -> PathBuf {
    Path::new("/sys/fs/resctrl").join(below)
}

#[track_caller]
fn tasks(group: &str) -> Vec<i32> {
    let text = fs::read_to_string(resctrl(group).join("tasks")).unwrap();
    text.lines().map(|line| line.parse().unwrap()).collect()
}

/// Without a closID the class has the container's name, and goes with it.
/// config-linux.md, "IntelRdt"
#[test]
fn r2_a_class_of_its_own() {
    needs!(root, resctrl);
    let container = Container::new().set("/linux/intelRdt", json!({})).sleeping();
    assert!(tasks(&container.id).contains(&container.pid()));
    container.exec(&["--detach"], &["/probe", "pause"]).ok();
    assert_eq!(tasks(&container.id).len(), 2);
    container.delete(&["--force"]).ok();
    assert!(fs::metadata(resctrl(&container.id)).is_err());
}

/// The root class is joined as it is, and a class that nobody has prepared is refused.
/// config-linux.md, "IntelRdt"
#[test]
fn r3_named_classes() {
    needs!(root, resctrl);
    let container = Container::new().set("/linux/intelRdt", json!({ "closID": "/" })).sleeping();
    assert!(tasks("").contains(&container.pid()));
    let absent = Container::new().set("/linux/intelRdt", json!({ "closID": "no-such-class" }));
    absent.create(&[]).refuses(&["linux.intelRdt.closID", "no-such-class"]).exits(1);
    absent.assert_clean();
}

/// Where there is no resctrl, asking for it is an error.
/// config-linux.md, "IntelRdt"
#[test]
fn r1_no_resctrl() {
    needs!(root, no_resctrl);
    each_refused(
        "/linux/intelRdt",
        &[json!({ "closID": "guaranteed" }), json!({ "enableMonitoring": true })],
    );
}

/// Names that lead elsewhere, and values of several lines.
/// config-linux.md, "IntelRdt"
#[test]
fn r3_bad_values() {
    needs!(root);
    each_refused(
        "/linux/intelRdt",
        &[
            json!({ "closID": ".." }),
            json!({ "closID": "a/b" }),
            json!({ "closID": "a", "schemata": ["L3:0=f\nL3:1=f"] }),
        ],
    );
}
