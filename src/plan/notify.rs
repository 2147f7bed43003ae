//! sd_notify(3) for a program that our caller supervises: the directory of a socket of ours, and the variable that
//! names it. The socket itself may come later: `create` makes the mount, `start` the socket.

use std::path::Path;

use super::mount::{Attach, Attrs, Open, Tree};
use super::mounts::target;
use super::{Builder, Error, Op};

/// Whom messages and errors name, as no property of config.json asked for it.
const AT: &str = "NOTIFY_SOCKET";

/// Where the program finds the socket; the same place as with runc.
pub(super) const VARIABLE: &str = "NOTIFY_SOCKET=/run/notify/notify.sock";

/// Its directory there.
pub const NOTIFY_DIR: &str = "/run/notify";

/// Mounts `dir` where the variable points.
pub(super) fn mount(dir: &Path, out: &mut Builder) -> Result<(), Error> {
    let no_use = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOEXEC;
    let attrs = Attrs { set: libc::MOUNT_ATTR_RDONLY | no_use, ..Attrs::default() };
    let slot = out.open(Open::Tree(Tree { attrs, must_be_dir: true, ..Tree::new(AT, dir)? }));
    let (source, target) = (dir.display().to_string(), target(AT, Path::new(NOTIFY_DIR))?);
    let attach = Attach { slot, source, target, propagation: Vec::new(), must_be_proc: false, is_dir: true };
    out.step(AT, Op::Attach(attach));
    Ok(())
}
