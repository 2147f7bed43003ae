//! AppArmor: the program runs under the profile that is asked for, and under no other.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::harness::*;
use crate::needs;

const CURRENT: &str = "/proc/self/attr/apparmor/current";

/// A profile that the kernel has while this lives: it forbids to read /secret and nothing else.
struct Profile {
    name: String,
    text: String,
}

impl Profile {
    fn new(suffix: &str) -> Self {
        let name = format!("hull-test-{}-{suffix}", std::process::id());
        let all = "file, capability, network, mount, umount, pivot_root, signal, ptrace, unix, dbus, change_profile,";
        let text = format!(
            "profile {name} flags=(attach_disconnected,mediate_deleted) {{ {all} deny /secret r, }}\n"
        );
        let profile = Self { name, text };
        profile.parse("--replace");
        profile
    }

    /// What programs under it read in their attr/current.
    fn enforced(&self) -> String {
        format!("{} (enforce)\n", self.name)
    }

    fn parse(&self, action: &str) {
        let mut parser = Command::new("apparmor_parser")
            .args([action, "--skip-cache"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        parser.stdin.take().unwrap().write_all(self.text.as_bytes()).unwrap();
        assert!(parser.wait().unwrap().success(), "apparmor_parser {action}");
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        self.parse("--remove");
    }
}

fn confined(profile: &str) -> Container {
    let container = Container::new().set("/process/apparmorProfile", json!(profile));
    std::fs::write(container.bundle.rootfs().join("secret"), "secret").unwrap();
    container
}

fn reads(container: &Container, flags: &[&str]) -> Value {
    container.exec(flags, &["/probe", "read", CURRENT, "/secret"]).ok().json()
}

/// The profile of the document holds for the container's program and for what `exec` adds, with and without
/// no_new_privs.
#[test]
fn the_profile_of_the_document() {
    needs!(root, apparmor_parser);
    let profile = Profile::new("document");
    let seen = json!({ CURRENT: profile.enforced(), "/secret": { "errno": "EACCES" } });
    for no_new_privileges in [true, false] {
        let container = || confined(&profile.name).set("/process/noNewPrivileges", json!(no_new_privileges));
        assert_eq!(container().probe(&["read", CURRENT, "/secret"]), seen);
        assert_eq!(reads(&container().sleeping(), &[]), seen);
    }
}

/// `exec --apparmor` names another one.
#[test]
fn another_profile_for_exec() {
    needs!(root, apparmor_parser);
    let profile = Profile::new("exec");
    let container = confined("").sleeping();
    let unconfined = reads(&container, &[]);
    assert_eq!(unconfined["/secret"], "secret");
    assert!(!unconfined[CURRENT].as_str().unwrap().contains(&profile.name), "{unconfined}");
    let seen = json!({ CURRENT: profile.enforced(), "/secret": { "errno": "EACCES" } });
    assert_eq!(reads(&container, &["--apparmor", &profile.name]), seen);
}

/// `unconfined` is no profile.
#[test]
fn unconfined() {
    needs!(root, apparmor);
    let world = confined("unconfined").probe(&["read", CURRENT, "/secret"]);
    assert_eq!(world["/secret"], "secret");
}

/// A profile that the kernel does not have: nothing runs, and the error says what to do.
#[test]
fn a_profile_that_is_not_loaded() {
    needs!(root, apparmor);
    let container = confined("hull-test-not-loaded");
    container.create(&[]).refuses(&["process.apparmorProfile", "hull-test-not-loaded", "apparmor_parser"]);
    container.assert_clean();
    let container = confined("").sleeping();
    container
        .exec(&["--apparmor", "hull-test-not-loaded"], &["/probe"])
        .refuses(&["process.apparmorProfile", "apparmor_parser"])
        .exits(255);
}
