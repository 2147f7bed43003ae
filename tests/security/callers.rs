//! What other users of the host may put in the caller's way: files where hull makes its own, folders that pretend to be its
//! state, variables.

use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::path::Path;

use serde_json::json;

use crate::harness::*;
use crate::needs;
use crate::outside::Outside;

/// Whatever already has the name that a pid file gets until it is whole, it is not written through, nor waited for.
#[test]
fn pid_files_in_a_folder_of_others() {
    needs!(root);
    let container = Container::new().sleeping();
    let outside = Outside::of(&container);
    let shared = container.bundle.join("shared");
    fs::create_dir(&shared).unwrap();
    let (file, new) = (shared.join("pid"), shared.join(".pid"));
    let puts: [&dyn Fn(&Path); 4] = [
        &|at| symlink(outside.join("file"), at).unwrap(),
        &|at| symlink(outside.join("made"), at).unwrap(),
        &|at| drop(Fifo::new(at)),
        &|at| fs::write(at, "of one that was killed").unwrap(),
    ];
    for put in puts {
        for at in [&new, &file] {
            put(at);
            container.exec(&["--pid-file", file.to_str().unwrap()], &["/probe", "exit", "0"]).ok();
            assert!(fs::symlink_metadata(&file).unwrap().is_file());
            fs::read_to_string(&file).unwrap().parse::<u32>().unwrap();
            fs::remove_file(&file).unwrap();
            assert!(!new.exists());
            outside.assert_untouched();
        }
    }
    // What cannot be replaced is an error.
    fs::create_dir(&new).unwrap();
    container.exec(&["--pid-file", file.to_str().unwrap()], &["/probe"]).refuses(&["--pid-file"]);
}

/// State that another user has laid out in a folder of theirs runs no hook, and is not executed in; nor is a link followed.
#[test]
fn state_of_somebody_else() {
    needs!(root);
    let container = Container::new().set(
        "/hooks",
        json!({ "poststop": [{ "path": "/bin/sh", "args": ["sh", "-c", "echo ran >>$0/ran", "BUNDLE"] }] }),
    );
    let bundle = container.bundle.path().to_str().unwrap().to_owned();
    let container = container.set("/hooks/poststop/0/args/3", json!(bundle)).sleeping();
    let real = container.runtime.root().join(&container.id);
    let set_owner = |owner| chown(&real, Some(owner), Some(owner)).unwrap();
    set_owner(USER);
    container.delete(&["--force"]).refuses(&["belongs to user 61234"]);
    container.exec(&[], &["/probe"]).refuses(&["belongs to user 61234"]);
    container.kill("KILL").refuses(&["belongs to user 61234"]);
    assert_eq!(container.status(), "running", "looking is not forbidden");
    set_owner(0);
    let link = container.runtime.root().join("link");
    symlink(&real, &link).unwrap();
    let delete = container.runtime.command(["delete", "--force", "link"]).run();
    assert_ne!(delete.code, 0, "{delete:?}");
    fs::remove_file(link).unwrap();
    assert!(!container.bundle.join("ran").exists());
    container.delete(&["--force"]).ok();
    assert!(container.bundle.join("ran").exists(), "the hook of one's own container runs");
}

/// A FIFO in the place of a file of the state keeps nobody waiting.
#[test]
fn state_that_is_a_fifo() {
    needs!(root);
    let container = Container::new();
    let runtime = &container.runtime;
    for file in ["state.json", "config.json"] {
        let folder = runtime.root().join("odd");
        fs::create_dir(&folder).unwrap();
        drop(Fifo::new(&folder.join(file)));
        for verb in ["state", "kill", "exec", "start", "delete"] {
            runtime.command([verb, "odd", "KILL"]).run();
        }
        runtime.command(["list"]).run();
        runtime.command(["delete", "--force", "odd"]).run().ok();
        assert!(!folder.exists());
    }
}

/// Numbers of descriptors that overflow are refused as any that are not open.
#[test]
fn descriptors_that_nobody_can_have() {
    needs!(root);
    for count in ["4294967295", "4294967293", "4294967292", "2147483648"] {
        let container = Container::new().args(&["/probe", "exit", "0"]);
        container.run(&["--preserve-fds", count]).refuses(&["--preserve-fds", "is not open"]);
        let words = [&["run"], &container.bundled(&[])[..], &[&container.id]].concat();
        container.runtime.command(words).env("LISTEN_FDS", count).run().refuses(&["is not open"]);
        container.assert_clean();
    }
}

/// A variable that says that the binary is safe already is not believed.
#[test]
fn a_seal_that_is_claimed() {
    needs!(root);
    let container = Container::new().with_own_binary().args(&["/probe", "exit", "0"]);
    let words = [&["run"], &container.bundled(&[])[..], &[&container.id]].concat();
    let claimed = container.runtime.command(words).env("HULL_SEALED", "1").run();
    claimed.refuses(&["HULL_SEALED"]);
    container.assert_clean();
}
