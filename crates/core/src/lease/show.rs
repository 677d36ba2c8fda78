//! What lookups, lists and counts tell of leases.

use super::find::{Found, find, is_in_force, lease_id};
use super::names::{NameScope, has_any_current};
use super::store::LeaseStore;
use crate::sys::SysCtx;
use crate::token::TokenStore;
use bulla_barrier::Page;
use bulla_kit::{EngineError, Reply};
use bulla_types::Time;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Irrevocable leases that one answer shows if nothing else is asked for.
const SHOWN: usize = 10_000;
/// Irrevocable leases that are counted or shown at most.
const COUNTED: usize = 1_000_000;

pub async fn lookup(ctx: &SysCtx, id: &str) -> Result<Reply, EngineError> {
    let invalid = || EngineError::bad("invalid lease");
    let (txn, mounts, now) = (ctx.txn(), &ctx.state.mounts, ctx.now());
    match find(txn, mounts, id).await?.ok_or_else(invalid)? {
        Found::Lease(_, record) => {
            if !is_in_force(txn, mounts, &record, now).await? {
                return Err(invalid());
            }
            describe(id, record.issued, Some(record.expires), record.last_renewal, record.renewable, now)
        }
        Found::Token(hash) => {
            let record = TokenStore(txn).live(&hash, mounts, now).await?.ok_or_else(invalid)?;
            describe(id, record.created, record.expires, record.last_renewal, record.renewable, now)
        }
    }
}

fn describe(
    id: &str,
    issued: Time,
    expires: Option<Time>,
    renewed: Option<Time>,
    renewable: bool,
    now: Time,
) -> Result<Reply, EngineError> {
    Reply::json(&json!({
        "id": id,
        "path": id.rsplit_once('/').map_or("", |(path, _)| path),
        "issue_time": issued.rfc3339(),
        "expire_time": expires.map(Time::rfc3339),
        "last_renewal": renewed.map(Time::rfc3339),
        "renewable": renewable,
        "ttl": expires.map_or(0, |end| now.until(end).0),
    }))
}

/// Names directly below the folder `prefix`, over all mounts. What is over and not cleared yet is among them.
pub async fn list(ctx: &SysCtx, prefix: &str, page: &Page) -> Result<Vec<String>, EngineError> {
    let folder = if prefix.is_empty() { String::new() } else { format!("{}/", prefix.trim_end_matches('/')) };
    let mut names = BTreeSet::new();
    for mount in ctx.state.mounts.iter() {
        let (path, accessor) = (mount.record.path.as_str(), &mount.record.accessor);
        if let Some(below) = folder.strip_prefix(path) {
            let view = NameScope::Current.view(ctx.txn(), accessor);
            names.extend(view.list(below.trim_end_matches('/'), page).await?);
        } else if let Some(rest) = path.strip_prefix(&folder) {
            let name = format!("{}/", rest.split('/').next().unwrap_or_default());
            if !names.contains(&name) && has_any_current(ctx.txn(), accessor).await? {
                names.insert(name);
            }
        }
    }
    let after = page.after.clone().unwrap_or_default();
    Ok(names.into_iter().filter(|n| *n > after).take(page.limit.unwrap_or(usize::MAX)).collect())
}

/// How many leases are irrevocable, in all and by mount.
pub async fn count_irrevocable(ctx: &SysCtx) -> Result<Reply, EngineError> {
    let store = LeaseStore(ctx.txn());
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut all: u64 = 0;
    for hash in store.irrevocable(COUNTED).await? {
        if let Some(record) = store.get(&hash).await? {
            *counts.entry(record.mount).or_default() += 1;
            all += 1;
        }
    }
    Reply::json(&json!({ "lease_count": all, "counts": counts }))
}

/// The irrevocable leases, each with its mount and what its engine said last. `limit`: `None` = as many as are shown
/// without being asked for.
pub async fn list_irrevocable(ctx: &SysCtx, limit: Option<usize>) -> Result<Reply, EngineError> {
    let store = LeaseStore(ctx.txn());
    let all = store.irrevocable(COUNTED).await?;
    let limit = limit.unwrap_or(SHOWN);
    let mut leases = Vec::new();
    for hash in all.iter().take(limit) {
        let Some(record) = store.get(hash).await? else { continue };
        let mount = ctx.state.mounts.any(&record.mount);
        let mut shown = Map::new();
        let id = mount.map_or_else(|| record.tail.clone(), |mount| lease_id(mount, &record));
        shown.insert("lease_id".into(), id.into());
        shown.insert("mount_id".into(), record.mount.as_str().into());
        shown.insert("error".into(), record.revocation.map(|r| r.error).unwrap_or_default().into());
        leases.push(Value::Object(shown));
    }
    let reply = Reply::json(&json!({ "lease_count": all.len(), "leases": leases }))?;
    let left = all.len().saturating_sub(leases.len());
    Ok(if left == 0 { reply } else { reply.warn(format!("{left} more are not shown: ask with a higher `limit`")) })
}
