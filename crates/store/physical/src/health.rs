//! How the store is, and what it has done so far.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Whether writes are taken. Reads go on in every state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreHealth {
    Ok,
    /// No room: writes are refused. Lifts by itself once there is room again, unless the disk ran full in the middle of a
    /// write; then only opening the store again helps.
    Full,
    /// A write failed, for the reason given; writes are refused until the store is opened again.
    Poisoned(Arc<str>),
}

/// Counters since the store was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Batches made durable.
    pub commits: u64,
    /// Engine writes; each carries one or more commits.
    pub groups: u64,
    /// Times the engine waited for the disk (one fdatasync a group on the disk engine, none in memory).
    pub syncs: u64,
    /// Bytes of keys and values in those batches.
    pub bytes: u64,
    /// Batches refused because something read had changed.
    pub conflicts: u64,
}

#[derive(Default)]
pub(crate) struct Counters {
    commits: AtomicU64,
    groups: AtomicU64,
    syncs: AtomicU64,
    bytes: AtomicU64,
    conflicts: AtomicU64,
}

impl Counters {
    pub(crate) fn group(&self, commits: usize, bytes: usize, syncs: u64) {
        self.commits.fetch_add(commits as u64, Relaxed);
        self.groups.fetch_add(1, Relaxed);
        self.syncs.fetch_add(syncs, Relaxed);
        self.bytes.fetch_add(bytes as u64, Relaxed);
    }

    pub(crate) fn conflict(&self) {
        self.conflicts.fetch_add(1, Relaxed);
    }

    pub(crate) fn read(&self) -> StoreStats {
        StoreStats {
            commits: self.commits.load(Relaxed),
            groups: self.groups.load(Relaxed),
            syncs: self.syncs.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            conflicts: self.conflicts.load(Relaxed),
        }
    }
}
