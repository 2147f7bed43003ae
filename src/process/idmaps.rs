//! Writing the maps of user namespaces, and namespaces that exist only to carry a map.

use std::os::fd::{AsFd, OwnedFd};

use crate::plan::{IdMaps, map_text};
use crate::sys::clone::{Clone, clone3, exit_now, pidfd_send_signal, wait_pidfd};
use crate::sys::file::write_existing;
use crate::sys::{Context, Error, errno_of, socket};

/// Writes uid_map and gid_map of a process that was just cloned into a new user namespace.
pub fn write(pid: i32, maps: &IdMaps) -> Result<(), Error> {
    for (name, map) in [("uid_map", &maps.uids), ("gid_map", &maps.gids)] {
        write_existing(&format!("/proc/{pid}/{name}"), &map_text(map))?;
    }
    Ok(())
}

/// A user namespace with this map: a process lives in it until its descriptor is open.
pub fn namespace(maps: &IdMaps) -> Result<OwnedFd, Error> {
    let (ours, theirs) = socket::pair().during("socketpair", "")?;
    match clone3(libc::CLONE_NEWUSER.cast_unsigned().into(), None).during("clone3", "CLONE_NEWUSER")? {
        Clone::Child => {
            drop(ours);
            let _ = socket::receive(theirs.as_fd(), &mut [0]);
            exit_now(0)
        }
        Clone::Parent { pid, pidfd } => {
            let path = format!("/proc/{pid}/ns/user");
            let opened = write(pid, maps).and_then(|()| {
                std::fs::File::open(&path).map_err(|err| errno_of(&err)).during("open", &path)
            });
            let _ = pidfd_send_signal(pidfd.as_fd(), libc::SIGKILL);
            wait_pidfd(pidfd.as_fd()).during("waitid", pid)?;
            Ok(opened?.into())
        }
    }
}
