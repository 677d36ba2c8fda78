//! One sync carries many commits under load and exactly one when alone; nobody sees half a group.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::{get, open, put, puts};
use crate::{ReadSet, Store};

#[tokio::test]
async fn one_committer_costs_one_sync_a_commit() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for n in 1..=50u64 {
        let committed = put(&store, &format!("k{n}"), "v").await.unwrap();
        assert_eq!(committed.seq, n);
        let stats = store.stats();
        assert_eq!((stats.commits, stats.groups, stats.syncs), (n, n, n));
    }
    assert!(store.stats().bytes >= 50 * 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_committers_share_syncs() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let tasks: Vec<_> = (0..64).map(|task| tokio::spawn(write_many(store.clone(), task, 20))).collect();
    for task in tasks {
        task.await.unwrap();
    }
    let stats = store.stats();
    assert_eq!(stats.commits, 64 * 20);
    assert_eq!(stats.syncs, stats.groups);
    assert!(stats.syncs * 4 < stats.commits, "{stats:?}");
}

async fn write_many(store: Store, task: usize, count: usize) {
    for n in 0..count {
        let key = format!("{task}/{n}");
        put(&store, &key, "v").await.unwrap();
        assert_eq!(get(&store, &key).await.as_deref(), Some("v"), "what is acknowledged is visible");
    }
}

/// Each batch writes the same number under two keys; no reader may ever see two numbers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_snapshot_shows_half_a_batch() {
    let dir = tempfile::tempdir().unwrap();
    for store in [Store::memory(), open(dir.path())] {
        store.commit(None, ReadSet::new(), puts([("left", "0"), ("right", "0")])).await.unwrap();
        let done = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..8).map(|task| tokio::spawn(write_pairs(store.clone(), task))).collect();
        let reader = tokio::spawn(read_pairs(store.clone(), Arc::clone(&done)));
        for writer in writers {
            writer.await.unwrap();
        }
        done.store(true, Relaxed);
        assert!(reader.await.unwrap() > 0);
    }
}

async fn write_pairs(store: Store, task: usize) {
    for n in 0..40 {
        let number = format!("{task}.{n}");
        store.commit(None, ReadSet::new(), puts([("left", &number), ("right", &number)])).await.unwrap();
    }
}

async fn read_pairs(store: Store, done: Arc<AtomicBool>) -> usize {
    let mut looks = 0;
    let mut last = 0;
    while !done.load(Relaxed) || looks == 0 {
        let snapshot = store.snapshot().unwrap();
        assert!(snapshot.seq() >= last, "time runs backwards");
        last = snapshot.seq();
        assert_eq!(snapshot.get(b"left").await.unwrap(), snapshot.get(b"right").await.unwrap());
        looks += 1;
        tokio::task::yield_now().await;
    }
    looks
}
