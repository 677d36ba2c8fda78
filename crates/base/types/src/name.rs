//! Names and ids. Folding (case, spaces) happens here and nowhere later, so that a policy and the store see one spelling.

use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("the name is empty")]
    Empty,
    #[error("the name has a character that is not allowed in it")]
    Character,
    #[error("the name is longer than {0} bytes")]
    TooLong(usize),
}

/// A policy's name: lower case, trimmed, without control characters and without relative segments.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PolicyName(String);

impl PolicyName {
    pub const MAX: usize = 512;

    /// # Errors
    /// An empty name, control or invisible characters, `.`/`..` segments, more than [`Self::MAX`] bytes.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let name = text.trim().to_lowercase();
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        if name.len() > Self::MAX {
            return Err(NameError::TooLong(Self::MAX));
        }
        let relative = name.split('/').any(|s| matches!(s, "." | ".." | ""));
        if relative || name.chars().any(|c| is_unseen(c) || is_wide(c)) {
            return Err(NameError::Character);
        }
        Ok(Self(name))
    }

    pub fn root() -> Self {
        Self("root".into())
    }

    pub fn default_policy() -> Self {
        Self("default".into())
    }

    /// The one policy of a token that holds a wrapped answer.
    pub fn response_wrapping() -> Self {
        Self("response-wrapping".into())
    }

    pub fn is_root(&self) -> bool {
        self.0 == "root"
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The wide twins of ASCII: two names that look alike must not differ by them.
fn is_wide(c: char) -> bool {
    matches!(c, '\u{ff01}'..='\u{ff5e}')
}

/// Control and format characters (the directions of text among them), fillers, and spaces other than the plain one:
/// Unicode 16, categories Cc, Cf, Zs, Zl, Zp, and what is shown as nothing (`Default_Ignorable_Code_Point`).
pub fn is_unseen(c: char) -> bool {
    if c.is_control() || (c.is_whitespace() && c != ' ') {
        return true;
    }
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}' | '\u{891}'
        | '\u{8e2}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}'
        | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

impl fmt::Display for PolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// A random 128-bit id that confines stored data: one for each namespace and each mount. The root namespace is all zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ScopeId(pub [u8; 16]);

impl ScopeId {
    pub fn parse(text: &str) -> Option<Self> {
        uuid::Uuid::parse_str(text).ok().map(|u| Self(u.into_bytes()))
    }
}

impl fmt::Display for ScopeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", uuid::Uuid::from_bytes(self.0).hyphenated())
    }
}

impl fmt::Debug for ScopeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScopeId({self})")
    }
}

impl From<ScopeId> for String {
    fn from(id: ScopeId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for ScopeId {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Self::parse(&text).ok_or(NameError::Character)
    }
}

/// Which namespace a key, token, mount or request belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NamespaceId(pub ScopeId);

impl NamespaceId {
    pub const ROOT: Self = Self(ScopeId([0; 16]));

    pub fn is_root(self) -> bool {
        self == Self::ROOT
    }
}

/// The public handle of a token: 24 base62 characters. Names a token without being able to use it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Accessor(pub String);

impl Accessor {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Accessor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn policy_names_have_one_spelling() {
        for text in ["rooT", " root", "ROOT "] {
            assert!(PolicyName::parse(text).unwrap().is_root(), "{text:?}");
        }
        assert_eq!(PolicyName::parse("Team/A").unwrap().as_str(), "team/a");
        for bad in [
            "",
            " ",
            "../admin",
            "a/../admin",
            "a//b",
            "root\u{200b}",
            "root\u{2066}",
            "ro\u{ad}ot",
            "a\u{a0}b",
            "ｒｏｏｔ",
            "a\nb",
        ] {
            assert!(PolicyName::parse(bad).is_err(), "{bad:?}");
        }
        for unseen in ['\u{ad}', '\u{34f}', '\u{61c}', '\u{202e}', '\u{2066}', '\u{2069}', '\u{e0061}'] {
            assert!(PolicyName::parse(&format!("ro{unseen}ot")).is_err(), "{unseen:?}");
        }
        assert!(PolicyName::parse(&"x".repeat(PolicyName::MAX)).is_ok());
        assert_eq!(PolicyName::parse(&"x".repeat(PolicyName::MAX + 1)), Err(NameError::TooLong(512)));
    }

    #[test]
    fn scope_ids_read_back() {
        let id = ScopeId([7; 16]);
        assert_eq!(ScopeId::parse(&id.to_string()), Some(id));
        assert_eq!(ScopeId::parse("nonsense"), None);
    }
}
