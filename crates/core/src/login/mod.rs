//! Logins: what becomes of an auth method's "this one may in", and of its "wrong password".
//!
//! ```text
//! engine --LoginIntent--> [`admit`]: entity and token, in the request's own batch --> auth block
//! engine --InvalidCredentials--> [`lockout`]: counted for the name, in a batch of its own
//! ```
//!
//! Not here: whether the credentials are right (the auth method), how a token is stored (`token`).

mod lockout;
mod renewal;
mod routes;
mod turn;

pub use lockout::{LockoutConfig, Logins, Name, folder as lockout_folder};
pub use renewal::renewal;
pub use routes::routes;

use crate::identity::{self, IdentityStore};
use crate::request::Request;
use crate::route::Routed;
use crate::state::{Mount, State};
use crate::token::{NewToken, add_identity, issue};
use bulla_barrier::Txn;
use bulla_kit::{EngineError, LoginIntent, TokenKind, TokenLimits};
use bulla_lease::{Asked, Bounds, grant};
use bulla_records::{TokenKindRecord, TokenTypeTune};
use bulla_types::{NamespaceId, Network, PolicyName, Time};
use bulla_wire::AuthBlock;
use std::sync::Arc;

/// A login's token and what the client is to be told beside it.
pub struct Admitted {
    pub auth: AuthBlock,
    pub warnings: Vec<String>,
}

/// Makes the token that a login asks for, and the entity of whoever logs in here for the first time.
///
/// # Errors
/// The entity is disabled; the method would hand out root; it binds to an address that is not known, or a batch token to a
/// number of uses; storage.
pub async fn admit(
    txn: &Arc<Txn>,
    state: &State,
    routed: &Routed,
    request: &Request,
    intent: LoginIntent,
    now: Time,
) -> Result<Admitted, EngineError> {
    let mount = &routed.mount;
    let standing = match &intent.alias {
        Some(claim) => {
            let store = IdentityStore::of(state, txn)?;
            Some(identity::of_login(&store, &mount.record, claim, &intent.group_aliases, now).await?)
        }
        None => None,
    };
    let kind = kind_of(mount.record.config.token_type, intent.limits.kind);
    let limits = &intent.limits;
    if kind == TokenKindRecord::Batch && limits.uses.is_some() {
        // Nothing of it is stored, so that nobody could count.
        return Err(EngineError::bad("batch tokens, which the mount makes, cannot have a limited number of uses"));
    }
    let granted = grant(bounds_of(mount), asked_of(limits));
    let new = NewToken {
        policies: policies_of(intent.policies, limits.no_default_policy)?,
        path: routed.path.to_string(),
        meta: Some(intent.metadata).filter(|m| !m.is_empty()),
        display_name: display_name(mount.record.path.as_str(), &intent.display_name),
        uses: limits.uses,
        ttl: Some(granted.ttl),
        max_ttl: limits.max_ttl.unwrap_or_default(),
        explicit_max_ttl: limits.explicit_max_ttl,
        period: limits.period,
        renewable: intent.renewable && kind == TokenKindRecord::Service,
        bound_cidrs: addresses_of(limits, request)?,
        mount_accessor: mount.record.accessor.clone(),
        entity_id: standing.as_ref().map(|standing| standing.entity.id.to_string()).unwrap_or_default(),
        mount_length: mount.record.path.as_str().len(),
        internal: intent.internal.map(|raw| raw.get().to_owned()),
        kind,
        ..NewToken::root(NamespaceId::ROOT, None)
    };
    let issued = issue(txn, new, now).await?;
    let mut auth = issued.auth_block();
    add_identity(&mut auth, standing.as_deref());
    Ok(Admitted { auth, warnings: granted.warnings })
}

pub fn bounds_of(mount: &Mount) -> Bounds {
    Bounds { default_ttl: mount.info.default_ttl, max_ttl: mount.info.max_ttl }
}

fn asked_of(limits: &TokenLimits) -> Asked {
    Asked { ttl: limits.ttl, max_ttl: limits.max_ttl, explicit_max_ttl: limits.explicit_max_ttl, period: limits.period }
}

/// The mount decides unless it only has a default.
fn kind_of(tune: TokenTypeTune, asked: TokenKind) -> TokenKindRecord {
    match (tune, asked) {
        (TokenTypeTune::Service, _)
        | (TokenTypeTune::DefaultService, TokenKind::MountDefault | TokenKind::Service)
        | (TokenTypeTune::DefaultBatch, TokenKind::Service) => TokenKindRecord::Service,
        (TokenTypeTune::Batch, _)
        | (TokenTypeTune::DefaultBatch, TokenKind::MountDefault | TokenKind::Batch)
        | (TokenTypeTune::DefaultService, TokenKind::Batch) => TokenKindRecord::Batch,
    }
}

fn policies_of(mut policies: Vec<PolicyName>, no_default: bool) -> Result<Vec<PolicyName>, EngineError> {
    if policies.iter().any(PolicyName::is_root) {
        return Err(EngineError::bad("auth methods cannot create root tokens"));
    }
    // Only core gives this one, to the tokens that hold wrapped answers.
    policies.retain(|name| *name != PolicyName::response_wrapping());
    if !no_default {
        policies.push(PolicyName::default_policy());
    }
    policies.sort_unstable();
    policies.dedup();
    Ok(policies)
}

/// `userpass-ada`: where, and who.
fn display_name(mount: &str, name: &str) -> String {
    let at = mount.strip_prefix("auth/").unwrap_or(mount).replace('/', "-");
    let full = format!("{at}{name}");
    full.strip_suffix('-').map_or_else(|| full.clone(), str::to_owned)
}

fn addresses_of(limits: &TokenLimits, request: &Request) -> Result<Vec<String>, EngineError> {
    if !limits.strictly_bind_ip {
        return Ok(limits.bound_cidrs.iter().map(Network::cidr).collect());
    }
    match request.remote {
        Some(address) => Ok(vec![Network::of(address.ip()).to_string()]),
        None => Err(EngineError::bad("the token is to be bound to the client's address, which is not known")),
    }
}

#[cfg(test)]
mod tests;
