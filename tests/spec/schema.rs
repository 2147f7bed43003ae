//! The examples that the specification ships beside its JSON schema: good ones are understood, bad ones are refused at
//! the JSON path of what is bad.

use std::path::Path;

use hull::plan::{self, Plan, Request};
use hull::spec::{self, Spec};
use serde_json::{Value, json};

use crate::{hosts, json, read, repository};

const GOOD: &str = "tests/fixtures/schema/good";
const BAD: &str = "tests/fixtures/schema/bad";

/// Bad example, and what the message must name.
const REFUSED: [(&str, &str); 4] = [
    ("invalid-json.json", "line 1 column 2"),
    ("linux-hugepage.json", "linux.resources.hugepageLimits[0].pageSize"),
    ("linux-netdevice.json", "linux.netDevices.eth0.name"),
    ("linux-rdma.json", "linux.resources.rdma.mlx5_1.hcaHandles"),
];

/// Bad only for its own platform, whose section means nothing on Linux (config.md, "Platform-specific configuration").
const OF_OTHERS: [&str; 1] = ["freebsd-vnet-disable.json"];

#[test]
fn good_examples_compile() {
    for name in names(GOOD) {
        let path = format!("{GOOD}/{name}");
        understood(&path, &json(&path)).unwrap_or_else(|err| panic!("{name}: {err}"));
    }
}

#[test]
fn bad_examples_are_refused_where_they_are_bad() {
    let known = REFUSED.iter().map(|(name, _)| *name).chain(OF_OTHERS);
    let mut known: Vec<&str> = known.collect();
    known.sort_unstable();
    assert_eq!(names(BAD), known);
    for (name, at) in REFUSED {
        let path = format!("{BAD}/{name}");
        let refusal = match spec::parse::<Spec>(Path::new(&path), &read(&path)) {
            Err(err) => err.to_string(),
            Ok(_) => understood(&path, &json(&path)).expect_err(name),
        };
        assert!(refusal.contains(at), "{name}: {refusal}");
    }
    for name in OF_OTHERS {
        understood(name, &json(&format!("{BAD}/{name}"))).unwrap();
    }
}

/// Parses and compiles an example, after giving it what every container on Linux needs: a version that was released,
/// and namespaces.
fn understood(name: &str, example: &Value) -> Result<Plan, String> {
    spec::parse::<Spec>(Path::new(name), example.to_string().as_bytes()).map_err(|err| err.to_string())?;
    let mut document = example.clone();
    if document["ociVersion"] == "0.5.0-dev" {
        document["ociVersion"] = json!("1.0.0");
    }
    if document["linux"]["namespaces"].is_null() {
        document["linux"]["namespaces"] = json!([{"type": "mount"}, {"type": "network"}, {"type": "uts"}]);
    }
    let spec = spec::parse::<Spec>(Path::new(name), document.to_string().as_bytes()).unwrap();
    let request = Request { wait_for_start: true, ..Request::new("web", Path::new("/bundle")) };
    plan::compile(&spec, &request, &hosts::named("complete")).map_err(|err| err.to_string())
}

fn names(folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(repository(folder)).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}
