//! Overwriting memory so that no optimiser takes the stores away.
#![expect(unsafe_code, reason = "writes through raw pointers that the caller vouches for")]

use std::sync::atomic::{Ordering, compiler_fence};

/// Overwrites `len` bytes at `start` with zeros.
///
/// Plain `memset`, which is many times faster than volatile stores byte by byte, followed by an assembly statement that
/// takes the pointer and may read any memory: the compiler has to have done the stores by then.
///
/// # Safety
/// `start` must be valid for writes of `len` bytes.
#[inline]
pub(crate) unsafe fn wipe(start: *mut u8, len: usize) {
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))]
    // SAFETY: the caller vouches for the range; the assembly is empty and only claims to read memory.
    unsafe {
        std::ptr::write_bytes(start, 0, len);
        std::arch::asm!("/* {0} */", in(reg) start, options(nostack, preserves_flags, readonly));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")))]
    for at in 0..len {
        // SAFETY: the caller vouches for the range.
        unsafe { std::ptr::write_volatile(start.add(at), 0) };
    }
    compiler_fence(Ordering::SeqCst);
}
