//! A secret whose lease could not be kept: the request collided, the store or audit refused it, the client hung up in the
//! middle. The engine has handed it out all the same, so it is asked to take it back: the one that handed it out, even if its mount is gone by now.

use super::revoke::{Asked, ask_engine, note_failure};
use super::store::LeaseStore;
use crate::core::Core;
use crate::state::Mount;
use bulla_barrier::Txn;
use bulla_kit::EngineError;
use bulla_records::{EndingRecord, LeaseRecord};
use parking_lot::Mutex;
use std::sync::Arc;

/// What one run of a request has handed out. Unless it is told that the lease is durable, the secret is taken back when
/// the run is over, however it ends.
pub struct HandedOut {
    core: Arc<Core>,
    lease: Mutex<Option<(LeaseRecord, Arc<Mount>)>>,
}

impl HandedOut {
    pub fn new(core: &Arc<Core>) -> Self {
        Self { core: Arc::clone(core), lease: Mutex::new(None) }
    }

    pub fn put(&self, lease: &LeaseRecord, mount: &Arc<Mount>) {
        *self.lease.lock() = Some((lease.clone(), Arc::clone(mount)));
    }

    /// The lease is durable.
    pub fn kept(&self) {
        *self.lease.lock() = None;
    }
}

impl Drop for HandedOut {
    fn drop(&mut self) {
        let Some((lease, mount)) = self.lease.get_mut().take() else { return };
        let core = Arc::clone(&self.core);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        drop(runtime.spawn(async move {
            let mut sealing = core.subscribe_seal();
            tokio::select! {
                biased;
                _ = sealing.changed() => {}
                done = take_back(&core, lease, &mount) => if let Err(error) = done {
                    tracing::error!(%error, "a secret is in force whose lease could not be kept");
                },
            }
        }));
    }
}

/// Asks the engine; if it fails, the lease is stored after all, as one that is over and to be tried again.
async fn take_back(core: &Arc<Core>, lease: LeaseRecord, mount: &Arc<Mount>) -> Result<(), EngineError> {
    let pass = core.gate.pass().map_err(|_| EngineError::internal("the server is sealed"))?;
    let txn = Txn::begin(&pass)?;
    let now = core.clock.now();
    let why = EndingRecord::Asked;
    if let Err(error) = ask_engine(Asked { core, mount: Some(mount), txn: &txn, record: &lease, why, now }).await {
        txn.discard();
        // Without a mount nobody could name the lease, nor any engine end it.
        if pass.owner().state.load().mounts.any(&lease.mount).is_none() {
            return Err(error);
        }
        let store = LeaseStore(&txn);
        store.insert(&lease)?;
        note_failure(&store, &store.hash(&lease.tail), &lease, why, &error.to_string(), now)?;
    }
    txn.commit(()).await?;
    Ok(())
}
