//! Roles: made, shown, changed, removed, and their role ids.

use crate::constraints::networks;
use crate::role::{FOLDER, Role};
use crate::tidy;
use bulla_auth_tokens::{OldNames, TokenParams, span, uses};
use bulla_kit::{Answer, CommaList, Ctx, EngineError, Flag, Page, Params, Reply, Route, View};
use bulla_types::Seconds;
use serde_json::json;

pub fn routes() -> Vec<Route<Ctx>> {
    vec![
        Route::token("role").help("Lists the roles.", "By name, in lower case.").list(list),
        Route::token("role/{role_name}")
            .help(
                "Creates, shows, changes and removes a role.",
                "What is not sent stays as it is. Removing a role makes all its secret ids worthless.",
            )
            .folded(&["role_name"])
            .exists(|view: View, at: RoleOnly| async move { Role::exists(&view, &at.role_name).await })
            .read(read)
            .update(write)
            .delete(delete),
        Route::token("role/{role_name}/role-id")
            .help("Shows and changes the role id.", "The id that logins name the role by.")
            .folded(&["role_name"])
            .read(read_id)
            .update(write_id),
        Route::token("role/{role_name}/local-secret-ids")
            .help("Tells whether the secret ids stay on this cluster.", "Fixed when the role is made.")
            .folded(&["role_name"])
            .read(read_local),
    ]
}

#[derive(Params)]
struct ListParams {
    /// Name after which the listing begins; it need not exist.
    after: String,
    /// Number of names to answer with; zero or less means all.
    limit: i64,
}

/// A role by its name alone.
#[derive(Params)]
pub struct RoleOnly {
    /// Name of the role, in any case.
    #[param(path)]
    pub role_name: String,
}

#[derive(Params)]
struct RoleParams {
    /// Name of the role, in any case.
    #[param(path)]
    role_name: String,
    /// The id that logins name the role by; random if it is not given with a new role.
    role_id: String,
    /// A login needs a secret id.
    bind_secret_id: Flag,
    /// Networks from which secret ids are accepted.
    secret_id_bound_cidrs: Option<CommaList>,
    #[param(older_name_of = "secret_id_bound_cidrs")]
    bound_cidr_list: Option<CommaList>,
    /// How often a secret id can be used; 0: any number of times.
    secret_id_num_uses: Option<i64>,
    /// Time after which a secret id expires; 0: never.
    secret_id_ttl: Option<Seconds>,
    /// The secret ids stay on this cluster. Only for new roles.
    local_secret_ids: Flag,
    #[param(older_name_of = "token_policies")]
    policies: Option<CommaList>,
    #[param(older_name_of = "token_period")]
    period: Option<Seconds>,
    #[param(flatten)]
    token: TokenParams,
}

#[derive(Params)]
struct RoleIdParams {
    /// Name of the role, in any case.
    #[param(path)]
    role_name: String,
    /// The id that logins name the role by.
    role_id: String,
}

/// A listing's page as clients ask for it.
pub fn page(after: String, limit: i64) -> Page {
    Page { after: (!after.is_empty()).then_some(after), limit: usize::try_from(limit).ok().filter(|limit| *limit > 0) }
}

async fn list(ctx: Ctx, sent: ListParams) -> Answer {
    Reply::keys(&ctx.view.list(FOLDER, &page(sent.after, sent.limit)).await?)
}

async fn read(ctx: Ctx, at: RoleOnly) -> Answer {
    match Role::read(&ctx.view, &at.role_name).await? {
        Some(role) => Reply::json(&role.describe()),
        None => Ok(Reply::none()),
    }
}

async fn write(ctx: Ctx, mut sent: RoleParams) -> Answer {
    let name = std::mem::take(&mut sent.role_name);
    let before = Role::read(&ctx.view, &name).await?;
    let old_id = before.as_ref().map(|role| role.role_id.clone());
    let mut role = match before {
        Some(role) => role,
        None => Role::new(&ctx)?,
    };
    match sent.local_secret_ids {
        Some(local) if old_id.is_some() && local != role.local_secret_ids => {
            return Err(EngineError::bad("local_secret_ids can only be modified during role creation"));
        }
        local => role.local_secret_ids = local.unwrap_or(role.local_secret_ids),
    }
    let mut warnings = Vec::new();
    sent.apply(&mut role, &mut warnings)?;
    role.write(&ctx.view, &name, old_id.as_deref()).await?;
    if role.token.max_ttl.value().is_some_and(|max| max > ctx.mount.max_ttl) {
        warnings.push(
            "token_max_ttl is greater than the backend mount's maximum TTL value; issued tokens' max TTL value will be \
             truncated"
                .to_owned(),
        );
    }
    Ok(warnings.into_iter().fold(Reply::none(), Reply::warn))
}

impl RoleParams {
    fn apply(mut self, role: &mut Role, warnings: &mut Vec<String>) -> Result<(), EngineError> {
        if !self.role_id.is_empty() {
            role.role_id = self.role_id;
        }
        role.bind_secret_id = self.bind_secret_id.unwrap_or(role.bind_secret_id);
        role.secret_id_bound_cidrs.set(self.secret_id_bound_cidrs, self.bound_cidr_list, |list| networks(&list.0))?;
        if let Some(number) = self.secret_id_num_uses {
            role.secret_id_num_uses = uses("secret_id_num_uses", number)?;
        }
        if let Some(ttl) = self.secret_id_ttl {
            role.secret_id_ttl = span(ttl);
        }
        if let Some(kind @ ("service" | "batch")) =
            self.token.token_type.as_deref().and_then(|word| word.strip_prefix("default-"))
        {
            warnings.push(format!("default-{kind} has no useful meaning; adjusting to {kind}"));
            self.token.token_type = Some(kind.to_owned());
        }
        let old = OldNames { policies: self.policies, period: self.period, ..OldNames::default() };
        role.token.apply(self.token, old)
    }
}

async fn delete(ctx: Ctx, at: RoleOnly) -> Answer {
    if let Some(role) = Role::read(&ctx.view, &at.role_name).await? {
        role.delete(&ctx.view, &at.role_name)?;
        tidy::forget_role(&ctx.view, role.key).await?;
    }
    Ok(Reply::none())
}

async fn read_id(ctx: Ctx, at: RoleOnly) -> Answer {
    match Role::read(&ctx.view, &at.role_name).await? {
        Some(role) => Reply::json(&json!({ "role_id": role.role_id })),
        None => Ok(Reply::none()),
    }
}

async fn write_id(ctx: Ctx, sent: RoleIdParams) -> Answer {
    let Some(mut role) = Role::read(&ctx.view, &sent.role_name).await? else {
        return Err(EngineError::UnsupportedPath);
    };
    if sent.role_id.is_empty() {
        return Err(EngineError::bad("missing role_id"));
    }
    let before = std::mem::replace(&mut role.role_id, sent.role_id);
    role.write(&ctx.view, &sent.role_name, Some(&before)).await?;
    Ok(Reply::none())
}

async fn read_local(ctx: Ctx, at: RoleOnly) -> Answer {
    match Role::read(&ctx.view, &at.role_name).await? {
        Some(role) => Reply::json(&json!({ "local_secret_ids": role.local_secret_ids })),
        None => Ok(Reply::none()),
    }
}
