//! A view: one scope of the store (a mount's, a namespace's) inside one transaction. An engine sees nothing else.

use crate::barrier::Barrier;
use crate::error::BarrierError;
use crate::key::{Keyspace, PhysicalKey, plain_key, plain_range};
use crate::list;
use crate::txn::Txn;
use bulla_types::ScopeId;
use std::sync::Arc;

/// Which part of a listing is wanted: names after `after`, at most `limit` (`None` = all).
#[derive(Clone, Debug, Default)]
pub struct Page {
    pub after: Option<String>,
    pub limit: Option<usize>,
}

/// Named records (`get`, `put`, `list`: paths of segments joined by `/`, each segment encrypted) and plain records
/// (`plain_*`: keys that hold only hashes, numbers and random ids, kept in order).
#[derive(Clone)]
pub struct View {
    txn: Arc<Txn>,
    scope: ScopeId,
    prefix: Arc<[u8]>,
}

impl View {
    pub fn new(txn: &Arc<Txn>, scope: ScopeId) -> Self {
        Self { txn: Arc::clone(txn), scope, prefix: Barrier::scope_prefix(scope).into() }
    }

    /// The view confined to the folder `path`.
    ///
    /// # Errors
    /// An empty segment, or a name too long to be stored.
    pub fn below(&self, path: &str) -> Result<Self, BarrierError> {
        let key = self.key(path)?;
        Ok(Self { txn: Arc::clone(&self.txn), scope: self.scope, prefix: key.0.into() })
    }

    pub fn txn(&self) -> &Arc<Txn> {
        &self.txn
    }

    pub fn scope(&self) -> ScopeId {
        self.scope
    }

    fn key(&self, path: &str) -> Result<PhysicalKey, BarrierError> {
        self.txn.barrier().name_key(&self.prefix, path)
    }

    pub async fn get(&self, path: &str) -> Result<Option<Vec<u8>>, BarrierError> {
        self.txn.get(&self.key(path)?).await
    }

    pub async fn exists(&self, path: &str) -> Result<bool, BarrierError> {
        self.txn.exists(&self.key(path)?).await
    }

    pub fn put(&self, path: &str, value: Vec<u8>) -> Result<(), BarrierError> {
        self.txn.put(self.key(path)?, value);
        Ok(())
    }

    pub fn delete(&self, path: &str) -> Result<(), BarrierError> {
        self.txn.delete(self.key(path)?);
        Ok(())
    }

    /// Names directly below the folder `path` (`""` = this view), sorted; sub-folders end in `/`.
    pub async fn list(&self, path: &str, page: &Page) -> Result<Vec<String>, BarrierError> {
        let prefix = if path.is_empty() { self.prefix.to_vec() } else { self.key(path)?.0 };
        list::children(&self.txn, &prefix, page).await
    }

    /// All names below the folder, at any depth, relative to it, at most `limit`.
    pub async fn scan(&self, path: &str, limit: usize) -> Result<Vec<String>, BarrierError> {
        let prefix = if path.is_empty() { self.prefix.to_vec() } else { self.key(path)?.0 };
        list::descendants(&self.txn, &prefix, limit).await
    }

    /// Names at any depth below the folder, relative to it, in an order of their own, page by page: `after` is what the
    /// last page answered beside its names, and `None` there means that was all. What this transaction has put itself is
    /// not among them, and what others put meanwhile does not make it collide.
    pub async fn walk(
        &self,
        path: &str,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<(Vec<String>, Option<Vec<u8>>), BarrierError> {
        let prefix = if path.is_empty() { self.prefix.to_vec() } else { self.key(path)?.0 };
        list::walk(&self.txn, &prefix, after, limit).await
    }

    /// Deletes every named record below this view, at most `limit` of them; `true` when nothing is left.
    pub async fn clear(&self, limit: usize) -> Result<bool, BarrierError> {
        list::clear(&self.txn, &self.prefix, limit).await
    }

    /// As [`View::clear`], for views that take many batches: `after` is what the last batch answered, so that none looks
    /// again at what those before it have deleted. `None` = nothing is left. What this transaction has put itself stays.
    pub async fn clear_on(&self, after: Option<&[u8]>, limit: usize) -> Result<Option<Vec<u8>>, BarrierError> {
        list::clear_on(&self.txn, &self.prefix, after, limit).await
    }

    fn plain(&self, key: &[u8]) -> PhysicalKey {
        plain_key(Keyspace::Engine, &[&self.scope.0, key])
    }

    pub async fn plain_get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, BarrierError> {
        self.txn.get(&self.plain(key)).await
    }

    pub fn plain_put(&self, key: &[u8], value: Vec<u8>) {
        self.txn.put(self.plain(key), value);
    }

    pub fn plain_delete(&self, key: &[u8]) {
        self.txn.delete(self.plain(key));
    }

    /// Plain records whose key starts with `prefix`, in order, keys without the scope.
    pub async fn plain_range(&self, prefix: &[u8], limit: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>, BarrierError> {
        let (start, end) = plain_range(Keyspace::Engine, &[&self.scope.0, prefix]);
        let found = self.txn.range(&start, &end, limit).await?;
        Ok(found.into_iter().map(|(key, value)| (key.0[17..].to_vec(), value)).collect())
    }

    /// How many plain records have a key that starts with `prefix`; see [`Txn::count`].
    pub async fn plain_count(&self, prefix: &[u8]) -> Result<usize, BarrierError> {
        let (start, end) = plain_range(Keyspace::Engine, &[&self.scope.0, prefix]);
        self.txn.count(&start, &end).await
    }

    /// As [`View::plain_range`], keys below `end` only: what others add beyond it is no collision.
    pub async fn plain_range_before(
        &self,
        prefix: &[u8],
        end: &[u8],
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Vec<u8>)>, BarrierError> {
        let (start, _) = plain_range(Keyspace::Engine, &[&self.scope.0, prefix]);
        let found = self.txn.range(&start, &self.plain(end), limit).await?;
        Ok(found.into_iter().map(|(key, value)| (key.0[17..].to_vec(), value)).collect())
    }

    /// Deletes every plain record of this scope, at most `limit`; `true` when nothing is left.
    pub async fn plain_clear(&self, limit: usize) -> Result<bool, BarrierError> {
        let (start, end) = plain_range(Keyspace::Engine, &[&self.scope.0]);
        list::clear_range(&self.txn, &start.0, &end.0, limit).await
    }

    /// As [`View::clear_on`], for the plain records.
    pub async fn plain_clear_on(&self, after: Option<&[u8]>, limit: usize) -> Result<Option<Vec<u8>>, BarrierError> {
        let (start, _) = plain_range(Keyspace::Engine, &[&self.scope.0]);
        list::clear_on(&self.txn, start.bytes(), after, limit).await
    }

    /// A keyed hash for ids that must not stand in the store; bound to this scope.
    pub fn hash(&self, domain: &str, id: &[u8]) -> [u8; 32] {
        let mut scoped = Vec::with_capacity(16 + id.len());
        scoped.extend_from_slice(&self.scope.0);
        scoped.extend_from_slice(id);
        self.txn.barrier().hash_id(domain, &scoped)
    }
}
