//! What a request hands to the committer: the changes it wants and what it has read. No validation against other requests
//! here (see `window`).

use std::collections::BTreeMap;

use crate::{CommitError, MAX_BATCH, MAX_KEY, MAX_VALUE, RESERVED, What};

/// A key of the store: 1 to [`MAX_KEY`] bytes, compared byte by byte.
pub type Key = Vec<u8>;

/// What a batch does with one key.
#[derive(Clone, PartialEq, Eq)]
pub enum Change {
    /// The key holds this value afterwards.
    Put(Vec<u8>),
    /// The key is gone afterwards; deleting what is not there is fine.
    Delete,
}

/// Writes that become visible and durable together or not at all. The last write of a key wins.
#[derive(Clone, Default)]
pub struct Batch {
    changes: BTreeMap<Key, Change>,
    bytes: usize,
}

impl Batch {
    pub fn new() -> Batch {
        Batch::default()
    }

    pub fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.set(key, Change::Put(value));
    }

    pub fn delete(&mut self, key: Vec<u8>) {
        self.set(key, Change::Delete);
    }

    /// What this batch does with `key`, if anything: lets a transaction read its own writes.
    pub fn change(&self, key: &[u8]) -> Option<&Change> {
        self.changes.get(key)
    }

    /// All changes in the order of their keys.
    pub fn changes(&self) -> impl DoubleEndedIterator<Item = (&Key, &Change)> {
        self.changes.iter()
    }

    /// The changes whose keys lie in `start..end`, in order; none if `end` is not above `start`.
    pub fn changes_in<'a>(
        &'a self,
        start: &'a [u8],
        end: &'a [u8],
    ) -> impl DoubleEndedIterator<Item = (&'a Key, &'a Change)> {
        use std::ops::Bound::{Excluded, Included};
        // A range that ends before it starts would make the map panic.
        let end = end.max(start);
        self.changes.range::<[u8], _>((Included(start), Excluded(end)))
    }

    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// How many keys it changes.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// Bytes of keys and values.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn set(&mut self, key: Vec<u8>, change: Change) {
        let key_len = key.len();
        self.bytes += key_len + change.bytes();
        if let Some(old) = self.changes.insert(key, change) {
            self.bytes -= key_len + old.bytes();
        }
    }

    /// The limits of the crate: nothing past them reaches an engine.
    pub(crate) fn check(&self) -> Result<(), CommitError> {
        within(What::Batch, self.bytes, MAX_BATCH)?;
        for (key, change) in &self.changes {
            within(What::Key, key.len(), MAX_KEY)?;
            if key.first().is_none_or(|&first| first == RESERVED) {
                return Err(CommitError::ReservedKey);
            }
            within(What::Value, change.bytes(), MAX_VALUE)?;
        }
        Ok(())
    }
}

impl Change {
    fn bytes(&self) -> usize {
        match self {
            Change::Put(value) => value.len(),
            Change::Delete => 0,
        }
    }
}

fn within(what: What, size: usize, limit: usize) -> Result<(), CommitError> {
    if size > limit {
        return Err(CommitError::TooLarge { what, size, limit });
    }
    Ok(())
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Batch({} keys, {} bytes)", self.len(), self.bytes)
    }
}

impl std::fmt::Debug for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Change::Put(value) => write!(f, "Put({} bytes)", value.len()),
            Change::Delete => f.write_str("Delete"),
        }
    }
}

/// What a request has read from its snapshot and relies on: keys (present or not) and whole ranges.
///
/// A commit is refused with [`CommitError::Conflict`] if any of it was written after the snapshot. A range also covers keys
/// that did not exist when it was read.
#[derive(Clone, Default)]
pub struct ReadSet {
    pub(crate) keys: Vec<Key>,
    pub(crate) ranges: Vec<(Key, Key)>,
}

impl ReadSet {
    pub fn new() -> ReadSet {
        ReadSet::default()
    }

    pub fn add_key(&mut self, key: &[u8]) {
        self.keys.push(key.to_vec());
    }

    /// The keys `start..end`, half open; an empty range is ignored.
    pub fn add_range(&mut self, start: Vec<u8>, end: Vec<u8>) {
        if start < end {
            self.ranges.push((start, end));
        }
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.ranges.is_empty()
    }
}
