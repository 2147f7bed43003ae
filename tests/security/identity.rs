//! Who a process inside is: ids that look like names, capabilities that come back, sysctls that carry others along.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::harness::*;
use crate::needs;

/// A number is an id, whoever has it for a name in the image.
#[test]
fn cve_2016_3697_numeric_names() {
    needs!(root);
    let container = Container::new();
    fs::write(container.bundle.rootfs().join("etc/passwd"), "1000:x:0:0::/:\n").unwrap();
    let container = container.sleeping();
    assert_eq!(container.exec_world(&["-u", "1000"])["uid"]["effective"], 1000);
}

/// An id is read whole: nothing that is no number becomes 0.
#[test]
fn cve_2026_30892_odd_ids() {
    needs!(root);
    let container = Container::new().sleeping();
    for user in ["1:", ":5", "4294967295", "4294967296", "-1", "", "1x", " 1", "+1", "1:2:3", "0x0"] {
        let done = container.exec(&["-u", user], &["/probe"]);
        assert_ne!(done.code, 0, "{user:?} became {}", done.json()["uid"]);
    }
    assert_eq!(container.exec_world(&["-u", "1"])["uid"]["effective"], 1);
    assert_eq!(container.exec_world(&["-u", "4294967294"])["uid"]["effective"], 4_294_967_294_u64);
}

/// Large ids of config.json are exact or refused.
#[test]
fn cve_2024_40635_large_ids() {
    needs!(root);
    for id in [2_147_483_648_u64, 4_294_967_294] {
        let world = Container::new().set("/process/user", json!({ "uid": id, "gid": id })).world();
        assert_eq!((&world["uid"]["effective"], &world["gid"]["effective"]), (&json!(id), &json!(id)));
    }
    for id in [json!(4_294_967_295_u64), json!(4_294_967_296_u64), json!(-1)] {
        assert_ne!(Container::new().set("/process/user/uid", id.clone()).run(&[]).code, 0, "{id}");
    }
}

/// No capability is inheritable or ambient that config.json does not name, in init and in what exec adds (CVE-2022-27650,
/// CVE-2025-27612 too).
#[test]
fn cve_2022_29162_inheritable_capabilities() {
    needs!(root);
    let container = Container::new().set("/process/user", json!({ "uid": 1000, "gid": 1000 })).sleeping();
    for world in [container.exec_world(&[]), container.exec_world(&["--cap", "CAP_NET_RAW"])] {
        assert_eq!(world["capabilities"]["inheritable"], json!([]), "{world}");
        assert_eq!(world["capabilities"]["ambient"], json!([]), "{world}");
    }
    let world = Container::new().world();
    assert_eq!(world["capabilities"]["inheritable"], json!([]));
}

/// The caller's groups stay outside.
#[test]
fn cve_2023_25173_supplementary_groups() {
    needs!(root);
    let mut container = Container::new();
    container.runtime.launch_by(["setpriv", "--groups=7777,7778"]);
    assert_eq!(container.world()["groups"], json!([]));
    let container = container.sleeping();
    assert_eq!(container.exec_world(&[])["groups"], json!([]));
}

/// A group that keeps its members out of a file cannot be got rid of in a user namespace that its user has made.
#[test]
fn cve_2014_8989_a_group_that_restricts() {
    needs!(root, user_ns);
    let mut container = users_own();
    let groups = [format!("--reuid={USER}"), format!("--regid={USER}"), "--groups=7777".to_owned()];
    container.runtime.launch_by(std::iter::once("setpriv".to_owned()).chain(groups));
    let file = container.bundle.rootfs().join("denied");
    fs::write(&file, "for others").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o604)).unwrap();
    std::os::unix::fs::chown(&file, Some(0), Some(7777)).unwrap();
    let container = container.sleeping();
    assert_eq!(container.exec_world(&[])["setgroups"], "deny");
    assert_eq!(container.exec(&[], &["/probe", "read", "/denied"]).json()["/denied"]["errno"], "EACCES");
    container.exec(&["--additional-gids", "0"], &["/probe"]).refuses(&[]);
}

/// An id is the name of a folder, and no path; nor does it end up in somebody's log as a line of its own.
#[test]
fn ids_are_no_paths() {
    needs!(root);
    let container = Container::new();
    let root = container.runtime.root();
    let escaped = format!("hull-escaped-{}", std::process::id());
    for id in [&*format!("../{escaped}"), "a/b", ".", "..", "", "/", "x\n{}", "x y", "x\0", "..\\x", "é"] {
        let bundle = container.bundle.path().to_str().unwrap();
        for words in [
            vec!["run", "--bundle", bundle, "--", id],
            vec!["state", "--", id],
            vec!["delete", "--force", "--", id],
        ] {
            if id.contains('\0') {
                continue;
            }
            let done = container.runtime.command(&words).run();
            assert_ne!(done.code, 0, "{words:?}");
        }
        assert_eq!(fs::read_dir(root).map_or(0, Iterator::count), 0, "{id:?}");
    }
    assert!(!root.parent().unwrap().join(escaped).exists());
}

/// The environment of the runtime is not the program's, and what it says to itself there nobody inside can say.
#[test]
fn environments_do_not_mix() {
    needs!(root);
    let container = Container::new().set("/process/env", json!(["HULL_SEALED=1", "PATH=/"]));
    let flags = container.bundled(&[]);
    let run = container.runtime.command([&["run"], &flags[..], &[&container.id]].concat());
    let world = run.env("SECRET", "of the host").run().ok().json();
    assert!(!world["env"].to_string().contains("SECRET"), "{}", world["env"]);
    for broken in ["A=b\u{0}C=d", "BROKEN", "=x"] {
        Container::new().set("/process/env", json!([broken])).run(&[]).refuses(&["process.env[0]"]);
    }
}

/// A key or value cannot smuggle a path or a second sysctl.
#[test]
fn cve_2022_0811_sysctl_smuggling() {
    needs!(root);
    for (key, value) in [
        ("kernel.shm_rmid_forced", "1+kernel.core_pattern=|/bin/x"),
        ("kernel.core_pattern", "x"),
        ("net.ipv4/../../kernel/core_pattern", "x"),
        ("net/../kernel/core_pattern", "x"),
        ("fs.mqueue.../core_pattern", "x"),
    ] {
        let before = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
        let done = Container::new().set("/linux/sysctl", json!({ key: value })).run(&[]);
        assert_ne!(done.code, 0, "{key}: {done:?}");
        assert_eq!(fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap(), before, "{key}");
    }
}

/// A namespace that is joined is not the container's own if it is the host's: nothing is changed there, not even to what
/// is there already.
#[test]
fn sysctls_of_a_joined_namespace_of_the_host() {
    needs!(root);
    for (kind, file, name) in [
        ("network", "net", "net.ipv4.ip_local_reserved_ports"),
        ("ipc", "ipc", "kernel.msgmax"),
        ("uts", "uts", "kernel.domainname"),
    ] {
        let value = fs::read_to_string(format!("/proc/sys/{}", name.replace('.', "/"))).unwrap();
        let path = format!("/proc/self/ns/{file}");
        let container = Container::new()
            .without_namespace(kind)
            .edit(|config| {
                let namespaces = config["linux"]["namespaces"].as_array_mut().unwrap();
                namespaces.push(json!({ "type": kind, "path": path }));
                config["linux"]["sysctl"] = json!({ name: value.trim() });
            })
            .args(&["/probe", "exit", "0"]);
        container.run(&[]).refuses(&["linux.namespaces", "linux.sysctl", &path]);
    }
}

/// A page size is no file name.
#[test]
fn huge_page_sizes_are_no_paths() {
    needs!(root);
    for size in ["../../pids", "2MB/../../x", "", "2MB\n"] {
        let limits = json!([{ "pageSize": size, "limit": 4096 }]);
        let done = Container::new().set("/linux/resources/hugepageLimits", limits).run(&[]);
        assert_ne!(done.code, 0, "{size:?}: {done:?}");
    }
}

/// `exec --cgroup` stays below the container's.
#[test]
fn exec_stays_in_the_containers_cgroup() {
    needs!(root);
    let container = Container::new().sleeping();
    for path in ["..", "../..", "a/../../..", "memory:../.."] {
        let done = container.exec(&["--cgroup", path], &["/probe", "exit", "0"]);
        assert_ne!(done.code, 0, "{path}: {done:?}");
    }
}

/// What passes between the runtime and init has a length of its own: long paths end in an error or work, never anywhere else.
#[test]
fn cve_2021_43784_long_values() {
    needs!(root);
    let long = "x".repeat(72 * 1024);
    Container::new().set("/process/cwd", json!(format!("/{long}"))).run(&[]).refuses(&["cwd"]);
    let namespaces = json!([{ "type": "mount" }, { "type": "network", "path": format!("/{long}") }]);
    assert_ne!(Container::new().set("/linux/namespaces", namespaces).run(&[]).code, 0);
    let world = Container::new().set("/process/env", json!([format!("LONG={long}")])).world();
    assert_eq!(
        world["env"].as_array().unwrap().len(),
        1 + usize::from(world["env"].to_string().contains("HOME="))
    );
}

/// What is kept of a container is the caller's alone, whatever their umask (CVE-2024-25621 too).
#[test]
fn cve_2021_41103_state_is_private() {
    needs!(root);
    let mut container = Container::new();
    container.runtime.launch_by(["sh", "-c", "umask 0; exec \"$@\"", "sh"]);
    let container = container.sleeping();
    let folder = container.runtime.root().join(&container.id);
    for path in [folder.clone(), folder.join("state.json"), folder.join("config.json")] {
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}: {mode:o}", path.display());
    }
}
