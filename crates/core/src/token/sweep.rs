//! The workers' part: tokens whose time is over are taken back, and cubbyholes too large to go with their tokens are
//! cleared, a few at a time. Nothing depends on it: what is over is refused at use.

use super::due::{Due, Entry, cubbyhole_key, due};
use super::orphaning::release_some;
use super::revoke::remove_some;
use super::store::{TokenHash, TokenStore};
use bulla_barrier::{BarrierError, Txn, View};
use bulla_kit::EngineError;
use bulla_types::{ScopeId, Seconds, Time};
use std::sync::Arc;

/// Each look begins this far behind the last one: a request may have read the clock a while before its batch was durable.
const NEAR: Seconds = Seconds(5);
/// Now and then a look begins this far behind it, for requests that took very long. Not always: scanning over what has just
/// been deleted is slow.
const FAR: Seconds = Seconds(60);
/// Names of a cubbyhole that go where one token would: they are cheap.
const NAMES: usize = 4;

/// Where the sweep is. Small: nothing in it grows with the number of tokens.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokenSweeper {
    from: Time,
    /// The last look from far behind.
    far: Time,
}

impl TokenSweeper {
    /// One step; answers where the next one begins and whether there is more to do at once. May run again after a crash: it
    /// only frees what is refused at use already.
    ///
    /// # Errors
    /// Storage.
    pub async fn step(self, txn: &Arc<Txn>, now: Time, limit: usize) -> Result<(Self, bool), EngineError> {
        // The clock may have been set back.
        let (from, far) = (self.from.min(now), self.far.min(now));
        let (entries, full) = due(txn, from, now, limit).await?;
        let (mut left, mut last, mut more) = (limit, None, full);
        for entry in entries {
            let at = entry.at;
            match take_back(txn, entry, now, left).await {
                Ok(Done::Gone(count)) => left = left.saturating_sub(count),
                Ok(Done::PutOff) => more = true,
                Ok(Done::Unfinished) => return Ok((Self { from: at, far }, true)),
                // One record that cannot be read must not keep all that come after it.
                Err(error @ (EngineError::Barrier(BarrierError::Damaged { .. }) | EngineError::Internal(_))) => {
                    tracing::error!(%error, "a token whose time is over is passed over");
                }
                Err(error) => return Err(error),
            }
            last = Some(at);
            // Local stores are always ready: requests come between any two tokens.
            tokio::task::yield_now().await;
        }
        let before = |seconds: Seconds| Time(now.0.saturating_sub(seconds.0 * Time::NANOS));
        Ok(match last {
            Some(last) if full => (Self { from: last, far }, true),
            _ if now >= far.plus(FAR) => (Self { from: before(FAR), far: now }, more),
            _ => (Self { from: from.max(before(NEAR)), far }, more),
        })
    }
}

/// What became of an entry.
enum Done {
    /// So many tokens went, and the entry with them.
    Gone(usize),
    /// It stands behind all others now.
    PutOff,
    /// It goes on at once.
    Unfinished,
}

/// Does what an entry asks for, with at most `limit` tokens.
async fn take_back(txn: &Arc<Txn>, entry: Entry, now: Time, limit: usize) -> Result<Done, EngineError> {
    let done = match entry.due {
        Due::Token(hash) => take_back_token(txn, hash, now, limit).await?,
        Due::Cubbyhole { scope, after } => {
            // First, for what is put off within the same instant has the same key.
            txn.delete(entry.key);
            return clear(txn, scope, after.as_deref(), now, limit).await;
        }
    };
    if !matches!(done, Done::Unfinished) {
        txn.delete(entry.key);
    }
    Ok(done)
}

/// As [`remove_some`], if the token's time is over; what a released token left is told to go on without it.
async fn take_back_token(txn: &Arc<Txn>, hash: TokenHash, now: Time, limit: usize) -> Result<Done, EngineError> {
    let store = TokenStore(txn);
    let (gone, finished) = match store.get(&hash).await? {
        Some(record) if record.expired(now) && record.released => {
            (limit, release_some(&store, hash, &record, now, limit).await?)
        }
        Some(record) if record.expired(now) => remove_some(txn, hash, now, limit).await?,
        // Renewed since, or gone by another way: only the index entry is stale.
        _ => (0, true),
    };
    Ok(if finished { Done::Gone(gone) } else { Done::Unfinished })
}

/// One batch of a cubbyhole. What is left waits behind all others; where this batch ended stands in its entry. Nobody can
/// put anything into it any more.
async fn clear(
    txn: &Arc<Txn>,
    scope: ScopeId,
    after: Option<&[u8]>,
    now: Time,
    limit: usize,
) -> Result<Done, EngineError> {
    match View::new(txn, scope).clear_on(after, limit.saturating_mul(NAMES)).await? {
        Some(next) => {
            txn.put(cubbyhole_key(now, scope), next);
            Ok(Done::PutOff)
        }
        None => Ok(Done::Gone(1)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::super::store::CUBBYHOLE_AT_ONCE;
    use super::*;
    use crate::testing::Server;
    use crate::{CoreConfig, Workers};
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
        TokenSweeper::default().step(&txn, later, 100).await.unwrap();
        txn.commit(()).await.unwrap();
        let store = Txn::begin(&pass).unwrap();
        assert!(TokenStore(&store).get(&hashes[1]).await.unwrap().is_none(), "the sound one is still there");
        assert!(TokenStore(&store).get(&hashes[0]).await.is_err());
    }

    /// A cubbyhole of so many names, with its token gone, and how many steps and how many stops it took to clear it.
    async fn cleared(names: usize) -> (usize, usize) {
        let server = Server::start(1, 1, CoreConfig { workers: Workers::Stopped, ..CoreConfig::default() }).await;
        let token = server.write("auth/token/create", json!({ "policies": ["default"] })).await.token();
        let pass = server.core.gate.pass().unwrap();
        let txn = Txn::begin(&pass).unwrap();
        let hash = TokenStore(&txn).hash(&token);
        let scope = TokenStore(&txn).get(&hash).await.unwrap().unwrap().cubbyhole;
        let view = View::new(&txn, scope);
        for n in 0..names {
            view.put(&format!("folder{}/name{n}", n % 7), b"{}".to_vec()).unwrap();
        }
        txn.commit(()).await.unwrap();
        drop((pass, view));
        server.write("auth/token/revoke", json!({ "token": token })).await.ok();
        let (mut steps, mut sweeper) = (0, TokenSweeper::default());
        let at_once = names - left(&server, scope).await;
        while left(&server, scope).await > 0 {
            let pass = server.core.gate.pass().unwrap();
            let txn = Txn::begin(&pass).unwrap();
            let (next, more) = sweeper.step(&txn, server.core.clock.now(), 64).await.unwrap();
            let before = left(&server, scope).await;
            // Some steps are lost, and all that is not in the store with a restart.
            if steps % 3 == 1 {
                drop((txn, pass));
                server.core.shutdown(std::time::Duration::ZERO).await;
                server.unseal(&server.shares.clone()[..1]).await.unwrap();
                sweeper = TokenSweeper::default();
                assert_eq!(left(&server, scope).await, before);
            } else {
                txn.commit(()).await.unwrap();
                sweeper = next;
                assert!(more || left(&server, scope).await == 0, "it waits for the next round with names left");
            }
            steps += 1;
            assert!(steps < 10_000, "it does not end");
        }
        (steps, at_once)
    }

    async fn left(server: &Server, scope: ScopeId) -> usize {
        let pass = server.core.gate.pass().unwrap();
        let txn = Txn::begin(&pass).unwrap();
        View::new(&txn, scope).scan("", usize::MAX).await.unwrap().len()
    }

    #[tokio::test]
    async fn a_cubbyhole_goes_with_its_token_whatever_its_size() {
        assert_eq!(cleared(CUBBYHOLE_AT_ONCE).await, (0, CUBBYHOLE_AT_ONCE));
        assert_eq!(cleared(CUBBYHOLE_AT_ONCE + 1).await, (1, CUBBYHOLE_AT_ONCE));
        for names in [10_000, 10_001] {
            let (steps, at_once) = cleared(names).await;
            assert!(steps > 1, "all in one step");
            assert_eq!(at_once, CUBBYHOLE_AT_ONCE);
        }
    }
}
