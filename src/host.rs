//! What the planner may know about this host, found out once.

use std::path::{Path, PathBuf};

use nix::sys::statfs::{FsType, statfs};

use crate::cgroups;
use crate::plan::{CgroupLayout, HostFacts, Wanted};
use crate::sys::mountinfo::Mount;
use crate::sys::{Errno, cred, file, mount};

/// Looks at the host. Nothing is changed, and nothing that is missing is an error here.
#[must_use]
pub fn facts(wanted: Wanted) -> HostFacts {
    let capabilities = cred::capget().map(|sets| sets.permitted).unwrap_or_default();
    let is_admin = capabilities & caps::Capability::CAP_SYS_ADMIN.bitmask() != 0;
    let in_user_ns = in_user_ns();
    let euid = nix::unistd::geteuid();
    HostFacts {
        euid: euid.as_raw(),
        rootless: !euid.is_root() || in_user_ns,
        egid: nix::unistd::getegid().as_raw(),
        in_user_ns,
        no_setgroups: in_user_ns && no_setgroups(),
        foreign_mounts: (in_user_ns || !is_admin) && may_not_clone_mounts(),
        capabilities,
        cgroups: if wanted.cgroups { cgroups::layout::probe() } else { CgroupLayout::default() },
        systemd: None,
        resctrl: if wanted.resctrl { resctrl() } else { None },
        apparmor: wanted.security_modules && is_there("/sys/kernel/security/apparmor/profiles"),
        kernel_views: if wanted.kernel_views { kernel_views() } else { Vec::new() },
        selinux: wanted.security_modules && is_there("/sys/fs/selinux/enforce"),
    }
}

/// Whether we are in a user namespace other than the host's first, which maps every id to itself.
#[must_use]
pub fn in_user_ns() -> bool {
    let mut buffer = [0; 64];
    let map = file::read_piece(Path::new("/proc/self/uid_map"), &mut buffer).unwrap_or_default();
    let words = map.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    !words.eq([&b"0"[..], b"0", b"4294967295"])
}

fn no_setgroups() -> bool {
    std::fs::read_to_string("/proc/self/setgroups").is_ok_and(|text| text.trim_end() == "deny")
}

/// Whether the kernel says so: a copy of a mount is made, and thrown away.
fn may_not_clone_mounts() -> bool {
    mount::clone_tree(nix::fcntl::AT_FDCWD, c"/", false).is_err_and(|errno| errno == Errno::EPERM)
}

/// Whether the first process here runs as the caller's user, so that the caller is the root of a system.
#[must_use]
pub fn owns_first_process() -> bool {
    use std::os::unix::fs::MetadataExt;
    let euid = nix::unistd::geteuid();
    euid.is_root() && std::fs::metadata("/proc/1").is_ok_and(|first| first.uid() == euid.as_raw())
}

/// Where `linux.intelRdt` is carried out; the directory alone says nothing, since every kernel with RDT has it.
fn resctrl() -> Option<PathBuf> {
    const RDTGROUP_SUPER_MAGIC: FsType = FsType(0x0765_5821);
    let usual = Path::new("/sys/fs/resctrl");
    statfs(usual).is_ok_and(|fs| fs.filesystem_type() == RDTGROUP_SUPER_MAGIC).then(|| usual.to_owned())
}

fn kernel_views() -> Vec<PathBuf> {
    let text = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mounts = text.lines().filter_map(Mount::parse);
    mounts.filter(|mount| ["proc", "sysfs"].contains(&mount.kind.as_str())).map(|mount| mount.point).collect()
}

fn is_there(path: &str) -> bool {
    nix::unistd::access(Path::new(path), nix::unistd::AccessFlags::F_OK).is_ok()
}
