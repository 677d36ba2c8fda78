//! All open connections of the process, so that a seal can close them.

use crate::phase::State;
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Notify;

/// Buffers of HTTP and TLS of an open connection hold tokens and secrets; the seal is not over while one is there.
#[derive(Default)]
pub struct Connections {
    open: Mutex<HashMap<u64, Arc<State>>>,
    /// Those whose own request waits for the others: two seals at a time must not wait for each other.
    waiting: Mutex<HashSet<u64>>,
    last: AtomicU64,
    gone: Notify,
}

impl Connections {
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    pub fn count(&self) -> usize {
        self.open.lock().len()
    }

    /// Closes all connections that are open now but the one numbered `keep`, and waits until they are gone: idle and
    /// half-sent ones at once, the others after the answer they are waiting for. The caller bounds the waiting.
    /// Connections accepted meanwhile are left alone: they meet a server that is sealed already.
    pub async fn close_all_but(&self, keep: u64) {
        let last = self.last.load(Ordering::Acquire);
        let _waiting = Waiting::begin(self, keep);
        let others = || -> Vec<Arc<State>> {
            let waiting = self.waiting.lock();
            let open = self.open.lock();
            open.values().filter(|s| s.id <= last && !waiting.contains(&s.id)).cloned().collect()
        };
        others().iter().for_each(|state| state.close());
        loop {
            let gone = self.gone.notified();
            tokio::pin!(gone);
            // Registers before looking, so that the last one to go is not missed.
            gone.as_mut().enable();
            if others().is_empty() {
                return;
            }
            gone.await;
        }
    }

    /// As [`Connections::close_all_but`], of all.
    pub async fn close_all(&self) {
        // Numbers start at 1.
        self.close_all_but(0).await;
    }

    pub(crate) fn enter(self: &Arc<Self>) -> Entry {
        let state = Arc::new(State::new(self.last.fetch_add(1, Ordering::AcqRel) + 1));
        self.open.lock().insert(state.id, Arc::clone(&state));
        Entry { connections: Arc::clone(self), state }
    }
}

/// Marks a connection as one whose request waits in [`Connections::close_all_but`].
struct Waiting<'a>(&'a Connections, u64);

impl<'a> Waiting<'a> {
    fn begin(connections: &'a Connections, id: u64) -> Self {
        connections.waiting.lock().insert(id);
        connections.gone.notify_waiters();
        Self(connections, id)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.lock().remove(&self.1);
    }
}

/// One connection's place in the list, given back when dropped.
pub(crate) struct Entry {
    connections: Arc<Connections>,
    pub(crate) state: Arc<State>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.connections.open.lock().remove(&self.state.id);
        self.connections.gone.notify_waiters();
    }
}
