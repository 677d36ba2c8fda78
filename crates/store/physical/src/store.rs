//! The store: one engine, its one committer thread, and what the committer last published.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::committer::{Committer, Pending, Shared};
use crate::disk::{Disk, DiskOptions};
use crate::memory::Memory;
use crate::{Batch, CommitError, Engine, OpenError, ReadSet, Snapshot, StoreError, StoreHealth, StoreStats};

/// A batch is durable; carries the commit counter of its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed(pub u64);

/// Clones share one engine. The last one to go stops the committer and closes the engine.
#[derive(Clone)]
pub struct Store(Arc<Owner>);

struct Owner {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Store {
    /// Nothing survives the process.
    pub fn memory() -> Store {
        Store::with_engine(Box::new(Memory::new()))
    }

    /// Opens the disk store in `dir`, creating it if the directory is absent or empty.
    ///
    /// # Errors
    /// Another process has it, it is no store, it is damaged, or the file system says no. Nothing is repaired.
    pub fn open(dir: &Path, options: DiskOptions) -> Result<Store, OpenError> {
        Ok(Store::with_engine(Box::new(Disk::open(dir, options)?)))
    }

    pub fn with_engine(engine: Box<dyn Engine>) -> Store {
        let shared = Arc::new(Shared::new(engine.as_ref()));
        let committer = Committer::new(Arc::clone(&shared), engine);
        let spawned = std::thread::Builder::new().name("bulla-commit".into()).spawn(move || committer.run());
        let thread = match spawned {
            Ok(thread) => Some(thread),
            Err(cause) => {
                // The committer went with its closure: without a thread nothing can be written, and says so.
                shared.poison(&format!("the committer thread could not be started: {cause}"));
                None
            }
        };
        Store(Arc::new(Owner { shared, thread: Mutex::new(thread) }))
    }

    /// Everything durable so far, and nothing else.
    ///
    /// # Errors
    /// The store was closed.
    pub fn snapshot(&self) -> Result<Snapshot, StoreError> {
        if self.0.shared.is_closed() {
            return Err(StoreError::Closed);
        }
        Ok(Snapshot(self.0.shared.published()))
    }

    /// Makes `batch` durable if nothing in `reads` has changed since the snapshot numbered `since` (`None`: nothing was
    /// read). Dropping the future does not take the batch back.
    ///
    /// # Errors
    /// See [`CommitError`]; nothing was published.
    pub async fn commit(&self, since: Option<u64>, reads: ReadSet, batch: Batch) -> Result<Committed, CommitError> {
        batch.check()?;
        let since = since.unwrap_or(u64::MAX);
        let (answer, answered) = oneshot::channel();
        self.0.shared.enqueue(Pending { batch, reads, since, answer })?;
        answered.await.unwrap_or(Err(CommitError::Closed))
    }

    pub fn health(&self) -> StoreHealth {
        self.0.shared.health()
    }

    pub fn stats(&self) -> StoreStats {
        self.0.shared.counters.read()
    }

    /// A clean stop: what is queued is still written, then the engine is closed. Later calls answer `Closed`.
    pub fn close(&self) {
        self.0.stop();
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store(seq {})", self.0.shared.published().seq)
    }
}

impl Owner {
    fn stop(&self) {
        self.shared.close();
        if let Some(thread) = self.thread.lock().take() {
            // The committer catches its panics; there is nothing to learn from the join.
            let _ = thread.join();
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.stop();
    }
}
