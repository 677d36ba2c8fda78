//! `auth/token/…`.

use super::create::{NewToken, auth_block_of, issue};
use super::lookup::describe;
use super::revoke::revoke_tree;
use super::store::{TokenHash, TokenStore};
use crate::policy::PolicyStore;
use crate::sys::SysCtx;
use bulla_kit::{Answer, EngineError, KeyValues, NoParams, Params, Reply, Route};
use bulla_lease::{Asked, Bounds, Renewal, grant, renew};
use bulla_records::TokenRecord;
use bulla_types::{PolicyName, Seconds};

#[derive(Params)]
struct CreateParams {
    /// The token's id; needs sudo. Chosen at random if not given.
    id: Option<String>,
    /// Policies of the token; the parent's if not given.
    policies: Option<Vec<String>>,
    /// Texts that go with the token into audit.
    meta: Option<KeyValues>,
    /// Makes an orphan; needs sudo.
    no_parent: bool,
    /// Leaves the policy `default` out.
    no_default_policy: bool,
    /// Whether it may be renewed.
    #[param(default = true)]
    renewable: bool,
    /// How long it lives.
    ttl: Option<Seconds>,
    /// The older name of `ttl`.
    lease: Option<Seconds>,
    /// `service` or `batch`.
    #[param(name = "type")]
    kind: Option<String>,
    /// The end that no renewal passes.
    explicit_max_ttl: Option<Seconds>,
    /// Shown in audit and lookups.
    display_name: Option<String>,
    /// How often it may be used; 0 = any number of times.
    num_uses: i64,
    /// Lives for ever if renewed within this time; needs sudo.
    period: Option<Seconds>,
    /// Needs a role that allows it.
    entity_alias: Option<String>,
}

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
struct AccessorParams {
    /// The accessor of the token.
    accessor: String,
    /// How long it is to live from now on (renewal only).
    increment: Option<Seconds>,
}

pub fn routes() -> Vec<Route<SysCtx>> {
    vec![
        Route::sudo("accessors").help("List the accessors of all tokens.", "").list(accessors),
        Route::token("create")
            .help("Create a token below the caller's.", "")
            .update(|c, p| create(c, p, Orphan::AsAsked)),
        Route::token("create-orphan")
            .help("Create a token without a parent.", "")
            .update(|c, p| create(c, p, Orphan::Always)),
        Route::token("lookup").help("Look a token up.", "").read(lookup).update(lookup),
        Route::token("lookup-self").help("Look the caller's token up.", "").read(lookup_self).update(lookup_self),
        Route::token("lookup-accessor").help("Look a token up by its accessor.", "").update(lookup_accessor),
        Route::token("renew").help("Renew a token.", "").update(renew_token),
        Route::token("renew-self").help("Renew the caller's token.", "").update(renew_self),
        Route::token("renew-accessor").help("Renew a token by its accessor.", "").update(renew_accessor),
        Route::token("revoke").help("Revoke a token and all below it.", "").update(revoke),
        Route::token("revoke-self").help("Revoke the caller's token and all below it.", "").update(revoke_self),
        Route::token("revoke-orphan")
            .help("Revoke a token; its children become orphans.", "Needs sudo.")
            .update(revoke_orphan),
        Route::token("revoke-accessor").help("Revoke a token by its accessor.", "").update(revoke_accessor),
    ]
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Orphan {
    AsAsked,
    Always,
}

async fn create(ctx: SysCtx, params: CreateParams, orphan: Orphan) -> Answer {
    let parent = ctx.caller()?;
    let parent_record = &parent.token.record;
    check_create(&ctx, &params, parent_record)?;
    let (policies, mut warnings) = policies_of(&ctx, &params, parent_record).await?;
    let bounds = Bounds { default_ttl: ctx.ctx.mount.default_ttl, max_ttl: ctx.ctx.mount.max_ttl };
    let asked = Asked {
        ttl: params.ttl.or(params.lease),
        max_ttl: None,
        explicit_max_ttl: params.explicit_max_ttl.filter(|t| !t.is_zero()),
        period: params.period.filter(|p| !p.is_zero()),
    };
    let endless =
        policies.iter().any(PolicyName::is_root) && asked.ttl.is_none_or(Seconds::is_zero) && asked.period.is_none();
    let granted = grant(bounds, asked);
    warnings.extend(granted.warnings);
    let is_orphan = orphan == Orphan::Always || params.no_parent;
    let new = NewToken {
        namespace: ctx.ctx.request.namespace,
        id: params.id.clone().filter(|id| !id.is_empty()),
        parent: (!is_orphan).then_some(parent.token.hash),
        policies,
        path: format!("auth/token/{}", if orphan == Orphan::Always { "create-orphan" } else { "create" }),
        meta: params.meta.map(|m| m.0),
        display_name: display_name(params.display_name.as_deref()),
        uses: uses(params.num_uses)?,
        ttl: (!endless).then_some(granted.ttl),
        max_ttl: Seconds::ZERO,
        explicit_max_ttl: asked.explicit_max_ttl,
        period: asked.period,
        renewable: params.renewable && !endless,
        role: None,
        entity_id: if is_orphan { String::new() } else { parent_record.entity_id.clone() },
        bound_cidrs: parent_record.bound_cidrs.clone(),
        mount_accessor: ctx.ctx.mount.accessor.clone(),
        internal: None,
    };
    let issued = issue(ctx.txn(), new, ctx.now()).await?;
    let mut reply = Reply::empty();
    reply.auth = Some(Box::new(issued.auth_block()));
    reply.warnings = warnings;
    Ok(reply)
}

fn uses(num_uses: i64) -> Result<Option<u32>, EngineError> {
    match num_uses {
        0 => Ok(None),
        n if n < 0 => Err(EngineError::bad("number of uses cannot be negative")),
        n => u32::try_from(n).map(Some).map_err(|_| EngineError::bad("number of uses is too large")),
    }
}

fn display_name(asked: Option<&str>) -> String {
    let Some(name) = asked.filter(|n| !n.is_empty()) else { return "token".into() };
    let full = format!("token-{name}");
    let clean: String = full.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' }).collect();
    clean.trim_end_matches('-').to_owned()
}

/// What a caller may ask for at all.
fn check_create(ctx: &SysCtx, params: &CreateParams, parent: &TokenRecord) -> Result<(), EngineError> {
    let refuse = |text: &str| Err(EngineError::bad(text));
    let sudo = ctx.has_sudo();
    if parent.uses.is_some() {
        return refuse("restricted use token cannot generate child tokens");
    }
    if let Some(id) = params.id.as_deref().filter(|id| !id.is_empty()) {
        if !sudo {
            return refuse("root or sudo privileges required to specify token id");
        }
        if id.starts_with("s.") || id.starts_with("hvs.") {
            return refuse("custom token ID cannot have the 's.' prefix");
        }
        if id.contains('.') {
            return refuse("custom token ID cannot contain a '.'");
        }
    }
    if params.no_parent && !sudo {
        return refuse("root or sudo privileges required to create orphan token");
    }
    if params.period.is_some_and(|p| !p.is_zero()) && !sudo {
        return refuse("root or sudo privileges required to create periodic token");
    }
    if params.entity_alias.as_deref().is_some_and(|a| !a.is_empty()) {
        return refuse("'entity_alias' is only allowed in combination with token role");
    }
    match params.kind.as_deref() {
        None | Some("" | "service") => Ok(()),
        Some("batch") => refuse("batch tokens are not available yet"),
        Some(_) => refuse("invalid 'token_type' value"),
    }
}

/// The policies of the new token, sorted, and warnings about those that do not exist.
async fn policies_of(
    ctx: &SysCtx,
    params: &CreateParams,
    parent: &TokenRecord,
) -> Result<(Vec<PolicyName>, Vec<String>), EngineError> {
    let sudo = ctx.has_sudo();
    let asked = params.policies.clone().unwrap_or_default();
    let mut policies = if asked.is_empty() { parent.policies.clone() } else { parse_policies(&asked)? };
    if policies.iter().any(PolicyName::is_root) && !parent.is_root() {
        return Err(EngineError::bad("root tokens may not be created without parent token being root"));
    }
    let default = PolicyName::default_policy();
    if !sudo && !asked.is_empty() && !policies.iter().all(|p| *p == default || parent.policies.contains(p)) {
        return Err(EngineError::bad("child policies must be subset of parent"));
    }
    if !sudo && !parent.policies.contains(&default) {
        // A child never gets what its parent lacks, not even `default`.
        policies.retain(|p| *p != default);
    } else if params.no_default_policy {
        policies.retain(|p| *p != default);
    } else if !policies.iter().any(PolicyName::is_root) {
        policies.push(default);
    }
    policies.sort_unstable();
    policies.dedup();
    if policies.iter().any(PolicyName::is_root) {
        policies.retain(PolicyName::is_root);
    }
    let store = PolicyStore::new(ctx.txn(), ctx.ctx.request.namespace);
    let mut warnings = Vec::new();
    for name in policies.iter().filter(|p| !p.is_root()) {
        if store.read(name).await?.is_none() {
            warnings.push(format!("Policy {:?} does not exist", name.as_str()));
        }
    }
    Ok((policies, warnings))
}

fn parse_policies(texts: &[String]) -> Result<Vec<PolicyName>, EngineError> {
    texts
        .iter()
        .filter(|t| !t.trim().is_empty())
        .map(|t| PolicyName::parse(t).map_err(|e| EngineError::bad(format!("invalid policy name: {e}"))))
        .collect()
}

async fn accessors(ctx: SysCtx, _: NoParams) -> Answer {
    let found = TokenStore(ctx.txn()).accessors(100_000).await?;
    Reply::keys(&found.into_iter().map(|a| a.0).collect::<Vec<_>>())
}

/// A live token by its id, or the caller's own if none is named.
async fn find(ctx: &SysCtx, token: Option<&str>) -> Result<Option<(TokenHash, TokenRecord, String)>, EngineError> {
    let store = TokenStore(ctx.txn());
    let own = ctx.token_text();
    let id = token.filter(|t| !t.is_empty()).map_or(own, str::to_owned);
    let hash = store.hash(&id);
    let found = store.get(&hash).await?.filter(|record| !record.expired(ctx.now()));
    Ok(found.map(|record| (hash, record, id)))
}

async fn find_accessor(ctx: &SysCtx, accessor: &str) -> Result<Option<(TokenHash, TokenRecord)>, EngineError> {
    if accessor.is_empty() {
        return Err(EngineError::bad("missing accessor_id"));
    }
    let found = TokenStore(ctx.txn()).by_accessor(accessor).await?;
    Ok(found.filter(|(_, record)| !record.expired(ctx.now())))
}

async fn lookup(ctx: SysCtx, params: TokenParams) -> Answer {
    match find(&ctx, params.token.as_deref()).await? {
        Some((_, record, id)) => Reply::json(&describe(&record, &id, ctx.now())),
        None => Err(EngineError::DeniedBecause("bad token".into())),
    }
}

async fn lookup_self(ctx: SysCtx, _: NoParams) -> Answer {
    lookup(ctx, TokenParams { token: None }).await
}

async fn lookup_accessor(ctx: SysCtx, params: AccessorParams) -> Answer {
    match find_accessor(&ctx, &params.accessor).await? {
        Some((_, record)) => Reply::json(&describe(&record, "", ctx.now())),
        None => Err(EngineError::DeniedBecause("1 error occurred:\n\t* invalid accessor\n\n".into())),
    }
}

async fn renew_found(
    ctx: &SysCtx,
    hash: TokenHash,
    mut record: TokenRecord,
    id: String,
    increment: Option<Seconds>,
) -> Answer {
    if record.expires.is_none() || !record.renewable {
        return Err(EngineError::bad("lease is not renewable"));
    }
    let bounds = Bounds { default_ttl: ctx.ctx.mount.default_ttl, max_ttl: ctx.ctx.mount.max_ttl };
    let ask = Renewal {
        issued: record.created,
        last_ttl: record.last_ttl,
        increment,
        period: record.period,
        max_ttl: Some(record.max_ttl),
        explicit_max_ttl: record.explicit_max_ttl,
    };
    let granted = renew(bounds, ask, ctx.now()).map_err(|e| EngineError::bad(e.to_string()))?;
    record.last_ttl = granted.ttl;
    record.last_renewal = Some(ctx.now());
    let end = ctx.now().plus(granted.ttl);
    TokenStore(ctx.txn()).reschedule(&hash, &mut record, end)?;
    let mut block = auth_block_of(&record);
    block.client_token = id;
    let mut reply = Reply::empty();
    reply.auth = Some(Box::new(block));
    reply.warnings = granted.warnings;
    Ok(reply)
}

async fn renew_token(ctx: SysCtx, params: RenewParams) -> Answer {
    match find(&ctx, params.token.as_deref()).await? {
        Some((hash, record, id)) => renew_found(&ctx, hash, record, id, params.increment).await,
        None => Err(EngineError::bad("token not found")),
    }
}

async fn renew_self(ctx: SysCtx, params: RenewParams) -> Answer {
    renew_token(ctx, RenewParams { token: None, ..params }).await
}

async fn renew_accessor(ctx: SysCtx, params: AccessorParams) -> Answer {
    match find_accessor(&ctx, &params.accessor).await? {
        Some((hash, record)) => renew_found(&ctx, hash, record, String::new(), params.increment).await,
        None => Err(EngineError::bad("invalid accessor")),
    }
}

async fn revoke(ctx: SysCtx, params: TokenParams) -> Answer {
    let Some(token) = params.token.filter(|t| !t.is_empty()) else { return Err(EngineError::bad("missing token ID")) };
    let hash = TokenStore(ctx.txn()).hash(&token);
    revoke_tree(ctx.txn(), hash).await?;
    Ok(Reply::none())
}

async fn revoke_self(ctx: SysCtx, _: NoParams) -> Answer {
    revoke_tree(ctx.txn(), ctx.caller()?.token.hash).await?;
    Ok(Reply::none())
}

async fn revoke_orphan(ctx: SysCtx, params: TokenParams) -> Answer {
    let Some(token) = params.token.filter(|t| !t.is_empty()) else { return Err(EngineError::bad("missing token ID")) };
    if !ctx.has_sudo() {
        return Err(EngineError::bad("root or sudo privileges required to revoke and orphan"));
    }
    let store = TokenStore(ctx.txn());
    let hash = store.hash(&token);
    let Some(record) = store.get(&hash).await? else { return Err(EngineError::bad("token to revoke not found")) };
    for child in store.children(&hash, usize::MAX).await? {
        store.detach(&hash, &child);
        if let Some(mut orphan) = store.get(&child).await? {
            orphan.parent = None;
            store.put(&child, &orphan)?;
        }
    }
    store.remove(&hash, &record).await?;
    Ok(Reply::none())
}

async fn revoke_accessor(ctx: SysCtx, params: AccessorParams) -> Answer {
    match find_accessor(&ctx, &params.accessor).await? {
        Some((hash, _)) => {
            revoke_tree(ctx.txn(), hash).await?;
            Ok(Reply::none())
        }
        None => Ok(Reply::empty().warn("No token found with this accessor")),
    }
}
