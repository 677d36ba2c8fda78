//! Faults of the program end in an answer, never in a wait without end; closing is clean.

use std::time::Duration;

use super::{get, open, put};
use crate::memory::Memory;
use crate::{CommitError, Engine, Group, Store, StoreError, StoreHealth, View, WriteError};

/// Panics at its second write.
struct Panicking(Memory);

impl Engine for Panicking {
    fn last_seq(&self) -> u64 {
        self.0.last_seq()
    }
    fn view(&self) -> View {
        self.0.view()
    }
    fn write(&mut self, group: &Group) -> Result<u64, WriteError> {
        assert!(group.seq() < 2, "a fault in the engine");
        self.0.write(group)
    }
}

#[tokio::test]
async fn a_panic_in_the_committer_answers_everybody() {
    let store = Store::with_engine(Box::new(Panicking(Memory::new())));
    put(&store, "a", "1").await.unwrap();
    let waiting: Vec<_> = (0..20)
        .map(|n| {
            tokio::spawn({
                let store = store.clone();
                async move { put(&store, &n.to_string(), "1").await }
            })
        })
        .collect();
    for task in waiting {
        let answer =
            tokio::time::timeout(Duration::from_secs(20), task).await.expect("somebody waits for ever").unwrap();
        assert!(matches!(answer, Err(CommitError::Poisoned(_))), "{answer:?}");
    }
    // The last answer may be out an instant before the health says why.
    while store.health() == StoreHealth::Ok {
        tokio::task::yield_now().await;
    }
    assert!(matches!(store.health(), StoreHealth::Poisoned(_)));
    assert_eq!(get(&store, "a").await.as_deref(), Some("1"), "reads go on");
    assert!(matches!(put(&store, "b", "1").await, Err(CommitError::Poisoned(_))));
    store.close();
}

#[tokio::test]
async fn after_closing_everybody_is_told_so() {
    let dir = tempfile::tempdir().unwrap();
    for store in [Store::memory(), open(dir.path())] {
        put(&store, "a", "1").await.unwrap();
        let other = store.clone();
        let held = store.snapshot().unwrap();
        store.close();
        assert!(matches!(other.snapshot(), Err(StoreError::Closed)));
        assert_eq!(put(&other, "b", "1").await, Err(CommitError::Closed));
        assert_eq!(held.get(b"a").await.unwrap().as_deref(), Some(&b"1"[..]), "a snapshot outlives the store");
    }
}

#[tokio::test]
async fn what_was_queued_before_closing_is_answered() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let caller = store.clone();
    let mut queued = Box::pin(async move { put(&caller, "a", "1").await });
    // Polled once, so that it is in the queue.
    let first = queued.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
    store.clone().close();
    let answer = match first {
        std::task::Poll::Ready(answer) => answer,
        std::task::Poll::Pending => queued.await,
    };
    assert!(answer.is_ok());
    drop(store);
    assert_eq!(get(&open(dir.path()), "a").await.as_deref(), Some("1"));
}
