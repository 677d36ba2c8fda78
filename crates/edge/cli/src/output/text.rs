//! Single values as text, the way Go prints them, because that is what scripts have learned to cut apart.

use std::borrow::Cow;

use bulla_client::Json;
use bulla_types::go_duration_text;

const LINE: usize = 78;

/// A value in a table cell: `[a b]`, `map[k:v]`, `<nil>`, texts and numbers as they are.
pub fn display(value: &Json) -> String {
    match value {
        Json::Null => "<nil>".to_owned(),
        Json::Bool(value) => value.to_string(),
        Json::Number(text) | Json::Text(text) => text.clone(),
        Json::List(items) => format!("[{}]", items.iter().map(display).collect::<Vec<_>>().join(" ")),
        Json::Object(_) => {
            let sorted = value.sorted();
            let members: Vec<String> = sorted.members().iter().map(|(k, v)| format!("{k}:{}", display(v))).collect();
            format!("map[{}]", members.join(" "))
        }
    }
}

/// Texts in Go's `%q`: `["a" "b"]`.
pub fn quoted_list(value: &Json) -> String {
    let items: Vec<String> = value.items().iter().filter_map(Json::as_str).map(|item| format!("{item:?}")).collect();
    format!("[{}]", items.join(" "))
}

/// Names of values that are seconds, by custom.
pub fn looks_like_duration(name: &str) -> bool {
    ["period", "ttl", "duration"]
        .iter()
        .any(|word| name.strip_suffix(word).is_some_and(|before| before.is_empty() || before.ends_with('_')))
        || matches!(name, "lease_max" | "ttl_max")
}

/// Seconds as `1h30m`: Go's form without its trailing zeros.
pub fn human_seconds(seconds: i64) -> String {
    let text = go_duration_text(i128::from(seconds) * 1_000_000_000);
    let text = if text.ends_with("m0s") { &text[..text.len() - 2] } else { &text };
    match text.find("h0m") {
        Some(at) if at > 0 => format!("{}{}", &text[..=at], &text[at + 3..]),
        _ => text.to_owned(),
    }
}

/// An RFC 3339 time as Go's `String()` prints it: `2026-11-24 16:16:42.5 +0000 UTC`.
pub fn go_time(rfc3339: &str) -> String {
    let Some((date, rest)) = rfc3339.split_once('T') else { return rfc3339.to_owned() };
    if let Some(time) = rest.strip_suffix('Z') {
        return format!("{date} {time} +0000 UTC");
    }
    match rest.rfind(['+', '-']) {
        Some(at) => {
            let zone = rest[at..].replace(':', "");
            format!("{date} {} {zone} {zone}", &rest[..at])
        }
        None => rfc3339.to_owned(),
    }
}

/// `== Title ==`, about as wide as what stands below it.
pub fn titled(title: &str, width: usize) -> String {
    let mut signs = width.saturating_sub(title.len() + 2);
    if signs == 0 {
        signs = 4;
    }
    let side = "=".repeat(signs.div_ceil(2));
    format!("{side} {title} {side}")
}

/// Lines of at most 78 columns, each behind `indent` spaces.
pub fn wrap(text: &str, indent: usize) -> String {
    let pad = " ".repeat(indent);
    let mut lines: Vec<String> = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        for word in paragraph.split(' ').filter(|w| !w.is_empty()) {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > LINE - indent {
                lines.push(format!("{pad}{line}"));
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(if line.is_empty() { line } else { format!("{pad}{line}") });
    }
    lines.join("\n")
}

/// For a terminal: control characters as they are written, for they could move what was said before, or answer in the
/// user's name. What a server sends may be anybody's.
pub fn harmless(text: &str) -> Cow<'_, str> {
    let is_harmful = |(i, c): (usize, char)| match c {
        '\n' | '\t' => false,
        '\r' => !text[i + 1..].starts_with('\n'),
        other => other.is_control(),
    };
    if !text.char_indices().any(is_harmful) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for (i, c) in text.char_indices() {
        if is_harmful((i, c)) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown.into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn values() {
        let value = Json::parse(br#"{"b":[1,"x",null],"a":true}"#).unwrap();
        assert_eq!(display(&value), "map[a:true b:[1 x <nil>]]");
        assert_eq!(quoted_list(&Json::texts(&["default", "x"])), r#"["default" "x"]"#);
        assert_eq!(quoted_list(&Json::Null), "[]");
    }

    #[test]
    fn durations() {
        for (seconds, text) in [
            (0, "0s"),
            (300, "5m"),
            (1799, "29m59s"),
            (3600, "1h"),
            (2_764_800, "768h"),
            (5400, "1h30m"),
            (3605, "1h5s"),
        ] {
            assert_eq!(human_seconds(seconds), text);
        }
        assert!(looks_like_duration("ttl") && looks_like_duration("max_ttl") && looks_like_duration("lease_duration"));
        assert!(!looks_like_duration("battle") && !looks_like_duration("xttl") && !looks_like_duration("ttls"));
    }

    #[test]
    fn titles() {
        assert_eq!(titled("Metadata", 24), "======= Metadata =======");
        assert_eq!(titled("Secret Path", 15), "= Secret Path =");
        assert_eq!(titled("Data", 10), "== Data ==");
        assert_eq!(titled("Secret Path", 3), "== Secret Path ==");
    }

    #[test]
    fn times() {
        assert_eq!(go_time("2026-11-24T16:16:42.5Z"), "2026-11-24 16:16:42.5 +0000 UTC");
        assert_eq!(go_time("2026-11-24T16:16:42+01:00"), "2026-11-24 16:16:42 +0100 +0100");
    }

    #[test]
    fn a_terminal_is_not_commanded() {
        assert_eq!(harmless("a\n\tb\r\nü"), "a\n\tb\r\nü");
        assert_eq!(harmless("\x1b]0;x\x07\u{9b}2J\rb\x08"), "\\u{1b}]0;x\\u{7}\\u{9b}2J\\rb\\u{8}");
    }
}
