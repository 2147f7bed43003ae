//! What engines call privileged: a container with all that the host has, limits above the caller's own among it.

use serde_json::{Value, json};

use crate::harness::*;
use crate::needs;

/// Every capability and device, a higher hard limit, a lower OOM score, and no masks.
#[test]
fn everything_that_the_host_has() {
    needs!(root, sys_resource);
    let host: Value =
        serde_json::from_slice(&std::process::Command::new(probe()).output().unwrap().stdout).unwrap();
    let all: Vec<&str> = host["capabilities"]["bounding"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    let more = host["rlimits"]["RLIMIT_NOFILE"]["hard"].as_u64().unwrap() + 1;
    let container = Container::new()
        .capabilities(&all)
        .set("/process/noNewPrivileges", json!(false))
        .set("/process/apparmorProfile", json!("unconfined"))
        .set("/process/oomScoreAdj", json!(-900))
        .set("/process/rlimits", json!([{ "type": "RLIMIT_NOFILE", "soft": more, "hard": more }]))
        .set("/linux/resources/devices", json!([{ "allow": true, "access": "rwm" }]))
        .set("/linux/maskedPaths", json!([]))
        .set("/linux/readonlyPaths", json!([]))
        .sleeping();
    let world = container.exec_world(&[]);
    for set in ["effective", "permitted", "bounding"] {
        assert_eq!(world["capabilities"][set], host["capabilities"]["bounding"], "{set}");
    }
    assert_eq!(world["oom_score_adj"], -900);
    assert_eq!(world["rlimits"]["RLIMIT_NOFILE"], json!({ "soft": more, "hard": more }));
    let does = |words: &[&str]| container.exec(&[], &[&["/probe"], words].concat()).ok().json();
    assert_eq!(does(&["mknod", "/dev/log-of-the-kernel", "c", "1", "11"]), json!({}));
    assert_eq!(does(&["open-device", "/dev/log-of-the-kernel", "r"]), json!({ "opened": "r" }));
    assert_eq!(does(&["write", "/proc/sys/kernel/domainname", "mine"]), json!({ "written": 4 }));
}
