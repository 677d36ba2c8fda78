//! The barrier: everything stored passes here and is encrypted, names as well as values.
//!
//! ```text
//! Gate --pass()--> Pass --Txn::begin--> Txn --View--> engines and core
//!   |                                    |
//!   seal(): no new passes, drain, drop   commit: one batch, durable
//! ```
//!
//! What belongs here: the gate that a seal closes, the layout of physical keys, encryption of names and values, the
//! transaction of one request. Next door: `store/physical` (bytes and commits), `rules/seal` (keys and shares).
//! Not here: what a stored record means (`store/records`, an engine's own `records.rs`).

mod barrier;
mod error;
mod folders;
mod gate;
mod key;
mod list;
#[cfg(feature = "report-keys")]
mod report;
mod sealed;
mod txn;
mod view;

pub use barrier::Barrier;
pub use error::BarrierError;
pub use gate::{Gate, Pass, SealOutcome, Sealed};
pub use key::{Keyspace, PhysicalKey, plain_key, plain_range};
pub use sealed::{Former, OpenedBy, SealedStore, SealedStoreError, meta};
pub use txn::{Committed, Txn};
pub use view::{Page, View};
