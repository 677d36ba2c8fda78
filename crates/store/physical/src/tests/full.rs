//! A full disk: writes are refused, reads go on, nothing acknowledged is lost. Needs a small file system of its own, which
//! only root may mount; says so and passes otherwise.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{SMALL, all, block_on, get, open, put};
use crate::{CommitError, DiskOptions, Store, StoreHealth};

const MIB: usize = 1024 * 1024;

/// A tmpfs that goes with the value.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(size: &str) -> Option<SmallDisk> {
        let dir = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(dir.path())
            .stderr(Stdio::null())
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(SmallDisk(dir));
        }
        eprintln!("skipped: a small file system cannot be mounted here");
        None
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

/// Writes 1 MiB values until one is refused; how many went in, and the refusal.
fn fill(store: &Store) -> (usize, CommitError) {
    for n in 0..200 {
        if let Err(refused) = block_on(put(store, &format!("big{n:03}"), &"x".repeat(MIB))) {
            return (n, refused);
        }
    }
    panic!("a small disk took 200 MiB");
}

#[test]
fn the_reserve_refuses_writes_until_there_is_room_again() {
    let Some(disk) = SmallDisk::mount("48m") else { return };
    let store = Store::open(disk.path(), DiskOptions { reserve_bytes: 8 * MIB as u64, ..SMALL }).unwrap();
    let ballast = disk.path().join("fjall/ballast");
    fs::write(&ballast, vec![1; 16 * MIB]).unwrap();
    let (written, refused) = fill(&store);
    assert!(written > 2);
    assert_eq!(refused, CommitError::Full);
    assert_eq!(store.health(), StoreHealth::Full);
    assert_eq!(block_on(get(&store, "big001")).map(|value| value.len()), Some(MIB), "reads go on");
    fs::remove_file(&ballast).unwrap();
    let until = std::time::Instant::now() + Duration::from_secs(30);
    while store.health() != StoreHealth::Ok {
        assert!(std::time::Instant::now() < until, "health never lifts by itself");
        std::thread::sleep(Duration::from_millis(50));
    }
    block_on(put(&store, "after", "1")).unwrap();
    store.close();
    assert_eq!(block_on(all(&open(disk.path()))).len(), written + 1);
}

#[test]
fn running_into_the_wall_loses_nothing_acknowledged() {
    let Some(disk) = SmallDisk::mount("24m") else { return };
    let store = open(disk.path());
    let (written, refused) = fill(&store);
    assert_eq!(refused, CommitError::Full);
    assert_eq!(store.health(), StoreHealth::Full);
    assert_eq!(block_on(put(&store, "tiny", "1")), Err(CommitError::Full));
    assert_eq!(block_on(get(&store, "big000")).map(|value| value.len()), Some(MIB), "reads go on");
    assert_eq!(block_on(get(&store, "tiny")), None);
    store.close();
    let grown = Command::new("mount").args(["-o", "remount,size=200m"]).arg(disk.path()).status().unwrap();
    assert!(grown.success());
    let store = open(disk.path());
    let found = block_on(all(&store));
    assert!(
        found.len() == written || found.len() == written + 1,
        "the refused one may have made it, no acknowledged one may miss"
    );
    assert!(found.iter().all(|(_, value)| value.len() == MIB));
    block_on(put(&store, "after", "1")).unwrap();
    drop(store);
    assert_eq!(block_on(get(&open(disk.path()), "after")).as_deref(), Some("1"));
}
