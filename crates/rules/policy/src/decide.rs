//! The decision itself: one function that walks through everything a rule can demand.

use crate::acl::{Acl, Reading};
use crate::ask::{Ask, Basis, Denied, Permit};
use crate::merge::Entry;
use bulla_types::{Capability, Operation, Seconds};
use smallvec::SmallVec;
use std::sync::Arc;

/// Full paths up to this many bytes are put together without allocating.
const INLINE: usize = 512;

impl Acl {
    /// # Errors
    /// [`Denied`] with the reason, which is for logs only.
    pub fn decide(&self, ask: &Ask<'_>) -> Result<Permit, Denied> {
        if self.root {
            return Ok(Permit { basis: Basis::Root, page_limit: asked_limit(ask) });
        }
        let acl = self.at(ask.now);
        if let Some(broken) = &acl.broken {
            return Err(broken.clone());
        }
        if ask.operation == Operation::Help {
            return Ok(Permit { basis: Basis::Help, page_limit: None });
        }
        let (reading, slash) = match lists(ask.operation) {
            true if ask.path.is_folder() => (Reading::List, ""),
            true => (Reading::List, "/"),
            false => (Reading::Plain, ""),
        };
        let entry = with_path(ask.namespace, ask.path.as_str(), slash, |path| acl.find(path, reading).cloned());
        let entry = entry.ok_or(Denied::NoRule)?;
        check(&entry, ask)?;
        let page_limit = page_limit(&entry, ask)?;
        Ok(Permit { basis: Basis::Rule(entry), page_limit })
    }
}

/// Calls `look` with the three parts as one text.
pub(crate) fn with_path<T>(namespace: &str, path: &str, slash: &str, look: impl FnOnce(&str) -> T) -> T {
    if namespace.is_empty() && slash.is_empty() {
        return look(path);
    }
    let mut full: SmallVec<[u8; INLINE]> = SmallVec::new();
    for part in [namespace, path, slash] {
        full.extend_from_slice(part.as_bytes());
    }
    match std::str::from_utf8(&full) {
        Ok(full) => look(full),
        // Cannot happen with three texts; an empty path is granted by no rule but `*`, so look for the real one.
        Err(_) => look(&format!("{namespace}{path}{slash}")),
    }
}

const fn lists(operation: Operation) -> bool {
    matches!(operation, Operation::List | Operation::Scan)
}

fn capability(operation: Operation) -> Option<Capability> {
    Some(match operation {
        Operation::Create => Capability::Create,
        Operation::Read => Capability::Read,
        Operation::Update => Capability::Update,
        Operation::Patch => Capability::Patch,
        Operation::Delete => Capability::Delete,
        Operation::List => Capability::List,
        Operation::Scan => Capability::Scan,
        Operation::Help => return None,
    })
}

fn check(entry: &Arc<Entry>, ask: &Ask<'_>) -> Result<(), Denied> {
    let pattern = || entry.pattern.clone();
    let grant = &entry.grant;
    if entry.denies() {
        return Err(deny(entry));
    }
    if !capability(ask.operation).is_some_and(|c| grant.capabilities.has(c)) {
        return Err(Denied::Capability { pattern: pattern(), operation: ask.operation });
    }
    if ask.route_needs_sudo && !entry.has_sudo() {
        return Err(Denied::Sudo { pattern: pattern() });
    }
    if !wraps_well(grant.min_wrap, grant.max_wrap, ask.wrap_ttl) {
        return Err(Denied::WrapTtl { pattern: pattern() });
    }
    // Deleting and listing take no parameters that rules are meant for; the limit of a list is looked at below.
    let looks = matches!(ask.operation, Operation::Create | Operation::Read | Operation::Update | Operation::Patch);
    if looks && !grant.parameters.allow(ask.parameters) {
        return Err(Denied::Parameters { pattern: pattern() });
    }
    Ok(())
}

fn deny(entry: &Entry) -> Denied {
    match entry.policies.first() {
        Some(policy) => Denied::Deny { pattern: entry.pattern.clone(), policy: policy.clone() },
        None => Denied::NoRule,
    }
}

/// A range in force makes wrapping a duty. Merged ranges can be empty; then nothing fits.
fn wraps_well(min: Option<Seconds>, max: Option<Seconds>, asked: Option<Seconds>) -> bool {
    if min.is_none() && max.is_none() {
        return true;
    }
    asked.is_some_and(|ttl| min.is_none_or(|m| ttl >= m) && max.is_none_or(|m| ttl <= m))
}

/// The limit asked for; values below 1 ask for everything.
fn asked_limit(ask: &Ask<'_>) -> Option<u64> {
    ask.limit.and_then(|l| u64::try_from(l).ok()).filter(|l| *l > 0 && lists(ask.operation))
}

/// Too much is refused, no limit at all becomes the greatest allowed one, unless the rule demands that one is given.
fn page_limit(entry: &Entry, ask: &Ask<'_>) -> Result<Option<u64>, Denied> {
    let asked = asked_limit(ask);
    let most = entry.grant.page_limit.filter(|_| lists(ask.operation));
    let Some(most) = most else {
        return Ok(asked);
    };
    if asked.is_none() && entry.grant.parameters.requires("limit") {
        return Err(Denied::Parameters { pattern: entry.pattern.clone() });
    }
    match asked {
        Some(asked) if asked > most => Err(Denied::PageLimit { pattern: entry.pattern.clone(), limit: most }),
        _ => Ok(Some(asked.unwrap_or(most))),
    }
}
