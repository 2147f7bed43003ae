//! features.md: the document, its versions, and that it does not depend on the host.

use serde_json::{Value, json};

use crate::harness::*;
use crate::needs;
use crate::schema;

/// What `features` prints.
pub fn features() -> Value {
    Container::new().runtime.command(["features"]).run().ok().json()
}

/// A list of strings.
#[track_caller]
pub fn words(list: &Value) -> Vec<String> {
    let list = list.as_array().unwrap_or_else(|| panic!("{list} is no list"));
    list.iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}

/// `features` has the shape of the specification's document.
/// features.md, "Features Structure"
#[test]
fn f4_document() {
    let features = features();
    assert_eq!(features["ociVersionMin"], "1.0.0");
    assert_eq!(features["ociVersionMax"], "1.3.0");
    let hooks = words(&features["hooks"]);
    for hook in ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"] {
        assert!(hooks.contains(&hook.to_owned()), "{hook} is not among {hooks:?}");
    }
    let namespaces = words(&features["linux"]["namespaces"]);
    assert_eq!(namespaces.len(), 8, "{namespaces:?}");
    assert_eq!(words(&features["linux"]["capabilities"]).len(), 41);
    assert_eq!(features["linux"]["cgroup"]["v1"], true);
    assert_eq!(features["linux"]["cgroup"]["v2"], true);
    assert_eq!(features["linux"]["cgroup"]["rdma"], true);
    for property in ["apparmor", "selinux", "intelRdt", "netDevices"] {
        assert_eq!(features["linux"][property]["enabled"], true, "{property}");
    }
    assert_eq!(features["linux"]["intelRdt"]["schemata"], true);
    assert_eq!(features["linux"]["intelRdt"]["monitoring"], true);
    assert_eq!(features["linux"]["seccomp"]["enabled"], true);
    assert_eq!(features["linux"]["mountExtensions"]["idmap"]["enabled"], true);
    let options = words(&features["mountOptions"]);
    for option in ["ro", "rro", "rbind", "tmpcopyup", "idmap", "ridmap", "nosymfollow", "rslave"] {
        assert!(options.contains(&option.to_owned()), "{option} is not among the mount options");
    }
}

/// The document is one of the schema, and what the schema does not know yet has its form too.
/// features.md, "Features Structure"
#[test]
fn f2_schema() {
    let features = features();
    schema::check("features-schema.json", &features);
    let linux = &features["linux"];
    for enabled in ["apparmor", "selinux", "intelRdt", "netDevices"] {
        assert!(linux[enabled]["enabled"].is_boolean(), "{enabled}: {}", linux[enabled]);
    }
    assert!(linux["mountExtensions"]["idmap"]["enabled"].is_boolean());
    assert_eq!(words(&linux["memoryPolicy"]["modes"]).len(), 7);
    assert_eq!(words(&linux["memoryPolicy"]["flags"]).len(), 3);
}

/// Both versions that are named are accepted, the lower one is not above the higher one.
/// features.md, "Features Structure"
#[test]
fn f1_versions() {
    needs!(root_or_ranges);
    let features = features();
    let (min, max) =
        (features["ociVersionMin"].as_str().unwrap(), features["ociVersionMax"].as_str().unwrap());
    assert!(min <= max, "{min} {max}");
    for version in [min, max] {
        Container::new().set("/ociVersion", json!(version)).world();
    }
}

/// The document says what was built, not what is here: a user without rights reads the same.
/// features.md, "Features Structure"
#[test]
fn f2_independent_of_the_host() {
    needs!(root);
    let mut ours = features();
    let mut theirs = Container::new().runtime.command(["features"]);
    std::os::unix::process::CommandExt::uid(&mut theirs.command, 65_534);
    let mut theirs = theirs.run().ok().json();
    // What the running kernel supports is the one thing that may differ.
    for document in [&mut ours, &mut theirs] {
        document["linux"]["seccomp"].as_object_mut().unwrap().remove("supportedFlags");
    }
    assert_eq!(theirs, ours);
}

/// Annotations are strings; those that change what happens on the host are listed.
/// features.md, "Features Structure"
#[test]
fn f6_annotations() {
    let features = features();
    assert!(features["annotations"].as_object().unwrap().values().all(Value::is_string));
    words(&features["potentiallyUnsafeConfigAnnotations"]);
}
