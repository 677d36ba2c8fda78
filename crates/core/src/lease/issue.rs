//! Making a lease for a secret that an engine hands out, in the request's own batch.

use super::find::lease_id;
use super::store::LeaseStore;
use crate::mounts::MountStore;
use crate::state::Mount;
use crate::token::Caller;
use bulla_barrier::Txn;
use bulla_crypto::random;
use bulla_kit::{EngineError, LeaseIntent};
use bulla_lease::{Asked, Bounds, grant};
use bulla_records::{LeaseRecord, TokenKindRecord, TokenRecord};
use bulla_types::{Seconds, Time};
use std::sync::Arc;

/// A lease as it leaves.
pub struct Issued {
    pub id: String,
    pub ttl: Seconds,
    pub renewable: bool,
    pub warnings: Vec<String>,
    pub record: LeaseRecord,
}

/// Writes the lease of a secret into the transaction. `path` is the request's, below the mount.
///
/// # Errors
/// A route without a token handed it out; the mount is being disabled; no randomness; a path too long to be stored.
pub async fn issue(
    txn: &Arc<Txn>,
    mount: &Mount,
    path: &str,
    caller: Option<&Caller>,
    intent: LeaseIntent,
    now: Time,
) -> Result<Issued, EngineError> {
    let Some(caller) = caller else {
        return Err(EngineError::internal("a secret that must be taken back was handed out without a token"));
    };
    // Also makes this request collide with one that disables the mount, which then sees the lease or stops it.
    if !MountStore::new(txn, mount_namespace()).is_there(mount.record.uuid).await? {
        return Err(EngineError::UnsupportedPath);
    }
    let bounds = Bounds { default_ttl: mount.info.default_ttl, max_ttl: mount.info.max_ttl };
    let granted = grant(bounds, Asked { ttl: intent.ttl, max_ttl: intent.max_ttl, ..Asked::default() });
    let token = &caller.token.record;
    let latest = (token.kind == TokenKindRecord::Batch).then_some(token.expires).flatten();
    let end = now.plus(granted.ttl);
    let expires = latest.map_or(end, |latest| latest.min(end));
    let record = LeaseRecord {
        namespace: token.namespace,
        mount: mount.record.accessor.clone(),
        path: path.trim_end_matches('/').to_owned(),
        tail: random::base62(24).map_err(|_| EngineError::internal("no randomness could be had from the system"))?,
        kind: intent.kind.to_owned(),
        internal: intent.internal.get().to_owned(),
        token: ends_with(token, &caller.token.hash),
        issued: now,
        expires,
        ttl: now.until(expires),
        last_renewal: None,
        max_ttl: intent.max_ttl.filter(|t| !t.is_zero()),
        latest,
        renewable: intent.renewable,
        revocation: None,
    };
    LeaseStore(txn).insert(&record)?;
    Ok(Issued {
        id: lease_id(mount, &record),
        ttl: record.ttl,
        renewable: record.renewable,
        warnings: granted.warnings,
        record,
    })
}

fn mount_namespace() -> bulla_types::NamespaceId {
    bulla_types::NamespaceId::ROOT
}

/// The token that a lease ends with. A batch token is stored nowhere: its end is the lease's (see `latest`), and the token
/// above it can be revoked.
fn ends_with(token: &TokenRecord, hash: &[u8; 32]) -> Option<String> {
    match token.kind {
        TokenKindRecord::Service => Some(hex::encode(hash)),
        TokenKindRecord::Batch => token.parent.clone(),
    }
}
