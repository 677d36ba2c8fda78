//! `sys/leases/…`, and the older paths of the same: one handler for each action, so that every spelling meets the same
//! checks. An id in the path is the one policy saw; a body cannot replace it.

use super::prefix::end_below;
use super::renew::renew_by_id;
use super::revoke::revoke_by_id;
use super::{show, tidying};
use crate::sys::{Effect, SysCtx};
use bulla_barrier::Page;
use bulla_kit::{Answer, EngineError, Params, Reply, Route};
use bulla_types::Seconds;

#[derive(Params)]
struct LookupParams {
    /// The lease.
    lease_id: String,
}

#[derive(Params)]
struct RenewParams {
    /// The lease.
    lease_id: String,
    /// How long it is to live from now on.
    increment: Option<Seconds>,
}

#[derive(Params)]
struct RenewAtParams {
    /// The lease.
    #[param(path)]
    lease_id: String,
    /// How long it is to live from now on.
    increment: Option<Seconds>,
}

#[derive(Params)]
struct RevokeParams {
    /// The lease.
    lease_id: String,
    /// Answer when the engine has taken the secret back, not before.
    sync: bool,
}

#[derive(Params)]
struct RevokeAtParams {
    /// The lease.
    #[param(path)]
    lease_id: String,
    /// Answer when the engine has taken the secret back, not before.
    sync: bool,
}

#[derive(Params)]
struct PrefixParams {
    /// The folder of leases.
    #[param(path)]
    prefix: String,
    /// Answer when the engines have been asked, not before.
    sync: bool,
}

#[derive(Params)]
struct ForceParams {
    /// The folder of leases.
    #[param(path)]
    prefix: String,
}

#[derive(Params)]
struct ListParams {
    /// The folder to list.
    #[param(path)]
    prefix: String,
    /// Names after this one.
    after: Option<String>,
    /// At most so many.
    limit: Option<i64>,
}

#[derive(Params)]
struct KindParams {
    /// Only `irrevocable` ones can be asked for.
    #[param(name = "type")]
    kind: Option<String>,
    /// At most so many; `none` = all.
    limit: Option<String>,
    /// For clients of servers with namespaces below: there are none.
    include_child_namespaces: bool,
}

pub fn routes() -> Vec<Route<SysCtx>> {
    let mut routes = vec![
        Route::token("leases/lookup")
            .help("Look a lease up.", "When it was issued, when it ends and whether it can be renewed; not the secret.")
            .update(lookup),
        Route::sudo("leases/lookup/{prefix..?}")
            .help("List leases.", "The next part of the path of each below the prefix, as folders are listed.")
            .list(list),
        Route::token("leases/count")
            .help("Count irrevocable leases.", "Those whose engine has failed too often to take the secret back.")
            .read(count),
        Route::token("leases/tidy")
            .help(
                "Mend what has been lost from the lease queue.",
                "Runs in the background. Nothing that is in order is touched.",
            )
            .update(tidying::tidy),
        Route::sudo("leases").help("List irrevocable leases.", "With the error that each ended in.").read(irrevocable),
    ];
    routes.extend(actions(&CURRENT));
    routes.extend(actions(&OLDER));
    routes
}

/// The paths of what can be done to leases.
struct Spelling {
    renew: &'static str,
    renew_at: &'static str,
    revoke: &'static str,
    revoke_at: &'static str,
    revoke_prefix: &'static str,
    revoke_force: &'static str,
}

const CURRENT: Spelling = Spelling {
    renew: "leases/renew",
    renew_at: "leases/renew/{lease_id..}",
    revoke: "leases/revoke",
    revoke_at: "leases/revoke/{lease_id..}",
    revoke_prefix: "leases/revoke-prefix/{prefix..}",
    revoke_force: "leases/revoke-force/{prefix..}",
};

const OLDER: Spelling = Spelling {
    renew: "renew",
    renew_at: "renew/{lease_id..}",
    revoke: "revoke",
    revoke_at: "revoke/{lease_id..}",
    revoke_prefix: "revoke-prefix/{prefix..}",
    revoke_force: "revoke-force/{prefix..}",
};

fn actions(at: &Spelling) -> [Route<SysCtx>; 6] {
    let renewing = |route: Route<SysCtx>| {
        route.help("Renew a lease.", "Its end moves to the increment asked for, at most as far as its mount allows.")
    };
    let revoking = |route: Route<SysCtx>| {
        route.help("Revoke a lease.", "The engine takes the secret back, in the background unless `sync` is set.")
    };
    [
        renewing(Route::token(at.renew)).update(renew),
        renewing(Route::token(at.renew_at)).update(async |ctx, params: RenewAtParams| {
            renew(ctx, RenewParams { lease_id: params.lease_id, increment: params.increment }).await
        }),
        revoking(Route::token(at.revoke)).update(revoke),
        revoking(Route::token(at.revoke_at)).update(async |ctx, params: RevokeAtParams| {
            revoke(ctx, RevokeParams { lease_id: params.lease_id, sync: params.sync }).await
        }),
        Route::sudo(at.revoke_prefix)
            .help(
                "Revoke all leases of a folder.",
                "In the background unless `sync` is set. What its engine cannot take back is tried again.",
            )
            .update(revoke_prefix),
        Route::sudo(at.revoke_force)
            .help(
                "Revoke all leases of a folder, whatever their engines answer.",
                "Secrets may be left in force outside.",
            )
            .update(revoke_force),
    ]
}

fn given(id: &str) -> Result<&str, EngineError> {
    if id.is_empty() { Err(EngineError::bad("lease_id must be specified")) } else { Ok(id) }
}

async fn lookup(ctx: SysCtx, params: LookupParams) -> Answer {
    show::lookup(&ctx, given(&params.lease_id)?).await
}

async fn renew(ctx: SysCtx, params: RenewParams) -> Answer {
    renew_by_id(&ctx, given(&params.lease_id)?, params.increment).await
}

async fn revoke(ctx: SysCtx, params: RevokeParams) -> Answer {
    revoke_by_id(&ctx, given(&params.lease_id)?, params.sync).await?;
    Ok(Reply::none())
}

async fn revoke_prefix(ctx: SysCtx, params: PrefixParams) -> Answer {
    let ended = end_below(&ctx, &params.prefix, false).await?;
    if !params.sync {
        return Ok(Reply::none());
    }
    ctx.after_commit(Effect::LeasesEnded(ended.leases));
    if ended.unfinished {
        return Ok(
            Reply::empty().warn("There are too many leases for one answer: the rest is revoked in the background.")
        );
    }
    Ok(Reply::none())
}

async fn revoke_force(ctx: SysCtx, params: ForceParams) -> Answer {
    end_below(&ctx, &params.prefix, true).await?;
    Ok(Reply::none())
}

async fn list(ctx: SysCtx, params: ListParams) -> Answer {
    let limit = params.limit.filter(|limit| *limit > 0).and_then(|limit| usize::try_from(limit).ok());
    let page = Page { after: params.after.filter(|after| !after.is_empty()), limit };
    Reply::keys(&show::list(&ctx, &params.prefix, &page).await?)
}

fn is_irrevocable(kind: Option<&str>) -> bool {
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case("irrevocable"))
}

async fn count(ctx: SysCtx, params: KindParams) -> Answer {
    if !is_irrevocable(params.kind.as_deref()) {
        return Ok(Reply::none());
    }
    let _ = params.include_child_namespaces;
    show::count_irrevocable(&ctx).await
}

async fn irrevocable(ctx: SysCtx, params: KindParams) -> Answer {
    if !is_irrevocable(params.kind.as_deref()) {
        return Ok(Reply::none());
    }
    let limit = match params.limit.as_deref() {
        None | Some("") => None,
        Some("none") => Some(usize::MAX),
        Some(text) => match text.parse::<usize>() {
            Ok(limit) if limit > 0 => Some(limit),
            _ => return Err(EngineError::bad("invalid 'limit' value")),
        },
    };
    show::list_irrevocable(&ctx, limit).await
}
