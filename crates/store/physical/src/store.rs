//! The handle everybody holds: take a snapshot, hand in a batch, ask how the store is.

use std::path::Path;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;

use crate::committer::{Committer, Queue, Request};
use crate::disk::{Disk, DiskOptions};
use crate::health::Counters;
use crate::memory::Memory;
use crate::snapshot::Published;
use crate::{Batch, CommitError, Engine, Group, OpenError, ReadSet, Snapshot, StoreError, StoreHealth, StoreStats};

/// An engine and its one committer thread. Clones are the same store; the last one to go closes it.
#[derive(Clone)]
pub struct Store(Arc<Handle>);

/// A batch is durable (if the engine is) and every later snapshot shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// The commit counter that carries it; several batches may share one.
    pub seq: u64,
}

/// Follows what is written, for caches of what is stored.
pub trait Watcher: Send + Sync {
    /// Called for each group once it is durable, in order, before any snapshot shows it; the committer waits meanwhile.
    fn written(&self, group: &Group);
}

/// What callers and the committer share.
pub(crate) struct Shared {
    pub(crate) queue: Queue,
    pub(crate) published: ArcSwapOption<Published>,
    pub(crate) health: Mutex<StoreHealth>,
    pub(crate) counters: Counters,
    /// Held by the committer from telling them of a group until it is published.
    pub(crate) watchers: Mutex<Vec<Weak<dyn Watcher>>>,
}

struct Handle {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Store {
    /// A store that forgets everything with the process: for development and tests.
    pub fn memory() -> Store {
        Store::with_engine(Box::new(Memory::new()))
    }

    /// Opens the store in `dir`, or makes one there if the directory is empty or missing.
    pub fn open(dir: &Path, options: DiskOptions) -> Result<Store, OpenError> {
        let disk = Disk::open(dir, options)?;
        Ok(Store::with_engine(Box::new(disk)))
    }

    /// A store over any engine. If the committer thread cannot be started, the store refuses writes and says so.
    pub fn with_engine(engine: Box<dyn Engine>) -> Store {
        let published = Published { seq: engine.last_seq(), view: engine.view() };
        let shared = Arc::new(Shared {
            queue: Queue::default(),
            published: ArcSwapOption::from_pointee(published),
            health: Mutex::new(StoreHealth::Ok),
            counters: Counters::default(),
            watchers: Mutex::default(),
        });
        let committer = Committer::new(Arc::clone(&shared), engine);
        let spawned = std::thread::Builder::new().name("bulla-committer".into()).spawn(move || committer.run());
        let thread = spawned
            .inspect_err(|cause| shared.poison(&format!("the committer thread could not be started: {cause}")))
            .ok();
        Store(Arc::new(Handle { shared, thread: Mutex::new(thread) }))
    }

    /// The store as of the last durable group. No lock, no system call.
    pub fn snapshot(&self) -> Result<Snapshot, StoreError> {
        self.0.shared.published.load_full().map(Snapshot).ok_or(StoreError::Closed)
    }

    /// Makes `batch` durable, provided nothing in `reads` has changed since `snapshot`.
    ///
    /// Without a snapshot nothing is checked. An empty batch is only checked. Dropping the future does not take the batch back.
    pub async fn commit(
        &self,
        snapshot: Option<&Snapshot>,
        reads: ReadSet,
        batch: Batch,
    ) -> Result<Committed, CommitError> {
        batch.check()?;
        let (answer, answered) = tokio::sync::oneshot::channel();
        let snapshot = snapshot.map(Snapshot::seq);
        self.0.shared.queue.push(Request { snapshot, reads, batch, answer })?;
        // The committer answers everybody; a missing answer means that it died in the middle.
        answered.await.unwrap_or_else(|_| Err(CommitError::Poisoned("the committer stopped before it answered".into())))
    }

    /// From now on `watcher` is told of every group after the one whose number this answers, until it is dropped. `None` if
    /// the store is closed.
    pub fn watch(&self, watcher: Weak<dyn Watcher>) -> Option<u64> {
        let mut watchers = self.0.shared.watchers.lock();
        watchers.retain(|watcher| watcher.strong_count() > 0);
        watchers.push(watcher);
        self.0.shared.published.load().as_ref().map(|published| published.seq)
    }

    pub fn health(&self) -> StoreHealth {
        self.0.shared.health.lock().clone()
    }

    pub fn stats(&self) -> StoreStats {
        self.0.shared.counters.read()
    }

    /// Answers what is queued, stops the committer and lets go of the engine; blocks meanwhile. Other clones are closed too.
    /// Snapshots still held go on reading, and keep the directory in use.
    pub fn close(self) {
        self.0.close();
    }
}

impl Handle {
    fn close(&self) {
        self.shared.queue.close(CommitError::Closed);
        let thread = self.thread.lock().take();
        // A panic of the committer was caught and reported by itself.
        let _ = thread.map(JoinHandle::join);
        self.shared.published.store(None);
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    /// Ends writing for good: what waits and what comes is refused with this reason.
    pub(crate) fn poison(&self, why: &str) {
        tracing::error!(why, "the store takes no more writes");
        let why: Arc<str> = why.into();
        *self.health.lock() = StoreHealth::Poisoned(Arc::clone(&why));
        self.queue.close(CommitError::Poisoned(why));
    }

    pub(crate) fn set_health(&self, health: StoreHealth) {
        let mut now = self.health.lock();
        if *now != health {
            tracing::warn!(from = ?*now, to = ?health, "store health changed");
            *now = health;
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({:?})", self.health())
    }
}
