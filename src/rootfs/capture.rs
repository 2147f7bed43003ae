//! Host trees, cloned in the runtime's own view before the container exists.
//!
//! A detached tree is nobody's mount yet: attributes, mapping and propagation are set before anything can see it, and
//! the container never has to search a host path.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::attach::set_attrs;
use super::enter::here;
use crate::plan::{Idmap, Tree};
use crate::sys::mount::{self, Attr};
use crate::sys::{Context, Errno, Error};

/// Clones the tree with its attributes. `user_ns` is the mapping it shows, unless that is the container's own.
pub fn clone(tree: &Tree, user_ns: Option<BorrowedFd>) -> Result<OwnedFd, Error> {
    let what = || format!("{:?}", tree.source);
    let fd = match (clone_at(&tree.source, tree.recursive), &tree.otherwise) {
        (Err(Errno::ENOENT), Some(otherwise)) => clone_at(otherwise, tree.recursive),
        (cloned, _) => cloned,
    };
    let fd = fd.during("open_tree", what())?;
    if tree.must_be_dir {
        let mode = nix::sys::stat::fstat(&fd).during("fstat", what())?.st_mode;
        if mode & libc::S_IFMT != libc::S_IFDIR {
            return Err(Errno::ENOTDIR).during("open_tree", what());
        }
    }
    if !tree.keep_shared {
        let slave = Attr { propagation: libc::MS_SLAVE, ..Attr::default() };
        mount::set_attr(fd.as_fd(), tree.recursive, slave).during("mount_setattr", what())?;
    }
    set_attrs(fd.as_fd(), &tree.attrs).during("mount_setattr", what())?;
    if let (Some(idmap), Some(user_ns)) = (tree.idmap, user_ns) {
        map_ids(fd.as_fd(), idmap, user_ns, tree)?;
    }
    Ok(fd)
}

fn clone_at(source: &Path, recursive: bool) -> Result<OwnedFd, Errno> {
    let path = CString::new(source.as_os_str().as_bytes()).map_err(|_| Errno::EINVAL)?;
    mount::clone_tree(here(), &path, recursive)
}

/// Shows the tree with the ids of `user_ns`. Must come before anyone else holds the tree.
pub fn map_ids(fd: BorrowedFd, idmap: Idmap, user_ns: BorrowedFd, tree: &Tree) -> Result<(), Error> {
    let what = format!("{:?}, MOUNT_ATTR_IDMAP", tree.source);
    mount::set_idmap(fd, idmap.recursive, user_ns).during("mount_setattr", what)
}
