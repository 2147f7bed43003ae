//! Host trees, cloned in the runtime's own view before the container exists; for a caller without rights over that
//! view, by init in its copy of it.
//!
//! A detached tree is nobody's mount yet: attributes, mapping and propagation are set before anything can see it, and
//! the container never has to search a host path.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::attach::is_dir;
use super::enter::here;
use crate::plan::{Attrs, Idmap, Tree};
use crate::sys::mount::{self, Attr};
use crate::sys::{Context, Errno, Error};

/// Clones the tree with its attributes. `user_ns` is the mapping it shows, unless that is the container's own.
pub fn clone(tree: &Tree, user_ns: Option<BorrowedFd>) -> Result<OwnedFd, Error> {
    let fd = clone_silently(tree).or_else(|(call, errno)| Err(errno).during(call, path(tree)))?;
    if let (Some(idmap), Some(user_ns)) = (tree.idmap, user_ns) {
        map_ids(fd.as_fd(), idmap, user_ns, tree)?;
    }
    Ok(fd)
}

/// The same without a mapping, and without words: for init, who has no memory for any.
pub fn clone_silently(tree: &Tree) -> Result<OwnedFd, (&'static str, Errno)> {
    let (of_all, of_top) = attributes(tree);
    let clone = |source| mount::clone_tree_with(here(), source, tree.recursive, of_all);
    let cloned = match (clone(&tree.source), &tree.otherwise) {
        (Err(Errno::ENOENT), Some(otherwise)) => clone(otherwise),
        (cloned, _) => cloned,
    };
    let fd = cloned.map_err(|errno| ("open_tree", errno))?;
    if tree.must_be_dir && !is_dir(fd.as_fd()).map_err(|errno| ("fstat", errno))? {
        return Err(("open_tree", Errno::ENOTDIR));
    }
    if of_top != Attr::default() {
        mount::set_attr(fd.as_fd(), false, of_top).map_err(|errno| ("mount_setattr", errno))?;
    }
    Ok(fd)
}

/// What holds for every mount of the copy, and then for the topmost alone, unless that is all of it.
fn attributes(tree: &Tree) -> (Attr, Attr) {
    let Attrs { set, clear, tree_set, tree_clear } = tree.attrs;
    let propagation = tree.propagation;
    if tree.recursive {
        let of_all = Attr { set: tree_set, clear: tree_clear, propagation };
        (of_all, Attr { set, clear, propagation: 0 })
    } else {
        // One mount is the top and all of the tree; what is said of the tree comes later, and counts.
        let (set, clear) = (set & !tree_clear | tree_set, clear & !tree_set | tree_clear);
        (Attr { set, clear, propagation }, Attr::default())
    }
}

/// Shows the tree with the ids of `user_ns`. Must come before anyone else holds the tree.
pub fn map_ids(fd: BorrowedFd, idmap: Idmap, user_ns: BorrowedFd, tree: &Tree) -> Result<(), Error> {
    let what = format_args!("{}, MOUNT_ATTR_IDMAP", path(tree));
    mount::set_idmap(fd, idmap.recursive, user_ns).during("mount_setattr", what)
}

fn path(tree: &Tree) -> String {
    format!("{:?}", tree.source.to_string())
}
