//! Audit: who asked for what and what came of it, one line per request and one per answer, kept before anybody learns
//! anything (doors 8 and 11).
//!
//! ```text
//! Entry --line--> bytes, hashed by the device's own key --lane--> batch --sink--> file | FIFO | stdout | discard
//!    |                                                      \
//!    +-- Broker::record_request  -> Recorded<P>              `- one write call for all lines that wait
//!    +-- Broker::record_response -> Disclosable<T>
//! ```
//!
//! - `entry`: what a record is made of, borrowed. `line`, `transcode`, `veil`, `json`: how it becomes a line.
//! - `device`: how a device is described, checked and opened. `lane`: batches and who waits for them. `sink`: the file.
//! - `broker`: all devices, and the proofs that a record was kept (`proof`).
//!
//! The rule: with at least one device configured, at least one must have taken a record, or the answer is withheld.
//!
//! Not here: which headers and keys are exempt (the mount and `sys/config/auditing` know), status codes, the routes of
//! `sys/audit` (core), storing device records (core, through `store/records`).

mod broker;
mod device;
mod entry;
mod error;
mod json;
mod lane;
mod line;
mod proof;
mod sink;
mod transcode;
mod veil;
mod vet;

#[cfg(test)]
mod tests;

pub use broker::{Broker, DeviceStatus, Wait};
pub use device::{Device, DeviceRecord, EnableRequest, Identity, Listing, Managed, Rules};
pub use entry::{
    Auth, Data, Entry, GrantingPolicy, HashHeader, Header, Mount, Namespace, PolicyResults, Request, Response, WrapInfo,
};
pub use error::{AuditError, DeviceError, DisableError, EnableError, HashError};
pub use lane::Counts;
pub use proof::{Disclosable, Exemption, Recorded};
pub use veil::Salt;
