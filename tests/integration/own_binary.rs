//! A container never gets to write the runtime's own file (CVE-2019-5736), however the runtime was started.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;

use serde_json::json;

use crate::harness::*;
use crate::needs;

/// A container of a runtime of its own, in whose working directory lies a script that this runtime's file interprets,
/// as `plan` of that directory: reading config.json, which is a FIFO, holds it for as long as the test wants.
fn trap() -> Container {
    let container = Container::new().with_own_binary();
    let rootfs = container.bundle.rootfs();
    fs::create_dir(rootfs.join("trap")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        rootfs.join("trap/config.json"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    fs::write(rootfs.join("trap/script"), "#!/proc/self/exe plan\n").unwrap();
    fs::set_permissions(rootfs.join("trap/script"), fs::Permissions::from_mode(0o755)).unwrap();
    // A runtime that is linked dynamically runs inside only with its libraries.
    let libraries = ["/lib", "/lib64", "/usr/lib"].into_iter().filter(|dir| fs::metadata(dir).is_ok());
    let container =
        libraries.fold(container, |container, dir| container.mount(dir, "none", dir, &["rbind", "ro"]));
    container.set("/process/cwd", "/trap".into())
}

/// The file that a process runs from, held open past the time in which it is busy.
fn file_of(pid: i32) -> File {
    File::open(format!("/proc/{pid}/exe")).unwrap()
}

/// Whether the content behind an open file can be overwritten now.
fn writable(file: &File) -> bool {
    let again = OpenOptions::new().write(true).open(format!("/proc/self/fd/{}", file.as_raw_fd()));
    again.is_ok_and(|mut file| file.write(b"overwritten").is_ok())
}

/// Neither init before the program, nor a program that is the runtime's file, can be written through.
#[test]
fn an_entrypoint_that_is_the_runtime_itself() {
    needs!(root);
    let container = trap().args(&["/trap/script"]);
    let binary = container.runtime.binary().to_owned();
    let (before, content) = (fs::metadata(&binary).unwrap(), fs::read(&binary).unwrap());
    container.create(&[]).ok();
    let pid = container.pid();
    let init = file_of(pid);
    let fifo = container.bundle.rootfs().join("trap/config.json");
    let hold = OpenOptions::new().read(true).write(true).open(fifo).unwrap();
    container.start().ok();
    let program = file_of(pid);
    container.kill("KILL").ok();
    container.await_stop();
    drop(hold);
    for file in [init, program] {
        let found = file.metadata().unwrap();
        assert_ne!((found.dev(), found.ino()), (before.dev(), before.ino()));
        assert!(!writable(&file));
    }
    assert!(fs::read(&binary).unwrap() == content, "the binary changed");
}

/// From inside: a shell holds the file of an `exec` that is the runtime itself, and overwrites it when it has ended.
#[test]
fn an_exec_that_is_the_runtime_itself() {
    needs!(root_or_ranges, busybox);
    // FIFO 8 opens once the other process waits for config.json; 9 is that process's file.
    let attack = "
        exec 8>config.json
        for process in /proc/[0-9]*; do
            if grep -q plan $process/cmdline; then victim=$process; fi
        done
        exec 9<$victim/exe || exit 1
        exec 8>&-
        while [ -e $victim ]; do :; done
        if echo overwritten >/proc/self/fd/9; then echo yes; else echo no; fi >/answer
        exec sleep 1000";
    let container = trap();
    container.bundle.busybox(&["sh", "grep", "sleep"]);
    let container = container.args(&["/bin/sh", "-c", attack]);
    let binary = container.runtime.binary().to_owned();
    let content = fs::read(&binary).unwrap();
    let mut answer = Fifo::new(&container.bundle.rootfs().join("answer"));
    let container = container.running();
    container.exec(&[], &["/trap/script"]).exits(1);
    assert_eq!(answer.word(), "no\n");
    assert!(fs::read(&binary).unwrap() == content, "the binary changed");
}

/// Runs `script` with the runtime's path in `$0` and the words of a `run` in `$@`, in mounts of its own. A hook, as
/// the runtime's child, fails unless that is sealed.
fn run_by(script: &str) -> Finished {
    let look = "case $(readlink /proc/$PPID/exe) in /memfd:*) ;; *) ! [ -w /proc/$PPID/exe ] ;; esac";
    let hook = json!([{ "path": "/bin/sh", "args": ["sh", "-c", look] }]);
    let container = Container::new().with_own_binary().set("/hooks", json!({ "createRuntime": hook }));
    let binary = container.runtime.binary().to_owned();
    container.bundle.write();
    let plain = container.runtime.command(["run", "--bundle"]);
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-ec", script]).arg(&binary).args(plain.command.get_args());
    command.arg(container.bundle.path()).arg(&container.id);
    command.current_dir(container.bundle.path());
    Invocation { command }.run()
}

/// However it is found, it runs, and sealed.
#[test]
fn any_way_to_start_it() {
    needs!(root);
    for script in [
        r#"mkdir 'a b:c,d\'; cp "$0" 'a b:c,d\/my runtime'; exec "$PWD/a b:c,d\\/my runtime" "$@""#,
        r#"mkdir below; cp "$0" below/runtime; cd below; exec ./runtime "$@""#,
        r#"mkdir path; cp "$0" path/runtime; PATH=$PWD/path:$PATH exec runtime "$@""#,
        r#"ln -s "$0" link; exec ./link "$@""#,
        r#"mkdir ro; mount -t tmpfs none ro; cp "$0" ro/runtime; mount -o remount,ro ro; exec ro/runtime "$@""#,
        // A file without a name: the copy in memory.
        r#"cp "$0" gone; exec 5<gone; rm gone; exec /proc/self/fd/5 "$@""#,
        // No second layer: the copy in memory.
        r#"cp "$0" /dev/hull-test-$$; trap "rm /dev/hull-test-$$" EXIT; /dev/hull-test-$$ "$@""#,
    ] {
        let finished = run_by(script);
        assert_eq!(finished.code, 0, "{script}: {finished:?}");
        assert_eq!(finished.json()["pid"], 1, "{script}");
    }
}

/// Without /proc, or with a lie in the environment, it says so.
#[test]
fn what_cannot_be_protected_is_refused() {
    needs!(root);
    run_by(r#"umount -l /proc; exec "$0" "$@""#).refuses(&["/proc/self/exe", "/proc must be mounted"]);
    run_by(r#"HULL_SEALED=1 exec "$0" "$@""#).refuses(&["HULL_SEALED"]);
}

/// The mark of the second execution stays with the runtime: hooks and programs do not see it.
#[test]
fn the_environment_is_not_marked() {
    needs!(root_or_ranges);
    let world = Container::new().world();
    assert!(!world["env"].to_string().contains("HULL_SEALED"), "{}", world["env"]);
}

/// A caller's closed descriptors 0 to 2 are not where the runtime's own files end up.
#[test]
fn closed_standard_descriptors() {
    needs!(root_or_ranges);
    let mut container = Container::new();
    container.runtime.launch_by(["sh", "-c", "exec \"$@\" <&- 2>&-", "sh"]);
    let world = container.world();
    let fds: Vec<&String> = world["fds"].as_object().unwrap().keys().collect();
    assert_eq!(fds, ["0", "1", "2"]);
    assert_eq!((&world["fds"]["0"], &world["fds"]["2"]), (&json!("/dev/null"), &json!("/dev/null")));
}
