//! The queue: what the workers have to do with leases, in the order of time.
//!
//! | kind | what | after kind |
//! | --- | --- | --- |
//! | `L` | a lease falls due, or its engine is to be asked again | keyed hash of the lease |
//! | `G` | a token is gone: its leases are to be ended | keyed hash of the token |
//! | `P` | a folder of leases is to be ended | random id; the value says which |

use super::store::{LeaseHash, LeaseStore};
use crate::token::TokenHash;
use bulla_barrier::{Keyspace, PhysicalKey, Txn, plain_key};
use bulla_crypto::random;
use bulla_kit::EngineError;
use bulla_records::{decode, encode};
use bulla_types::Time;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const LEASE: u8 = b'L';
const TOKEN_GONE: u8 = b'G';
const FOLDER: u8 = b'P';

/// A folder of leases that was too large to be ended in one batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Folder {
    /// Accessor of the mount.
    pub mount: String,
    /// Below the mount; empty = all of it.
    pub path: String,
    /// What was made later is not meant.
    pub asked: Time,
    /// As `revoke-force`: whatever the engines answer.
    pub forced: bool,
    /// Only those that are ended already, before all others: what `revoke-force` begins with.
    #[serde(default)]
    pub ended: bool,
    /// Where the last batch ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Due {
    Lease(LeaseHash),
    TokenGone(TokenHash),
    Folder(Folder),
}

/// An entry of the queue.
pub struct Entry {
    pub at: Time,
    pub key: PhysicalKey,
    pub due: Due,
}

fn key(at: Time, kind: u8, id: &[u8]) -> PhysicalKey {
    plain_key(Keyspace::LeaseDue, &[&at.0.to_be_bytes(), &[kind], id])
}

pub fn lease_key(at: Time, hash: &LeaseHash) -> PhysicalKey {
    key(at, LEASE, hash)
}

/// A token is being removed: whatever leases it has are ended by the workers, and count as ended from now on because
/// their token is gone.
///
/// # Errors
/// Storage.
pub async fn token_gone(txn: &Arc<Txn>, token: &TokenHash, now: Time) -> Result<(), EngineError> {
    if has_leases(txn, token).await? {
        txn.put(key(now, TOKEN_GONE, token), Vec::new());
    }
    Ok(())
}

/// Whether leases end with this token.
///
/// # Errors
/// Storage.
pub async fn has_leases(txn: &Arc<Txn>, token: &TokenHash) -> Result<bool, EngineError> {
    Ok(!LeaseStore(txn).of_token(token, 1).await?.is_empty())
}

pub fn queue_folder(txn: &Arc<Txn>, folder: &Folder, at: Time) -> Result<(), EngineError> {
    let id: [u8; 16] =
        random::bytes().map_err(|_| EngineError::internal("no randomness could be had from the system"))?;
    let bytes = encode("lease folder", folder).map_err(|e| EngineError::internal(e.to_string()))?;
    txn.put(key(at, FOLDER, &id), bytes);
    Ok(())
}

/// Up to `limit` entries whose time has come, oldest first, and whether there may be more. `from` is where the last look ended: behind it everything is gone, and
/// scanning over fresh deletions is slow.
///
/// # Errors
/// Storage.
pub async fn due(txn: &Arc<Txn>, from: Time, now: Time, limit: usize) -> Result<(Vec<Entry>, bool), EngineError> {
    let start = plain_key(Keyspace::LeaseDue, &[&from.0.to_be_bytes()]);
    let end = plain_key(Keyspace::LeaseDue, &[&now.0.saturating_add(1).to_be_bytes()]);
    let mut entries = Vec::new();
    let found = txn.range(&start, &end, limit).await?;
    let full = found.len() >= limit;
    for (key, value) in found {
        match parse(key.bytes(), &value) {
            Some((at, due)) => entries.push(Entry { at, key, due }),
            None => tracing::error!(?key, "an entry of the lease queue cannot be read"),
        }
    }
    Ok((entries, full))
}

fn parse(key: &[u8], value: &[u8]) -> Option<(Time, Due)> {
    let at = Time(u64::from_be_bytes(key.get(1..9)?.try_into().ok()?));
    let id = key.get(10..)?;
    let due = match *key.get(9)? {
        LEASE => Due::Lease(id.try_into().ok()?),
        TOKEN_GONE => Due::TokenGone(id.try_into().ok()?),
        FOLDER => Due::Folder(decode("lease folder", value).ok()?),
        _ => return None,
    };
    Some((at, due))
}
