//! The question and its two answers. How they are found is next door (`decide`).

use crate::filter::KeyFilter;
use crate::merge::Entry;
use bulla_types::{Operation, PolicyName, RequestPath, Seconds, Time};
use serde_json::Value;
use std::ops::ControlFlow;
use std::sync::Arc;

/// The parameters of a request: names at the top of its body and of its query. Looked at only when a rule asks.
pub trait Parameters {
    /// Whether a parameter is there, spelled exactly like that or like another of its names.
    fn has(&self, name: &str) -> bool;

    /// What the parameter is called today, where `name` (in any case) is an older name of it; else `name`. Rules about one
    /// name of a parameter are rules about the parameter.
    fn present<'n>(&self, name: &'n str) -> &'n str {
        name
    }

    /// Shows every parameter until `see` breaks off.
    fn visit(&self, see: &mut dyn FnMut(&str, &Value) -> ControlFlow<()>);
}

/// A request without parameters.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoParameters;

impl Parameters for NoParameters {
    fn has(&self, _: &str) -> bool {
        false
    }

    fn visit(&self, _: &mut dyn FnMut(&str, &Value) -> ControlFlow<()>) {}
}

impl Parameters for serde_json::Map<String, Value> {
    fn has(&self, name: &str) -> bool {
        self.contains_key(name)
    }

    fn visit(&self, see: &mut dyn FnMut(&str, &Value) -> ControlFlow<()>) {
        for (name, value) in self {
            if see(name, value).is_break() {
                return;
            }
        }
    }
}

/// What somebody wants to do.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    /// Path of the request's namespace: empty for the root namespace, else with a trailing slash (`a/b/`).
    pub namespace: &'a str,
    /// Path below the namespace, mount included.
    pub path: &'a RequestPath,
    pub operation: Operation,
    pub parameters: &'a dyn Parameters,
    /// The lifetime asked for if the answer is to be wrapped.
    pub wrap_ttl: Option<Seconds>,
    /// The `limit` of a list or scan; values below 1 mean "no limit" to engines.
    pub limit: Option<i64>,
    /// The route is protected: it takes `sudo` besides the usual capability.
    pub route_needs_sudo: bool,
    pub now: Time,
}

/// The proof that an [`Ask`] was allowed. Only [`crate::Acl::decide`] makes one.
#[derive(Clone, Debug)]
pub struct Permit {
    pub(crate) basis: Basis,
    pub(crate) page_limit: Option<u64>,
}

#[derive(Clone, Debug)]
pub(crate) enum Basis {
    Root,
    /// Help is open to everybody.
    Help,
    Rule(Arc<Entry>),
}

impl Permit {
    pub fn is_root(&self) -> bool {
        matches!(self.basis, Basis::Root)
    }

    /// Whether the caller has `sudo` here, be it by the root policy.
    pub fn has_sudo(&self) -> bool {
        match &self.basis {
            Basis::Root => true,
            Basis::Help => false,
            Basis::Rule(entry) => entry.has_sudo(),
        }
    }

    /// Pattern of the rule that decided, namespace included; `None` for the root policy and for help.
    pub fn pattern(&self) -> Option<&str> {
        self.entry().map(|e| e.pattern.as_str())
    }

    /// The policies whose rules were merged into the one that decided.
    pub fn policies(&self) -> &[PolicyName] {
        self.entry().map_or(&[], |e| &e.policies)
    }

    /// How many keys a list or scan may answer with at most: the smaller of what was asked for and what rules allow.
    /// `None`: as many as there are.
    pub fn page_limit(&self) -> Option<u64> {
        self.page_limit
    }

    /// How many keys the rule lets a list answer with, whatever the operation and whatever was asked for: for reads that
    /// answer with a list.
    pub fn most_keys(&self) -> Option<u64> {
        self.entry().and_then(|e| e.grant.page_limit)
    }

    pub fn min_wrapping_ttl(&self) -> Option<Seconds> {
        self.entry().and_then(|e| e.grant.min_wrap)
    }

    pub fn max_wrapping_ttl(&self) -> Option<Seconds> {
        self.entry().and_then(|e| e.grant.max_wrap)
    }

    /// If given, a list or scan may show only keys that [`crate::Acl::may_see_key`] lets pass.
    pub fn key_filter(&self) -> Option<&KeyFilter> {
        self.entry().and_then(|e| e.grant.key_filter.as_deref())
    }

    fn entry(&self) -> Option<&Entry> {
        match &self.basis {
            Basis::Rule(entry) => Some(entry),
            Basis::Root | Basis::Help => None,
        }
    }
}

/// Why not. For logs and explanations; clients are told "permission denied" and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    #[error("no rule matches the path")]
    NoRule,
    #[error("`{pattern}` is denied by policy `{policy}`")]
    Deny { pattern: String, policy: PolicyName },
    #[error("`{pattern}` does not grant {operation}")]
    Capability { pattern: String, operation: Operation },
    #[error("the route needs sudo, which `{pattern}` does not grant")]
    Sudo { pattern: String },
    #[error("`{pattern}` asks for response wrapping within its limits")]
    WrapTtl { pattern: String },
    #[error("`{pattern}` does not allow these parameters")]
    Parameters { pattern: String },
    #[error("`{pattern}` allows at most {limit} keys at once")]
    PageLimit { pattern: String, limit: u64 },
    /// A `deny` rule could not be filled in for this caller; without it the others would grant too much.
    #[error("the deny rule `{path}` of policy `{policy}` has no value for this caller")]
    Template { path: String, policy: PolicyName },
}
