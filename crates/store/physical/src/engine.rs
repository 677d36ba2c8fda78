//! What an engine must do. The committer owns it and is its only caller; readers hold a [`View`].

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

use crate::disk::DiskView;
use crate::memory::MemoryView;
use crate::{Group, StoreError};

/// Holds the bytes. Called from one thread only; may block.
pub trait Engine: Send {
    /// The commit counter of the last group that is durable.
    fn last_seq(&self) -> u64;

    /// A consistent view of everything written so far. Called once after each group, so it must be cheap.
    fn view(&self) -> View;

    /// Makes the group visible to later views and durable, wholly or not at all. Answers how often it waited for the disk.
    /// After an error it is not called again.
    fn write(&mut self, group: &Group) -> Result<u64, WriteError>;

    /// Whether there is room for `bytes` more. Asked before each write; "full" refuses it without touching anything.
    fn room(&mut self, _bytes: usize) -> Room {
        Room::Enough
    }

    /// A clean stop; all that was written is durable already.
    fn close(&mut self) {}
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    Enough,
    Full,
}

/// A write failed; the engine takes no more of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteError {
    /// The device ran full in the middle.
    Full,
    Failed(Arc<str>),
}

/// A consistent, unchanging look at an engine. Local engines are named here so that a read neither allocates a future
/// nor goes through a table; others are boxed.
#[derive(Clone)]
pub enum View {
    #[doc(hidden)]
    Memory(MemoryView),
    #[doc(hidden)]
    Disk(DiskView),
    Other(Arc<dyn Reads>),
}

pub type Reading<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Reads of an engine that is not local (a database over the network).
pub trait Reads: Send + Sync {
    fn get<'a>(&'a self, key: &'a [u8]) -> Reading<'a, Option<Bytes>>;
    /// At most `limit` pairs of `start..end` in ascending order.
    fn scan<'a>(&'a self, start: &'a [u8], end: &'a [u8], limit: usize) -> Reading<'a, Vec<(Bytes, Bytes)>>;
    /// The same without the values.
    fn scan_keys<'a>(&'a self, start: &'a [u8], end: &'a [u8], limit: usize) -> Reading<'a, Vec<Bytes>>;
}
