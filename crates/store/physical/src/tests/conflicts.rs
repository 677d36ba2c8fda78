//! A commit goes through only if what it read is still true.

use super::{get, open, put, puts};
use crate::window::{Bounds, Window};
use crate::{CommitError, ReadSet, Store};

fn read_key(key: &str) -> ReadSet {
    let mut reads = ReadSet::new();
    reads.add_key(key.as_bytes());
    reads
}

fn read_range(start: &str, end: &str) -> ReadSet {
    let mut reads = ReadSet::new();
    reads.add_range(start.into(), end.into());
    reads
}

/// Commits with `reads` from a snapshot after which `k` is written.
async fn outcome(store: &Store, reads: ReadSet) -> Result<(), CommitError> {
    let before = store.snapshot().unwrap();
    put(store, "k", "changed").await.unwrap();
    store.commit(Some(&before), reads, puts([("mine", "1")])).await.map(drop)
}

#[tokio::test]
async fn what_was_read_must_not_have_changed() {
    let dir = tempfile::tempdir().unwrap();
    for store in [Store::memory(), open(dir.path())] {
        put(&store, "k", "first").await.unwrap();
        assert_eq!(outcome(&store, read_key("k")).await, Err(CommitError::Conflict));
        assert_eq!(outcome(&store, read_range("a", "l")).await, Err(CommitError::Conflict));
        assert_eq!(outcome(&store, read_range("k", "k\0")).await, Err(CommitError::Conflict));
        assert_eq!(get(&store, "mine").await, None, "a refused batch leaves nothing");
        assert_eq!(outcome(&store, read_range("a", "k")).await, Ok(()), "half open: the end does not count");
        assert_eq!(outcome(&store, read_range("l", "z")).await, Ok(()));
        assert_eq!(outcome(&store, read_key("other")).await, Ok(()));
        assert_eq!(outcome(&store, ReadSet::new()).await, Ok(()));
        assert_eq!(store.stats().conflicts, 3);
    }
}

#[tokio::test]
async fn a_key_that_turns_up_in_a_range_conflicts() {
    let store = Store::memory();
    let before = store.snapshot().unwrap();
    put(&store, "folder/new", "1").await.unwrap();
    let late = store.commit(Some(&before), read_range("folder/", "folder0"), puts([("count", "0")])).await;
    assert_eq!(late, Err(CommitError::Conflict));
}

#[tokio::test]
async fn a_key_that_was_absent_and_is_written_conflicts_and_so_does_a_deletion() {
    let store = Store::memory();
    let before = store.snapshot().unwrap();
    put(&store, "once", "theirs").await.unwrap();
    assert_eq!(
        store.commit(Some(&before), read_key("once"), puts([("once", "mine")])).await,
        Err(CommitError::Conflict)
    );
    let before = store.snapshot().unwrap();
    let mut gone = crate::Batch::new();
    gone.delete(b"once".to_vec());
    store.commit(None, ReadSet::new(), gone).await.unwrap();
    assert_eq!(store.commit(Some(&before), read_key("once"), puts([("x", "")])).await, Err(CommitError::Conflict));
    assert_eq!(get(&store, "once").await, None);
}

#[tokio::test]
async fn an_empty_batch_is_checked_and_costs_no_write() {
    let store = Store::memory();
    let before = store.snapshot().unwrap();
    assert!(store.commit(Some(&before), read_key("k"), crate::Batch::new()).await.is_ok());
    assert_eq!(store.stats().groups, 0);
    put(&store, "k", "1").await.unwrap();
    assert_eq!(store.commit(Some(&before), read_key("k"), crate::Batch::new()).await, Err(CommitError::Conflict));
}

/// Many requests read a counter, add one and write it: in one group only the first may win.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_of_one_group_conflict_with_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    put(&store, "counter", "0").await.unwrap();
    let tasks: Vec<_> = (0..32).map(|_| tokio::spawn(increment(store.clone(), 8))).collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(get(&store, "counter").await.as_deref(), Some("256"));
    assert!(store.stats().conflicts > 0, "the load never met itself");
}

async fn increment(store: Store, times: usize) {
    let mut done = 0;
    while done < times {
        let snapshot = store.snapshot().unwrap();
        let now: u64 = std::str::from_utf8(&snapshot.get(b"counter").await.unwrap().unwrap()).unwrap().parse().unwrap();
        match store.commit(Some(&snapshot), read_key("counter"), puts([("counter", &(now + 1).to_string())])).await {
            Ok(_) => done += 1,
            Err(CommitError::Conflict) => {}
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn a_snapshot_older_than_the_window_conflicts() {
    let mut window = Window::starting_at(10, Bounds { keys: 3, bytes: 1000 });
    for seq in 11..=13 {
        window.note(seq, &puts([(&format!("k{seq}"), "")]));
        window.trim();
    }
    assert!(window.unchanged_since(10, &read_key("other")), "three keys still fit");
    assert!(!window.unchanged_since(9, &read_key("other")), "before the store was opened");
    window.note(14, &puts([("k14", "")]));
    window.trim();
    assert!(!window.unchanged_since(10, &read_key("other")), "the group after 10 is forgotten");
    assert!(window.unchanged_since(11, &read_key("other")));
    assert!(window.unchanged_since(10, &ReadSet::new()), "nothing read, nothing to check");
    assert!(!window.unchanged_since(11, &read_range("k12", "k13")));
}

#[test]
fn the_window_is_bounded_in_bytes_and_forgets_whole_groups() {
    let mut window = Window::starting_at(0, Bounds { keys: 1000, bytes: 8 });
    window.note(1, &puts([("aaaa", ""), ("bbbb", "")]));
    window.trim();
    assert!(window.unchanged_since(0, &read_key("c")));
    window.note(2, &puts([("c", "")]));
    window.trim();
    assert!(!window.unchanged_since(0, &read_key("zz")), "all of group 1 is gone, not half of it");
    assert!(!window.unchanged_since(1, &read_key("c")));
    assert!(window.unchanged_since(2, &read_key("c")));
}

/// Both ways of looking at a range (what was written since, or the range itself) must say the same.
#[test]
fn a_range_is_checked_alike_after_few_and_after_many_writes() {
    let mut window = Window::starting_at(0, Bounds::default());
    window.note(1, &puts([("in", "")]));
    for seq in 2..1000 {
        assert!(!window.unchanged_since(0, &read_range("i", "j")), "after {seq}");
        assert!(window.unchanged_since(1, &read_range("i", "j")), "after {seq}");
        window.note(seq, &puts([(&format!("out{seq}"), "")]));
    }
}
