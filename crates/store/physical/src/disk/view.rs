//! Reading from the disk engine. Nothing here blocks on a writer.

use std::sync::Arc;

use bytes::Bytes;
use fjall::{Keyspace, Readable, Slice, Snapshot};

use super::describe;
use super::home::Home;
use crate::StoreError;

#[derive(Clone)]
pub struct DiskView(Arc<Inner>);

struct Inner {
    snapshot: Snapshot,
    keyspace: Keyspace,
    /// Keeps the directory locked: nobody else may rewrite the files under a reader. Last, so that it goes last.
    _home: Arc<Home>,
}

impl DiskView {
    pub(super) fn new(snapshot: Snapshot, keyspace: Keyspace, home: Arc<Home>) -> DiskView {
        DiskView(Arc::new(Inner { snapshot, keyspace, _home: home }))
    }

    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let value = self.0.snapshot.get(&self.0.keyspace, key).map_err(|cause| unreadable(&cause))?;
        Ok(value.map(detach))
    }

    pub(crate) fn scan(&self, start: &[u8], end: &[u8], limit: usize) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        let pairs = self.0.snapshot.range(&self.0.keyspace, start..end).take(limit);
        pairs
            .map(|guard| {
                guard.into_inner().map(|(key, value)| (detach(key), detach(value))).map_err(|cause| unreadable(&cause))
            })
            .collect()
    }

    pub(crate) fn scan_keys(&self, start: &[u8], end: &[u8], limit: usize) -> Result<Vec<Bytes>, StoreError> {
        let guards = self.0.snapshot.range(&self.0.keyspace, start..end).take(limit);
        guards.map(|guard| guard.key().map(detach).map_err(|cause| unreadable(&cause))).collect()
    }
}

/// A small value read from a table is a window into a whole block; a cache above that keeps the value would keep the
/// block. Large values are not worth a copy.
fn detach(slice: Slice) -> Bytes {
    const COPY_UP_TO: usize = 4096;
    if slice.len() <= COPY_UP_TO { Bytes::copy_from_slice(&slice) } else { Bytes::from_owner(slice) }
}

fn unreadable(cause: &fjall::Error) -> StoreError {
    match super::io_cause(cause) {
        Some(cause) => StoreError::Io(cause.to_string().into()),
        None => StoreError::Damaged(describe(cause).into()),
    }
}
