//! The unit an engine writes: the batches of several requests, in commit order.

use std::collections::BTreeMap;

use crate::{Batch, Change};

/// Batches that are made durable together under one sequence number.
pub struct Group {
    seq: u64,
    batches: Vec<Batch>,
}

impl Group {
    pub(crate) fn new(seq: u64, batches: Vec<Batch>) -> Group {
        Group { seq, batches }
    }

    /// The commit counter after this group.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    pub fn batches(&self) -> &[Batch] {
        &self.batches
    }

    pub fn bytes(&self) -> usize {
        self.batches.iter().map(Batch::bytes).sum()
    }

    /// The outcome of all batches: each key once, later batches win. An engine must not see a key twice in one write,
    /// because both would carry the same sequence number.
    pub fn merged(&self) -> BTreeMap<&[u8], &Change> {
        let mut merged = BTreeMap::new();
        for batch in &self.batches {
            merged.extend(batch.changes().map(|(key, change)| (key.as_slice(), change)));
        }
        merged
    }

    /// The same group with the first `count` batches only: what a failing device is left with.
    pub(crate) fn first(&self, count: usize) -> Group {
        Group { seq: self.seq, batches: self.batches.iter().take(count).cloned().collect() }
    }
}
