//! Policy records at `policy/<name>` of a namespace. Slashes in a name are escaped, so that a name is one segment.

use bulla_barrier::{BarrierError, Page, Txn, View};
use bulla_kit::EngineError;
use bulla_records::{PolicyRecord, decode, encode};
use bulla_types::{NamespaceId, PolicyName, Time};
use std::sync::Arc;

pub struct PolicyStore {
    view: View,
}

impl PolicyStore {
    pub fn new(txn: &Arc<Txn>, namespace: NamespaceId) -> Self {
        Self { view: View::new(txn, namespace.0) }
    }

    pub async fn read(&self, name: &PolicyName) -> Result<Option<PolicyRecord>, EngineError> {
        match self.view.get(&key(name)).await? {
            Some(bytes) => decode("policy", &bytes).map(Some).map_err(|e| EngineError::internal(e.to_string())),
            None => Ok(None),
        }
    }

    pub fn write(&self, name: &PolicyName, record: &PolicyRecord) -> Result<(), EngineError> {
        let bytes = encode("policy", record).map_err(|e| EngineError::internal(e.to_string()))?;
        Ok(self.view.put(&key(name), bytes)?)
    }

    pub fn delete(&self, name: &PolicyName) -> Result<(), EngineError> {
        Ok(self.view.delete(&key(name))?)
    }

    /// All names, sorted.
    pub async fn names(&self) -> Result<Vec<String>, BarrierError> {
        let found = self.view.list("policy", &Page::default()).await?;
        Ok(found.iter().map(|name| name.replace("%2f", "/").replace("%25", "%")).collect())
    }
}

fn key(name: &PolicyName) -> String {
    format!("policy/{}", name.as_str().replace('%', "%25").replace('/', "%2f"))
}

/// Writes the built-in policies of a new namespace.
pub fn install_builtin(txn: &Arc<Txn>, namespace: NamespaceId, now: Time) -> Result<(), EngineError> {
    let store = PolicyStore::new(txn, namespace);
    for (name, text) in [("default", super::DEFAULT), ("response-wrapping", super::RESPONSE_WRAPPING)] {
        let name = PolicyName::parse(name).map_err(|e| EngineError::internal(e.to_string()))?;
        let record = PolicyRecord { text: text.to_owned(), version: 1, modified: now, ..PolicyRecord::default() };
        store.write(&name, &record)?;
    }
    Ok(())
}
