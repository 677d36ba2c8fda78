//! The jobs of the workers. Each step is a small transaction that may run again.
//!
//! Not here: when they run (the parent), how leases and tokens are taken back (`lease`, `token`).

use super::Background;
use crate::core::Core;
use crate::lease::Sweeper;
use crate::mounts::{Clearing, MountStore, clear_some};
use crate::state::{Backend, Mount, Unsealed};
use crate::sys::rotation_due;
use crate::token::TokenSweeper;
use bulla_barrier::{BarrierError, Pass, SealedStore, Txn, View};
use bulla_kit::{EngineError, Setup};
use bulla_records::MountRecord;
use bulla_types::{NamespaceId, Time};
use std::sync::Arc;

/// Mounts whose engines are asked in one step whether they have work.
const MOUNTS: usize = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    Tokens,
    Leases,
    Leaving,
    Setup,
    Tending,
    Keyring,
}

impl Job {
    pub const ALL: [Self; 6] = [Self::Tokens, Self::Leases, Self::Leaving, Self::Setup, Self::Tending, Self::Keyring];

    /// For the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tokens => "taking back tokens",
            Self::Leases => "taking back leases",
            Self::Leaving => "clearing a mount",
            Self::Setup => "setting up a mount",
            Self::Tending => "tending mounts",
            Self::Keyring => "care of the keyring",
        }
    }

    /// One step; `true` = there is more to do at once.
    ///
    /// # Errors
    /// Storage; the step can be taken again.
    pub async fn step(
        self,
        core: &Arc<Core>,
        pass: &Pass<Unsealed>,
        background: &mut Background,
    ) -> Result<bool, EngineError> {
        let (now, limit) = (core.clock.now(), background.pace.batch());
        let done = match self {
            Self::Tokens => tokens(pass, &mut background.tokens, now, limit).await,
            Self::Leases => leases(core, pass, &mut background.leases, limit).await,
            Self::Leaving => clear_leaving(core, pass, now, limit).await,
            Self::Setup => set_up_some(core, pass, now).await,
            Self::Tending => tend_some(pass, &mut background.tended, now).await,
            Self::Keyring => tend_keyring(pass, now).await.map(|()| false),
        };
        unless_conflict(done)
    }
}

/// A client that came between is no fault: the step is taken again.
fn unless_conflict(done: Result<bool, EngineError>) -> Result<bool, EngineError> {
    match done {
        Err(EngineError::Barrier(BarrierError::Conflict)) => Ok(true),
        done => done,
    }
}

async fn tokens(
    pass: &Pass<Unsealed>,
    sweeper: &mut TokenSweeper,
    now: Time,
    limit: usize,
) -> Result<bool, EngineError> {
    let txn = Txn::begin(pass)?;
    let (next, more) = sweeper.step(&txn, now, limit).await?;
    txn.commit(()).await?;
    *sweeper = next;
    Ok(more)
}

/// Encryptions after which the count is written down: what a crash can lose of it is small beside the limit.
const COUNT_EVERY: u64 = 1 << 20;

/// Adds a data key when its time or its count is over, and writes the count down now and then.
async fn tend_keyring(pass: &Pass<Unsealed>, now: Time) -> Result<(), EngineError> {
    let barrier = pass.barrier();
    // Whoever else changes keys waits, and what is read below is what they left.
    let _alone = pass.owner().keys.alone().await;
    let txn = Txn::begin(pass)?;
    let fault = |_| EngineError::internal("the keyring could not be sealed");
    if rotation_due(&txn, now).await? {
        let no_randomness = |_| EngineError::internal("no randomness could be had from the system");
        let next = barrier.with_keyring(|keyring| keyring.rotated(now.unix())).map_err(no_randomness)?;
        SealedStore::put_keyring(&txn, &next).map_err(fault)?;
        txn.commit(()).await?;
        tracing::info!(term = next.active_term(), "the data key was rotated by itself");
        barrier.install(next);
    } else if barrier.uncounted() >= COUNT_EVERY {
        barrier.count();
        barrier.with_keyring(|keyring| SealedStore::put_keyring(&txn, keyring)).map_err(fault)?;
        txn.commit(()).await?;
    }
    Ok(())
}

/// Lets the engines of the next few mounts do a step of their own work; `true` = one of them has more.
async fn tend_some(pass: &Pass<Unsealed>, last: &mut String, now: Time) -> Result<bool, EngineError> {
    let state = pass.owner().state.load_full();
    let after = last.clone();
    let path = |mount: &Mount| mount.record.path.as_str().to_owned();
    let next: Vec<_> = state.mounts.iter().filter(|mount| path(mount) > after).take(MOUNTS).cloned().collect();
    // From the first one again, the next time.
    *last = if next.len() < MOUNTS { String::new() } else { next.last().map(|m| path(m)).unwrap_or_default() };
    let mut more = false;
    for mount in next {
        let Backend::Engine(engine) = &mount.backend else { continue };
        let txn = Txn::begin(pass)?;
        let done = async {
            let more = engine.tend(&View::new(&txn, mount.record.uuid), now).await?;
            Ok(txn.commit(more).await?.into_inner())
        };
        match unless_conflict(done.await) {
            Ok(has_more) => more |= has_more,
            Err(error) => tracing::warn!(%error, path = %mount.record.path, "the mount could not be tended"),
        }
    }
    Ok(more)
}

/// Goes on with the mounts whose setup did not fit into one batch; one that cannot be set up holds up no other.
async fn set_up_some(core: &Arc<Core>, pass: &Pass<Unsealed>, now: Time) -> Result<bool, EngineError> {
    let state = pass.owner().state.load_full();
    let mut outcome = Ok(false);
    for mount in state.mounts.iter().filter(|m| m.record.unfinished) {
        match unless_conflict(set_up_one(core, pass, mount, now).await) {
            Ok(more) => outcome = outcome.map(|before| before | more),
            Err(error) => {
                tracing::warn!(%error, path = %mount.record.path, "the mount could not be set up");
                outcome = outcome.and(Err(error));
            }
        }
    }
    outcome
}

/// One batch. The mark goes with the last one.
async fn set_up_one(core: &Arc<Core>, pass: &Pass<Unsealed>, mount: &Mount, now: Time) -> Result<bool, EngineError> {
    let Backend::Engine(engine) = &mount.backend else { return Ok(false) };
    let txn = Txn::begin(pass)?;
    let setup = engine.go_on_setup(&View::new(&txn, mount.record.uuid), now).await?;
    if setup == Setup::Unfinished {
        txn.commit(()).await?;
        return Ok(true);
    }
    let store = MountStore::new(&txn, NamespaceId::ROOT);
    // As it is now: it may have been moved or tuned meanwhile.
    if let Some(record) = store.all().await?.into_iter().find(|r| r.uuid == mount.record.uuid) {
        store.put(&MountRecord { unfinished: false, ..record })?;
    }
    txn.commit(()).await?;
    core.reload_mounts(pass).await?;
    tracing::info!(path = %mount.record.path, "the mount is set up");
    Ok(true)
}

/// Leases that are over. An engine may take its time; a seal does not wait for it.
async fn leases(
    core: &Arc<Core>,
    pass: &Pass<Unsealed>,
    sweeper: &mut Sweeper,
    limit: usize,
) -> Result<bool, EngineError> {
    let mut sealing = core.subscribe_seal();
    tokio::select! {
        biased;
        _ = sealing.changed() => Ok(false),
        more = sweeper.step(core, pass, limit) => more,
    }
}

/// Goes on with the mounts that are being disabled; one that cannot be cleared holds up no other.
async fn clear_leaving(core: &Arc<Core>, pass: &Pass<Unsealed>, now: Time, limit: usize) -> Result<bool, EngineError> {
    let state = pass.owner().state.load_full();
    let (mut outcome, mut gone) = (Ok(false), false);
    for mount in state.mounts.all().filter(|mount| mount.record.going) {
        match unless_conflict(clear_one(pass, mount, &mut gone, now, limit).await) {
            Ok(more) => outcome = outcome.map(|before| before | more),
            Err(error) => {
                tracing::warn!(%error, path = %mount.record.path, "the disabled mount could not be cleared");
                outcome = outcome.and(Err(error));
            }
        }
    }
    if gone {
        core.reload_mounts(pass).await?;
    }
    outcome
}

/// One batch; `gone` = it was the last one.
async fn clear_one(
    pass: &Pass<Unsealed>,
    mount: &Mount,
    gone: &mut bool,
    now: Time,
    limit: usize,
) -> Result<bool, EngineError> {
    let txn = Txn::begin(pass)?;
    let clearing = clear_some(&txn, &mount.record, now, limit).await?;
    txn.commit(()).await?;
    *gone |= clearing == Clearing::Done;
    Ok(clearing == Clearing::More)
}
