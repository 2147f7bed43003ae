//! features.md: all that is listed is really recognised.

use serde_json::{Value, json};

use super::document::{features, words};
use crate::harness::*;
use crate::needs;

/// What `features` says is what the documents understand: each version, action, operator and namespace.
/// features.md, "Features Structure"
#[test]
fn f5_seccomp_words() {
    needs!(root);
    let features = features();
    let seccomp = &features["linux"]["seccomp"];
    for action in words(&seccomp["actions"]) {
        if action == "SCMP_ACT_NOTIFY" {
            continue; // needs a listener: shown in filter.rs
        }
        let rule = json!({
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{ "names": ["ptrace"], "action": action }]
        });
        Container::new().set("/linux/seccomp", rule).world();
    }
    for operator in words(&seccomp["operators"]) {
        let rule = json!({
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{
                "names": ["personality"], "action": "SCMP_ACT_ERRNO",
                "args": [{ "index": 0, "value": 8, "valueTwo": 8, "op": operator }]
            }]
        });
        Container::new().set("/linux/seccomp", rule).world();
    }
    let all: Value = seccomp["archs"].clone();
    let rule = json!({ "defaultAction": "SCMP_ACT_ALLOW", "architectures": all,
        "syscalls": [{ "names": ["ptrace"], "action": "SCMP_ACT_ERRNO" }] });
    assert_eq!(Container::new().set("/linux/seccomp", rule).world()["seccomp"]["mode"], 2);
}
