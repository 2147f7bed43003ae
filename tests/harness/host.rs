//! Facts of the host that tests compare with.

use std::os::unix::fs::MetadataExt;

/// All capabilities that this process can hand on, by name, for containers that need everything.
pub const ROOT_ALL: &[&str] = &[
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_SYS_ADMIN",
    "CAP_SYS_CHROOT",
    "CAP_SYS_NICE",
    "CAP_SYS_PTRACE",
];

/// The inode of one of our own namespaces.
pub fn host_namespace(name: &str) -> u64 {
    std::fs::metadata(format!("/proc/self/ns/{name}")).unwrap().ino()
}
