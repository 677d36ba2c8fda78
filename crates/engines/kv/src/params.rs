//! Parameters that several routes share, and the forms particular to this engine.

use bulla_kit::{EngineError, Field, FieldKind, Page, Params, RawJson, SignedDuration};
use bulla_types::Seconds;
use serde_json::Value;

/// A field that tells "not sent" from its value; a null that was sent is the value's own zero, and so resets it.
#[derive(Clone, Debug)]
pub struct Sent<T>(pub Option<T>);

impl<T: Field> Field for Sent<T> {
    const KIND: FieldKind = T::KIND;

    fn decode(raw: &RawJson) -> Result<Self, String> {
        T::decode(raw).map(|value| Self(Some(value)))
    }

    fn missing() -> Option<Self> {
        Some(Self(None))
    }
}

/// A duration with its parts of a second, never negative.
#[derive(Clone, Copy, Debug)]
pub struct NotNegative(pub SignedDuration);

impl Field for NotNegative {
    const KIND: FieldKind = FieldKind::Duration;

    fn decode(raw: &RawJson) -> Result<Self, String> {
        // Whole seconds know what is refused, and how that is worded.
        Seconds::decode(raw).and_then(|_| SignedDuration::decode(raw)).map(Self)
    }

    fn missing() -> Option<Self> {
        Some(Self(SignedDuration(0)))
    }
}

/// The path alone.
#[derive(Params)]
pub struct PathOnly {
    /// Location of the secret.
    #[param(path)]
    pub path: String,
}

/// A folder and the part of its names that is wanted.
#[derive(Params)]
pub struct ListParams {
    /// Location of the folder.
    #[param(path)]
    pub path: String,
    /// Name after which the listing begins; it need not exist.
    pub after: String,
    /// Number of names to answer with; zero or less means all.
    pub limit: i64,
}

impl ListParams {
    pub fn folder(&self) -> &str {
        self.path.trim_end_matches('/')
    }

    pub fn page(&self) -> Page {
        let after = (!self.after.is_empty()).then(|| self.after.clone());
        Page { after, limit: usize::try_from(self.limit).ok().filter(|limit| *limit > 0) }
    }
}

/// Version numbers: a list of numbers or texts, or one text with commas and no spaces. Numbers that no version can
/// have are kept; they will be skipped like any unknown one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionList(pub Vec<i64>);

impl Field for VersionList {
    const KIND: FieldKind = FieldKind::List;

    fn decode(raw: &RawJson) -> Result<Self, String> {
        let number = |text: &str| text.parse::<i64>().map_err(|_| "expected version numbers".to_owned());
        let item = |value: &Value| match value {
            Value::Number(n) => n.as_i64().ok_or_else(|| "expected version numbers".to_owned()),
            Value::String(text) => number(text),
            _ => Err("expected version numbers".to_owned()),
        };
        match serde_json::from_str(raw.get()).map_err(|_| "expected version numbers".to_owned())? {
            Value::Null => Ok(Self(Vec::new())),
            Value::Array(items) => items.iter().map(item).collect::<Result<_, _>>().map(Self),
            Value::String(text) if text.is_empty() => Ok(Self(Vec::new())),
            Value::String(text) => text.split(',').map(number).collect::<Result<_, _>>().map(Self),
            other => item(&other).map(|n| Self(vec![n])),
        }
    }

    fn missing() -> Option<Self> {
        Some(Self(Vec::new()))
    }
}

/// A path that names a secret, not a folder. `None` = there can be nothing.
pub fn secret_path(path: &str) -> Option<&str> {
    (!path.is_empty() && !path.ends_with('/')).then_some(path)
}

/// As [`secret_path`], for writes.
pub fn writable_path(path: &str) -> Result<&str, EngineError> {
    if path.is_empty() {
        return Err(EngineError::bad("missing path"));
    }
    secret_path(path).ok_or_else(|| EngineError::bad("cannot write to a path ending in '/'"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn versions(text: &str) -> Result<Vec<i64>, String> {
        VersionList::decode(&RawJson::parse(text.into()).unwrap()).map(|list| list.0)
    }

    #[test]
    fn version_lists_come_in_three_forms() {
        assert_eq!(versions("[1,\"2\",-3]"), Ok(vec![1, 2, -3]));
        assert_eq!(versions("\"1,3\""), Ok(vec![1, 3]));
        assert_eq!(versions("7"), Ok(vec![7]));
        assert_eq!(versions("\"\""), Ok(vec![]));
        assert_eq!(versions("null"), Ok(vec![]));
        for bad in ["\"1, 3\"", "[\"x\"]", "[1.5]", "{}", "true", "[[1]]", "99999999999999999999"] {
            assert!(versions(bad).is_err(), "{bad}");
        }
    }
}
