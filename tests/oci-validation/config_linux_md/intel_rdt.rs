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
    absent.create(&[]).refuses(&["no-such-class"]).exits(1);
    absent.assert_clean();
}

/// Where there is no resctrl, asking for it is an error.
/// config-linux.md, "IntelRdt"
#[test]
fn r1_no_resctrl() {
    needs!(root_or_ranges, no_resctrl);
    each_refused(
        "/linux/intelRdt",
        &[json!({ "closID": "guaranteed" }), json!({ "enableMonitoring": true })],
    );
}

/// Names that lead elsewhere, and values of several lines.
/// config-linux.md, "IntelRdt"
#[test]
fn r3_bad_values() {
    needs!(root_or_ranges);
    each_refused(
        "/linux/intelRdt",
        &[
            json!({ "closID": ".." }),
            json!({ "closID": "a/b" }),
            json!({ "closID": "a", "schemata": ["L3:0=f\nL3:1=f"] }),
        ],
    );
}

/// The lines of a resource in the root class, such as `L3:0=fffff;1=fffff`, which every class may have.
#[track_caller]
fn line_of(resource: &str) -> Option<String> {
    let text = fs::read_to_string(resctrl("schemata")).unwrap();
    text.lines().map(str::trim).find(|line| line.starts_with(resource)).map(str::to_owned)
}

/// A class that the container names, removed at the end of the test.
struct Class(String);

impl Drop for Class {
    fn drop(&mut self) {
        let _ = fs::remove_dir(resctrl(&self.0));
    }
}

/// Cache, bandwidth and other lines are written, in this order: the last line for a resource is in force.
/// config-linux.md, "IntelRdt"
#[test]
fn r4_schemata() {
    needs!(root, resctrl);
    let Some(full) = line_of("L3:") else {
        return skip(std::any::type_name_of_val(&r4_schemata), "needs a class of service with L3 masks");
    };
    // Masks of one cache way less than the whole.
    let narrow = |line: &str| -> String {
        let (resource, masks) = line.split_once(':').unwrap();
        let mask = |entry: &str| {
            let (id, mask) = entry.split_once('=').unwrap();
            format!("{id}={:x}", u64::from_str_radix(mask, 16).unwrap() >> 1)
        };
        format!("{resource}:{}", masks.split(';').map(mask).collect::<Vec<_>>().join(";"))
    };
    let class = Class(format!("hull-test-{}-r4", std::process::id()));
    let asked = json!({ "closID": class.0, "l3CacheSchema": full, "schemata": [narrow(&full)] });
    let _container = Container::new().set("/linux/intelRdt", asked).sleeping();
    let schemata = fs::read_to_string(resctrl(&class.0).join("schemata")).unwrap();
    let in_force = schemata.lines().map(str::trim).find(|line| line.starts_with("L3:"));
    assert_eq!(in_force, Some(narrow(&full).as_str()));
}

/// A class that is there already must be as the document says; without a schema it is taken as it is.
/// config-linux.md, "IntelRdt"
#[test]
fn r4_classes_that_are_there() {
    needs!(root, resctrl);
    let class = Class(format!("hull-test-{}-there", std::process::id()));
    fs::create_dir(resctrl(&class.0)).unwrap();
    let before = fs::read_to_string(resctrl(&class.0).join("schemata")).unwrap();
    let container = Container::new().set("/linux/intelRdt", json!({ "closID": class.0 })).sleeping();
    assert!(tasks(&class.0).contains(&container.pid()));
    container.delete(&["--force"]).ok();
    assert_eq!(fs::read_to_string(resctrl(&class.0).join("schemata")).unwrap(), before);
    if line_of("L3:").is_some() {
        let other = json!({ "closID": class.0, "l3CacheSchema": "L3:0=1" });
        let container = Container::new().set("/linux/intelRdt", other);
        container.create(&[]).refuses(&[]).exits(1);
        container.assert_clean();
        assert_eq!(fs::read_to_string(resctrl(&class.0).join("schemata")).unwrap(), before);
    }
}

/// One value is one line, and memBwSchema is about bandwidth.
/// config-linux.md, "IntelRdt"
#[test]
fn r5_bad_lines() {
    needs!(root_or_ranges);
    each_refused(
        "/linux/intelRdt",
        &[
            json!({ "closID": "a", "l3CacheSchema": "L3:0=f\nL3:1=f" }),
            json!({ "closID": "a", "memBwSchema": "MB:0=20\nMB:1=20" }),
            json!({ "closID": "a", "memBwSchema": "L3:0=f" }),
            json!({ "closID": "a\nb" }),
        ],
    );
}

/// enableMonitoring makes a monitoring group of the container's name in its class, which goes with the container.
/// config-linux.md, "IntelRdt"
#[test]
fn r6_monitoring() {
    needs!(root, resctrl, resctrl_monitoring);
    let asked = json!({ "closID": "/", "enableMonitoring": true });
    let container = Container::new().set("/linux/intelRdt", asked).sleeping();
    let group = format!("mon_groups/{}", container.id);
    assert_eq!(tasks(&group), [container.pid()]);
    container.exec(&["--detach"], &["/probe", "pause"]).ok();
    assert_eq!(tasks(&group).len(), 2);
    container.delete(&["--force"]).ok();
    assert!(fs::metadata(resctrl(&group)).is_err());
}
