//! The allocator of the process: every block is overwritten as it is freed.
//!
//! So copies of secrets in buffers of libraries (JSON, HTTP, TLS) end with the buffer, and a seal leaves nothing
//! behind in free memory.
#![expect(unsafe_code, reason = "implements the allocator interface")]

use crate::wipe::wipe;
use mimalloc::MiMalloc;
use std::alloc::{GlobalAlloc, Layout};

/// mimalloc with every freed block overwritten. Put it in force with
/// `#[global_allocator] static ALLOC: ZeroingAlloc = ZeroingAlloc;`.
#[derive(Clone, Copy, Debug, Default)]
pub struct ZeroingAlloc;

/// The overwriting itself, over any allocator, so that a test can look at what the inner one gets back.
struct Wiping<A>(A);

// SAFETY: hands out what the inner allocator hands out; writes only to blocks that are being given back.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Wiping<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract is the inner one's.
        unsafe { self.0.alloc(layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract is the inner one's.
        unsafe { self.0.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block is live with this layout until given back one line below.
        unsafe {
            wipe(block, layout.size());
            self.0.dealloc(block, layout);
        }
    }

    /// Never the inner `realloc`: that would free the old block, or cut off its tail, without overwriting it.
    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller vouches for `new_size` being valid with this alignment; both blocks are live and distinct.
        unsafe {
            let new = self.0.alloc(Layout::from_size_align_unchecked(new_size, layout.align()));
            if !new.is_null() {
                std::ptr::copy_nonoverlapping(block, new, layout.size().min(new_size));
                self.dealloc(block, layout);
            }
            new
        }
    }
}

const INNER: Wiping<MiMalloc> = Wiping(MiMalloc);

// SAFETY: passes everything on to `Wiping`.
unsafe impl GlobalAlloc for ZeroingAlloc {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: same contract.
        unsafe { INNER.alloc(layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: same contract.
        unsafe { INNER.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: same contract.
        unsafe { INNER.dealloc(block, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: same contract.
        unsafe { INNER.realloc(block, layout, new_size) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::alloc::System;
    use std::cell::Cell;

    /// Counts the blocks it gets back, and those that still hold anything.
    #[derive(Default)]
    struct Inspector {
        freed: Cell<usize>,
        dirty: Cell<usize>,
    }

    // SAFETY: passes everything on to the system's allocator.
    unsafe impl GlobalAlloc for Inspector {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            // SAFETY: same contract.
            unsafe { System.alloc(layout) }
        }
        unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
            // SAFETY: the block is live; every test initialises all of it.
            let clean = unsafe { std::slice::from_raw_parts(block, layout.size()) }.iter().all(|byte| *byte == 0);
            self.freed.set(self.freed.get() + 1);
            self.dirty.set(self.dirty.get() + usize::from(!clean));
            // SAFETY: same contract.
            unsafe { System.dealloc(block, layout) }
        }
        unsafe fn realloc(&self, _: *mut u8, _: Layout, _: usize) -> *mut u8 {
            unreachable!("the inner realloc leaves copies behind")
        }
    }

    #[test]
    fn freed_blocks_arrive_overwritten() {
        let alloc = Wiping(Inspector::default());
        for size in [1, 7, 8, 4096, 1 << 20] {
            let layout = Layout::from_size_align(size, 8).unwrap();
            // SAFETY: layouts are valid, blocks are used within their size and freed once.
            unsafe {
                let block = alloc.alloc(layout);
                block.write_bytes(0xa5, size);
                alloc.dealloc(block, layout);
            }
        }
        assert_eq!((alloc.0.freed.get(), alloc.0.dirty.get()), (5, 0));
    }

    #[test]
    fn growing_and_shrinking_move_the_content_and_overwrite_the_old_block() {
        let alloc = Wiping(Inspector::default());
        let layout = |size| Layout::from_size_align(size, 16).unwrap();
        // SAFETY: as above.
        unsafe {
            let block = alloc.alloc(layout(64));
            block.write_bytes(0xa5, 64);
            let larger = alloc.realloc(block, layout(64), 256);
            assert!(std::slice::from_raw_parts(larger, 64).iter().all(|byte| *byte == 0xa5));
            larger.add(64).write_bytes(0xa5, 192);
            let smaller = alloc.realloc(larger, layout(256), 16);
            assert!(std::slice::from_raw_parts(smaller, 16).iter().all(|byte| *byte == 0xa5));
            alloc.dealloc(smaller, layout(16));
        }
        assert_eq!((alloc.0.freed.get(), alloc.0.dirty.get()), (3, 0));
    }
}
