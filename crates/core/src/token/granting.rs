//! What a new token gets from its parent and its role: policies and addresses. Never more than either allows.

use super::creating::CreateParams;
use super::role::Role;
use crate::policy::PolicyStore;
use crate::sys::SysCtx;
use bulla_kit::EngineError;
use bulla_records::TokenRecord;
use bulla_types::{Network, PolicyName};

/// The policies of the new token, sorted, and warnings about those that do not exist.
///
/// # Errors
/// The parent or the role does not allow them.
pub async fn policies_of(
    ctx: &SysCtx,
    params: &CreateParams,
    role: Option<&Role>,
    parent: &TokenRecord,
) -> Result<(Vec<PolicyName>, Vec<String>), EngineError> {
    let asked = parse_policies(params.policies.as_deref().unwrap_or_default())?;
    let policies = match role.filter(|r| r.rules_policies()) {
        Some(role) => by_role(role, asked, parent, !params.no_default_policy && !role.no_default_policy)?,
        None => {
            let add_default = !params.no_default_policy && role.is_none_or(|r| !r.no_default_policy);
            by_parent(asked, parent, add_default, ctx.has_sudo())?
        }
    };
    if policies.iter().any(PolicyName::is_root) && !parent.is_root() {
        return Err(EngineError::bad("root tokens may not be created without parent token being root"));
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
    let mut names = Vec::new();
    for text in texts.iter().filter(|t| !t.trim().is_empty()) {
        let name = PolicyName::parse(text).map_err(|e| EngineError::bad(format!("invalid policy name: {e}")))?;
        if name == PolicyName::response_wrapping() {
            return Err(EngineError::bad(format!("cannot assign policy {:?}", name.as_str())));
        }
        names.push(name);
    }
    Ok(names)
}

/// Sorted and without repeats; `root` stands alone; `default` is added where wanted.
fn tidy(mut policies: Vec<PolicyName>, add_default: bool) -> Vec<PolicyName> {
    if policies.iter().any(PolicyName::is_root) {
        return vec![PolicyName::root()];
    }
    if add_default {
        policies.push(PolicyName::default_policy());
    }
    policies.sort_unstable();
    policies.dedup();
    policies
}

/// Without a role: a part of the parent's, unless the caller has sudo. Not even `default` is given beyond the parent's.
fn by_parent(
    asked: Vec<PolicyName>,
    parent: &TokenRecord,
    add_default: bool,
    sudo: bool,
) -> Result<Vec<PolicyName>, EngineError> {
    let default = PolicyName::default_policy();
    let inherited = asked.is_empty();
    let mut policies = if inherited { parent.policies.clone() } else { asked };
    if !sudo && !inherited && !policies.iter().all(|p| *p == default || parent.policies.contains(p)) {
        return Err(EngineError::bad("child policies must be subset of parent"));
    }
    let may_default = sudo || parent.policies.contains(&default);
    if !may_default || !add_default {
        policies.retain(|p| *p != default);
    }
    Ok(tidy(policies, add_default && may_default))
}

/// With a role that has rules of its own: what it allows and does not disallow, whatever the parent has.
fn by_role(
    role: &Role,
    asked: Vec<PolicyName>,
    parent: &TokenRecord,
    add_default: bool,
) -> Result<Vec<PolicyName>, EngineError> {
    let add_default = add_default && !role.disallowed_policies.contains(&PolicyName::default_policy());
    let policies = if role.allows_by_list() {
        let allowed = tidy_list(&role.allowed_policies, add_default);
        let policies = if asked.is_empty() { allowed.clone() } else { tidy(asked, add_default) };
        let fits = |p: &PolicyName| allowed.contains(p) || any_glob(&role.allowed_policies_glob, p.as_str());
        if !policies.iter().all(fits) {
            return Err(EngineError::bad(format!(
                "token policies ({}) must be subset of the role's allowed policies ({}) or glob policies ({})",
                quoted(policies.iter().map(PolicyName::as_str)),
                quoted(allowed.iter().map(PolicyName::as_str)),
                quoted(role.allowed_policies_glob.iter().map(String::as_str)),
            )));
        }
        policies
    } else {
        tidy(if asked.is_empty() { parent.policies.clone() } else { asked }, add_default)
    };
    let wrong =
        |p: &&PolicyName| role.disallowed_policies.contains(p) || any_glob(&role.disallowed_policies_glob, p.as_str());
    match policies.iter().find(wrong) {
        Some(name) => Err(EngineError::bad(format!("token policy {:?} is disallowed by this role", name.as_str()))),
        None => Ok(policies),
    }
}

/// As [`tidy`], but `root` in a role's list does not push the others out.
fn tidy_list(names: &[PolicyName], add_default: bool) -> Vec<PolicyName> {
    let mut names = names.to_vec();
    if add_default {
        names.push(PolicyName::default_policy());
    }
    names.sort_unstable();
    names.dedup();
    names
}

fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    format!("[{}]", names.map(|n| format!("{n:?}")).collect::<Vec<_>>().join(" "))
}

pub fn any_glob(patterns: &[String], text: &str) -> bool {
    patterns.iter().any(|pattern| glob(pattern, text))
}

/// `*` stands for any text, also in the middle.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// The addresses the new token is bound to: the role's as far as they lie within the parent's.
///
/// # Errors
/// The two have nothing in common.
pub fn addresses_of(role: Option<&Role>, parent: &TokenRecord) -> Result<Vec<String>, EngineError> {
    let own = role.map_or(&[][..], |r| r.bound_cidrs());
    if own.is_empty() || parent.bound_cidrs.is_empty() {
        return Ok(if own.is_empty() { parent.bound_cidrs.clone() } else { own.to_vec() });
    }
    let mut common = Vec::new();
    for (own_text, own_net) in own.iter().filter_map(|t| Some((t, Network::parse(t)?))) {
        for (text, net) in parent.bound_cidrs.iter().filter_map(|t| Some((t, Network::parse(t)?))) {
            if net.covers(&own_net) {
                common.push(own_text.clone());
            } else if own_net.covers(&net) {
                common.push(text.clone());
            }
        }
    }
    if common.is_empty() {
        return Err(EngineError::bad("the role's bound CIDRs have nothing in common with the parent token's"));
    }
    common.dedup();
    Ok(common)
}
