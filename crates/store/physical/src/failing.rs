//! A pretend device that fails on demand, for tests here and in other rooms: it stops at the n-th write, forgets what was
//! not durable, and can be opened again to see what survived.
//!
//! ```
//! # use bulla_physical::failing::{Device, Failure};
//! let device = Device::new();
//! let store = device.open();
//! device.fail_at(2, Failure::Torn);        // the second write from now on breaks
//! // … work until it fails …
//! let survived = device.open();            // the machine is switched on again
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::memory::Memory;
use crate::{Change, Engine, Group, Key, Store, View, WriteError};

/// How a write goes wrong. In every case the caller is told that it failed, and no later write of that store works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Power fails before anything of the group is durable.
    Before,
    /// The whole group is durable, but nobody hears of it.
    After,
    /// Half of the requests of the group (rounded down) are durable, each of them whole; the others are lost.
    Torn,
    /// The device is full; nothing of the group is durable.
    Full,
}

/// What survives, shared by everybody who holds a clone.
#[derive(Clone, Default)]
pub struct Device(Arc<Mutex<Durable>>);

#[derive(Default)]
struct Durable {
    seq: u64,
    contents: BTreeMap<Key, Bytes>,
    writes: u64,
    armed: Option<(u64, Failure)>,
    /// Only the store opened last may write: an earlier one is a machine that lost power.
    generation: u64,
}

impl Device {
    pub fn new() -> Device {
        Device::default()
    }

    /// Opens what is durable. Stores opened earlier cannot write any more; what was armed is disarmed.
    pub fn open(&self) -> Store {
        let mut durable = self.0.lock();
        durable.armed = None;
        durable.generation += 1;
        let memory = Memory::with(durable.seq, &durable.contents);
        let generation = durable.generation;
        drop(durable);
        Store::with_engine(Box::new(Failing { memory, device: self.clone(), generation, broken: false }))
    }

    /// The `n`-th write from now on (1 is the next) fails like this.
    pub fn fail_at(&self, n: u64, failure: Failure) {
        let mut durable = self.0.lock();
        durable.armed = Some((durable.writes + n, failure));
    }

    pub fn disarm(&self) {
        self.0.lock().armed = None;
    }

    /// Writes of groups attempted so far, failed ones included.
    pub fn writes(&self) -> u64 {
        self.0.lock().writes
    }

    /// Whether the failure that was armed is still to come.
    pub fn armed(&self) -> bool {
        self.0.lock().armed.is_some()
    }

    /// Everything that is durable, as a look at the raw device would show it.
    pub fn contents(&self) -> BTreeMap<Key, Bytes> {
        self.0.lock().contents.clone()
    }
}

impl Durable {
    fn apply(&mut self, group: &Group) {
        for (key, change) in group.merged() {
            match change {
                Change::Put(value) => self.contents.insert(key.to_vec(), Bytes::copy_from_slice(value)),
                Change::Delete => self.contents.remove(key),
            };
        }
        self.seq = group.seq();
    }

    /// The failure due at this write, if any.
    fn due(&mut self) -> Option<Failure> {
        self.writes += 1;
        let (at, failure) = self.armed?;
        (self.writes >= at).then(|| {
            self.armed = None;
            failure
        })
    }
}

struct Failing {
    memory: Memory,
    device: Device,
    generation: u64,
    broken: bool,
}

impl Engine for Failing {
    fn last_seq(&self) -> u64 {
        self.memory.last_seq()
    }

    fn view(&self) -> View {
        self.memory.view()
    }

    fn write(&mut self, group: &Group) -> Result<u64, WriteError> {
        let mut durable = self.device.0.lock();
        if self.broken || durable.generation != self.generation {
            return Err(WriteError::Failed("the pretend device is gone".into()));
        }
        let Some(failure) = durable.due() else {
            durable.apply(group);
            drop(durable);
            self.memory.write(group)?;
            return Ok(1);
        };
        self.broken = true;
        match failure {
            Failure::Before => {}
            Failure::After => durable.apply(group),
            Failure::Torn => durable.apply(&group.first(group.batches().len() / 2)),
            Failure::Full => return Err(WriteError::Full),
        }
        Err(WriteError::Failed(format!("the pretend device failed ({failure:?})").into()))
    }
}
