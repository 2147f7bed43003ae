//! Classes of service and monitoring groups (config-linux.md, "IntelRdt"), where the processor has them.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::harness::*;
use crate::needs;

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
