//! features.md: the document, its versions, and that it does not depend on the host.

use serde_json::Value;

use crate::harness::*;

/// What `features` prints.
pub fn features() -> Value {
    Container::new().runtime.command(["features"]).run().ok().json()
}

/// A list of strings.
pub fn words(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
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
    assert_eq!(features["linux"]["seccomp"]["enabled"], true);
    assert_eq!(features["linux"]["mountExtensions"]["idmap"]["enabled"], true);
    let options = words(&features["mountOptions"]);
    for option in ["ro", "rro", "rbind", "tmpcopyup", "idmap", "ridmap", "nosymfollow", "rslave"] {
        assert!(options.contains(&option.to_owned()), "{option} is not among the mount options");
    }
}
