//! Where leases lie: the record under a keyed hash, and the index entries that go with the state it is in.
//!
//! | state | by name | by token | in the queue |
//! | --- | --- | --- | --- |
//! | not ended | among the leases of its mount | yes | at its expiry |
//! | ended | among the ended of its mount | no | at the next attempt |
//! | irrevocable | among the ended of its mount | no | no; in the list of irrevocable ones |

use super::due;
use super::names::{self, NameScope};
use bulla_barrier::{Keyspace, PhysicalKey, Txn, plain_key, plain_range};
use bulla_kit::EngineError;
use bulla_records::{EndingRecord, LeaseRecord, RevocationRecord, decode, encode};
use bulla_types::Time;
use std::sync::Arc;

pub type LeaseHash = [u8; 32];

pub struct LeaseStore<'a>(pub &'a Arc<Txn>);

impl LeaseStore<'_> {
    pub fn hash(&self, tail: &str) -> LeaseHash {
        self.0.barrier().hash_id("lease", tail.as_bytes())
    }

    fn record_key(hash: &LeaseHash) -> PhysicalKey {
        plain_key(Keyspace::Lease, &[hash])
    }

    pub async fn get(&self, hash: &LeaseHash) -> Result<Option<LeaseRecord>, EngineError> {
        match self.0.get(&Self::record_key(hash)).await? {
            Some(bytes) => decode("lease", &bytes).map(Some).map_err(|_| EngineError::damaged("lease")),
            None => Ok(None),
        }
    }

    /// Writes a new lease with all its index entries.
    pub fn insert(&self, record: &LeaseRecord) -> Result<(), EngineError> {
        let hash = self.hash(&record.tail);
        self.put(&hash, record)?;
        self.enter(&hash, record)
    }

    /// Writes a changed lease; index entries that its new state does not have go, those it has come.
    pub fn change(&self, hash: &LeaseHash, old: &LeaseRecord, new: &LeaseRecord) -> Result<(), EngineError> {
        if old.revocation.is_some() == new.revocation.is_some() {
            if old.due() != new.due() {
                self.leave_queue(hash, old);
                self.enter_queue(hash, new);
            }
        } else {
            self.leave(hash, old)?;
            self.enter(hash, new)?;
        }
        self.put(hash, new)
    }

    /// Deletes a lease and all that points to it.
    pub fn remove(&self, hash: &LeaseHash, record: &LeaseRecord) -> Result<(), EngineError> {
        self.0.delete(Self::record_key(hash));
        self.leave(hash, record)
    }

    /// Ends a lease: from now on it is refused, and its engine is asked to take the secret back. One that is over
    /// already stays as it is.
    pub fn end(&self, hash: &LeaseHash, record: &LeaseRecord, why: EndingRecord, now: Time) -> Result<(), EngineError> {
        if record.revocation.is_some() {
            return Ok(());
        }
        let revocation = RevocationRecord { why, next: Some(now), attempts: 0, forced: false, error: String::new() };
        self.change(hash, record, &LeaseRecord { revocation: Some(revocation), ..record.clone() })
    }

    fn put(&self, hash: &LeaseHash, record: &LeaseRecord) -> Result<(), EngineError> {
        let bytes = encode("lease", record).map_err(|e| EngineError::internal(e.to_string()))?;
        self.0.put(Self::record_key(hash), bytes);
        Ok(())
    }

    fn enter(&self, hash: &LeaseHash, record: &LeaseRecord) -> Result<(), EngineError> {
        names::put_lease(self.0, NameScope::of(record), record)?;
        if let (None, Some(token)) = (&record.revocation, token_of(record)) {
            self.0.put(by_token(&token, hash), Vec::new());
        }
        self.enter_queue(hash, record);
        Ok(())
    }

    fn leave(&self, hash: &LeaseHash, record: &LeaseRecord) -> Result<(), EngineError> {
        names::delete_lease(self.0, NameScope::of(record), record)?;
        if let Some(token) = token_of(record) {
            self.0.delete(by_token(&token, hash));
        }
        self.leave_queue(hash, record);
        Ok(())
    }

    fn enter_queue(&self, hash: &LeaseHash, record: &LeaseRecord) {
        match record.due() {
            Some(at) => self.0.put(due::lease_key(at, hash), Vec::new()),
            None => self.0.put(irrevocable_key(hash), Vec::new()),
        }
    }

    fn leave_queue(&self, hash: &LeaseHash, record: &LeaseRecord) {
        match record.due() {
            Some(at) => self.0.delete(due::lease_key(at, hash)),
            None => self.0.delete(irrevocable_key(hash)),
        }
    }

    /// Up to `limit` leases that end with a token.
    pub async fn of_token(&self, token: &[u8; 32], limit: usize) -> Result<Vec<LeaseHash>, EngineError> {
        let (start, end) = plain_range(Keyspace::LeaseByToken, &[token]);
        let found = self.0.range(&start, &end, limit).await?;
        Ok(found.iter().filter_map(|(key, _)| key.bytes().get(33..)?.try_into().ok()).collect())
    }

    /// Takes an index entry away whose lease is gone.
    pub fn forget_of_token(&self, token: &[u8; 32], hash: &LeaseHash) {
        self.0.delete(by_token(token, hash));
    }

    /// Up to `limit` leases that their engines could not take back.
    pub async fn irrevocable(&self, limit: usize) -> Result<Vec<LeaseHash>, EngineError> {
        let (start, end) = plain_range(Keyspace::LeaseIrrevocable, &[]);
        let found = self.0.range(&start, &end, limit).await?;
        Ok(found.iter().filter_map(|(key, _)| key.bytes().get(1..)?.try_into().ok()).collect())
    }

    /// Up to `limit` leases whose hashes come after `after`, in the order of their hashes.
    pub async fn page(
        &self,
        after: Option<&LeaseHash>,
        limit: usize,
    ) -> Result<Vec<(LeaseHash, LeaseRecord)>, EngineError> {
        let (first, end) = plain_range(Keyspace::Lease, &[]);
        let start = after.map_or(first, |hash| plain_key(Keyspace::Lease, &[hash, &[0]]));
        let found = self.0.range(&start, &end, limit).await?;
        let parse = |(key, bytes): &(PhysicalKey, Vec<u8>)| {
            Some((key.bytes().get(1..)?.try_into().ok()?, decode("lease", bytes).ok()?))
        };
        Ok(found.iter().filter_map(parse).collect())
    }

    /// Whether the queue (or the list of irrevocable ones) knows the lease.
    pub async fn is_queued(&self, hash: &LeaseHash, record: &LeaseRecord) -> Result<bool, EngineError> {
        let key = record.due().map_or_else(|| irrevocable_key(hash), |at| due::lease_key(at, hash));
        Ok(self.0.exists(&key).await?)
    }

    /// Puts a lease into the queue that has been lost from it.
    pub fn queue_again(&self, hash: &LeaseHash, record: &LeaseRecord) {
        self.enter_queue(hash, record);
    }
}

fn by_token(token: &[u8; 32], hash: &LeaseHash) -> PhysicalKey {
    plain_key(Keyspace::LeaseByToken, &[token, hash])
}

fn irrevocable_key(hash: &LeaseHash) -> PhysicalKey {
    plain_key(Keyspace::LeaseIrrevocable, &[hash])
}

/// The token a lease ends with.
pub fn token_of(record: &LeaseRecord) -> Option<[u8; 32]> {
    hex::decode(record.token.as_ref()?).ok()?.try_into().ok()
}
