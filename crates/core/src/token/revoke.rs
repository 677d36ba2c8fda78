//! Taking tokens back: a token goes with all tokens made from it, children first.
//!
//! A tree that is too large for one batch is ended first (its root gets an end that has passed, so that everything below
//! is refused at use) and taken apart later, batch by batch, by the sweep that finds it in the expiry index.

use super::store::{TokenHash, TokenStore};
use crate::state::MountTable;
use bulla_barrier::Txn;
use bulla_kit::EngineError;
use bulla_types::Time;
use std::sync::Arc;

/// Tokens that one request takes back itself.
const AT_ONCE: usize = 500;

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
///
/// # Errors
/// Storage.
pub async fn remove_some(
    txn: &Arc<Txn>,
    root: TokenHash,
    now: Time,
    limit: usize,
) -> Result<(usize, bool), EngineError> {
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
        // Local stores are always ready: without this a large tree would keep all others waiting.
        tokio::task::yield_now().await;
    }
    Ok((gone, true))
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
