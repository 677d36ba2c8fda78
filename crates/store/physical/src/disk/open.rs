//! Opening: everything that must be true before the first read.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use fjall::config::PartitioningPolicy;
use fjall::{Database, Keyspace, KeyspaceCreateOptions};

use super::home::Home;
use super::keeper::Keeper;
use super::{COUNTER_KEY, Disk, DiskOptions, counter, describe};
use crate::OpenError;

/// What is in memory and not yet in a table. The journal of it is replayed on opening, and its size alone decides how long
/// that takes: some tenths of a second for this one, however large the store is.
const MEMTABLE_BYTES: u64 = 32 * 1024 * 1024;
/// Journals of what is being written to tables are kept until it is there.
const JOURNAL_BYTES: u64 = 128 * 1024 * 1024;
const WORKERS: usize = 2;

impl Disk {
    pub(crate) fn open(dir: &Path, options: DiskOptions) -> Result<Disk, OpenError> {
        let io = |cause| OpenError::Io { dir: dir.to_path_buf(), cause };
        let home = Arc::new(Home::enter(dir)?);
        home.protect().map_err(io)?;
        let known = known_commits(&home)?;
        clear_half_made(&home, known)?;
        let (db, keyspace) = open_library(&home, options)?;
        home.protect().map_err(io)?;
        let seq = stored_commits(&home, &keyspace)?;
        if seq < known {
            return Err(OpenError::LostCommits { dir: dir.to_path_buf(), stored: seq, known });
        }
        let keeper = Keeper::start(Arc::clone(&home), seq, known).map_err(io)?;
        Ok(Disk { seq, id: home.id, options, dir: dir.to_path_buf(), keeper, keyspace, db, home })
    }
}

/// How many commits there must be. The library cuts a damaged journal off while opening it, and with it the evidence;
/// so what the journal witnesses goes to the file first, and a second attempt is refused like the first.
fn known_commits(home: &Home) -> Result<u64, OpenError> {
    let io = |cause| OpenError::Io { dir: home.dir.clone(), cause };
    let filed = counter::read(&home.dir)?;
    let witnessed = counter::witnessed(&home.library(), &home.id).map_err(io)?;
    if witnessed > filed {
        counter::write(&home.dir, witnessed).map_err(io)?;
    }
    Ok(filed.max(witnessed))
}

/// A crash while the library made its files leaves some that it would stumble over. They hold nothing yet.
fn clear_half_made(home: &Home, known: u64) -> Result<(), OpenError> {
    let io = |cause| OpenError::Io { dir: home.dir.clone(), cause };
    let library = home.library();
    // The library writes this file when all others are there.
    if library.join("version").try_exists().map_err(io)? {
        return Ok(());
    }
    if known > 0 {
        return Err(OpenError::Damaged {
            dir: home.dir.clone(),
            why: "files of the storage engine are missing".into(),
        });
    }
    match fs::remove_dir_all(&library) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => Err(io(cause)),
        _ => Ok(()),
    }
}

fn open_library(home: &Home, options: DiskOptions) -> Result<(Database, Keyspace), OpenError> {
    // The library asserts what it finds in its files; damage must not take the process along.
    let opened = catch_unwind(AssertUnwindSafe(|| {
        let db = Database::builder(home.library())
            .cache_size(options.cache_bytes)
            .max_journaling_size(JOURNAL_BYTES)
            .worker_threads(WORKERS)
            .open()?;
        // One keyspace for everything: one that nobody writes to any more could hold sealed journals for ever.
        // A store that is there already keeps the sizes it was made with.
        let options = || {
            // In small blocks on every level. By default only tables of the fourth level and below have them; in those above,
            // the first read after a start has to read and verify a table's whole filter and index: megabytes.
            KeyspaceCreateOptions::default()
                .max_memtable_size(MEMTABLE_BYTES)
                .filter_block_partitioning_policy(PartitioningPolicy::all(true))
                .index_block_partitioning_policy(PartitioningPolicy::all(true))
        };
        let keyspace = db.keyspace("records", options)?;
        Ok((db, keyspace))
    }));
    let damaged = |why| OpenError::Damaged { dir: home.dir.clone(), why };
    match opened {
        Ok(Ok(opened)) => Ok(opened),
        Ok(Err(fjall::Error::Locked)) => Err(OpenError::InUse(home.dir.clone())),
        Ok(Err(fjall::Error::Io(cause))) => Err(OpenError::Io { dir: home.dir.clone(), cause }),
        Ok(Err(other)) => Err(damaged(describe(&other))),
        Err(_) => Err(damaged("its files cannot be understood".into())),
    }
}

fn stored_commits(home: &Home, keyspace: &Keyspace) -> Result<u64, OpenError> {
    let damaged = |why| OpenError::Damaged { dir: home.dir.clone(), why };
    match keyspace.get(COUNTER_KEY).map_err(|cause| damaged(describe(&cause)))? {
        None => Ok(0),
        Some(record) => {
            home.id.read(&record).ok_or_else(|| damaged("its commit counter belongs to another store".into()))
        }
    }
}
