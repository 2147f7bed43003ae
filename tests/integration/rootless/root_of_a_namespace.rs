//! A caller who is nobody on the host but root in a user namespace of their own, as rootless engines call.

use std::os::unix::fs::chown;
use std::process::Command;

use serde_json::json;

use crate::harness::*;
use crate::needs;

/// Root here may neither make a cgroup nor go back to the host's pid namespace once `exec` has joined the container's.
#[test]
fn a_container_without_a_cgroup_and_exec_in_it() {
    needs!(root, user_ns, cgroup_v1("memory"));
    let container = Container::new()
        .args(&["/probe", "pause"])
        .mount("/sys/fs/cgroup", "cgroup", "cgroup", &["ro"])
        .edit(|config| {
            config["linux"].as_object_mut().unwrap().remove("cgroupsPath");
            config["linux"]["resources"] = json!({});
            // Only one group is mapped.
            for mount in config["mounts"].as_array_mut().unwrap() {
                let options = mount["options"].as_array_mut();
                options.into_iter().for_each(|options| options.retain(|option| option != "gid=5"));
            }
        });
    container.bundle.write();
    let owned = [container.bundle.path(), &container.bundle.rootfs(), container.runtime.root()];
    owned.iter().for_each(|dir| chown(dir, Some(1000), Some(1000)).unwrap());
    let script = r#"
        run() { "$HULL" --root "$ROOT" "$@"; }
        run run --detach --bundle "$BUNDLE" "$ID" </dev/null >/dev/null 2>"$ROOT/stderr" || cat "$ROOT/stderr" >&2
        run exec "$ID" /probe
        run delete --force "$ID"
    "#;
    let finished = Command::new("setpriv")
        .args(["--reuid=1000", "--regid=1000", "--clear-groups", "unshare", "--user", "--map-root-user"])
        .args(["--mount", "timeout", "20", "sh", "-c", script])
        .env("HULL", container.runtime.binary())
        .env("ROOT", container.runtime.root())
        .env("BUNDLE", container.bundle.path())
        .env("ID", &container.id)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&finished.stderr);
    let world: serde_json::Value = serde_json::from_slice(&finished.stdout).expect(&said);
    assert_eq!(world["uid_map"], json!([[0, 1000, 1]]), "{world}");
    assert!(world["pid"].as_i64().unwrap() > 1, "{}", world["pid"]);
    assert_eq!(said, "");
}
