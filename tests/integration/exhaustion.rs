//! When something has run out, is far too large, or is taken away: a clear error or success, and nothing left behind.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::*;
use crate::needs;

/// Another filesystem in the place of the state directory.
struct State(PathBuf);

impl State {
    fn mounted(container: &Container, options: &str) -> Self {
        let root = container.runtime.root().to_owned();
        let words = ["-t", "tmpfs", "-o", options, "tmpfs", root.to_str().unwrap()];
        assert!(Command::new("mount").args(words).status().unwrap().success());
        Self(root)
    }
}

impl Drop for State {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

/// It works, or says why in these words, and leaves nothing.
#[track_caller]
fn works_or(container: &Container, words: &str) {
    let done = container.run(&[]);
    if done.code != 0 {
        let done = done.refuses(&[words]);
        assert!(done.code < 100, "{done:?}");
    }
    assert_nothing_left(container);
}

/// Neither state nor a cgroup; mounts of the test's own may be there.
#[track_caller]
fn assert_nothing_left(container: &Container) {
    assert_eq!(fs::read_dir(container.runtime.root()).unwrap().count(), 0, "{:?}", container.leftovers());
    assert!(cgroups(&container.cgroup).is_empty(), "{:?}", container.leftovers());
}

#[test]
fn a_full_disk() {
    needs!(root);
    for options in ["size=4k", "size=8k", "nr_inodes=1", "nr_inodes=2", "nr_inodes=3", "nr_inodes=4"] {
        let container = Container::new().args(&["/probe", "exit", "0"]);
        let _state = State::mounted(&container, options);
        works_or(&container, "space left on device");
    }
}

/// The disk of the root filesystem goes: what nobody has read before is an I/O error from then on. Nothing may have been read
/// but the superblock; or all names and no content; or the container may be running.
#[test]
fn a_root_filesystem_that_cannot_be_read() {
    needs!(root, loop_device);
    let cut = |image: &Path| fs::File::options().write(true).open(image).unwrap().set_len(0).unwrap();
    for names_are_known in [false, true] {
        let mut container = Container::new().args(&["/probe", "exit", "0"]);
        let image = container.bundle.rootfs_on_disk();
        if names_are_known {
            let found = Command::new("find").arg(container.bundle.rootfs()).arg("-ls").output().unwrap();
            assert!(found.status.success());
        }
        cut(&image);
        let what = if names_are_known { "/probe" } else { "mounts[0]" };
        container.run(&[]).refuses(&[what, "i/o error"]).exits(1);
        assert_nothing_left(&container);
    }
    let mut container = Container::new();
    let image = container.bundle.rootfs_on_disk();
    // The program is in memory as a whole, so that it does not fault on a page that has gone.
    fs::read(container.bundle.rootfs().join("probe")).unwrap();
    let container = container.sleeping();
    cut(&image);
    container.exec(&[], &["/bin/none"]).refuses(&["/bin/none", "i/o error"]);
    assert_eq!(container.status(), "running");
    container.kill("KILL").ok();
    container.await_stop();
    container.delete(&[]).ok();
}

#[test]
fn a_read_only_state_directory() {
    needs!(root);
    let container = Container::new();
    let state = State::mounted(&container, "ro");
    container.run(&[]).refuses(&["Read-only file system"]);
    container.delete(&["--force"]).ok();
    container.runtime.command(["list"]).run().ok();
    drop(state);
    container.assert_clean();
}

/// A cgroup around the runtime itself, in which it finds too little.
struct Around(PathBuf);

impl Around {
    fn new(controller: &str, limits: &[(&str, &str)]) -> Self {
        let dir = hierarchy(controller).join(format!("hull-around-{}-{}", std::process::id(), limits[0].1));
        fs::create_dir_all(&dir).unwrap();
        limits.iter().for_each(|(file, value)| fs::write(dir.join(file), value).unwrap());
        Self(dir)
    }

    fn launch(&self, container: &mut Container) {
        let enter = format!("echo $$ >{}/cgroup.procs && exec \"$@\"", self.0.display());
        container.runtime.launch_by(["sh", "-c", &enter, "sh"]);
    }
}

impl Drop for Around {
    fn drop(&mut self) {
        for _ in 0..200 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::yield_now();
        }
    }
}

/// Whoever is killed for want of memory leaves what can be removed.
#[test]
fn no_memory() {
    needs!(root, cgroup_v1("memory"));
    for limit in ["400K", "700K", "1M", "2M", "4M", "16M"] {
        let around = Around::new("memory", &[("memory.limit_in_bytes", limit)]);
        let mut container = Container::new().args(&["/probe", "exit", "0"]);
        around.launch(&mut container);
        let done = container.run(&[]);
        assert!(done.code == 0 || done.code >= 128 || !done.stderr.is_empty(), "{done:?}");
        container.runtime.launch_by(Vec::<String>::new());
        container.delete(&["--force"]).ok();
        container.assert_clean();
    }
}

#[test]
fn no_processes_left() {
    needs!(root, cgroup_v1("pids"));
    for limit in ["1", "2", "3"] {
        let around = Around::new("pids", &[("pids.max", limit)]);
        let hook = json!([{ "path": "/bin/true" }]);
        let mut container = Container::new()
            .args(&["/probe", "exit", "0"])
            .set("/hooks", json!({ "createRuntime": hook, "poststop": hook }));
        around.launch(&mut container);
        works_or(&container, "try again");
        container.runtime.launch_by(Vec::<String>::new());
    }
}

/// Ten thousand of whatever a document may list.
#[test]
fn long_lists() {
    needs!(root);
    let list = |item: &dyn Fn(usize) -> Value| Value::Array((0..10_000).map(item).collect());
    let annotations: Value = (0..10_000)
        .map(|n| (format!("org.example.{n}"), json!("x")))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let rule = |n: usize| json!({ "names": ["read"], "action": "SCMP_ACT_ERRNO", "args": [{ "index": 0, "value": n, "op": "SCMP_CMP_EQ" }] });
    for (pointer, value) in [
        ("/process/env", list(&|n| json!(format!("VARIABLE_{n}=x")))),
        ("/process/user/additionalGids", list(&|n| json!(n))),
        ("/linux/maskedPaths", list(&|n| json!(format!("/nowhere/{n}")))),
        ("/linux/readonlyPaths", list(&|n| json!(format!("/nowhere/{n}")))),
        (
            "/linux/resources/devices",
            list(&|n| json!({ "allow": true, "type": "c", "major": n, "minor": 1, "access": "r" })),
        ),
        ("/linux/seccomp", json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": list(&rule) })),
        ("/hooks/prestart", list(&|_| json!({ "path": "/nowhere" }))),
        ("/annotations", annotations),
    ] {
        let container = Container::new().set(pointer, value).args(&["/probe", "exit", "0"]);
        let done = container.run(&[]);
        assert!(done.code == 0 || (done.code < 100 && !done.stderr.is_empty()), "{pointer}: {done:?}");
        assert!(done.stderr.len() < 4096, "{pointer}: {} bytes of error", done.stderr.len());
        container.assert_clean();
    }
}

#[test]
fn a_long_command_line() {
    needs!(root);
    let args = |length: usize, count: usize| {
        let args: Vec<String> = ["/probe", "exit", "0"].into_iter().map(str::to_owned).collect();
        let env: Vec<String> = (0..count).map(|n| format!("V{n}={}", "x".repeat(length))).collect();
        Container::new().set("/process/args", json!(args)).set("/process/env", json!(env))
    };
    // A mebibyte in pieces is what the kernel takes, in one piece it is not.
    args(65_536, 16).run(&[]).ok();
    let one = args(1 << 20, 1);
    one.run(&[]).refuses(&["argument list too long"]);
    one.assert_clean();
    let word = Container::new().set("/process/args", json!(["/probe", "x".repeat(1 << 20)]));
    word.run(&[]).refuses(&["argument list too long"]);
    word.assert_clean();
}

#[test]
fn a_thousand_mounts_in_one_another() {
    needs!(root);
    let container = Container::new().args(&["/probe", "exit", "0"]).edit(|config| {
        let mounts = config["mounts"].as_array_mut().unwrap();
        for depth in 1..=1000 {
            mounts.push(json!({ "destination": "/d".repeat(depth), "type": "tmpfs", "source": "tmpfs" }));
        }
    });
    container.run(&[]).ok();
    container.assert_clean();
}

#[test]
fn paths_that_are_no_text() {
    needs!(root);
    let container = Container::new().args(&["/probe", "exit", "0"]);
    container.bundle.write();
    let path =
        Path::new(container.runtime.root().parent().unwrap()).join(OsStr::from_bytes(b"hull-\xff\xfe"));
    let path = path.with_extension(std::process::id().to_string());
    symlink(container.bundle.path(), &path).unwrap();
    let words: [&OsStr; 4] = ["run".as_ref(), "--bundle".as_ref(), path.as_os_str(), container.id.as_ref()];
    let done = container.runtime.command(words).run();
    fs::remove_file(&path).unwrap();
    assert!(done.code == 0 || (done.code < 100 && !done.stderr.is_empty()), "{done:?}");
    container.assert_clean();
}

/// Somebody moves the processes elsewhere and removes the cgroup: every verb ends, and the container can be removed.
#[test]
fn a_cgroup_that_is_taken_away() {
    needs!(root, cgroupfs);
    let container = Container::new().sleeping();
    let pid = container.pid();
    let mut beside = Vec::new();
    for dir in cgroups(&container.cgroup) {
        // A v2 cgroup that hands controllers down takes no processes itself.
        if fs::write(dir.parent().unwrap().join("cgroup.procs"), pid.to_string()).is_err() {
            let other = dir.with_extension("beside");
            fs::create_dir(&other).unwrap();
            fs::write(other.join("cgroup.procs"), pid.to_string()).unwrap();
            beside.push(other);
        }
        fs::remove_dir(&dir).unwrap();
    }
    assert_eq!(container.status(), "running");
    for words in [
        ["exec", &container.id, "/probe"].as_slice(),
        &["pause", &container.id],
        &["ps", &container.id],
        &["update", "--pids-limit", "9", &container.id],
        &["events", "--stats", &container.id],
    ] {
        let done = container.runtime.command(words).run();
        assert!(done.code == 0 || (done.code < 256 && !done.stderr.is_empty()), "{done:?}");
    }
    container.delete(&["--force"]).ok();
    assert!(await_exit(pid, std::time::Duration::from_secs(10)), "it lives");
    beside.iter().for_each(|other| fs::remove_dir(other).unwrap());
    container.assert_clean();
}
