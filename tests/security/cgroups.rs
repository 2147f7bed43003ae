//! What a container may do in cgroups of its own, so that nobody gets rid of it, or so that its limits hold for others.

use std::fs;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
use serde_json::json;

use crate::harness::*;
use crate::needs;

/// Cgroups in one another until no path reaches the last, as a container can make them that may write to its cgroups.
fn nest(top: &Path) {
    let name = "x".repeat(250);
    let dir = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut here = openat(CWD, top, dir, Mode::empty()).unwrap();
    for _ in 0..40 {
        mkdirat(&here, &name, Mode::RWXU).unwrap();
        here = openat(&here, &name, dir, Mode::empty()).unwrap();
    }
}

/// No path is long enough for the last of them, and they go all the same.
#[test]
fn cgroups_deeper_than_any_path() {
    needs!(root);
    let container = Container::new().sleeping();
    let made = cgroups(&container.cgroup);
    assert!(!made.is_empty());
    made.iter().for_each(|dir| nest(dir));
    container.delete(&["--force"]).ok();
    container.assert_clean();
}

/// cgroup v1 lets nobody die who is frozen, and a container that may write to its cgroups can freeze itself, where its
/// own cgroup is not.
#[test]
fn a_container_that_has_frozen_itself() {
    needs!(root, cgroup_v1("freezer"));
    for force in [true, false] {
        let container = Container::new().sleeping();
        let own = container.cgroup_dir("freezer").join("own");
        fs::create_dir(&own).unwrap();
        fs::write(own.join("cgroup.procs"), container.pid().to_string()).unwrap();
        fs::write(own.join("freezer.state"), "FROZEN").unwrap();
        if !force {
            container.kill("KILL").ok();
            container.await_stop();
        }
        container.delete(if force { &["--force"] } else { &[] }).ok();
        container.assert_clean();
    }
}

/// A path out of the place for containers' cgroups stays a path inside, and an annotation is no path at all (crun 1.28).
#[test]
fn cgroup_paths_stay_inside() {
    needs!(root, cgroupfs);
    let mark = format!("hull-escaped-{}", std::process::id());
    let container = Container::new().edit(|config| {
        config["annotations"] = json!({ "run.oci.delegate-cgroup": format!("../{mark}") });
    });
    container.run(&[]).ok();
    assert!(cgroups(&mark).is_empty());
    let path = |path: &str| Container::new().set("/linux/cgroupsPath", json!(path));
    for escape in [format!("/../../../../{mark}"), format!("../../{mark}")] {
        path(&escape).run(&[]);
        let parent = Path::new("/sys/fs");
        assert!(!parent.join(&mark).exists() && !Path::new("/sys").join(&mark).exists(), "{escape}");
        assert!(cgroups(&mark).is_empty(), "{escape} left {:?}", cgroups(&mark));
    }
}
