//! memcpy(3) and memmove(3) for small blocks, which nearly all of ours are: strings, and structures that a function
//! returns.
//!
//! musl has one string instruction for every size, and that takes longer to begin than such a block to copy: a fourth
//! of all the time that a start spends outside the kernel. Here a block of up to 64 bytes is two overlapping halves,
//! both read before the first is written, so that blocks may overlap too. There is no loop, for a compiler may take a
//! loop that copies for a call of memcpy, which would be itself.

use std::arch::asm;

/// memcpy(3), for all code that is linked into the program.
///
/// # Safety
/// As for memcpy(3): `from` and `to` have `length` bytes each.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, length: usize) -> *mut u8 {
    // SAFETY: each arm touches the first and the last bytes of both blocks, and no more of them than the length that
    // leads to it; the caller promises that they are there.
    unsafe {
        match length {
            0 => {}
            1..4 => {
                let (first, middle, last) = (*from, *from.add(length / 2), *from.add(length - 1));
                *to = first;
                *to.add(length / 2) = middle;
                *to.add(length - 1) = last;
            }
            4..8 => ends::<u32>(to, from, length),
            8..16 => ends::<u64>(to, from, length),
            16..33 => ends::<u128>(to, from, length),
            33..65 => ends::<[u128; 2]>(to, from, length),
            _ => string(to, from, length),
        }
    }
    to
}

/// memmove(3), which the C library would otherwise bring along, with a memcpy of its own.
///
/// # Safety
/// As for memmove(3): `from` and `to` have `length` bytes each.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, length: usize) -> *mut u8 {
    // SAFETY: the caller's promise is passed on.
    unsafe { memcpy(to, from, length) }
}

/// Copies the first and the last `T` of a block.
///
/// # Safety
/// Both blocks have `length` bytes, and a `T` fits.
#[inline(always)]
unsafe fn ends<T: Copy>(to: *mut u8, from: *const u8, length: usize) {
    let last = length - size_of::<T>();
    // SAFETY: the caller's promise; unaligned reads and writes need no more.
    unsafe {
        let (head, tail) = (from.cast::<T>().read_unaligned(), from.add(last).cast::<T>().read_unaligned());
        to.cast::<T>().write_unaligned(head);
        to.add(last).cast::<T>().write_unaligned(tail);
    }
}

/// Copies from the front to the back, or, where that would overwrite what is yet to be copied, from the back.
///
/// # Safety
/// Both blocks have `length` bytes, one at least.
unsafe fn string(to: *mut u8, from: *const u8, length: usize) {
    if to.addr().wrapping_sub(from.addr()) >= length {
        // SAFETY: copies `length` bytes upwards, as the ABI keeps the direction flag clear.
        unsafe {
            asm!("rep movsb", inout("rcx") length => _, inout("rdi") to => _, inout("rsi") from => _,
                options(nostack, preserves_flags));
        }
    } else {
        let last = length - 1;
        // SAFETY: copies `length` bytes downwards from the last one, and clears the direction flag again.
        unsafe {
            asm!("std", "rep movsb", "cld", inout("rcx") length => _, inout("rdi") to.add(last) => _,
                inout("rsi") from.add(last) => _, options(nostack));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_small_length_at_every_alignment() {
        let from: Vec<u8> = (0..=255).collect();
        for length in 0..150 {
            for (start, place) in [(0, 0), (1, 0), (0, 1), (3, 5), (7, 8)] {
                let mut to = [0xee; 180];
                // SAFETY: both have 150 bytes behind where they begin.
                unsafe { memcpy(to.as_mut_ptr().add(place), from.as_ptr().add(start), length) };
                assert_eq!(to[place..place + length], from[start..start + length]);
                assert!(to[..place].iter().chain(&to[place + length..]).all(|&byte| byte == 0xee));
            }
        }
    }

    #[test]
    fn blocks_may_overlap() {
        for length in 0..100 {
            for (start, place) in [(0, 1), (1, 0), (0, 40), (40, 0), (20, 20)] {
                let mut block: Vec<u8> = (0..=150).collect();
                let mut expected = block.clone();
                expected.copy_within(start..start + length, place);
                let at = block.as_mut_ptr();
                // SAFETY: both are in the block.
                unsafe { memmove(at.add(place), at.add(start), length) };
                assert_eq!(block, expected);
            }
        }
    }
}
