//! Dead stack frames of worker threads may still hold pieces of keys and tokens; after a seal each worker overwrites its
//! own stack. Heap blocks are wiped by the allocator as they are freed, key pages as they are unmapped.

use parking_lot::Mutex;
use std::collections::HashSet;
use std::sync::Arc;
use std::thread::ThreadId;
use std::time::{Duration, Instant};

/// Stack below a worker's current frame that requests have been seen to use, with room to spare.
const DEPTH: usize = 512 * 1024;
/// How long a worker waits for the others to take their turn. Bounded, since a worker may be busy elsewhere.
const PATIENCE: Duration = Duration::from_millis(200);

/// Has every worker of the runtime overwrite the stack below its frames.
pub async fn workers() {
    let runtime = tokio::runtime::Handle::current();
    let count = runtime.metrics().num_workers();
    let seen: Arc<Mutex<HashSet<ThreadId>>> = Arc::default();
    let turns: Vec<_> = (0..count).map(|_| runtime.spawn(turn(Arc::clone(&seen), count))).collect();
    for turn in turns {
        // A turn can neither fail nor be cancelled; the runtime's end ends the process.
        let _ = turn.await;
    }
    bulla_secret::scrub_stack_by(DEPTH);
}

/// Occupies one worker until all others have had their turn, so that each gets one.
async fn turn(seen: Arc<Mutex<HashSet<ThreadId>>>, count: usize) {
    bulla_secret::scrub_stack_by(DEPTH);
    seen.lock().insert(std::thread::current().id());
    let deadline = Instant::now() + PATIENCE;
    while seen.lock().len() < count && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(1));
    }
}
