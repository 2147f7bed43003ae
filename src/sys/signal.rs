//! Signal dispositions and masks.

use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, signal, sigprocmask};

use super::Errno;

/// Whatever a caller may ignore.
pub const ANY: u32 = u32::MAX;

/// What a program must not inherit from us: Rust's runtime ignores SIGPIPE, a caller may block anything, and one such as
/// nohup(1) or a shell's background job ignores some. The real-time signals (signal(7)) are left alone, as nobody
/// ignores those.
///
/// `ignored` says which are ignored at most, as bits.
pub fn reset(ignored: u32) -> Result<(), Errno> {
    let is_ignored = |number: &Signal| ignored >> (*number as i32 - 1) & 1 != 0;
    let fixed = |number: &Signal| matches!(number, Signal::SIGKILL | Signal::SIGSTOP);
    for number in Signal::iterator().filter(|number| is_ignored(number) && !fixed(number)) {
        // SAFETY: SIG_DFL runs no code of ours.
        unsafe { signal(number, SigHandler::SigDfl)? };
    }
    set_mask(&SigSet::empty())
}

/// sigprocmask(2) with SIG_SETMASK, for a process of one thread.
pub fn set_mask(mask: &SigSet) -> Result<(), Errno> {
    // Not nix's thread_set_mask: it takes what pthread_sigmask(3) returns, an errno, for success.
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(mask), None)
}
