//! Work in the background while unsealed: tokens whose time is over are taken back, mounts being disabled are cleared.
//!
//! Each step is a small transaction that may run again. Nothing depends on it: expiry is checked at use. A step holds a
//! pass only while it runs, so that a seal never waits for a sleeping worker.

use crate::core::Core;
use crate::mounts::MountStore;
use crate::token::sweep;
use bulla_barrier::{Txn, View};
use bulla_kit::EngineError;
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
    Ok(more || cleared)
}

/// Goes on with the first mount that is being disabled.
async fn clear_one(txn: &Arc<Txn>) -> Result<bool, EngineError> {
    let store = MountStore::new(txn, NamespaceId::ROOT);
    let Some(record) = store.all().await?.into_iter().find(|r| r.going) else { return Ok(false) };
    let view = View::new(txn, record.uuid);
    if view.clear(CLEAR).await? && view.plain_clear(CLEAR).await? {
        store.delete(record.uuid)?;
    }
    Ok(true)
}
