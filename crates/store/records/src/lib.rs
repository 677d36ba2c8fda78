//! Stored forms, one file per noun. JSON with defaults, so that an older record still reads; golden files in `golden/`.
//!
//! Not here: how a record is encrypted and where it lies (`store/barrier`, and the constants beside each form), what an
//! engine stores for itself (the engine's own `records.rs`).

mod identity;
mod lease;
mod lockout;
mod mount;
mod policy;
mod token;

pub use identity::{AliasRecord, EntityRecord, GroupKind, GroupRecord, Metadata};
pub use lease::{EndingRecord, LeaseRecord, RevocationRecord};
pub use lockout::FailedLogins;
pub use mount::{MountClass, MountConfig, MountRecord, TokenTypeTune, UserLockout};
pub use policy::PolicyRecord;
pub use token::{TokenKindRecord, TokenRecord};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A record that cannot be read back.
#[derive(Debug, thiserror::Error)]
#[error("the stored {0} record cannot be read")]
pub struct RecordError(pub &'static str);

/// # Errors
/// The record has a form that JSON cannot hold; a fault in the program.
pub fn encode<T: Serialize>(what: &'static str, record: &T) -> Result<Vec<u8>, RecordError> {
    serde_json::to_vec(record).map_err(|_| RecordError(what))
}

/// # Errors
/// The bytes are no such record.
pub fn decode<T: DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, RecordError> {
    serde_json::from_slice(bytes).map_err(|_| RecordError(what))
}
