//! Memory that a cloned process goes on sharing with us, where all else becomes a copy.

use std::num::NonZeroUsize;
use std::sync::atomic::AtomicU64;

use super::Errno;

/// Zeroed numbers in a mapping of their own, there until the process ends.
pub fn numbers(count: NonZeroUsize) -> Result<&'static [AtomicU64], Errno> {
    let bytes = count.get().checked_mul(size_of::<AtomicU64>()).ok_or(Errno::ENOMEM)?;
    let (rights, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping where the kernel likes it touches nothing that exists.
    let mapping = unsafe { libc::mmap(std::ptr::null_mut(), bytes, rights, kind, -1, 0) };
    if mapping == libc::MAP_FAILED {
        return Err(Errno::last());
    }
    // SAFETY: the mapping is page-aligned, has room for `count` numbers, for which zero is a valid value, is never
    // unmapped, and is only ever read and written atomically.
    Ok(unsafe { std::slice::from_raw_parts(mapping.cast::<AtomicU64>(), count.get()) })
}
