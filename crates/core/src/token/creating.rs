//! `auth/token/create…`: what a caller may ask for, and what becomes of it. The making itself is `create`.

use super::create::{NewToken, add_identity, issue};
use super::granting::{addresses_of, policies_of};
use super::role::Role;
use crate::identity::{self, IdentityStore, Standing};
use crate::sys::SysCtx;
use bulla_kit::{Answer, EngineError, KeyValues, Params, Reply};
use bulla_lease::{Asked, Bounds, grant};
use bulla_records::{TokenKindRecord, TokenRecord};
use bulla_types::{PolicyName, Seconds};
use std::sync::Arc;

#[derive(Params)]
pub struct CreateParams {
    /// The role, in the path.
    #[param(path)]
    role_name: String,
    /// The token's id; needs sudo. Chosen at random if not given.
    id: Option<String>,
    /// Policies of the token; the parent's if not given.
    pub policies: Option<Vec<String>>,
    /// Texts that go with the token into audit.
    meta: Option<KeyValues>,
    /// Makes an orphan; needs sudo.
    no_parent: bool,
    /// Leaves the policy `default` out.
    pub no_default_policy: bool,
    /// Whether it may be renewed.
    #[param(default = true)]
    renewable: bool,
    /// How long it lives.
    ttl: Option<Seconds>,
    #[param(older_name_of = "ttl")]
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

/// Of a token's id that was chosen, in bytes. Proxies refuse headers of a few thousand.
const MAX_ID: usize = 1024;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Plain,
    Orphan,
    /// By the role that the path names. A body that names one on another way changes nothing: policy saw the path.
    Role,
}

pub async fn create(ctx: SysCtx, params: CreateParams, way: Way) -> Answer {
    let parent = &ctx.caller()?.token;
    check_parent(&parent.record)?;
    let role = role_of(&ctx, &params.role_name, way).await?;
    check_create(&ctx, &params, role.as_ref())?;
    let kind = kind_of(&params, role.as_ref())?;
    let mut warnings = Vec::new();
    if asked_id(&params).is_some() {
        warnings.push("A token ID that was chosen instead of drawn is only as hard to guess as the choice".to_owned());
    }
    let (policies, missing) = policies_of(&ctx, &params, role.as_ref(), &parent.record).await?;
    let is_root = policies.iter().any(PolicyName::is_root);
    if kind == TokenKindRecord::Batch {
        check_batch(&params, is_root)?;
    }
    let mut new = NewToken {
        policies,
        path: path_of(&params, role.as_ref(), way),
        display_name: display_name(params.display_name.as_deref()),
        bound_cidrs: addresses_of(role.as_ref(), &parent.record)?,
        mount_accessor: ctx.ctx.mount.accessor.clone(),
        mount_length: ctx.ctx.mount.path.len(),
        kind,
        ..NewToken::root(ctx.ctx.request.namespace, asked_id(&params).map(str::to_owned))
    };
    let is_orphan = way == Way::Orphan || params.no_parent || role.as_ref().is_some_and(|r| r.orphan);
    if !is_orphan {
        new.parent = Some(parent.hash);
        new.entity_id.clone_from(&parent.record.entity_id);
    }
    let standing = entity_of(&ctx, &mut new, params.entity_alias.as_deref()).await?;
    warnings.extend(set_lifetime(&ctx, &mut new, &params, role.as_ref(), is_root, &parent.record)?);
    warnings.extend(missing);
    new.uses = lower_uses(uses(params.num_uses)?, role.as_ref().and_then(|r| r.num_uses));
    new.role = role.map(|r| r.name);
    new.meta = params.meta.map(|m| m.0);
    let issued = issue(ctx.txn(), new, ctx.now()).await?;
    let mut reply = Reply::empty();
    let mut block = issued.auth_block();
    add_identity(&mut block, standing.as_deref());
    reply.auth = Some(Box::new(block));
    reply.warnings = warnings;
    Ok(reply)
}

/// Binds the token to the entity that the token mount knows by `alias`, if one was asked for (and allowed, see
/// [`check_create`]), and answers the entity it has.
async fn entity_of(
    ctx: &SysCtx,
    new: &mut NewToken,
    alias: Option<&str>,
) -> Result<Option<Arc<Standing>>, EngineError> {
    let Some(alias) = alias.filter(|a| !a.is_empty()) else {
        return Ok(identity::of_token(&ctx.state, ctx.txn(), &new.entity_id).await?.standing());
    };
    let mount = ctx.state.mounts.at(&ctx.ctx.mount.path).ok_or(EngineError::UnsupportedPath)?;
    let store = IdentityStore::of(&ctx.state, ctx.txn())?;
    let standing = identity::of_alias(&store, &mount.record, alias, ctx.now()).await?;
    new.entity_id = standing.entity.id.to_string();
    Ok(Some(standing))
}

async fn role_of(ctx: &SysCtx, name: &str, way: Way) -> Result<Option<Role>, EngineError> {
    if way != Way::Role {
        return Ok(None);
    }
    let role = Role::read(&ctx.ctx.view, name).await?;
    role.map(Some).ok_or_else(|| EngineError::bad(format!("unknown role {name}")))
}

fn asked_id(params: &CreateParams) -> Option<&str> {
    params.id.as_deref().filter(|id| !id.is_empty())
}

fn path_of(params: &CreateParams, role: Option<&Role>, way: Way) -> String {
    match role {
        None if way == Way::Orphan => "auth/token/create-orphan".into(),
        None => "auth/token/create".into(),
        Some(role) if role.path_suffix.is_empty() => format!("auth/token/create/{}", params.role_name),
        Some(role) => format!("auth/token/create/{}/{}", params.role_name, role.path_suffix),
    }
}

/// Durations of the new token, and what is to be told about them.
fn set_lifetime(
    ctx: &SysCtx,
    new: &mut NewToken,
    params: &CreateParams,
    role: Option<&Role>,
    is_root: bool,
    parent: &TokenRecord,
) -> Result<Vec<String>, EngineError> {
    let bounds = Bounds { default_ttl: ctx.ctx.mount.default_ttl, max_ttl: ctx.ctx.mount.max_ttl };
    let explicit = params.explicit_max_ttl.filter(|t| !t.is_zero());
    let period = params.period.filter(|p| !p.is_zero());
    let asked = Asked {
        ttl: params.ttl.or(params.lease),
        max_ttl: None,
        explicit_max_ttl: role.map_or(explicit, |r| r.lower_explicit_max(explicit)),
        period: role.and_then(Role::period).or(period),
    };
    let endless =
        is_root && asked.ttl.is_none_or(Seconds::is_zero) && asked.period.is_none() && asked.explicit_max_ttl.is_none();
    if endless && parent.expires.is_some() {
        return Err(EngineError::bad("expiring root tokens cannot create non-expiring root tokens"));
    }
    let granted = grant(bounds, asked);
    new.ttl = (!endless).then_some(granted.ttl);
    // What the role says is not copied: it is read anew at each renewal.
    new.explicit_max_ttl = explicit;
    new.period = period;
    let service = new.kind == TokenKindRecord::Service;
    new.renewable = params.renewable && role.is_none_or(|r| r.renewable) && service && !endless;
    Ok(granted.warnings)
}

fn uses(num_uses: i64) -> Result<Option<u32>, EngineError> {
    match num_uses {
        0 => Ok(None),
        n if n < 0 => Err(EngineError::bad("number of uses cannot be negative")),
        n => u32::try_from(n).map(Some).map_err(|_| EngineError::bad("number of uses is too large")),
    }
}

fn lower_uses(asked: Option<u32>, most: Option<u32>) -> Option<u32> {
    match (asked, most) {
        (Some(asked), Some(most)) => Some(asked.min(most)),
        (asked, most) => asked.or(most),
    }
}

fn display_name(asked: Option<&str>) -> String {
    let Some(name) = asked.filter(|n| !n.is_empty()) else { return "token".into() };
    let full = format!("token-{name}");
    let clean: String = full.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' }).collect();
    clean.strip_suffix('-').map_or_else(|| clean.clone(), str::to_owned)
}

fn check_parent(parent: &TokenRecord) -> Result<(), EngineError> {
    if parent.kind == TokenKindRecord::Batch {
        return Err(EngineError::bad("batch tokens cannot create more tokens"));
    }
    if parent.uses.is_some() {
        return Err(EngineError::bad("restricted use token cannot generate child tokens"));
    }
    Ok(())
}

/// What a caller may ask for at all.
fn check_create(ctx: &SysCtx, params: &CreateParams, role: Option<&Role>) -> Result<(), EngineError> {
    let refuse = |text: &str| Err(EngineError::bad(text));
    let sudo = ctx.has_sudo();
    if let Some(id) = asked_id(params) {
        if !sudo {
            return refuse("root or sudo privileges required to specify token id");
        }
        if ["s.", "hvs.", "hvb."].iter().any(|prefix| id.starts_with(prefix)) {
            return refuse("custom token ID cannot have the 's.' prefix");
        }
        if id.contains('.') {
            return refuse("custom token ID cannot have a '.' in the value");
        }
        if id.len() > MAX_ID {
            return Err(EngineError::bad(format!("custom token ID is longer than {MAX_ID} characters")));
        }
        // What no header carries unchanged would be a token that nobody can use and everybody believes to have.
        if !id.bytes().all(|byte| byte.is_ascii_graphic()) {
            return refuse("custom token ID can only have printable ASCII characters and no spaces");
        }
    }
    if params.no_parent && !sudo {
        return refuse("root or sudo privileges required to create orphan token");
    }
    if params.period.is_some_and(|p| !p.is_zero()) && !sudo {
        return refuse("root or sudo privileges required to create periodic token");
    }
    let Some(alias) = params.entity_alias.as_deref().filter(|a| !a.is_empty()) else { return Ok(()) };
    match role {
        None => refuse("'entity_alias' is only allowed in combination with token role"),
        Some(role) if !role.allows_alias(alias) => refuse("invalid 'entity_alias' value"),
        Some(_) => Ok(()),
    }
}

/// The role decides unless it only has a default.
fn kind_of(params: &CreateParams, role: Option<&Role>) -> Result<TokenKindRecord, EngineError> {
    let asked = match params.kind.as_deref() {
        None | Some("") => None,
        Some("service") => Some(TokenKindRecord::Service),
        Some("batch") => Some(TokenKindRecord::Batch),
        Some(_) => return Err(EngineError::bad("invalid 'token_type' value")),
    };
    Ok(match role {
        None => asked.unwrap_or_default(),
        Some(role) => role.kind.decide(asked),
    })
}

fn check_batch(params: &CreateParams, is_root: bool) -> Result<(), EngineError> {
    let set = |d: Option<Seconds>| d.is_some_and(|d| !d.is_zero());
    let wrong = if asked_id(params).is_some() {
        "batch tokens cannot have custom IDs"
    } else if params.num_uses != 0 {
        "batch tokens cannot have \"num_uses\" set"
    } else if set(params.period) {
        "batch tokens cannot have \"period\" set"
    } else if set(params.explicit_max_ttl) {
        "batch tokens cannot have \"explicit_max_ttl\" set"
    } else if is_root {
        "batch tokens cannot be root tokens"
    } else {
        return Ok(());
    };
    Err(EngineError::bad(wrong))
}
