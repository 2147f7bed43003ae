//! The heap of a program that lives for milliseconds: one piece of memory, handed out from front to back.
//!
//! musl's allocator maps and unmaps memory for nearly every size that it meets for the first time; reading a command
//! line and a config.json spent more time in those calls and their page faults than in parsing. Here an allocation is
//! an addition, only what is used is ever touched, and freed memory comes back only if it was handed out last. What
//! does not fit any more comes from the system's allocator, so that long-lived verbs (`run`, `events`) lose no more
//! than this one piece.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{AcqRel, Relaxed};

/// More than a `create` under a large seccomp profile needs; pages that are never touched cost nothing.
const SIZE: usize = 1 << 20;
const ALIGN: usize = 4096;

/// The allocator, to be a `static`.
#[repr(C, align(4096))]
pub struct Heap {
    memory: UnsafeCell<[u8; SIZE]>,
    next: AtomicUsize,
}

// SAFETY: `next` is changed only by compare-and-exchange, so that no two threads get the same part of `memory`, nor one that
// another has given back before its writes are done (AcqRel), and
// `memory` itself is never read or written here.
unsafe impl Sync for Heap {}

impl Heap {
    /// An empty heap.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "a megabyte that belongs in a static")]
    pub const fn new() -> Self {
        Self { memory: UnsafeCell::new([0; SIZE]), next: AtomicUsize::new(0) }
    }

    /// Where a block of ours starts within `memory`.
    fn offset(&self, block: *mut u8) -> Option<usize> {
        block.addr().checked_sub(self.memory.get().addr()).filter(|offset| *offset < SIZE)
    }

    fn take(&self, layout: Layout) -> Option<usize> {
        let fit = |next: usize| {
            let start = next.checked_next_multiple_of(layout.align())?;
            let end = start.checked_add(layout.size())?;
            (end <= SIZE && layout.align() <= ALIGN).then_some((start, end))
        };
        let mut next = self.next.load(Relaxed);
        loop {
            let (start, end) = fit(next)?;
            match self.next.compare_exchange_weak(next, end, AcqRel, Relaxed) {
                Ok(_) => return Some(start),
                Err(moved) => next = moved,
            }
        }
    }

    /// Moves the end of the last block; `false` if the block is not the last, or would not fit.
    fn resize_last(&self, offset: usize, old: usize, new: usize) -> bool {
        let end = offset.checked_add(new).filter(|end| *end <= SIZE);
        // Looked at first: most blocks are not the last, and the exchange takes longer than all the rest.
        self.next.load(Relaxed) == offset + old
            && end.is_some_and(|end| self.next.compare_exchange(offset + old, end, AcqRel, Relaxed).is_ok())
    }
}

// SAFETY: blocks do not overlap, as `next` only moves over a block that one caller gets or gives back; they are
// aligned, as `memory` starts a page-aligned struct; `System` gets back exactly the blocks that it gave.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match self.take(layout) {
            // SAFETY: `take` returns offsets within `memory`.
            Some(start) => unsafe { self.memory.get().cast::<u8>().add(start) },
            // SAFETY: the caller's promise is passed on.
            None => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match self.offset(block) {
            Some(offset) => _ = self.resize_last(offset, layout.size(), 0),
            // SAFETY: it is not ours, so `alloc` had it from `System`.
            None => unsafe { System.dealloc(block, layout) },
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        match self.offset(block) {
            Some(offset) if self.resize_last(offset, layout.size(), size) => block,
            // SAFETY: the caller promises that `size` makes a valid layout with this alignment, and that `block` is a
            // live block of `layout`; the copy stays within both blocks, which cannot overlap.
            Some(_) => unsafe {
                let new = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
                if !new.is_null() {
                    block.copy_to_nonoverlapping(new, size.min(layout.size()));
                }
                new
            },
            // SAFETY: it is not ours, so `alloc` had it from `System`.
            None => unsafe { System.realloc(block, layout, size) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static HEAP: Heap = Heap::new();

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    #[test]
    fn blocks_are_aligned_apart_and_come_back_in_reverse_order() {
        static HEAP: Heap = Heap::new();
        // SAFETY: every block is used within its layout and given back once.
        unsafe {
            let (small, wide) = (layout(3, 1), layout(64, 64));
            let first = HEAP.alloc(small);
            let second = HEAP.alloc(wide);
            assert_eq!(second.addr() % 64, 0);
            assert!(second.addr() >= first.addr() + 3);
            let grown = HEAP.realloc(second, wide, 128);
            assert_eq!(grown, second, "the last block grows in place");
            first.write_bytes(7, 3);
            let moved = HEAP.realloc(first, small, 4096);
            assert_ne!(moved, first);
            assert_eq!(std::slice::from_raw_parts(moved, 3), [7; 3]);
            HEAP.dealloc(moved, layout(4096, 1));
            assert_eq!(HEAP.alloc(small), moved, "the last block's place is used again");
        }
    }

    #[test]
    fn what_does_not_fit_comes_from_the_system() {
        // SAFETY: every block is used within its layout and given back once.
        unsafe {
            for odd in [layout(SIZE + 1, 1), layout(1, 2 * ALIGN)] {
                let block = HEAP.alloc(odd);
                assert!(!block.is_null() && HEAP.offset(block).is_none());
                block.write(1);
                let block = HEAP.realloc(block, odd, odd.size() + 1);
                assert_eq!(block.read(), 1);
                HEAP.dealloc(block, layout(odd.size() + 1, odd.align()));
            }
        }
    }

    #[test]
    fn threads_never_share_a_block() {
        static HEAP: Heap = Heap::new();
        std::thread::scope(|scope| {
            for mark in 1..=4_u8 {
                scope.spawn(move || {
                    // SAFETY: the block is used within its layout and given back once.
                    unsafe {
                        for size in 1..400 {
                            let block = HEAP.alloc(layout(size, 8));
                            block.write_bytes(mark, size);
                            assert!(std::slice::from_raw_parts(block, size).iter().all(|byte| *byte == mark));
                            HEAP.dealloc(block, layout(size, 8));
                        }
                    }
                });
            }
        });
    }
}
