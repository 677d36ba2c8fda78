//! The disk engine: the default store of one node. The only place that names the storage library (fjall, an LSM tree).
//!
//! ```text
//! dir/            0700
//!   bulla-store   what this is: format and a random id            (home)
//!   lock          held while the store is open                    (home)
//!   counter       last known commit counter, about a second old   (counter)
//!   fjall/        journal and tables of the library
//! ```
//!
//! The library takes a damaged place in its journal for the torn end of it and silently drops what follows. Hence the
//! commit counter: every group carries a record with its number, and three witnesses must agree when the store is opened:
//! the record that is readable, the file `counter`, and the newest record found in the raw bytes of the journals.

mod counter;
mod home;
mod inspect;
mod keeper;
mod open;
mod view;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fjall::{AbstractTree, Database, Keyspace, PersistMode};

use self::counter::StoreId;
use self::home::Home;
pub use self::inspect::{Found, inspect};
use self::keeper::Keeper;
pub(crate) use self::view::DiskView;
use crate::{Change, Engine, Group, RESERVED, Room, View, WriteError};

/// The record every group carries; see [`StoreId::record`].
pub(crate) const COUNTER_KEY: &[u8] = &[RESERVED, b'c', b'o', b'm', b'm', b'i', b't', b's'];

#[derive(Debug, Clone, Copy)]
pub struct DiskOptions {
    /// Bytes of table blocks kept in memory.
    pub cache_bytes: u64,
    /// Writes are refused while the file system has less than this left (bytes): flushing and compaction need room to
    /// finish, and a store that never runs into the wall can go on as soon as there is room again.
    /// Zero asks for running into the wall: then only opening the store again helps.
    pub reserve_bytes: u64,
}

impl Default for DiskOptions {
    fn default() -> DiskOptions {
        DiskOptions { cache_bytes: 128 * 1024 * 1024, reserve_bytes: 64 * 1024 * 1024 }
    }
}

pub(crate) struct Disk {
    seq: u64,
    id: StoreId,
    options: DiskOptions,
    dir: PathBuf,
    keeper: Keeper,
    keyspace: Keyspace,
    db: Database,
    // Last, so that the lock outlives everything that touches the files.
    home: Arc<Home>,
}

impl Engine for Disk {
    fn last_seq(&self) -> u64 {
        self.seq
    }

    fn view(&self) -> View {
        View::Disk(DiskView::new(self.db.snapshot(), self.keyspace.clone(), Arc::clone(&self.home)))
    }

    fn write(&mut self, group: &Group) -> Result<u64, WriteError> {
        self.wait_for_workers()?;
        let merged = group.merged();
        let mut batch = self.db.batch().durability(Some(PersistMode::SyncData));
        batch.insert(&self.keyspace, COUNTER_KEY, self.id.record(group.seq()).as_slice());
        for (key, change) in merged {
            match change {
                Change::Put(value) => batch.insert(&self.keyspace, key, value.as_slice()),
                Change::Delete => batch.remove(&self.keyspace, key),
            }
        }
        batch.commit().map_err(|cause| self.failed(&cause))?;
        self.seq = group.seq();
        self.keeper.durable(self.seq);
        Ok(1)
    }

    fn room(&mut self, bytes: usize) -> Room {
        if self.options.reserve_bytes == 0 {
            return Room::Enough;
        }
        // Once into the journal, once more when it is flushed to a table.
        let needed = self.options.reserve_bytes.saturating_add(2 * bytes as u64);
        match self.free() {
            Ok(free) if free < needed => Room::Full,
            // A file system that cannot tell is no reason to refuse; the write itself will.
            _ => Room::Enough,
        }
    }

    fn close(&mut self) {
        self.keeper.stop();
    }
}

impl Disk {
    fn free(&self) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(&self.dir)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    /// The library makes a writer wait, without end, for flushes and compactions that never come once its workers have
    /// died (of a full disk, say). So wait here, where the death is noticed.
    fn wait_for_workers(&self) -> Result<(), WriteError> {
        /// The library itself waits from 4 and 30 on; this very write, and a flush beside it, may add one.
        const SEALED: usize = 3;
        const RUNS: usize = 28;
        while self.keyspace.sealed_memtable_count() >= SEALED || self.keyspace.tree.l0_run_count() >= RUNS {
            // Has nothing to persist; says "poisoned" if the workers are dead.
            self.db.persist(PersistMode::Buffer).map_err(|cause| self.failed(&cause))?;
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    fn failed(&self, cause: &fjall::Error) -> WriteError {
        // Background work that met a full disk reaches us only as "poisoned".
        let full = match cause {
            fjall::Error::Poisoned => self.free().is_ok_and(|free| free < 1024 * 1024),
            other => io_cause(other)
                .is_some_and(|cause| matches!(cause.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)),
        };
        if full {
            return WriteError::Full;
        }
        WriteError::Failed(match cause {
            fjall::Error::Poisoned => "background work of the storage engine failed".into(),
            other => describe(other).into(),
        })
    }
}

fn io_cause(error: &fjall::Error) -> Option<&io::Error> {
    match error {
        fjall::Error::Io(cause) | fjall::Error::Storage(fjall::LsmError::Io(cause)) => Some(cause),
        _ => None,
    }
}

/// The library's own display names its types; this says what happened.
fn describe(error: &fjall::Error) -> String {
    match error {
        fjall::Error::Io(cause) | fjall::Error::Storage(fjall::LsmError::Io(cause)) => cause.to_string(),
        fjall::Error::Storage(cause) => format!("a table cannot be read ({cause:?})"),
        fjall::Error::JournalRecovery(cause) => format!("the journal cannot be read ({cause:?})"),
        other => format!("{other:?}"),
    }
}
