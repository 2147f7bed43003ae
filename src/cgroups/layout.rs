//! Where this host's cgroup hierarchies are.
//!
//! The usual mount points are tried first, because /proc/self/mountinfo grows with every container on the host and
//! is read only where they do not answer. What it lists may lie hidden below another mount.

use std::path::{Path, PathBuf};

use nix::sys::statfs::{CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, FsType, statfs};

use super::file;
use crate::plan::{CgroupLayout, Hierarchy};

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

/// One cgroup mount of /proc/self/mountinfo.
struct Mount {
    /// Which part of the hierarchy is mounted.
    root: String,
    point: PathBuf,
    v2: bool,
    /// Comma-separated, controllers among them.
    options: String,
}

/// The cgroup mounts, read when first asked for.
#[derive(Default)]
struct Mounts {
    list: Option<Vec<Mount>>,
}

impl Mounts {
    fn list(&mut self) -> &[Mount] {
        self.list.get_or_insert_with(|| {
            let text = file::try_read_list(Path::new("/proc/self/mountinfo")).unwrap_or_default();
            text.lines().filter_map(parse_mount).collect()
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
            let found = self.list().iter().find(|mount| !mount.v2 && has(mount))?.point.clone();
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
            let found = self.list().iter().find(|mount| mount.v2)?.point.clone();
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

/// `36 35 98:0 /root /point rw,noatime shared:1 - cgroup cgroup rw,memory` (proc_pid_mountinfo(5)).
fn parse_mount(line: &str) -> Option<Mount> {
    let (before, after) = line.split_once(" - ")?;
    let mut after = after.split(' ');
    let v2 = match after.next()? {
        "cgroup" => false,
        "cgroup2" => true,
        _ => return None,
    };
    let options = after.nth(1)?.to_owned();
    let mut before = before.split(' ').skip(3);
    let root = before.next()?.to_owned();
    let point = PathBuf::from(unescape(before.next()?));
    Some(Mount { root, point, v2, options })
}

/// The kernel writes blanks in paths as `\040` and the like.
fn unescape(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code {
            Some(code) => {
                plain.push(char::from(code));
                plain.push_str(&part[3..]);
            }
            None => plain.push_str(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mountinfo_lines_are_understood() {
        let line = r"36 35 0:31 /docker/ab /mnt/c\040g rw shared:9 - cgroup cgroup rw,cpu,cpuacct";
        let mount = parse_mount(line).unwrap();
        assert_eq!(
            (mount.root.as_str(), mount.point.to_str().unwrap(), mount.v2),
            ("/docker/ab", "/mnt/c g", false)
        );
        assert_eq!(mount.options, "rw,cpu,cpuacct");
        assert!(parse_mount("36 35 0:31 / /tmp rw - tmpfs tmpfs rw").is_none());
        assert!(parse_mount("36 35 0:31 / /c rw - cgroup2 cgroup2 rw").unwrap().v2);
    }

    #[test]
    fn a_part_mounted_as_the_root_shortens_the_own_path() {
        let part =
            Mount { root: "/docker/ab".into(), point: "/nowhere".into(), v2: false, options: String::new() };
        let mut mounts = Mounts { list: Some(vec![part]) };
        assert_eq!(mounts.own(Path::new("/nowhere"), "/docker/ab/inner"), "/inner");
        assert_eq!(mounts.own(Path::new("/nowhere"), "/docker/ab"), "/");
        assert_eq!(mounts.own(Path::new("/nowhere"), "/elsewhere"), "/");
        assert_eq!(mounts.own(Path::new("/nowhere"), "/../sibling"), "/");
    }
}
