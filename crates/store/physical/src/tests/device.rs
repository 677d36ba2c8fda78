//! The pretend device fails as it says, so that other rooms can rely on it.

use super::{all, get, put, puts};
use crate::failing::{Device, Failure};
use crate::{CommitError, ReadSet, StoreHealth};

/// What is left of three writes when the third fails.
async fn survivors(failure: Failure) -> Vec<String> {
    let device = Device::new();
    let store = device.open();
    device.fail_at(3, failure);
    put(&store, "a", "1").await.unwrap();
    put(&store, "b", "2").await.unwrap();
    assert!(put(&store, "c", "3").await.is_err());
    assert_eq!(get(&store, "a").await.as_deref(), Some("1"), "reads go on");
    assert_eq!(get(&store, "c").await, None, "what failed is not shown");
    assert!(put(&store, "d", "4").await.is_err(), "and nothing follows");
    assert!(!device.armed());
    let again = device.open();
    put(&again, "e", "5").await.unwrap();
    all(&again).await.into_iter().map(|(key, _)| String::from_utf8(key).unwrap()).collect()
}

#[tokio::test]
async fn each_failure_leaves_what_it_says() {
    assert_eq!(survivors(Failure::Before).await, ["a", "b", "e"]);
    assert_eq!(survivors(Failure::After).await, ["a", "b", "c", "e"]);
    assert_eq!(survivors(Failure::Torn).await, ["a", "b", "e"]);
    assert_eq!(survivors(Failure::Full).await, ["a", "b", "e"]);
}

#[tokio::test]
async fn health_tells_full_from_broken() {
    let device = Device::new();
    let store = device.open();
    device.fail_at(1, Failure::Full);
    assert_eq!(put(&store, "a", "1").await, Err(CommitError::Full));
    assert_eq!(store.health(), StoreHealth::Full);
    assert_eq!(put(&store, "a", "1").await, Err(CommitError::Full));
    let store = device.open();
    device.fail_at(1, Failure::After);
    assert!(matches!(put(&store, "a", "1").await, Err(CommitError::Io(_))));
    assert!(matches!(store.health(), StoreHealth::Poisoned(_)));
    assert!(matches!(put(&store, "b", "1").await, Err(CommitError::Poisoned(_))));
}

#[tokio::test]
async fn a_torn_group_keeps_whole_requests_only() {
    let device = Device::new();
    let store = device.open();
    // The first write keeps the committer busy no longer than an instant; on one thread all that is joined here queues
    // up before the committer runs, or in two groups at worst. Either way each request is there whole or not at all.
    device.fail_at(1, Failure::Torn);
    let work = (0..10).map(|n| {
        let store = store.clone();
        tokio::spawn(async move {
            let (left, right) = (format!("{n}l"), format!("{n}r"));
            store.commit(None, ReadSet::new(), puts([(&left, "1"), (&right, "1")])).await
        })
    });
    for task in work.collect::<Vec<_>>() {
        assert!(task.await.unwrap().is_err());
    }
    let left = all(&device.open()).await;
    assert!(left.len() < 20 && left.len().is_multiple_of(2), "{}", left.len());
    assert!(left.chunks(2).all(|pair| pair[0].0[0] == pair[1].0[0]));
}

#[tokio::test]
async fn writes_are_counted_and_an_old_store_cannot_write() {
    let device = Device::new();
    let first = device.open();
    put(&first, "a", "1").await.unwrap();
    let second = device.open();
    assert!(put(&first, "b", "1").await.is_err());
    put(&second, "c", "1").await.unwrap();
    device.fail_at(1, Failure::Before);
    device.disarm();
    put(&second, "d", "1").await.unwrap();
    assert_eq!(device.writes(), 3);
    assert_eq!(device.contents().len(), 3);
    assert_eq!(second.snapshot().unwrap().seq(), 3);
}
