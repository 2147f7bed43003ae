//! Closing descriptors many at a time.
//!
//! A start opens some eighty files for one read or write each, and close(2) was its most frequent system call. What is
//! done with waits here; consecutive numbers, as they are handed out in a row, then take one call together.

use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::exec::close_range;

/// Descriptors that nobody owns any more but we, as bits by number. Those with higher numbers do not wait.
static WAITING: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

/// Closes a descriptor at the next [`now`].
///
/// Not for sockets and pipes, where somebody may wait for the end.
pub fn later(fd: OwnedFd) {
    let number = fd.as_raw_fd().unsigned_abs();
    if let Some(word) = WAITING.get(number as usize / 64) {
        _ = fd.into_raw_fd();
        word.fetch_or(1 << (number % 64), Relaxed);
    }
}

/// Closes everything that waits: before a long wait of our own, in which files of the kernel must not be held.
pub fn now() {
    let [low, high] = [0, 1].map(|word: usize| WAITING[word].swap(0, Relaxed));
    let mut left = u128::from(low) | u128::from(high) << 64;
    while left != 0 {
        let first = left.trailing_zeros();
        let end = first + (left >> first).trailing_ones();
        // A kernel without this call is found out by init, and these end with us.
        let _ = close_range(first, end);
        left = left.checked_shr(end).unwrap_or(0).checked_shl(end).unwrap_or(0);
    }
}

/// Forgets what waits, in a cloned process that has closed all that it does not need.
pub fn forget() {
    WAITING.iter().for_each(|word| word.store(0, Relaxed));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::fd::is_open;

    /// A copy with this number, which is high enough not to meet those of other tests.
    fn open(number: i32) -> OwnedFd {
        // SAFETY: nothing else in this process has the number.
        unsafe { nix::unistd::dup2_raw(std::io::stderr(), number) }.unwrap()
    }

    #[test]
    fn what_waits_is_closed_and_nothing_else() {
        let numbers = [101, 102, 103, 105, 127, 128];
        let kept = open(104);
        numbers.into_iter().map(open).for_each(later);
        assert!(!is_open(128), "it cannot wait");
        assert!(numbers[..5].iter().all(|number| is_open(*number)));
        now();
        assert!(!numbers.iter().any(|number| is_open(*number)));
        assert!(is_open(kept.as_raw_fd()));
    }
}
