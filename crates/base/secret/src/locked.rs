//! Pages of our own for the few keys everything hangs on: locked, not dumped, with a guard page on either side.
//!
//! ```text
//! | guard, no access | zeros ...... | the bytes | guard, no access |
//! ```
//! The bytes end where the second guard begins, so that running over them faults at once.
#![expect(unsafe_code, reason = "maps, locks and unmaps pages")]

use crate::wipe::wipe;
use rustix::mm::{Advice, MapFlags, MprotectFlags, ProtFlags, madvise, mlock, mmap_anonymous, mprotect, munmap};
use std::ffi::c_void;
use std::fmt;
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};

static REFUSED: AtomicBool = AtomicBool::new(false);

/// Whether the system has refused, at least once, to keep pages out of swap (`RLIMIT_MEMLOCK`). Keys then live in
/// pages that are erased and not dumped but may be swapped; worth one warning.
pub fn mlock_refused() -> bool {
    REFUSED.load(Ordering::Relaxed)
}

/// Bytes in locked pages of their own. Costs at least three pages of address space and one of memory.
pub struct LockedBytes {
    region: NonNull<u8>,
    page: usize,
    inner: usize,
    len: usize,
}

// SAFETY: the pages belong to this value alone; shared access only reads them, change needs `&mut`.
unsafe impl Send for LockedBytes {}
// SAFETY: as above.
unsafe impl Sync for LockedBytes {}

impl LockedBytes {
    /// # Errors
    /// The system gives no pages. A refusal to lock them is no error, see [`mlock_refused`].
    pub fn zeroed(len: usize) -> io::Result<Self> {
        let page = rustix::param::page_size();
        let too_long = || io::Error::from(io::ErrorKind::OutOfMemory);
        let inner = len.max(1).checked_next_multiple_of(page).ok_or_else(too_long)?;
        let whole = inner.checked_add(2 * page).ok_or_else(too_long)?;
        // SAFETY: a fresh private mapping at an address of the system's choice touches no memory of ours.
        let start = unsafe { mmap_anonymous(std::ptr::null_mut(), whole, ProtFlags::empty(), MapFlags::PRIVATE) }?;
        let region = NonNull::new(start.cast::<u8>()).ok_or_else(too_long)?;
        // From here on dropping `this` gives the region back, also when a later step fails.
        let mut this = Self { region, page, inner, len: 0 };
        let pages = this.pages().cast::<c_void>();
        // SAFETY: `pages` and `inner` are the middle of the mapping made above, which nobody else knows yet.
        unsafe {
            mprotect(pages, inner, MprotectFlags::READ | MprotectFlags::WRITE)?;
            if mlock(pages, inner).is_err() {
                REFUSED.store(true, Ordering::Relaxed);
            }
            // Not known to kernels built without core dumps, where there is nothing to leave out.
            let _ = madvise(pages, inner, Advice::LinuxDontDump);
        }
        this.len = len;
        Ok(this)
    }

    /// A copy of borrowed bytes; erasing the original stays with its owner.
    ///
    /// # Errors
    /// As for [`LockedBytes::zeroed`].
    pub fn copy_of(bytes: &[u8]) -> io::Result<Self> {
        let mut this = Self::zeroed(bytes.len())?;
        this.with_mut(|place| place.copy_from_slice(bytes));
        Ok(this)
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn expose<R>(&self, look: impl FnOnce(&[u8]) -> R) -> R {
        // SAFETY: `len` readable bytes end at the second guard page, and `self` is borrowed meanwhile.
        look(unsafe { std::slice::from_raw_parts(self.bytes(), self.len) })
    }

    pub fn with_mut<R>(&mut self, change: impl FnOnce(&mut [u8]) -> R) -> R {
        // SAFETY: as in `expose`, and `self` is borrowed for change.
        change(unsafe { std::slice::from_raw_parts_mut(self.bytes(), self.len) })
    }

    fn pages(&self) -> *mut u8 {
        // SAFETY: the mapping holds a guard page, then `inner` bytes, then another guard page.
        unsafe { self.region.as_ptr().add(self.page) }
    }

    fn bytes(&self) -> *mut u8 {
        // SAFETY: `len` is at most `inner`.
        unsafe { self.pages().add(self.inner - self.len) }
    }
}

impl Drop for LockedBytes {
    fn drop(&mut self) {
        // SAFETY: the last `len` bytes of the middle pages are writable (`len` is 0 until they are), and nobody can hold a
        // reference into the mapping any more. Unmapping also unlocks.
        unsafe {
            wipe(self.bytes(), self.len);
            let _ = munmap(self.region.as_ptr().cast(), self.inner + 2 * self.page);
        }
    }
}

impl fmt::Debug for LockedBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LockedBytes({} bytes)", self.len)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// The flags line of the mapping that holds `address`, and its permissions, as the kernel tells them.
    fn mapping(address: usize) -> Option<(String, String)> {
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut permissions = None;
        for line in maps.lines() {
            let mut words = line.split_whitespace();
            let first = words.next().unwrap_or_default();
            if let Some((from, to)) = first.split_once('-')
                && let (Ok(from), Ok(to)) = (usize::from_str_radix(from, 16), usize::from_str_radix(to, 16))
            {
                permissions = (from..to).contains(&address).then(|| words.next().unwrap_or_default().to_owned());
            } else if let (Some(found), "VmFlags:") = (&permissions, first) {
                return Some((found.clone(), line.to_owned()));
            }
        }
        None
    }

    #[test]
    fn holds_what_is_written_at_any_length() {
        let page = rustix::param::page_size();
        for len in [0, 1, 32, page - 1, page, page + 1] {
            let mut bytes = LockedBytes::zeroed(len).unwrap();
            assert!(bytes.expose(|b| b.len() == len && b.iter().all(|x| *x == 0)));
            bytes.with_mut(|b| b.fill(7));
            assert!(bytes.expose(|b| b.len() == len && b.iter().all(|x| *x == 7)));
        }
        assert!(LockedBytes::zeroed(usize::MAX).is_err());
        assert!(LockedBytes::copy_of(b"key").unwrap().expose(|b| b == b"key"));
    }

    #[test]
    fn pages_are_guarded_not_dumped_and_given_back() {
        let bytes = LockedBytes::zeroed(32).unwrap();
        let (page, start) = (bytes.page, bytes.pages() as usize);
        let (permissions, flags) = mapping(start).unwrap();
        assert!(permissions.starts_with("rw-"), "{permissions}");
        assert!(flags.contains(" dd"), "not left out of dumps: {flags}");
        assert!(flags.contains(" lo") || mlock_refused(), "neither locked nor refused: {flags}");
        assert!(mapping(start - 1).unwrap().0.starts_with("---"));
        assert!(mapping(start + page).unwrap().0.starts_with("---"));
        assert_eq!(bytes.expose(|b| b.as_ptr() as usize + b.len()), start + page);
    }

    #[test]
    fn debug_shows_no_content() {
        assert_eq!(format!("{:?}", LockedBytes::zeroed(32).unwrap()), "LockedBytes(32 bytes)");
    }
}
