//! Taking tokens back: a token goes with all tokens made from it, children first.
//!
//! A tree that is too large for one batch is ended first (its root gets an end that has passed, so that everything below
//! is refused at use) and taken apart later, batch by batch, by the sweep that finds it in the expiry index.

use super::orphaning::release_some;
use super::store::{TokenHash, TokenStore};
use crate::state::MountTable;
use bulla_barrier::{BarrierError, Txn};
use bulla_kit::EngineError;
use bulla_types::{Seconds, Time};
use std::sync::Arc;

/// Tokens that one request takes back itself.
const AT_ONCE: usize = 500;
/// A sweep looks this far behind the last one: a request may have read the clock a while before its batch was durable.
const OVERLAP: Seconds = Seconds(60);

/// Takes a token back, and everything below it. When this is durable none of them is accepted any more.
///
/// # Errors
/// Storage; a damaged record below is an error that names it.
pub async fn revoke_tree(txn: &Arc<Txn>, root: TokenHash, now: Time) -> Result<(), EngineError> {
    revoke_up_to(txn, root, now, AT_ONCE).await
}

/// As [`revoke_tree`], with the number of tokens that are removed at once.
///
/// # Errors
/// As [`revoke_tree`].
pub async fn revoke_up_to(txn: &Arc<Txn>, root: TokenHash, now: Time, limit: usize) -> Result<(), EngineError> {
    if TokenStore(txn).get(&root).await?.is_some_and(|record| record.released) {
        // It is gone already, and what was below it no longer is.
        return Ok(());
    }
    let (_, finished) = remove_some(txn, root, now, limit).await?;
    if !finished {
        let store = TokenStore(txn);
        if let Some(mut record) = store.get(&root).await? {
            let end = record.expires.map_or(now, |end| end.min(now));
            store.reschedule(&root, &mut record, end)?;
        }
    }
    Ok(())
}

/// Removes at most `limit` tokens of a tree, always children before parents. Answers how many went and whether that was
/// all; if not, calling again goes on.
async fn remove_some(txn: &Arc<Txn>, root: TokenHash, now: Time, limit: usize) -> Result<(usize, bool), EngineError> {
    let store = TokenStore(txn);
    let mut gone = 0;
    let mut path = vec![(root, store.children(&root, limit).await?)];
    while let Some((hash, children)) = path.last_mut() {
        if let Some(child) = children.pop() {
            path.push((child, store.children(&child, limit).await?));
            continue;
        }
        // Only a full page can hide more children, and a full page is as many tokens as may go.
        if gone >= limit {
            return Ok((gone, false));
        }
        let hash = *hash;
        if let Some(record) = store.get(&hash).await? {
            store.remove(&hash, &record, now).await?;
            gone += 1;
        }
        path.pop();
    }
    Ok((gone, true))
}

/// One step of the background clean-up: takes back tokens whose time is over. Answers where the next step begins and
/// whether there is more to do at once. May run again after a crash: it only frees what is refused at use already.
///
/// # Errors
/// Storage.
pub async fn sweep(txn: &Arc<Txn>, from: Time, now: Time, limit: usize) -> Result<(Time, bool), EngineError> {
    let store = TokenStore(txn);
    // The clock may have been set back.
    let from = from.min(now);
    let due = store.due(from, now, limit).await?;
    let full = due.len() >= limit;
    let mut left = limit;
    let mut last = from;
    for (at, hash) in due {
        last = at;
        // Renewed since, or gone by another way: only the index entry is stale.
        match take_back(txn, hash, now, left).await {
            Ok((gone, true)) => left = left.saturating_sub(gone),
            Ok((_, false)) => return Ok((at, true)),
            // One record that cannot be read must not keep all that come after it.
            Err(error @ (EngineError::Barrier(BarrierError::Damaged { .. }) | EngineError::Internal(_))) => {
                tracing::error!(%error, "a token whose time is over is passed over");
                continue;
            }
            Err(error) => return Err(error),
        }
        store.forget_due(at, &hash);
    }
    Ok((if full { last } else { from.max(Time(now.0.saturating_sub(OVERLAP.0 * Time::NANOS))) }, full))
}

/// As [`remove_some`], if the token's time is over; what a released token left is told to go on without it.
async fn take_back(txn: &Arc<Txn>, hash: TokenHash, now: Time, limit: usize) -> Result<(usize, bool), EngineError> {
    let store = TokenStore(txn);
    match store.get(&hash).await? {
        Some(record) if record.expired(now) && record.released => {
            Ok((limit, release_some(&store, hash, &record, now, limit).await?))
        }
        Some(record) if record.expired(now) => remove_some(txn, hash, now, limit).await,
        _ => Ok((0, true)),
    }
}

/// One step of `auth/token/tidy`: looks at `limit` tokens after `after` and takes back those whose parent or mount is gone.
/// Answers where the next step begins; `None` = all have been looked at.
///
/// # Errors
/// Storage.
pub async fn tidy(
    txn: &Arc<Txn>,
    after: Option<&TokenHash>,
    mounts: &MountTable,
    now: Time,
    limit: usize,
) -> Result<Option<TokenHash>, EngineError> {
    let store = TokenStore(txn);
    let page = store.page(after, limit).await?;
    for (hash, _) in &page {
        if store.get(hash).await?.is_some() && store.live(hash, mounts, now).await?.is_none() {
            revoke_up_to(txn, *hash, now, limit).await?;
        }
    }
    Ok(page.last().map(|(hash, _)| *hash))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::CoreConfig;
    use crate::testing::Server;
    use bulla_barrier::{Keyspace, plain_key};
    use bulla_types::Operation;
    use serde_json::json;

    /// The sweep ended at the first record that did not open, each time anew; with it ended all work in the background.
    #[tokio::test]
    async fn a_token_that_cannot_be_read_keeps_no_other_from_being_swept() {
        let server = Server::start(1, 1, CoreConfig::default()).await;
        let pass = server.core.gate.pass().unwrap();
        let mut hashes = Vec::new();
        for (id, ttl) in [("broken", "1m"), ("sound", "2m")] {
            let body = json!({ "id": id, "policies": ["default"], "ttl": ttl });
            server.call(Operation::Update, "auth/token/create", body).await.ok();
            hashes.push(TokenStore(&Txn::begin(&pass).unwrap()).hash(id));
        }
        let txn = Txn::begin(&pass).unwrap();
        txn.put(plain_key(Keyspace::Token, &[&hashes[0]]), b"no record".to_vec());
        txn.commit(()).await.unwrap();
        let txn = Txn::begin(&pass).unwrap();
        let later = server.core.clock.now().plus(Seconds(3600));
        sweep(&txn, Time(0), later, 100).await.unwrap();
        txn.commit(()).await.unwrap();
        let store = Txn::begin(&pass).unwrap();
        assert!(TokenStore(&store).get(&hashes[1]).await.unwrap().is_none(), "the sound one is still there");
        assert!(TokenStore(&store).get(&hashes[0]).await.is_err());
    }
}
