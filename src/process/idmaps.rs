//! Writing the maps of user namespaces, and namespaces that exist only to carry a map.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::Command;

use super::Error;
use crate::plan::{IdMap, IdMaps, MapWriter};
use crate::sys::clone::{Clone, clone3, exit_now, pidfd_send_signal, wait_pidfd};
use crate::sys::file::write_existing;
use crate::sys::{self, Context, errno_of, socket};

/// Writes uid_map and gid_map of a process that was just cloned into a new user namespace.
pub fn write(pid: i32, maps: &IdMaps) -> Result<(), Error> {
    for map in [&maps.uids, &maps.gids] {
        let written = match map.writer {
            MapWriter::Runtime => write_map(pid, map),
            MapWriter::WithoutGroups => {
                write_existing(&format!("/proc/{pid}/setgroups"), "deny").and_then(|()| write_map(pid, map))
            }
            MapWriter::Tool => {
                run_tool(pid, map)?;
                Ok(())
            }
        };
        written.map_err(|cause| Error::Map { kind: map.kind, cause })?;
    }
    Ok(())
}

fn write_map(pid: i32, map: &IdMap) -> Result<(), sys::Error> {
    write_existing(&format!("/proc/{pid}/{}", map.kind.file()), &map.text())
}

/// Has newuidmap(1) or newgidmap(1) write the map, as its lines in /etc/subuid or /etc/subgid allow.
fn run_tool(pid: i32, map: &IdMap) -> Result<(), Error> {
    let failed = |said: String| Error::MapTool { kind: map.kind, lines: map.text(), said };
    let mut tool = Command::new(map.kind.tool());
    let said = tool.arg(pid.to_string()).args(map.text().split_ascii_whitespace()).output();
    match said {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(failed(String::from_utf8_lossy(&output.stderr).into_owned())),
        Err(err) if err.kind() == io::ErrorKind::NotFound => Err(Error::NoMapTool { kind: map.kind }),
        Err(err) => Err(failed(sys::reason(errno_of(&err)))),
    }
}

/// A user namespace with this map: a process lives in it until its descriptor is open.
pub fn namespace(maps: &IdMaps) -> Result<OwnedFd, sys::Error> {
    let (ours, theirs) = socket::pair().during("socketpair", "")?;
    match clone3(libc::CLONE_NEWUSER.cast_unsigned().into(), None).during("clone3", "CLONE_NEWUSER")? {
        Clone::Child => {
            drop(ours);
            let _ = socket::receive(theirs.as_fd(), &mut [0]);
            exit_now(0)
        }
        Clone::Parent { pid, pidfd } => {
            let path = format!("/proc/{pid}/ns/user");
            let written = [&maps.uids, &maps.gids].into_iter().try_for_each(|map| write_map(pid, map));
            let opened = written.and_then(|()| {
                std::fs::File::open(&path).map_err(|err| errno_of(&err)).during("open", &path)
            });
            let _ = pidfd_send_signal(pidfd.as_fd(), libc::SIGKILL);
            wait_pidfd(pidfd.as_fd()).during("waitid", pid)?;
            Ok(opened?.into())
        }
    }
}
