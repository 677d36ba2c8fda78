//! Where tokens lie: record, accessor, children and expiry, all under keyed hashes and times.

use super::batch;
use super::due::{cubbyhole_key, expiry_key};
use crate::lease;
use crate::state::MountTable;
use bulla_barrier::{Keyspace, PhysicalKey, Txn, View, plain_key, plain_range};
use bulla_kit::EngineError;
use bulla_records::{TokenKindRecord, TokenRecord, decode, encode};
use bulla_types::{Accessor, Time};
use std::sync::Arc;

pub type TokenHash = [u8; 32];

/// Tokens above a token, at most: each is read at every use of it. More than any chain of programs that start each other
/// needs, and less than a millisecond: `lookup-self` in release took 0.27 ms with none above and 1.15 ms with 100.
pub const MAX_ABOVE: usize = 100;

/// Names of a cubbyhole that go in the same batch as its token; more are cleared by the sweep.
pub const CUBBYHOLE_AT_ONCE: usize = 100;

pub struct TokenStore<'a>(pub &'a Arc<Txn>);

impl TokenStore<'_> {
    pub fn hash(&self, id: &str) -> TokenHash {
        self.0.barrier().hash_id("token", id.as_bytes())
    }

    fn record_key(hash: &TokenHash) -> PhysicalKey {
        plain_key(Keyspace::Token, &[hash])
    }

    fn accessor_key(&self, accessor: &str) -> PhysicalKey {
        plain_key(Keyspace::Accessor, &[&self.0.barrier().hash_id("accessor", accessor.as_bytes())])
    }

    pub async fn get(&self, hash: &TokenHash) -> Result<Option<TokenRecord>, EngineError> {
        match self.0.get(&Self::record_key(hash)).await? {
            Some(bytes) => decode("token", &bytes).map(Some).map_err(|_| EngineError::damaged("token")),
            None => Ok(None),
        }
    }

    /// A token that is in force: neither it nor any token above it is over, and the mounts that made them are there. What is
    /// above it is read at each use, so that a revocation holds for everything below at once, however long taking back the
    /// tree may last. A token with more than [`MAX_ABOVE`] above it is not in force; none is made.
    ///
    /// # Errors
    /// Storage.
    pub async fn live(
        &self,
        hash: &TokenHash,
        mounts: &MountTable,
        now: Time,
    ) -> Result<Option<TokenRecord>, EngineError> {
        let Some(record) = self.get(hash).await? else { return Ok(None) };
        Ok(self.in_force(&record, mounts, now).await?.then_some(record))
    }

    /// The token whose text a client sent, if it is in force: a stored one, or a batch token that carries its own record.
    ///
    /// # Errors
    /// Storage.
    pub async fn by_text(
        &self,
        text: &str,
        mounts: &MountTable,
        now: Time,
    ) -> Result<Option<(TokenHash, TokenRecord)>, EngineError> {
        let hash = self.hash(text);
        if !batch::looks_like(text) {
            return Ok(self.live(&hash, mounts, now).await?.map(|record| (hash, record)));
        }
        let Some(record) = batch::open(self.0, text) else { return Ok(None) };
        Ok(self.in_force(&record, mounts, now).await?.then_some((hash, record)))
    }

    async fn in_force(&self, record: &TokenRecord, mounts: &MountTable, now: Time) -> Result<bool, EngineError> {
        // A method that has been disabled must not leave its tokens behind. Core's own (root, wrapping) name no mount.
        let mount_gone =
            |record: &TokenRecord| !record.mount_accessor.is_empty() && !mounts.has(&record.mount_accessor);
        if record.released || record.expired(now) || record.uses == Some(0) || mount_gone(record) {
            return Ok(false);
        }
        let mut above = record.parent.clone();
        for _ in 0..=MAX_ABOVE {
            let Some(text) = above else { return Ok(true) };
            // A parent that is gone or cannot be told ends what is below it.
            let Some(hash) = parse_hash(&text) else { return Ok(false) };
            match self.get(&hash).await? {
                // What is below a released token is an orphan. A batch token cannot be told so, and is nothing.
                Some(parent) if parent.released => {
                    let direct = record.parent.as_ref() == Some(&text);
                    return Ok(record.kind != TokenKindRecord::Batch || !direct);
                }
                Some(parent) if !parent.expired(now) && !mount_gone(&parent) => above = parent.parent,
                _ => return Ok(false),
            }
        }
        // Of a chain that nobody has seen the end of nothing is known.
        Ok(false)
    }

    /// Whether a token may be made below `parent`. Ends where [`TokenStore::live`] does.
    ///
    /// # Errors
    /// There are too many above it; storage.
    pub async fn check_depth(&self, parent: &TokenHash) -> Result<(), EngineError> {
        let mut above = Some(*parent);
        for _ in 0..=MAX_ABOVE {
            let Some(hash) = above else { return Ok(()) };
            match self.get(&hash).await? {
                Some(record) if !record.released => above = parent_of(&record),
                _ => return Ok(()),
            }
        }
        Err(EngineError::bad(format!(
            "a token can have at most {MAX_ABOVE} tokens above it: create an orphan, or create it with another token"
        )))
    }

    /// The token of an accessor.
    pub async fn by_accessor(&self, accessor: &str) -> Result<Option<(TokenHash, TokenRecord)>, EngineError> {
        let Some(bytes) = self.0.get(&self.accessor_key(accessor)).await? else { return Ok(None) };
        let hash: TokenHash = bytes.as_slice().try_into().map_err(|_| EngineError::damaged("accessor"))?;
        Ok(self.get(&hash).await?.map(|record| (hash, record)))
    }

    /// Writes the record alone; its indexes do not change.
    pub fn put(&self, hash: &TokenHash, record: &TokenRecord) -> Result<(), EngineError> {
        let bytes = encode("token", record).map_err(|e| EngineError::internal(e.to_string()))?;
        self.0.put(Self::record_key(hash), bytes);
        Ok(())
    }

    /// Writes a new token with all its indexes.
    pub fn insert(&self, hash: &TokenHash, record: &TokenRecord) -> Result<(), EngineError> {
        self.put(hash, record)?;
        self.0.put(self.accessor_key(record.accessor.as_str()), hash.to_vec());
        if let Some(parent) = parent_of(record) {
            self.0.put(plain_key(Keyspace::Children, &[&parent, hash]), Vec::new());
        }
        if let Some(end) = record.expires {
            self.0.put(expiry_key(end, hash), Vec::new());
        }
        lease::name_token(self.0, hash, record)
    }

    /// Moves a token's end, record and index together.
    pub fn reschedule(&self, hash: &TokenHash, record: &mut TokenRecord, end: Time) -> Result<(), EngineError> {
        if let Some(old) = record.expires {
            self.0.delete(expiry_key(old, hash));
        }
        record.expires = Some(end);
        self.0.put(expiry_key(end, hash), Vec::new());
        self.put(hash, record)
    }

    /// Deletes a token and all that points to it; its leases end with it. Its children are the caller's business.
    pub async fn remove(&self, hash: &TokenHash, record: &TokenRecord, now: Time) -> Result<(), EngineError> {
        self.0.delete(Self::record_key(hash));
        self.0.delete(self.accessor_key(record.accessor.as_str()));
        self.unlink(hash, record);
        lease::forget_token(self.0, hash, record)?;
        lease::token_gone(self.0, hash, now).await?;
        if !View::new(self.0, record.cubbyhole).clear(CUBBYHOLE_AT_ONCE).await? {
            self.0.put(cubbyhole_key(now, record.cubbyhole), Vec::new());
        }
        Ok(())
    }

    /// Takes a token from below its parent and out of the expiry index.
    pub fn unlink(&self, hash: &TokenHash, record: &TokenRecord) {
        if let Some(parent) = parent_of(record) {
            self.detach(&parent, hash);
        }
        if let Some(end) = record.expires {
            self.0.delete(expiry_key(end, hash));
        }
    }

    /// Leaves what a released token is to its children; the sweep finds it by its end.
    pub fn put_released(&self, hash: &TokenHash, record: &TokenRecord, now: Time) -> Result<(), EngineError> {
        self.0.put(expiry_key(now, hash), Vec::new());
        self.put(hash, record)
    }

    pub fn detach(&self, parent: &TokenHash, child: &TokenHash) {
        self.0.delete(plain_key(Keyspace::Children, &[parent, child]));
    }

    pub async fn children(&self, parent: &TokenHash, limit: usize) -> Result<Vec<TokenHash>, EngineError> {
        let (start, end) = plain_range(Keyspace::Children, &[parent]);
        let found = self.0.range(&start, &end, limit).await?;
        Ok(found.iter().filter_map(|(key, _)| key.bytes().get(33..)?.try_into().ok()).collect())
    }

    /// How many tokens there are, those included whose time is over and that no sweep has met yet.
    pub async fn count(&self) -> Result<usize, EngineError> {
        let (start, end) = plain_range(Keyspace::Token, &[]);
        Ok(self.0.count(&start, &end).await?)
    }

    /// Up to `limit` tokens whose hashes come after `after`, in the order of their hashes.
    ///
    /// # Errors
    /// Storage.
    pub async fn page(
        &self,
        after: Option<&TokenHash>,
        limit: usize,
    ) -> Result<Vec<(TokenHash, TokenRecord)>, EngineError> {
        let (first, end) = plain_range(Keyspace::Token, &[]);
        let start = after.map_or(first, |hash| plain_key(Keyspace::Token, &[hash, &[0]]));
        let found = self.0.range(&start, &end, limit).await?;
        let parse = |(key, bytes): &(PhysicalKey, Vec<u8>)| {
            Some((key.bytes().get(1..)?.try_into().ok()?, decode("token", bytes).ok()?))
        };
        Ok(found.iter().filter_map(parse).collect())
    }

    /// Up to `limit` accessors that come after `after` in the order of their hashes, and whether there are more.
    ///
    /// # Errors
    /// Storage.
    pub async fn accessors(&self, after: Option<&str>, limit: usize) -> Result<(Vec<Accessor>, bool), EngineError> {
        let (first, end) = plain_range(Keyspace::Accessor, &[]);
        let start = after.map_or(first, |accessor| {
            plain_key(Keyspace::Accessor, &[&self.0.barrier().hash_id("accessor", accessor.as_bytes()), &[0]])
        });
        let found = self.0.range(&start, &end, limit.saturating_add(1)).await?;
        let mut names = Vec::with_capacity(found.len().min(limit));
        for (_, bytes) in found.iter().take(limit) {
            let hash: TokenHash = bytes.as_slice().try_into().map_err(|_| EngineError::damaged("accessor"))?;
            names.extend(self.get(&hash).await?.map(|record| record.accessor));
        }
        Ok((names, found.len() > limit))
    }
}

pub fn parent_of(record: &TokenRecord) -> Option<TokenHash> {
    parse_hash(record.parent.as_ref()?)
}

fn parse_hash(text: &str) -> Option<TokenHash> {
    hex::decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::CoreConfig;
    use crate::testing::Server;
    use bulla_types::Operation;
    use serde_json::json;

    /// `count` tokens, each made with the one before it.
    async fn chain(server: &Server, first: &str, count: usize) -> Vec<String> {
        let mut chain = vec![first.to_owned()];
        for _ in 1..count {
            let body = json!({ "policies": ["root"] });
            let parent = chain.last().map(String::as_str);
            chain.push(server.call_as(parent, Operation::Update, "auth/token/create", body).await.token());
        }
        chain
    }

    /// A store may hold longer chains than are made now.
    #[tokio::test]
    async fn what_lies_too_deep_is_refused_and_all_above_it_works() {
        let server = Server::start(1, 1, CoreConfig::default()).await;
        let upper = chain(&server, &server.root, 61).await;
        let orphan = server.write("auth/token/create-orphan", json!({ "policies": ["root"] })).await.token();
        let lower = chain(&server, &orphan, 60).await;
        let pass = server.core.gate.pass().unwrap();
        let txn = Txn::begin(&pass).unwrap();
        let store = TokenStore(&txn);
        let (below, above) = (store.hash(&lower[0]), store.hash(&upper[60]));
        let mut record = store.get(&below).await.unwrap().unwrap();
        record.parent = Some(hex::encode(above));
        store.put(&below, &record).unwrap();
        txn.commit(()).await.unwrap();
        drop((txn, pass));
        let works = async |token: &str| {
            let told = server.call_as(Some(token), Operation::Read, "auth/token/lookup-self", json!({})).await;
            told.refused.is_none()
        };
        for token in upper.iter().chain(&lower[..40]) {
            assert!(works(token).await);
        }
        assert_eq!(61 + 39, MAX_ABOVE, "what lies above the last of these");
        for token in &lower[40..] {
            assert!(!works(token).await);
        }
        // Whoever holds the top still has the whole in hand.
        server.write("auth/token/revoke", json!({ "token": lower[0] })).await.ok();
        assert!(!works(&lower[39]).await && works(&upper[60]).await && works(&server.root).await);
    }
}
