//! `leases/renew`: the engine says for how much longer, the mount and the lease's own limits say for how long at most.

use super::find::{Found, find, is_in_force};
use super::revoke::{as_engine_sees, engine_of, in_time};
use super::store::LeaseStore;
use crate::sys::SysCtx;
use crate::token::TokenStore;
use bulla_kit::{Answer, EngineError, Reply};
use bulla_lease::{Bounds, RenewError, Renewal, renew};
use bulla_records::LeaseRecord;
use bulla_types::Seconds;

pub async fn renew_by_id(ctx: &SysCtx, id: &str, increment: Option<Seconds>) -> Answer {
    let not_found = || EngineError::bad("lease not found");
    let (txn, mounts, now) = (ctx.txn(), &ctx.state.mounts, ctx.now());
    let (hash, old) = match find(txn, mounts, id).await?.ok_or_else(not_found)? {
        Found::Lease(hash, record) => (hash, record),
        Found::Token(hash) => {
            TokenStore(txn).live(&hash, mounts, now).await?.ok_or_else(not_found)?;
            return Err(EngineError::bad("tokens cannot be renewed through this endpoint"));
        }
    };
    if !is_in_force(txn, mounts, &old, now).await? {
        return Err(not_found());
    }
    if !old.renewable {
        return Err(EngineError::bad("lease is not renewable"));
    }
    let (engine, engine_ctx) = engine_of(&ctx.core, mounts.any(&old.mount), txn, &old, now)?;
    let bounds = Bounds { default_ttl: engine_ctx.mount.default_ttl, max_ttl: engine_ctx.mount.max_ttl };
    let seen = as_engine_sees(&old, increment);
    let offered = in_time(&ctx.core, engine.renew(&engine_ctx, &seen)).await?;
    let asked = Renewal {
        issued: old.issued,
        last_ttl: old.ttl,
        increment: Some(offered),
        period: None,
        max_ttl: old.max_ttl,
        explicit_max_ttl: None,
    };
    let past_max = |error: RenewError| EngineError::bad(error.to_string());
    let granted = renew(bounds, asked, now).map_err(past_max)?;
    let end = now.plus(granted.ttl);
    let expires = old.latest.map_or(end, |latest| latest.min(end));
    let ttl = now.until(expires);
    if ttl.is_zero() {
        return Err(past_max(RenewError::PastMax));
    }
    let new = LeaseRecord { expires, ttl, last_renewal: Some(now), ..(*old).clone() };
    LeaseStore(txn).change(&hash, &old, &new)?;
    let mut reply = Reply::empty().lease_hint(ttl, new.renewable);
    reply.lease_id = id.to_owned();
    reply.warnings = granted.warnings;
    Ok(reply)
}
