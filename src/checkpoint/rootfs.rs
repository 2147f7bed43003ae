//! The root filesystem around CRIU. Before a dump: where external mounts really are. Before a restore: mount points, which
//! CRIU does not make, and a root that is a mount, which it wants.
//!
//! The latter two are done in mount namespaces of their own, so that nothing has to be unmounted again, not even by
//! somebody who cleans up after a killed restore.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::sys::stat::fstat;

use super::Error;
use super::external::Mount;
use crate::plan::{Op, Open, Plan};
use crate::rootfs::{Root, capture, place};
use crate::sys::clone::{setns, unshare};
use crate::sys::mount::{self, Attr};
use crate::sys::{self, Context, Errno, fd};

/// Does something in a mount namespace of its own.
pub fn in_private_mounts<T, E: From<Error>>(act: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let way_back = leave().map_err(Error::from)?;
    let done = act();
    way_back.take().map_err(Error::from)?;
    done
}

/// The mount namespace and the working directory that we came from.
struct WayBack {
    namespace: File,
    dir: File,
}

fn leave() -> Result<WayBack, sys::Error> {
    let way_back = WayBack { namespace: open("/proc/self/ns/mnt")?, dir: open(".")? };
    unshare(libc::CLONE_NEWNS).during("unshare", "CLONE_NEWNS")?;
    Ok(way_back)
}

impl WayBack {
    fn take(self) -> Result<(), sys::Error> {
        setns(self.namespace.as_fd(), libc::CLONE_NEWNS).during("setns", "CLONE_NEWNS")?;
        // setns(2) also moved us to the root directory.
        nix::unistd::fchdir(self.dir).during("fchdir", "the working directory")
    }
}

fn open(path: &str) -> Result<File, sys::Error> {
    File::open(path).map_err(|err| errno(&err)).during("open", path)
}

fn errno(err: &std::io::Error) -> Errno {
    Errno::from_raw(err.raw_os_error().unwrap_or(libc::EIO))
}

/// From here on mounts of the host come and go, but ours stay unseen there.
fn follow_the_host() -> Result<(), Error> {
    let root = open_path(Path::new("/"))?;
    Ok(mount::set_attr(root.as_fd(), true, SLAVE).during("mount_setattr", "/, MS_SLAVE")?)
}

/// The same for what is mounted at or below `place` only.
fn follow_the_host_at(place: &Path) -> Result<(), Error> {
    for dir in place.ancestors() {
        match mount::set_attr(open_path(dir)?.as_fd(), false, SLAVE) {
            // Not where a mount begins: further up.
            Err(Errno::EINVAL) => {}
            done => return Ok(done.during("mount_setattr", format_args!("{}, MS_SLAVE", dir.display()))?),
        }
    }
    Ok(())
}

const SLAVE: Attr = Attr { set: 0, clear: 0, propagation: libc::MS_SLAVE };

fn open_path(path: &Path) -> Result<OwnedFd, sys::Error> {
    let text = std::ffi::CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::EINVAL);
    let opened = text.and_then(|text| fd::openat2(cwd(), &text, libc::O_PATH, 0, 0));
    opened.during("open", path.display())
}

fn cwd() -> BorrowedFd<'static> {
    nix::fcntl::AT_FDCWD
}

/// From mount point to name, for a dump: links on the way, as in `/var/run`, are followed as they were at create.
pub fn mount_points(pid: i32, mounts: &[Mount]) -> Result<Vec<(PathBuf, PathBuf)>, Error> {
    let root = open(&format!("/proc/{pid}/root"))?;
    let mut found = Vec::new();
    for mount in mounts {
        let Ok(place) = place::open(root.as_fd(), mount.target) else { continue };
        let is_dir = fstat(&place).during("fstat", mount.target)?.st_mode & libc::S_IFMT == libc::S_IFDIR;
        if is_dir && mount.files_only {
            continue;
        }
        let link = format!("/proc/self/fd/{}", place.as_raw_fd());
        let path = std::fs::read_link(&link).map_err(|err| errno(&err)).during("readlink", link)?;
        found.push((path, mount.name.clone()));
    }
    Ok(found)
}

/// Makes the root filesystem a mount at `place`. Call it inside [`in_private_mounts`].
pub fn mount_root(plan: &Plan, place: &Path) -> Result<(), Error> {
    let shares = |open: &Open| matches!(open, Open::Tree(tree) if tree.propagation == 0);
    if plan.parent.open.iter().any(shares) {
        // A volume that shares its mounts with the host has to be found here as the host has it.
        follow_the_host_at(place)?;
    } else {
        follow_the_host()?;
    }
    let (tree, target) = (root_tree(plan)?, open_path(place)?);
    Ok(mount::attach(tree.as_fd(), target.as_fd()).during("move_mount", place.display())?)
}

/// The root filesystem's own tree, detached.
fn root_tree(plan: &Plan) -> Result<OwnedFd, Error> {
    let slot = plan.child.steps.iter().find_map(|step| match step.op {
        Op::EnterRoot { slot, .. } => Some(slot),
        _ => None,
    });
    match slot.and_then(|slot| plan.parent.open.get(slot)) {
        Some(Open::Tree(tree)) => Ok(capture::clone(tree, None)?),
        _ => Err(Error::Protocol),
    }
}

/// Makes the mount points that the plan's mounts need, in the root filesystem and in the volumes that are mounted there.
///
/// Every mount is made as well, a volume as itself and a filesystem as an empty one, so that the mount points inside it
/// are found or made where they belong. Call it inside [`in_private_mounts`].
pub fn prepare_mount_points(plan: &Plan) -> Result<(), Error> {
    follow_the_host()?;
    let mut root = Root::default();
    root.enter(root_tree(plan)?, None).during("move_mount", "the root filesystem")?;
    for step in &plan.child.steps {
        let (place, made) = match &step.op {
            Op::Attach(attach) => {
                let Some(Open::Tree(tree)) = plan.parent.open.get(attach.slot) else { continue };
                (&attach.target, root.attach(attach, capture::clone(tree, None)?))
            }
            Op::NewFs(new) => (&new.target, root.stand_in(&new.target)),
            Op::Device(node) if node.bind.is_some() => (&node.path, root.device(node)),
            _ => continue,
        };
        made.map_err(|errno| Error::MountPoint { at: step.at.clone(), place: place.to_string(), errno })?;
    }
    Ok(())
}
