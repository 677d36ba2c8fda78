//! Overwriting the stack below the caller, where returned functions left copies of what they worked on.
#![expect(unsafe_code, reason = "overwrites an uninitialised array")]

use crate::wipe::wipe;
use std::hint::black_box;
use std::mem::MaybeUninit;

/// What [`scrub_stack`] overwrites, in bytes: deeper than any call into the crypto library goes.
pub const SCRUB_SIZE: usize = 64 << 10;

/// The most [`scrub_stack_by`] overwrites, in bytes: half the 2 MiB stack of a worker thread.
pub const SCRUB_LIMIT: usize = 1 << 20;

const STEP: usize = 4 << 10;

/// Overwrites the next [`SCRUB_SIZE`] bytes of stack below the caller. Call it from the function that *called* what
/// worked on keys, after that has returned. About two microseconds.
#[inline(never)]
pub fn scrub_stack() {
    let mut area = MaybeUninit::<[u8; SCRUB_SIZE]>::uninit();
    // SAFETY: the array is ours and as long as said.
    unsafe { wipe(area.as_mut_ptr().cast(), SCRUB_SIZE) };
    black_box(&mut area);
}

/// Overwrites at least `bytes` of stack below the caller, at most [`SCRUB_LIMIT`].
#[inline(never)]
pub fn scrub_stack_by(bytes: usize) {
    let mut area = MaybeUninit::<[u8; STEP]>::uninit();
    // SAFETY: the array is ours and as long as said.
    unsafe { wipe(area.as_mut_ptr().cast(), STEP) };
    let bytes = bytes.min(SCRUB_LIMIT);
    if bytes > STEP {
        scrub_stack_by(bytes - STEP);
    }
    // Used after the call, so that the call below stays a call with a frame of its own.
    black_box(&mut area);
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: u8 = 0xd7;

    /// Fills `DEPTH` bytes of its own frame and tells where.
    #[inline(never)]
    fn leave_copy<const DEPTH: usize>() -> usize {
        let mut copy = [0u8; DEPTH];
        black_box(&mut copy).fill(black_box(MARK));
        std::ptr::from_ref(black_box(&copy)) as usize
    }

    #[inline(never)]
    fn marks_left(at: usize, len: usize) -> usize {
        (at..at + len)
            // SAFETY: an address of this thread's own stack, which stays mapped; bytes are only read, whatever they are.
            .filter(|address| unsafe { std::ptr::with_exposed_provenance::<u8>(*address).read_volatile() } == MARK)
            .count()
    }

    #[test]
    fn dead_frames_are_overwritten() {
        const LEN: usize = 8 << 10;
        // The reader's own frames lie in what it reads, and some of their bytes can happen to look like the mark.
        const OWN: usize = 128;
        // Reading it back uses some stack itself, hence a copy larger than that, of which most must still be there.
        let at = leave_copy::<LEN>();
        assert!(marks_left(at, LEN) > LEN / 2, "the test would pass without scrubbing");
        let at = leave_copy::<LEN>();
        scrub_stack();
        assert!(marks_left(at, LEN) < OWN, "copies are left after a scrub");
        let at = leave_copy::<LEN>();
        scrub_stack_by(32 << 10);
        assert!(marks_left(at, LEN) < OWN, "copies are left after a deeper scrub");
    }

    #[test]
    fn the_limit_fits_the_stack_of_a_thread() {
        scrub_stack_by(usize::MAX);
        scrub_stack_by(0);
    }
}
