//! A small YAML writer: names sorted, lists at the level of their name, texts quoted where YAML 1.1 would read them as
//! something else.

use bulla_client::Json;

/// The value as a YAML document without the newline at its end.
pub fn yaml(value: &Json) -> String {
    let mut out = String::new();
    write(&mut out, &value.sorted(), 0);
    out.trim_end().to_owned()
}

fn write(out: &mut String, value: &Json, level: usize) {
    match value {
        Json::Object(members) if !members.is_empty() => {
            for (i, (name, value)) in members.iter().enumerate() {
                if i > 0 {
                    indent(out, level);
                }
                // A block has no place before a colon.
                out.push_str(&if name.contains('\n') { quoted(name) } else { scalar(name, level) });
                out.push(':');
                write_member(out, value, level);
            }
        }
        Json::List(items) if !items.is_empty() => {
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    indent(out, level);
                }
                out.push_str("- ");
                write(out, item, level + 1);
            }
        }
        other => {
            out.push_str(&leaf(other, level));
            out.push('\n');
        }
    }
}

fn write_member(out: &mut String, value: &Json, level: usize) {
    match value {
        Json::Object(members) if !members.is_empty() => {
            out.push('\n');
            indent(out, level + 1);
            write(out, value, level + 1);
        }
        Json::List(items) if !items.is_empty() => {
            out.push('\n');
            indent(out, level);
            write(out, value, level);
        }
        other => {
            out.push(' ');
            out.push_str(&leaf(other, level + 1));
            out.push('\n');
        }
    }
}

fn leaf(value: &Json, level: usize) -> String {
    match value {
        Json::Null => "null".to_owned(),
        Json::Bool(value) => value.to_string(),
        Json::Number(text) => text.clone(),
        Json::Text(text) => scalar(text, level),
        Json::List(_) => "[]".to_owned(),
        Json::Object(_) => "{}".to_owned(),
    }
}

fn scalar(text: &str, level: usize) -> String {
    if text.contains('\n') && !text.contains(|c| c != '\n' && is_special(c)) && !text.starts_with([' ', '\n']) {
        return block(text, level);
    }
    if text.contains(is_special) || means_something_else(text) {
        return quoted(text);
    }
    if needs_quotes(text) { format!("'{}'", text.replace('\'', "''")) } else { text.to_owned() }
}

/// What YAML ends lines at, or does not take at all unless it is escaped.
fn is_special(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

/// JSON's quoting is YAML's, but for what JSON may leave as it is.
fn quoted(text: &str) -> String {
    let json = Json::text(text).compact();
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if is_special(c) {
            out.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    out
}

fn block(text: &str, level: usize) -> String {
    let keep = if text.ends_with("\n\n") {
        "|+"
    } else if text.ends_with('\n') {
        "|"
    } else {
        "|-"
    };
    let pad = "  ".repeat(level.max(1));
    let body = text.strip_suffix('\n').unwrap_or(text);
    let lines: Vec<String> =
        body.split('\n').map(|line| if line.is_empty() { String::new() } else { format!("{pad}{line}") }).collect();
    format!("{keep}\n{}", lines.join("\n"))
}

/// Words, numbers and times that a reader would not take for text.
fn means_something_else(text: &str) -> bool {
    const WORDS: [&str; 12] = ["", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", "<<"];
    let lower = text.to_ascii_lowercase();
    let bare = lower.trim_start_matches(['+', '-']);
    WORDS.contains(&lower.as_str())
        || matches!(bare, ".inf" | ".nan")
        || bare.replace('_', "").parse::<f64>().is_ok() && bare.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        || ["0x", "0o", "0b"].iter().any(|p| bare.starts_with(p))
        || looks_like_time(text)
        || is_sexagesimal(bare)
}

/// `12:30:45` and `190:20:30.15`, numbers of YAML 1.1.
fn is_sexagesimal(text: &str) -> bool {
    let Some((whole, rest)) = text.split_once(':') else { return false };
    let (sixtieths, fraction) = rest.split_once('.').unwrap_or((rest, ""));
    let is_number = |part: &str| part.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    let is_sixtieth = |part: &str| matches!(part.as_bytes(), [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9']);
    whole.starts_with(|c: char| c.is_ascii_digit())
        && is_number(whole)
        && is_number(fraction)
        && sixtieths.split(':').all(is_sixtieth)
}

fn looks_like_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 8
        && bytes[..4].iter().all(u8::is_ascii_digit)
        && bytes[4] == b'-'
        && text.parse::<i64>().is_err()
        && {
            let date = text.split(['T', 't', ' ']).next().unwrap_or_default();
            date.split('-').count() == 3
                && date.split('-').all(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()))
        }
}

fn needs_quotes(text: &str) -> bool {
    let second_is_space = text.chars().nth(1).is_none_or(char::is_whitespace);
    text.starts_with(|c: char| c.is_whitespace() || ",[]{}#&*!|>'\"%@`=".contains(c))
        || text.starts_with(['-', '?', ':']) && second_is_space
        || text.starts_with("---")
        || text.ends_with(|c: char| c.is_whitespace() || c == ':')
        || text.contains(": ")
        || text.contains(" #")
}

fn indent(out: &mut String, level: usize) {
    out.push_str(&"  ".repeat(level));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn as_the_reference_prints_it() {
        let value =
            Json::parse(br#"{"warnings":null,"data":{"y":"two","x":"1"},"n":0,"l":[{"b":1,"a":["q"]},"s"],"e":""}"#);
        let want = "data:\n  x: \"1\"\n  \"y\": two\ne: \"\"\nl:\n- a:\n  - q\n  b: 1\n- s\n\"n\": 0\nwarnings: null";
        assert_eq!(yaml(&value.unwrap()), want);
    }

    #[test]
    fn quoting() {
        for (text, want) in [
            ("a: b", "'a: b'"),
            ("*x", "'*x'"),
            ("it's", "it's"),
            ("1.5", "\"1.5\""),
            ("1h", "1h"),
            ("12:30:45", "\"12:30:45\""),
            ("-190:20:30.15", "\"-190:20:30.15\""),
            ("1:99", "1:99"),
            ("127.0.0.1:8200", "127.0.0.1:8200"),
            ("2026-11-24T16:16:42Z", "\"2026-11-24T16:16:42Z\""),
            ("a\tb", "\"a\\tb\""),
            ("-x", "-x"),
            ("- x", "'- x'"),
            // Once half of a value was a comment, and a whole document was none.
            ("a\u{2028}#b", "\"a\\u2028#b\""),
            ("a\n\u{2029}", "\"a\\n\\u2029\""),
            ("\u{7f}\u{85}\u{feff}", "\"\\u007f\\u0085\\ufeff\""),
        ] {
            assert_eq!(scalar(text, 0), want);
        }
        assert_eq!(yaml(&Json::object([("k", Json::text("a\nb\n"))])), "k: |\n  a\n  b");
        // A block has no place before a colon.
        assert_eq!(yaml(&Json::object([("a\nb", Json::Null)])), "\"a\\nb\": null");
    }
}
