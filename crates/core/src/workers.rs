//! Work in the background while unsealed: tokens whose time is over are taken back, mounts being disabled are cleared.
//!
//! Each step is a small transaction that may run again. Nothing depends on it: expiry is checked at use. A step holds a
//! pass only while it runs, so that a seal never waits for a sleeping worker.

use crate::core::Core;
use crate::login::lockout_folder;
use crate::mounts::MountStore;
use crate::state::{Backend, Unsealed};
use crate::sys::rotation_due;
use crate::token::sweep;
use bulla_barrier::{Pass, SealedStore, Txn, View};
use bulla_kit::{EngineError, Setup};
use bulla_records::MountRecord;
use bulla_types::{NamespaceId, Time};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Pause between sweeps that found nothing left to do.
const PAUSE: Duration = Duration::from_secs(1);
/// Tokens in one batch: small, so that requests of clients get between.
const BATCH: usize = 256;
const CLEAR: usize = 5_000;

pub fn start(core: &Arc<Core>, stop: CancellationToken) {
    let core = Arc::downgrade(core);
    tokio::spawn(async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = work(&core) => {}
        }
    });
}

async fn work(core: &Weak<Core>) {
    let mut from = Time(0);
    loop {
        let Some(core) = core.upgrade() else { return };
        let more = match step(&core, &mut from).await {
            Ok(more) => more,
            Err(error) => {
                tracing::warn!(%error, "background work will try again");
                false
            }
        };
        drop(core);
        if more {
            tokio::task::yield_now().await;
        } else {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// One step; `true` = there is more to do at once.
async fn step(core: &Arc<Core>, from: &mut Time) -> Result<bool, EngineError> {
    let Ok(pass) = core.gate.pass() else { return Ok(false) };
    let now = core.clock.now();
    let txn = Txn::begin(&pass)?;
    let (next, more) = sweep(&txn, *from, now, BATCH).await?;
    txn.commit(()).await?;
    *from = next;
    let txn = Txn::begin(&pass)?;
    let cleared = clear_one(&txn).await?;
    txn.commit(()).await?;
    let set_up = set_up_one(core, &pass, now).await?;
    tend_keyring(&pass, now).await?;
    Ok(more || cleared || set_up)
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

/// Goes on with the first mount whose setup did not fit into one batch. The mark goes with the last batch.
async fn set_up_one(core: &Arc<Core>, pass: &Pass<Unsealed>, now: Time) -> Result<bool, EngineError> {
    let state = pass.owner().state.load_full();
    let Some(mount) = state.mounts.iter().find(|m| m.record.unfinished) else { return Ok(false) };
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

/// Goes on with the first mount that is being disabled.
async fn clear_one(txn: &Arc<Txn>) -> Result<bool, EngineError> {
    let store = MountStore::new(txn, NamespaceId::ROOT);
    let Some(record) = store.all().await?.into_iter().find(|r| r.going) else { return Ok(false) };
    let view = View::new(txn, record.uuid);
    if view.clear(CLEAR).await? && view.plain_clear(CLEAR).await? {
        View::new(txn, NamespaceId::ROOT.0).below(&lockout_folder(&record.accessor))?.clear(CLEAR).await?;
        store.delete(record.uuid)?;
    }
    Ok(true)
}
