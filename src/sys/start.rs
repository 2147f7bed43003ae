//! Where the program starts: `main` as the C library calls it, in place of Rust's own start-up code.
//!
//! That code asks the kernel for things that only programs with threads and deep recursion want, an alternate stack for
//! signals above all: eleven system calls, and a program that seals itself (process/seal.rs) starts twice. What is
//! needed of it is here.

use std::ffi::{CStr, c_char, c_int};
use std::fs::File;
use std::io::Write;
use std::os::fd::{BorrowedFd, IntoRawFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigHandler, Signal, signal};

/// Makes a function the program's main function: `fn(Arguments) -> u8`.
#[macro_export]
macro_rules! start {
    ($run:path) => {
        #[expect(unsafe_code, reason = "the name by which the C library calls it")]
        #[unsafe(no_mangle)]
        extern "C" fn main(_: std::ffi::c_int, argv: $crate::sys::start::Argv) -> std::ffi::c_int {
            $crate::sys::start::start(argv, $run)
        }
    };
}

/// What the C library passes to main.
#[repr(transparent)]
pub struct Argv(*const *const c_char);

/// The words of the command line, the program's name first.
pub type Arguments = Strings;

/// An array of strings as the kernel lays it out for a program: argv or the environment.
#[derive(Clone, Copy)]
pub struct Strings(*const *const c_char);

impl Iterator for Strings {
    type Item = &'static CStr;

    fn next(&mut self) -> Option<&'static CStr> {
        // SAFETY: a null pointer ends the array, before it there are only C strings, and all of it stays where it is
        // as long as the program runs. The iterator never steps over the end.
        unsafe {
            let text = *self.0;
            if text.is_null() {
                return None;
            }
            self.0 = self.0.add(1);
            Some(CStr::from_ptr(text))
        }
    }
}

/// The environment that this process was given, as `NAME=value`.
#[must_use]
pub fn environment() -> Strings {
    unsafe extern "C" {
        static environ: *const *const c_char;
    }
    // SAFETY: the C library sets it before main, and clippy.toml forbids the functions that would change it.
    Strings(unsafe { environ })
}

/// Runs the program; to be called by [`start!`](crate::start) only.
pub fn start(Argv(words): Argv, run: fn(Arguments) -> u8) -> c_int {
    open_standard_descriptors();
    let code = run(Strings(words));
    // What has no line break at its end is still in our hands. Nobody is left to hear that it could not be written.
    let _ = std::io::stdout().flush();
    code.into()
}

/// A write to a closed pipe is an error, not our death.
pub fn ignore_broken_pipes() {
    // SAFETY: SIG_IGN runs no code of ours. It cannot fail for a signal that exists.
    let _ = unsafe { signal(Signal::SIGPIPE, SigHandler::SigIgn) };
}

/// A caller may have closed descriptors 0 to 2; the next file that is opened must not take their place.
fn open_standard_descriptors() {
    // SAFETY: a number without a descriptor is what poll tells us about; nothing is read, written or closed by these.
    let standard = unsafe { [0, 1, 2].map(|fd| BorrowedFd::borrow_raw(fd)) };
    let mut fds = standard.map(|fd| PollFd::new(fd, PollFlags::empty()));
    if poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready == 0) {
        return;
    }
    for _ in fds.iter().filter(|fd| fd.revents().is_some_and(|got| got.contains(PollFlags::POLLNVAL))) {
        // The lowest free number is the one that was missing. It must survive a second execution.
        if let Ok(null) = File::options().read(true).write(true).open("/dev/null") {
            let fd = null.into_raw_fd();
            // SAFETY: takes a descriptor and integers.
            unsafe { libc::fcntl(fd, libc::F_SETFD, 0) };
        }
    }
}
