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
    // Also where a role's list names it, or a parent has it: what has this policy is taken for a wrapping token.
    if let Some(own) = policies.iter().find(|name| **name == PolicyName::response_wrapping()) {
        return Err(EngineError::bad(format!("cannot assign policy {:?}", own.as_str())));
    }
    if policies.iter().any(PolicyName::is_root) && !parent.is_root() {
        return Err(EngineError::bad("root tokens may not be created without parent token being root"));
    }
    let store = PolicyStore::new(ctx.txn(), ctx.ctx.request.namespace);
    let mut warnings = Vec::new();
    for name in policies.iter().filter(|p| !p.is_root()) {
        if store.read(name).await?.is_none_or(|record| !record.in_force(ctx.now())) {
            warnings.push(format!("Policy {:?} does not exist", name.as_str()));
        }
    }
    Ok((policies, warnings))
}

fn parse_policies(texts: &[String]) -> Result<Vec<PolicyName>, EngineError> {
    let mut names = Vec::new();
    for text in texts.iter().filter(|t| !t.trim().is_empty()) {
        names.push(PolicyName::parse(text).map_err(|e| EngineError::bad(format!("invalid policy name: {e}")))?);
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
    let wrong =
        |p: &PolicyName| role.disallowed_policies.contains(p) || any_glob(&role.disallowed_policies_glob, p.as_str());
    let add_default = add_default && !wrong(&PolicyName::default_policy());
    let policies = if role.allows_by_list() {
        // As everywhere `root` stands alone: a role that allows it allows nothing else.
        let allowed = tidy(role.allowed_policies.clone(), add_default);
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
    match policies.iter().find(|name| wrong(name)) {
        Some(name) => Err(EngineError::bad(format!("token policy {:?} is disallowed by this role", name.as_str()))),
        None => Ok(policies),
    }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use crate::CoreConfig;
    use crate::testing::{Server, Told};
    use bulla_types::Operation;
    use serde_json::{Value, json};

    async fn by_role(server: &Server, token: &str, role: Value, asked: Value) -> Told {
        server.write("auth/token/roles/r", role).await.ok();
        let told = server.call_as(Some(token), Operation::Update, "auth/token/create/r", asked).await;
        server.call(Operation::Delete, "auth/token/roles/r", Value::Null).await.ok();
        told
    }

    fn policies(told: Told) -> Vec<String> {
        assert!(told.refused.is_none(), "refused: {}", told.body);
        told.auth.unwrap().policies
    }

    /// The pattern was about all policies but the one that nobody asks for.
    #[tokio::test]
    async fn a_pattern_can_disallow_the_default_policy() {
        let server = Server::start(1, 1, CoreConfig::default()).await;
        for pattern in ["default", "def*", "*"] {
            let role = json!({ "disallowed_policies_glob": pattern });
            let told = by_role(&server, &server.root, role.clone(), json!({ "policies": "default" })).await;
            assert_eq!(told.error(), "token policy \"default\" is disallowed by this role", "{pattern}");
            if pattern == "*" {
                continue;
            }
            assert_eq!(policies(by_role(&server, &server.root, role, json!({ "policies": "a" })).await), ["a"]);
            let role = json!({ "allowed_policies": "a,b", "disallowed_policies_glob": pattern });
            assert_eq!(policies(by_role(&server, &server.root, role, json!({})).await), ["a", "b"]);
        }
        let role = json!({ "disallowed_policies_glob": "x*" });
        assert_eq!(policies(by_role(&server, &server.root, role, json!({ "policies": "a" })).await), ["a", "default"]);
    }

    /// `root` among others made a token that had it and looked as if it had the others.
    #[tokio::test]
    async fn root_stands_alone_in_a_roles_list_and_only_root_can_use_it() {
        let server = Server::start(1, 1, CoreConfig::default()).await;
        let rule = r#"path "auth/token/create/*" { capabilities = ["update", "sudo"] }"#;
        server.write("sys/policies/acl/maker", json!({ "policy": rule })).await.ok();
        let maker = server.write("auth/token/create", json!({ "policies": "maker" })).await.token();
        for role in [
            json!({ "allowed_policies": "root" }),
            json!({ "allowed_policies": "a,root,maker" }),
            json!({ "allowed_policies": "a,Root" }),
            json!({ "allowed_policies": "root", "allowed_policies_glob": "*" }),
        ] {
            for asked in [json!({}), json!({ "policies": "root" }), json!({ "policies": ["root", "a"] })] {
                let made = by_role(&server, &server.root, role.clone(), asked.clone()).await;
                assert_eq!(policies(made), ["root"], "{role} {asked}");
                let told = by_role(&server, &maker, role.clone(), asked.clone()).await;
                let refusal = "root tokens may not be created without parent token being root";
                assert_eq!(told.error(), refusal, "{role} {asked}");
            }
        }
        for role in [json!({ "allowed_policies_glob": "*" }), json!({ "disallowed_policies": "x" })] {
            let told = by_role(&server, &maker, role, json!({ "policies": "root" })).await;
            assert!(told.refused.is_some(), "{}", told.body);
        }
        let role = json!({ "allowed_policies": "root", "disallowed_policies_glob": "ro*" });
        let told = by_role(&server, &server.root, role, json!({})).await;
        assert_eq!(told.error(), "token policy \"root\" is disallowed by this role");
    }

    /// What has that policy alone is taken for a wrapping token.
    #[tokio::test]
    async fn no_role_gives_the_policy_of_wrapping_tokens() {
        let server = Server::start(1, 1, CoreConfig::default()).await;
        let role = json!({ "allowed_policies": "response-wrapping", "token_no_default_policy": true });
        for asked in [json!({}), json!({ "policies": "response-wrapping" }), json!({ "policies": "Response-Wrapping" })]
        {
            let told = by_role(&server, &server.root, role.clone(), asked.clone()).await;
            assert_eq!(told.error(), "cannot assign policy \"response-wrapping\"", "{asked}");
            if asked != json!({}) {
                assert!(server.write("auth/token/create", asked).await.refused.is_some());
            }
        }
    }
}
