//! Every limit, just under and just over.

use super::open;
use crate::{Batch, CommitError, MAX_BATCH, MAX_KEY, MAX_VALUE, RESERVED, ReadSet, Store, What};

async fn try_put(store: &Store, key: Vec<u8>, value: Vec<u8>) -> Result<(), CommitError> {
    let mut batch = Batch::new();
    batch.put(key, value);
    store.commit(None, ReadSet::new(), batch).await.map(drop)
}

#[tokio::test]
async fn keys_and_values_up_to_their_limits_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (key, value) = (vec![7; MAX_KEY], vec![8; MAX_VALUE]);
    try_put(&store, key.clone(), value.clone()).await.unwrap();
    store.close();
    let store = open(dir.path());
    assert_eq!(store.snapshot().unwrap().get(&key).await.unwrap().as_deref(), Some(value.as_slice()));
}

#[tokio::test]
async fn what_is_larger_is_refused_by_name() {
    let store = Store::memory();
    let long = try_put(&store, vec![7; MAX_KEY + 1], vec![]).await;
    assert_eq!(long, Err(CommitError::TooLarge { what: What::Key, size: MAX_KEY + 1, limit: MAX_KEY }));
    let large = try_put(&store, vec![7], vec![0; MAX_VALUE + 1]).await;
    assert_eq!(large, Err(CommitError::TooLarge { what: What::Value, size: MAX_VALUE + 1, limit: MAX_VALUE }));
    assert_eq!(store.stats().groups, 0);
}

/// A batch of exactly `bytes` in values of a megabyte.
fn batch_of(mut bytes: usize) -> Batch {
    let mut batch = Batch::new();
    for n in 1u8.. {
        if bytes == 0 {
            break;
        }
        let size = bytes.min(1024 * 1024);
        batch.put(vec![n], vec![n; size - 1]);
        bytes -= size;
    }
    batch
}

#[tokio::test]
async fn a_batch_is_bounded_as_a_whole() {
    let store = Store::memory();
    let under = batch_of(MAX_BATCH);
    assert_eq!(under.bytes(), MAX_BATCH);
    store.commit(None, ReadSet::new(), under).await.unwrap();
    let over = store.commit(None, ReadSet::new(), batch_of(MAX_BATCH + 1)).await;
    assert_eq!(over, Err(CommitError::TooLarge { what: What::Batch, size: MAX_BATCH + 1, limit: MAX_BATCH }));
}

#[tokio::test]
async fn the_keys_of_the_store_itself_are_out_of_reach() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    assert_eq!(try_put(&store, vec![RESERVED, 1], vec![]).await, Err(CommitError::ReservedKey));
    assert_eq!(try_put(&store, vec![], vec![]).await, Err(CommitError::ReservedKey));
    try_put(&store, vec![RESERVED - 1, 255, 255], vec![1]).await.unwrap();
    let snapshot = store.snapshot().unwrap();
    let everything = snapshot.scan_keys(&[], &[255, 255, 255], usize::MAX).await.unwrap();
    assert_eq!(everything, [vec![RESERVED - 1, 255, 255]], "the counter record is not listed");
    assert_eq!(snapshot.get(crate::disk::COUNTER_KEY).await.unwrap(), None);
    assert_eq!(snapshot.scan(&[5], &[4], 10).await.unwrap(), []);
    assert_eq!(snapshot.scan(&[], &[255], 0).await.unwrap(), []);
}

#[test]
fn the_last_write_of_a_key_wins_and_sizes_follow() {
    let mut batch = Batch::new();
    batch.put(b"k".to_vec(), vec![0; 100]);
    batch.put(b"k".to_vec(), vec![0; 10]);
    assert_eq!((batch.len(), batch.bytes()), (1, 11));
    batch.delete(b"k".to_vec());
    assert_eq!((batch.len(), batch.bytes()), (1, 1));
    assert_eq!(batch.change(b"k"), Some(&crate::Change::Delete));
    assert_eq!(batch.changes_in(b"z", b"a").count(), 0);
    assert_eq!(batch.changes_in(b"k", b"l").count(), 1);
}
