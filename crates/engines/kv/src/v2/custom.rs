//! Notes that users keep beside a secret: what may be in them.

use bulla_kit::{EngineError, Field, FieldKind, RawJson, is_printable};
use indexmap::IndexMap;
use std::collections::BTreeMap;

const MAX_PAIRS: usize = 64;
const MAX_KEY: usize = 128;
const MAX_VALUE: usize = 512;

/// Pairs as they were sent; `None` is a null, which in a patch removes the pair.
#[derive(Clone, Debug)]
pub struct CustomPairs {
    pairs: IndexMap<String, Option<String>>,
    /// A null was sent for the whole map.
    reset: bool,
}

impl Field for CustomPairs {
    const KIND: FieldKind = FieldKind::Map;

    fn decode(raw: &RawJson) -> Result<Self, String> {
        if raw.is_null() {
            return Ok(Self { pairs: IndexMap::new(), reset: true });
        }
        if !raw.get().starts_with('{') {
            return Err("expected an object of texts".into());
        }
        let pairs: IndexMap<String, RawJson> =
            serde_json::from_str(raw.get()).map_err(|_| "expected an object of texts".to_owned())?;
        let pairs = pairs.into_iter().map(|(key, value)| Ok((key, text(&value)?))).collect::<Result<_, String>>()?;
        Ok(Self { pairs, reset: false })
    }

    fn missing() -> Option<Self> {
        None
    }
}

fn text(value: &RawJson) -> Result<Option<String>, String> {
    match value.get().as_bytes() {
        b"null" => Ok(None),
        [b'"', ..] => serde_json::from_str(value.get()).map(Some).map_err(|_| "expected an object of texts".into()),
        [b'0'..=b'9' | b'-', ..] => Ok(Some(value.get().to_owned())),
        _ => Err("custom_metadata validation failed: expected texts as values".into()),
    }
}

impl CustomPairs {
    /// Asks for no notes at all.
    pub fn is_reset(&self) -> bool {
        self.reset
    }

    /// The pairs as a whole new map.
    ///
    /// # Errors
    /// They break a limit.
    pub fn replaced(self) -> Result<BTreeMap<String, String>, EngineError> {
        let pairs = self.pairs.into_iter().map(|(key, value)| (key, value.unwrap_or_default())).collect();
        validate(&pairs)?;
        Ok(pairs)
    }

    /// The pairs merged into `old`.
    ///
    /// # Errors
    /// The result breaks a limit.
    pub fn merged(self, mut old: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, EngineError> {
        for (key, value) in self.pairs {
            match value {
                Some(text) => old.insert(key, text),
                None => old.remove(&key),
            };
        }
        validate(&old)?;
        Ok(old)
    }
}

/// Names every offending key; values are never repeated.
fn validate(pairs: &BTreeMap<String, String>) -> Result<(), EngineError> {
    let mut faults = Vec::new();
    if pairs.len() > MAX_PAIRS {
        faults.push(format!("payload must contain at most {MAX_PAIRS} keys, provided {}", pairs.len()));
    } else {
        for (key, value) in pairs {
            check_pair(key, value, &mut faults);
        }
    }
    if faults.is_empty() {
        return Ok(());
    }
    let plural = if faults.len() == 1 { "error" } else { "errors" };
    let lines: String =
        faults.iter().map(|fault| format!("\n\t* custom_metadata validation failed: {fault}")).collect();
    Err(EngineError::bad(format!("{} {plural} occurred:{lines}\n\n", faults.len())))
}

fn check_pair(key: &str, value: &str, faults: &mut Vec<String>) {
    if key.is_empty() || key.len() > MAX_KEY {
        faults.push(format!("length of key {key:?} is {} but must be 0 < len(key) <= {MAX_KEY}", key.len()));
    }
    if value.is_empty() || value.len() > MAX_VALUE {
        let length = value.len();
        faults.push(format!("length of value for key {key:?} is {length} but must be 0 < len(value) <= {MAX_VALUE}"));
    }
    if !key.chars().all(is_printable) {
        faults.push(format!("key {key:?} contains unprintable characters"));
    }
    if !value.chars().all(is_printable) {
        faults.push(format!("value for key {key:?} contains unprintable characters"));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn pairs(text: &str) -> Result<BTreeMap<String, String>, String> {
        CustomPairs::decode(&RawJson::parse(text.into()).unwrap())?.replaced().map_err(|e| e.to_string())
    }

    fn one(key: &str, value: &str) -> Result<BTreeMap<String, String>, String> {
        pairs(&serde_json::json!({ key: value }).to_string())
    }

    #[test]
    fn limits_hold_just_under_and_just_over() {
        let many = |n: usize| {
            serde_json::json!((0..n).map(|i| (format!("k{i:02}"), "v")).collect::<BTreeMap<_, _>>()).to_string()
        };
        assert!(pairs(&many(64)).is_ok());
        assert!(pairs(&many(65)).unwrap_err().contains("at most 64 keys, provided 65"));
        assert!(one(&"k".repeat(128), "v").is_ok());
        assert!(one(&"k".repeat(129), "v").unwrap_err().contains("is 129 but"));
        assert!(one("k", &"v".repeat(512)).is_ok());
        assert!(one("k", &"v".repeat(513)).unwrap_err().contains("is 513 but"));
        assert!(one("", "v").is_err());
        assert!(one("k", "").is_err());
    }

    #[test]
    fn only_what_prints() {
        for good in ["ключ", "значение ✓", "e\u{301}", "a b", "\"q\" \\ '", "🔑"] {
            assert!(one("k", good).is_ok(), "{good}");
        }
        for bad in ["tab\there", "\u{1}", "\u{200b}", "\u{a0}", "\u{202e}", "\u{e000}"] {
            assert!(one("k", bad).is_err(), "{bad:?}");
            assert!(one(&format!("k{bad}"), "v").is_err(), "{bad:?}");
        }
    }

    #[test]
    fn texts_and_numbers_only() {
        assert_eq!(pairs(r#"{"n":1.0}"#).unwrap()["n"], "1.0");
        for bad in [r#"{"a":["canary"]}"#, r#"{"a":true}"#, r#"{"a":{}}"#, "\"canary\"", "[\"a=b\"]"] {
            let error = pairs(bad).unwrap_err();
            assert!(!error.contains("canary"), "{error}");
        }
        assert!(!one("k", &"canary".repeat(100)).unwrap_err().contains("canary"));
    }

    #[test]
    fn patches_merge_pair_by_pair() {
        let old = BTreeMap::from([("x".to_owned(), "1".to_owned()), ("y".to_owned(), "2".to_owned())]);
        let patch = CustomPairs::decode(&RawJson::parse(r#"{"x":null,"z":"3","q":null}"#.into()).unwrap()).unwrap();
        let merged = patch.merged(old).unwrap();
        assert_eq!(merged.into_iter().collect::<Vec<_>>(), [("y".into(), "2".into()), ("z".into(), "3".into())]);
    }
}
