//! What can go wrong in this room. Not here: what a client is told (the HTTP edge decides).

use std::path::PathBuf;
use std::sync::Arc;

/// Reading failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    #[error("the store is closed")]
    Closed,
    /// The bytes on disk are not what was written.
    #[error("stored data is damaged: {0}")]
    Damaged(Arc<str>),
    #[error("the store could not be read: {0}")]
    Io(Arc<str>),
}

/// Nothing of the batch was published. After [`CommitError::Io`] and [`CommitError::Poisoned`] it may still turn up, whole,
/// when the store is opened again: it was not acknowledged, and not revoked either.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Something that was read has changed since the snapshot; do it again from a new one.
    #[error("something read by this request has changed meanwhile")]
    Conflict,
    /// No room on the disk. Reads go on.
    #[error("the disk of the store is full: writes are refused")]
    Full,
    /// An earlier write failed; nothing is written until the store has been opened again. Reads go on.
    #[error("the store takes no writes since an earlier one failed: {0}")]
    Poisoned(Arc<str>),
    #[error("{what} of {size} bytes is larger than the {limit} bytes allowed")]
    TooLarge { what: What, size: usize, limit: usize },
    /// The key is empty or begins with the byte kept for the store itself.
    #[error("a key is empty or belongs to the store itself")]
    ReservedKey,
    #[error("the store is closed")]
    Closed,
    /// This very write failed; the store is poisoned from now on.
    #[error("the write failed: {0}")]
    Io(Arc<str>),
}

/// What was too large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    Key,
    Value,
    Batch,
}

impl std::fmt::Display for What {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            What::Key => "a key",
            What::Value => "a value",
            What::Batch => "a batch",
        })
    }
}

/// The store was not opened, and nothing was repaired or removed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the directory `{0}` is in use by another process")]
    InUse(PathBuf),
    #[error("the directory `{0}` holds files that are not a store")]
    Foreign(PathBuf),
    #[error("the store in `{dir}` has format {found}; this program knows up to format {known}")]
    Newer { dir: PathBuf, found: u64, known: u64 },
    /// Acknowledged commits are missing: a damaged or cut journal, or files put back from a partial copy.
    #[error(
        "the store in `{dir}` has lost commits: {stored} are readable, but {known} were made; its journal is damaged or was cut (restore a backup)"
    )]
    LostCommits { dir: PathBuf, stored: u64, known: u64 },
    #[error("the store in `{dir}` is damaged: {why}")]
    Damaged { dir: PathBuf, why: String },
    #[error("the store in `{dir}` could not be opened")]
    Io {
        dir: PathBuf,
        #[source]
        cause: std::io::Error,
    },
}
