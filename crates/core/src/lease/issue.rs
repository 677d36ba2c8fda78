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
use bulla_types::{NamespaceId, Time};
use std::sync::Arc;

/// The lease of a secret that an engine has just handed out, and what the client is to be told about it. `path` is the
/// request's, below the mount. Nothing is stored yet.
///
/// # Errors
/// No randomness.
pub fn draft(
    mount: &Mount,
    path: &str,
    caller: Option<&Caller>,
    intent: &LeaseIntent,
    now: Time,
) -> Result<(LeaseRecord, Vec<String>), EngineError> {
    let bounds = Bounds { default_ttl: mount.info.default_ttl, max_ttl: mount.info.max_ttl };
    let granted = grant(bounds, Asked { ttl: intent.ttl, max_ttl: intent.max_ttl, ..Asked::default() });
    let token = caller.map(|caller| &caller.token.record);
    let batch = token.filter(|token| token.kind == TokenKindRecord::Batch);
    let latest = batch.and_then(|token| token.expires);
    let end = now.plus(granted.ttl);
    let expires = latest.map_or(end, |latest| latest.min(end));
    let record = LeaseRecord {
        namespace: NamespaceId::ROOT,
        mount: mount.record.accessor.clone(),
        path: path.trim_end_matches('/').to_owned(),
        tail: random::base62(24).map_err(|_| EngineError::internal("no randomness could be had from the system"))?,
        kind: intent.kind.to_owned(),
        internal: intent.internal.get().to_owned(),
        token: caller.and_then(|caller| ends_with(&caller.token.record, &caller.token.hash)),
        issued: now,
        expires,
        ttl: now.until(expires),
        last_renewal: None,
        max_ttl: intent.max_ttl.filter(|t| !t.is_zero()),
        latest,
        renewable: intent.renewable,
        revocation: None,
    };
    Ok((record, granted.warnings))
}

/// Writes a lease into the transaction; answers its id.
///
/// # Errors
/// A route without a token handed the secret out; the mount is being disabled; a path too long to be stored.
pub async fn keep(
    txn: &Arc<Txn>,
    mount: &Mount,
    caller: Option<&Caller>,
    record: &LeaseRecord,
) -> Result<String, EngineError> {
    if caller.is_none() {
        return Err(EngineError::internal("a secret that must be taken back was handed out without a token"));
    }
    // Also makes this request collide with one that disables the mount, which then sees the lease or stops it.
    if !MountStore::new(txn, record.namespace).is_there(mount.record.uuid).await? {
        return Err(EngineError::UnsupportedPath);
    }
    LeaseStore(txn).insert(record)?;
    Ok(lease_id(mount, record))
}

/// The token that a lease ends with. A batch token is stored nowhere: its end is the lease's (see `latest`), and the token
/// above it can be revoked.
fn ends_with(token: &TokenRecord, hash: &[u8; 32]) -> Option<String> {
    match token.kind {
        TokenKindRecord::Service => Some(hex::encode(hash)),
        TokenKindRecord::Batch => token.parent.clone(),
    }
}
