//! One request, one transaction: reads from a snapshot, remembers what it read, collects writes, commits once.
//!
//! Reads see the transaction's own writes. Nothing is encrypted before the commit, and nothing reaches the store but
//! in one batch. Not here: when to run again after a conflict (the pipeline decides).

use crate::barrier::Barrier;
use crate::error::BarrierError;
use crate::gate::Pass;
use crate::key::{Keyspace, PhysicalKey};
use bulla_physical::{Batch, ReadSet, Snapshot};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is known of the request's own writes: a value, or a deletion.
type Overlay = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

#[derive(Default)]
struct Pending {
    reads: ReadSet,
    writes: Overlay,
    over: bool,
}

pub struct Txn {
    barrier: Arc<Barrier>,
    snapshot: Snapshot,
    pending: Mutex<Pending>,
}

/// Proof that what a request wanted to write is durable (or that it wrote nothing).
#[derive(Debug)]
pub struct Committed<T>(T);

impl<T> Committed<T> {
    pub fn into_inner(self) -> T {
        self.0
    }

    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Committed<U> {
        Committed(change(self.0))
    }
}

impl Txn {
    /// # Errors
    /// The store is closed.
    pub fn begin<U>(pass: &Pass<U>) -> Result<Arc<Self>, BarrierError> {
        Self::on(Arc::clone(pass.barrier()))
    }

    /// A transaction on a barrier that no gate guards yet: initialisation, and the first reading after an unseal.
    ///
    /// # Errors
    /// The store is closed.
    pub fn before_open(barrier: &Arc<Barrier>) -> Result<Arc<Self>, BarrierError> {
        Self::on(Arc::clone(barrier))
    }

    fn on(barrier: Arc<Barrier>) -> Result<Arc<Self>, BarrierError> {
        let snapshot = barrier.store().snapshot()?;
        Ok(Arc::new(Self { barrier, snapshot, pending: Mutex::default() }))
    }

    pub fn barrier(&self) -> &Arc<Barrier> {
        &self.barrier
    }

    /// # Errors
    /// [`BarrierError::Damaged`] names the key of a record that does not open.
    pub async fn get(&self, key: &PhysicalKey) -> Result<Option<Vec<u8>>, BarrierError> {
        {
            let mut pending = self.pending.lock();
            if let Some(own) = pending.writes.get(&key.0) {
                return Ok(own.clone());
            }
            pending.reads.add_key(&key.0);
        }
        match self.snapshot.get(&key.0).await? {
            Some(frame) if key.is_meta() => Ok(Some(frame.to_vec())),
            Some(frame) => self.barrier.open_value(&key.0, &frame).map(Some),
            None => Ok(None),
        }
    }

    pub async fn exists(&self, key: &PhysicalKey) -> Result<bool, BarrierError> {
        {
            let mut pending = self.pending.lock();
            if let Some(own) = pending.writes.get(&key.0) {
                return Ok(own.is_some());
            }
            pending.reads.add_key(&key.0);
        }
        Ok(self.snapshot.get(&key.0).await?.is_some())
    }

    pub fn put(&self, key: PhysicalKey, value: Vec<u8>) {
        self.pending.lock().writes.insert(key.0, Some(value));
    }

    pub fn delete(&self, key: PhysicalKey) {
        self.pending.lock().writes.insert(key.0, None);
    }

    pub fn has_writes(&self) -> bool {
        !self.pending.lock().writes.is_empty()
    }

    /// Forgets the writes collected so far: an operation that failed half-way leaves nothing.
    pub fn discard(&self) {
        self.pending.lock().writes.clear();
    }

    /// Records in `[start, end)`, at most `limit`, in key order, the transaction's own writes included. A record that
    /// does not open is reported in the log and left out, so that one bad record never stops a sweep.
    pub async fn range(
        &self,
        start: &PhysicalKey,
        end: &PhysicalKey,
        limit: usize,
    ) -> Result<Vec<(PhysicalKey, Vec<u8>)>, BarrierError> {
        let mut own = self.own_range(&start.0, &end.0);
        self.pending.lock().reads.add_range(start.0.clone(), end.0.clone());
        let wanted = limit.saturating_add(own.len());
        let stored = self.snapshot.scan(&start.0, &end.0, wanted).await?;
        let mut merged: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        for (key, frame) in stored {
            match own.remove(key.as_ref()) {
                Some(None) => {}
                Some(Some(value)) => {
                    merged.insert(key.to_vec(), value);
                }
                None => match self.barrier.open_value(&key, &frame) {
                    Ok(value) => {
                        merged.insert(key.to_vec(), value);
                    }
                    Err(error) => tracing::error!(%error, "a record was skipped"),
                },
            }
        }
        merged.extend(own.into_iter().filter_map(|(key, value)| Some((key, value?))));
        Ok(merged.into_iter().take(limit).map(|(key, value)| (PhysicalKey(key), value)).collect())
    }

    /// The transaction's own writes in `[start, end)`.
    pub(crate) fn own_range(&self, start: &[u8], end: &[u8]) -> Overlay {
        let pending = self.pending.lock();
        let bounds = (std::ops::Bound::Included(start), std::ops::Bound::Excluded(end));
        pending.writes.range::<[u8], _>(bounds).map(|(k, v)| (k.clone(), v.clone())).collect()
    }

    /// The group that the transaction's snapshot shows last.
    pub(crate) fn seq(&self) -> u64 {
        self.snapshot.seq()
    }

    /// Keys in `[start, end)` as stored. Whoever relies on what is not among them remembers the range.
    pub(crate) async fn stored_keys(
        &self,
        start: &[u8],
        end: &[u8],
        limit: usize,
    ) -> Result<Vec<Vec<u8>>, BarrierError> {
        let keys = self.snapshot.scan_keys(start, end, limit).await?;
        Ok(keys.into_iter().map(|k| k.to_vec()).collect())
    }

    /// How many records lie in `[start, end)` of the snapshot, without what this transaction wrote. In bounded memory, and
    /// nothing of it is remembered as read: a count is of a moment that is over when it is told.
    ///
    /// # Errors
    /// The store's.
    pub async fn count(&self, start: &PhysicalKey, end: &PhysicalKey) -> Result<usize, BarrierError> {
        const PAGE: usize = 512;
        let (mut from, mut count) = (start.bytes().to_vec(), 0);
        loop {
            let keys = self.stored_keys(&from, end.bytes(), PAGE).await?;
            count += keys.len();
            match keys.last() {
                Some(last) if keys.len() == PAGE => from = [last.as_slice(), &[0]].concat(),
                _ => return Ok(count),
            }
            // Local stores are always ready: without this a count of millions would keep all others waiting.
            tokio::task::yield_now().await;
        }
    }

    pub(crate) fn remember_range(&self, start: &[u8], end: &[u8]) {
        self.pending.lock().reads.add_range(start.to_vec(), end.to_vec());
    }

    /// Writes everything in one durable batch and wraps `answer` in the proof. A transaction without writes costs
    /// nothing and cannot conflict: all it read is from one moment.
    ///
    /// # Errors
    /// [`BarrierError::Conflict`] if what was read has changed since; the caller runs the request again.
    pub async fn commit<T>(&self, answer: T) -> Result<Committed<T>, BarrierError> {
        let (reads, writes) = {
            let mut pending = self.pending.lock();
            if std::mem::replace(&mut pending.over, true) {
                return Err(BarrierError::Over);
            }
            (std::mem::take(&mut pending.reads), std::mem::take(&mut pending.writes))
        };
        if writes.is_empty() {
            return Ok(Committed(answer));
        }
        let mut batch = Batch::default();
        for (key, value) in writes {
            match value {
                Some(plain) if key.first() == Some(&(Keyspace::Meta as u8)) => batch.put(key, plain),
                Some(plain) => {
                    let key = PhysicalKey(key);
                    let frame = self.barrier.seal_value(&key, &plain)?;
                    batch.put(key.0, frame);
                }
                None => batch.delete(key),
            }
        }
        self.barrier.store().commit(Some(&self.snapshot), reads, batch).await?;
        Ok(Committed(answer))
    }
}
