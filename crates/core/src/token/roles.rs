//! `auth/token/roles/…`: what tokens look like that are made by those who are granted `create/<role>`.

use super::role::{Role, RoleKind, key};
use crate::sys::SysCtx;
use bulla_barrier::Page;
use bulla_kit::{Answer, CommaList, EngineError, NoParams, Params, Reply, Route};
use bulla_records::encode;
use bulla_types::{Network, PolicyName, Seconds};

/// What was sent replaces what was there; the rest stays.
fn apply(role: &mut Role, params: RoleParams) -> Result<(), EngineError> {
    if let Some(names) = params.allowed_policies {
        role.allowed_policies = names_of(&names)?;
    }
    if let Some(names) = params.disallowed_policies {
        role.disallowed_policies = names_of(&names)?;
    }
    if let Some(globs) = params.allowed_policies_glob {
        role.allowed_policies_glob = lowered(globs);
    }
    if let Some(globs) = params.disallowed_policies_glob {
        role.disallowed_policies_glob = lowered(globs);
    }
    if let Some(aliases) = params.allowed_entity_aliases {
        role.allowed_entity_aliases = Some(lowered(aliases));
    }
    role.orphan = params.orphan.unwrap_or(role.orphan);
    role.renewable = params.renewable.unwrap_or(role.renewable);
    role.no_default_policy = params.token_no_default_policy.unwrap_or(role.no_default_policy);
    role.period.set(params.token_period, params.period);
    role.explicit_max_ttl.set(params.token_explicit_max_ttl, params.explicit_max_ttl);
    let networks = |list: &Option<CommaList>| list.as_ref().map(networks_of).transpose();
    role.bound_cidrs.set(networks(&params.token_bound_cidrs)?, networks(&params.bound_cidrs)?);
    if let Some(uses) = params.token_num_uses {
        let count = u32::try_from(uses).map_err(|_| EngineError::bad("'token_num_uses' is out of range"))?;
        role.num_uses = Some(count).filter(|n| *n > 0);
    }
    if let Some(suffix) = params.path_suffix {
        role.path_suffix = suffix;
    }
    if let Some(kind) = params.token_type {
        role.kind =
            RoleKind::parse(&kind).ok_or_else(|| EngineError::bad(format!("invalid 'token_type' value {kind:?}")))?;
    }
    role.check()
}

fn names_of(texts: &CommaList) -> Result<Vec<PolicyName>, EngineError> {
    let parse =
        |text: &String| PolicyName::parse(text).map_err(|e| EngineError::bad(format!("invalid policy name: {e}")));
    let mut names: Vec<PolicyName> = texts.0.iter().filter(|t| !t.is_empty()).map(parse).collect::<Result<_, _>>()?;
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

/// The most networks in one list: each is compared with the client's address at every use of a token.
const MAX_NETWORKS: usize = 1000;

fn networks_of(texts: &CommaList) -> Result<Vec<String>, EngineError> {
    if texts.0.len() > MAX_NETWORKS {
        return Err(EngineError::bad(format!("more than {MAX_NETWORKS} addresses in 'token_bound_cidrs'")));
    }
    let refusal = |text: &str| EngineError::bad(format!("invalid CIDR {text:?} in 'token_bound_cidrs'"));
    texts.0.iter().map(|text| Network::parse(text).map(|net| net.to_string()).ok_or_else(|| refusal(text))).collect()
}

fn lowered(texts: CommaList) -> Vec<String> {
    let mut texts: Vec<String> = texts.0.into_iter().filter(|t| !t.is_empty()).map(|t| t.to_lowercase()).collect();
    texts.sort_unstable();
    texts.dedup();
    texts
}

#[derive(Params)]
struct RoleParams {
    /// The role's name.
    #[param(path)]
    role_name: String,
    /// Policies that its tokens may have.
    allowed_policies: Option<CommaList>,
    /// Policies that its tokens may not have.
    disallowed_policies: Option<CommaList>,
    /// Patterns of policies that its tokens may have.
    allowed_policies_glob: Option<CommaList>,
    /// Patterns of policies that its tokens may not have.
    disallowed_policies_glob: Option<CommaList>,
    /// Names that `entity_alias` may have; a star stands for any text.
    allowed_entity_aliases: Option<CommaList>,
    /// Its tokens have no parent.
    orphan: Option<bool>,
    /// Its tokens may be renewed.
    renewable: Option<bool>,
    /// Added to the path of its tokens.
    path_suffix: Option<String>,
    #[param(older_name_of = "token_period")]
    period: Option<Seconds>,
    #[param(older_name_of = "token_explicit_max_ttl")]
    explicit_max_ttl: Option<Seconds>,
    #[param(older_name_of = "token_bound_cidrs")]
    bound_cidrs: Option<CommaList>,
    /// Its tokens live for ever if renewed within this time.
    token_period: Option<Seconds>,
    /// The end that no renewal of its tokens passes.
    token_explicit_max_ttl: Option<Seconds>,
    /// Addresses its tokens may be used from.
    token_bound_cidrs: Option<CommaList>,
    /// Its tokens do not get the policy `default`.
    token_no_default_policy: Option<bool>,
    /// How often its tokens may be used; 0 = any number of times.
    token_num_uses: Option<i64>,
    /// `service`, `batch`, `default-service` or `default-batch`.
    token_type: Option<String>,
}

#[derive(Params)]
struct NameParams {
    /// The role's name.
    #[param(path)]
    role_name: String,
}

pub fn routes() -> Vec<Route<SysCtx>> {
    vec![
        Route::token("roles").help("List the roles.", "Names only.").list(list),
        Route::token("roles/{role_name}")
            .help(
                "What tokens made by the role look like.",
                "What is not sent stays as it is. Tokens that are out keep what they have until they are renewed.",
            )
            .exists(|view, p: NameParams| async move { Ok(view.exists(&key(&p.role_name)).await?) })
            .read(read)
            .update(write)
            .delete(delete),
    ]
}

async fn list(ctx: SysCtx, _: NoParams) -> Answer {
    Reply::keys(&ctx.ctx.view.list("role", &Page::default()).await?)
}

async fn read(ctx: SysCtx, params: NameParams) -> Answer {
    match Role::read(&ctx.ctx.view, &params.role_name).await? {
        Some(role) => Reply::json(&role.describe()),
        None => Ok(Reply::none()),
    }
}

async fn write(ctx: SysCtx, params: RoleParams) -> Answer {
    let name = params.role_name.clone();
    let mut role = Role::read(&ctx.ctx.view, &name).await?.unwrap_or_default();
    role.name.clone_from(&name);
    apply(&mut role, params)?;
    let bytes = encode("token role", &role).map_err(|e| EngineError::internal(e.to_string()))?;
    ctx.ctx.view.put(&key(&name), bytes)?;
    Ok(Reply::none())
}

async fn delete(ctx: SysCtx, params: NameParams) -> Answer {
    ctx.ctx.view.delete(&key(&params.role_name))?;
    Ok(Reply::none())
}
