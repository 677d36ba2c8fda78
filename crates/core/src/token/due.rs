//! The expiry index: what the sweep of tokens has to do, in the order of time.
//!
//! | kind | what | after kind | value |
//! | --- | --- | --- | --- |
//! | `T` | a token's time is over | keyed hash of the token | nothing |
//! | `C` | a token is gone, and its cubbyhole held more than went with it | scope of the cubbyhole | where the last batch ended |

use super::store::TokenHash;
use bulla_barrier::{Keyspace, PhysicalKey, Txn, plain_key};
use bulla_kit::EngineError;
use bulla_types::{ScopeId, Time};
use std::sync::Arc;

const TOKEN: u8 = b'T';
const CUBBYHOLE: u8 = b'C';

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Due {
    Token(TokenHash),
    Cubbyhole { scope: ScopeId, after: Option<Vec<u8>> },
}

pub struct Entry {
    pub at: Time,
    pub key: PhysicalKey,
    pub due: Due,
}

pub fn expiry_key(end: Time, hash: &TokenHash) -> PhysicalKey {
    plain_key(Keyspace::Expiry, &[&end.0.to_be_bytes(), &[TOKEN], hash])
}

pub fn cubbyhole_key(gone: Time, scope: ScopeId) -> PhysicalKey {
    plain_key(Keyspace::Expiry, &[&gone.0.to_be_bytes(), &[CUBBYHOLE], &scope.0])
}

/// Up to `limit` entries whose time has come, oldest first, and whether there may be more. `from` is where the last sweep
/// ended: behind it everything is gone, and scanning over fresh deletions is slow.
///
/// # Errors
/// Storage.
pub async fn due(txn: &Arc<Txn>, from: Time, now: Time, limit: usize) -> Result<(Vec<Entry>, bool), EngineError> {
    let start = plain_key(Keyspace::Expiry, &[&from.0.to_be_bytes()]);
    let end = plain_key(Keyspace::Expiry, &[&now.0.saturating_add(1).to_be_bytes()]);
    let found = txn.range(&start, &end, limit).await?;
    let full = found.len() >= limit;
    let mut entries = Vec::new();
    for (key, value) in found {
        match parse(key.bytes(), &value) {
            Some((at, due)) => entries.push(Entry { at, key, due }),
            None => tracing::error!(?key, "an entry of the expiry index cannot be read"),
        }
    }
    Ok((entries, full))
}

fn parse(key: &[u8], value: &[u8]) -> Option<(Time, Due)> {
    let at = Time(u64::from_be_bytes(key.get(1..9)?.try_into().ok()?));
    let id = key.get(10..)?;
    let due = match *key.get(9)? {
        TOKEN => Due::Token(id.try_into().ok()?),
        CUBBYHOLE => {
            Due::Cubbyhole { scope: ScopeId(id.try_into().ok()?), after: (!value.is_empty()).then(|| value.to_vec()) }
        }
        _ => return None,
    };
    Some((at, due))
}
