//! The compiled form of a set of policies, made once and shared by all callers with that set.
//!
//! Three structures, asked in this order: a hash map of exact paths; prefixes in a sorted list, where each knows the
//! longest prefix of itself; patterns with `+`, most specific first. Nothing is allocated while asking.

use crate::ask::Denied;
use crate::merge::Entry;
use crate::pattern::{Pattern, Rank, Segments};
use crate::policy::{Grant, Policy};
use crate::template::{Identity, Unfilled};
use bulla_types::{Capability, PolicyName, Time};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

/// What a caller may do, as one thing to ask.
#[derive(Clone, Debug, Default)]
pub struct Acl {
    pub(crate) root: bool,
    /// A deny rule without a value for this caller: everything is refused with this.
    pub(crate) broken: Option<Denied>,
    pub(crate) exact: HashMap<String, Arc<Entry>>,
    pub(crate) prefixes: Vec<PrefixNode>,
    pub(crate) segments: Vec<SegmentsNode>,
    stale_at: Option<Time>,
    /// Kept only if something in them expires.
    sources: Vec<Source>,
}

/// How a slash at the end of a path is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// It is part of the path.
    Plain,
    /// A list may be granted by a rule with and by one without it.
    List,
}

#[derive(Clone, Debug)]
pub(crate) struct PrefixNode {
    pub(crate) prefix: String,
    /// Index of the longest other prefix that this one begins with.
    shorter: Option<usize>,
    pub(crate) entry: Arc<Entry>,
}

#[derive(Clone, Debug)]
pub(crate) struct SegmentsNode {
    pub(crate) pattern: Segments,
    pub(crate) entry: Arc<Entry>,
}

/// A rule with its path filled in.
#[derive(Clone, Debug)]
struct Source {
    path: String,
    policy: PolicyName,
    grant: Arc<Grant>,
    expires: Option<Time>,
    /// A deny rule whose path could not be filled in.
    broken: bool,
}

impl Acl {
    /// May do everything.
    pub fn root() -> Self {
        Self { root: true, ..Self::default() }
    }

    /// Compiles the rules of all policies for one caller. Policies are taken by their rules alone: one that is called
    /// `root` grants nothing here, see [`Acl::root`].
    ///
    /// A rule whose template has no fitting value is left out if it allows; if it denies, the whole ACL denies.
    pub fn compile(policies: &[Arc<Policy>], identity: &dyn Identity, now: Time) -> Self {
        let sources: Vec<Source> = policies.iter().flat_map(|p| sources_of(p, identity)).collect();
        Self::build(sources, now)
    }

    /// From then on the ACL is out of date because something in it expires. [`Acl::decide`] stays right all the same,
    /// but slow; compile anew.
    pub fn stale_at(&self) -> Option<Time> {
        self.stale_at
    }

    pub fn is_root(&self) -> bool {
        self.root
    }

    /// The ACL as it is at `now`, what has expired left out. Free until [`Acl::stale_at`].
    pub fn at(&self, now: Time) -> Cow<'_, Self> {
        match self.stale_at {
            Some(stale) if now >= stale => Cow::Owned(Self::build(self.sources.clone(), now)),
            _ => Cow::Borrowed(self),
        }
    }

    fn build(mut sources: Vec<Source>, now: Time) -> Self {
        sources.retain(|s| s.expires.is_none_or(|t| now < t));
        let mut acl = Self { stale_at: sources.iter().filter_map(|s| s.expires).min(), ..Self::default() };
        let mut prefixes: HashMap<String, Entry> = HashMap::new();
        let mut segments: HashMap<Segments, Entry> = HashMap::new();
        let mut exact: HashMap<String, Entry> = HashMap::new();
        for source in &sources {
            if source.broken {
                let broken = Denied::Template { path: source.path.clone(), policy: source.policy.clone() };
                acl.broken.get_or_insert(broken);
                continue;
            }
            match Pattern::parse(&source.path) {
                Ok(Pattern::Exact(path)) => add(&mut exact, path, source),
                Ok(Pattern::Prefix(prefix)) => add(&mut prefixes, prefix, source),
                Ok(Pattern::Segments(pattern)) => add(&mut segments, pattern, source),
                // Refused when rules are parsed and when templates are filled.
                Err(_) => {}
            }
        }
        acl.exact = exact.into_iter().map(|(path, entry)| (path, Arc::new(entry))).collect();
        acl.prefixes = link(prefixes);
        acl.segments =
            segments.into_iter().map(|(pattern, entry)| SegmentsNode { pattern, entry: Arc::new(entry) }).collect();
        acl.segments.sort_by(|a, b| b.pattern.rank().cmp(&a.pattern.rank()));
        if acl.stale_at.is_some() {
            acl.sources = sources;
        }
        acl
    }

    /// The entry that decides about a full path.
    pub(crate) fn find(&self, path: &str, reading: Reading) -> Option<&Arc<Entry>> {
        if let Some(entry) = self.exact.get(path) {
            return Some(entry);
        }
        let bare = path.strip_suffix('/').filter(|_| reading == Reading::List);
        if let Some(entry) = bare.and_then(|p| self.exact.get(p)) {
            return Some(entry);
        }
        let with_slash = self.find_pattern(path);
        // The more specific of both spellings: neither may hide a deny that the other one meets.
        let without = bare.and_then(|p| self.find_pattern(p));
        with_slash.into_iter().chain(without).max_by(|a, b| a.0.cmp(&b.0)).map(|(_, entry)| entry)
    }

    fn find_pattern(&self, path: &str) -> Option<(Rank<'_>, &Arc<Entry>)> {
        let prefix = self.longest_prefix(path).map(|n| (Rank::of_prefix(&n.prefix), &n.entry));
        let segments = self.segments.iter().find(|n| n.pattern.matches(path)).map(|n| (n.pattern.rank(), &n.entry));
        prefix.into_iter().chain(segments).max_by(|a, b| a.0.cmp(&b.0))
    }

    /// All prefixes of `path` lie on the chain of `shorter` links from its place in the sorted list.
    fn longest_prefix(&self, path: &str) -> Option<&PrefixNode> {
        let after = self.prefixes.partition_point(|n| n.prefix.as_str() <= path);
        let mut at = after.checked_sub(1)?;
        loop {
            let node = self.prefixes.get(at)?;
            if path.starts_with(&node.prefix) {
                return Some(node);
            }
            at = node.shorter?;
        }
    }
}

fn sources_of(policy: &Policy, identity: &dyn Identity) -> Vec<Source> {
    let options = &policy.options;
    let source = |path: String, rule: &crate::Rule, broken| Source {
        path,
        policy: policy.name.clone(),
        grant: rule.grant.clone(),
        expires: [rule.expires, options.expires].into_iter().flatten().min(),
        broken,
    };
    let mut out = Vec::with_capacity(policy.rules.len());
    for rule in &policy.rules {
        let filled = rule.path.fill(identity, options).map(|path| format!("{}{path}", options.namespace));
        // A value may be a wildcard if the policy says so, and may then stand where it must not.
        let checked = filled.and_then(|p| Pattern::parse(&p).map(|_| p).map_err(|_| Unfilled::Forbidden));
        match checked {
            Ok(path) => out.push(source(path, rule, false)),
            Err(_) if rule.grant.capabilities.has(Capability::Deny) => {
                out.push(source(rule.path.source().to_owned(), rule, true));
            }
            Err(Unfilled::Missing | Unfilled::Forbidden) => {}
        }
    }
    out
}

fn add<K: std::hash::Hash + Eq>(entries: &mut HashMap<K, Entry>, key: K, source: &Source) {
    entries
        .entry(key)
        .and_modify(|entry| entry.merge(&source.policy, &source.grant))
        .or_insert_with(|| Entry::new(source.path.clone(), &source.policy, &source.grant));
}

fn link(prefixes: HashMap<String, Entry>) -> Vec<PrefixNode> {
    let mut sorted: Vec<(String, Entry)> = prefixes.into_iter().collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    let mut nodes: Vec<PrefixNode> = Vec::with_capacity(sorted.len());
    for (prefix, entry) in sorted {
        // In sorted order, whatever this prefix begins with is on the chain from its left neighbour.
        let mut shorter = nodes.len().checked_sub(1);
        while let Some(node) = shorter.and_then(|at| nodes.get(at)) {
            if prefix.starts_with(&node.prefix) {
                break;
            }
            shorter = node.shorter;
        }
        nodes.push(PrefixNode { prefix, shorter, entry: Arc::new(entry) });
    }
    nodes
}
