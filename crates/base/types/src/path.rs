//! Paths of requests and mounts, in the one spelling that policy, storage and audit see.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The longest request path, in bytes. Name encryption adds 18 bytes a segment; the store takes keys of 60,000 bytes.
pub const MAX_PATH: usize = 16 * 1024;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// A `.`/`..` segment that a client encoded to hide it.
    #[error("relative paths not supported")]
    Relative,
    #[error("control characters are not allowed in paths")]
    Control,
    #[error("paths may not have empty segments")]
    EmptySegment,
    #[error("the path is longer than {MAX_PATH} bytes")]
    TooLong,
    #[error("the path is not valid UTF-8")]
    NotUtf8,
}

/// The path below `/v1/`, decoded once, without a leading slash; a trailing slash is kept because it means "folder".
///
/// There are no `.` or `..` segments and no control characters in it, and no empty segments at its ends, so that it can
/// mean only one thing.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct RequestPath(String);

impl RequestPath {
    /// # Errors
    /// Whatever has more than one reading: relative or empty segments, control characters, excess length.
    pub fn parse(decoded: &str) -> Result<Self, PathError> {
        let path = decoded.strip_prefix('/').unwrap_or(decoded);
        if path.len() > MAX_PATH {
            return Err(PathError::TooLong);
        }
        if path.chars().any(char::is_control) {
            return Err(PathError::Control);
        }
        let body = path.strip_suffix('/').unwrap_or(path);
        if body.split('/').any(|segment| matches!(segment, "." | "..")) {
            return Err(PathError::Relative);
        }
        // Empty segments come from slashes that a client encoded (`https:%2F%2Fhost`); they are names like any other.
        // At the ends they could be taken for the slash that means "folder".
        if path.starts_with('/') || body.ends_with('/') {
            return Err(PathError::EmptySegment);
        }
        Ok(Self(path.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_folder(&self) -> bool {
        self.0.is_empty() || self.0.ends_with('/')
    }

    /// The same path as a folder: listing `a` and `a/` is one thing.
    #[must_use]
    pub fn as_folder(&self) -> Self {
        if self.is_folder() { self.clone() } else { Self(format!("{}/", self.0)) }
    }
}

impl fmt::Display for RequestPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RequestPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// The path a client is sent to when it wrote `//`, `/./` or `/../`; `None` if `path` is clean already.
pub fn clean_path(path: &str) -> Option<String> {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            name => kept.push(name),
        }
    }
    let mut clean = format!("/{}", kept.join("/"));
    if path.len() > 1 && path.ends_with('/') && clean.len() > 1 {
        clean.push('/');
    }
    (clean != path).then_some(clean)
}

/// Where an engine or auth method is mounted: `secret/`, `auth/userpass/`. Ends in a slash, never starts with one.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MountPath(String);

impl MountPath {
    /// # Errors
    /// As [`RequestPath::parse`]; an empty path is an empty segment, and so is what stands before a slash at the start:
    /// in `sys/mounts//kv` policy has seen another path than `sys/mounts/kv`.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let path = RequestPath::parse(text)?.as_folder().0;
        if path.is_empty() || path.contains("//") || text.starts_with('/') {
            return Err(PathError::EmptySegment);
        }
        Ok(Self(path))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MountPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for MountPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn one_reading_or_none() {
        for good in
            ["kv/a", "kv/a/", "", "kv/..a", "kv/a..b", "kv/ä", "kv/with space", "kv/...", "a%2e", "kv/https://a/b"]
        {
            assert_eq!(RequestPath::parse(good).unwrap().as_str(), good);
        }
        assert_eq!(RequestPath::parse("/kv").unwrap().as_str(), "kv");
        for bad in ["kv/../a", "..", "./a", "a/.", "//", "a//", "///a"] {
            assert!(RequestPath::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(RequestPath::parse("a\u{0}b"), Err(PathError::Control));
        assert!(RequestPath::parse(&"x".repeat(MAX_PATH)).is_ok());
        assert_eq!(RequestPath::parse(&"x".repeat(MAX_PATH + 1)), Err(PathError::TooLong));
    }

    #[test]
    fn cleans_as_the_web_does() {
        assert_eq!(clean_path("/v1//kv/a").as_deref(), Some("/v1/kv/a"));
        assert_eq!(clean_path("/v1/kv/../kv/a").as_deref(), Some("/v1/kv/a"));
        assert_eq!(clean_path("/v1/kv/./a/").as_deref(), Some("/v1/kv/a/"));
        assert_eq!(clean_path("/../..").as_deref(), Some("/"));
        assert_eq!(clean_path("/v1/kv/a/"), None);
        assert_eq!(clean_path("/"), None);
    }

    #[test]
    fn mounts_are_folders() {
        assert_eq!(MountPath::parse("secret").unwrap().as_str(), "secret/");
        assert_eq!(MountPath::parse("a/b/").unwrap().as_str(), "a/b/");
        assert!(MountPath::parse("").is_err());
        assert!(MountPath::parse("/").is_err());
        assert!(MountPath::parse("/secret").is_err());
        assert!(MountPath::parse("a//b").is_err());
    }
}
