//! Recent writes, remembered to tell whether what a request has read is still true.

use std::collections::{BTreeMap, VecDeque};

use crate::{Batch, Key, ReadSet};

/// Which keys were written by which recent group. Bounded in keys and bytes; a snapshot older than what is remembered
/// counts as changed, because nobody can tell any more.
pub(crate) struct Window {
    written: BTreeMap<Key, u64>,
    /// In order of writing; a key written again is in here twice.
    log: VecDeque<(u64, Key)>,
    bytes: usize,
    /// All groups after this one are remembered in full.
    complete_after: u64,
    bounds: Bounds,
}

#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) keys: usize,
    pub(crate) bytes: usize,
}

impl Default for Bounds {
    /// About a second of full load; 32 MiB at most (each key is held twice).
    fn default() -> Bounds {
        Bounds { keys: 128 * 1024, bytes: 16 * 1024 * 1024 }
    }
}

impl Window {
    pub(crate) fn starting_at(seq: u64, bounds: Bounds) -> Window {
        Window { written: BTreeMap::new(), log: VecDeque::new(), bytes: 0, complete_after: seq, bounds }
    }

    /// Whether nothing in `reads` was written after the group `seq`.
    ///
    /// Looks at whichever is shorter: what was written since, or the keys and ranges themselves.
    pub(crate) fn unchanged_since(&self, seq: u64, reads: &ReadSet) -> bool {
        if reads.is_empty() {
            return true;
        }
        if seq < self.complete_after {
            return false;
        }
        let later = |written: &u64| *written > seq;
        !reads.keys.iter().any(|key| self.written.get(key).is_some_and(later))
            && !reads.ranges.iter().any(|range| self.touched(range, seq))
    }

    fn touched(&self, (start, end): &(Key, Key), seq: u64) -> bool {
        // A list of a large folder spans many remembered keys, but seldom have many been written since the snapshot.
        const FEW: usize = 256;
        let since = self.log.iter().rev().take_while(|(written, _)| *written > seq);
        if since.clone().take(FEW).count() < FEW {
            return since.into_iter().any(|(_, key)| start <= key && key < end);
        }
        self.written.range(start.clone()..end.clone()).any(|(_, written)| *written > seq)
    }

    pub(crate) fn note(&mut self, seq: u64, batch: &Batch) {
        for (key, _) in batch.changes() {
            self.bytes += key.len();
            self.log.push_back((seq, key.clone()));
            self.written.insert(key.clone(), seq);
        }
    }

    /// Forgets the oldest groups until the bounds hold. Always whole groups: half a group would look complete.
    pub(crate) fn trim(&mut self) {
        while self.log.len() > self.bounds.keys || self.bytes > self.bounds.bytes {
            let Some(&(oldest, _)) = self.log.front() else { return };
            self.forget(oldest);
            self.complete_after = oldest;
        }
    }

    fn forget(&mut self, group: u64) {
        while self.log.front().is_some_and(|(seq, _)| *seq == group) {
            let Some((_, key)) = self.log.pop_front() else { return };
            self.bytes -= key.len();
            if self.written.get(&key) == Some(&group) {
                self.written.remove(&key);
            }
        }
    }
}
