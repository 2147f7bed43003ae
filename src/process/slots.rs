//! What the parent opens before clone, in the host's view.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::sys::stat::{fstat, stat};

use super::{Error, idmaps};
use crate::plan::{Open, Slot};
use crate::rootfs::capture;
use crate::spec::NamespaceKind;
use crate::sys::{Context, Errno, fd};

/// Sockets that the verb brings along.
#[derive(Default)]
pub struct Sockets {
    /// Takes the terminal's master.
    pub console: Option<OwnedFd>,
    /// Init waits here for `start`.
    pub start: Option<OwnedFd>,
}

/// Opens everything, in order.
pub fn open(plan: &[Open], mut sockets: Sockets) -> Result<Vec<Option<OwnedFd>>, Error> {
    let mut slots: Vec<Option<OwnedFd>> = Vec::with_capacity(plan.len());
    for open in plan {
        let fd = one(open, &slots, &mut sockets)?;
        slots.push(fd);
    }
    Ok(slots)
}

fn one(open: &Open, slots: &[Option<OwnedFd>], sockets: &mut Sockets) -> Result<Option<OwnedFd>, Error> {
    let at = |at| move |cause| Error::Open { at: String::clone(at), doing: open.to_string(), cause };
    match open {
        Open::Tree(tree) => {
            let slot: Option<Slot> = tree.idmap.and_then(|idmap| idmap.user_ns);
            let user_ns = slot.and_then(|slot| slots.get(slot)).and_then(|fd| fd.as_ref()).map(AsFd::as_fd);
            capture::clone(tree, user_ns).map_err(at(&tree.at)).map(Some)
        }
        Open::ByInit => Ok(None),
        Open::Namespace { kind, path, foreign, at: place } => {
            let opened = namespace(*kind, path).and_then(|fd| {
                if *foreign {
                    refuse_own(*kind, fd.as_fd(), path)?;
                }
                Ok(fd)
            });
            opened.map_err(at(place)).map(Some)
        }
        Open::MappedUserNs { maps, at: place } => idmaps::namespace(maps).map_err(at(place)).map(Some),
        Open::ConsoleSocket => sockets.console.take().ok_or(Error::NoConsole).map(Some),
        Open::StartSocket => sockets.start.take().ok_or(Error::NoConsole).map(Some),
    }
}

/// Opens a namespace file of the right kind. O_NONBLOCK: a FIFO in its place must not hold us up.
fn namespace(kind: NamespaceKind, path: &Path) -> Result<OwnedFd, crate::sys::Error> {
    let what = path.display();
    let text = std::ffi::CString::new(path.as_os_str().as_encoded_bytes());
    let text = text.map_err(|_| Errno::EINVAL).during("open", &what)?;
    let fd = fd::openat2(nix::fcntl::AT_FDCWD, &text, libc::O_RDONLY | libc::O_NONBLOCK, 0, 0)
        .during("open", &what)?;
    match crate::sys::clone::namespace_kind(fd.as_fd()) {
        Ok(found) if found == kind.clone_flag() => Ok(fd),
        Ok(_) => Err(Errno::EINVAL).during("ioctl", format_args!("{what}: NS_GET_NSTYPE tells another kind")),
        Err(errno) => Err(errno).during("ioctl", format_args!("{what}, NS_GET_NSTYPE")),
    }
}

/// What is written to kernel parameters there would change the whole host.
fn refuse_own(kind: NamespaceKind, joined: BorrowedFd, path: &Path) -> Result<(), crate::sys::Error> {
    // The kernel's name is the one of config.json, but for this one, among those that have parameters.
    let name = if kind == NamespaceKind::Network { "net" } else { kind.name() };
    let own = format!("/proc/self/ns/{name}");
    let own = stat(own.as_str()).during("stat", own)?;
    let joined = fstat(joined).during("fstat", path.display())?;
    if (own.st_dev, own.st_ino) == (joined.st_dev, joined.st_ino) {
        let what = format_args!("{}: linux.sysctl would change the runtime's own namespace", path.display());
        return Err(Errno::EPERM).during("open", what);
    }
    Ok(())
}
