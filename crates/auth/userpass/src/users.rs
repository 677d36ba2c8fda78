//! Users: kept, shown, changed. A password is never shown, nor is its hash.

use crate::password;
use crate::pool::Pool;
use crate::records::{self, FOLDER, User, UserId};
use bulla_auth_tokens::{OldNames, SecretParam, TokenFields, TokenParams};
use bulla_kit::{Answer, CommaList, Ctx, EngineError, Page, Params, Reply, Route, View};
use bulla_types::Seconds;
use serde_json::Map;

pub fn routes() -> Vec<Route<Ctx>> {
    vec![
        Route::token("users").help("Lists the users.", "By name, in lower case.").list(list),
        Route::token("users/{username}")
            .help(
                "Creates, shows, changes and removes a user.",
                "A new user needs `password` or `password_hash`. What is not sent stays as it is.",
            )
            .folded(&["username"])
            .exists(|view: View, user: NameOnly| async move { records::exists(&view, &user.username).await })
            .read(read)
            .update(write)
            .delete(delete),
        Route::token("users/{username}/password")
            .help("Changes a user's password.", "Tokens that the user has stay.")
            .folded(&["username"])
            .update(change_password),
        Route::token("users/{username}/policies")
            .help("Changes a user's policies.", "Tokens that the user has keep theirs and can no longer be renewed.")
            .folded(&["username"])
            .update(change_policies),
    ]
}

#[derive(Params)]
struct ListParams {
    /// Name after which the listing begins; it need not exist.
    after: String,
    /// Number of names to answer with; zero or less means all.
    limit: i64,
}

#[derive(Params)]
struct NameOnly {
    /// Name of the user, in any case.
    #[param(path)]
    username: String,
}

#[derive(Params)]
struct UserParams {
    /// Name of the user, in any case.
    #[param(path)]
    username: String,
    /// The password, at most 72 bytes.
    password: SecretParam,
    /// A ready-made bcrypt hash of the password, with a cost from 5 to 12.
    password_hash: String,
    #[param(older_name_of = "token_policies")]
    policies: Option<CommaList>,
    #[param(older_name_of = "token_ttl")]
    ttl: Option<Seconds>,
    #[param(older_name_of = "token_max_ttl")]
    max_ttl: Option<Seconds>,
    #[param(older_name_of = "token_bound_cidrs")]
    bound_cidrs: Option<CommaList>,
    #[param(flatten)]
    token: TokenParams,
}

#[derive(Params)]
struct PasswordParams {
    /// Name of the user, in any case.
    #[param(path)]
    username: String,
    /// The password, at most 72 bytes.
    password: SecretParam,
    /// A ready-made bcrypt hash of the password, with a cost from 5 to 12.
    password_hash: String,
}

#[derive(Params)]
struct PoliciesParams {
    /// Name of the user, in any case.
    #[param(path)]
    username: String,
    /// The policies of the user's tokens.
    token_policies: Option<CommaList>,
    #[param(older_name_of = "token_policies")]
    policies: Option<CommaList>,
}

async fn list(ctx: Ctx, sent: ListParams) -> Answer {
    let after = (!sent.after.is_empty()).then_some(sent.after);
    let limit = usize::try_from(sent.limit).ok().filter(|limit| *limit > 0);
    Reply::keys(&ctx.view.list(FOLDER, &Page { after, limit }).await?)
}

async fn read(ctx: Ctx, at: NameOnly) -> Answer {
    let Some(user) = records::read(&ctx.view, &at.username).await? else { return Ok(Reply::none()) };
    let mut data = Map::new();
    user.token.describe(&mut data);
    Reply::json(&data)
}

async fn delete(ctx: Ctx, at: NameOnly) -> Answer {
    records::delete(&ctx.view, &at.username)?;
    Ok(Reply::none())
}

async fn write(ctx: Ctx, sent: UserParams) -> Answer {
    let before = records::read(&ctx.view, &sent.username).await?;
    let (id, kept, mut token) = match before {
        Some(user) => (user.id, Some(user.password_hash), user.token),
        None => (Some(UserId::fresh(&ctx)?), None, TokenFields::default()),
    };
    let old = OldNames {
        policies: sent.policies,
        ttl: sent.ttl,
        max_ttl: sent.max_ttl,
        bound_cidrs: sent.bound_cidrs,
        ..OldNames::default()
    };
    token.apply(sent.token, old)?;
    let password_hash = match (hash_of(&ctx, sent.password, sent.password_hash).await?, kept) {
        (Some(hash), _) | (None, Some(hash)) => hash,
        (None, None) => return Err(no_password()),
    };
    records::write(&ctx.view, &sent.username, &User { id, password_hash, token })?;
    Ok(Reply::none())
}

async fn change_password(ctx: Ctx, sent: PasswordParams) -> Answer {
    let mut user = records::read(&ctx.view, &sent.username).await?.ok_or_else(no_user)?;
    user.password_hash = hash_of(&ctx, sent.password, sent.password_hash).await?.ok_or_else(no_password)?;
    records::write(&ctx.view, &sent.username, &user)?;
    Ok(Reply::none())
}

async fn change_policies(ctx: Ctx, sent: PoliciesParams) -> Answer {
    let mut user = records::read(&ctx.view, &sent.username).await?.ok_or_else(no_user)?;
    let policies = TokenParams { token_policies: sent.token_policies, ..TokenParams::default() };
    user.token.apply(policies, OldNames { policies: sent.policies, ..OldNames::default() })?;
    records::write(&ctx.view, &sent.username, &user)?;
    Ok(Reply::none())
}

/// The hash to be stored; `None` = neither was sent.
async fn hash_of(ctx: &Ctx, password: SecretParam, ready_made: String) -> Result<Option<String>, EngineError> {
    match (password.is_empty(), ready_made.is_empty()) {
        (true, true) => Ok(None),
        (false, false) => Err(EngineError::bad("only one of password or password_hash may be provided")),
        (true, false) => {
            let cost = password::cost_of(&ready_made)?;
            if cost > records::highest_cost(&ctx.view).await?.unwrap_or(password::COST) {
                records::raise_highest_cost(&ctx.view, cost)?;
            }
            Ok(Some(ready_made))
        }
        (false, true) => {
            password::check_length(&password)?;
            let salt = ctx.random()?;
            Pool::shared().run(move || password::hash(&password, salt)).await?.map(Some)
        }
    }
}

fn no_password() -> EngineError {
    EngineError::bad("must provide either password or password_hash")
}

fn no_user() -> EngineError {
    EngineError::bad("username does not exist")
}
