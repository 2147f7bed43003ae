//! Every system call of the probe that std does not offer, and its entry point: the only unsafe code here.
//!
//! Raw `syscall(2)` is used where libc's declarations differ between musl and glibc, so that the same source
//! builds for both.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, OsString, c_char, c_int, c_long};
use std::mem::zeroed;
use std::os::unix::ffi::OsStringExt;

/// An error number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Errno(pub i32);

/// The program's first instructions after libc's.
///
/// Rust's own start-up would ignore SIGPIPE, install a SIGSEGV handler and open missing standard descriptors,
/// all of which would hide what the runtime handed over.
#[unsafe(no_mangle)]
extern "C" fn main(argc: c_int, argv: *const *const c_char) -> c_int {
    let argv = (0..usize::try_from(argc).unwrap_or(0))
        .map(|index| {
            // SAFETY: the kernel passes argc NUL-terminated strings, alive for the whole process.
            let arg = unsafe { CStr::from_ptr(*argv.add(index)) };
            OsString::from_vec(arg.to_bytes().to_vec())
        })
        .collect();
    let code = crate::run(argv);
    // The flush at exit is part of the start-up that was skipped.
    let flushed = std::io::Write::flush(&mut std::io::stdout());
    if flushed.is_ok() { code } else { 3 }
}

/// Any system call with scalar arguments, as the test asked for it.
pub fn raw(number: c_long, args: [usize; 6]) -> Result<usize, Errno> {
    // SAFETY: the arguments are the test author's; the probe has nothing that a stray call could harm.
    let ret = unsafe { libc::syscall(number, args[0], args[1], args[2], args[3], args[4], args[5]) };
    usize::try_from(ret).map_err(|_| last_errno())
}

/// A call by the 32-bit entry of x86, with the numbers of that architecture.
#[cfg(target_arch = "x86_64")]
pub fn raw32(number: u32, args: [u32; 3]) -> Result<u32, Errno> {
    let mut answer = number;
    // SAFETY: the arguments are the test author's, as for `raw`; rbx, which the compiler keeps for itself, is given back.
    unsafe {
        std::arch::asm!(
            "xchg {first:r}, rbx", "int 0x80", "xchg {first:r}, rbx",
            first = inout(reg) u64::from(args[0]) => _, inout("eax") answer, in("ecx") args[1], in("edx") args[2],
            lateout("r8") _, lateout("r9") _, lateout("r10") _, lateout("r11") _,
        );
    }
    match answer.cast_signed() {
        refusal @ -4095..0 => Err(Errno(-refusal)),
        _ => Ok(answer),
    }
}

/// Other machines have no such entry.
#[cfg(not(target_arch = "x86_64"))]
pub fn raw32(_: u32, _: [u32; 3]) -> Result<u32, Errno> {
    Err(Errno(libc::ENOSYS))
}

/// Whether SIGSYS comes while `act` does its work.
pub fn traps(act: impl FnOnce()) -> bool {
    use std::sync::atomic::{AtomicBool, Ordering};
    static CAME: AtomicBool = AtomicBool::new(false);
    extern "C" fn note(_: c_int) {
        CAME.store(true, Ordering::Relaxed);
    }
    // SAFETY: the handler only stores to an atomic.
    unsafe { libc::signal(libc::SIGSYS, note as *const () as libc::sighandler_t) };
    act();
    CAME.load(Ordering::Relaxed)
}

fn last_errno() -> Errno {
    Errno(std::io::Error::last_os_error().raw_os_error().unwrap_or(0))
}

/// A call whose arguments are all scalars, as a signed result.
fn scalar(number: c_long, args: [usize; 3]) -> Option<usize> {
    raw(number, [args[0], args[1], args[2], 0, 0, 0]).ok()
}

/// getresuid(2) or getresgid(2): real, effective, saved.
pub fn ids(number: c_long) -> [u32; 3] {
    let mut ids = [u32::MAX; 3];
    // SAFETY: three valid pointers to u32.
    unsafe { libc::syscall(number, &raw mut ids[0], &raw mut ids[1], &raw mut ids[2]) };
    ids
}

/// umask(2), without changing it.
pub fn umask() -> u32 {
    // SAFETY: takes and returns integers; single-threaded.
    unsafe {
        let mask = libc::umask(0);
        libc::umask(mask);
        mask
    }
}

/// prctl(2) operations that return their answer.
pub fn prctl(operation: c_int) -> Option<usize> {
    scalar(libc::SYS_prctl, [usize::try_from(operation).ok()?, 0, 0])
}

/// PR_GET_PDEATHSIG.
pub fn parent_death_signal() -> c_int {
    let mut signal: c_int = -1;
    // SAFETY: the second argument points to an int, as PR_GET_PDEATHSIG requires.
    unsafe { libc::syscall(libc::SYS_prctl, libc::PR_GET_PDEATHSIG, &raw mut signal, 0, 0, 0) };
    signal
}

/// prlimit64(2) of this process: soft and hard.
pub fn rlimit(resource: c_int) -> Option<[u64; 2]> {
    let mut limit = [0u64; 2];
    // SAFETY: rlimit64 is two u64; no new limit is passed.
    let ret = unsafe { libc::syscall(libc::SYS_prlimit64, 0, resource, 0, &raw mut limit) };
    (ret == 0).then_some(limit)
}

/// `struct sched_attr` (sched_getattr(2)), 56 bytes since kernel 5.3.
#[repr(C)]
#[derive(Debug, Default)]
pub struct SchedAttr {
    size: u32,
    pub policy: u32,
    pub flags: u64,
    pub nice: i32,
    pub priority: u32,
    pub runtime: u64,
    pub deadline: u64,
    pub period: u64,
    pub util_min: u32,
    pub util_max: u32,
}

/// sched_getattr(2) of this process.
pub fn sched_attr() -> Option<SchedAttr> {
    let mut attr = SchedAttr::default();
    // SAFETY: attr is as large as the size passed.
    let ret = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attr, size_of::<SchedAttr>(), 0) };
    (ret == 0).then_some(attr)
}

/// ioprio_get(2) of this process: class and priority.
pub fn io_priority() -> Option<(usize, usize)> {
    const WHO_PROCESS: usize = 1;
    scalar(libc::SYS_ioprio_get, [WHO_PROCESS, 0, 0]).map(|both| (both >> 13, both & 7))
}

/// sched_getaffinity(2): CPU numbers.
pub fn affinity() -> Vec<usize> {
    let mut mask = [0u8; 128];
    // SAFETY: the buffer is as large as the size passed.
    let ret = unsafe { libc::syscall(libc::SYS_sched_getaffinity, 0, mask.len(), mask.as_mut_ptr()) };
    let bytes = usize::try_from(ret).unwrap_or(0);
    (0..bytes * 8).filter(|cpu| mask[cpu / 8] & (1 << (cpu % 8)) != 0).collect()
}

/// personality(2), without changing it.
pub fn personality() -> Option<usize> {
    scalar(libc::SYS_personality, [0xffff_ffff, 0, 0])
}

/// get_mempolicy(2): mode with its flags, and node numbers.
pub fn memory_policy() -> Result<(c_int, Vec<usize>), Errno> {
    let (mut mode, mut nodes): (c_int, [u64; 16]) = (0, [0; 16]);
    // SAFETY: mode is an int and nodes holds the 1024 bits announced.
    let ret =
        unsafe { libc::syscall(libc::SYS_get_mempolicy, &raw mut mode, nodes.as_mut_ptr(), 1024usize, 0, 0) };
    if ret != 0 {
        return Err(last_errno());
    }
    Ok((mode, (0..1024).filter(|node| nodes[node / 64] & (1 << (node % 64)) != 0).collect()))
}

/// keyctl(2) KEYCTL_DESCRIBE of the session keyring: `type;uid;gid;perm;name`.
pub fn session_keyring() -> Result<String, Errno> {
    const DESCRIBE: c_int = 6;
    const SESSION_KEYRING: c_int = -3;
    let mut text = [0u8; 512];
    // SAFETY: the buffer is as large as the size passed.
    let ret = unsafe {
        libc::syscall(libc::SYS_keyctl, DESCRIBE, SESSION_KEYRING, text.as_mut_ptr(), text.len(), 0)
    };
    let length = usize::try_from(ret).map_err(|_| last_errno())?;
    Ok(String::from_utf8_lossy(&text[..length.saturating_sub(1).min(text.len())]).into_owned())
}

/// keyctl(2) KEYCTL_GET_SECURITY of the session keyring.
pub fn session_keyring_label() -> Result<String, Errno> {
    const GET_SECURITY: c_int = 17;
    const SESSION_KEYRING: c_int = -3;
    let mut text = [0u8; 512];
    // SAFETY: the buffer is as large as the size passed.
    let ret = unsafe {
        libc::syscall(libc::SYS_keyctl, GET_SECURITY, SESSION_KEYRING, text.as_mut_ptr(), text.len())
    };
    let length = usize::try_from(ret).map_err(|_| last_errno())?;
    Ok(label_of(&text[..length.min(text.len())]))
}

/// lgetxattr(2) of `security.selinux`.
pub fn label(path: &CStr) -> Result<String, Errno> {
    let mut text = [0u8; 512];
    let name = c"security.selinux".as_ptr();
    // SAFETY: path and name are NUL-terminated; the buffer is as large as the size passed.
    let ret = unsafe { libc::lgetxattr(path.as_ptr(), name, text.as_mut_ptr().cast(), text.len()) };
    let length = usize::try_from(ret).map_err(|_| last_errno())?;
    Ok(label_of(&text[..length]))
}

/// Labels end with a NUL, mostly.
fn label_of(text: &[u8]) -> String {
    String::from_utf8_lossy(text).trim_end_matches('\0').to_owned()
}

/// TIOCGWINSZ: rows and columns when `fd` is a terminal.
pub fn window_size(fd: c_int) -> Option<[u16; 2]> {
    let mut size = [0u16; 4];
    // SAFETY: struct winsize is four u16.
    let ret = unsafe { libc::syscall(libc::SYS_ioctl, fd, 0x5413, size.as_mut_ptr()) };
    (ret == 0).then_some([size[0], size[1]])
}

/// getsid(2) and getpgid(2) of this process.
pub fn session_and_group() -> (usize, usize) {
    let of = |number| scalar(number, [0, 0, 0]).unwrap_or(usize::MAX);
    (of(libc::SYS_getsid), of(libc::SYS_getpgid))
}

/// clock_gettime(2) in nanoseconds.
pub fn clock(id: c_int) -> i128 {
    let mut time = [0i64; 2];
    // SAFETY: struct timespec is two i64 on the 64-bit targets of the probe.
    unsafe { libc::syscall(libc::SYS_clock_gettime, id, time.as_mut_ptr()) };
    i128::from(time[0]) * 1_000_000_000 + i128::from(time[1])
}

/// uname(2): nodename, domainname, machine.
pub fn uname() -> [String; 3] {
    // SAFETY: utsname is plain bytes, for which all zeroes is valid; the kernel terminates every field.
    let names = unsafe {
        let mut names: libc::utsname = zeroed();
        libc::uname(&raw mut names);
        names
    };
    [names.nodename.as_ptr(), names.domainname.as_ptr(), names.machine.as_ptr()].map(|field| {
        // SAFETY: fields are NUL-terminated arrays inside `names`, which outlives this closure.
        unsafe { CStr::from_ptr(field) }.to_string_lossy().into_owned()
    })
}

/// access(2).
pub fn access(path: &CStr, mode: c_int) -> Result<(), Errno> {
    // SAFETY: path is NUL-terminated.
    if unsafe { libc::access(path.as_ptr(), mode) } == 0 { Ok(()) } else { Err(last_errno()) }
}

/// One address of one network interface; `family` is 0 when it has none.
pub struct Interface {
    pub name: String,
    pub flags: u32,
    pub family: c_int,
    pub address: Vec<u8>,
}

/// getifaddrs(3).
pub fn interfaces() -> Vec<Interface> {
    let mut found = Vec::new();
    // SAFETY: the list is valid until freeifaddrs, addresses are as long as their family says.
    unsafe {
        let mut list: *mut libc::ifaddrs = std::ptr::null_mut();
        if libc::getifaddrs(&raw mut list) != 0 {
            return found;
        }
        let mut entry = list;
        while let Some(this) = entry.as_ref() {
            let family = this.ifa_addr.as_ref().map_or(0, |address| c_int::from(address.sa_family));
            let (offset, length) = match family {
                libc::AF_INET => (4, 4),
                libc::AF_INET6 => (8, 16),
                _ => (0, 0),
            };
            let address = match length {
                0 => Vec::new(),
                _ => std::slice::from_raw_parts(this.ifa_addr.cast::<u8>().add(offset), length).to_vec(),
            };
            let name = CStr::from_ptr(this.ifa_name).to_string_lossy().into_owned();
            found.push(Interface { name, flags: this.ifa_flags, family, address });
            entry = this.ifa_next;
        }
        libc::freeifaddrs(list);
    }
    found
}

/// Blocks every signal, so that `wait_for_signal` misses none; a blocked signal reaches even a pid 1 without
/// handlers.
pub fn block_signals() {
    // SAFETY: a zeroed sigset is filled before use.
    unsafe {
        let mut all: libc::sigset_t = zeroed();
        libc::sigfillset(&raw mut all);
        libc::sigprocmask(libc::SIG_BLOCK, &raw const all, std::ptr::null_mut());
    }
}

/// close(2).
pub fn close(fd: c_int) {
    // SAFETY: nothing of ours refers to the descriptor any more.
    unsafe { libc::close(fd) };
}

/// sigwait(3) for any blocked signal, but those that arrive without being sent: SIGCHLD, and SIGURG, with which a
/// Go program wakes its own threads.
pub fn wait_for_signal() -> c_int {
    // SAFETY: a zeroed sigset is filled before use.
    unsafe {
        let mut all: libc::sigset_t = zeroed();
        let mut signal = 0;
        libc::sigfillset(&raw mut all);
        libc::sigdelset(&raw mut all, libc::SIGCHLD);
        libc::sigdelset(&raw mut all, libc::SIGURG);
        libc::sigwait(&raw const all, &raw mut signal);
        signal
    }
}

/// Gives a signal its default action and sends it to this process.
pub fn raise(signal: c_int) -> Errno {
    // SAFETY: integers only.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        libc::raise(signal);
    }
    last_errno()
}

/// pause(2): until a signal ends the process.
pub fn pause() -> ! {
    loop {
        // SAFETY: no arguments.
        unsafe { libc::pause() };
    }
}

/// fork(2): the child runs `child` and exits with its code; the parent gets the pid.
pub fn fork(child: impl FnOnce() -> c_int) -> Result<c_int, Errno> {
    // SAFETY: the probe is single-threaded, so the child may go on as usual.
    match unsafe { libc::fork() } {
        -1 => Err(last_errno()),
        0 => {
            let code = child();
            // SAFETY: ends the child without running the parent's exit handlers.
            unsafe { libc::_exit(code) }
        }
        pid => Ok(pid),
    }
}

/// waitpid(2).
pub fn wait(pid: c_int) -> c_int {
    let mut status = 0;
    // SAFETY: status points to an int.
    unsafe { libc::waitpid(pid, &raw mut status, 0) };
    status
}

/// A path for system calls; a NUL inside cuts it short.
pub fn c_path(path: &str) -> CString {
    CString::new(path.split('\0').next().unwrap_or_default()).unwrap_or_default()
}
