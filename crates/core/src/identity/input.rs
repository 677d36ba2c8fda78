//! What clients write about entities and groups, checked and put into its one form.

use crate::parameters::BodyParameters;
use crate::route::route_to;
use crate::sys::SysCtx;
use bulla_kit::{CommaList, EngineError, KeyValues, is_printable};
use bulla_policy::Ask;
use bulla_records::{Metadata, MountClass, MountRecord};
use bulla_types::{PolicyName, RequestPath};

/// Limits on metadata: pairs, bytes of a key, bytes of a value.
const PAIRS: usize = 64;
const KEY: usize = 128;
const VALUE: usize = 512;
/// Longest name of an entity, group or alias, in bytes.
const NAME: usize = 1024;

/// Sorted, each once, `root` never: also not in another spelling.
///
/// # Errors
/// A name that is none, or `root`.
pub fn policies(given: &CommaList) -> Result<Vec<PolicyName>, EngineError> {
    let mut policies = Vec::new();
    for text in given.0.iter().filter(|text| !text.trim().is_empty()) {
        let name = PolicyName::parse(text).map_err(|e| EngineError::bad(format!("invalid policy name: {e}")))?;
        if name.is_root() {
            return Err(EngineError::bad("policies cannot contain root"));
        }
        policies.push(name);
    }
    policies.sort_unstable();
    policies.dedup();
    Ok(policies)
}

/// # Errors
/// More or longer pairs than may be; keys of other characters, or of those kept for the server itself.
pub fn metadata(noun: &str, given: KeyValues) -> Result<Metadata, EngineError> {
    let refuse = |why: &str| Err(EngineError::bad(format!("invalid {noun} metadata: {why}")));
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '=' | '/' | '+' | '_' | '-');
    if given.0.len() > PAIRS {
        return refuse(&format!("more than {PAIRS} pairs"));
    }
    for (key, value) in &given.0 {
        if key.is_empty() || key.len() > KEY || !key.chars().all(allowed) {
            return refuse(&format!("keys are 1 to {KEY} letters, digits and =/+_-"));
        }
        if key.starts_with("vault-") {
            return refuse("keys that begin with \"vault-\" are reserved");
        }
        if value.len() > VALUE {
            return refuse(&format!("values are at most {VALUE} bytes"));
        }
    }
    Ok(given.0)
}

/// # Errors
/// As [`metadata`], with the wider set of characters that custom metadata has, here as beside secrets.
pub fn custom_metadata(given: KeyValues) -> Result<Metadata, EngineError> {
    let refuse = |why: &str| Err(EngineError::bad(format!("custom_metadata validation failed: {why}")));
    if given.0.len() > PAIRS {
        return refuse(&format!("more than {PAIRS} pairs"));
    }
    for (key, value) in &given.0 {
        if key.is_empty() || key.len() > KEY {
            return refuse(&format!("keys are 1 to {KEY} bytes"));
        }
        if value.is_empty() || value.len() > VALUE {
            return refuse(&format!("values are 1 to {VALUE} bytes"));
        }
        if !key.chars().chain(value.chars()).all(is_printable) {
            return refuse("unprintable characters are not allowed");
        }
    }
    Ok(given.0)
}

/// # Errors
/// A name too long, or one that cannot be told apart on sight.
pub fn name(noun: &str, given: &str) -> Result<(), EngineError> {
    if given.len() > NAME {
        return Err(EngineError::bad(format!("{noun} name is longer than {NAME} bytes")));
    }
    if given.chars().any(char::is_control) {
        return Err(EngineError::bad(format!("{noun} name has control characters")));
    }
    Ok(())
}

/// The path names the object; a body that names another one is a mistake, or an attempt to get past a policy that was
/// asked about the path only.
///
/// # Errors
/// The body holds an id.
pub fn no_id_beside_name(id: &str) -> Result<(), EngineError> {
    if id.is_empty() { Ok(()) } else { Err(EngineError::bad("the path names it already: \"id\" cannot be given, too")) }
}

/// The auth mount with this accessor.
///
/// # Errors
/// There is none. A mount of secrets logs nobody in: its names would be an entity's for nothing.
pub fn mount<'a>(ctx: &'a SysCtx, accessor: &str) -> Result<&'a MountRecord, EngineError> {
    let found = ctx.state.mounts.iter().map(|mount| &mount.record).find(|record| record.accessor == accessor);
    let refuse = |why: &str| EngineError::bad(format!("invalid mount accessor {accessor:?}{why}"));
    match found {
        Some(record) if record.class == MountClass::Auth => Ok(record),
        Some(_) => Err(refuse(": not an auth mount")),
        None => Err(refuse("")),
    }
}

/// A name in a path means the same in any case, and policy was asked about the spelling that was sent. What was found
/// must be allowed by its own name as well, or an odd spelling would get past a rule.
///
/// # Errors
/// Policy refuses the stored spelling.
pub fn allowed_as_stored(ctx: &SysCtx, noun: &str, typed: &str, stored: &str) -> Result<(), EngineError> {
    if typed == stored {
        return Ok(());
    }
    let path = format!("{}{noun}/name/{stored}", ctx.ctx.mount.path);
    let path = RequestPath::parse(&path).map_err(|_| EngineError::Denied)?;
    let operation = ctx.ctx.request.operation;
    let routed = route_to(&ctx.state, &path, operation, &ctx.request.body);
    let fields = routed.map_or(&[][..], |r| r.fields(operation));
    let parameters = BodyParameters { body: &ctx.request.body, fields };
    let ask = Ask {
        namespace: "",
        path: &path,
        operation,
        parameters: &parameters,
        wrap_ttl: ctx.request.wrap.map(|wrap| wrap.ttl),
        limit: None,
        route_needs_sudo: false,
        now: ctx.now(),
    };
    ctx.caller()?.acl.decide(&ask).map(drop).map_err(|_| EngineError::Denied)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Beside secrets a line break, a space of no width or a change of direction was refused; beside an alias it was taken.
    #[test]
    fn custom_metadata_is_what_prints() {
        let taken = |key: &str, value: &str| {
            custom_metadata(KeyValues([(key.to_owned(), value.to_owned())].into_iter().collect())).is_ok()
        };
        for good in ["ключ", "a b", "e\u{301}", "\"q\" \\ '"] {
            assert!(taken(good, good), "{good}");
        }
        for bad in ["a\tb", "\u{200b}", "\u{a0}", "\u{202e}", "\u{e000}"] {
            assert!(!taken("k", bad) && !taken(bad, "v"), "{bad:?}");
        }
    }
}
