//! The host, as far as a test puts it at stake: a folder beside the root filesystem, and what is mounted.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::harness::Container;

/// A folder with files that an attack may try to reach; whatever it does, they stay as they are.
pub struct Outside {
    dir: PathBuf,
    before: BTreeMap<PathBuf, String>,
}

impl Outside {
    /// `outside` in the container's bundle.
    pub fn of(container: &Container) -> Self {
        let dir = container.bundle.join("outside");
        fs::create_dir_all(dir.join("folder")).unwrap();
        fs::write(dir.join("file"), "untouched").unwrap();
        fs::write(dir.join("folder/file"), "untouched").unwrap();
        let before = tree(&dir);
        Self { dir, before }
    }

    /// A path below it.
    pub fn join(&self, below: &str) -> PathBuf {
        self.dir.join(below)
    }

    /// Asserts that it is as it was, and that nothing is mounted there.
    #[track_caller]
    pub fn assert_untouched(&self) {
        assert_eq!(tree(&self.dir), self.before);
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!mounts.contains(self.dir.to_str().unwrap()), "{mounts}");
    }
}

/// Every path with its mode, owner and content.
fn tree(dir: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    for path in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
        let meta = fs::symlink_metadata(&path).unwrap();
        let content = if meta.is_file() { fs::read_to_string(&path).unwrap() } else { String::new() };
        if meta.is_dir() {
            found.extend(tree(&path));
        }
        found.insert(path, format!("{:o} {}:{} {content}", meta.mode(), meta.uid(), meta.gid()));
    }
    found
}
