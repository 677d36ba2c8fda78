//! The engine that keeps everything in memory: for development and tests. Nothing survives the process.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::RwLock;

use crate::{Change, Engine, Group, Key, View, WriteError};

/// Versions of one key, oldest first: the sequence number that wrote it and the value, or none where it was deleted.
type Versions = Vec<(u64, Option<Bytes>)>;

#[derive(Default)]
struct Map {
    keys: BTreeMap<Key, Versions>,
    /// Keys that can be trimmed once no view is older than the number.
    trim: VecDeque<(u64, Key)>,
    /// How many views look at which sequence number.
    views: BTreeMap<u64, usize>,
}

pub(crate) struct Memory {
    seq: u64,
    map: Arc<RwLock<Map>>,
}

impl Memory {
    pub(crate) fn new() -> Memory {
        Memory { seq: 0, map: Arc::default() }
    }

    /// A memory engine that begins with these contents.
    pub(crate) fn with(seq: u64, contents: &BTreeMap<Key, Bytes>) -> Memory {
        let keys = contents.iter().map(|(key, value)| (key.clone(), vec![(seq, Some(value.clone()))])).collect();
        Memory { seq, map: Arc::new(RwLock::new(Map { keys, ..Map::default() })) }
    }
}

impl Engine for Memory {
    fn last_seq(&self) -> u64 {
        self.seq
    }

    fn view(&self) -> View {
        *self.map.write().views.entry(self.seq).or_default() += 1;
        View::Memory(MemoryView(Arc::new(Pin { seq: self.seq, map: Arc::clone(&self.map) })))
    }

    fn write(&mut self, group: &Group) -> Result<u64, WriteError> {
        let seq = group.seq();
        let mut map = self.map.write();
        for (key, change) in group.merged() {
            map.set(seq, key, change);
        }
        self.seq = seq;
        map.trim();
        Ok(0)
    }
}

impl Map {
    fn set(&mut self, seq: u64, key: &[u8], change: &Change) {
        let value = match change {
            Change::Put(value) => Some(Bytes::copy_from_slice(value)),
            Change::Delete if !self.keys.contains_key(key) => return,
            Change::Delete => None,
        };
        let deleted = value.is_none();
        let versions = self.keys.entry(key.to_vec()).or_default();
        versions.push((seq, value));
        if deleted || versions.len() > 1 {
            self.trim.push_back((seq, key.to_vec()));
        }
    }

    /// Forgets versions that no view can reach any more.
    fn trim(&mut self) {
        let oldest = self.views.keys().next().copied().unwrap_or(u64::MAX);
        while self.trim.front().is_some_and(|(seq, _)| *seq <= oldest) {
            let Some((_, key)) = self.trim.pop_front() else { return };
            let Some(versions) = self.keys.get_mut(&key) else { continue };
            let newest_reachable = versions.iter().rposition(|(seq, _)| *seq <= oldest).unwrap_or(0);
            versions.drain(..newest_reachable);
            if let [(seq, None)] = versions.as_slice()
                && *seq <= oldest
            {
                self.keys.remove(&key);
            }
        }
    }
}

#[derive(Clone)]
pub struct MemoryView(Arc<Pin>);

/// Keeps the versions of one sequence number alive.
struct Pin {
    seq: u64,
    map: Arc<RwLock<Map>>,
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut map = self.map.write();
        if let Some(count) = map.views.get_mut(&self.seq) {
            *count -= 1;
            if *count == 0 {
                map.views.remove(&self.seq);
            }
        }
    }
}

impl MemoryView {
    pub(crate) fn get(&self, key: &[u8]) -> Option<Bytes> {
        self.0.map.read().keys.get(key).and_then(|versions| at(versions, self.0.seq))
    }

    pub(crate) fn scan<T>(&self, start: &[u8], end: &[u8], limit: usize, make: impl Fn(Bytes, Bytes) -> T) -> Vec<T> {
        use std::ops::Bound::{Excluded, Included};
        let map = self.0.map.read();
        map.keys
            .range::<[u8], _>((Included(start), Excluded(end)))
            .filter_map(|(key, versions)| {
                at(versions, self.0.seq).map(|value| make(Bytes::copy_from_slice(key), value))
            })
            .take(limit)
            .collect()
    }
}

fn at(versions: &Versions, seq: u64) -> Option<Bytes> {
    versions.iter().rev().find(|(written, _)| *written <= seq).and_then(|(_, value)| value.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Batch;

    fn write(memory: &mut Memory, seq: u64) {
        let mut batch = Batch::new();
        batch.put(b"same".to_vec(), seq.to_be_bytes().to_vec());
        batch.put(seq.to_be_bytes().to_vec(), vec![]);
        if let Some(before) = seq.checked_sub(1) {
            batch.delete(before.to_be_bytes().to_vec());
        }
        assert!(memory.write(&Group::new(seq, vec![batch])).is_ok());
    }

    fn versions(memory: &Memory) -> usize {
        memory.map.read().keys.values().map(Vec::len).sum()
    }

    #[test]
    fn old_versions_and_deleted_keys_go_once_nobody_can_see_them() {
        let mut memory = Memory::new();
        for seq in 1..100 {
            write(&mut memory, seq);
        }
        assert_eq!(versions(&memory), 2, "one value and one key");
        let held = memory.view();
        for seq in 100..200 {
            write(&mut memory, seq);
        }
        assert!(versions(&memory) > 200, "a view keeps what it sees");
        let View::Memory(view) = &held else { return };
        assert_eq!(view.get(b"same").as_deref(), Some(&99u64.to_be_bytes()[..]));
        drop(held);
        write(&mut memory, 200);
        assert_eq!(versions(&memory), 2);
        assert!(memory.map.read().trim.is_empty());
    }
}
