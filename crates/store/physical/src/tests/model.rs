//! Any sequence of commits, snapshots and reopenings gives what a plain map gives.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{block_on, open};
use crate::{Batch, ReadSet, Snapshot, Store};

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Debug, Clone)]
enum Step {
    Commit(Vec<(Vec<u8>, Option<Vec<u8>>)>),
    Snapshot,
    Forget(usize),
    Scan(Vec<u8>, Vec<u8>, usize),
    Reopen,
}

/// Few short keys, so that they meet again.
fn key() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(prop_oneof![0u8..4, Just(0xfe)], 1..4)
}

fn step() -> impl Strategy<Value = Step> {
    let value = proptest::option::weighted(0.7, proptest::collection::vec(any::<u8>(), 0..40));
    prop_oneof![
        6 => proptest::collection::vec((key(), value), 0..6).prop_map(Step::Commit),
        2 => Just(Step::Snapshot),
        1 => any::<usize>().prop_map(Step::Forget),
        3 => (key(), key(), 0usize..10).prop_map(|(start, end, limit)| Step::Scan(start, end, limit)),
        1 => Just(Step::Reopen),
    ]
}

async fn same(snapshot: &Snapshot, model: &Map, start: &[u8], end: &[u8], limit: usize) {
    let got: Vec<_> = snapshot.scan(start, end, limit).await.unwrap();
    let want: Vec<_> =
        model.iter().filter(|(key, _)| start <= key.as_slice() && key.as_slice() < end).take(limit).collect();
    assert_eq!(
        got.iter().map(|(k, v)| (k.to_vec(), v.to_vec())).collect::<Vec<_>>(),
        want.iter().map(|(k, v)| ((*k).clone(), (*v).clone())).collect::<Vec<_>>()
    );
    let keys: Vec<_> = snapshot.scan_keys(start, end, limit).await.unwrap();
    assert_eq!(keys, got.into_iter().map(|(key, _)| key).collect::<Vec<_>>());
}

async fn run(mut store: Store, reopen: impl Fn(Store) -> Store, steps: Vec<Step>) {
    let mut model = Map::new();
    let mut snapshots: Vec<(Snapshot, Map)> = Vec::new();
    for step in steps {
        match step {
            Step::Commit(changes) => {
                let mut batch = Batch::new();
                for (key, value) in changes {
                    match value {
                        Some(value) => {
                            model.insert(key.clone(), value.clone());
                            batch.put(key, value);
                        }
                        None => {
                            model.remove(&key);
                            batch.delete(key);
                        }
                    }
                }
                store.commit(None, ReadSet::new(), batch).await.unwrap();
            }
            Step::Snapshot => snapshots.push((store.snapshot().unwrap(), model.clone())),
            Step::Forget(at) if !snapshots.is_empty() => drop(snapshots.swap_remove(at % snapshots.len())),
            Step::Forget(_) => {}
            Step::Scan(start, end, limit) => same(&store.snapshot().unwrap(), &model, &start, &end, limit).await,
            Step::Reopen => {
                snapshots.clear();
                store = reopen(store);
            }
        }
        for (snapshot, then) in &snapshots {
            same(snapshot, then, &[0], &[0xff], usize::MAX).await;
        }
    }
    let now = store.snapshot().unwrap();
    same(&now, &model, &[], &[0xff, 0xff], usize::MAX).await;
    for (key, value) in &model {
        assert_eq!(now.get(key).await.unwrap().as_deref(), Some(value.as_slice()));
    }
    assert_eq!(now.get(&[9]).await.unwrap(), None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn memory_is_a_map(steps in proptest::collection::vec(step(), 0..60)) {
        block_on(run(Store::memory(), |store| store, steps));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn disk_is_a_map(steps in proptest::collection::vec(step(), 0..60)) {
        let dir = tempfile::tempdir().unwrap();
        let again = |store: Store| { store.close(); open(dir.path()) };
        block_on(run(open(dir.path()), again, steps));
    }
}
