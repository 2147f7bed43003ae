//! Other kinds of hosts, played in private mount and cgroup namespaces of this one.
//!
//! A test that needs such a host runs itself again inside; the kernel there is the real one, with whatever
//! controllers this host has to offer.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use hull::cgroups::layout;
use hull::plan::CgroupLayout;

use crate::harness;

/// Tells the inner run where it is, so that a view that failed to come about is no endless loop.
const INSIDE: &str = "HULL_TEST_VIEW";

/// A kind of host.
pub struct View {
    /// Whether this is it.
    holds: fn(&CgroupLayout) -> bool,
    /// Makes it so, in namespaces of its own.
    enter: &'static str,
}

/// cgroup2 at /sys/fs/cgroup and nothing else. Its root is a cgroup of the real hierarchy, as in a container.
pub const PURE_V2: View = View {
    holds: CgroupLayout::is_v2,
    // Whoever waits for us outside must not stay in the cgroup that hands controllers down.
    enter: "mount -t cgroup2 none /sys/fs/cgroup && cd /sys/fs/cgroup && mkdir init \
        && for p in $(cat cgroup.procs); do echo $p > init/cgroup.procs || :; done 2>/dev/null \
        && for c in $(cat cgroup.controllers); do echo +$c > cgroup.subtree_control; done",
};

/// v1 hierarchies without any cgroup2.
pub const PURE_V1: View = View {
    holds: |layout| !layout.v1.is_empty() && layout.v2.is_none(),
    enter: "umount /sys/fs/cgroup/unified",
};

/// cgroup2 where nobody looks first, and a v1 controller too.
pub const ODD_MOUNTS: View = View {
    holds: |layout| layout.v2.as_ref().is_some_and(|v2| v2.mount == Path::new("/mnt/odd place/two")),
    enter: "umount /sys/fs/cgroup/unified && mount -t tmpfs none /mnt && mkdir -p '/mnt/odd place/two' /mnt/pids \
        && mount -t cgroup2 none '/mnt/odd place/two' && mount --move /sys/fs/cgroup/pids /mnt/pids",
};

/// Not a cgroup to be seen, though mountinfo still lists those that lie below.
pub const NOTHING: View =
    View { holds: |layout| *layout == CgroupLayout::default(), enter: "mount -t tmpfs none /sys/fs/cgroup" };

impl View {
    /// Whether the test `name` is inside. If not, it has been run there and has passed, or was skipped.
    pub fn entered(&self, name: &str) -> bool {
        self.entered_by(name, &["--exact", name])
    }

    /// The same for more tests than `name`: those that these arguments choose are run inside.
    pub fn entered_by(&self, name: &str, chosen: &[&str]) -> bool {
        if let Err(reason) = harness::root() {
            harness::skip(&format!("{}::{name}", env!("CARGO_CRATE_NAME")), &reason);
            return false;
        }
        let layout = layout::probe();
        if (self.holds)(&layout) {
            return true;
        }
        assert!(std::env::var_os(INSIDE).is_none(), "the view is not what it should be: {layout:?}");
        let Some(unified) = layout.v2.filter(|v2| v2.mount.ends_with("unified")) else {
            harness::skip(
                &format!("{}::{name}", env!("CARGO_CRATE_NAME")),
                "needs a hybrid host, which can play the others",
            );
            return false;
        };
        let place = unified.mount.join(unique());
        fs::create_dir(&place).unwrap();
        let outside =
            "echo $$ > $0/cgroup.procs && exec timeout 120 unshare -m -C --propagation private sh -c \"$@\"";
        let output = Command::new("sh")
            .args(["-c", outside])
            .arg(&place)
            .args([&format!("{} || exit; exec \"$@\"", self.enter), "sh"])
            .arg(std::env::current_exe().unwrap())
            .args(chosen)
            .args(["--nocapture", "--test-threads=1"])
            .env(INSIDE, "1")
            .output()
            .unwrap();
        remove_all(&place);
        let text =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && !text.contains(" 0 passed"), "inside:\n{text}");
        false
    }
}

/// The view's own cgroups; the kernel needs a moment to notice that the last process has ended.
fn remove_all(dir: &Path) {
    for entry in fs::read_dir(dir).unwrap().flatten().filter(|entry| entry.path().is_dir()) {
        remove_all(&entry.path());
    }
    eventually("the view is empty", || fs::remove_dir(dir).is_ok());
}

/// A name that no other test, run or program has.
pub fn unique() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("hull-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Waits for something that no event announces, at most a few seconds.
pub fn eventually(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(10), "never: {what}");
        std::thread::yield_now();
    }
}
