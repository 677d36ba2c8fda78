//! Rules for one pattern, from several policies, become one entry.

use crate::policy::Grant;
use bulla_types::{Capabilities, Capability, PolicyName};

/// The merged rules of one pattern.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// As written, star and namespace included.
    pub(crate) pattern: String,
    /// Who contributed; if one denies, it stands first.
    pub(crate) policies: Vec<PolicyName>,
    pub(crate) grant: Grant,
}

impl Entry {
    pub(crate) fn new(pattern: String, policy: &PolicyName, grant: &Grant) -> Self {
        Self { pattern, policies: vec![policy.clone()], grant: grant.clone() }
    }

    pub(crate) fn denies(&self) -> bool {
        self.grant.capabilities.has(Capability::Deny)
    }

    pub(crate) fn has_sudo(&self) -> bool {
        self.grant.capabilities.has(Capability::Sudo)
    }

    /// Capabilities add up, everything else that can restrict does: the tighter number wins, parameter rules unite.
    pub(crate) fn merge(&mut self, policy: &PolicyName, grant: &Grant) {
        if self.denies() {
            return;
        }
        if grant.capabilities.has(Capability::Deny) {
            self.grant = Grant { capabilities: Capabilities::of(Capability::Deny), ..Grant::default() };
            self.policies.insert(0, policy.clone());
            return;
        }
        if !self.policies.contains(policy) {
            self.policies.push(policy.clone());
        }
        let own = &mut self.grant;
        own.capabilities = own.capabilities.union(grant.capabilities);
        // Upstream prefers the shorter lifetime for both ends of the range.
        own.min_wrap = smaller(own.min_wrap, grant.min_wrap);
        own.max_wrap = smaller(own.max_wrap, grant.max_wrap);
        own.page_limit = smaller(own.page_limit, grant.page_limit);
        own.parameters.merge(&grant.parameters);
        if own.key_filter.is_none() {
            own.key_filter.clone_from(&grant.key_filter);
        }
    }
}

fn smaller<T: Ord + Copy>(a: Option<T>, b: Option<T>) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
