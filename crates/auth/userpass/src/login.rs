//! Logging in, and renewing what a login gave.

use crate::password;
use crate::pool::Pool;
use crate::records::{self, UserId};
use bulla_auth_tokens::{SecretParam, check_address, same_policies};
use bulla_kit::{
    AliasClaim, Answer, Ctx, EngineError, Field, Input, LoginIntent, LoginLease, Params, RawJson, Reply, Route,
    TokenLimits,
};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// The name under which a token keeps whose it is.
const USERNAME: &str = "username";
const REFUSAL: &str = "invalid username or password";

#[derive(Params)]
struct LoginParams {
    /// Name of the user, in any case.
    #[param(path)]
    username: String,
    /// The user's password.
    password: SecretParam,
}

/// What a token keeps of its user; nothing, if the user has no id.
#[derive(Serialize, Deserialize)]
struct MadeBy {
    user: UserId,
}

/// The same name as the alias's: folded already. Without a password it is no try, and is told so.
fn name_of(input: &Input) -> Option<String> {
    let password = SecretParam::decode(input.body.get("password")?).ok()?;
    input.captures.get("username").filter(|_| !password.is_empty()).map(str::to_owned)
}

pub fn route() -> Route<Ctx> {
    Route::public("login/{username}")
        .help("Log in with a password.", "Answers with a token that has the user's policies.")
        .folded(&["username"])
        .locks_out(name_of, REFUSAL)
        .update(login)
}

async fn login(ctx: Ctx, sent: LoginParams) -> Answer {
    if sent.password.is_empty() {
        return Err(EngineError::bad("missing password"));
    }
    let user = records::read(&ctx.view, &sent.username).await?;
    let work = records::highest_cost(&ctx.view).await?.unwrap_or(password::COST);
    let hash = user.as_ref().map(|user| user.password_hash.clone());
    let password = sent.password;
    let fits = Pool::shared().run(move || password::check(&password, hash.as_deref(), work)).await?;
    let known = user.is_some();
    let Some(user) = user.filter(|_| fits) else {
        return Err(EngineError::InvalidCredentials { text: REFUSAL.into(), known });
    };
    check_address(user.token.bound_cidrs.value(), ctx.request.remote)?;
    let internal = user.id.clone().map(|user| RawJson::of(&MadeBy { user })).transpose();
    let internal = internal.map_err(|_| EngineError::internal("the login could not be written as JSON"))?;
    Ok(Reply::login(LoginIntent {
        display_name: sent.username.clone(),
        policies: user.token.policies.value().clone(),
        metadata: [(USERNAME.to_owned(), sent.username.clone())].into_iter().collect(),
        alias: Some(AliasClaim { name: sent.username, metadata: IndexMap::new() }),
        group_aliases: Vec::new(),
        limits: user.token.limits(),
        renewable: true,
        internal,
    }))
}

/// The user's limits as they are now.
///
/// # Errors
/// The user is gone, or would get other policies today. One of the same name made later is another.
pub async fn renew(ctx: &Ctx, login: &LoginLease) -> Result<TokenLimits, EngineError> {
    let name = login.metadata.get(USERNAME).map_or("", String::as_str);
    let user = match name {
        "" => None,
        name => records::read(&ctx.view, name).await?,
    };
    let made_by = login.internal.as_ref().map(|kept| serde_json::from_str::<MadeBy>(kept.get()));
    let made_by = made_by.transpose().map_err(|_| EngineError::damaged("login"))?.map(|made_by| made_by.user);
    let user = user.filter(|user| user.id == made_by);
    let user = user.ok_or_else(|| EngineError::bad("the user does not exist any more, not renewing"))?;
    if !same_policies(user.token.policies.value(), &login.policies) {
        return Err(EngineError::bad("policies have changed, not renewing"));
    }
    Ok(user.token.limits())
}
