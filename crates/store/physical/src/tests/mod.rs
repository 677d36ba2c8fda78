//! The behaviour of the room: what a caller of [`crate::Store`] may rely on, whatever the engine.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests"
)]

mod conflicts;
mod crash;
mod device;
mod directory;
mod full;
mod groups;
mod limits;
mod measure;
mod model;
mod trouble;

use std::path::Path;

use crate::{Batch, CommitError, Committed, DiskOptions, ReadSet, Store};

/// Small enough for a test, without a reserve: the disk of a test machine may be nearly full.
pub(crate) const SMALL: DiskOptions = DiskOptions { cache_bytes: 8 * 1024 * 1024, reserve_bytes: 0 };

pub(crate) fn open(dir: &Path) -> Store {
    Store::open(dir, SMALL).unwrap()
}

pub(crate) fn puts<const N: usize>(pairs: [(&str, &str); N]) -> Batch {
    let mut batch = Batch::new();
    for (key, value) in pairs {
        batch.put(key.into(), value.into());
    }
    batch
}

pub(crate) async fn put(store: &Store, key: &str, value: &str) -> Result<Committed, CommitError> {
    store.commit(None, ReadSet::new(), puts([(key, value)])).await
}

pub(crate) async fn get(store: &Store, key: &str) -> Option<String> {
    let value = store.snapshot().unwrap().get(key.as_bytes()).await.unwrap();
    value.map(|value| String::from_utf8(value.to_vec()).unwrap())
}

/// Everything in the store, in order.
pub(crate) async fn all(store: &Store) -> Vec<(Vec<u8>, Vec<u8>)> {
    let pairs = store.snapshot().unwrap().scan(&[0], &[0xff], usize::MAX).await.unwrap();
    pairs.into_iter().map(|(key, value)| (key.to_vec(), value.to_vec())).collect()
}

/// Runs `work` on a small runtime; for tests that are not async themselves.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}
