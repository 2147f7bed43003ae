//! Where this host's cgroup hierarchies are.
//!
//! The usual mount points are tried first, because /proc/self/mountinfo grows with every container on the host and
//! is read only where they do not answer. What it lists may lie hidden below another mount.

use std::path::{Path, PathBuf};

use nix::sys::statfs::{CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, FsType, statfs};

use super::file;
use crate::plan::{CgroupLayout, Hierarchy};
use crate::sys::mountinfo::Mount;

const ROOT: &str = "/sys/fs/cgroup";

/// Finds the hierarchies; a host without any has an empty layout.
#[must_use]
pub fn probe() -> CgroupLayout {
    let Ok(memberships) = file::try_read(Path::new("/proc/self/cgroup")) else {
        return CgroupLayout::default();
    };
    let memberships: Vec<Membership> = memberships.lines().filter_map(Membership::parse).collect();
    let mut mounts = Mounts::default();
    if is_mounted(Path::new(ROOT), CGROUP2_SUPER_MAGIC) {
        let own = memberships.iter().find(|own| own.is_v2()).map_or("/", |own| own.path);
        let v2 = mounts.v2(Path::new(ROOT).to_owned(), own);
        return CgroupLayout { v1: Vec::new(), v2: Some(v2) };
    }
    let v1 = memberships.iter().filter(|own| !own.is_v2()).filter_map(|own| mounts.v1(own)).collect();
    let v2 = memberships.iter().find(|own| own.is_v2()).and_then(|own| mounts.unified(own.path));
    CgroupLayout { v1, v2 }
}

/// One line of /proc/self/cgroup.
struct Membership<'a> {
    /// As the kernel lists them: `cpu,cpuacct`, `name=systemd`, or nothing for v2.
    controllers: &'a str,
    path: &'a str,
}

impl<'a> Membership<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        Some(Self { controllers, path })
    }

    fn is_v2(&self) -> bool {
        self.controllers.is_empty()
    }
}

fn is_mounted(path: &Path, kind: FsType) -> bool {
    statfs(path).is_ok_and(|fs| fs.filesystem_type() == kind)
}

/// The cgroup mounts, read when first asked for.
#[derive(Default)]
struct Mounts {
    list: Option<Vec<Mount>>,
}

impl Mounts {
    fn list(&mut self) -> &[Mount] {
        self.list.get_or_insert_with(|| {
            let text = file::try_read_list(nix::fcntl::AT_FDCWD, c"/proc/self/mountinfo").unwrap_or_default();
            text.lines().filter_map(Mount::parse).filter(|mount| mount.kind.starts_with("cgroup")).collect()
        })
    }

    fn v1(&mut self, own: &Membership) -> Option<Hierarchy> {
        let controllers: Vec<String> = own.controllers.split(',').map(str::to_owned).collect();
        let usual = Path::new(ROOT).join(own.controllers.trim_start_matches("name="));
        let mount = if is_mounted(&usual, CGROUP_SUPER_MAGIC) {
            usual
        } else {
            let has =
                |mount: &Mount| own.controllers.split(',').all(|c| mount.options.split(',').any(|o| o == c));
            let found = self.list().iter().find(|mount| mount.kind == "cgroup" && has(mount))?.point.clone();
            is_mounted(&found, CGROUP_SUPER_MAGIC).then_some(found)?
        };
        let own = self.own(&mount, own.path);
        Some(Hierarchy { controllers, mount, own })
    }

    fn unified(&mut self, own: &str) -> Option<Hierarchy> {
        let usual = Path::new(ROOT).join("unified");
        let mount = if is_mounted(&usual, CGROUP2_SUPER_MAGIC) {
            usual
        } else {
            let found = self.list().iter().find(|mount| mount.kind == "cgroup2")?.point.clone();
            is_mounted(&found, CGROUP2_SUPER_MAGIC).then_some(found)?
        };
        Some(self.v2(mount, own))
    }

    fn v2(&mut self, mount: PathBuf, own: &str) -> Hierarchy {
        let offered = file::try_read(&mount.join("cgroup.controllers")).unwrap_or_default();
        let controllers = offered.split_whitespace().map(str::to_owned).collect();
        let own = self.own(&mount, own);
        Hierarchy { controllers, mount, own }
    }

    /// The caller's cgroup as a path below the mount point.
    ///
    /// A container without a cgroup namespace sees its path from the host's root, but may have only its own part
    /// mounted; a process outside its cgroup namespace's root has a path that starts with `/..`.
    fn own(&mut self, mount: &Path, path: &str) -> String {
        if path == "/" || path.starts_with("/..") {
            return "/".to_owned();
        }
        if nix::unistd::access(&mount.join(&path[1..]), nix::unistd::AccessFlags::F_OK).is_ok() {
            return path.to_owned();
        }
        let roots = self.list().iter().filter(|known| known.point == mount);
        let below = roots.filter_map(|known| path.strip_prefix(known.root.as_str())).next_back();
        below.filter(|below| below.starts_with('/')).unwrap_or("/").to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_mounted_as_the_root_shortens_the_own_path() {
        let part = Mount {
            root: "/docker/ab".into(),
            point: "/nowhere".into(),
            kind: "cgroup".into(),
            options: String::new(),
        };
        let mut mounts = Mounts { list: Some(vec![part]) };
        assert_eq!(mounts.own(Path::new("/nowhere"), "/docker/ab/inner"), "/inner");
        assert_eq!(mounts.own(Path::new("/nowhere"), "/docker/ab"), "/");
        assert_eq!(mounts.own(Path::new("/nowhere"), "/elsewhere"), "/");
        assert_eq!(mounts.own(Path::new("/nowhere"), "/../sibling"), "/");
    }
}
