//! Policy texts: what is accepted and what the refusals say.

use super::{named, on, parse};
use crate::{Acl, NoIdentity, Options, Policy};
use bulla_types::{Operation, PolicyName};

fn error(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

#[test]
fn refusals_keep_their_wording() {
    let cases = [
        (r#"path "a" {"#, "At 1:12: object expected closing RBRACE got: EOF"),
        (r#"path "a" { capabilities = ["fly"] }"#, r#"path "a": invalid capability "fly""#),
        (r#"path "a" { colour = "red" }"#, "1 error occurred:\n\t* path \"a\": invalid key \"colour\" on line 1\n\n"),
        (r#"thing "a" { }"#, "1 error occurred:\n\t* invalid key \"thing\" on line 0\n\n"),
        (
            r#"path "a" { min_wrapping_ttl = "soon" }"#,
            "error parsing min_wrapping_ttl: time: invalid duration \"soon\"",
        ),
        (
            r#"path "a" { min_wrapping_ttl = "2h" max_wrapping_ttl = "1h" }"#,
            "max_wrapping_ttl cannot be less than min_wrapping_ttl",
        ),
        (r#"path "a/+*" { capabilities = ["read"] }"#, r#"path "a/+*": invalid use of wildcards ('+*' is forbidden)"#),
        ("just words", "At 1:12: key 'just words' expected start of object ('{') or assignment ('=')"),
        ("7", "At 1:1: expected: IDENT | STRING | ASSIGN | LBRACE got: NUMBER"),
        (r#"path "a" { policy = "fly" }"#, r#"path "a": invalid policy "fly""#),
    ];
    for (text, expected) in cases {
        assert_eq!(error(text), format!("failed to parse policy: {expected}"), "{text}");
    }
}

/// A reviewer read the first of two lines, the server applied the second.
#[test]
fn nothing_is_said_twice() {
    for text in [
        r#"path "a" { capabilities = ["read"] capabilities = ["sudo"] }"#,
        r#"path "a" { capabilities = ["read"] } path "a" { capabilities = ["update"] }"#,
        r#"path "a" { capabilities = ["read"] } path "/a" { capabilities = ["update"] }"#,
        r#"{"path":{"a":{"capabilities":["read"],"capabilities":["sudo"]}}}"#,
        r#"{"path":{"a":{"capabilities":["read"]},"a":{"capabilities":["sudo"]}}}"#,
        r#"{"path":{"a":{"capabilities":["read"]}},"path":{"b":{"capabilities":["sudo"]}}}"#,
        r#"{"path":[{"a":{"capabilities":["read"]}},{"a":{"capabilities":["sudo"]}}]}"#,
        r#"path "a" { allowed_parameters = { "x" = [] "X" = ["y"] } }"#,
        r#"path "a" { allowed_parameters = { "x" = [] } allowed_parameters { "y" = [] } }"#,
    ] {
        assert!(parse(text).is_err(), "{text}");
    }
    assert!(parse(r#"path "a" { } path "b" { }"#).is_ok());
}

#[test]
fn empty_and_odd_texts_grant_nothing() {
    for text in ["# nothing here", "", r#"path "a" { }"#, r#"path "a" { capabilities = [] }"#] {
        let acl = super::acl(&[text]);
        assert_eq!(acl.capabilities("", "a"), ["deny"], "{text}");
        assert!(!on(&acl).may(Operation::Read, "a"));
    }
}

#[test]
fn json_and_hcl_say_the_same() {
    let texts = [
        r#"path "secret/data/a" { capabilities = ["read"] }"#,
        r#"path "secret/data/a" = { capabilities = ["read",] }"#,
        r#"path "/secret/data/a" { "capabilities" = ["read"], comment = "why" }"#,
        r#"{"path":{"secret/data/a":{"capabilities":["read"]}}}"#,
        r#"{"path":[{"secret/data/a":{"capabilities":["read"]}}]}"#,
        r#"{"name":"x","path":{"secret/data/a":[{"capabilities":["read"]}]}}"#,
    ];
    for text in texts {
        let acl = super::acl(&[text]);
        assert_eq!(acl.capabilities("", "secret/data/a"), ["read"], "{text}");
        assert_eq!(acl.capabilities("", "/secret/data/a"), ["read"], "{text}");
        assert_eq!(acl.capabilities("", "secret/data/b"), ["deny"], "{text}");
    }
}

#[test]
fn old_words_become_capabilities() {
    let cases: [(&str, &[&str]); 4] = [
        ("deny", &["deny"]),
        ("read", &["list", "read"]),
        ("write", &["create", "delete", "list", "read", "update"]),
        ("sudo", &["create", "delete", "list", "read", "sudo", "update"]),
    ];
    for (word, granted) in cases {
        let acl = super::acl(&[&format!("path \"a\" {{ policy = {word:?} }}")]);
        assert_eq!(acl.capabilities("", "a"), granted, "{word}");
    }
}

#[test]
fn values_of_the_wrong_kind_are_refused_not_ignored() {
    for body in [
        r#"capabilities = "read""#,
        r#"capabilities "x" { }"#,
        r#"denied_parameters = ["a"]"#,
        r#"denied_parameters "x" { "a" = [] }"#,
        r#"denied_parameters = { "a" = "x" }"#,
        r#"required_parameters = "a""#,
        r#"pagination_limit = -1"#,
        r#"pagination_limit = 1.5"#,
        r#"expiration = "tomorrow""#,
        r#"max_wrapping_ttl = "-1s""#,
        r#"mfa_methods = ["x"]"#,
        r#"list_scan_response_keys_filter_path = "{{ .path | shell }}""#,
    ] {
        assert!(parse(&format!("path \"a\" {{ {body} }}")).is_err(), "{body}");
    }
}

#[test]
fn a_policy_called_root_is_not_root() {
    let acl = Acl::compile(&[named("root", "")], &NoIdentity, super::NOW);
    assert!(!acl.is_root() && !on(&acl).may(Operation::Read, "a"));
    assert!(on(&Acl::root()).sudo().may(Operation::Delete, "sys/anything"));
    assert_eq!(Acl::root().capabilities("", "a"), ["root"]);
}

#[test]
fn rules_live_in_the_namespace_of_their_policy() {
    let options = Options { namespace: "a/".into(), ..Options::default() };
    let text = r#"path "kv/*" { capabilities = ["read"] } path "sub/kv/*" { capabilities = ["list"] }"#;
    let policy = Policy::parse(PolicyName::parse("p").unwrap(), text, options).unwrap();
    let acl = Acl::compile(&[policy.into()], &NoIdentity, super::NOW);
    assert!(on(&acl).namespace("a/").may(Operation::Read, "kv/x"));
    assert!(on(&acl).namespace("a/sub/").may(Operation::List, "kv/x"));
    assert!(on(&acl).may(Operation::Read, "a/kv/x"));
    for (namespace, path) in [("", "kv/x"), ("b/", "kv/x"), ("a/b/", "kv/x")] {
        assert!(!on(&acl).namespace(namespace).may(Operation::Read, path), "{namespace}{path}");
    }
    assert_eq!(acl.capabilities("a/sub/", "kv/x"), ["list"]);
}
