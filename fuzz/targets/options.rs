//! Options of one mount, a line each; the first two lines are its type and its source.
#![no_main]

#[path = "../../tests/plan/hosts.rs"]
mod hosts;

use std::path::Path;

use hull::plan::{self, Request};
use hull::spec::{self, Spec};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.lines();
    let (kind, source) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let options: Vec<&str> = lines.collect();
    let document = json!({
        "ociVersion": "1.2.0", "root": { "path": "rootfs" },
        "process": { "cwd": "/", "args": ["/x"], "user": { "uid": 0, "gid": 0 } },
        "linux": { "namespaces": [{ "type": "mount" }, { "type": "pid" }, { "type": "cgroup" }] },
        "mounts": [{ "destination": "/place", "type": kind, "source": source, "options": options }],
    });
    let spec: Spec =
        spec::parse(Path::new("config.json"), document.to_string().as_bytes()).expect("a document");
    for host in ["v1", "v2", "hybrid", "rootless"] {
        if let Ok(plan) =
            plan::compile(&spec, &Request::new("box", Path::new("/bundle")), &hosts::named(host))
        {
            assert!(plan.to_string().len() < 64 * 1024 + 64 * data.len());
        }
    }
});
