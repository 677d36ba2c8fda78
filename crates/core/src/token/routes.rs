//! `auth/token/…`.

use super::create::{add_identity, auth_block_of};
use super::creating::{self, Way};
use super::lookup::describe;
use super::orphaning::revoke_alone;
use super::revoke::revoke_tree;
use super::role::Role;
use super::roles;
use super::store::{TokenHash, TokenStore};
use super::{batch, tidying};
use crate::identity;
use crate::login;
use crate::refusal::one_error;
use crate::sys::SysCtx;
use bulla_kit::{Answer, EngineError, NoParams, Params, Reply, Route};
use bulla_lease::{Bounds, Renewal, renew};
use bulla_records::{TokenKindRecord, TokenRecord};
use bulla_types::Seconds;
use serde_json::{Map, Value};

#[derive(Params)]
struct TokenParams {
    /// The token; the caller's own if not given.
    token: Option<String>,
}

#[derive(Params)]
struct RenewParams {
    /// The token; the caller's own if not given.
    token: Option<String>,
    /// How long it is to live from now on.
    increment: Option<Seconds>,
}

#[derive(Params)]
struct AccessorsParams {
    /// The last accessor of the page before.
    after: Option<String>,
    /// How many accessors a page holds; 0 = as many as fit into one answer.
    limit: i64,
}

#[derive(Params)]
struct AccessorParams {
    /// The accessor of the token.
    accessor: String,
    /// How long it is to live from now on (renewal only).
    increment: Option<Seconds>,
}

pub fn routes() -> Vec<Route<SysCtx>> {
    let mut routes = vec![
        Route::sudo("accessors")
            .help(
                "List the accessors of all tokens.",
                "An accessor can look up, renew and revoke its token, not use it.",
            )
            .list(accessors),
        Route::token("create")
            .help(
                "Create a token below the caller's.",
                "It is revoked with its parent, and has no policies that the parent lacks unless the caller has sudo.",
            )
            .update(|c, p| creating::create(c, p, Way::Plain)),
        Route::token("create-orphan")
            .help("Create a token without a parent.", "It outlives whoever made it.")
            .update(|c, p| creating::create(c, p, Way::Orphan)),
        Route::token("create/{role_name}")
            .help("Create a token as a role says.", "The role limits policies, times and kind.")
            .update(|c, p| creating::create(c, p, Way::Role)),
        Route::token("lookup")
            .help("Look a token up.", "Policies, times and metadata. Spends no use of it.")
            .read(lookup)
            .update(lookup),
        Route::token("lookup-self")
            .help("Look the caller's token up.", "Policies, times and metadata.")
            .read(lookup_self)
            .update(lookup_self),
        Route::token("lookup-accessor")
            .help("Look a token up by its accessor.", "As `lookup`, and the token itself is not shown.")
            .update(lookup_accessor),
        Route::token("renew")
            .help(
                "Renew a token.",
                "Its end moves to the increment asked for, at most to its maximum. Periodic tokens have none.",
            )
            .update(renew_token),
        Route::token("renew-self")
            .help(
                "Renew the caller's token.",
                "Its end moves to the increment asked for, at most to its maximum. Periodic tokens have none.",
            )
            .update(renew_self),
        Route::token("renew-accessor")
            .help("Renew a token by its accessor.", "As `renew`, and the token itself is not shown.")
            .update(renew_accessor),
        Route::token("revoke")
            .help("Revoke a token and all below it.", "With all leases that were issued under them.")
            .update(revoke),
        Route::token("revoke-self")
            .help("Revoke the caller's token and all below it.", "With all leases that were issued under them.")
            .update(revoke_self),
        Route::token("revoke-orphan")
            .help("Revoke a token; its children become orphans.", "Needs sudo.")
            .update(revoke_orphan),
        Route::token("revoke-accessor")
            .help("Revoke a token by its accessor.", "As `revoke`, for those who do not have the token.")
            .update(revoke_accessor),
        Route::token("tidy")
            .help("Take back tokens whose parents are gone.", "Runs in the background.")
            .update(tidying::tidy),
    ];
    routes.extend(roles::routes());
    routes
}

/// In one answer; who has more tokens asks for pages.
const MOST_ACCESSORS: usize = 100_000;

async fn accessors(ctx: SysCtx, params: AccessorsParams) -> Answer {
    let asked = usize::try_from(params.limit).ok().filter(|limit| *limit > 0);
    let limit = asked.unwrap_or(MOST_ACCESSORS).min(MOST_ACCESSORS);
    let after = params.after.as_deref().filter(|after| !after.is_empty());
    let (found, more) = TokenStore(ctx.txn()).accessors(after, limit).await?;
    let reply = Reply::keys(&found.into_iter().map(|a| a.0).collect::<Vec<_>>())?;
    if more && asked.is_none_or(|asked| asked > limit) {
        return Ok(
            reply.warn(format!("There are more than {limit} accessors. Ask for pages with `after` and `limit`."))
        );
    }
    Ok(reply)
}

/// A live token by its text.
async fn find(ctx: &SysCtx, id: &str) -> Result<Option<(TokenHash, TokenRecord)>, EngineError> {
    TokenStore(ctx.txn()).by_text(id, &ctx.state.mounts, ctx.now()).await
}

async fn find_accessor(ctx: &SysCtx, accessor: &str) -> Result<Option<(TokenHash, TokenRecord)>, EngineError> {
    if accessor.is_empty() {
        return Err(EngineError::bad(one_error("missing accessor")));
    }
    let store = TokenStore(ctx.txn());
    let Some((hash, _)) = store.by_accessor(accessor).await? else { return Ok(None) };
    Ok(store.live(&hash, &ctx.state.mounts, ctx.now()).await?.map(|record| (hash, record)))
}

async fn lookup(ctx: SysCtx, params: TokenParams) -> Answer {
    let id = params.token.filter(|t| !t.is_empty()).unwrap_or_else(|| ctx.token_text());
    let Some((hash, mut record)) = find(&ctx, &id).await? else {
        return Err(EngineError::DeniedBecause("bad token".into()));
    };
    if hash == ctx.caller()?.token.hash {
        // The use that asks is spent by the time the answer is read.
        record.uses = record.uses.map(|left| left.saturating_sub(1));
    }
    Reply::json(&described(&ctx, &record, &id).await?)
}

async fn described(ctx: &SysCtx, record: &TokenRecord, id: &str) -> Result<Map<String, Value>, EngineError> {
    let standing = identity::of_token(&ctx.state, ctx.txn(), &record.entity_id).await?.standing();
    Ok(describe(record, standing.as_deref(), id, ctx.now()))
}

async fn lookup_self(ctx: SysCtx, _: NoParams) -> Answer {
    lookup(ctx, TokenParams { token: None }).await
}

async fn lookup_accessor(ctx: SysCtx, params: AccessorParams) -> Answer {
    match find_accessor(&ctx, &params.accessor).await? {
        Some((_, record)) => Reply::json(&described(&ctx, &record, "").await?),
        None => Err(EngineError::bad(one_error("invalid accessor"))),
    }
}

/// The limits of a token that was made by `auth/token/`: with its role as it is now, so that a change of it acts on the
/// tokens it made.
async fn by_token_role(
    ctx: &SysCtx,
    record: &TokenRecord,
    increment: Option<Seconds>,
) -> Result<(Bounds, Renewal), EngineError> {
    let bounds = Bounds { default_ttl: ctx.ctx.mount.default_ttl, max_ttl: ctx.ctx.mount.max_ttl };
    let role = match &record.role {
        None => Role::default(),
        Some(name) => Role::read(&ctx.ctx.view, name).await?.ok_or_else(|| {
            EngineError::bad(format!("original token role {name:?} could not be found, not renewing"))
        })?,
    };
    let ask = Renewal {
        issued: record.created,
        last_ttl: record.last_ttl,
        increment,
        period: role.period().or(record.period),
        max_ttl: Some(record.max_ttl),
        explicit_max_ttl: role.lower_explicit_max(record.explicit_max_ttl),
    };
    Ok((bounds, ask))
}

async fn renew_found(
    ctx: &SysCtx,
    hash: TokenHash,
    mut record: TokenRecord,
    id: String,
    increment: Option<Seconds>,
) -> Answer {
    if record.kind == TokenKindRecord::Batch {
        return Err(EngineError::bad("batch tokens cannot be renewed"));
    }
    if record.expires.is_none() || !record.renewable {
        return Err(EngineError::bad("lease is not renewable"));
    }
    let (bounds, ask) = match login::renewal(ctx, &record, increment).await? {
        Some(of_login) => of_login,
        None => by_token_role(ctx, &record, increment).await?,
    };
    let granted = renew(bounds, ask, ctx.now()).map_err(|e| EngineError::bad(e.to_string()))?;
    record.last_ttl = granted.ttl;
    record.last_renewal = Some(ctx.now());
    let end = ctx.now().plus(granted.ttl);
    TokenStore(ctx.txn()).reschedule(&hash, &mut record, end)?;
    let mut block = auth_block_of(&record);
    block.client_token = id;
    let standing = identity::of_token(&ctx.state, ctx.txn(), &record.entity_id).await?.standing();
    add_identity(&mut block, standing.as_deref());
    let mut reply = Reply::empty();
    reply.auth = Some(Box::new(block));
    reply.warnings = granted.warnings;
    Ok(reply)
}

async fn renew_text(ctx: &SysCtx, id: String, increment: Option<Seconds>) -> Answer {
    match find(ctx, &id).await? {
        Some((hash, record)) => renew_found(ctx, hash, record, id, increment).await,
        None => Err(EngineError::bad("token not found")),
    }
}

async fn renew_token(ctx: SysCtx, params: RenewParams) -> Answer {
    match params.token.filter(|t| !t.is_empty()) {
        Some(id) => renew_text(&ctx, id, params.increment).await,
        None => Err(EngineError::bad("missing token ID")),
    }
}

async fn renew_self(ctx: SysCtx, params: RenewParams) -> Answer {
    renew_text(&ctx, ctx.token_text(), params.increment).await
}

async fn renew_accessor(ctx: SysCtx, params: AccessorParams) -> Answer {
    match find_accessor(&ctx, &params.accessor).await? {
        Some((hash, record)) => renew_found(&ctx, hash, record, String::new(), params.increment).await,
        None => Err(EngineError::bad(one_error("invalid accessor"))),
    }
}

fn refuse_batch(token: &str) -> Result<(), EngineError> {
    if batch::looks_like(token) { Err(EngineError::bad("batch tokens cannot be revoked")) } else { Ok(()) }
}

async fn revoke(ctx: SysCtx, params: TokenParams) -> Answer {
    let Some(token) = params.token.filter(|t| !t.is_empty()) else { return Err(EngineError::bad("missing token ID")) };
    refuse_batch(&token)?;
    let hash = TokenStore(ctx.txn()).hash(&token);
    revoke_tree(ctx.txn(), hash, ctx.now(), ctx.contention).await?;
    Ok(Reply::none())
}

async fn revoke_self(ctx: SysCtx, _: NoParams) -> Answer {
    refuse_batch(&ctx.token_text())?;
    revoke_tree(ctx.txn(), ctx.caller()?.token.hash, ctx.now(), ctx.contention).await?;
    Ok(Reply::none())
}

async fn revoke_orphan(ctx: SysCtx, params: TokenParams) -> Answer {
    let Some(token) = params.token.filter(|t| !t.is_empty()) else { return Err(EngineError::bad("missing token ID")) };
    if !ctx.has_sudo() {
        return Err(EngineError::bad("root or sudo privileges required to revoke and orphan"));
    }
    refuse_batch(&token)?;
    let store = TokenStore(ctx.txn());
    let hash = store.hash(&token);
    let Some(record) = store.live(&hash, &ctx.state.mounts, ctx.now()).await? else {
        return Err(EngineError::bad("token to revoke not found"));
    };
    revoke_alone(&store, hash, &record, ctx.now(), ctx.contention).await?;
    Ok(Reply::none())
}

async fn revoke_accessor(ctx: SysCtx, params: AccessorParams) -> Answer {
    match find_accessor(&ctx, &params.accessor).await? {
        Some((hash, _)) => {
            revoke_tree(ctx.txn(), hash, ctx.now(), ctx.contention).await?;
            Ok(Reply::none())
        }
        None => Ok(Reply::empty().warn("No token found with this accessor")),
    }
}
