//! Compiled sets of policies, shared by all tokens that have the set.

use super::store::PolicyStore;
use crate::state::Unsealed;
use bulla_barrier::Txn;
use bulla_kit::EngineError;
use bulla_policy::{Acl, NoIdentity, Options, Policy};
use bulla_types::{NamespaceId, PolicyName, Time};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Sets kept at a time. A set of ten policies with a hundred rules takes some tens of kilobytes.
const SETS: usize = 4096;

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    /// A structure, never a joined text: a crafted policy name must not reach another set.
    generation: u64,
    namespace: NamespaceId,
    policies: Vec<PolicyName>,
}

pub struct AclCache(quick_cache::sync::Cache<Key, Arc<Acl>>);

impl Default for AclCache {
    fn default() -> Self {
        Self(quick_cache::sync::Cache::new(SETS))
    }
}

/// The ACL of a set of policies. Names that do not exist grant nothing.
///
/// # Errors
/// A stored policy that cannot be read fails the request: dropping it could drop a `deny`.
pub async fn acl_of(
    unsealed: &Unsealed,
    txn: &Arc<Txn>,
    namespace: NamespaceId,
    policies: &[PolicyName],
    now: Time,
) -> Result<Arc<Acl>, EngineError> {
    let generation = unsealed.policy_generation.load(Ordering::SeqCst);
    let key = Key { generation, namespace, policies: policies.to_vec() };
    if let Some(acl) = unsealed.acls.0.get(&key)
        && acl.stale_at().is_none_or(|at| now < at)
    {
        return Ok(acl);
    }
    let acl = Arc::new(compile(txn, namespace, policies, now).await?);
    unsealed.acls.0.insert(key, Arc::clone(&acl));
    Ok(acl)
}

async fn compile(
    txn: &Arc<Txn>,
    namespace: NamespaceId,
    policies: &[PolicyName],
    now: Time,
) -> Result<Acl, EngineError> {
    if policies.iter().any(PolicyName::is_root) {
        return Ok(Acl::root());
    }
    let store = PolicyStore::new(txn, namespace);
    let mut parsed = Vec::with_capacity(policies.len());
    for name in policies {
        let Some(record) = store.read(name).await? else { continue };
        let options = Options {
            namespace: String::new(),
            allow_slashes: record.allow_slashes_in_identity_templates,
            allow_wildcards: record.allow_wildcards_in_identity_templates,
            expires: record.expires,
        };
        let policy = Policy::parse(name.clone(), &record.text, options)
            .map_err(|_| EngineError::internal(format!("the policy `{name}` cannot be read")))?;
        parsed.push(Arc::new(policy));
    }
    Ok(Acl::compile(&parsed, &NoIdentity, now))
}
