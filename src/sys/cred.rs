//! Credentials of the calling process. All of these act on the one thread that there is.

use std::ffi::CStr;

use super::Errno;

/// capset(2) sets, as bits by capability number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct CapSets {
    /// Effective.
    pub effective: u64,
    /// Permitted.
    pub permitted: u64,
    /// Inheritable.
    pub inheritable: u64,
}

#[repr(C)]
struct CapHeader {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct CapData {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// _LINUX_CAPABILITY_VERSION_3: 64 bits in two halves.
const CAPABILITY_VERSION_3: u32 = 0x2008_0522;

/// capset(2).
pub fn capset(sets: CapSets) -> Result<(), Errno> {
    #[expect(clippy::cast_possible_truncation, reason = "the two halves of 64 bits")]
    let half = |shift: u32| CapData {
        effective: (sets.effective >> shift) as u32,
        permitted: (sets.permitted >> shift) as u32,
        inheritable: (sets.inheritable >> shift) as u32,
    };
    let (mut header, data) = (CapHeader { version: CAPABILITY_VERSION_3, pid: 0 }, [half(0), half(32)]);
    // SAFETY: header and data have the kernel's layout for version 3.
    Errno::result(unsafe { libc::syscall(libc::SYS_capset, &raw mut header, data.as_ptr()) }).map(drop)
}

/// capget(2) of this process.
pub fn capget() -> Result<CapSets, Errno> {
    let (mut header, mut data) =
        (CapHeader { version: CAPABILITY_VERSION_3, pid: 0 }, [CapData::default(); 2]);
    // SAFETY: header and data have the kernel's layout for version 3.
    Errno::result(unsafe { libc::syscall(libc::SYS_capget, &raw mut header, data.as_mut_ptr()) })?;
    let join = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
    Ok(CapSets {
        effective: join(data[0].effective, data[1].effective),
        permitted: join(data[0].permitted, data[1].permitted),
        inheritable: join(data[0].inheritable, data[1].inheritable),
    })
}

/// prctl(2) with integer arguments.
pub fn prctl(option: i32, arg2: u64, arg3: u64) -> Result<i32, Errno> {
    // SAFETY: the options used here take integers only.
    Errno::result(unsafe { libc::prctl(option, arg2, arg3, 0u64, 0u64) })
}

/// setgroups(2) by the bare system call, as the C library's would signal other threads.
pub fn setgroups(groups: &[u32]) -> Result<(), Errno> {
    // SAFETY: the pointer and length describe one slice.
    Errno::result(unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) }).map(drop)
}

/// setresgid(2), all three alike.
pub fn setgid(gid: u32) -> Result<(), Errno> {
    // SAFETY: takes integers.
    Errno::result(unsafe { libc::syscall(libc::SYS_setresgid, gid, gid, gid) }).map(drop)
}

/// setresuid(2), all three alike.
pub fn setuid(uid: u32) -> Result<(), Errno> {
    // SAFETY: takes integers.
    Errno::result(unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) }).map(drop)
}

/// keyctl(2) KEYCTL_JOIN_SESSION_KEYRING: a fresh session keyring of this name.
pub fn join_session_keyring(name: &CStr) -> Result<(), Errno> {
    // SAFETY: name is NUL-terminated.
    Errno::result(unsafe {
        libc::syscall(libc::SYS_keyctl, libc::KEYCTL_JOIN_SESSION_KEYRING, name.as_ptr())
    })
    .map(drop)
}
