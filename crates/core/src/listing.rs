//! What the rule that allowed a list has to say about it: how many keys it may show, and which.
//!
//! Engines page by `limit`, so they are asked for no more than the rule allows; those that do not page are cut here.
//! Not here: whether a limit that was asked for is refused (`rules/policy`).

use bulla_kit::{Body, EngineError, RawJson, Reply};
use bulla_policy::{Acl, Permit};
use bulla_types::{Operation, RequestPath};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The member by which a client asks for a page.
const LIMIT: &str = "limit";

/// The request's parameters, with the limit that counts in place of the one that was asked for.
pub fn bounded(body: &Arc<Body>, operation: Operation, permit: Option<&Permit>) -> Arc<Body> {
    let Some(most) = bound(operation, permit) else { return Arc::clone(body) };
    let others = body.iter().filter(|(name, _)| *name != LIMIT);
    let mut members: Vec<_> = others.map(|(name, value)| (name.to_owned(), value.clone())).collect();
    members.push((LIMIT.to_owned(), RawJson::from_trusted(most.to_string())));
    Arc::new(Body::from_members(members))
}

/// The answer with only those keys that the caller may see, and no more of them than allowed.
///
/// # Errors
/// The answer is no JSON; it is not shown then.
pub fn shown(
    mut reply: Reply,
    operation: Operation,
    permit: Option<&Permit>,
    acl: &Acl,
    folder: &RequestPath,
) -> Result<Reply, EngineError> {
    let filters = lists(operation) && permit.is_some_and(|permit| permit.key_filter().is_some());
    let most = bound(operation, permit).map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
    let Some(data) = reply.data.as_ref().filter(|_| filters || most < usize::MAX) else { return Ok(reply) };
    let mut data = data.to_value();
    let sees = |key: &str| !filters || sees(key, permit, acl, folder);
    let Some(Value::Array(keys)) = data.get_mut("keys") else { return Ok(reply) };
    keys.retain(|key| key.as_str().is_some_and(sees));
    keys.truncate(most);
    let kept: BTreeSet<String> = keys.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    if let Some(Value::Object(about)) = data.get_mut("key_info") {
        about.retain(|key, _| kept.contains(key));
    }
    let data = RawJson::of(&data).map_err(|_| EngineError::internal("the list could not be written as JSON"))?;
    reply.data = Some(data);
    Ok(reply)
}

/// Whether the rule's filter, if it has one, lets the caller see this key of `folder`. For lists that are no answers to a
/// list, or have their keys in more places than one.
pub fn sees(key: &str, permit: Option<&Permit>, acl: &Acl, folder: &RequestPath) -> bool {
    permit.and_then(Permit::key_filter).is_none_or(|filter| acl.may_see_key(filter, "", folder.as_str(), key))
}

/// The greatest number of keys, where a rule sets one.
fn bound(operation: Operation, permit: Option<&Permit>) -> Option<u64> {
    permit.filter(|permit| lists(operation) && !permit.is_root()).and_then(Permit::page_limit)
}

const fn lists(operation: Operation) -> bool {
    matches!(operation, Operation::List | Operation::Scan)
}
