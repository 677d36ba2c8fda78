//! `auth/token/revoke-orphan`: a token goes, the tokens made from it stay and have no parent any more.
//!
//! A few children are told at once. Of many none is told: in the token's place stays a record that says `released`, which
//! is all they need to go on (see `TokenStore::live`), and the sweep that finds it in the expiry index tells them batch by
//! batch. A crash in between leaves the record, so the sweep goes on where it was.

use super::store::{TokenHash, TokenStore};
use crate::pipeline::Contention;
use bulla_kit::EngineError;
use bulla_records::TokenRecord;
use bulla_types::Time;

/// Children that one request tells itself.
const AT_ONCE: usize = 500;

/// Takes a token back without what is below it. When this is durable the token is refused and its children are orphans.
///
/// Where requests keep colliding no child is looked at: whoever holds the token could make them faster than they are told.
///
/// # Errors
/// Storage.
pub async fn revoke_alone(
    store: &TokenStore<'_>,
    hash: TokenHash,
    record: &TokenRecord,
    now: Time,
    contention: Contention,
) -> Result<(), EngineError> {
    if contention == Contention::High {
        // The rest of it goes with the last child that the sweep tells.
        store.unlink(&hash, record);
        return leave_released(store, &hash, record, now);
    }
    let all_told = tell_some(store, &hash, AT_ONCE).await?;
    store.remove(&hash, record, now).await?;
    if all_told { Ok(()) } else { leave_released(store, &hash, record, now) }
}

fn leave_released(
    store: &TokenStore<'_>,
    hash: &TokenHash,
    record: &TokenRecord,
    now: Time,
) -> Result<(), EngineError> {
    let released = TokenRecord {
        released: true,
        parent: None,
        policies: Vec::new(),
        meta: None,
        internal: None,
        expires: Some(now),
        ..record.clone()
    };
    store.put_released(hash, &released, now)
}

/// Goes on with a released token; `true` = all its children have been told, and it is gone.
///
/// # Errors
/// Storage.
pub async fn release_some(
    store: &TokenStore<'_>,
    hash: TokenHash,
    record: &TokenRecord,
    now: Time,
    limit: usize,
) -> Result<bool, EngineError> {
    let all_told = tell_some(store, &hash, limit).await?;
    if all_told {
        store.remove(&hash, record, now).await?;
    }
    Ok(all_told)
}

/// `true` = there are no more.
async fn tell_some(store: &TokenStore<'_>, parent: &TokenHash, limit: usize) -> Result<bool, EngineError> {
    let children = store.children(parent, limit.saturating_add(1)).await?;
    for child in children.iter().take(limit) {
        store.detach(parent, child);
        if let Some(mut orphan) = store.get(child).await? {
            orphan.parent = None;
            store.put(child, &orphan)?;
        }
    }
    Ok(children.len() <= limit)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;
    use crate::testing::Server;
    use crate::token::TokenSweeper;
    use crate::{CoreConfig, Workers};
    use bulla_barrier::Txn;
    use bulla_types::Operation;
    use serde_json::json;

    struct Family {
        server: Server,
        parent: String,
        children: Vec<String>,
        batch: String,
    }

    /// Without the background workers: each step is the test's own.
    async fn family(count: usize) -> Family {
        let server = Server::start(1, 1, CoreConfig { workers: Workers::Stopped, ..CoreConfig::default() }).await;
        let parent = server.write("auth/token/create", json!({ "policies": ["root"] })).await.token();
        let create =
            async |body| server.call_as(Some(&parent), Operation::Update, "auth/token/create", body).await.token();
        let mut children = Vec::new();
        for _ in 0..count {
            children.push(create(json!({ "policies": ["default"] })).await);
        }
        let batch = create(json!({ "policies": ["default"], "type": "batch" })).await;
        Family { server, parent, children, batch }
    }

    impl Family {
        async fn works(&self, token: &str) -> bool {
            let told = self.server.call_as(Some(token), Operation::Read, "auth/token/lookup-self", json!({})).await;
            told.refused.is_none()
        }

        async fn all_children_work(&self) -> bool {
            for child in &self.children {
                if !self.works(child).await {
                    return false;
                }
            }
            true
        }

        async fn revoke(&self) {
            self.server.write("auth/token/revoke-orphan", json!({ "token": self.parent })).await.ok();
        }

        /// How many index entries still point from the parent to children.
        async fn untold(&self) -> usize {
            let pass = self.server.core.gate.pass().unwrap();
            let txn = Txn::begin(&pass).unwrap();
            let store = TokenStore(&txn);
            store.children(&store.hash(&self.parent), usize::MAX).await.unwrap().len()
        }

        /// One step of the sweep; `false` = nothing more to do.
        async fn sweep(&self, commit: bool) -> bool {
            let pass = self.server.core.gate.pass().unwrap();
            let txn = Txn::begin(&pass).unwrap();
            let (_, more) = TokenSweeper::default().step(&txn, self.server.core.clock.now(), 256).await.unwrap();
            if commit {
                txn.commit(()).await.unwrap();
            }
            more
        }
    }

    #[tokio::test]
    async fn a_few_children_are_told_at_once() {
        let family = family(AT_ONCE).await;
        family.revoke().await;
        assert_eq!(family.untold().await, 0);
        assert!(family.all_children_work().await);
        assert!(!family.works(&family.parent).await);
        assert!(!family.works(&family.batch).await);
    }

    /// A parent of many children used to be taken apart in one batch, however large.
    #[tokio::test]
    async fn many_are_orphans_at_once_and_told_later_whatever_stops_in_between() {
        let mut family = family(AT_ONCE + 300).await;
        family.revoke().await;
        assert!(!family.works(&family.parent).await);
        assert!(!family.works(&family.batch).await, "a batch token is nothing without its parent");
        assert!(family.all_children_work().await);
        assert_eq!(family.untold().await, 300);
        // Neither another revocation nor tidying takes the children for orphans without leave.
        for path in ["auth/token/revoke", "auth/token/revoke-orphan"] {
            family.server.write(path, json!({ "token": family.parent })).await;
        }
        let pass = family.server.core.gate.pass().unwrap();
        let txn = Txn::begin(&pass).unwrap();
        let mounts = pass.owner().state.load_full();
        let now = family.server.core.clock.now();
        crate::token::revoke::tidy(&txn, None, &mounts.mounts, now, 10_000).await.unwrap();
        txn.commit(()).await.unwrap();
        drop((txn, pass));
        assert!(family.all_children_work().await);
        // A step that is never committed, and a restart: nothing is lost, nothing half done.
        family.sweep(false).await;
        assert_eq!(family.untold().await, 300);
        assert!(family.sweep(true).await);
        assert_eq!(family.untold().await, 44);
        family.server.core.shutdown(std::time::Duration::ZERO).await;
        family.server.unseal(&family.server.shares[..1]).await.unwrap();
        assert!(family.all_children_work().await);
        while family.sweep(true).await {}
        assert_eq!(family.untold().await, 0);
        assert!(family.all_children_work().await);
        let last = family.children.pop().unwrap();
        let told = family.server.write("auth/token/lookup", json!({ "token": last })).await.ok();
        assert_eq!(told["orphan"], true);
        // Nothing is left of the parent: its id could be given again.
        family.server.write("auth/token/create", json!({ "id": family.parent.replace("hvs.", "x") })).await.ok();
        let pass = family.server.core.gate.pass().unwrap();
        let txn = Txn::begin(&pass).unwrap();
        let store = TokenStore(&txn);
        assert!(store.get(&store.hash(&family.parent)).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn accessors_come_in_pages() {
        let family = family(9).await;
        let all = family.server.call(Operation::List, "auth/token/accessors", json!({})).await.ok();
        let all: Vec<String> = serde_json::from_value(all["keys"].clone()).unwrap();
        // The root token, the parent and its children; batch tokens have none.
        assert_eq!(all.len(), 11);
        let (mut paged, mut after) = (Vec::new(), String::new());
        loop {
            let body = json!({ "after": after, "limit": 4 });
            let told = family.server.call(Operation::List, "auth/token/accessors", body).await;
            if told.refused.is_some() {
                break;
            }
            let page: Vec<String> = serde_json::from_value(told.ok()["keys"].clone()).unwrap();
            assert!(page.len() <= 4);
            after.clone_from(page.last().unwrap());
            paged.extend(page);
        }
        assert_eq!(paged, all);
    }
}
