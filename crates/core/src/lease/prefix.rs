//! `revoke-prefix` and `revoke-force`: everything below a folder of ids. A request ends what fits into its batch; the
//! rest is a job of the workers, who go on where it stopped.

use super::due::{Folder, queue_folder};
use super::find::{Found, find};
use super::names::{End, NameScope, end_named, join};
use super::revoke::again;
use super::store::{LeaseHash, LeaseStore};
use crate::sys::SysCtx;
use crate::token::revoke_tree;
use bulla_barrier::Txn;
use bulla_kit::EngineError;
use bulla_records::EndingRecord;
use bulla_types::Time;
use std::sync::Arc;

/// Names that one request looks at.
const AT_ONCE: usize = 1_000;

/// What a request has ended.
#[derive(Debug, Default)]
pub struct Ended {
    /// Leases whose engines are still to be asked.
    pub leases: Vec<LeaseHash>,
    /// More than fits into one batch: the workers go on.
    pub unfinished: bool,
}

/// Ends all leases and tokens below `prefix`, or the one whose id it is.
///
/// # Errors
/// Storage.
pub async fn end_below(ctx: &SysCtx, prefix: &str, forced: bool) -> Result<Ended, EngineError> {
    let (txn, mounts, now) = (ctx.txn(), &ctx.state.mounts, ctx.now());
    let prefix = prefix.trim_end_matches('/');
    let mut ended = Ended::default();
    match find(txn, mounts, prefix).await? {
        Some(Found::Token(hash)) => {
            revoke_tree(txn, hash, now, ctx.contention).await?;
            return Ok(ended);
        }
        Some(Found::Lease(hash, record)) => {
            again(&LeaseStore(txn), &hash, &record, EndingRecord::Asked, forced, now)?;
            ended.leases.push(hash);
            return Ok(ended);
        }
        None => {}
    }
    let folder = format!("{prefix}/");
    let mut left = AT_ONCE;
    for mount in mounts.all() {
        let path = mount.record.path.as_str();
        let below = match folder.strip_prefix(path) {
            Some(below) => below.trim_end_matches('/'),
            None if path.starts_with(&folder) => "",
            None => continue,
        };
        let mount = mount.record.accessor.clone();
        let mut rest = Some(Folder { mount, path: below.to_owned(), asked: now, forced, ended: forced, after: None });
        while let Some(job) = rest.take_if(|_| left > 0) {
            let (seen, next) = step(txn, job, now, left, &mut ended.leases).await?;
            left = left.saturating_sub(seen);
            rest = next;
        }
        if let Some(rest) = rest {
            queue_folder(txn, &rest, now)?;
            ended.unfinished = true;
        }
    }
    Ok(ended)
}

/// One batch of a folder: answers how many names it looked at and what is left to do.
///
/// # Errors
/// Storage.
pub async fn step(
    txn: &Arc<Txn>,
    job: Folder,
    now: Time,
    limit: usize,
    leases: &mut Vec<LeaseHash>,
) -> Result<(usize, Option<Folder>), EngineError> {
    let after = job.after.as_ref().and_then(|text| hex::decode(text).ok());
    let place = if job.ended { NameScope::Ended } else { NameScope::Current };
    let (names, next) = place.view(txn, &job.mount).walk(&job.path, after.as_deref(), limit).await?;
    for name in &names {
        leases.extend(end_one(txn, &job, &join(&job.path, name), now, limit).await?);
        tokio::task::yield_now().await;
    }
    let rest = match next {
        Some(next) => Some(Folder { after: Some(hex::encode(next)), ..job }),
        None if job.ended => Some(Folder { ended: false, after: None, ..job }),
        None => None,
    };
    Ok((names.len(), rest))
}

/// Ends what a name of the folder stands for; answers the lease if its engine is to be asked.
async fn end_one(
    txn: &Arc<Txn>,
    job: &Folder,
    name: &str,
    now: Time,
    limit: usize,
) -> Result<Option<LeaseHash>, EngineError> {
    let store = LeaseStore(txn);
    let ended = if job.ended {
        Some(store.hash(name.rsplit('/').next().unwrap_or_default()))
    } else {
        let end = End { why: EndingRecord::Asked, now, made_before: job.asked, limit };
        end_named(txn, &job.mount, name, end).await?
    };
    let Some(hash) = ended else { return Ok(None) };
    if job.forced
        && let Some(record) = store.get(&hash).await?
    {
        again(&store, &hash, &record, EndingRecord::Asked, true, now)?;
    }
    Ok(Some(hash))
}
