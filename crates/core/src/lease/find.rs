//! From a lease id as a client wrote it to what it stands for. The id is `<mount><path below it>/<last segment>`; the
//! last segment alone finds the record, and the rest must be where the lease is now, so that an id never reaches past
//! the path that policy saw.

use super::names::join;
use super::store::{LeaseHash, LeaseStore, token_of};
use crate::state::{Mount, MountTable};
use crate::token::{TokenHash, TokenStore};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bulla_barrier::Txn;
use bulla_kit::EngineError;
use bulla_lease::in_force;
use bulla_records::{LeaseRecord, TokenRecord};
use bulla_types::Time;
use std::sync::Arc;

pub enum Found {
    Lease(LeaseHash, Box<LeaseRecord>),
    /// A token by the keyed hash it is stored under, which cannot be used as a token.
    Token(TokenHash),
}

/// The last segment of a token's lease id: `h` and its keyed hash.
pub struct TokenTail;

impl TokenTail {
    pub fn write(hash: &TokenHash) -> String {
        format!("h{}", URL_SAFE_NO_PAD.encode(hash))
    }

    pub fn read(tail: &str) -> Option<TokenHash> {
        URL_SAFE_NO_PAD.decode(tail.strip_prefix('h')?).ok()?.try_into().ok()
    }
}

/// Whatever has this id, in force or not.
///
/// # Errors
/// Storage.
pub async fn find(txn: &Arc<Txn>, mounts: &MountTable, id: &str) -> Result<Option<Found>, EngineError> {
    let tail = id.rsplit('/').next().unwrap_or_default();
    if let Some(hash) = TokenTail::read(tail) {
        let Some(record) = TokenStore(txn).get(&hash).await? else { return Ok(None) };
        let is_it = token_id(mounts, &hash, &record).is_some_and(|own| own == id);
        return Ok(is_it.then_some(Found::Token(hash)));
    }
    let store = LeaseStore(txn);
    let hash = store.hash(tail);
    let Some(record) = store.get(&hash).await? else { return Ok(None) };
    let is_it = mounts.any(&record.mount).is_some_and(|mount| lease_id(mount, &record) == id);
    Ok(is_it.then(|| Found::Lease(hash, Box::new(record))))
}

/// The id of a lease, where its mount is now.
pub fn lease_id(mount: &Mount, record: &LeaseRecord) -> String {
    format!("{}{}", mount.record.path, join(&record.path, &record.tail))
}

/// The lease id of a token; `None` = it has none.
pub fn token_id(mounts: &MountTable, hash: &TokenHash, record: &TokenRecord) -> Option<String> {
    let mount = mounts.any(&record.mount_accessor)?;
    Some(format!("{}{}", mount.record.path, join(record.lease_path()?, &TokenTail::write(hash))))
}

/// Whether a lease is in force: not over, not ended, its mount there and its token in force.
///
/// # Errors
/// Storage.
pub async fn is_in_force(
    txn: &Arc<Txn>,
    mounts: &MountTable,
    record: &LeaseRecord,
    now: Time,
) -> Result<bool, EngineError> {
    if !in_force(record.expires, record.revocation.is_some(), now) || !mounts.has(&record.mount) {
        return Ok(false);
    }
    match (&record.token, token_of(record)) {
        (None, _) => Ok(true),
        (Some(_), Some(token)) => Ok(TokenStore(txn).live(&token, mounts, now).await?.is_some()),
        (Some(_), None) => Ok(false),
    }
}
