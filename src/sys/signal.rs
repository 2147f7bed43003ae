//! Signal dispositions and masks.

use nix::sys::signal::{SigHandler, SigSet, Signal, signal};

use super::Errno;

/// What a program must not inherit from us: Rust's runtime ignores SIGPIPE, and a caller may block anything.
pub fn reset() -> Result<(), Errno> {
    // SAFETY: SIG_DFL runs no code of ours.
    unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl)? };
    SigSet::empty().thread_set_mask()
}
