//! Taking tokens back: a token goes with all tokens made from it, children first.
//!
//! A tree that is too large for one batch is ended first (its root gets an end that has passed, so that everything below
//! is refused at use) and taken apart later, batch by batch, by the sweep that finds it in the expiry index.

use super::store::{TokenHash, TokenStore};
use crate::pipeline::Contention;
use crate::state::MountTable;
use bulla_barrier::Txn;
use bulla_kit::EngineError;
use bulla_types::Time;
use std::sync::Arc;

/// Tokens that one request takes back itself.
const AT_ONCE: usize = 500;

/// Takes a token back, and everything below it. When this is durable none of them is accepted any more.
///
/// Where requests keep colliding nothing below the token is looked at: whoever holds it could make children in its name
/// faster than they can be counted, and so keep it for ever.
///
/// # Errors
/// Storage; a damaged record below is an error that names it.
pub async fn revoke_tree(
    txn: &Arc<Txn>,
    root: TokenHash,
    now: Time,
    contention: Contention,
) -> Result<(), EngineError> {
    match contention {
        Contention::Low => revoke_up_to(txn, root, now, AT_ONCE).await,
        Contention::High => end(&TokenStore(txn), &root, now).await,
    }
}

/// Gives the root of a tree an end that has passed. What is below it is refused from then on; the sweep takes it apart.
async fn end(store: &TokenStore<'_>, root: &TokenHash, now: Time) -> Result<(), EngineError> {
    let Some(mut record) = store.get(root).await?.filter(|record| !record.released) else { return Ok(()) };
    let end = record.expires.map_or(now, |end| end.min(now));
    store.reschedule(root, &mut record, end)
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
    if finished { Ok(()) } else { end(&TokenStore(txn), &root, now).await }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use crate::CoreConfig;
    use crate::testing::Server;
    use bulla_types::Operation::{List, Read, Update};
    use serde_json::json;
    use std::sync::Arc;
    use std::time::Duration;

    /// Whoever held a token kept it by making children in its name: taking it back collided with them 64 times, was
    /// answered with 500, and everything below went on working.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn nobody_keeps_a_token_by_making_children_of_it() {
        let server = Arc::new(Server::start(1, 1, CoreConfig::default()).await);
        let rules = r#"path "auth/token/*" { capabilities = ["update", "read"] }"#;
        server.write("sys/policies/acl/tree", json!({ "policy": rules })).await.ok();
        let body = json!({ "policies": "tree", "no_default_policy": true });
        for path in ["auth/token/revoke", "auth/token/revoke-accessor", "auth/token/revoke-orphan"] {
            let made = server.write("auth/token/create", body.clone()).await.auth.unwrap();
            let (token, accessor) = (made.client_token, made.accessor);
            let (counting, mut count) = tokio::sync::mpsc::unbounded_channel();
            let makers: Vec<_> = (0..6)
                .map(|_| {
                    let (server, token, counting) = (Arc::clone(&server), token.clone(), counting.clone());
                    tokio::spawn(async move {
                        let mut children = Vec::new();
                        loop {
                            let told = server.call_as(Some(&token), Update, "auth/token/create", json!({})).await;
                            if told.refused.is_some() {
                                return children;
                            }
                            children.push(told.token());
                            let _ = counting.send(());
                        }
                    })
                })
                .collect();
            for _ in 0..600 {
                count.recv().await.unwrap();
            }
            server.write(path, json!({ "token": token, "accessor": accessor })).await.ok();
            let orphans = path.ends_with("orphan");
            let mut left = 1;
            for maker in makers {
                for child in maker.await.unwrap() {
                    let told = server.call_as(Some(&child), Read, "auth/token/lookup-self", json!({})).await;
                    assert_eq!(told.refused.is_none(), orphans, "{path}");
                    left += usize::from(orphans);
                }
            }
            let told = server.call_as(Some(&token), Read, "auth/token/lookup-self", json!({})).await;
            assert!(told.refused.is_some(), "{path}");
            let accessors = async || server.call(List, "auth/token/accessors", json!({})).await.ok()["keys"].clone();
            let cleared = async {
                while accessors().await.as_array().unwrap().len() != left {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(60), cleared).await.unwrap();
        }
    }
}
