//! The directory of the disk engine: reopening, ownership, modes, and damage that must not go unnoticed.

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::{SMALL, all, block_on, get, open, put};
use crate::{OpenError, Store};

#[tokio::test]
async fn everything_is_there_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for n in 0..200 {
        put(&store, &format!("k{n:03}"), &n.to_string()).await.unwrap();
    }
    drop(store);
    let store = open(dir.path());
    assert_eq!(store.snapshot().unwrap().seq(), 200, "the counter goes on");
    assert_eq!(all(&store).await.len(), 200);
    assert_eq!(put(&store, "more", "1").await.unwrap().seq, 201);
}

#[tokio::test]
async fn one_owner_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let second = Store::open(dir.path(), SMALL).unwrap_err();
    assert!(matches!(second, OpenError::InUse(_)));
    assert!(second.to_string().contains(dir.path().to_str().unwrap()), "{second}");
    let snapshot = store.snapshot().unwrap();
    store.close();
    assert!(matches!(Store::open(dir.path(), SMALL), Err(OpenError::InUse(_))), "a reader is still there");
    drop(snapshot);
    open(dir.path());
}

#[test]
fn foreign_and_newer_directories_are_refused_untouched() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("diary.txt"), "dear diary").unwrap();
    assert!(matches!(Store::open(dir.path(), SMALL), Err(OpenError::Foreign(_))));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing was added");
    fs::remove_file(dir.path().join("diary.txt")).unwrap();

    open(dir.path());
    let marker = dir.path().join("bulla-store");
    let text = fs::read_to_string(&marker).unwrap();
    fs::write(&marker, text.replace("format 1", "format 2")).unwrap();
    assert!(matches!(Store::open(dir.path(), SMALL), Err(OpenError::Newer { found: 2, known: 1, .. })));
    fs::write(&marker, text.replace("format 1", "format one")).unwrap();
    assert!(matches!(Store::open(dir.path(), SMALL), Err(OpenError::Damaged { .. })));
    fs::write(&marker, "something else").unwrap();
    assert!(matches!(Store::open(dir.path(), SMALL), Err(OpenError::Foreign(_))));
    fs::write(&marker, text).unwrap();
    open(dir.path());
}

fn modes(dir: &Path, found: &mut Vec<(PathBuf, u32)>) {
    found.push((dir.to_path_buf(), fs::metadata(dir).unwrap().permissions().mode() & 0o7777));
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            modes(&path, found);
        } else {
            found.push((path.clone(), fs::metadata(&path).unwrap().permissions().mode() & 0o7777));
        }
    }
}

fn assert_private(dir: &Path) {
    let mut found = Vec::new();
    modes(dir, &mut found);
    assert!(found.len() > 5);
    for (path, mode) in found {
        assert_eq!(mode, if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
    }
}

/// In a process of its own, because the umask belongs to the process.
#[test]
fn modes_hold_whatever_the_umask() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("store");
    let status = super::crash::child("tests::directory::child_without_umask", &dir).status().unwrap();
    assert!(status.success());
    assert_private(&dir);
    // And they are repaired.
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(dir.join("counter"), fs::Permissions::from_mode(0o644)).unwrap();
    let _store = open(&dir);
    assert_private(&dir);
}

#[test]
#[ignore = "run by modes_hold_whatever_the_umask"]
fn child_without_umask() {
    let Some(dir) = super::crash::child_dir() else { return };
    rustix::process::umask(rustix::fs::Mode::empty());
    let store = open(&dir);
    block_on(put(&store, "k", "v")).unwrap();
    assert_private(&dir);
    store.close();
}

fn journal(dir: &Path) -> PathBuf {
    let mut found: Vec<_> = fs::read_dir(dir.join("fjall")).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.extension().is_some_and(|ext| ext == "jnl"));
    assert_eq!(found.len(), 1);
    found.remove(0)
}

/// Makes a store of 300 records and flips a bit in the middle of the record `victim`.
fn damaged(dir: &Path, victim: usize) {
    let store = open(dir);
    for n in 0..300 {
        block_on(put(&store, &format!("key-{n:05}"), &"v".repeat(100))).unwrap();
    }
    store.close();
    flip(&journal(dir), format!("key-{victim:05}").as_bytes());
}

fn flip(journal: &Path, at: &[u8]) {
    let bytes = fs::read(journal).unwrap();
    let place = bytes.windows(at.len()).position(|window| window == at).unwrap() as u64;
    let file = fs::OpenOptions::new().read(true).write(true).open(journal).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, place + 20).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], place + 20).unwrap();
}

/// The storage library may notice or may silently drop what follows; we must notice either way, and again next time.
#[test]
fn a_flipped_bit_in_the_journal_is_noticed() {
    for victim in [0, 150, 299] {
        let dir = tempfile::tempdir().unwrap();
        damaged(dir.path(), victim);
        for attempt in 0..2 {
            let refused = Store::open(dir.path(), SMALL);
            assert!(
                matches!(refused, Err(OpenError::LostCommits { .. } | OpenError::Damaged { .. })),
                "{victim}, {attempt}: {refused:?}"
            );
        }
    }
}

/// The same where the length of a key is hit: the library takes that for the torn end of the journal.
#[test]
fn a_cut_journal_is_noticed_even_if_the_counter_file_is_old() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for n in 0..300 {
        block_on(put(&store, &format!("key-{n:05}"), "v")).unwrap();
    }
    store.close();
    // As after a kill within the first second.
    fs::write(dir.path().join("counter"), "bulla commit counter\n1\n").unwrap();
    let journal = journal(dir.path());
    let bytes = fs::read(&journal).unwrap();
    let place = bytes.windows(9).position(|window| window == b"key-00100").unwrap() as u64;
    let file = fs::OpenOptions::new().write(true).open(&journal).unwrap();
    // Length of the key, before the lengths of the value: see the layout of an item in the library's journal.
    file.write_all_at(&[0xff, 0xff], place - 10).unwrap();
    for _ in 0..2 {
        let refused = Store::open(dir.path(), SMALL).unwrap_err();
        assert!(
            matches!(refused, OpenError::LostCommits { known: 299.., .. } | OpenError::Damaged { .. }),
            "{refused}"
        );
        assert!(refused.to_string().contains("damaged"), "{refused}");
    }
}

#[test]
fn a_missing_counter_or_missing_files_are_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    block_on(put(&store, "k", "v")).unwrap();
    store.close();
    let counter = dir.path().join("counter");
    let text = fs::read_to_string(&counter).unwrap();
    assert_eq!(text, "bulla commit counter\n1\n", "written on a clean stop");
    fs::remove_file(&counter).unwrap();
    assert!(matches!(Store::open(dir.path(), SMALL), Err(OpenError::Damaged { .. })));
    fs::write(&counter, "1").unwrap();
    assert!(matches!(Store::open(dir.path(), SMALL), Err(OpenError::Damaged { .. })));
    fs::write(&counter, text.replace('1', "2")).unwrap();
    assert!(matches!(Store::open(dir.path(), SMALL), Err(OpenError::LostCommits { stored: 1, known: 2, .. })));
    fs::write(&counter, &text).unwrap();
    assert_eq!(block_on(get(&open(dir.path()), "k")).as_deref(), Some("v"));
    fs::remove_dir_all(dir.path().join("fjall")).unwrap();
    assert!(matches!(Store::open(dir.path(), SMALL), Err(OpenError::Damaged { .. })));
}

#[test]
fn a_creation_that_was_interrupted_is_begun_again() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path());
    fs::remove_file(dir.path().join("fjall/version")).unwrap();
    let store = open(dir.path());
    block_on(put(&store, "k", "v")).unwrap();
}

#[tokio::test]
async fn the_counter_file_follows_while_the_store_runs() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    put(&store, "k", "v").await.unwrap();
    let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while fs::read_to_string(dir.path().join("counter")).unwrap() != "bulla commit counter\n1\n" {
        assert!(std::time::Instant::now() < until, "never written");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// More than one memtable and one journal, so that tables are written, journals sealed and removed, and modes follow.
#[test]
fn flushed_tables_and_rotated_journals_are_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for n in 0..150u8 {
        let mut batch = crate::Batch::new();
        batch.put(vec![1, n], vec![n; 1024 * 1024]);
        batch.put(vec![2], vec![n]);
        block_on(store.commit(None, crate::ReadSet::new(), batch)).unwrap();
    }
    store.close();
    assert!(fs::read_dir(dir.path().join("fjall/keyspaces/1/tables")).unwrap().count() > 0, "nothing was flushed");
    assert_private(dir.path());
    let store = open(dir.path());
    let snapshot = store.snapshot().unwrap();
    assert_eq!(snapshot.seq(), 150);
    assert_eq!(block_on(snapshot.get(&[2])).unwrap().as_deref(), Some(&[149][..]));
    for n in 0..150u8 {
        let value = block_on(snapshot.get(&[1, n])).unwrap().unwrap();
        assert!(value.len() == 1024 * 1024 && value.iter().all(|byte| *byte == n));
    }
}
