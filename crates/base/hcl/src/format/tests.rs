//! Layouts by example, and that no layout changes what a text means, loses a comment, or is changed by a second run.
#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::{fmt, pieces};
use crate::{Kind, Object, Value, parse};

/// Before and after.
const LAYOUTS: &[(&str, &str)] = &[
    (r#"path "a" {capabilities=["read"]}"#, "path \"a\" {\n  capabilities = [\"read\"]\n}\n"),
    (
        r#"path   "a"{capabilities=["read","list",]}path "b"{}"#,
        "path \"a\" {\n  capabilities = [\"read\", \"list\"]\n}\n\npath \"b\" {}\n",
    ),
    // As the reference has it: items of one line are no neighbours, those of two lines are.
    (
        "path \"a\" { capabilities = [\"read\"], max_wrapping_ttl = 1 }",
        "path \"a\" {\n  capabilities = [\"read\"]\n\n  max_wrapping_ttl = 1\n}\n",
    ),
    ("a { b = 1 # one\n long = \"x\" # two\n}", "a {\n  b    = 1   # one\n  long = \"x\" # two\n}\n"),
    (
        "path \"a\" { allowed_parameters = { \"*\" = [] } }",
        "path \"a\" {\n  allowed_parameters = {\n    \"*\" = []\n  }\n}\n",
    ),
    (
        "# top\npath   \"a\"   {\n capabilities=[\"read\",\n\"list\"]   # why\n\n\n\n  x = 1\n     longer   =   \"a=b {\"\n}\n\n\n",
        "# top\npath \"a\" {\n  capabilities = [\"read\",\n    \"list\",\n  ] # why\n\n  x      = 1\n  longer = \"a=b {\"\n}\n",
    ),
    // Comments in odd places.
    ("a /* x */ = # y\n 1 // z\n", "/* x */\n# y\na = 1 // z\n"),
    ("a { # first\n\n b = 1 /* last */ }", "a {\n  # first\n\n  b = 1 /* last */\n}\n"),
    ("a = [1, /* two */ 2 # end\n]", "a = [\n  1, /* two */\n  2, # end\n]\n"),
    ("a = [ # why\n 1]", "a = [\n  # why\n  1,\n]\n"),
    ("/* one\n   two */ a = 1", "/* one\n   two */\na = 1\n"),
    ("# a\n\n# b\nx = 1 # c\n# d", "# a\n\n# b\nx = 1 # c\n\n# d\n"),
    // What must stand as it was written.
    ("a { b = <<EOF\n  keep   me  \nEOF\n}", "a {\n  b = <<EOF\n  keep   me  \nEOF\n}\n"),
    ("a = [<<E\nx\nE\n, 2]", "a = [\n  <<E\nx\nE\n  ,\n  2,\n]\n"),
    ("path \"a\" = { x = 1 }", "path \"a\" = {\n  x = 1\n}\n"),
    ("a = [{ b = 1 }, { b = 2 }]", "a = [{\n  b = 1\n}, {\n  b = 2\n}]\n"),
    ("a = \"${f(\"x\")} {\"", "a = \"${f(\"x\")} {\"\n"),
    ("", "\n"),
    ("# alone", "# alone\n"),
    ("\u{feff}a=1", "a = 1\n"),
    ("{\"a\": 1}", "{\"a\": 1}"),
];

#[test]
fn layouts() {
    for (text, want) in LAYOUTS {
        assert_eq!(fmt(text).as_deref(), Ok(*want), "{text}");
        assert_eq!(fmt(want).as_deref(), Ok(*want), "a second run: {text}");
    }
    assert!(fmt("a {").is_err());
}

/// Pieces that meet the branches of the lexer more often than random characters do.
fn soup() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a",
        "path",
        "\"x\"",
        "{",
        "}",
        "[",
        "]",
        "=",
        ",",
        "\n",
        " ",
        "1",
        "\"${\n\"y\"}\"",
        "<<E\n",
        "<<-E\n",
        "\nE\n",
        "E",
        "# c",
        "// c",
        "/* c",
        "*/",
        "true",
        "\r\n",
        "a = 1",
        "b {",
        "x = [",
    ]);
    prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

/// White space and comments, as they may stand between any two tokens.
fn gap() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        " ",
        " ",
        " ",
        " ",
        "\n",
        "\n\n\n",
        "\t",
        " # note\n",
        "\n// line\n",
        " /* in */ ",
        "\n/* two\n  lines */\n",
        "\r\n",
    ])
    .prop_map(str::to_owned)
}

fn joined(parts: impl IntoIterator<Item = (String, String)>) -> String {
    parts.into_iter().flat_map(|(part, gap)| [part, gap]).collect()
}

fn literal() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "\"read\"",
        "\"a b\\\"\"",
        "1",
        "-2.5",
        "true",
        "\"5m\"",
        "\"${f(\"x\")}\"",
        "<<EOT\n a\n  b\nEOT\n",
        "<<-E\n  x\n  E\n",
    ])
    .prop_map(str::to_owned)
}

fn value() -> impl Strategy<Value = String> {
    literal().prop_recursive(3, 12, 4, |inner| {
        let items = prop::collection::vec((inner.clone(), gap(), gap()), 0..4);
        let list = (items, gap(), any::<bool>()).prop_map(|(items, last, comma)| {
            let items: Vec<String> = items.into_iter().map(|(value, a, b)| format!("{a}{value}{b}")).collect();
            format!("[{}{}{last}]", items.join(","), if comma && !items.is_empty() { "," } else { "" })
        });
        let object =
            prop::collection::vec(attribute(inner), 0..3).prop_map(|items| format!("{{ {} }}", items.concat()));
        prop_oneof![list, object]
    })
}

fn attribute(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec!["capabilities", "max_wrapping_ttl", "\"*\"", "a.b", "x"]);
    let end = prop::sample::select(vec!["", "", ",", "\n", "\n\n"]);
    (key, gap(), gap(), value, gap(), end).prop_map(|(key, a, b, value, c, end)| {
        joined([(key.to_owned(), a), ("=".into(), b), (value, c), (end.into(), " ".into())])
    })
}

fn policy() -> impl Strategy<Value = String> {
    let label = prop::sample::select(vec!["\"secret/*\"", "\"a\" \"b\"", "\"+/x\"", "id"]);
    let block = (label, gap(), prop::collection::vec(attribute(value()), 0..4), gap(), gap())
        .prop_map(|(label, a, items, b, c)| format!("path{a}{label}{b}{{{c}{}}}{a}", items.concat()));
    prop::collection::vec(prop_oneof![3 => block, 1 => attribute(value())], 0..4).prop_map(|rules| rules.concat())
}

fn comments(text: &str) -> Vec<String> {
    let found = pieces::pieces(text).unwrap();
    found.iter().filter(|piece| piece.what == pieces::What::Comment).map(|piece| piece.raw.to_owned()).collect()
}

/// Whether each item stands on a line of its own, below its brace.
fn is_broken_up(object: &Object) -> bool {
    let mut line = 0;
    object.items.iter().all(|item| {
        let is_below = item.pos().line > line;
        line = item.pos().line;
        is_below && is_broken_up_in(&item.value)
    })
}

fn is_broken_up_in(value: &Value) -> bool {
    match &value.kind {
        Kind::Object(object) => {
            object.items.first().is_none_or(|item| item.pos().line > object.pos.line) && is_broken_up(object)
        }
        Kind::List(elements) => elements.iter().all(is_broken_up_in),
        _ => true,
    }
}

/// Whether the text parses; if it does, its layout is checked.
fn checked(text: &str) -> Result<bool, TestCaseError> {
    let Ok(once) = fmt(text) else { return Ok(false) };
    let twice = fmt(&once);
    prop_assert_eq!(twice.as_ref(), Ok(&once), "a second run: {:?}", text);
    let (before, after) = (parse(text).unwrap(), parse(&once).unwrap());
    prop_assert_eq!(shape(&after.body), shape(&before.body), "{:?}", text);
    if !before.is_json {
        prop_assert_eq!(comments(&once), comments(text), "{:?}", text);
        prop_assert!(is_broken_up(&after.body), "{once}");
    }
    Ok(true)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_keeps_its_meaning(text in prop_oneof![soup(), ".{0,60}"]) {
        checked(&text)?;
    }

    #[test]
    fn policies_keep_their_meaning_and_comments(text in policy()) {
        prop_assert!(checked(&text)?, "{} does not parse", text);
    }
}

/// A document without its places.
fn shape(object: &Object) -> String {
    let mut text = format!("{object:?}");
    while let Some(at) = text.find("Pos {") {
        let end = text[at..].find('}').map_or(text.len(), |e| at + e + 1);
        text.replace_range(at..end, "");
    }
    text
}
