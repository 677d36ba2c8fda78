//! Bytes that survive: an ordered map from keys to values with snapshots, checked transactions and group commit.
//!
//! ```text
//!  request ── snapshot() ──► Snapshot ── get / scan
//!     │
//!     └─ commit(snapshot, what was read, batch) ──► queue ──► committer thread ──► Engine::write ──► one fdatasync
//!                                                              checks, groups,        memory | disk | failing
//!                                                              publishes, answers
//! ```
//!
//! Here: what a batch is, when it conflicts, when it is durable, and the engines that hold the bytes. Not here: what the
//! bytes mean, and their encryption (the barrier next door hands down ciphertext only). No other room names the storage library.
//!
//! Keys are 1 to [`MAX_KEY`] bytes and do not begin with [`RESERVED`]; values are at most [`MAX_VALUE`] bytes.

mod batch;
mod committer;
mod disk;
mod engine;
mod error;
pub mod failing;
mod group;
mod health;
mod memory;
mod snapshot;
mod store;
mod window;

pub use batch::{Batch, Change, Key, ReadSet};
pub use disk::{DiskOptions, Found, inspect};
pub use engine::{Engine, Reads, Room, View, WriteError};
pub use error::{CommitError, OpenError, StoreError, What};
pub use group::Group;
pub use health::{StoreHealth, StoreStats};
pub use snapshot::Snapshot;
pub use store::{Committed, Store, Watcher};

/// Longest key, in bytes. The disk engine's own limit is 65 535; the rest is left to it.
pub const MAX_KEY: usize = 60_000;
/// Longest value, in bytes: a record of 1 MiB and 64 KiB for what encryption and framing add.
pub const MAX_VALUE: usize = 1024 * 1024 + 64 * 1024;
/// Largest batch, in bytes of keys and values: bounds what one request can hold in memory and in the journal.
pub const MAX_BATCH: usize = 32 * 1024 * 1024;
/// Keys that begin with this byte belong to the store itself (the commit counter).
pub const RESERVED: u8 = 0xff;

#[cfg(test)]
mod tests;
