//! Storage that fails on demand, for tests of everything above: stops at the n-th write and shows what survived.
//!
//! ```text
//! let device = Device::new();
//! device.fail_at(3, How::Torn(1));
//! let store = Store::with_engine(device.engine());   // works, then fails
//! drop(store);
//! let again = Store::with_engine(device.engine());   // what a restart would find
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::memory::Memory;
use crate::{Change, Engine, Group, Key, View, WriteError};

/// What happens at the write that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Nothing of it survives.
    Before,
    /// All of it survives, but the answer is an error: the crash came after the sync.
    After,
    /// Only the first batches of the group survive: the group was torn. Each batch is whole; a real journal is no finer.
    Torn(usize),
    /// The device is full.
    Full,
}

#[derive(Default)]
struct State {
    durable: BTreeMap<Key, Bytes>,
    seq: u64,
    writes: u64,
    fail: Option<(u64, How)>,
}

/// What is on the "disk". Outlives the stores that use it.
#[derive(Clone, Default)]
pub struct Device(Arc<Mutex<State>>);

impl Device {
    pub fn new() -> Device {
        Device::default()
    }

    /// The n-th write from now on (1 = the next) fails.
    pub fn fail_at(&self, n: u64, how: How) {
        let mut state = self.0.lock();
        let at = state.writes + n;
        state.fail = Some((at, how));
    }

    /// No more failures.
    pub fn heal(&self) {
        self.0.lock().fail = None;
    }

    /// Group writes so far, failed ones included.
    pub fn writes(&self) -> u64 {
        self.0.lock().writes
    }

    /// All that survived, by key.
    pub fn contents(&self) -> BTreeMap<Key, Bytes> {
        self.0.lock().durable.clone()
    }

    /// A fresh engine on what survived.
    pub fn engine(&self) -> Box<dyn Engine> {
        let state = self.0.lock();
        Box::new(Failing { memory: Memory::with(state.seq, &state.durable), device: self.clone() })
    }
}

struct Failing {
    memory: Memory,
    device: Device,
}

impl Engine for Failing {
    fn last_seq(&self) -> u64 {
        self.memory.last_seq()
    }

    fn view(&self) -> View {
        self.memory.view()
    }

    fn write(&mut self, group: &Group) -> Result<u64, WriteError> {
        let mut state = self.device.0.lock();
        state.writes += 1;
        let fails = state.fail.filter(|(at, _)| *at == state.writes).map(|(_, how)| how);
        match fails {
            None => {
                state.apply(group);
                drop(state);
                self.memory.write(group)?;
                return Ok(1);
            }
            Some(How::After) => state.apply(group),
            Some(How::Torn(count)) => state.apply(&group.first(count)),
            Some(How::Before | How::Full) => {}
        }
        Err(if fails == Some(How::Full) { WriteError::Full } else { WriteError::Failed("the device failed".into()) })
    }
}

impl State {
    fn apply(&mut self, group: &Group) {
        for (key, change) in group.merged() {
            match change {
                Change::Put(value) => drop(self.durable.insert(key.to_vec(), Bytes::copy_from_slice(value))),
                Change::Delete => drop(self.durable.remove(key)),
            }
        }
        self.seq = group.seq();
    }
}
