//! The body of a request: one JSON object, checked and split into its top-level members, values kept as their own text.
//!
//! Keeping the text keeps what a parser would lose: `1.0`, `1e400`, 2^70, the order of keys.

use crate::RawJson;
use indexmap::IndexMap;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// Bounds on what a body may look like, checked before anything is built from it.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    pub depth: usize,
    /// Strings in the body, keys included.
    pub strings: usize,
    /// Members of objects and elements of arrays, all together.
    pub nodes: usize,
    pub string_length: usize,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self { depth: 300, strings: 100_000, nodes: 200_000, string_length: 32 << 20 }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    #[error("failed to decode JSON input: {0}")]
    Malformed(String),
    #[error("JSON input is nested deeper than {0} levels")]
    TooDeep(usize),
    #[error("JSON input holds more than {limit} {what}")]
    TooMany { what: &'static str, limit: usize },
}

/// Top-level members in the order they came; of a repeated name the last one counts.
#[derive(Clone, Default)]
pub struct Body {
    members: Vec<(String, RawJson)>,
}

impl Body {
    /// Empty text and `null` are an empty body.
    ///
    /// # Errors
    /// Anything that is not one JSON object within `limits`.
    pub fn parse(text: &[u8], limits: &BodyLimits) -> Result<Self, BodyError> {
        let trimmed = text.trim_ascii();
        if trimmed.is_empty() || trimmed == b"null" {
            return Ok(Self::default());
        }
        check_shape(trimmed, limits)?;
        let mut reader = serde_json::Deserializer::from_slice(trimmed);
        let members = reader.deserialize_map(Members).map_err(|e| BodyError::Malformed(go_words(trimmed, &e)))?;
        reader.end().map_err(|e| BodyError::Malformed(go_words(trimmed, &e)))?;
        Ok(Self::from_members(members))
    }

    pub fn from_members(members: Vec<(String, RawJson)>) -> Self {
        // By hash: looking through the members for each new one would cost their number squared, for anybody who asks.
        let by_name: IndexMap<String, RawJson> = members.into_iter().collect();
        Self { members: by_name.into_iter().collect() }
    }

    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub fn get(&self, name: &str) -> Option<&RawJson> {
        self.members.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &RawJson)> {
        self.members.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// The body as one JSON object again.
    pub fn to_json(&self) -> RawJson {
        let mut text =
            String::with_capacity(2 + self.members.iter().map(|(k, v)| k.len() + v.get().len() + 4).sum::<usize>());
        text.push('{');
        for (index, (name, value)) in self.members.iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            // A string always serialises.
            text.push_str(&serde_json::to_string(name).unwrap_or_default());
            text.push(':');
            text.push_str(value.get());
        }
        text.push('}');
        RawJson::from_trusted(text)
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.members.iter().map(|(name, _)| name)).finish()
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(String, RawJson)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
            members.push((name, RawJson::from_trusted(value.get().to_owned())));
        }
        Ok(members)
    }
}

/// One pass over the bytes, no recursion, no allocation: depth and counts. Syntax is left to the parser.
fn check_shape(text: &[u8], limits: &BodyLimits) -> Result<(), BodyError> {
    let (mut depth, mut strings, mut nodes) = (0_usize, 0_usize, 0_usize);
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'{' | b'[' => {
                depth += 1;
                if depth > limits.depth {
                    return Err(BodyError::TooDeep(limits.depth));
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' => nodes += 1,
            b'"' => {
                let start = at + 1;
                at = end_of_string(text, start);
                strings += 1;
                if at - start > limits.string_length {
                    return Err(BodyError::TooMany { what: "bytes in one string", limit: limits.string_length });
                }
            }
            _ => {}
        }
        if strings > limits.strings {
            return Err(BodyError::TooMany { what: "strings", limit: limits.strings });
        }
        if nodes > limits.nodes {
            return Err(BodyError::TooMany { what: "members and elements", limit: limits.nodes });
        }
        at += 1;
    }
    Ok(())
}

/// Index of the closing quote (or the end of the text).
fn end_of_string(text: &[u8], mut at: usize) -> usize {
    while at < text.len() && text[at] != b'"' {
        at += if text[at] == b'\\' { 2 } else { 1 };
    }
    at.min(text.len())
}

/// The parser's complaint in the words that clients of this API know; never quotes the body beyond one character.
fn go_words(text: &[u8], error: &serde_json::Error) -> String {
    let kind = match text.first() {
        Some(b'[') => Some("array"),
        Some(b'"') => Some("string"),
        Some(b'0'..=b'9' | b'-') => Some("number"),
        Some(b't' | b'f') if matches!(text, b"true" | b"false") => Some("bool"),
        _ => None,
    };
    if let Some(kind) = kind {
        return format!("json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}");
    }
    if error.is_eof() {
        return "unexpected EOF".into();
    }
    let offset = offset_of(text, error);
    let character = text.get(offset).map_or(' ', |b| char::from(*b));
    let before = text[..offset.min(text.len())].trim_ascii_end().last().copied();
    match before {
        Some(b':' | b'[') => format!("invalid character '{character}' looking for beginning of value"),
        Some(b'{' | b',') => format!("invalid character '{character}' looking for beginning of object key string"),
        _ => format!("invalid character '{character}'"),
    }
}

fn offset_of(text: &[u8], error: &serde_json::Error) -> usize {
    let line_start = match error.line() {
        0 | 1 => 0,
        line => text.iter().enumerate().filter(|(_, b)| **b == b'\n').nth(line - 2).map_or(0, |(at, _)| at + 1),
    };
    (line_start + error.column()).saturating_sub(1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn parse(text: &str) -> Result<Body, BodyError> {
        Body::parse(text.as_bytes(), &BodyLimits::default())
    }

    #[test]
    fn values_keep_their_text_and_order() {
        let body = parse(r#"{"z":1.0,"a":1e400,"n":1180591620717411303424,"o":{"k": [1, 2]}}"#).unwrap();
        assert_eq!(body.get("z").unwrap().get(), "1.0");
        assert_eq!(body.get("n").unwrap().get(), "1180591620717411303424");
        assert_eq!(body.to_json().get(), r#"{"z":1.0,"a":1e400,"n":1180591620717411303424,"o":{"k": [1, 2]}}"#);
    }

    #[test]
    fn the_last_of_a_repeated_name_counts() {
        assert_eq!(parse(r#"{"a":1,"b":2,"a":3}"#).unwrap().to_json().get(), r#"{"a":3,"b":2}"#);
    }

    /// Each member was looked for among all before it: 1.2 MB from anybody kept a processor busy for twenty seconds.
    #[test]
    fn as_many_members_as_are_allowed_are_read_at_once() {
        let limit = BodyLimits::default().strings;
        let member = |number: usize| format!("\"{number:06}\":{number}");
        let text = |count: usize| format!("{{{}}}", (0..count).map(member).collect::<Vec<_>>().join(","));
        let begin = std::time::Instant::now();
        assert_eq!(parse(&text(limit)).unwrap().iter().count(), limit);
        assert!(begin.elapsed().as_secs() < 5, "{:?}", begin.elapsed());
        assert!(parse(&text(limit + 1)).is_err());
    }

    #[test]
    fn empty_and_null_are_no_members() {
        assert!(parse("").unwrap().is_empty());
        assert!(parse(" null ").unwrap().is_empty());
    }

    #[test]
    fn refuses_what_is_no_object() {
        for bad in ["{", "[1]", "\"t\"", "5", "{bad", "{\"x\":}", "text", "{}{}", "{\"a\":1,}"] {
            assert!(matches!(parse(bad), Err(BodyError::Malformed(_))), "{bad}");
        }
        assert_eq!(parse("{").unwrap_err().to_string(), "failed to decode JSON input: unexpected EOF");
    }

    #[test]
    fn limits_hold_just_under_and_just_over() {
        let limits = BodyLimits { depth: 3, strings: 4, nodes: 2, string_length: 5 };
        let parse = |text: &str| Body::parse(text.as_bytes(), &limits);
        assert!(parse(r#"{"a":[[1]]}"#).is_ok());
        assert_eq!(parse(r#"{"a":[[[1]]]}"#).unwrap_err(), BodyError::TooDeep(3));
        assert!(parse(r#"{"a":["b","c","d"]}"#).is_ok());
        assert!(parse(r#"{"a":["b","c"],"d":"e"}"#).is_err());
        assert!(parse(r#"{"a":[1,2,3,4]}"#).is_err());
        assert!(parse(r#"{"a":"12345"}"#).is_ok());
        assert!(parse(r#"{"a":"123456"}"#).is_err());
        assert!(parse(r#"{"a":"[[[[["}"#).is_ok());
    }
}
