//! The one thread that writes: drains the queue into a group, checks it, writes it with one sync, publishes, answers all.
//!
//! While the engine waits for the disk, the next group forms by itself; nobody waits for a timer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use crate::health::Counters;
use crate::snapshot::Published;
use crate::window::{Bounds, Window};
use crate::{Batch, CommitError, Committed, Engine, Group, MAX_BATCH, ReadSet, Room, StoreHealth, WriteError};

/// Commits in one group: bounds how long the first of them waits for the last to be checked.
const GROUP_COMMITS: usize = 1024;

/// A commit that waits for its answer.
pub(crate) struct Pending {
    pub(crate) batch: Batch,
    pub(crate) reads: ReadSet,
    /// Sequence number of the snapshot that was read.
    pub(crate) since: u64,
    pub(crate) answer: oneshot::Sender<Result<Committed, CommitError>>,
}

impl Pending {
    fn refuse(self, why: CommitError) {
        // Nobody listening any more is fine: the request was dropped.
        let _ = self.answer.send(Err(why));
    }
}

#[derive(Default)]
struct Queue {
    waiting: Vec<Pending>,
    closed: bool,
}

/// What the committer and the handles of the store share.
pub(crate) struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    published: ArcSwap<Published>,
    health: Mutex<StoreHealth>,
    pub(crate) counters: Counters,
}

impl Shared {
    pub(crate) fn new(engine: &dyn Engine) -> Shared {
        Shared {
            queue: Mutex::default(),
            wake: Condvar::new(),
            published: ArcSwap::from_pointee(Published { seq: engine.last_seq(), view: engine.view() }),
            health: Mutex::new(StoreHealth::Ok),
            counters: Counters::default(),
        }
    }

    pub(crate) fn published(&self) -> Arc<Published> {
        self.published.load_full()
    }

    pub(crate) fn health(&self) -> StoreHealth {
        self.health.lock().clone()
    }

    fn set_health(&self, health: StoreHealth) {
        *self.health.lock() = health;
    }

    pub(crate) fn poison(&self, why: &str) {
        self.set_health(StoreHealth::Poisoned(why.into()));
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.queue.lock().closed
    }

    pub(crate) fn close(&self) {
        self.queue.lock().closed = true;
        self.wake.notify_all();
    }

    pub(crate) fn enqueue(&self, pending: Pending) -> Result<(), CommitError> {
        if let StoreHealth::Poisoned(why) = self.health() {
            return Err(CommitError::Poisoned(why));
        }
        let mut queue = self.queue.lock();
        if queue.closed {
            return Err(CommitError::Closed);
        }
        queue.waiting.push(pending);
        drop(queue);
        self.wake.notify_one();
        Ok(())
    }

    /// The next commits, in order; empty when the store was closed and nothing is left.
    fn next(&self) -> Vec<Pending> {
        let mut queue = self.queue.lock();
        while queue.waiting.is_empty() {
            if queue.closed {
                return Vec::new();
            }
            self.wake.wait(&mut queue);
        }
        let (mut count, mut bytes) = (0, 0);
        for pending in queue.waiting.iter().take(GROUP_COMMITS) {
            bytes += pending.batch.bytes();
            // A batch alone is never larger than the limit, so the first always fits.
            if bytes > MAX_BATCH && count > 0 {
                break;
            }
            count += 1;
        }
        if count == queue.waiting.len() {
            std::mem::take(&mut queue.waiting)
        } else {
            queue.waiting.drain(..count).collect()
        }
    }
}

pub(crate) struct Committer {
    shared: Arc<Shared>,
    engine: Box<dyn Engine>,
    window: Window,
    seq: u64,
    /// Set once a write failed: nothing is written any more.
    broken: Option<CommitError>,
}

impl Committer {
    pub(crate) fn new(shared: Arc<Shared>, engine: Box<dyn Engine>) -> Committer {
        let seq = engine.last_seq();
        Committer { shared, engine, window: Window::starting_at(seq, Bounds::default()), seq, broken: None }
    }

    pub(crate) fn run(mut self) {
        loop {
            let group = self.shared.next();
            if group.is_empty() {
                break;
            }
            self.guarded(group);
        }
        self.engine.close();
    }

    /// A panic poisons the store and answers nobody with success: the answers are dropped, which waiters see as an error.
    fn guarded(&mut self, group: Vec<Pending>) {
        let outcome = catch_unwind(AssertUnwindSafe(|| self.commit(group)));
        if outcome.is_err() {
            self.fail(CommitError::Poisoned("the committer met a fault of its own".into()));
        }
    }

    fn fail(&mut self, why: CommitError) {
        let health = match &why {
            CommitError::Full => StoreHealth::Full,
            other => StoreHealth::Poisoned(other.to_string().into()),
        };
        self.shared.set_health(health);
        self.broken = Some(match why {
            CommitError::Io(text) => CommitError::Poisoned(text),
            other => other,
        });
    }

    fn commit(&mut self, group: Vec<Pending>) {
        if let Some(why) = &self.broken {
            group.into_iter().for_each(|pending| pending.refuse(why.clone()));
            return;
        }
        let bytes = group.iter().map(|p| p.batch.bytes()).sum();
        if self.engine.room(bytes) == Room::Full {
            self.shared.set_health(StoreHealth::Full);
            group.into_iter().for_each(|pending| pending.refuse(CommitError::Full));
            return;
        }
        self.shared.set_health(StoreHealth::Ok);
        let (batches, answers) = self.check(group);
        if !batches.is_empty() {
            self.write(batches, answers);
        }
    }

    /// Refuses what has been overtaken, by an earlier group or an earlier member of this one.
    fn check(&mut self, group: Vec<Pending>) -> (Vec<Batch>, Vec<oneshot::Sender<Result<Committed, CommitError>>>) {
        let seq = self.seq + 1;
        let (mut batches, mut answers) = (Vec::with_capacity(group.len()), Vec::with_capacity(group.len()));
        for pending in group {
            if !self.window.unchanged_since(pending.since, &pending.reads) {
                self.shared.counters.conflict();
                pending.refuse(CommitError::Conflict);
                continue;
            }
            self.window.note(seq, &pending.batch);
            batches.push(pending.batch);
            answers.push(pending.answer);
        }
        (batches, answers)
    }

    fn write(&mut self, batches: Vec<Batch>, answers: Vec<oneshot::Sender<Result<Committed, CommitError>>>) {
        let seq = self.seq + 1;
        let group = Group::new(seq, batches);
        let result = match self.engine.write(&group) {
            Ok(syncs) => {
                self.seq = seq;
                self.shared.counters.group(answers.len(), group.bytes(), syncs);
                self.shared.published.store(Arc::new(Published { seq, view: self.engine.view() }));
                Ok(Committed(seq))
            }
            Err(error) => {
                let why = match error {
                    WriteError::Full => CommitError::Full,
                    WriteError::Failed(text) => CommitError::Io(text),
                };
                tracing::error!(%why, "a write failed; the store takes no more of them until it is opened again");
                self.fail(why.clone());
                Err(why)
            }
        };
        for answer in answers {
            let _ = answer.send(result.clone());
        }
        self.window.trim();
    }
}
