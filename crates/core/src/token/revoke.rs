//! Taking tokens back: a token goes with all tokens made from it, children first.

use super::store::{TokenHash, TokenStore};
use bulla_barrier::Txn;
use bulla_kit::EngineError;
use bulla_types::Time;
use std::sync::Arc;

/// Children looked at in one scan.
const CHUNK: usize = 10_000;

/// Removes a token and everything below it, all in the caller's batch; costs memory for the whole tree.
///
/// # Errors
/// Storage; a damaged record below is an error that names it.
pub async fn revoke_tree(txn: &Arc<Txn>, root: TokenHash) -> Result<usize, EngineError> {
    let store = TokenStore(txn);
    let mut waiting = vec![root];
    let mut order = Vec::new();
    while let Some(hash) = waiting.pop() {
        order.push(hash);
        waiting.extend(store.children(&hash, CHUNK).await?);
    }
    let mut gone = 0;
    for hash in order.iter().rev() {
        if let Some(record) = store.get(hash).await? {
            store.remove(hash, &record).await?;
            gone += 1;
        }
    }
    Ok(gone)
}

/// One step of the background clean-up: takes back tokens whose time is over. Answers where the next step begins and
/// how many were due. May run again after a crash: it only frees what is refused at use already.
///
/// # Errors
/// Storage.
pub async fn sweep(txn: &Arc<Txn>, from: Time, now: Time, limit: usize) -> Result<(Time, usize), EngineError> {
    let store = TokenStore(txn);
    let due = store.due(from, now, limit).await?;
    let mut next = if due.len() < limit { now } else { from };
    for (at, hash) in &due {
        match store.get(hash).await? {
            Some(record) if record.expired(now) => {
                revoke_tree(txn, *hash).await?;
            }
            // Renewed since, or gone by another way: only the index entry is stale.
            _ => {}
        }
        store.forget_due(*at, hash);
        next = next.max(from).min(now).max(*at);
    }
    Ok((next, due.len()))
}
