//! What HCL 1 takes, what it refuses and in which words, and that nothing makes the parsers panic or slow.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use crate::{Duplicates, Kind, MAX_DEPTH, Object, fmt, parse, parse_with};
use proptest::prelude::*;

fn body(text: &str) -> Object {
    match parse(text) {
        Ok(document) => document.body,
        Err(error) => panic!("{text}: {error}"),
    }
}

fn error(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

#[test]
fn takes_what_hcl_2_refuses() {
    let object = body(
        "a = 1 b = \"two\", c = true # end\n\"quoted\" = [1, \"x\",\n] // more\n/* and\n more */ dotted.key = 0x1F\n\
         path \"a\" = { x = -1.5e3 }\npath \"b\" { y = [[1], { z = 2 }], }\nnegative = -7",
    );
    assert_eq!(object.integer("a").unwrap(), Some(1));
    assert_eq!(object.string("b").unwrap().as_deref(), Some("two"));
    assert_eq!(object.boolean("c").unwrap(), Some(true));
    assert_eq!(object.strings("quoted").unwrap().unwrap(), ["1", "x"]);
    assert_eq!(object.integer("dotted.key").unwrap(), Some(31));
    assert_eq!(object.integer("negative").unwrap(), Some(-7));
    let paths = object.blocks("path", 1).unwrap();
    assert_eq!(paths.iter().map(|b| b.labels[0]).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(paths[0].body.string("x").unwrap().as_deref(), Some("-1.5e3"));
    assert!(matches!(&paths[1].body.value("y").unwrap().kind, Kind::List(l) if l.len() == 2));
}

#[test]
fn strings_unescape_outside_of_interpolation() {
    let object = body(r#"a = "x\ty\"z\u00e9\x41\101" b = "${file("a\n{b}")}/end" c = "$5 {x}" d = """#);
    assert_eq!(object.string("a").unwrap().as_deref(), Some("x\ty\"zéAA"));
    assert_eq!(object.string("b").unwrap().as_deref(), Some(r#"${file("a\n{b}")}/end"#));
    assert_eq!(object.string("c").unwrap().as_deref(), Some("$5 {x}"));
    assert_eq!(object.string("d").unwrap().as_deref(), Some(""));
}

#[test]
fn heredocs_keep_lines_and_lose_their_margin() {
    let object = body("a = <<EOF\n one\n  two\nEOF\nb = <<-END\n    one\n      two\n    END\nc = <<-X\n one\n   X\n");
    assert_eq!(object.string("a").unwrap().as_deref(), Some(" one\n  two\n"));
    assert_eq!(object.string("b").unwrap().as_deref(), Some("one\n  two\n"));
    assert_eq!(object.string("c").unwrap().as_deref(), Some(" one\n"));
}

#[test]
fn errors_name_the_place() {
    for (text, expected) in [
        ("path \"a\" {", "At 1:12: object expected closing RBRACE got: EOF"),
        ("just words", "At 1:12: key 'just words' expected start of object ('{') or assignment ('=')"),
        ("7", "At 1:1: expected: IDENT | STRING | ASSIGN | LBRACE got: NUMBER"),
        ("a = 1\n= 2", "At 2:1: no object keys found!"),
        ("a b = 2", "At 1:5: nested object expected: LBRACE got: ASSIGN"),
        ("a = b", "At 1:5: Unknown token: 1:5 IDENT b"),
        ("a = [1 2]", "At 1:8: error parsing list, expected comma or list end, got: NUMBER"),
        ("a = [b]", "At 1:6: unexpected token while parsing list: IDENT"),
        ("a = \"x\n\"", "At 1:5: literal not terminated"),
        ("a = \"\\q\"", "At 1:6: illegal char escape"),
        ("a { b }", "At 1:7: key 'b' expected start of object ('{') or assignment ('=')"),
        ("é = 1\nü = ~", "At 2:5: Unknown token: 2:5 ILLEGAL ~"),
        ("{{{", "expected: STRING got: LBRACE"),
        ("{\"a\":1,}", "expected: STRING got: RBRACE"),
        ("{\"a\":1", "expected: COMMA got: EOF"),
        ("{\"a\":1} x", "expected: EOF got: ILLEGAL"),
        ("a = <<EOF\nx", "At 1:5: heredoc not terminated"),
        ("/* x", "At 1:1: comment not terminated"),
        ("a = 09", "At 1:5: illegal number \"09\""),
    ] {
        assert_eq!(error(text), expected, "{text}");
    }
    assert!(parse("a =").is_err(), "a key without its value is not left out");
}

#[test]
fn json_reads_as_the_same_blocks() {
    let forms = [
        "listener \"tcp\" { address = \"a\" } listener \"tcp\" { address = \"b\" } listener \"unix\" { }",
        r#"{"listener":[{"tcp":{"address":"a"}},{"tcp":{"address":"b"}},{"unix":{}}]}"#,
        r#"{"listener":{"tcp":[{"address":"a"},{"address":"b"}],"unix":{}}}"#,
        r#"{"listener":{"tcp":{"address":"a"}},"listener":{"tcp":{"address":"b"}},"listener":{"unix":{}}}"#,
        "listener = [{ tcp = { address = \"a\" } }, { tcp { address = \"b\" } }, { unix {} }]",
    ];
    for text in forms {
        let object = body(text);
        let blocks = object.blocks("listener", 1).unwrap();
        let seen: Vec<_> = blocks.iter().map(|b| (b.labels[0], b.body.string("address").unwrap())).collect();
        assert_eq!(seen, [("tcp", Some("a".into())), ("tcp", Some("b".into())), ("unix", None)], "{text}");
    }
    let object = body(r#"{"a":"\u00e9\n","n":null,"f":-1.5e3,"t":true}"#);
    assert_eq!(object.string("a").unwrap().as_deref(), Some("é\n"));
    assert_eq!(object.string("n").unwrap(), None);
    assert_eq!(object.string("f").unwrap().as_deref(), Some("-1.5e3"));
}

#[test]
fn typed_access_names_key_and_line() {
    let object = body("x = 1\nport = \"eighty\"\nflag = 2\nlist = \"x\"\nseal \"a\" { }");
    assert_eq!(object.integer("port").unwrap_err().to_string(), "key \"port\" on line 2 must be a whole number");
    assert_eq!(object.boolean("flag").unwrap_err().to_string(), "key \"flag\" on line 3 must be true or false");
    assert_eq!(object.strings("list").unwrap_err().to_string(), "key \"list\" on line 4 must be a list of strings");
    assert_eq!(object.string("seal").unwrap_err().to_string(), "key \"seal\" on line 5 must be a string");
    assert!(object.blocks("x", 1).is_err() && object.object("seal").is_err());
    let numbers =
        body("a = \"8200\" b = 9223372036854775807 c = 9223372036854775808 d = -0x10 e = \"--1\" f = \"true\"");
    assert_eq!(numbers.integer("a").unwrap(), Some(8200));
    assert_eq!(numbers.integer("b").unwrap(), Some(i64::MAX));
    assert!(numbers.integer("c").is_err() && numbers.integer("e").is_err());
    assert_eq!(numbers.integer("d").unwrap(), Some(-16));
    assert_eq!(numbers.boolean("f").unwrap(), Some(true));
}

#[test]
fn repeated_keys_are_refused_where_asked() {
    for text in
        ["a = 1 a = 2", "x { a = 1 a = 2 }", "a = 1 a { }", "a { } a = 1", "{\"a\":1,\"a\":2}", "x = [{ a = 1 a = 2 }]"]
    {
        let error = parse_with(text, Duplicates::Refuse).unwrap_err().to_string();
        assert!(error.contains("The argument \"a\" at 1:") && error.contains("already set"), "{error}");
        assert!(parse(text).is_ok(), "{text}");
    }
    assert!(parse_with("a { x = 1 } a { x = 1 } b = 1", Duplicates::Refuse).is_ok());
}

#[test]
fn nesting_has_a_limit() {
    for (open, close) in [("[", "]"), ("{ a = ", " }")] {
        // The value of `a` is the first level.
        let nested = |levels: usize| format!("a = {}1{}", open.repeat(levels), close.repeat(levels));
        assert!(parse(&nested(MAX_DEPTH)).is_ok());
        assert!(error(&nested(MAX_DEPTH + 1)).contains("nested deeper than"));
    }
    let json = |levels: usize| format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));
    assert!(parse(&json(MAX_DEPTH)).is_ok());
    assert!(error(&json(MAX_DEPTH + 1)).contains("nested deeper than"));
    // A bomb stops at the limit instead of at the end of the stack.
    for bomb in ["a = [".to_owned() + &"[".repeat(1_000_000), "{\"a\":".repeat(1_000_000), "a {".repeat(1_000_000)] {
        assert!(error(&bomb).contains("nested deeper than"));
    }
}

/// Pieces that meet the branches of the parsers more often than random characters do.
fn soup() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a", "path", "\"x\"", "{", "}", "[", "]", "=", ",", ":", "\n", " ", "1", "0x", "-", ".", "\"", "${", "\\",
        "<<E", "<<-E", "E", "#", "//", "/*", "*/", "true", "null", "é", "\u{feff}", "1e", "+",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics(text in prop_oneof![soup(), ".{0,60}", soup().prop_map(|s| format!("{{{s}"))]) {
        for mode in [Duplicates::Refuse, Duplicates::Repeat] {
            let _ = parse_with(&text, mode);
        }
        let _ = fmt(&text);
    }
}
