//! Logging in, and renewing what a login gave.

use crate::constraints::{check_source, check_subset};
use crate::role::{Role, RoleKey};
use crate::secret_id::{self, Place, SecretId};
use bulla_auth_tokens::SecretParam;
use bulla_kit::{
    AliasClaim, Answer, Ctx, EngineError, Field, Input, LoginIntent, LoginLease, Params, RawJson, Reply, Route,
    TokenLimits,
};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

const REFUSAL: &str = "invalid role or secret ID";

#[derive(Params)]
struct LoginParams {
    /// The id of the role.
    role_id: String,
    /// A secret id of the role, if it wants one.
    secret_id: SecretParam,
}

/// What a token keeps of its role.
#[derive(Serialize, Deserialize)]
struct MadeBy {
    role: String,
    key: RoleKey,
}

pub fn route() -> Route<Ctx> {
    Route::public("login")
        .help("Log in with a role id and a secret id.", "Answers with a token that has the role's policies.")
        .locks_out(role_id_of, REFUSAL)
        .update(login)
}

/// Read as the handler reads it, so that what is counted is what is tried.
fn role_id_of(input: &Input) -> Option<String> {
    String::decode(input.body.get("role_id")?).ok().filter(|id| !id.is_empty())
}

fn invalid(known: bool) -> EngineError {
    EngineError::InvalidCredentials { text: REFUSAL.into(), known }
}

async fn login(ctx: Ctx, sent: LoginParams) -> Answer {
    if sent.role_id.is_empty() {
        return Err(EngineError::bad("missing role_id"));
    }
    let Some((name, role)) = Role::by_id(&ctx.view, &sent.role_id).await? else { return Err(invalid(false)) };
    let spent = match role.bind_secret_id {
        true => Some(spend(&ctx, &role, &sent.secret_id).await?),
        false => None,
    };
    check_source(role.secret_id_bound_cidrs.value(), ctx.request.remote, "role")?;
    let mut limits = role.token.limits();
    let mut metadata = IndexMap::new();
    if let Some(secret_id) = spent {
        if !secret_id.token_cidrs.is_empty() {
            // The role may have been narrowed since.
            check_subset(role.token.bound_cidrs.value(), &secret_id.token_cidrs)?;
            limits.bound_cidrs = secret_id.token_cidrs;
        }
        metadata = secret_id.metadata;
    }
    // Last, so that no metadata can name another role.
    metadata.insert("role_name".into(), name.clone());
    let made_by = MadeBy { role: name, key: role.key };
    let internal =
        RawJson::of(&made_by).map_err(|_| EngineError::internal("the login could not be written as JSON"))?;
    Ok(Reply::login(LoginIntent {
        display_name: String::new(),
        policies: role.token.policies.value().clone(),
        metadata,
        alias: Some(AliasClaim { name: role.role_id, metadata: IndexMap::new() }),
        group_aliases: Vec::new(),
        limits,
        renewable: true,
        internal: Some(internal),
    }))
}

/// Uses the secret id once, in the login's own batch.
async fn spend(ctx: &Ctx, role: &Role, sent: &SecretParam) -> Result<SecretId, EngineError> {
    if sent.is_empty() {
        return Err(EngineError::bad("missing secret_id"));
    }
    let place = Place::of(&ctx.view, role.key, sent.dangerous_expose());
    let Some(mut secret_id) = secret_id::read(&ctx.view, &place, ctx.now).await? else { return Err(invalid(true)) };
    check_subset(role.secret_id_bound_cidrs.value(), &secret_id.cidrs)?;
    check_source(&secret_id.cidrs, ctx.request.remote, "secret ID")?;
    secret_id::spend(&ctx.view, &place, &mut secret_id, ctx.now)?;
    Ok(secret_id)
}

/// The role's limits as they are now.
///
/// # Errors
/// The role that made the token is gone; one of the same name made later is another.
pub async fn renew(ctx: &Ctx, login: &LoginLease) -> Result<TokenLimits, EngineError> {
    let damaged = || EngineError::damaged("login");
    let kept = login.internal.as_ref().ok_or_else(damaged)?;
    let made_by: MadeBy = serde_json::from_str(kept.get()).map_err(|_| damaged())?;
    let role = Role::read(&ctx.view, &made_by.role).await?.filter(|role| role.key == made_by.key);
    let gone = || EngineError::bad(format!("role {:?} does not exist any more, not renewing", made_by.role));
    Ok(role.ok_or_else(gone)?.token.limits())
}
