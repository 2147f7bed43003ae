//! Mounts: new filesystems, captured trees, changes in place.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sys::stat::fstat;
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};

use super::enter::change_propagation;
use super::place::{self, Missing};
use super::{PROC, Root, copyup};
use crate::plan::{Attach, Attrs, NewFs, Param, Remount, Target};
use crate::sys::fd::{openat2, resolve};
use crate::sys::mount::{self, Attr};
use crate::sys::{Errno, closing, xattr};

/// Where a mount goes.
enum Place<'r, 't> {
    /// On what was there.
    Found(OwnedFd),
    /// On what was made for it.
    Made(OwnedFd),
    /// The same, in a filesystem of ours, where nobody has followed us.
    Named(BorrowedFd<'r>, &'t CStr),
}

impl Root {
    /// Makes a filesystem, attaches it and sets its propagation. `user_ns` is the mapping it shows, if any; what the
    /// filesystem has to say about a refusal goes to `complain`.
    pub fn new_fs(
        &mut self,
        new: &NewFs,
        user_ns: Option<BorrowedFd>,
        complain: &mut dyn FnMut(&[u8]),
    ) -> Result<(), Errno> {
        let place = self.place(&new.target, || Ok(Missing::Dir))?;
        let mode = match &place {
            Place::Found(covered) if new.inherit_mode => Some(fstat(covered)?.st_mode),
            _ => None,
        };
        let mount = make(new, mode, complain)?;
        if let Some(user_ns) = user_ns {
            mount::set_idmap(mount.as_fd(), false, user_ns)?;
        }
        if new.copy_up {
            let covered = place.open()?;
            copyup::copy(covered.as_fd(), mount.as_fd(), given(&new.params))?;
            set_attrs(mount.as_fd(), &new.attrs)?;
        }
        put(mount.as_fd(), place)?;
        change_propagation(mount.as_fd(), &new.propagation)?;
        self.covered(&new.target);
        if new.keep_proc {
            self.proc_is_shown = new.target.path.to_bytes() == PROC;
            self.proc = Some(mount);
        } else if new.fs.to_bytes() == b"tmpfs" && !new.copy_up {
            self.fresh.remember(&new.target, mount);
        } else {
            closing::later(mount);
        }
        Ok(())
    }

    /// Gives the root of a mounted filesystem its SELinux label.
    pub fn label(&self, target: &Target, label: &CStr) -> Result<(), Errno> {
        let place = place::open(self.dir()?, target)?;
        // What is open for use by descriptor only has no attributes to set.
        let dir = openat2(place.as_fd(), c".", libc::O_RDONLY | libc::O_DIRECTORY, 0, resolve::NO_XDEV)?;
        xattr::set(dir.as_fd(), c"security.selinux", label.to_bytes_with_nul())
    }

    /// Puts an empty filesystem in the place of another.
    pub fn stand_in(&mut self, target: &Target) -> Result<(), Errno> {
        let place = self.place(target, || Ok(Missing::Dir))?;
        let fs = mount::fsopen(c"tmpfs")?;
        mount::fs_create(fs.as_fd())?;
        put(mount::fsmount(fs.as_fd(), 0)?.as_fd(), place)?;
        self.covered(target);
        Ok(())
    }

    /// Attaches a captured tree: on a directory if it is one, else on a file.
    pub fn attach(&mut self, attach: &Attach, tree: OwnedFd) -> Result<(), Errno> {
        if attach.must_be_proc && fstatfs(&tree)?.filesystem_type() != PROC_SUPER_MAGIC {
            return Err(Errno::EPERM);
        }
        let place = self.place(&attach.target, || {
            let is_dir = attach.is_dir || is_dir(tree.as_fd())?;
            Ok(if is_dir { Missing::Dir } else { Missing::File })
        })?;
        put(tree.as_fd(), place)?;
        change_propagation(tree.as_fd(), &attach.propagation)?;
        self.covered(&attach.target);
        closing::later(tree);
        Ok(())
    }

    /// Changes a mount that is there already.
    pub fn remount(&self, remount: &Remount) -> Result<(), Errno> {
        let opened;
        let target = match self.fresh.at(&remount.target) {
            Some(root) => root,
            None => {
                opened = place::open(self.dir()?, &remount.target)?;
                opened.as_fd()
            }
        };
        set_attrs(target, &remount.attrs)?;
        if !remount.params.is_empty() {
            let fs = mount::fspick(target)?;
            configure(fs.as_fd(), &remount.params)?;
            mount::fs_reconfigure(fs.as_fd())?;
        }
        change_propagation(target, &remount.propagation)
    }

    /// Forgets what is known of a place that something else covers now.
    fn covered(&mut self, target: &Target) {
        self.fresh.forget(target);
        self.proc_is_shown &= !matches!(target.path.to_bytes(), b"" | PROC);
    }

    /// What is at the target, or is made there.
    fn place<'t>(
        &self,
        target: &'t Target,
        missing: impl FnOnce() -> Result<Missing, Errno>,
    ) -> Result<Place<'_, 't>, Errno> {
        // Nothing is there, most often: then there is no need to look first.
        if let Some((dir, name)) = self.fresh.parent(target) {
            return match place::make_one(dir, name, missing()?) {
                Ok(()) => Ok(Place::Named(dir, name)),
                Err(Errno::EEXIST) => place::open_to_cover(self.dir()?, target).map(Place::Found),
                Err(errno) => Err(errno),
            };
        }
        match place::open_to_cover(self.dir()?, target) {
            Err(Errno::ENOENT) => place::make_missing(self.dir()?, target, missing()?).map(Place::Made),
            found => found.map(Place::Found),
        }
    }
}

impl Place<'_, '_> {
    /// Its descriptor.
    fn open(&self) -> Result<OwnedFd, Errno> {
        match self {
            Self::Found(place) | Self::Made(place) => open_dir(place.as_fd(), c"."),
            Self::Named(dir, name) => open_dir(*dir, name),
        }
    }
}

fn open_dir(dir: BorrowedFd, name: &CStr) -> Result<OwnedFd, Errno> {
    openat2(dir, name, libc::O_PATH | libc::O_DIRECTORY, 0, resolve::NO_SYMLINKS)
}

/// Attaches a mount. Where a directory would cover a file, or a file a directory, move_mount(2) says EINVAL for what
/// mount(2) calls ENOTDIR, which engines explain to their users.
fn put(mount: BorrowedFd, place: Place) -> Result<(), Errno> {
    let covered = match place {
        Place::Found(covered) | Place::Made(covered) => covered,
        Place::Named(dir, name) => return mount::attach_at(mount, dir, name),
    };
    match mount::attach(mount, covered.as_fd()) {
        Err(Errno::EINVAL) if is_dir(mount)? != is_dir(covered.as_fd())? => Err(Errno::ENOTDIR),
        done => {
            closing::later(covered);
            done
        }
    }
}

pub(super) fn is_dir(fd: BorrowedFd) -> Result<bool, Errno> {
    Ok(fstat(fd)?.st_mode & libc::S_IFMT == libc::S_IFDIR)
}

/// A detached mount of a new filesystem. With copy-up the attributes come later, as they may forbid writing.
fn make(new: &NewFs, mode: Option<u32>, complain: &mut dyn FnMut(&[u8])) -> Result<OwnedFd, Errno> {
    let fs = mount::fsopen(&new.fs)?;
    let made = mount::fs_string(fs.as_fd(), c"source", &new.source)
        .and_then(|()| configure(fs.as_fd(), &new.params))
        .and_then(|()| mode.map_or(Ok(()), |mode| set_mode(fs.as_fd(), mode)))
        .and_then(|()| mount::fs_create(fs.as_fd()))
        .and_then(|()| mount::fsmount(fs.as_fd(), if new.copy_up { 0 } else { new.attrs.set }));
    let mount = made.inspect_err(|_| {
        let mut said = [0; 256];
        if let Ok(length) = nix::unistd::read(&fs, &mut said) {
            let said = said[..length].trim_ascii_end();
            // The kernel marks errors with an e.
            complain(said.strip_prefix(b"e ").unwrap_or(said));
        }
    })?;
    closing::later(fs);
    if !new.copy_up && (new.attrs.tree_set | new.attrs.tree_clear) != 0 {
        set_attrs(mount.as_fd(), &Attrs { set: 0, clear: 0, ..new.attrs })?;
    }
    Ok(mount)
}

/// What the root of a tmpfs does not take from the place that it covers.
fn given(params: &[Param]) -> copyup::Given {
    let has = |key: &CStr| params.iter().any(|param| matches!(param, Param::Pair(name, _) if **name == *key));
    copyup::Given { mode: has(c"mode"), owner: has(c"uid") || has(c"gid") }
}

/// The parameter `mode`, from the permission bits of a file mode.
fn set_mode(fs: BorrowedFd, mode: u32) -> Result<(), Errno> {
    let digit = |place: u32| b"01234567"[(mode >> (3 * place) & 7) as usize];
    let text = [digit(3), digit(2), digit(1), digit(0), 0];
    mount::fs_string(fs, c"mode", CStr::from_bytes_with_nul(&text).map_err(|_| Errno::EINVAL)?)
}

fn configure(fs: BorrowedFd, params: &[Param]) -> Result<(), Errno> {
    params.iter().try_for_each(|param| match param {
        Param::Flag(key) => mount::fs_flag(fs, key),
        Param::Pair(key, value) => mount::fs_string(fs, key, value),
    })
}

/// Attributes of a mount, then those of the whole tree.
pub(super) fn set_attrs(mount: BorrowedFd, attrs: &Attrs) -> Result<(), Errno> {
    if attrs.set | attrs.clear != 0 {
        mount::set_attr(mount, false, Attr { set: attrs.set, clear: attrs.clear, propagation: 0 })?;
    }
    if attrs.tree_set | attrs.tree_clear != 0 {
        mount::set_attr(mount, true, Attr { set: attrs.tree_set, clear: attrs.tree_clear, propagation: 0 })?;
    }
    Ok(())
}
