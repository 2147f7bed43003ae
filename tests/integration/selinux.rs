//! SELinux: labels of the program, its keyring, and the filesystems that are made for it.

use serde_json::{Value, json};

use crate::harness::*;
use crate::needs;

const PROCESS: &str = "system_u:system_r:container_t:s0:c1,c2";
const FILES: &str = "system_u:object_r:container_file_t:s0:c1,c2";

fn labelled() -> Container {
    Container::new().set("/process/selinuxLabel", json!(PROCESS)).set("/linux/mountLabel", json!(FILES))
}

fn label(world: &Value) -> &str {
    world["label"].as_str().unwrap().trim_end_matches('\0')
}

/// The label of the document holds for the container's program and for what `exec` adds.
#[test]
fn the_label_of_the_document() {
    needs!(root, selinux);
    assert_eq!(label(&labelled().world()), PROCESS);
    assert_eq!(label(&labelled().sleeping().exec_world(&[])), PROCESS);
}

/// `exec --process-label` names another one.
#[test]
fn another_label_for_exec() {
    needs!(root, selinux);
    let other = "system_u:system_r:container_t:s0:c3";
    let container = labelled().sleeping();
    assert_eq!(label(&container.exec_world(&["--process-label", other])), other);
}

/// Filesystems that are made for the container carry the label of mounts; those that the kernel fills do not.
#[test]
fn the_label_of_mounts() {
    needs!(root, selinux);
    let labels =
        labelled().probe(&["label", "/dev", "/dev/null", "/dev/shm", "/dev/pts", "/dev/mqueue", "/proc"]);
    for place in ["/dev", "/dev/null", "/dev/shm", "/dev/pts", "/dev/mqueue"] {
        assert_eq!(labels[place], FILES, "{place}: {labels}");
    }
    assert_ne!(labels["/proc"], FILES);
}

/// The session keyring belongs to the program, whose label it has.
#[test]
fn the_label_of_the_keyring() {
    needs!(root, selinux);
    assert_eq!(labelled().world()["session_keyring_label"], PROCESS);
    let container = labelled().sleeping();
    assert_eq!(container.exec_world(&[])["session_keyring_label"], PROCESS);
    // What is made later has what the policy gives it.
    let created = container.exec(&[], &["/probe", "read", "/proc/self/attr/keycreate"]).ok().json();
    assert_eq!(created["/proc/self/attr/keycreate"], "");
}

/// A label that the policy does not have: nothing runs.
#[test]
fn unknown_labels() {
    needs!(root, selinux);
    let unknown = "system_u:system_r:no_such_t:s0";
    let container = labelled().set("/process/selinuxLabel", json!(unknown));
    container.create(&[]).refuses(&["process.selinuxLabel", unknown, "policy"]);
    container.assert_clean();
    let container = labelled().set("/linux/mountLabel", json!(unknown));
    container.create(&[]).refuses(&[unknown]);
    container.assert_clean();
}
