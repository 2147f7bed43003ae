//! Signal dispositions and masks.

use super::Errno;

/// Gives every signal its default action and unblocks all of them, as a fresh program expects: Rust ignores
/// SIGPIPE, and what our caller ignored or blocked would be inherited through exec.
pub fn reset() -> Result<(), Errno> {
    for signal in 1..=64 {
        // SIGKILL and SIGSTOP refuse, and so do the two that the C library keeps to itself: nothing to undo there.
        // SAFETY: SIG_DFL runs no code of ours.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    nix::sys::signal::SigSet::empty().thread_set_mask()
}
