//! `probe syscall NAME [ARG...]`: one raw system call, to see what a filter or a missing capability says.

use libc::c_long;
use serde_json::{Value, json};

use crate::{errno, sys};

/// Calls by name; others can be given by number.
const NUMBERS: &[(&str, c_long)] = &[
    ("acct", libc::SYS_acct),
    ("add_key", libc::SYS_add_key),
    ("bpf", libc::SYS_bpf),
    ("chroot", libc::SYS_chroot),
    ("clone3", libc::SYS_clone3),
    ("close", libc::SYS_close),
    ("close_range", libc::SYS_close_range),
    ("execveat", libc::SYS_execveat),
    ("faccessat2", libc::SYS_faccessat2),
    ("fchmod", libc::SYS_fchmod),
    ("fsconfig", libc::SYS_fsconfig),
    ("fsmount", libc::SYS_fsmount),
    ("fsopen", libc::SYS_fsopen),
    ("fspick", libc::SYS_fspick),
    ("getcwd", libc::SYS_getcwd),
    ("getpid", libc::SYS_getpid),
    ("getppid", libc::SYS_getppid),
    ("getuid", libc::SYS_getuid),
    ("io_uring_setup", libc::SYS_io_uring_setup),
    ("ioprio_set", libc::SYS_ioprio_set),
    ("keyctl", libc::SYS_keyctl),
    ("kill", libc::SYS_kill),
    ("lseek", libc::SYS_lseek),
    ("memfd_create", libc::SYS_memfd_create),
    ("mkdirat", libc::SYS_mkdirat),
    ("mount", libc::SYS_mount),
    ("mount_setattr", libc::SYS_mount_setattr),
    ("move_mount", libc::SYS_move_mount),
    ("open_by_handle_at", libc::SYS_open_by_handle_at),
    ("open_tree", libc::SYS_open_tree),
    ("open_tree_attr", 467),
    ("openat2", libc::SYS_openat2),
    ("perf_event_open", libc::SYS_perf_event_open),
    ("personality", libc::SYS_personality),
    ("pidfd_open", libc::SYS_pidfd_open),
    ("pidfd_send_signal", libc::SYS_pidfd_send_signal),
    ("pivot_root", libc::SYS_pivot_root),
    ("ptrace", libc::SYS_ptrace),
    ("sched_setattr", libc::SYS_sched_setattr),
    ("seccomp", libc::SYS_seccomp),
    ("set_mempolicy", libc::SYS_set_mempolicy),
    ("setdomainname", libc::SYS_setdomainname),
    ("sethostname", libc::SYS_sethostname),
    ("setns", libc::SYS_setns),
    ("setpriority", libc::SYS_setpriority),
    ("setuid", libc::SYS_setuid),
    ("socket", libc::SYS_socket),
    ("statx", libc::SYS_statx),
    ("swapoff", libc::SYS_swapoff),
    ("sync", libc::SYS_sync),
    ("umask", libc::SYS_umask),
    ("umount2", libc::SYS_umount2),
    ("unshare", libc::SYS_unshare),
    ("userfaultfd", libc::SYS_userfaultfd),
    ("waitid", libc::SYS_waitid),
];

/// Calls it; arguments are decimal or `0x` numbers.
pub fn call(name: &str, args: &[&str]) -> Value {
    let Some(number) = number(name) else { return json!({ "error": format!("unknown call {name}") }) };
    let mut values = [0; 6];
    for (value, text) in values.iter_mut().zip(args) {
        *value = scalar(text);
    }
    match sys::raw(number.into(), values) {
        Ok(result) => json!({ "result": result }),
        Err(number) => errno::report(number),
    }
}

/// The same by the 32-bit entry of x86, where the number is one of that architecture.
pub fn call32(number: &str, args: &[&str]) -> Value {
    let scalar = |text: &str| u32::try_from(scalar(text)).unwrap_or(0);
    let mut values = [0; 3];
    for (value, text) in values.iter_mut().zip(args) {
        *value = scalar(text);
    }
    sys::raw32(scalar(number), values).map_or_else(errno::report, |result| json!({ "result": result }))
}

/// Whether a call is answered with SIGSYS.
pub fn trap(name: &str) -> Value {
    json!({ "trapped": sys::traps(|| drop(call(name, &[]))) })
}

/// The same call in a second thread, which may be killed for it; the first one tells when it is alone again.
pub fn in_thread(name: &str) -> Value {
    let name = name.to_owned();
    let second = std::thread::spawn(move || call(&name, &[]));
    // A thread that is killed is never joined.
    while std::fs::read_dir("/proc/self/task").is_ok_and(|tasks| tasks.count() > 1) {
        std::thread::yield_now();
    }
    json!({ "survived": if second.is_finished() { "both" } else { "the first" } })
}

/// A call by name or number.
pub fn number(name: &str) -> Option<u32> {
    let known = NUMBERS.iter().find(|(known, _)| *known == name).map(|(_, number)| *number);
    known.and_then(|number| number.try_into().ok()).or_else(|| name.parse().ok())
}

/// mknod(2) with kind `c`, `b` or `p`.
pub fn mknod(path: &str, kind: &str, major: &str, minor: &str) -> Value {
    let kind = match kind {
        "c" => libc::S_IFCHR,
        "b" => libc::S_IFBLK,
        _ => libc::S_IFIFO,
    };
    let path = sys::c_path(path);
    let number = |text: &str| text.parse::<u32>().unwrap_or(0);
    let device = libc::makedev(number(major), number(minor));
    let at = usize::MAX.wrapping_sub(99); // AT_FDCWD
    let mode = usize::try_from(kind | 0o600).unwrap_or(0);
    let device = usize::try_from(device).unwrap_or(0);
    match sys::raw(libc::SYS_mknodat, [at, path.as_ptr().addr(), mode, device, 0, 0]) {
        Ok(_) => json!({}),
        Err(number) => errno::report(number),
    }
}

/// A decimal or `0x` number.
pub fn scalar(text: &str) -> usize {
    match text.strip_prefix("0x") {
        Some(hex) => usize::from_str_radix(hex, 16).unwrap_or(0),
        None => text.parse::<isize>().map_or_else(|_| text.parse().unwrap_or(0), isize::cast_unsigned),
    }
}
