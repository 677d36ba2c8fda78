//! A walk through all records of a kind in the background, started by a request: at most one of each kind at a time.
//!
//! Not here: what is looked at and mended, which is a [`Walk`] of the room that owns the records.

use crate::core::Core;
use crate::state::MountTable;
use crate::sys::SysCtx;
use bulla_barrier::{BarrierError, Txn};
use bulla_kit::{EngineError, Reply};
use bulla_types::Time;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Records looked at in one batch.
const STEP: usize = 256;

pub trait Walk: 'static {
    /// For the log: `leases`.
    const WHAT: &'static str;
    /// The last record of a batch.
    type Place: Send + Sync;

    /// Whether such a walk is going on.
    fn running(core: &Core) -> &AtomicBool;

    /// Looks at `limit` records after `after`; answers where the next step begins, `None` = all have been looked at.
    ///
    /// # Errors
    /// Storage.
    fn step(
        txn: &Arc<Txn>,
        mounts: &MountTable,
        after: Option<&Self::Place>,
        now: Time,
        limit: usize,
    ) -> impl Future<Output = Result<Option<Self::Place>, EngineError>> + Send;
}

/// The answer to the request, and whether it is its walk that has begun.
pub fn start<W: Walk>(ctx: &SysCtx) -> (Reply, bool) {
    if W::running(&ctx.core).swap(true, Ordering::SeqCst) {
        return (Reply::empty().warn("Tidy operation already in progress."), false);
    }
    let core = Arc::clone(&ctx.core);
    let stop = ctx.pass.owner().workers.clone();
    tokio::spawn(async move {
        let done = stop.run_until_cancelled(walk::<W>(&core)).await;
        W::running(&core).store(false, Ordering::SeqCst);
        match done {
            Some(Ok(())) => tracing::info!("{} are tidy", W::WHAT),
            Some(Err(error)) => tracing::warn!(%error, "tidying {} ended early", W::WHAT),
            None => {}
        }
    });
    let begun =
        "Tidy operation successfully started. Any information from the operation will be printed to the server's logs.";
    (Reply::empty().warn(begun), true)
}

/// Each step holds a pass only while it runs, so that a seal never waits for it.
async fn walk<W: Walk>(core: &Arc<Core>) -> Result<(), EngineError> {
    let mut after = None;
    loop {
        let Ok(pass) = core.gate.pass() else { return Ok(()) };
        let txn = Txn::begin(&pass)?;
        // The state after the snapshot: the mount of every record in it is known.
        let state = pass.owner().state.load_full();
        let next = W::step(&txn, &state.mounts, after.as_ref(), core.clock.now(), STEP).await?;
        match txn.commit(next).await {
            // A client changed what was looked at: the same step again.
            Err(BarrierError::Conflict) => {}
            done => {
                after = done?.into_inner();
                if after.is_none() {
                    return Ok(());
                }
            }
        }
        tokio::task::yield_now().await;
    }
}
