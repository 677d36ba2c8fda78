//! What an ACL says about itself: capabilities of a path, the merged rules, and whether a mount is worth showing.
//! Everything here looks at the ACL as compiled; where rules expire, ask [`crate::Acl::at`] first.

use crate::acl::{Acl, Reading};
use crate::decide::with_path;
use crate::filter::KeyFilter;
use crate::merge::Entry;
use bulla_types::{Capabilities, Capability, Time};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// The answer of `sys/internal/ui/resultant-acl`. Patterns with `+` are not in it, as upstream.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ResultantAcl {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exact_paths: Option<BTreeMap<String, ResultantRule>>,
    /// Prefixes, without their star.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub glob_paths: Option<BTreeMap<String, ResultantRule>>,
    pub root: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ResultantRule {
    pub capabilities: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_wrapping_ttl: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_wrapping_ttl: Option<u64>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub allowed_parameters: BTreeMap<String, Vec<Value>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub denied_parameters: BTreeMap<String, Vec<Value>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub required_parameters: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pagination_limit: Option<u64>,
}

impl Acl {
    /// The words `sys/capabilities` answers with, in alphabetical order: `["root"]`, `["deny"]`, or what is granted.
    /// `namespace` is empty or ends in a slash; a leading slash of `path` does not count.
    pub fn capabilities(&self, namespace: &str, path: &str) -> Vec<&'static str> {
        if self.root {
            return vec!["root"];
        }
        words(self.granted(namespace, path))
    }

    /// The capabilities granted for a path; `deny` alone if it is denied, none if no rule matches. Not for root.
    pub fn granted(&self, namespace: &str, path: &str) -> Capabilities {
        if self.broken.is_some() {
            return Capabilities::of(Capability::Deny);
        }
        let path = path.trim_start_matches('/');
        // Upstream asks as for a list, so that a folder shows the rule that would let it be listed.
        with_path(namespace, path, "", |full| {
            self.find(full, Reading::List).map_or(Capabilities::NONE, |e| e.grant.capabilities)
        })
    }

    /// Whether the rule that holds for this very path is a `deny`. For routes that take one thing under two paths: what is
    /// denied under the one is denied under the other.
    pub fn denies(&self, namespace: &str, path: &str, now: Time) -> bool {
        if self.root {
            return false;
        }
        let acl = self.at(now);
        let denied = |full: &str| acl.find(full, Reading::Plain).is_some_and(|entry| entry.denies());
        acl.broken.is_some() || with_path(namespace, path.trim_start_matches('/'), "", denied)
    }

    /// Whether anything can be done at `folder` (a mount's path with its slash) or below. Decides what mounts are shown.
    pub fn has_any_capability_below(&self, namespace: &str, folder: &str) -> bool {
        if self.root {
            return true;
        }
        if self.broken.is_some() {
            return false;
        }
        if grants_something(self.granted(namespace, folder)) {
            return true;
        }
        let grants = |entry: &Entry| grants_something(entry.grant.capabilities);
        with_path(namespace, folder.trim_start_matches('/'), "", |full| {
            self.exact.iter().any(|(path, entry)| path.starts_with(full) && grants(entry))
                || self.prefixes.iter().any(|n| n.prefix.starts_with(full) && grants(&n.entry))
                || self.segments.iter().any(|n| grants(&n.entry) && n.pattern.reaches_below(full))
        })
    }

    /// Whether a key of a list or scan of `folder` passes the filter of the rule that allowed it.
    pub fn may_see_key(&self, filter: &KeyFilter, namespace: &str, folder: &str, key: &str) -> bool {
        self.root || grants_something(self.granted(namespace, &filter.render(folder, key)))
    }

    pub fn resultant(&self) -> ResultantAcl {
        if self.root {
            return ResultantAcl { exact_paths: None, glob_paths: None, root: true };
        }
        let exact = self.exact.iter().map(|(path, e)| (path.clone(), e.resultant())).collect();
        let globs = self.prefixes.iter().map(|n| (n.prefix.clone(), n.entry.resultant())).collect();
        ResultantAcl { exact_paths: Some(exact), glob_paths: Some(globs), root: false }
    }
}

impl Entry {
    fn resultant(&self) -> ResultantRule {
        let grant = &self.grant;
        ResultantRule {
            capabilities: words(grant.capabilities),
            min_wrapping_ttl: grant.min_wrap.map(|s| s.0),
            max_wrapping_ttl: grant.max_wrap.map(|s| s.0),
            allowed_parameters: grant.parameters.allowed.iter().cloned().collect(),
            denied_parameters: grant.parameters.denied.iter().cloned().collect(),
            required_parameters: grant.parameters.required.clone(),
            pagination_limit: grant.page_limit,
        }
    }
}

fn grants_something(capabilities: Capabilities) -> bool {
    !capabilities.is_empty() && !capabilities.has(Capability::Deny)
}

fn words(capabilities: Capabilities) -> Vec<&'static str> {
    if grants_something(capabilities) { capabilities.iter().map(Capability::word).collect() } else { vec!["deny"] }
}
