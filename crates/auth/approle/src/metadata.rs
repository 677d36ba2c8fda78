//! The metadata of a secret id: one text, as the API has it, that holds a JSON object of texts or `key=value` pairs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bulla_kit::EngineError;
use indexmap::IndexMap;

/// All of it goes into every token of the secret id.
const MAX: usize = 16 << 10;

/// A JSON object of texts, the same in base64, or pairs with commas between.
///
/// # Errors
/// None of these, or more than 16 KiB.
pub fn parse(text: &str) -> Result<IndexMap<String, String>, EngineError> {
    let text = text.trim();
    if text.len() > MAX {
        return Err(EngineError::bad(format!("metadata is longer than {MAX} bytes")));
    }
    if text.is_empty() {
        return Ok(IndexMap::new());
    }
    let decoded = STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let text = decoded.as_deref().unwrap_or(text);
    serde_json::from_str(text).ok().or_else(|| pairs(text)).ok_or_else(|| {
        EngineError::bad("failed to parse metadata: failed to parse the input: invalid <key,value> format")
    })
}

fn pairs(text: &str) -> Option<IndexMap<String, String>> {
    if text.starts_with(['{', '[']) {
        return None;
    }
    let pair = |item: &str| {
        let (key, value) = item.split_once('=')?;
        Some((key.trim().to_owned(), value.trim().to_owned())).filter(|(key, _)| !key.is_empty())
    };
    text.split(',').map(pair).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn shown(text: &str) -> Option<String> {
        parse(text).ok().map(|map| serde_json::to_string(&map).unwrap())
    }

    #[test]
    fn three_forms_are_understood() {
        let pairs = Some(r#"{"a":"b","c":"d=e"}"#.to_owned());
        assert_eq!(shown(r#"{"a": "b", "c": "d=e"}"#), pairs);
        assert_eq!(shown("eyJhIjogImIiLCAiYyI6ICJkPWUifQ=="), pairs);
        assert_eq!(shown("a=b, c=d=e"), pairs);
        assert_eq!(shown(" "), Some("{}".into()));
        for bad in ["not json", r#"{"a": [1]}"#, r#"{"a": 1}"#, r#"["a=b"]"#, "a", "=b", "a=b,"] {
            assert_eq!(shown(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_limit_holds_just_under_and_just_over() {
        assert!(parse(&format!("a={}", "x".repeat(MAX - 2))).is_ok());
        assert!(parse(&format!("a={}", "x".repeat(MAX - 1))).is_err());
    }
}
