//! Percent-decoding, query strings and forms. Not here: what a parameter means.

use bulla_kit::{Body, RawJson};
use bulla_types::PathError;
use std::borrow::Cow;

/// Members of one query or form, before JSON is made of them; a bound on what an anonymous caller can make us build.
const MAX_MEMBERS: usize = 1000;

/// Decodes `%xx` once.
///
/// # Errors
/// A `%` that is not followed by two hexadecimal digits, or bytes that are no UTF-8.
pub(crate) fn percent_decode(text: &str) -> Result<Cow<'_, str>, PathError> {
    if !text.contains('%') {
        return Ok(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (Some(high), Some(low)) = (after.first().and_then(|b| digit(*b)), after.get(1).and_then(|b| digit(*b)))
        else {
            return Err(PathError::NotUtf8);
        };
        bytes.push(high << 4 | low);
        rest = &after[2..];
    }
    String::from_utf8(bytes).map(Cow::Owned).map_err(|_| PathError::NotUtf8)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok())
}

/// Names and values of a query or form, in order; `None` if there are too many or one does not decode.
pub(crate) fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let mut found = Vec::new();
    for part in text.split('&').filter(|p| !p.is_empty()) {
        if found.len() == MAX_MEMBERS {
            return None;
        }
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        found.push((decode_plus(name)?, decode_plus(value)?));
    }
    Some(found)
}

/// Decodes `%xx` once, after `+` has become a blank.
pub(crate) fn decode_plus(text: &str) -> Option<String> {
    let spaced: Cow<'_, str> = if text.contains('+') { text.replace('+', " ").into() } else { text.into() };
    percent_decode(&spaced).ok().map(Cow::into_owned)
}

/// A member given once is a text, one given several times a list of texts.
pub(crate) fn body_of(pairs: Vec<(String, String)>) -> Body {
    let mut grouped: Vec<(String, Vec<String>)> = Vec::with_capacity(pairs.len());
    let mut places = std::collections::HashMap::new();
    for (name, value) in pairs {
        match places.get(&name) {
            Some(place) => {
                let (_, values): &mut (String, Vec<String>) = &mut grouped[*place];
                values.push(value);
            }
            None => {
                places.insert(name.clone(), grouped.len());
                grouped.push((name, vec![value]));
            }
        }
    }
    let json = |values: Vec<String>| match values.as_slice() {
        [one] => RawJson::of(one),
        many => RawJson::of(many),
    };
    Body::from_members(grouped.into_iter().filter_map(|(name, values)| Some((name, json(values).ok()?))).collect())
}

/// Booleans as the reference's language reads them.
pub(crate) fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn decodes_once() {
        assert_eq!(percent_decode("a%2Fb%25").unwrap(), "a/b%");
        assert_eq!(percent_decode("%2525").unwrap(), "%25");
        assert_eq!(percent_decode("%C3%a4+").unwrap(), "ä+");
        for bad in ["%", "%2", "%zz", "a%f", "%ff", "%+1"] {
            assert!(percent_decode(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn members_of_a_query() {
        let body = body_of(pairs("a=1&b=x+y&a=2&c&d=%22").unwrap());
        assert_eq!(body.to_json().get(), r#"{"a":["1","2"],"b":"x y","c":"","d":"\""}"#);
        assert!(pairs(&"a&".repeat(MAX_MEMBERS)).is_some());
        assert!(pairs(&"a&".repeat(MAX_MEMBERS + 1)).is_none());
    }

    #[test]
    fn booleans() {
        assert_eq!(parse_bool("1"), Some(true));
        assert_eq!(parse_bool("False"), Some(false));
        assert_eq!(parse_bool("maybe"), None);
        assert_eq!(parse_bool(""), None);
    }
}
