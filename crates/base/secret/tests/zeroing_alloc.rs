//! The allocator in force for a whole process: freed memory holds nothing of what was in it. One test only, so that no
//! other thread gets the freed block in between.
#![expect(unsafe_code, reason = "looks at freed memory")]

use bulla_secret::ZeroingAlloc;

#[global_allocator]
static ALLOC: ZeroingAlloc = ZeroingAlloc;

const MARK: u8 = 0xd7;

/// What the allocator itself writes into a freed block: the address of the next one, in a form that may look like a mark.
const LINK: usize = 16;

fn marks_left(at: usize, len: usize) -> usize {
    (at + LINK..at + len)
        // SAFETY: mimalloc keeps the page of a small block mapped; bytes are only read, whatever they are by now.
        .filter(|address| unsafe { std::ptr::with_exposed_provenance::<u8>(*address).read_volatile() } == MARK)
        .count()
}

#[test]
fn freed_memory_is_overwritten() {
    let neighbour = vec![1u8; 1000];
    let block = vec![MARK; 1000];
    let at = block.as_ptr().expose_provenance();
    assert_eq!(marks_left(at, 1000), 1000 - LINK);
    drop(block);
    assert_eq!(marks_left(at, 1000), 0, "freed");

    let mut block = vec![MARK; 900];
    let at = block.as_ptr().expose_provenance();
    block.reserve_exact(5000);
    assert_ne!(block.as_ptr().expose_provenance(), at, "grown in another place");
    assert!(block.iter().all(|byte| *byte == MARK));
    assert_eq!(marks_left(at, 900), 0, "grown");
    drop(neighbour);
}
