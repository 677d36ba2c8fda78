//! `sys/leases/tidy`: looks at every lease once and mends what should not be: one that the queue has lost, or whose token
//! or mount is gone without its having been ended. What it mends is refused at use already.

use super::find::is_in_force;
use super::store::{LeaseHash, LeaseStore};
use crate::core::Core;
use crate::state::MountTable;
use crate::sys::SysCtx;
use bulla_barrier::{BarrierError, Txn};
use bulla_kit::{Answer, EngineError, NoParams, Reply};
use bulla_records::EndingRecord;
use bulla_types::Time;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Leases looked at in one batch.
const STEP: usize = 256;

pub async fn tidy(ctx: SysCtx, _: NoParams) -> Answer {
    let mut reply = if ctx.core.tidying_leases.swap(true, Ordering::SeqCst) {
        Reply::empty().warn("Tidy operation already in progress.")
    } else {
        start(&ctx);
        Reply::empty().warn(
            "Tidy operation successfully started. Any information from the operation will be printed to the server's logs.",
        )
    };
    reply.accepted = true;
    Ok(reply)
}

fn start(ctx: &SysCtx) {
    let core = Arc::clone(&ctx.core);
    let stop = ctx.pass.owner().workers.clone();
    tokio::spawn(async move {
        let done = stop.run_until_cancelled(run(&core)).await;
        core.tidying_leases.store(false, Ordering::SeqCst);
        match done {
            Some(Ok(())) => tracing::info!("leases are tidy"),
            Some(Err(error)) => tracing::warn!(%error, "tidying leases ended early"),
            None => {}
        }
    });
}

/// Each step holds a pass only while it runs, so that a seal never waits for it.
async fn run(core: &Arc<Core>) -> Result<(), EngineError> {
    let mut after = None;
    loop {
        let Ok(pass) = core.gate.pass() else { return Ok(()) };
        let txn = Txn::begin(&pass)?;
        // The state after the snapshot: the mount of every lease in it is known.
        let state = pass.owner().state.load_full();
        let next = step(&txn, &state.mounts, after, core.clock.now()).await?;
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

async fn step(
    txn: &Arc<Txn>,
    mounts: &MountTable,
    after: Option<LeaseHash>,
    now: Time,
) -> Result<Option<LeaseHash>, EngineError> {
    let store = LeaseStore(txn);
    let page = store.page(after.as_ref(), STEP).await?;
    for (hash, record) in &page {
        if record.revocation.is_none() && now < record.expires && !is_in_force(txn, mounts, record, now).await? {
            let why = if mounts.has(&record.mount) { EndingRecord::TokenGone } else { EndingRecord::MountGone };
            store.end(hash, record, why, now)?;
        } else if !store.is_queued(hash, record).await? {
            tracing::warn!(mount = %record.mount, "a lease had been lost from the queue");
            store.queue_again(hash, record);
        }
    }
    Ok(page.last().map(|(hash, _)| *hash))
}
