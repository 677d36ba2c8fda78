//! What an auth method says of the renewal of a token that one of its logins made.

use super::bounds_of;
use crate::state::{Backend, Mount};
use crate::sys::SysCtx;
use bulla_barrier::View;
use bulla_kit::{Ctx, EngineError, LoginLease, RawJson, TokenLimits};
use bulla_lease::{Bounds, Renewal};
use bulla_records::TokenRecord;
use bulla_types::Seconds;
use std::sync::Arc;

/// The limits of a login's token as its mount and method have them now; `None` = no login made it.
///
/// # Errors
/// The mount is gone, or the method refuses: whoever logged in is no longer there or would get other policies.
pub async fn renewal(
    ctx: &SysCtx,
    record: &TokenRecord,
    increment: Option<Seconds>,
) -> Result<Option<(Bounds, Renewal)>, EngineError> {
    if record.mount_accessor.is_empty() || record.mount_accessor == ctx.ctx.mount.accessor {
        return Ok(None);
    }
    let mount = ctx.state.mounts.iter().find(|m| m.record.accessor == record.mount_accessor);
    let Some((mount, Backend::Engine(engine))) = mount.map(|m| (m, &m.backend)) else {
        return Err(EngineError::bad("lease is not renewable"));
    };
    let login = LoginLease {
        internal: record.internal.clone().map(RawJson::from_trusted),
        policies: record.policies.clone(),
        metadata: record.meta.clone().unwrap_or_default(),
        issued: record.created,
        ttl: record.last_ttl,
        increment,
    };
    let limits = engine.renew_login(&at_mount(ctx, mount), &login).await?;
    let lower = |a: Option<Seconds>, b: Option<Seconds>| match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    let set = |ttl: Option<Seconds>| ttl.filter(|t| !t.is_zero());
    let bounds = bounds_of(mount);
    let renewal = Renewal {
        issued: record.created,
        last_ttl: set(limits.ttl).unwrap_or_else(|| by_default(ctx, record, bounds, &limits)),
        increment,
        period: set(limits.period),
        max_ttl: limits.max_ttl,
        explicit_max_ttl: lower(set(limits.explicit_max_ttl), set(record.explicit_max_ttl)),
    };
    Ok(Some((bounds, renewal)))
}

/// What nobody asked for is no more than what is left, without a word about it.
fn by_default(ctx: &SysCtx, record: &TokenRecord, bounds: Bounds, limits: &TokenLimits) -> Seconds {
    let max = limits.max_ttl.filter(|max| !max.is_zero()).map_or(bounds.max_ttl, |max| max.min(bounds.max_ttl));
    bounds.default_ttl.min(ctx.now().until(record.created.plus(max)))
}

/// The context of a request, at another mount.
fn at_mount(ctx: &SysCtx, mount: &Mount) -> Ctx {
    Ctx { view: View::new(ctx.txn(), mount.record.uuid), mount: Arc::clone(&mount.info), ..ctx.ctx.clone() }
}
