//! From a batch to what it changes in memory: mount table, policies, keys, devices.

use crate::core::Core;
use crate::lease::{LeaseHash, revoke_now};
use crate::state::Unsealed;
use crate::sys::Effect;
use bulla_barrier::{BarrierError, Committed, Pass, Txn};
use std::sync::Arc;

/// Commits and carries out the effects; the answer also says whether the server is to be sealed.
///
/// On a task of its own: a client that hangs up now must not leave a change durable and out of force. A keyring sealed
/// under a root key that has been replaced meanwhile would be lost.
///
/// # Errors
/// As [`Txn::commit`].
pub async fn commit<T: Send + 'static>(
    core: Arc<Core>,
    pass: Pass<Unsealed>,
    txn: Arc<Txn>,
    effects: Vec<Effect>,
    outcome: T,
) -> Result<(Committed<T>, bool), BarrierError> {
    let work = async move {
        let committed = txn.commit(outcome).await?;
        let seals = carry_out(&core, &pass, effects).await;
        Ok((committed, seals))
    };
    // The task only ends early with the process.
    tokio::spawn(work).await.unwrap_or(Err(BarrierError::Over))
}

async fn carry_out(core: &Arc<Core>, pass: &Pass<Unsealed>, effects: Vec<Effect>) -> bool {
    let mut seals = false;
    for effect in effects {
        match effect {
            Effect::MountsChanged => {
                if let Err(error) = core.reload_mounts(pass).await {
                    tracing::error!(%error, "the mount table could not be read anew");
                }
            }
            Effect::MountMoved(moved) => pass.owner().moves.lock().add(moved),
            Effect::CorsChanged => {
                if let Err(error) = core.reload_cors(pass).await {
                    tracing::error!(%error, "the cors configuration could not be read anew");
                }
            }
            Effect::PoliciesChanged => pass.owner().policies_changed(),
            Effect::LeasesEnded(leases) => take_back(core, pass, leases).await,
            Effect::AuditRemoved(path) => drop(pass.owner().audit.remove(&path)),
            Effect::AuditedHeaders(headers) => pass.owner().audited_headers.store(Arc::new(headers)),
            Effect::OnceAnswered(then) => then(),
            // With the answer already.
            Effect::TellDelivery(_) => {}
            Effect::Seal => seals = true,
        }
    }
    seals
}

/// Waits for the engines, but not for ever, and not once a seal has begun: the leases are ended, and the workers go on.
async fn take_back(core: &Arc<Core>, pass: &Pass<Unsealed>, leases: Vec<LeaseHash>) {
    let mut sealing = core.subscribe_seal();
    let limit = core.config.lease_timeout.saturating_mul(2);
    tokio::select! {
        biased;
        _ = sealing.changed() => {}
        _ = tokio::time::timeout(limit, revoke_now(core, pass, leases)) => {}
    }
}
