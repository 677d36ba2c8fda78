//! Reading: a snapshot sees every group that was durable when it was taken, whole, and none that came later.

use std::sync::Arc;

use bytes::Bytes;

use crate::{RESERVED, StoreError, View};

/// What the committer last published.
pub(crate) struct Published {
    pub(crate) seq: u64,
    pub(crate) view: View,
}

/// A consistent look at the store. Cheap to take and to clone; old versions are kept while it lives, so do not hoard it.
#[derive(Clone)]
pub struct Snapshot(pub(crate) Arc<Published>);

impl Snapshot {
    /// The commit counter this snapshot shows.
    pub fn seq(&self) -> u64 {
        self.0.seq
    }

    /// The value of `key`, if there is one.
    pub async fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        if key.first().is_none_or(|&first| first == RESERVED) {
            return Ok(None);
        }
        match &self.0.view {
            View::Memory(view) => Ok(view.get(key)),
            View::Disk(view) => view.get(key),
            View::Other(view) => view.get(key).await,
        }
    }

    /// Up to `limit` pairs with keys in `start..end`, ascending. To go on, start at the last key with a zero byte appended.
    pub async fn scan(&self, start: &[u8], end: &[u8], limit: usize) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        let Some(end) = clamp(start, end, limit) else { return Ok(Vec::new()) };
        match &self.0.view {
            View::Memory(view) => Ok(view.scan(start, end, limit, |key, value| (key, value))),
            View::Disk(view) => view.scan(start, end, limit),
            View::Other(view) => view.scan(start, end, limit).await,
        }
    }

    /// Like [`Snapshot::scan`], without the values.
    pub async fn scan_keys(&self, start: &[u8], end: &[u8], limit: usize) -> Result<Vec<Bytes>, StoreError> {
        let Some(end) = clamp(start, end, limit) else { return Ok(Vec::new()) };
        match &self.0.view {
            View::Memory(view) => Ok(view.scan(start, end, limit, |key, _| key)),
            View::Disk(view) => view.scan_keys(start, end, limit),
            View::Other(view) => view.scan_keys(start, end, limit).await,
        }
    }
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Snapshot(seq {})", self.0.seq)
    }
}

/// The end of the range without the store's own keys; `None` if nothing can be in it.
fn clamp<'a>(start: &[u8], end: &'a [u8], limit: usize) -> Option<&'a [u8]> {
    const OWN: &[u8] = &[RESERVED];
    let end = end.min(OWN);
    (start < end && limit > 0).then_some(end)
}
