//! Figures, not assertions: `cargo test --release -p bulla-physical measure -- --ignored --nocapture`.

use std::io::Write;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use super::open;
use crate::{Batch, ReadSet, Store};

const VALUE: usize = 1024;

#[test]
#[ignore = "measures for some seconds"]
fn measure() {
    let dir = tempfile::tempdir().unwrap();
    raw_sync(dir.path());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let store = open(&dir.path().join("store"));
    for writers in [1, 64] {
        runtime.block_on(commits(&store, writers, Duration::from_secs(3)));
    }
    runtime.block_on(gets(&store));
}

fn raw_sync(dir: &std::path::Path) {
    let mut file = std::fs::File::create(dir.join("raw")).unwrap();
    file.write_all(&vec![1; 4 * 1024 * 1024]).unwrap();
    file.sync_all().unwrap();
    let begin = Instant::now();
    for n in 0..1000u64 {
        file.write_all_at(&[2; VALUE], n * VALUE as u64).unwrap();
        file.sync_data().unwrap();
    }
    println!("raw: write 1 KiB in place + fdatasync {:?}", begin.elapsed() / 1000);
    // The library's journal is a file of 64 MiB of holes: each sync also has to record new blocks.
    let file = std::fs::File::create(dir.join("holes")).unwrap();
    file.set_len(64 * 1024 * 1024).unwrap();
    file.sync_all().unwrap();
    let begin = Instant::now();
    for n in 0..1000u64 {
        file.write_all_at(&[2; VALUE], n * VALUE as u64).unwrap();
        file.sync_data().unwrap();
    }
    println!("raw: write 1 KiB into holes + fdatasync {:?}", begin.elapsed() / 1000);
}

async fn commits(store: &Store, writers: usize, time: Duration) {
    let (before, begin) = (store.stats(), Instant::now());
    let tasks: Vec<_> = (0..writers).map(|writer| tokio::spawn(write(store.clone(), writer, begin + time))).collect();
    for task in tasks {
        task.await.unwrap();
    }
    let (after, took) = (store.stats(), begin.elapsed());
    let (commits, syncs) = (after.commits - before.commits, after.syncs - before.syncs);
    println!(
        "{writers} writers of 1 KiB: {:.0} commits/s, {:.0} syncs/s",
        commits as f64 / took.as_secs_f64(),
        syncs as f64 / took.as_secs_f64()
    );
}

async fn write(store: Store, writer: usize, until: Instant) {
    let mut n = 0u32;
    while Instant::now() < until {
        let mut batch = Batch::new();
        batch.put(format!("{writer}/{n:08}").into_bytes(), vec![3; VALUE]);
        store.commit(None, ReadSet::new(), batch).await.unwrap();
        n += 1;
    }
}

async fn gets(store: &Store) {
    let keys = store.snapshot().unwrap().scan_keys(b"0/", b"00", 1000).await.unwrap();
    for round in 0..3 {
        let begin = Instant::now();
        for _ in 0..100 {
            for key in &keys {
                assert!(store.snapshot().unwrap().get(key).await.unwrap().is_some());
            }
        }
        println!(
            "round {round}: snapshot + get of 1 KiB {:?}",
            begin.elapsed() / u32::try_from(100 * keys.len()).unwrap()
        );
    }
}
