//! Taking a secret back: its engine is asked in a transaction of its own, outside of every lock and within a time limit.
//! Done again after a crash it does no harm: engines do not mind that a secret is gone already.

use super::find::Found;
use super::store::{LeaseHash, LeaseStore};
use crate::core::Core;
use crate::state::{Backend, Mount, Unsealed};
use crate::sys::SysCtx;
use crate::token::revoke_tree;
use bulla_barrier::{BarrierError, Pass, Txn, View};
use bulla_crypto::random;
use bulla_kit::{CallerInfo, Ctx, Engine, EngineError, NoRights, RawJson, RequestInfo, RevokeReason, SecretLease};
use bulla_lease::{FIRST_PAUSE, Retry, after_failure, postponed};
use bulla_records::{EndingRecord, LeaseRecord, RevocationRecord};
use bulla_types::{Operation, RequestPath, Seconds, Time};
use std::sync::Arc;
use tokio::task::JoinSet;

/// Engines that are asked at the same time.
pub const PARALLEL: usize = 32;
/// Bytes of an engine's error that are kept.
const ERROR: usize = 500;

/// What became of an attempt to take a secret back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The lease is gone; its mount, if this was its end.
    Gone(Option<String>),
    /// It is (again) in force, or not due yet: there was nothing to do.
    Kept,
    /// The engine of this mount failed; it is asked again, or not.
    Failed(String),
    /// Somebody changed the lease meanwhile: look at it anew.
    Collided,
    /// The store did not take or give what was needed: look at it later.
    Unknown,
}

/// Takes back the secret of one lease that is over, or notes why that failed and when it is tried again.
///
/// # Errors
/// Storage.
pub async fn revoke_one(core: &Arc<Core>, pass: &Pass<Unsealed>, hash: LeaseHash) -> Result<Outcome, EngineError> {
    let now = core.clock.now();
    let txn = Txn::begin(pass)?;
    // The state after the snapshot: the mount of every lease in it is known.
    let state = pass.owner().state.load_full();
    let store = LeaseStore(&txn);
    let Some(record) = store.get(&hash).await? else { return Ok(Outcome::Gone(None)) };
    let why = match &record.revocation {
        None if now < record.expires => return Ok(Outcome::Kept),
        None => EndingRecord::Expired,
        Some(revocation) if revocation.next.is_none_or(|next| now < next) => return Ok(Outcome::Kept),
        Some(revocation) => revocation.why,
    };
    let outcome =
        match ask_engine(Asked { core, mount: state.mounts.any(&record.mount), txn: &txn, record: &record, why, now })
            .await
        {
            Ok(()) => {
                store.remove(&hash, &record)?;
                Outcome::Gone(Some(record.mount))
            }
            Err(EngineError::Barrier(BarrierError::Conflict)) => return Ok(Outcome::Collided),
            Err(error) => {
                txn.discard();
                tracing::warn!(%error, mount = %record.mount, kind = %record.kind, "a secret could not be taken back");
                if record.revocation.as_ref().is_some_and(|r| r.forced) {
                    store.remove(&hash, &record)?;
                } else {
                    note_failure(&store, &hash, &record, why, &error.to_string(), now)?;
                }
                Outcome::Failed(record.mount)
            }
        };
    match txn.commit(outcome).await {
        Ok(committed) => Ok(committed.into_inner()),
        Err(BarrierError::Conflict) => Ok(Outcome::Collided),
        Err(error) => Err(error.into()),
    }
}

/// Notes that an engine was asked to take a secret back and failed: when it is asked again, or that it is not.
///
/// # Errors
/// No randomness; storage.
pub fn note_failure(
    store: &LeaseStore<'_>,
    hash: &LeaseHash,
    record: &LeaseRecord,
    why: EndingRecord,
    error: &str,
    now: Time,
) -> Result<(), EngineError> {
    let attempts = record.revocation.as_ref().map_or(0, |r| r.attempts).saturating_add(1);
    let next = match after_failure(attempts, now, noise()?) {
        Retry::At(time) => Some(time),
        Retry::Never => None,
    };
    let error = error.chars().take(ERROR).collect();
    let forced = record.revocation.as_ref().is_some_and(|r| r.forced);
    let revocation = RevocationRecord { why, next, attempts, forced, error };
    store.change(hash, record, &LeaseRecord { revocation: Some(revocation), ..record.clone() })
}

fn noise() -> Result<u16, EngineError> {
    let bytes = random::bytes().map_err(|_| EngineError::internal("no randomness could be had from the system"))?;
    Ok(u16::from_le_bytes(bytes))
}

/// Leaves a lease that is over until `until`, because its engine cannot be asked now. That is no attempt: however often a
/// lease is postponed, its engine has still to be asked as often as any other's before it counts as irrevocable.
///
/// # Errors
/// No randomness; storage.
pub fn postpone(
    store: &LeaseStore<'_>,
    hash: &LeaseHash,
    record: &LeaseRecord,
    until: Time,
    now: Time,
) -> Result<(), EngineError> {
    let next = Some(postponed(until, now, noise()?));
    let revocation = match record.revocation.clone() {
        Some(before) => RevocationRecord { next, ..before },
        None => RevocationRecord { why: EndingRecord::Expired, next, attempts: 0, forced: false, error: String::new() },
    };
    store.change(hash, record, &LeaseRecord { revocation: Some(revocation), ..record.clone() })
}

/// Ends a lease, or has the engine of one that is ended asked again at once.
///
/// # Errors
/// Storage.
pub fn again(
    store: &LeaseStore<'_>,
    hash: &LeaseHash,
    record: &LeaseRecord,
    why: EndingRecord,
    forced: bool,
    now: Time,
) -> Result<(), EngineError> {
    let before = record.revocation.clone();
    let revocation = RevocationRecord {
        why: before.as_ref().map_or(why, |r| r.why),
        next: Some(now),
        attempts: 0,
        forced: forced || before.as_ref().is_some_and(|r| r.forced),
        error: before.map(|r| r.error).unwrap_or_default(),
    };
    store.change(hash, record, &LeaseRecord { revocation: Some(revocation), ..record.clone() })
}

/// What an engine is asked to take back, and where.
pub struct Asked<'a> {
    pub core: &'a Arc<Core>,
    /// `None` = it is gone.
    pub mount: Option<&'a Arc<Mount>>,
    pub txn: &'a Arc<Txn>,
    pub record: &'a LeaseRecord,
    pub why: EndingRecord,
    pub now: Time,
}

/// Asks the engine of a lease to take the secret back, inside the transaction.
///
/// # Errors
/// The engine's; there is none; it does not answer in time.
pub async fn ask_engine(asked: Asked<'_>) -> Result<(), EngineError> {
    let Asked { core, mount, txn, record, why, now } = asked;
    let (engine, ctx) = engine_of(core, mount, txn, record, now)?;
    let lease = as_engine_sees(record, None);
    let asked = engine.revoke(&ctx, &lease, reason(why));
    in_time(core, asked).await
}

/// The engine's answer, or that it took too long.
///
/// # Errors
/// The engine's own; no answer in time.
pub async fn in_time<T>(core: &Core, asked: impl Future<Output = Result<T, EngineError>>) -> Result<T, EngineError> {
    match tokio::time::timeout(core.config.lease_timeout, asked).await {
        Ok(answer) => answer,
        Err(_) => Err(EngineError::internal("the engine did not answer in time")),
    }
}

/// The engine of a lease, also of a mount that is being disabled, and what it is given.
///
/// # Errors
/// The mount or its engine is gone.
pub fn engine_of(
    core: &Arc<Core>,
    mount: Option<&Arc<Mount>>,
    txn: &Arc<Txn>,
    record: &LeaseRecord,
    now: Time,
) -> Result<(Arc<dyn Engine>, Ctx), EngineError> {
    let gone = || EngineError::internal("there is no engine any more to take the secret back");
    let mount = mount.ok_or_else(gone)?;
    let Backend::Engine(engine) = &mount.backend else { return Err(gone()) };
    let path = format!("{}{}", mount.record.path, record.path);
    let request = RequestInfo {
        id: random::uuid().map_err(|_| EngineError::internal("no randomness could be had from the system"))?,
        namespace: record.namespace,
        operation: Operation::Delete,
        path: RequestPath::parse(&path).map_err(|e| EngineError::internal(e.to_string()))?,
        remote: None,
        headers: Vec::new(),
        client_certificates: Vec::new(),
    };
    let ctx = Ctx {
        view: View::new(txn, mount.record.uuid),
        now,
        mount: Arc::clone(&mount.info),
        request: Arc::new(request),
        caller: Arc::new(CallerInfo::default()),
        services: Arc::clone(core) as _,
        rights: Arc::new(NoRights),
    };
    Ok((Arc::clone(engine), ctx))
}

pub fn as_engine_sees(record: &LeaseRecord, increment: Option<Seconds>) -> SecretLease {
    SecretLease {
        kind: record.kind.clone(),
        internal: RawJson::from_trusted(record.internal.clone()),
        issued: record.issued,
        ttl: record.ttl,
        increment,
    }
}

fn reason(why: EndingRecord) -> RevokeReason {
    match why {
        EndingRecord::Expired => RevokeReason::Expired,
        EndingRecord::Asked => RevokeReason::Asked,
        EndingRecord::TokenGone => RevokeReason::TokenGone,
        EndingRecord::MountGone => RevokeReason::MountGone,
    }
}

/// `leases/revoke`: ends what has this id; something that is not there is gone already. With `sync` the engine is asked
/// before the answer, and its failure is the answer; the lease is then left as it was.
///
/// # Errors
/// The engine's, with `sync`; storage.
pub async fn revoke_by_id(ctx: &SysCtx, id: &str, sync: bool) -> Result<(), EngineError> {
    let (txn, mounts, now) = (ctx.txn(), &ctx.state.mounts, ctx.now());
    let (hash, record) = match super::find::find(txn, mounts, id).await? {
        None => return Ok(()),
        Some(Found::Token(hash)) => return revoke_tree(txn, hash, now, ctx.contention).await,
        Some(Found::Lease(hash, record)) => (hash, record),
    };
    let store = LeaseStore(txn);
    if !sync {
        return again(&store, &hash, &record, EndingRecord::Asked, false, now);
    }
    let why = record.revocation.as_ref().map_or(EndingRecord::Asked, |r| r.why);
    match ask_engine(Asked { core: &ctx.core, mount: mounts.any(&record.mount), txn, record: &record, why, now }).await
    {
        Ok(()) => store.remove(&hash, &record),
        Err(error @ EngineError::Barrier(_)) => Err(error),
        Err(error) => Err(EngineError::bad(format!("failed to revoke {id:?}: {error}"))),
    }
}

/// Asks the engines of leases that are ended, side by side, until all have answered. Failures are noted with the leases.
pub async fn revoke_now(core: &Arc<Core>, pass: &Pass<Unsealed>, leases: Vec<LeaseHash>) -> Vec<(LeaseHash, Outcome)> {
    let mut waiting = leases.into_iter();
    let mut running = JoinSet::new();
    let mut whose = std::collections::HashMap::new();
    let mut outcomes = Vec::new();
    loop {
        while running.len() < PARALLEL
            && let Some(hash) = waiting.next()
        {
            let (core, pass) = (Arc::clone(core), pass.clone());
            let task = running.spawn(async move { revoke_one(&core, &pass, hash).await });
            whose.insert(task.id(), hash);
            // One after the other: what all of them do before they first wait would keep requests waiting.
            tokio::task::yield_now().await;
        }
        let Some(ended) = running.join_next_with_id().await else { return outcomes };
        let (id, trouble) = match ended {
            Ok((id, Ok(outcome))) => {
                outcomes.extend(whose.remove(&id).map(|hash| (hash, outcome)));
                continue;
            }
            Ok((id, Err(error))) => (id, Interrupted::ByTheStore(error)),
            Err(fault) => (fault.id(), Interrupted::ByAFault),
        };
        let Some(hash) = whose.remove(&id) else { continue };
        tracing::error!(%trouble, "a secret could not be taken back");
        set_aside(core, pass, &hash, &trouble).await;
        outcomes.push((hash, Outcome::Unknown));
    }
}

/// What kept an attempt from its end.
#[derive(Debug, thiserror::Error)]
enum Interrupted {
    #[error("the engine met a fault")]
    ByAFault,
    #[error(transparent)]
    ByTheStore(EngineError),
}

/// A lease whose engine met a fault, or that cannot be written, must not be met again and again at once. The fault is the
/// engine's, and an attempt; what the store does is not.
async fn set_aside(core: &Arc<Core>, pass: &Pass<Unsealed>, hash: &LeaseHash, trouble: &Interrupted) {
    let note = async {
        let txn = Txn::begin(pass)?;
        let store = LeaseStore(&txn);
        let now = core.clock.now();
        // It may have been renewed meanwhile.
        let is_due = |record: &LeaseRecord| record.due().is_some_and(|due| due <= now);
        if let Some(record) = store.get(hash).await?.filter(is_due) {
            match trouble {
                Interrupted::ByAFault => {
                    let why = record.revocation.as_ref().map_or(EndingRecord::Expired, |r| r.why);
                    note_failure(&store, hash, &record, why, &trouble.to_string(), now)?;
                }
                Interrupted::ByTheStore(_) => postpone(&store, hash, &record, now.plus(FIRST_PAUSE), now)?,
            }
        }
        txn.commit(()).await?;
        Ok::<(), EngineError>(())
    };
    if let Err(error) = note.await {
        tracing::error!(%error, "the failure could not be noted");
    }
}
