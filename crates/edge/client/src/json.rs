//! JSON as it was sent: numbers keep their text, objects keep their order.
//!
//! `serde_json::Value` would turn `1.0` or a 30-digit integer into something else; what a server said must come out of
//! a command line unchanged. Not here: the shapes of the API (`secret`, `sys`).

use std::{collections::HashMap, fmt, fmt::Write as _};

use serde::{
    Deserialize,
    de::{Deserializer, MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// As deep as `serde_json` itself goes.
const MAX_DEPTH: usize = 128;

/// A JSON value. `Debug` tells the kind and size, never the content.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Json {
    #[default]
    Null,
    Bool(bool),
    /// The number's text as it was sent.
    Number(String),
    Text(String),
    List(Vec<Json>),
    /// Members in the order they were sent; a repeated name keeps its last value.
    Object(Vec<(String, Json)>),
}

/// The text is not JSON, or nested too deeply.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    #[error("not valid JSON")]
    Syntax(#[source] serde_json::Error),
    #[error("JSON is nested more than {MAX_DEPTH} levels deep")]
    TooDeep,
}

impl Json {
    /// Parses a whole document.
    ///
    /// # Errors
    /// [`JsonError::Syntax`] for anything that is not one JSON value, [`JsonError::TooDeep`] beyond 128 levels.
    pub fn parse(bytes: &[u8]) -> Result<Self, JsonError> {
        let raw: &RawValue = serde_json::from_slice(bytes).map_err(JsonError::Syntax)?;
        Self::from_raw(raw, 0)
    }

    pub fn text(value: impl Into<String>) -> Self {
        Self::Text(value.into())
    }

    pub fn int(value: impl Into<i128>) -> Self {
        Self::Number(value.into().to_string())
    }

    pub fn texts<S: AsRef<str>>(values: &[S]) -> Self {
        Self::List(values.iter().map(|v| Self::text(v.as_ref())).collect())
    }

    /// An object of these members, in this order.
    pub fn object<K: Into<String>>(members: impl IntoIterator<Item = (K, Json)>) -> Self {
        Self::Object(members.into_iter().map(|(k, v)| (k.into(), v)).collect())
    }

    /// The member of an object; `None` for other kinds, too.
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.members().iter().find(|(k, _)| k == name).map(|(_, v)| v)
    }

    /// The members of an object; empty for other kinds.
    pub fn members(&self) -> &[(String, Self)] {
        if let Self::Object(members) = self { members } else { &[] }
    }

    /// The items of a list; empty for other kinds.
    pub fn items(&self) -> &[Self] {
        if let Self::List(items) = self { items } else { &[] }
    }

    pub fn as_str(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(value) = self { Some(*value) } else { None }
    }

    /// A whole number that fits.
    pub fn as_i64(&self) -> Option<i64> {
        if let Self::Number(text) = self { text.parse().ok() } else { None }
    }

    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Sets a member of an object in place or at the end; does nothing to other kinds.
    pub fn set(&mut self, name: &str, value: Self) {
        if let Self::Object(members) = self {
            match members.iter_mut().find(|(k, _)| k == name) {
                Some((_, old)) => *old = value,
                None => members.push((name.to_owned(), value)),
            }
        }
    }

    /// The value with the members of every object in the order of their names.
    pub fn sorted(&self) -> Self {
        match self {
            Self::List(items) => Self::List(items.iter().map(Self::sorted).collect()),
            Self::Object(members) => {
                let mut members: Vec<_> = members.iter().map(|(k, v)| (k.clone(), v.sorted())).collect();
                members.sort_by(|a, b| a.0.cmp(&b.0));
                Self::Object(members)
            }
            other => other.clone(),
        }
    }

    /// On one line, for a request's body.
    pub fn compact(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, None, 0);
        out
    }

    /// Two spaces a level; `<`, `>` and `&` escaped, as the established command lines print it.
    pub fn pretty(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, Some("  "), 0);
        out
    }

    fn write(&self, out: &mut String, indent: Option<&str>, level: usize) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Number(text) => out.push_str(text),
            Self::Text(text) => write_text(out, text),
            Self::List(items) if items.is_empty() => out.push_str("[]"),
            Self::Object(members) if members.is_empty() => out.push_str("{}"),
            Self::List(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    begin_item(out, i, indent, level + 1);
                    item.write(out, indent, level + 1);
                }
                end_items(out, indent, level);
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (i, (name, value)) in members.iter().enumerate() {
                    begin_item(out, i, indent, level + 1);
                    write_text(out, name);
                    out.push_str(if indent.is_some() { ": " } else { ":" });
                    value.write(out, indent, level + 1);
                }
                end_items(out, indent, level);
                out.push('}');
            }
        }
    }

    fn from_raw(raw: &RawValue, depth: usize) -> Result<Self, JsonError> {
        if depth > MAX_DEPTH {
            return Err(JsonError::TooDeep);
        }
        let text = raw.get();
        Ok(match text.as_bytes().first() {
            Some(b'{') => Self::Object(Self::object_from(text, depth)?),
            Some(b'[') => {
                let items: Vec<&RawValue> = serde_json::from_str(text).map_err(JsonError::Syntax)?;
                Self::List(items.into_iter().map(|item| Self::from_raw(item, depth + 1)).collect::<Result<_, _>>()?)
            }
            Some(b'"') => Self::Text(serde_json::from_str(text).map_err(JsonError::Syntax)?),
            Some(b't') => Self::Bool(true),
            Some(b'f') => Self::Bool(false),
            Some(b'n') => Self::Null,
            _ => Self::Number(text.to_owned()),
        })
    }

    fn object_from(text: &str, depth: usize) -> Result<Vec<(String, Self)>, JsonError> {
        let Members(raw) = serde_json::from_str(text).map_err(JsonError::Syntax)?;
        let mut places: HashMap<String, usize> = HashMap::with_capacity(raw.len());
        let mut members: Vec<(String, Self)> = Vec::with_capacity(raw.len());
        for (name, value) in raw {
            let value = Self::from_raw(value, depth + 1)?;
            if let Some(&place) = places.get(&name) {
                members[place].1 = value;
            } else {
                places.insert(name.clone(), members.len());
                members.push((name, value));
            }
        }
        Ok(members)
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("Json(null)"),
            Self::Bool(_) => f.write_str("Json(bool)"),
            Self::Number(_) => f.write_str("Json(number)"),
            Self::Text(text) => write!(f, "Json(text, {} bytes)", text.len()),
            Self::List(items) => write!(f, "Json(list of {})", items.len()),
            Self::Object(members) => write!(f, "Json(object of {})", members.len()),
        }
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<&str> for Json {
    fn from(value: &str) -> Self {
        Self::text(value)
    }
}

struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    members.push(entry);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

fn begin_item(out: &mut String, index: usize, indent: Option<&str>, level: usize) {
    if index > 0 {
        out.push(',');
    }
    end_items(out, indent, level);
}

fn end_items(out: &mut String, indent: Option<&str>, level: usize) {
    if let Some(indent) = indent {
        out.push('\n');
        for _ in 0..level {
            out.push_str(indent);
        }
    }
}

fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                // writing to a String cannot fail
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn numbers_and_order_survive() {
        let text = r#"{"z":1.0,"a":123456789012345678901234567890,"n":[1e3,null,true],"e":{}}"#;
        assert_eq!(Json::parse(text.as_bytes()).unwrap().compact(), text);
    }

    #[test]
    fn last_of_repeated_names_wins_in_the_first_place() {
        assert_eq!(Json::parse(br#"{"a":1,"b":2,"a":3}"#).unwrap().compact(), r#"{"a":3,"b":2}"#);
    }

    #[test]
    fn pretty_escapes_like_go() {
        let value = Json::object([("k", Json::text("<a>&\"\n\u{1}é"))]);
        assert_eq!(value.pretty(), "{\n  \"k\": \"\\u003ca\\u003e\\u0026\\\"\\n\\u0001é\"\n}");
    }

    #[test]
    fn depth_is_limited() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(Json::parse(nested(127).as_bytes()).is_ok());
        assert!(Json::parse(nested(200).as_bytes()).is_err());
    }

    #[test]
    fn debug_hides_content() {
        assert_eq!(format!("{:?}", Json::text("hunter2")), "Json(text, 7 bytes)");
    }
}
