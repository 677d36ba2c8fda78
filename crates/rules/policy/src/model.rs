//! The rules of policies as the documentation tells them: slow, obvious, and sharing nothing with the compiled form but
//! the parsed stanzas. Tests compare both on random input.

use crate::ask::Ask;
use crate::policy::{Grant, Policy};
use crate::template::Identity;
use bulla_types::{Capability, Operation};
use serde_json::Value;
use std::ops::ControlFlow;

/// Whether `ask` is allowed by `policies`.
pub fn allows(policies: &[&Policy], identity: &dyn Identity, ask: &Ask<'_>) -> bool {
    let mut rules: Vec<(String, &Grant)> = Vec::new();
    for policy in policies {
        for rule in &policy.rules {
            let ends = [rule.expires, policy.options.expires];
            if ends.into_iter().flatten().any(|end| end <= ask.now) {
                continue;
            }
            match rule.path.fill(identity, &policy.options) {
                Ok(path) => rules.push((format!("{}{path}", policy.options.namespace), &rule.grant)),
                Err(_) if rule.grant.capabilities.has(Capability::Deny) => return false,
                Err(_) => {}
            }
        }
    }
    let Some(capability) = Capability::parse(ask.operation.word()) else {
        return true; // help
    };
    let Some(winner) = winner(&rules, ask) else {
        return false;
    };
    let grants: Vec<&Grant> = rules.iter().filter(|(pattern, _)| *pattern == winner).map(|(_, g)| *g).collect();
    let has = |c| grants.iter().any(|g| g.capabilities.has(c));
    !has(Capability::Deny)
        && has(capability)
        && (!ask.route_needs_sudo || has(Capability::Sudo))
        && wrap_fits(&grants, ask)
        && parameters_fit(&grants, ask)
        && limit_fits(&grants, ask)
}

/// The pattern that decides alone.
fn winner(rules: &[(String, &Grant)], ask: &Ask<'_>) -> Option<String> {
    let path = format!("{}{}", ask.namespace, ask.path);
    let bare = path.trim_end_matches('/').to_owned();
    // For a list, with the slash before without.
    let spellings = match ask.operation {
        Operation::List | Operation::Scan => vec![format!("{bare}/"), bare],
        _ => vec![path],
    };
    let is_exact = |pattern: &str| !pattern.ends_with('*') && !pattern.split('/').any(|s| s == "+");
    for spelling in &spellings {
        if rules.iter().any(|(pattern, _)| is_exact(pattern) && pattern == spelling) {
            return Some(spelling.clone());
        }
    }
    let fits = |pattern: &str| !is_exact(pattern) && spellings.iter().any(|s| matches(pattern, s));
    rules.iter().map(|(pattern, _)| pattern).filter(|p| fits(p)).max_by_key(|p| specificity(p)).cloned()
}

fn matches(pattern: &str, path: &str) -> bool {
    let want: Vec<&str> = pattern.split('/').collect();
    let got: Vec<&str> = path.split('/').collect();
    for (i, segment) in want.iter().enumerate() {
        let Some(have) = got.get(i) else {
            return false;
        };
        if let Some(start) = segment.strip_suffix('*').filter(|_| i + 1 == want.len()) {
            return have.starts_with(start);
        }
        if *segment != "+" && segment != have {
            return false;
        }
    }
    want.len() == got.len()
}

/// First wildcard further right, no star, fewer pluses, longer, later in the alphabet.
fn specificity(pattern: &str) -> (usize, bool, std::cmp::Reverse<usize>, usize, String) {
    let starred = pattern.ends_with('*');
    let text = pattern.strip_suffix('*').unwrap_or(pattern);
    let mut at = 0;
    let mut first = text.len();
    let mut pluses = 0;
    for segment in text.split('/') {
        if segment == "+" {
            first = first.min(at);
            pluses += 1;
        }
        at += segment.len() + 1;
    }
    (first, !starred, std::cmp::Reverse(pluses), text.len(), text.to_owned())
}

fn wrap_fits(grants: &[&Grant], ask: &Ask<'_>) -> bool {
    let min = grants.iter().filter_map(|g| g.min_wrap).min();
    let max = grants.iter().filter_map(|g| g.max_wrap).min();
    match ask.wrap_ttl {
        None => min.is_none() && max.is_none(),
        Some(ttl) => min.is_none_or(|m| m <= ttl) && max.is_none_or(|m| ttl <= m),
    }
}

fn limit_fits(grants: &[&Grant], ask: &Ask<'_>) -> bool {
    let most = grants.iter().filter_map(|g| g.page_limit).min();
    let limit = ask.limit.filter(|l| *l > 0).and_then(|l| u64::try_from(l).ok());
    let must = grants.iter().any(|g| g.parameters.required.iter().any(|r| r == "limit"));
    match (ask.operation, most) {
        (Operation::List | Operation::Scan, Some(most)) => limit.map_or(!must, |l| l <= most),
        _ => true,
    }
}

fn parameters_fit(grants: &[&Grant], ask: &Ask<'_>) -> bool {
    if matches!(ask.operation, Operation::Delete | Operation::List | Operation::Scan) {
        return true;
    }
    let required = grants.iter().flat_map(|g| &g.parameters.required);
    let allowed: Vec<_> = grants.iter().flat_map(|g| &g.parameters.allowed).collect();
    let denied: Vec<_> = grants.iter().flat_map(|g| &g.parameters.denied).collect();
    let mut good = required.into_iter().all(|name| ask.parameters.has(name));
    ask.parameters.visit(&mut |name, value| {
        let present = |name: &str| ask.parameters.present(name).to_lowercase();
        let name = present(name);
        // An empty list in any policy means any value.
        let hit = |rules: &[&(String, Vec<Value>)], fits: fn(&Value, &Value) -> bool| {
            rules
                .iter()
                .any(|(n, values)| present(n) == name && (values.is_empty() || values.iter().any(|v| fits(v, value))))
        };
        let named = allowed.iter().any(|(n, _)| present(n) == name);
        let open = allowed.is_empty() || (!named && allowed.iter().any(|(n, _)| n == "*"));
        let stopped = denied.iter().any(|(n, _)| n == "*") || hit(&denied, crate::parameters::hits);
        good = good && !stopped && (open || hit(&allowed, crate::parameters::permits));
        ControlFlow::Continue(())
    });
    good
}
