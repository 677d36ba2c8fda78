//! A parsed policy: its name and its rules, templates not filled yet. How text becomes one is next door (`parse`).

use crate::filter::KeyFilter;
use crate::parameters::ParameterRules;
use crate::template::{Hole, Template};
use bulla_types::{Capabilities, PolicyName, Seconds, Time};
use std::sync::Arc;

/// What comes with a policy besides its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Path of the namespace the policy lives in: empty for the root namespace, else with a trailing slash (`a/b/`).
    pub namespace: String,
    /// Values of templates may contain `/`.
    pub allow_slashes: bool,
    /// Values of templates may contain `*` and `+`.
    pub allow_wildcards: bool,
    /// From then on the whole policy grants and denies nothing.
    pub expires: Option<Time>,
}

#[derive(Clone, Debug)]
pub struct Policy {
    pub(crate) name: PolicyName,
    pub(crate) options: Options,
    pub(crate) rules: Vec<Rule>,
}

impl Policy {
    pub fn name(&self) -> &PolicyName {
        &self.name
    }

    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    pub fn options(&self) -> &Options {
        &self.options
    }

    /// All that the rules ask about the caller.
    pub fn holes(&self) -> impl Iterator<Item = &Hole> {
        self.rules.iter().flat_map(|rule| rule.path.holes())
    }

    /// Whether the rules depend on who asks, so that an [`crate::Acl`] cannot be shared between entities.
    pub fn is_templated(&self) -> bool {
        self.rules.iter().any(|r| r.path.has_holes())
    }
}

/// One `path` stanza.
#[derive(Clone, Debug)]
pub struct Rule {
    pub(crate) path: Template,
    pub(crate) grant: Arc<Grant>,
    pub(crate) expires: Option<Time>,
}

impl Rule {
    /// The path as written, below the policy's namespace, without a leading slash.
    pub fn path(&self) -> &str {
        self.path.source()
    }

    pub fn capabilities(&self) -> Capabilities {
        self.grant.capabilities
    }

    pub fn expires(&self) -> Option<Time> {
        self.expires
    }
}

/// What a stanza grants and demands.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Grant {
    pub(crate) capabilities: Capabilities,
    pub(crate) parameters: ParameterRules,
    pub(crate) min_wrap: Option<Seconds>,
    pub(crate) max_wrap: Option<Seconds>,
    /// At least 1.
    pub(crate) page_limit: Option<u64>,
    pub(crate) key_filter: Option<Arc<KeyFilter>>,
}
