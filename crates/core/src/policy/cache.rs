//! Compiled sets of policies, shared by all tokens that have the set; where rules speak of the caller, by all that have
//! the same values for it.

use super::store::PolicyStore;
use crate::identity::Standing;
use crate::state::Unsealed;
use bulla_barrier::Txn;
use bulla_kit::EngineError;
use bulla_policy::{Acl, Hole, Identity, NoIdentity, Options, Policy};
use bulla_types::{NamespaceId, PolicyName, Time};
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Sets kept at a time. A set of ten policies with a hundred rules takes some tens of kilobytes.
const SETS: usize = 4096;
/// ACLs kept for entities at a time; as large as sets.
const FILLED: usize = 4096;

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    /// A structure, never a joined text: a crafted policy name must not reach another set.
    generation: Generation,
    namespace: NamespaceId,
    policies: Vec<PolicyName>,
}

/// Policies that are looked at together.
struct Set {
    number: u64,
    parsed: Vec<Arc<Policy>>,
    /// What the rules ask about the caller, each question once.
    holes: Vec<Hole>,
    /// For callers of whom nothing is known.
    acl: Arc<Acl>,
}

/// A set as it is for one caller: the values are the key, so that a change of any of them is another ACL at once.
#[derive(Clone, PartialEq, Eq, Hash)]
struct FilledKey {
    set: u64,
    values: Vec<Option<String>>,
}

pub struct AclCache {
    sets: quick_cache::sync::Cache<Key, Arc<Set>>,
    filled: quick_cache::sync::Cache<FilledKey, Arc<Acl>>,
    /// Sets made since the unseal.
    made: AtomicU64,
}

impl Default for AclCache {
    fn default() -> Self {
        let (sets, filled) = (quick_cache::sync::Cache::new(SETS), quick_cache::sync::Cache::new(FILLED));
        Self { sets, filled, made: AtomicU64::new(0) }
    }
}

/// How often policies have changed. To be taken before the snapshot that is read with it: an ACL made from an older
/// snapshot must never lie in the cache under a younger generation, where a grant that was taken back would live on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Generation(pub(crate) u64);

/// The ACL of a token: its own policies and those of its entity. Names that do not exist grant nothing. `generation`
/// was taken before `txn` began.
///
/// # Errors
/// A stored policy that cannot be read fails the request: dropping it could drop a `deny`.
pub async fn acl_of(
    unsealed: &Unsealed,
    generation: Generation,
    txn: &Arc<Txn>,
    namespace: NamespaceId,
    policies: &[PolicyName],
    standing: Option<&Standing>,
    now: Time,
) -> Result<Arc<Acl>, EngineError> {
    let key = Key { generation, namespace, policies: together(policies, standing).into_owned() };
    let cache = &unsealed.acls;
    let set = match cache.sets.get(&key) {
        Some(set) if fresh(&set.acl, now) => set,
        _ => {
            let set = Arc::new(make(cache, txn, namespace, &key.policies, now).await?);
            cache.sets.insert(key, Arc::clone(&set));
            set
        }
    };
    match standing.filter(|_| !set.holes.is_empty()) {
        None => Ok(Arc::clone(&set.acl)),
        Some(standing) => Ok(fill(cache, &set, standing, now)),
    }
}

/// A token's policies and its entity's, sorted and each once.
pub fn together<'a>(policies: &'a [PolicyName], standing: Option<&Standing>) -> Cow<'a, [PolicyName]> {
    let added = standing.map_or(&[][..], Standing::policies);
    if added.is_empty() {
        return Cow::Borrowed(policies);
    }
    let mut all = [policies, added].concat();
    all.sort_unstable();
    all.dedup();
    Cow::Owned(all)
}

fn fresh(acl: &Acl, now: Time) -> bool {
    acl.stale_at().is_none_or(|at| now < at)
}

fn fill(cache: &AclCache, set: &Set, standing: &Standing, now: Time) -> Arc<Acl> {
    let values = set.holes.iter().map(|hole| standing.value(hole).map(Cow::into_owned)).collect();
    let key = FilledKey { set: set.number, values };
    if let Some(acl) = cache.filled.get(&key).filter(|acl| fresh(acl, now)) {
        return acl;
    }
    let acl = Arc::new(Acl::compile(&set.parsed, standing, now));
    cache.filled.insert(key, Arc::clone(&acl));
    acl
}

async fn make(
    cache: &AclCache,
    txn: &Arc<Txn>,
    namespace: NamespaceId,
    policies: &[PolicyName],
    now: Time,
) -> Result<Set, EngineError> {
    let number = cache.made.fetch_add(1, Ordering::Relaxed);
    if policies.iter().any(PolicyName::is_root) {
        return Ok(Set { number, parsed: Vec::new(), holes: Vec::new(), acl: Arc::new(Acl::root()) });
    }
    let store = PolicyStore::new(txn, namespace);
    let mut parsed: Vec<Arc<Policy>> = Vec::with_capacity(policies.len());
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
    let mut holes: Vec<Hole> = Vec::new();
    for hole in parsed.iter().flat_map(|policy| policy.holes()) {
        if !holes.contains(hole) {
            holes.push(hole.clone());
        }
    }
    let acl = Arc::new(Acl::compile(&parsed, &NoIdentity, now));
    Ok(Set { number, parsed, holes, acl })
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
        let slow = acl_of(pass.owner(), before, &old, NamespaceId::ROOT, &set, None, Time(0)).await.unwrap();
        assert_eq!(slow.at(Time(0)).capabilities("", "a"), ["read"]);

        let now = pass.owner().policies_now();
        let txn = Txn::begin(&pass).unwrap();
        let acl = acl_of(pass.owner(), now, &txn, NamespaceId::ROOT, &set, None, Time(0)).await.unwrap();
        assert_eq!(acl.at(Time(0)).capabilities("", "a"), ["deny"]);
    }
}
