//! The disk engine: one keyspace of the LSM store fjall, below a directory of our own.
//!
//! ```text
//! <dir>/format    what this is and its version      <dir>/lock      held while a process has the store
//! <dir>/commits   last known commit counter         <dir>/data/     fjall's files
//! ```
//! fjall takes a damaged journal block for a torn tail and silently drops what follows. So every group also writes the
//! commit counter, and the counter is kept outside the journal too (`commits`, at most a second old): when the store
//! comes back with fewer commits than the file knows, it is not opened.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable};
use parking_lot::{Condvar, Mutex};
use rustix::fs::{FlockOperation, Mode, flock};

use crate::{Change, Engine, Group, OpenError, RESERVED, Room, StoreError, View, WriteError};

const FORMAT: u64 = 1;
const MARKER: &str = "bulla-store";
/// Where every group writes its number.
const COUNTER: &[u8] = &[RESERVED, b'c'];
/// Space that must be left before a write is taken: tables are rewritten from time to time and need room for it.
const RESERVE: u64 = 32 * 1024 * 1024;

/// How much the engine may use. The defaults suit a server with a gigabyte of memory.
#[derive(Debug, Clone, Copy)]
pub struct DiskOptions {
    /// Bytes of blocks kept in memory.
    pub cache_bytes: u64,
    /// Bytes of journals; replayed when the store is opened, so this decides how long that takes.
    pub journal_bytes: u64,
}

impl Default for DiskOptions {
    fn default() -> DiskOptions {
        DiskOptions { cache_bytes: 256 * 1024 * 1024, journal_bytes: 256 * 1024 * 1024 }
    }
}

pub(crate) struct Disk {
    dir: PathBuf,
    database: Database,
    records: Keyspace,
    seq: u64,
    counter: CounterFile,
    /// Held, not used: its lock goes with the process.
    _lock: File,
}

impl Disk {
    pub(crate) fn open(dir: &Path, options: DiskOptions) -> Result<Disk, OpenError> {
        let io = |cause| OpenError::Io { dir: dir.to_owned(), cause };
        // Files that fjall makes later must be ours alone as well; the directory alone would do, but a copy of it would not.
        rustix::process::umask(Mode::RWXG | Mode::RWXO);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(io)?;
        let lock = lock(dir)?;
        check_format(dir)?;
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).map_err(io)?;
        let known = read_counter(dir).map_err(io)?;
        let fresh = !dir.join("data").exists();
        let (database, records) = open_database(dir, options)?;
        let seq = stored_counter(&records).map_err(|e| damaged(dir, &e))?;
        if seq < known || (fresh && known > 0) {
            return Err(OpenError::LostCommits { dir: dir.to_owned(), stored: seq, known });
        }
        private(dir).map_err(io)?;
        let counter = CounterFile::start(dir, seq).map_err(io)?;
        Ok(Disk { dir: dir.to_owned(), database, records, seq, counter, _lock: lock })
    }
}

fn open_database(dir: &Path, options: DiskOptions) -> Result<(Database, Keyspace), OpenError> {
    let database = Database::builder(dir.join("data"))
        .cache_size(options.cache_bytes)
        .max_journaling_size(options.journal_bytes.max(64 * 1024 * 1024))
        .worker_threads(2)
        .open()
        .map_err(|error| damaged(dir, &error))?;
    let records = database.keyspace("records", KeyspaceCreateOptions::default).map_err(|error| damaged(dir, &error))?;
    Ok((database, records))
}

fn damaged(dir: &Path, error: &fjall::Error) -> OpenError {
    OpenError::Damaged { dir: dir.to_owned(), why: error.to_string() }
}

/// One process at a time.
fn lock(dir: &Path) -> Result<File, OpenError> {
    let io = |cause| OpenError::Io { dir: dir.to_owned(), cause };
    let file =
        OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(dir.join("lock")).map_err(io)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(OpenError::InUse(dir.to_owned())),
        Err(error) => Err(io(error.into())),
    }
}

/// Marks a new directory as a store of ours, and refuses what is none or newer than this program.
fn check_format(dir: &Path) -> Result<(), OpenError> {
    let io = |cause| OpenError::Io { dir: dir.to_owned(), cause };
    let path = dir.join("format");
    match fs::read_to_string(&path) {
        Ok(text) => {
            let found = text.trim().strip_prefix(MARKER).and_then(|rest| rest.trim().parse().ok());
            match found {
                Some(found) if found <= FORMAT => Ok(()),
                Some(found) => Err(OpenError::Newer { dir: dir.to_owned(), found, known: FORMAT }),
                None => Err(OpenError::Foreign(dir.to_owned())),
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let others = fs::read_dir(dir).map_err(io)?.filter_map(Result::ok).any(|entry| entry.file_name() != "lock");
            if others {
                return Err(OpenError::Foreign(dir.to_owned()));
            }
            replace(&path, format!("{MARKER} {FORMAT}\n").as_bytes()).map_err(io)
        }
        Err(error) => Err(io(error)),
    }
}

/// Writes a small file so that it is there whole or not at all.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    match path.parent() {
        Some(dir) => File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}

/// Takes group and others off everything below `dir`, for stores made under a lax umask.
fn private(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let is_dir = entry.file_type()?.is_dir();
        fs::set_permissions(entry.path(), fs::Permissions::from_mode(if is_dir { 0o700 } else { 0o600 }))?;
        if is_dir {
            private(&entry.path())?;
        }
    }
    Ok(())
}

fn read_counter(dir: &Path) -> io::Result<u64> {
    match fs::read_to_string(dir.join("commits")) {
        Ok(text) => text.trim().parse().map_err(|_| io::Error::other("the file `commits` holds no number")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

fn stored_counter(records: &Keyspace) -> Result<u64, fjall::Error> {
    let value = records.get(COUNTER)?;
    Ok(value.and_then(|v| <[u8; 8]>::try_from(v.as_ref()).ok()).map_or(0, u64::from_be_bytes))
}

impl Engine for Disk {
    fn last_seq(&self) -> u64 {
        self.seq
    }

    fn view(&self) -> View {
        View::Disk(DiskView(Arc::new(Look { snapshot: self.database.snapshot(), records: self.records.clone() })))
    }

    fn write(&mut self, group: &Group) -> Result<u64, WriteError> {
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncData));
        for (key, change) in group.merged() {
            match change {
                Change::Put(value) => batch.insert(&self.records, key, value.as_slice()),
                Change::Delete => batch.remove(&self.records, key),
            }
        }
        batch.insert(&self.records, COUNTER, group.seq().to_be_bytes());
        batch.commit().map_err(|error| write_error(&error))?;
        self.seq = group.seq();
        self.counter.note(self.seq);
        Ok(1)
    }

    fn room(&mut self, bytes: usize) -> Room {
        // A file system that does not tell is taken to have room; a write that fails then poisons the store.
        let Ok(stat) = rustix::fs::statvfs(&self.dir) else { return Room::Enough };
        let free = stat.f_bavail.saturating_mul(stat.f_frsize);
        if free < RESERVE.saturating_add(3 * bytes as u64) { Room::Full } else { Room::Enough }
    }

    fn close(&mut self) {
        self.counter.stop();
    }
}

fn write_error(error: &fjall::Error) -> WriteError {
    match error {
        fjall::Error::Io(cause) if cause.kind() == io::ErrorKind::StorageFull => WriteError::Full,
        other => WriteError::Failed(other.to_string().into()),
    }
}

/// Keeps the file `commits` at most a second behind, off the way of commits.
struct CounterFile {
    shared: Arc<CounterShared>,
    thread: Option<JoinHandle<()>>,
}

struct CounterShared {
    path: PathBuf,
    seq: AtomicU64,
    stopped: Mutex<bool>,
    wake: Condvar,
}

impl CounterFile {
    fn start(dir: &Path, seq: u64) -> io::Result<CounterFile> {
        let path = dir.join("commits");
        replace(&path, seq.to_string().as_bytes())?;
        let shared = Arc::new(CounterShared {
            path,
            seq: AtomicU64::new(seq),
            stopped: Mutex::new(false),
            wake: Condvar::new(),
        });
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("bulla-counter".into()).spawn(move || theirs.keep(seq))?;
        Ok(CounterFile { shared, thread: Some(thread) })
    }

    /// Told only of what is durable, so the file never promises more than there is.
    fn note(&self, seq: u64) {
        self.shared.seq.store(seq, Ordering::Release);
    }

    fn stop(&mut self) {
        *self.shared.stopped.lock() = true;
        self.shared.wake.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl CounterShared {
    fn keep(&self, mut written: u64) {
        let mut stopped = self.stopped.lock();
        loop {
            if !*stopped {
                self.wake.wait_for(&mut stopped, Duration::from_secs(1));
            }
            let seq = self.seq.load(Ordering::Acquire);
            if seq != written {
                match replace(&self.path, seq.to_string().as_bytes()) {
                    Ok(()) => written = seq,
                    // A full disk, mostly. The older number is still true.
                    Err(error) => tracing::warn!(%error, "the commit counter could not be written"),
                }
            }
            if *stopped {
                return;
            }
        }
    }
}

impl Drop for CounterFile {
    fn drop(&mut self) {
        self.stop();
    }
}

#[derive(Clone)]
pub struct DiskView(Arc<Look>);

struct Look {
    snapshot: fjall::Snapshot,
    records: Keyspace,
}

fn read_error(error: &fjall::Error) -> StoreError {
    match error {
        fjall::Error::Io(cause) => StoreError::Io(cause.to_string().into()),
        other => StoreError::Damaged(other.to_string().into()),
    }
}

impl DiskView {
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let found = self.0.snapshot.get(&self.0.records, key).map_err(|e| read_error(&e))?;
        Ok(found.map(|value| Bytes::copy_from_slice(&value)))
    }

    pub(crate) fn scan(&self, start: &[u8], end: &[u8], limit: usize) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        let copy = |pair: fjall::KvPair| (Bytes::copy_from_slice(&pair.0), Bytes::copy_from_slice(&pair.1));
        let found = self.0.snapshot.range(&self.0.records, start..end).take(limit);
        found.map(|guard| guard.into_inner().map(copy).map_err(|e| read_error(&e))).collect()
    }

    pub(crate) fn scan_keys(&self, start: &[u8], end: &[u8], limit: usize) -> Result<Vec<Bytes>, StoreError> {
        let found = self.0.snapshot.range(&self.0.records, start..end).take(limit);
        found.map(|guard| guard.key().map(|key| Bytes::copy_from_slice(&key)).map_err(|e| read_error(&e))).collect()
    }
}
