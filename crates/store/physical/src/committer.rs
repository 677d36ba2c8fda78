//! The one thread that writes. It takes what has queued up, refuses what conflicts, has the engine write the rest in one
//! go, publishes, and answers. While the engine waits for the disk the next group queues up; an idle store adds no delay.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use crate::snapshot::Published;
use crate::store::Shared;
use crate::window::{Bounds, Window};
use crate::{Batch, CommitError, Committed, Engine, Group, ReadSet, Room, StoreHealth, WriteError};

/// A group closes at this many bytes: what more would add to the wait of those in it outweighs the syncs it saves.
const GROUP_BYTES: usize = 4 * 1024 * 1024;
/// How often a full store looks whether there is room again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

type Answer = oneshot::Sender<Result<Committed, CommitError>>;

pub(crate) struct Request {
    /// Sequence number of the snapshot that `reads` was read from; none if nothing is to be checked.
    pub(crate) snapshot: Option<u64>,
    pub(crate) reads: ReadSet,
    pub(crate) batch: Batch,
    pub(crate) answer: Answer,
}

/// Where requests wait. Unbounded here: each entry is a caller that waits, and callers are bounded at the door.
#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<Waiting>,
    arrived: Condvar,
}

#[derive(Default)]
struct Waiting {
    requests: VecDeque<Request>,
    /// Why nothing is taken any more.
    closed: Option<CommitError>,
    /// The handle is gone: the thread may end.
    ended: bool,
}

impl Queue {
    pub(crate) fn push(&self, request: Request) -> Result<(), CommitError> {
        let mut state = self.state.lock();
        if let Some(why) = &state.closed {
            return Err(why.clone());
        }
        state.requests.push_back(request);
        drop(state);
        self.arrived.notify_one();
        Ok(())
    }

    /// Takes nothing more. After a clean close what waits is still served; otherwise it is answered with the reason.
    pub(crate) fn close(&self, why: CommitError) {
        let mut state = self.state.lock();
        state.ended |= why == CommitError::Closed;
        let refused = if why == CommitError::Closed { VecDeque::new() } else { std::mem::take(&mut state.requests) };
        let why = state.closed.get_or_insert(why).clone();
        drop(state);
        self.arrived.notify_one();
        for request in refused {
            let _ = request.answer.send(Err(why.clone()));
        }
    }

    /// Waits until the store is closed. A poisoned store keeps its engine till then, because readers still use it.
    fn wait_for_end(&self) {
        let mut state = self.state.lock();
        while !state.ended {
            self.arrived.wait(&mut state);
        }
    }

    /// The next group; empty after `patience`, `None` once the queue is closed and drained.
    fn take(&self, patience: Option<Duration>) -> Option<Vec<Request>> {
        let mut state = self.state.lock();
        while state.requests.is_empty() {
            if state.closed.is_some() {
                return None;
            }
            match patience {
                None => self.arrived.wait(&mut state),
                Some(patience) if self.arrived.wait_for(&mut state, patience).timed_out() => return Some(Vec::new()),
                Some(_) => {}
            }
        }
        let mut bytes = 0;
        let mut taken = Vec::new();
        while let Some(next) = state.requests.front() {
            bytes += next.batch.bytes();
            if !taken.is_empty() && bytes > GROUP_BYTES {
                break;
            }
            taken.extend(state.requests.pop_front());
        }
        Some(taken)
    }
}

pub(crate) struct Committer {
    shared: Arc<Shared>,
    engine: Box<dyn Engine>,
    window: Window,
    seq: u64,
    /// The disk ran full inside a write: room alone does not help.
    stuck_full: bool,
}

impl Committer {
    pub(crate) fn new(shared: Arc<Shared>, engine: Box<dyn Engine>) -> Committer {
        let seq = engine.last_seq();
        Committer { shared, engine, window: Window::starting_at(seq, Bounds::default()), seq, stuck_full: false }
    }

    /// Serves until the store is closed. A panic (ours or the engine's) poisons the store instead of leaving callers waiting.
    pub(crate) fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        if catch_unwind(AssertUnwindSafe(|| self.serve())).is_err() {
            shared.poison("the committer met a fault in the program");
        }
        shared.queue.wait_for_end();
        let ended = catch_unwind(AssertUnwindSafe(move || {
            self.engine.close();
            drop(self);
        }));
        if ended.is_err() {
            tracing::error!("the engine met a fault in the program while it was closed");
        }
    }

    fn serve(&mut self) {
        while let Some(requests) = self.shared.queue.take(self.patience()) {
            if requests.is_empty() {
                self.look_for_room(0);
            } else {
                self.commit(requests);
            }
        }
    }

    fn patience(&self) -> Option<Duration> {
        let full = *self.shared.health.lock() == StoreHealth::Full;
        (full && !self.stuck_full).then_some(LOOK_AGAIN)
    }

    fn look_for_room(&mut self, bytes: usize) -> Room {
        let room = if self.stuck_full { Room::Full } else { self.engine.room(bytes) };
        self.shared.set_health(match room {
            Room::Enough => StoreHealth::Ok,
            Room::Full => StoreHealth::Full,
        });
        room
    }

    fn commit(&mut self, requests: Vec<Request>) {
        let bytes = requests.iter().map(|request| request.batch.bytes()).sum();
        let writes = requests.iter().any(|request| !request.batch.is_empty());
        if writes && self.look_for_room(bytes) == Room::Full {
            return refuse(requests.into_iter().map(|request| request.answer), &CommitError::Full);
        }
        let (answers, batches) = self.admit(requests);
        if batches.is_empty() {
            return acknowledge(answers, self.seq);
        }
        let group = Group::new(self.seq + 1, batches);
        match self.engine.write(&group) {
            Ok(syncs) => {
                self.publish(&group, syncs);
                acknowledge(answers, self.seq);
            }
            Err(WriteError::Full) => {
                self.stuck_full = true;
                self.shared.set_health(StoreHealth::Full);
                refuse(answers, &CommitError::Full);
            }
            Err(WriteError::Failed(why)) => {
                // Health first: whoever gets the answer may ask at once.
                self.shared.poison(&why);
                refuse(answers, &CommitError::Io(why));
            }
        }
    }

    /// Refuses what conflicts, with earlier commits or with earlier members of this very group. If the write fails later,
    /// the window knows writes that never happened; harmless, because then none follows.
    fn admit(&mut self, requests: Vec<Request>) -> (Vec<Answer>, Vec<Batch>) {
        let (mut answers, mut batches) = (Vec::with_capacity(requests.len()), Vec::with_capacity(requests.len()));
        for request in requests {
            if request.snapshot.is_some_and(|seq| !self.window.unchanged_since(seq, &request.reads)) {
                self.shared.counters.conflict();
                let _ = request.answer.send(Err(CommitError::Conflict));
                continue;
            }
            if !request.batch.is_empty() {
                self.window.note(self.seq + 1, &request.batch);
                batches.push(request.batch);
            }
            answers.push(request.answer);
        }
        (answers, batches)
    }

    fn publish(&mut self, group: &Group, syncs: u64) {
        self.seq = group.seq();
        let view = self.engine.view();
        let watchers = self.shared.watchers.lock();
        for watcher in watchers.iter().filter_map(Weak::upgrade) {
            watcher.written(group);
        }
        self.shared.published.store(Some(Arc::new(Published { seq: self.seq, view })));
        drop(watchers);
        self.shared.counters.group(group.batches().len(), group.bytes(), syncs);
        self.window.trim();
    }
}

fn acknowledge(answers: Vec<Answer>, seq: u64) {
    for answer in answers {
        // Whoever stopped waiting does not care.
        let _ = answer.send(Ok(Committed { seq }));
    }
}

fn refuse(answers: impl IntoIterator<Item = Answer>, why: &CommitError) {
    for answer in answers {
        let _ = answer.send(Err(why.clone()));
    }
}
