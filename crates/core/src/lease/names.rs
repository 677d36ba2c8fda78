//! Leases by name: `<path below the mount>/<last segment>`, in a scope of each mount's own, so that moving a mount moves
//! no lease. Names are sealed as all names that users choose are.
//!
//! What is ended lies in a second scope: a listing does not show it, and a revocation that goes through a folder never
//! meets the same lease twice.

use super::find::TokenTail;
use super::store::{LeaseHash, LeaseStore};
use crate::token::{TokenHash, TokenStore, revoke_up_to};
use bulla_barrier::{Txn, View};
use bulla_kit::EngineError;
use bulla_records::{EndingRecord, LeaseRecord, TokenRecord};
use bulla_types::{ScopeId, Time};
use std::sync::Arc;

/// The two scopes of names that each mount has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameScope {
    /// Leases and tokens that nobody has ended.
    Current,
    /// Leases whose secrets are still to be taken back.
    Ended,
}

impl NameScope {
    pub fn of(record: &LeaseRecord) -> Self {
        if record.revocation.is_none() { Self::Current } else { Self::Ended }
    }

    /// The names of a mount.
    pub fn view(self, txn: &Arc<Txn>, accessor: &str) -> View {
        let domain = match self {
            Self::Current => "leases of a mount",
            Self::Ended => "ended leases of a mount",
        };
        let hash = txn.barrier().hash_id(domain, accessor.as_bytes());
        let mut scope = [0; 16];
        scope.copy_from_slice(&hash[..16]);
        View::new(txn, ScopeId(scope))
    }
}

pub fn join(path: &str, tail: &str) -> String {
    if path.is_empty() { tail.to_owned() } else { format!("{path}/{tail}") }
}

pub fn put_lease(txn: &Arc<Txn>, scope: NameScope, record: &LeaseRecord) -> Result<(), EngineError> {
    Ok(scope.view(txn, &record.mount).put(&join(&record.path, &record.tail), Vec::new())?)
}

pub fn delete_lease(txn: &Arc<Txn>, scope: NameScope, record: &LeaseRecord) -> Result<(), EngineError> {
    Ok(scope.view(txn, &record.mount).delete(&join(&record.path, &record.tail))?)
}

/// Lists a new token among the leases of the mount that made it.
///
/// # Errors
/// A path too long to be stored.
pub fn name_token(txn: &Arc<Txn>, hash: &TokenHash, record: &TokenRecord) -> Result<(), EngineError> {
    let Some(path) = record.lease_path() else { return Ok(()) };
    let name = join(path, &TokenTail::write(hash));
    Ok(NameScope::Current.view(txn, &record.mount_accessor).put(&name, Vec::new())?)
}

/// Takes a token off the list of its mount.
///
/// # Errors
/// As [`name_token`].
pub fn forget_token(txn: &Arc<Txn>, hash: &TokenHash, record: &TokenRecord) -> Result<(), EngineError> {
    let Some(path) = record.lease_path() else { return Ok(()) };
    let name = join(path, &TokenTail::write(hash));
    Ok(NameScope::Current.view(txn, &record.mount_accessor).delete(&name)?)
}

/// Whether a mount has leases or tokens that somebody still has to take back.
///
/// # Errors
/// Storage.
pub async fn has_any(txn: &Arc<Txn>, accessor: &str) -> Result<bool, EngineError> {
    for scope in [NameScope::Current, NameScope::Ended] {
        if !scope.view(txn, accessor).scan("", 1).await?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a listing shows anything of a mount.
///
/// # Errors
/// Storage.
pub async fn has_any_current(txn: &Arc<Txn>, accessor: &str) -> Result<bool, EngineError> {
    Ok(!NameScope::Current.view(txn, accessor).scan("", 1).await?.is_empty())
}

/// How leases are ended.
#[derive(Clone, Copy, Debug)]
pub struct End {
    pub why: EndingRecord,
    pub now: Time,
    /// What was made later is left alone.
    pub made_before: Time,
    /// Tokens of one tree that are removed in this batch.
    pub limit: usize,
}

/// What one step leaves of the leases and tokens of a mount that nobody has ended yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeasesLeft {
    /// More lie behind this name.
    Behind(Vec<u8>),
    /// All have been met; those that could not go at once (the tops of large trees of tokens) are met again.
    Again,
    Nothing,
}

/// One step of ending the leases and tokens of a mount that is being disabled, from behind the name that the last step
/// answered.
///
/// # Errors
/// Storage.
pub async fn end_mount(
    txn: &Arc<Txn>,
    accessor: &str,
    after: Option<&[u8]>,
    now: Time,
    limit: usize,
) -> Result<LeasesLeft, EngineError> {
    let (names, next) = NameScope::Current.view(txn, accessor).walk("", after, limit).await?;
    for name in &names {
        let end = End { why: EndingRecord::MountGone, now, made_before: Time(u64::MAX), limit };
        end_named(txn, accessor, name, end).await?;
        tokio::task::yield_now().await;
    }
    Ok(match next {
        Some(next) => LeasesLeft::Behind(next),
        None if names.is_empty() && after.is_none() => LeasesLeft::Nothing,
        None => LeasesLeft::Again,
    })
}

/// Ends what a name of a mount stands for: a lease, or a token with all below it. A name that stands for nothing is
/// taken away.
///
/// # Errors
/// Storage.
pub async fn end_named(txn: &Arc<Txn>, accessor: &str, name: &str, end: End) -> Result<Option<LeaseHash>, EngineError> {
    let End { why, now, made_before, limit } = end;
    let tail = name.rsplit('/').next().unwrap_or_default();
    if let Some(hash) = TokenTail::read(tail) {
        match TokenStore(txn).get(&hash).await? {
            Some(record) if record.created > made_before => {}
            Some(_) => revoke_up_to(txn, hash, now, limit).await?,
            None => NameScope::Current.view(txn, accessor).delete(name)?,
        }
        return Ok(None);
    }
    let store = LeaseStore(txn);
    let hash = store.hash(tail);
    match store.get(&hash).await? {
        Some(record) if record.issued > made_before => Ok(None),
        Some(record) if record.revocation.is_none() => {
            store.end(&hash, &record, why, now)?;
            Ok(Some(hash))
        }
        _ => {
            NameScope::Current.view(txn, accessor).delete(name)?;
            Ok(None)
        }
    }
}
