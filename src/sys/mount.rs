//! The mount API by descriptor (kernel 5.2, mount_setattr 5.12): trees are prepared detached, then attached.

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use super::{Errno, fd::owned};

const FSCONFIG_SET_FLAG: u32 = 0;
const FSCONFIG_SET_STRING: u32 = 1;
const FSCONFIG_CMD_CREATE: u32 = 6;
const FSCONFIG_CMD_RECONFIGURE: u32 = 7;
const FSPICK_EMPTY_PATH: u32 = 8;
const MOVE_MOUNT_F_EMPTY_PATH: u32 = 0x04;
const MOVE_MOUNT_T_EMPTY_PATH: u32 = 0x40;

/// What mount_setattr(2) changes on a mount.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attr {
    /// MOUNT_ATTR_* bits to set.
    pub set: u64,
    /// MOUNT_ATTR_* bits to clear.
    pub clear: u64,
    /// MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE, or 0 to leave it.
    pub propagation: u64,
}

/// open_tree(2) with OPEN_TREE_CLONE: a detached copy of the mount at `path`, with the mounts below it if `recursive`.
pub fn clone_tree(dir: BorrowedFd, path: &CStr, recursive: bool) -> Result<OwnedFd, Errno> {
    // SAFETY: path is NUL-terminated.
    owned(unsafe {
        libc::syscall(libc::SYS_open_tree, dir.as_raw_fd(), path.as_ptr(), clone_flags(path, recursive))
    })
}

/// [`clone_tree`] and [`set_attr`] of the copy, of all of it if `recursive`, in one call where the kernel has it: 6.15.
pub fn clone_tree_with(dir: BorrowedFd, path: &CStr, recursive: bool, attr: Attr) -> Result<OwnedFd, Errno> {
    const SYS_OPEN_TREE_ATTR: libc::c_long = 467;
    let (arg, size) = (mount_attr(attr, None), size_of::<libc::mount_attr>());
    let flags = clone_flags(path, recursive);
    // SAFETY: path is NUL-terminated and arg is a valid mount_attr of the size passed.
    let cloned = owned(unsafe {
        libc::syscall(SYS_OPEN_TREE_ATTR, dir.as_raw_fd(), path.as_ptr(), flags, &raw const arg, size)
    });
    match cloned {
        // EPERM is what older filters around us say of calls that they do not know.
        Err(Errno::ENOSYS | Errno::EPERM) => {
            let tree = clone_tree(dir, path, recursive)?;
            set_attr(tree.as_fd(), recursive, attr)?;
            Ok(tree)
        }
        cloned => cloned,
    }
}

fn clone_flags(path: &CStr, recursive: bool) -> u32 {
    let deep = if recursive { libc::AT_RECURSIVE.cast_unsigned() } else { 0 };
    libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC | empty_path(path) | deep
}

fn empty_path(path: &CStr) -> u32 {
    if path.is_empty() { libc::AT_EMPTY_PATH.cast_unsigned() } else { 0 }
}

/// move_mount(2): attaches the detached `tree` on the file or directory behind `target`.
pub fn attach(tree: BorrowedFd, target: BorrowedFd) -> Result<(), Errno> {
    let flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(tree, target, c"", flags)
}

/// move_mount(2): attaches the detached `tree` on top of a path.
pub fn attach_at(tree: BorrowedFd, dir: BorrowedFd, path: &CStr) -> Result<(), Errno> {
    move_mount(tree, dir, path, MOVE_MOUNT_F_EMPTY_PATH)
}

fn move_mount(tree: BorrowedFd, dir: BorrowedFd, path: &CStr, flags: u32) -> Result<(), Errno> {
    let from = c"".as_ptr();
    // SAFETY: both paths are NUL-terminated.
    let ret = unsafe {
        libc::syscall(libc::SYS_move_mount, tree.as_raw_fd(), from, dir.as_raw_fd(), path.as_ptr(), flags)
    };
    Errno::result(ret).map(drop)
}

/// mount_setattr(2) on the mount behind `mount`, and on those below it if `recursive`.
pub fn set_attr(mount: BorrowedFd, recursive: bool, attr: Attr) -> Result<(), Errno> {
    mount_setattr(mount, c"", recursive, mount_attr(attr, None))
}

/// mount_setattr(2) on every mount that we see.
pub fn set_all(attr: Attr) -> Result<(), Errno> {
    mount_setattr(nix::fcntl::AT_FDCWD, c"/", true, mount_attr(attr, None))
}

/// mount_setattr(2) with MOUNT_ATTR_IDMAP: ids of the mount are mapped as in `user_ns`.
pub fn set_idmap(mount: BorrowedFd, recursive: bool, user_ns: BorrowedFd) -> Result<(), Errno> {
    let attr = Attr { set: libc::MOUNT_ATTR_IDMAP, ..Attr::default() };
    mount_setattr(mount, c"", recursive, mount_attr(attr, Some(user_ns)))
}

fn mount_attr(attr: Attr, user_ns: Option<BorrowedFd>) -> libc::mount_attr {
    libc::mount_attr {
        attr_set: attr.set,
        attr_clr: attr.clear,
        propagation: attr.propagation,
        userns_fd: user_ns.map_or(0, |fd| fd.as_raw_fd().cast_unsigned().into()),
    }
}

fn mount_setattr(dir: BorrowedFd, path: &CStr, deep: bool, attr: libc::mount_attr) -> Result<(), Errno> {
    let flags = empty_path(path) | if deep { libc::AT_RECURSIVE.cast_unsigned() } else { 0 };
    let size = size_of_val(&attr);
    // SAFETY: path is NUL-terminated and attr is a valid mount_attr of the size passed.
    let ret = unsafe {
        libc::syscall(libc::SYS_mount_setattr, dir.as_raw_fd(), path.as_ptr(), flags, &raw const attr, size)
    };
    Errno::result(ret).map(drop)
}

/// fsopen(2): the configuration of a new filesystem of this type.
pub fn fsopen(kind: &CStr) -> Result<OwnedFd, Errno> {
    // SAFETY: kind is NUL-terminated; 1 is FSOPEN_CLOEXEC.
    owned(unsafe { libc::syscall(libc::SYS_fsopen, kind.as_ptr(), 1) })
}

/// fspick(2): the configuration of the filesystem mounted at `mount`.
pub fn fspick(mount: BorrowedFd) -> Result<OwnedFd, Errno> {
    // SAFETY: the path is NUL-terminated; 1 is FSPICK_CLOEXEC.
    owned(unsafe { libc::syscall(libc::SYS_fspick, mount.as_raw_fd(), c"".as_ptr(), 1 | FSPICK_EMPTY_PATH) })
}

/// fsconfig(2): sets a parameter without a value.
pub fn fs_flag(fs: BorrowedFd, key: &CStr) -> Result<(), Errno> {
    fsconfig(fs, FSCONFIG_SET_FLAG, Some(key), None)
}

/// fsconfig(2): sets a parameter to a text.
pub fn fs_string(fs: BorrowedFd, key: &CStr, value: &CStr) -> Result<(), Errno> {
    fsconfig(fs, FSCONFIG_SET_STRING, Some(key), Some(value))
}

/// fsconfig(2): makes the superblock.
pub fn fs_create(fs: BorrowedFd) -> Result<(), Errno> {
    fsconfig(fs, FSCONFIG_CMD_CREATE, None, None)
}

/// fsconfig(2): applies the parameters to the superblock picked by [`fspick`].
pub fn fs_reconfigure(fs: BorrowedFd) -> Result<(), Errno> {
    fsconfig(fs, FSCONFIG_CMD_RECONFIGURE, None, None)
}

fn fsconfig(fs: BorrowedFd, command: u32, key: Option<&CStr>, value: Option<&CStr>) -> Result<(), Errno> {
    let key = key.map_or(std::ptr::null(), CStr::as_ptr);
    let value = value.map_or(std::ptr::null(), CStr::as_ptr);
    // SAFETY: key and value are NUL-terminated or null, as each command demands.
    Errno::result(unsafe { libc::syscall(libc::SYS_fsconfig, fs.as_raw_fd(), command, key, value, 0) })
        .map(drop)
}

/// fsmount(2): a detached mount of the superblock, with MOUNT_ATTR_* bits.
pub fn fsmount(fs: BorrowedFd, attributes: u64) -> Result<OwnedFd, Errno> {
    // SAFETY: takes integers; the first 1 is FSMOUNT_CLOEXEC.
    owned(unsafe { libc::syscall(libc::SYS_fsmount, fs.as_raw_fd(), 1, attributes) })
}

/// pivot_root(2) with both arguments `.`: the working directory becomes `/`, the old root lies on top of it.
pub fn pivot_root_here() -> Result<(), Errno> {
    let here = c".".as_ptr();
    // SAFETY: both paths are NUL-terminated.
    Errno::result(unsafe { libc::syscall(libc::SYS_pivot_root, here, here) }).map(drop)
}

/// umount2(2) with MNT_DETACH: takes the topmost mount at `path`, and all below it, out of our view.
pub fn detach(path: &CStr) -> Result<(), Errno> {
    // SAFETY: path is NUL-terminated.
    Errno::result(unsafe { libc::umount2(path.as_ptr(), libc::MNT_DETACH) }).map(drop)
}
