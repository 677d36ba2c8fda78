//! Types of parameters and the weak input forms in which clients send them: numbers as texts, `"5m"`, comma lists.

use bulla_types::{Seconds, parse_duration};
use bulla_wire::RawJson;
use indexmap::IndexMap;
use serde::Serialize;
use serde_json::Value;

/// What a field is called in documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    Text,
    Bool,
    Int,
    Duration,
    List,
    Map,
    Any,
}

impl FieldKind {
    /// The OpenAPI type and format.
    pub fn openapi(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Text => ("string", None),
            Self::Bool => ("boolean", None),
            Self::Int => ("integer", None),
            Self::Duration => ("integer", Some("seconds")),
            Self::List => ("array", None),
            Self::Map | Self::Any => ("object", None),
        }
    }

    /// The word in the reference's help texts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Duration => "duration (sec)",
            Self::List => "slice",
            Self::Map => "map",
            Self::Any => "object",
        }
    }
}

/// A type a parameter can have. `decode` errors never repeat the value: it may be a secret in the wrong place.
pub trait Field: Sized {
    const KIND: FieldKind;

    /// # Errors
    /// The form is none of the accepted ones.
    fn decode(raw: &RawJson) -> Result<Self, String>;

    /// The value of a parameter that was not sent; `None` = it has to be sent.
    fn missing() -> Option<Self>;
}

/// The value parsed. A number beyond any float is refused here: read leniently it would become null, and so zero.
fn value_of(raw: &RawJson) -> Result<Value, String> {
    serde_json::from_str(raw.get()).map_err(|_| "a number is out of range".to_owned())
}

fn expected(what: &str, value: &Value) -> String {
    let got = match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    format!("expected {what}, got {got}")
}

impl<T: Field> Field for Option<T> {
    const KIND: FieldKind = T::KIND;

    fn decode(raw: &RawJson) -> Result<Self, String> {
        if raw.is_null() { Ok(None) } else { T::decode(raw).map(Some) }
    }

    fn missing() -> Option<Self> {
        Some(None)
    }
}

impl Field for String {
    const KIND: FieldKind = FieldKind::Text;

    fn decode(raw: &RawJson) -> Result<Self, String> {
        // A number keeps the text it was written with.
        if raw.get().starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
            return Ok(raw.get().to_owned());
        }
        match value_of(raw)? {
            Value::String(text) => Ok(text),
            Value::Bool(true) => Ok("1".into()),
            Value::Bool(false) => Ok("0".into()),
            Value::Null => Ok(Self::new()),
            other => Err(expected("a text", &other)),
        }
    }

    fn missing() -> Option<Self> {
        Some(Self::new())
    }
}

impl Field for bool {
    const KIND: FieldKind = FieldKind::Bool;

    fn decode(raw: &RawJson) -> Result<Self, String> {
        match value_of(raw)? {
            Value::Bool(flag) => Ok(flag),
            Value::Number(number) => Ok(number.as_f64() != Some(0.0)),
            Value::String(text) => match text.as_str() {
                "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
                "" | "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
                _ => Err("expected a boolean, got another text".into()),
            },
            Value::Null => Ok(false),
            other => Err(expected("a boolean", &other)),
        }
    }

    fn missing() -> Option<Self> {
        Some(false)
    }
}

/// A boolean that can also be absent; reads better than `Option<bool>` in route tables.
pub type Flag = Option<bool>;

impl Field for i64 {
    const KIND: FieldKind = FieldKind::Int;

    fn decode(raw: &RawJson) -> Result<Self, String> {
        match value_of(raw)? {
            Value::Number(number) => number
                .as_i64()
                .or_else(|| number.as_f64().filter(|f| f.fract() == 0.0 && f.abs() < 9e15).map(|f| f as Self))
                .ok_or_else(|| "expected an integer within 64 bits".into()),
            Value::String(text) if text.is_empty() => Ok(0),
            Value::String(text) => text.trim().parse().map_err(|_| "expected an integer, got another text".into()),
            Value::Bool(flag) => Ok(Self::from(flag)),
            Value::Null => Ok(0),
            other => Err(expected("an integer", &other)),
        }
    }

    fn missing() -> Option<Self> {
        Some(0)
    }
}

/// A duration that may be negative, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SignedDuration(pub i128);

impl Field for SignedDuration {
    const KIND: FieldKind = FieldKind::Duration;

    fn decode(raw: &RawJson) -> Result<Self, String> {
        match value_of(raw)? {
            Value::Number(number) => number
                .as_i64()
                .map(|seconds| i128::from(seconds) * 1_000_000_000)
                .or_else(|| number.as_f64().filter(|f| f.abs() < 9e15).map(|f| (f * 1e9) as i128))
                .map(Self)
                .ok_or_else(|| "expected a duration within 64 bits".into()),
            Value::String(text) => parse_duration(&text).map(Self).map_err(|_| "expected a duration".into()),
            Value::Null => Ok(Self(0)),
            other => Err(expected("a duration", &other)),
        }
    }

    fn missing() -> Option<Self> {
        Some(Self(0))
    }
}

/// A duration of whole seconds, never negative.
pub type Span = Seconds;

impl Field for Seconds {
    const KIND: FieldKind = FieldKind::Duration;

    fn decode(raw: &RawJson) -> Result<Self, String> {
        let SignedDuration(nanos) = SignedDuration::decode(raw)?;
        if nanos < 0 {
            return Err("cannot provide negative value".into());
        }
        Self::of_nanos(nanos).ok_or_else(|| "expected a duration within 64 bits".into())
    }

    fn missing() -> Option<Self> {
        Some(Self::ZERO)
    }
}

/// A JSON list, or one text with commas; items trimmed.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct CommaList(pub Vec<String>);

impl Field for CommaList {
    const KIND: FieldKind = FieldKind::List;

    fn decode(raw: &RawJson) -> Result<Self, String> {
        let item = |value: &Value| match value {
            Value::String(text) => Ok(text.trim().to_owned()),
            Value::Number(number) => Ok(number.to_string()),
            Value::Bool(flag) => Ok(flag.to_string()),
            other => Err(expected("a list of texts", other)),
        };
        match value_of(raw)? {
            Value::Array(items) => items.iter().map(item).collect::<Result<_, _>>().map(Self),
            Value::String(text) if text.is_empty() => Ok(Self::default()),
            Value::String(text) => Ok(Self(text.split(',').map(|s| s.trim().to_owned()).collect())),
            Value::Null => Ok(Self::default()),
            number @ Value::Number(_) => Ok(Self(vec![item(&number)?])),
            other => Err(expected("a list of texts", &other)),
        }
    }

    fn missing() -> Option<Self> {
        Some(Self::default())
    }
}

/// A list of texts; a single text is a list of one (no commas).
impl Field for Vec<String> {
    const KIND: FieldKind = FieldKind::List;

    fn decode(raw: &RawJson) -> Result<Self, String> {
        match value_of(raw)? {
            Value::String(text) if text.is_empty() => Ok(Self::new()),
            Value::String(text) => Ok(vec![text]),
            _ => CommaList::decode(raw).map(|list| list.0),
        }
    }

    fn missing() -> Option<Self> {
        Some(Self::new())
    }
}

/// An object of texts, or texts `k=v` (one, a list, or comma separated).
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct KeyValues(pub IndexMap<String, String>);

impl Field for KeyValues {
    const KIND: FieldKind = FieldKind::Map;

    fn decode(raw: &RawJson) -> Result<Self, String> {
        match value_of(raw)? {
            Value::Object(map) => map
                .into_iter()
                .map(|(key, value)| match value {
                    Value::String(text) => Ok((key, text)),
                    Value::Number(number) => Ok((key, number.to_string())),
                    Value::Bool(flag) => Ok((key, if flag { "1".into() } else { "0".into() })),
                    other => Err(expected("a map of texts", &other)),
                })
                .collect::<Result<_, _>>()
                .map(Self),
            Value::Null => Ok(Self::default()),
            _ => CommaList::decode(raw)?
                .0
                .iter()
                .map(|pair| {
                    let (key, value) = pair.split_once('=').ok_or("expected pairs of the form key=value")?;
                    Ok((key.trim().to_owned(), value.trim().to_owned()))
                })
                .collect::<Result<_, String>>()
                .map(Self),
        }
    }

    fn missing() -> Option<Self> {
        Some(Self::default())
    }
}

/// Any JSON object, kept as its text.
#[derive(Clone, Debug)]
pub struct JsonObject(pub RawJson);

impl Field for JsonObject {
    const KIND: FieldKind = FieldKind::Map;

    fn decode(raw: &RawJson) -> Result<Self, String> {
        if raw.get().starts_with('{') { Ok(Self(raw.clone())) } else { Err(expected("an object", &value_of(raw)?)) }
    }

    fn missing() -> Option<Self> {
        None
    }
}

/// Any JSON value, kept as its text.
impl Field for RawJson {
    const KIND: FieldKind = FieldKind::Any;

    fn decode(raw: &RawJson) -> Result<Self, String> {
        Ok(raw.clone())
    }

    fn missing() -> Option<Self> {
        Some(Self::null())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn raw(text: &str) -> RawJson {
        RawJson::parse(text.into()).unwrap()
    }

    #[test]
    fn weak_forms_are_accepted() {
        assert_eq!(i64::decode(&raw("\"12\"")), Ok(12));
        assert_eq!(bool::decode(&raw("\"true\"")), Ok(true));
        assert_eq!(bool::decode(&raw("0")), Ok(false));
        assert_eq!(Seconds::decode(&raw("\"1h\"")), Ok(Seconds(3600)));
        assert_eq!(Seconds::decode(&raw("90")), Ok(Seconds(90)));
        // Zero is "none" or "for ever".
        for (text, seconds) in
            [("\"900ms\"", 1), ("\"1ns\"", 1), ("\"1500ms\"", 1), ("\"2s\"", 2), ("\"0s\"", 0), ("0", 0)]
        {
            assert_eq!(Seconds::decode(&raw(text)), Ok(Seconds(seconds)), "{text}");
        }
        assert_eq!(CommaList::decode(&raw("\"a, b\"")).unwrap().0, ["a", "b"]);
        assert_eq!(Vec::<String>::decode(&raw("\"a, b\"")).unwrap(), ["a, b"]);
        assert_eq!(String::decode(&raw("5")), Ok("5".into()));
        assert_eq!(KeyValues::decode(&raw("[\"a=b\"]")).unwrap().0["a"], "b");
    }

    #[test]
    fn refusals_never_repeat_the_value() {
        let canary = raw("\"canary\"");
        assert!(!i64::decode(&canary).unwrap_err().contains("canary"));
        assert!(!bool::decode(&canary).unwrap_err().contains("canary"));
        assert!(!Seconds::decode(&canary).unwrap_err().contains("canary"));
        assert!(!KeyValues::decode(&canary).unwrap_err().contains("canary"));
        assert!(!JsonObject::decode(&canary).unwrap_err().contains("canary"));
        assert!(Seconds::decode(&raw("-1")).is_err());
    }

    #[test]
    fn numbers_beyond_any_float_are_not_zero() {
        assert!(i64::decode(&raw("1e400")).is_err());
        assert!(bool::decode(&raw("1e400")).is_err());
        assert!(Seconds::decode(&raw("1e400")).is_err());
        assert!(CommaList::decode(&raw("[1e400]")).is_err());
        assert_eq!(String::decode(&raw("1e400")), Ok("1e400".into()));
    }
}
