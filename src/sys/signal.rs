//! Signal dispositions and masks.

use nix::sys::signal::{SigHandler, SigSet, Signal, signal};

use super::Errno;

/// What a program must not inherit from us: Rust's runtime ignores SIGPIPE, a caller may block anything, and one such as
/// nohup(1) or a shell's background job ignores some. The real-time signals (signal(7)) are left alone, as nobody
/// ignores those.
pub fn reset() -> Result<(), Errno> {
    for number in Signal::iterator().filter(|number| !matches!(number, Signal::SIGKILL | Signal::SIGSTOP)) {
        // SAFETY: SIG_DFL runs no code of ours.
        unsafe { signal(number, SigHandler::SigDfl)? };
    }
    SigSet::empty().thread_set_mask()
}
