//! `sys/leases/tidy`: looks at every lease once and mends what should not be: one that the queue has lost, or whose token
//! or mount is gone without its having been ended. What it mends is refused at use already.

use super::find::is_in_force;
use super::store::{LeaseHash, LeaseStore};
use crate::core::Core;
use crate::state::MountTable;
use crate::sys::SysCtx;
use crate::tidying::{Walk, start};
use bulla_barrier::Txn;
use bulla_kit::{Answer, EngineError, NoParams};
use bulla_records::EndingRecord;
use bulla_types::Time;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

pub async fn tidy(ctx: SysCtx, _: NoParams) -> Answer {
    let (mut reply, _) = start::<Leases>(&ctx);
    reply.accepted = true;
    Ok(reply)
}

struct Leases;

impl Walk for Leases {
    const WHAT: &'static str = "leases";
    type Place = LeaseHash;

    fn running(core: &Core) -> &AtomicBool {
        &core.tidying_leases
    }

    async fn step(
        txn: &Arc<Txn>,
        mounts: &MountTable,
        after: Option<&LeaseHash>,
        now: Time,
        limit: usize,
    ) -> Result<Option<LeaseHash>, EngineError> {
        let store = LeaseStore(txn);
        let page = store.page(after, limit).await?;
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
}
