//! `auth/token/tidy`: takes back tokens whose parents are gone. They are refused at use already; this frees space.

use super::revoke;
use crate::core::Core;
use crate::sys::SysCtx;
use bulla_barrier::{BarrierError, Txn};
use bulla_kit::{Answer, EngineError, NoParams, Reply};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Tokens looked at in one batch.
const STEP: usize = 256;

pub async fn tidy(ctx: SysCtx, _: NoParams) -> Answer {
    if ctx.core.tidying_tokens.swap(true, Ordering::SeqCst) {
        return Ok(Reply::empty().warn("Tidy operation already in progress."));
    }
    let core = Arc::clone(&ctx.core);
    let stop = ctx.pass.owner().workers.clone();
    tokio::spawn(async move {
        let done = stop.run_until_cancelled(run(&core)).await;
        core.tidying_tokens.store(false, Ordering::SeqCst);
        match done {
            Some(Ok(())) => tracing::info!("tokens are tidy"),
            Some(Err(error)) => tracing::warn!(%error, "tidying tokens ended early"),
            None => {}
        }
    });
    let mut reply = Reply::empty().warn(
        "Tidy operation successfully started. Any information from the operation will be printed to the server's logs.",
    );
    reply.accepted = true;
    Ok(reply)
}

/// Each step holds a pass only while it runs, so that a seal never waits for it.
async fn run(core: &Arc<Core>) -> Result<(), EngineError> {
    let mut after = None;
    loop {
        let Ok(pass) = core.gate.pass() else { return Ok(()) };
        let txn = Txn::begin(&pass)?;
        // The state after the snapshot: the mount of every token in it is known.
        let state = pass.owner().state.load_full();
        let next = revoke::tidy(&txn, after, &state.mounts, core.clock.now(), STEP).await?;
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
