//! Compiled sets of policies, shared by all tokens that have the set.

use super::store::PolicyStore;
use crate::state::Unsealed;
use bulla_barrier::Txn;
use bulla_kit::EngineError;
use bulla_policy::{Acl, NoIdentity, Options, Policy};
use bulla_types::{NamespaceId, PolicyName, Time};
use std::sync::Arc;

/// Sets kept at a time. A set of ten policies with a hundred rules takes some tens of kilobytes.
const SETS: usize = 4096;

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    /// A structure, never a joined text: a crafted policy name must not reach another set.
    generation: Generation,
    namespace: NamespaceId,
    policies: Vec<PolicyName>,
}

pub struct AclCache(quick_cache::sync::Cache<Key, Arc<Acl>>);

impl Default for AclCache {
    fn default() -> Self {
        Self(quick_cache::sync::Cache::new(SETS))
    }
}

/// How often policies have changed. To be taken before the snapshot that is read with it: an ACL made from an older
/// snapshot must never lie in the cache under a younger generation, where a grant that was taken back would live on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Generation(pub(crate) u64);

/// The ACL of a set of policies. Names that do not exist grant nothing. `generation` was taken before `txn` began.
///
/// # Errors
/// A stored policy that cannot be read fails the request: dropping it could drop a `deny`.
pub async fn acl_of(
    unsealed: &Unsealed,
    generation: Generation,
    txn: &Arc<Txn>,
    namespace: NamespaceId,
    policies: &[PolicyName],
    now: Time,
) -> Result<Arc<Acl>, EngineError> {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::CoreConfig;
    use crate::testing::Server;
    use serde_json::json;

    /// A request that began before a policy was narrowed leaves nothing behind for those that begin after.
    #[tokio::test]
    async fn a_slow_request_does_not_bring_an_old_policy_back() {
        let server = Server::start(1, 1, CoreConfig::default()).await;
        let wide = r#"path "a" { capabilities = ["read"] }"#;
        server.write("sys/policies/acl/p", json!({ "policy": wide })).await.ok();
        let pass = server.core.gate.pass().unwrap();
        let set = [PolicyName::parse("p").unwrap()];

        let before = pass.owner().policies_now();
        let old = Txn::begin(&pass).unwrap();
        server.write("sys/policies/acl/p", json!({ "policy": r#"path "a" { capabilities = ["deny"] }"# })).await.ok();
        let slow = acl_of(pass.owner(), before, &old, NamespaceId::ROOT, &set, Time(0)).await.unwrap();
        assert_eq!(slow.at(Time(0)).capabilities("", "a"), ["read"]);

        let now = pass.owner().policies_now();
        let txn = Txn::begin(&pass).unwrap();
        let acl = acl_of(pass.owner(), now, &txn, NamespaceId::ROOT, &set, Time(0)).await.unwrap();
        assert_eq!(acl.at(Time(0)).capabilities("", "a"), ["deny"]);
    }
}
