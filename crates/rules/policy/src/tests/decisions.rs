//! Which rule decides, and what it demands.

use super::{NOW, acl, named, on};
use crate::{Acl, Denied, NoIdentity, Options, Policy};
use bulla_types::{Operation as Op, PolicyName, Seconds};
use serde_json::json;

#[test]
fn pluses_stand_for_one_segment() {
    let acl = acl(&[r#"path "kv/+/b" { capabilities = ["read"] }
        path "kv/a/+" { capabilities = ["update"] }
        path "kv/+/+/b" { capabilities = ["delete"] }
        path "kv/foo/+/baz" { capabilities = ["list"] }
        path "kv/+/bar/*" { capabilities = ["create"] }
        path "kv/+/+/*" { capabilities = ["patch"] }"#]);
    let cases = [
        ("kv/a/b", "update"),
        ("kv/a/b/c", "patch"),
        ("kv/x/b", "read"),
        ("kv/x/y/b", "delete"),
        ("kv/a", "deny"),
        ("kv/a/z", "update"),
        ("kv/foo/bar/baz", "list"),
        ("kv/q/bar/r", "create"),
        ("kv/q/w/baz", "patch"),
    ];
    for (path, word) in cases {
        assert_eq!(acl.capabilities("", path), [word], "{path}");
    }
}

#[test]
fn the_most_specific_pattern_decides() {
    let acl = acl(&[r#"path "kv/*" { capabilities = ["read"] }
        path "kv/+/c" { capabilities = ["update"] }
        path "kv/ab*" { capabilities = ["list"] }
        path "kv/abc/+/*" { capabilities = ["delete"] }
        path "kv/abc/*" { capabilities = ["create"] }
        path "kv/+/+/deep" { capabilities = ["patch"] }
        path "kv/+/two/+" { capabilities = ["sudo"] }"#]);
    let cases = [
        ("kv/x", "read"),
        ("kv/x/c", "update"),
        ("kv/abx/c", "list"),
        ("kv/abc/c", "create"),
        ("kv/abc/d/e", "create"),
        ("kv/q/two/deep", "patch"),
        ("kv/q/two/x", "sudo"),
        ("kv/q/w/deep", "patch"),
        ("kv", "deny"),
        ("kv/", "read"),
    ];
    for (path, word) in cases {
        assert_eq!(acl.capabilities("", path), [word], "{path}");
    }
}

#[test]
fn stars_and_pluses_elsewhere_are_plain_characters() {
    let acl = acl(&[r#"path "kv/*/e" { capabilities = ["read"] }
        path "kv/a+" { capabilities = ["read"] } path "kv/b*" { capabilities = ["read"] }"#]);
    for (path, word) in [
        ("kv/d/e", "deny"),
        ("kv/*/e", "read"),
        ("kv/ax", "deny"),
        ("kv/a+", "read"),
        ("kv/b", "read"),
        ("kv/bbb/c", "read"),
    ] {
        assert_eq!(acl.capabilities("", path), [word], "{path}");
    }
}

#[test]
fn exact_beats_glob_and_longest_glob_wins() {
    let exact = acl(&[r#"path "kv/*" { capabilities = ["read","update","list"] }
        path "kv/a" { capabilities = ["delete"] }"#]);
    assert!(
        !on(&exact).may(Op::Read, "kv/a") && on(&exact).may(Op::Delete, "kv/a") && on(&exact).may(Op::Read, "kv/b")
    );
    let long = acl(&[r#"path "kv/*" { capabilities = ["read"] } path "kv/d*" { capabilities = ["list"] }
        path "*" { capabilities = ["delete"] }"#]);
    assert!(on(&long).may(Op::Read, "kv/a") && !on(&long).may(Op::Read, "kv/d/e") && on(&long).may(Op::List, "kv/d"));
    assert!(!on(&long).may(Op::Delete, "kv/a") && on(&long).may(Op::Delete, "secret/metadata/x"));
}

#[test]
fn lists_take_rules_with_and_without_the_slash() {
    for (rule, path, good) in [
        ("kv/", "kv", true),
        ("kv/", "kv/", true),
        ("kv", "kv", true),
        ("kv", "kv/", true),
        ("kv/", "kv/d", false),
        ("kv", "kv/d/", false),
        ("kv/d/", "kv/d", true),
        ("kv/d", "kv/d/", true),
        ("kv/+", "kv/d", true),
        ("kv/+/", "kv/d", true),
    ] {
        let acl = acl(&[&format!(r#"path "{rule}" {{ capabilities = ["list","scan"] }}"#)]);
        assert_eq!(on(&acl).may(Op::List, path), good, "{rule} {path}");
        assert_eq!(on(&acl).may(Op::Scan, path), good, "{rule} {path}");
    }
    let read = acl(&[r#"path "kv/a" { capabilities = ["read"] }"#]);
    assert!(!on(&read).may(Op::Read, "kv/a/"), "only lists have two spellings");
}

/// The slash was taken off before the look-up, so that a broad allow won over the narrower deny.
#[test]
fn pol_02_a_denied_folder_is_not_listed() {
    let acl = acl(&[r#"path "foo/metadata/*" { capabilities = ["list","scan"] }
        path "foo/metadata/private/*" { capabilities = ["deny"] }
        path "foo/metadata/private/granted/*" { capabilities = ["list","scan"] }"#]);
    for (path, good) in [
        ("foo", false),
        ("foo/metadata", true),
        ("foo/metadata/test", true),
        ("foo/metadata/private", false),
        ("foo/metadata/private/internal", false),
        ("foo/metadata/private/granted", true),
    ] {
        assert_eq!(on(&acl).may(Op::List, path), good, "{path}");
        assert_eq!(on(&acl).may(Op::Scan, &format!("{path}/")), good, "{path}/");
    }
}

#[test]
fn policies_add_up_and_deny_wins() {
    let union = acl(&[r#"path "kv/a" { capabilities = ["read"] }"#, r#"path "kv/a" { capabilities = ["update"] }"#]);
    assert_eq!(union.capabilities("", "kv/a"), ["read", "update"]);
    let all = r#"path "kv/*" { capabilities = ["create","read","update","delete","list"] }
        path "kv/a" { capabilities = ["read"] }"#;
    let no = r#"path "kv/a" { capabilities = ["deny"] }"#;
    let mixed = r#"path "kv/b" { capabilities = ["read","deny"] }"#;
    for texts in [[all, no, mixed], [mixed, no, all]] {
        let acl = acl(&texts);
        assert_eq!(acl.capabilities("", "kv/a"), ["deny"]);
        assert_eq!(acl.capabilities("", "kv/b"), ["deny"]);
        assert!(matches!(on(&acl).ask(Op::Read, "kv/a"), Err(Denied::Deny { .. })));
        assert!(on(&acl).may(Op::List, "kv") && on(&acl).may(Op::Read, "kv/d/e"));
        assert_eq!(acl.capabilities("", "kv/d/e"), ["create", "delete", "list", "read", "update"]);
    }
}

#[test]
fn each_operation_takes_its_own_capability() {
    for operation in Op::ALL {
        let acl = acl(&[&format!(
            r#"path "kv/*" {{ capabilities = ["{}"] }}"#,
            match operation {
                Op::Help => "read",
                other => other.word(),
            }
        )]);
        for asked in Op::ALL {
            let good = asked == operation || asked == Op::Help || (operation == Op::Help && asked == Op::Read);
            assert_eq!(on(&acl).may(asked, "kv/x"), good, "{operation} {asked}");
        }
    }
}

#[test]
fn sudo_comes_besides_the_usual_capability() {
    let may = |capabilities: &str| {
        let acl = acl(&[&format!(r#"path "sys/audit" {{ capabilities = [{capabilities}] }}"#)]);
        (on(&acl).may(Op::Read, "sys/audit"), on(&acl).sudo().may(Op::Read, "sys/audit"))
    };
    assert_eq!(may(r#""read""#), (true, false));
    assert_eq!(may(r#""sudo""#), (false, false));
    assert_eq!(may(r#""read","sudo""#), (true, true));
}

#[test]
fn wrapping_has_to_stay_in_its_range() {
    let acl = acl(&[r#"path "kv/a" { capabilities = ["read"] min_wrapping_ttl = "10s" max_wrapping_ttl = 90 }"#]);
    assert!(!on(&acl).may(Op::Read, "kv/a"));
    for (ttl, good) in [(9, false), (10, true), (90, true), (91, false)] {
        assert_eq!(on(&acl).wrap(ttl).may(Op::Read, "kv/a"), good, "{ttl}");
    }
    let permit = on(&acl).wrap(60).ask(Op::Read, "kv/a").unwrap();
    assert_eq!((permit.min_wrapping_ttl(), permit.max_wrapping_ttl()), (Some(Seconds(10)), Some(Seconds(90))));
}

#[test]
fn allowed_parameters() {
    let acl = acl(&[r#"
        path "one" { capabilities = ["update","delete"] allowed_parameters = { "a" = [] "b" = ["x","y*"] } }
        path "star" { capabilities = ["update"] allowed_parameters = { "b" = ["x"] "*" = [] } }
        path "number" { capabilities = ["update"] allowed_parameters = { "n" = [5, true] } }
        path "nothing" { capabilities = ["update"] allowed_parameters = { } }"#]);
    for (path, body, good) in [
        ("one", json!({"a": "anything"}), true),
        ("one", json!({"b": "x"}), true),
        ("one", json!({"b": "yes"}), true),
        ("one", json!({"b": "z"}), false),
        ("one", json!({"c": "1"}), false),
        ("one", json!({"a": "1", "c": "1"}), false),
        ("one", json!({"A": "1"}), true),
        ("one", json!({"b": 5}), false),
        ("one", json!({"b": ["x", "yy"]}), false),
        ("one", json!({"b": "X"}), false),
        ("one", json!({}), true),
        ("star", json!({"q": "1", "b": "x"}), true),
        ("star", json!({"b": "q"}), false),
        ("number", json!({"n": 5}), true),
        ("number", json!({"n": "5"}), false),
        ("number", json!({"n": true}), true),
        ("nothing", json!({"q": "1"}), true),
    ] {
        assert_eq!(on(&acl).body(body.clone()).may(Op::Update, path), good, "{path} {body}");
    }
    assert!(on(&acl).body(json!({"c": 1})).may(Op::Delete, "one"), "parameters of a delete are not looked at");
}

#[test]
fn denied_parameters_win() {
    let acl = acl(&[r#"
        path "one" { capabilities = ["update"] denied_parameters = { "a" = [] "b" = ["x"] } }
        path "all" { capabilities = ["update"] denied_parameters = { "*" = [] } }
        path "both" { capabilities = ["update"] allowed_parameters = { "*" = [] } denied_parameters = { "a" = [] } }"#]);
    for (path, body, good) in [
        ("one", json!({"a": "1"}), false),
        ("one", json!({"b": "x"}), false),
        ("one", json!({"b": "y"}), true),
        ("one", json!({"c": "1"}), true),
        ("all", json!({"c": "1"}), false),
        ("all", json!({}), true),
        ("both", json!({"a": "1"}), false),
        ("both", json!({"b": "1"}), true),
    ] {
        assert_eq!(on(&acl).body(body.clone()).may(Op::Update, path), good, "{path} {body}");
    }
}

/// Values were compared raw while the server folded them later: `Super-Admin` passed a denial of `super-admin`.
#[test]
fn pol_05_a_denied_value_is_denied_in_every_spelling() {
    let acl = acl(&[r#"path "t" { capabilities = ["update"]
        denied_parameters = { "policies" = ["super-admin", "adm*"] "n" = [5] } }"#]);
    for body in [
        json!({"policies": "super-admin"}),
        json!({"policies": ["Super-Admin"]}),
        json!({"Policies": ["a", "SUPER-ADMIN"]}),
        json!({"policies": " super-admin "}),
        json!({"policies": "a, Super-Admin"}),
        json!({"policies": ["a,Super-Admin"]}),
        json!({"policies": [["super-admin"]]}),
        json!({"policies": ["Administrator"]}),
        json!({"n": 5}),
        json!({"n": "5"}),
        json!({"n": 5.0}),
    ] {
        assert!(!on(&acl).body(body.clone()).may(Op::Update, "t"), "{body}");
    }
    for body in [json!({"policies": ["super-admins"]}), json!({"policies": "a,b"}), json!({"n": 6})] {
        assert!(on(&acl).body(body.clone()).may(Op::Update, "t"), "{body}");
    }
}

/// The same for values that are no texts: `1` passed a denial of `true`, `"10m"` one of `600`.
#[test]
fn pol_05_a_denied_switch_time_or_number_is_denied_in_every_form() {
    let denied = |rule: &str, value: serde_json::Value| {
        let text = format!("path \"t\" {{ capabilities = [\"update\"] denied_parameters = {{ \"p\" = [{rule}] }} }}");
        !on(&acl(&[&text])).body(json!({ "p": value })).may(Op::Update, "t")
    };
    for rule in ["true", "\"true\"", "\"True\""] {
        for value in [
            json!(true),
            json!(1),
            json!(-1),
            json!(0.5),
            json!("1"),
            json!("t"),
            json!("T"),
            json!("TRUE"),
            json!(" true"),
        ] {
            assert!(denied(rule, value.clone()), "{rule} {value}");
        }
        for value in [json!(false), json!(0), json!("0"), json!("f"), json!(""), json!(null), json!("yes"), json!({})] {
            assert!(!denied(rule, value.clone()), "{rule} {value}");
        }
    }
    for value in [json!(false), json!(0), json!("0"), json!("f"), json!("F"), json!(""), json!(null), json!(0.0)] {
        assert!(denied("false", value.clone()), "{value}");
    }
    for rule in ["600", "\"600\"", "\"10m\"", "\"600s\""] {
        for value in [
            json!(600),
            json!("600"),
            json!("10m"),
            json!("600s"),
            json!("9m60s"),
            json!("600000ms"),
            json!("600.5s"),
            json!("+600"),
            json!(" 10m "),
        ] {
            assert!(denied(rule, value.clone()), "{rule} {value}");
        }
        for value in [json!(599), json!("601s"), json!("11m"), json!("599.9s"), json!(""), json!(null), json!("600x")] {
            assert!(!denied(rule, value.clone()), "{rule} {value}");
        }
    }
    for value in [json!(0), json!("0"), json!("0s"), json!(""), json!(" "), json!(null), json!("0h"), json!(-0.0)] {
        assert!(denied("0", value.clone()), "{value}");
    }
    assert!(
        denied("1", json!("1ns")) && denied("1", json!("1.9s")) && !denied("1", json!("2s")) && !denied("0", json!(1))
    );
    // A rule about an empty text is about that text.
    assert!(denied("\"\"", json!("")) && !denied("\"\"", json!(0)) && !denied("\"\"", json!("0s")));
}

#[test]
fn required_parameters_block_reads_too() {
    let acl = acl(&[r#"path "one" { capabilities = ["create","update","read"] required_parameters = ["a","b"] }"#]);
    assert!(!on(&acl).body(json!({"a": 1})).may(Op::Update, "one"));
    assert!(on(&acl).body(json!({"a": 1, "b": 2})).may(Op::Update, "one"));
    assert!(on(&acl).body(json!({"a": 1, "b": 2, "c": 3})).may(Op::Create, "one"));
    assert!(!on(&acl).may(Op::Read, "one"));
}

#[test]
fn parameter_rules_of_several_policies_unite() {
    let p1 = r#"path "one" { capabilities = ["update"] allowed_parameters = { "a" = ["x"] } }"#;
    let p2 = r#"path "one" { capabilities = ["update"] allowed_parameters = { "a" = ["y"] "b" = [] } }"#;
    let p3 = r#"path "one" { capabilities = ["update"] }"#;
    let p4 = r#"path "one" { capabilities = ["update"] allowed_parameters = { "a" = [] } }"#;
    let may = |texts: &[&str], body| on(&acl(texts)).body(body).may(Op::Update, "one");
    assert!(may(&[p1, p2], json!({"a": "x"})) && may(&[p1, p2], json!({"a": "y"})) && may(&[p1, p2], json!({"b": 1})));
    assert!(!may(&[p1, p2], json!({"c": "1"})) && !may(&[p1, p2], json!({"a": "z"})));
    assert!(!may(&[p1, p3], json!({"c": "1"})) && !may(&[p3, p1], json!({"a": "z"})));
    assert!(may(&[p1, p4], json!({"a": "z"})) && may(&[p4, p1], json!({"a": "z"})));
}

/// A limit of zero or less meant "all of them" to the engine and passed the check.
#[test]
fn pol_11_no_limit_becomes_the_greatest_one() {
    let one = r#"path "kv/" { capabilities = ["list","read"] pagination_limit = 10 }"#;
    let acl = acl(&[one, r#"path "kv/" { capabilities = ["list"] pagination_limit = 20 }"#]);
    let limit = |l| on(&acl).limit(l).ask(Op::List, "kv").map(|p| p.page_limit());
    assert_eq!(on(&acl).ask(Op::List, "kv").unwrap().page_limit(), Some(10));
    for (asked, granted) in [(0, 10), (-1, 10), (1, 1), (10, 10)] {
        assert_eq!(limit(asked), Ok(Some(granted)), "{asked}");
    }
    assert!(matches!(limit(11), Err(Denied::PageLimit { limit: 10, .. })) && limit(i64::MAX).is_err());
    let demanding = super::acl(&[r#"path "kv/" { capabilities = ["list"] pagination_limit = 10
        required_parameters = ["limit"] }"#]);
    assert!(!on(&demanding).may(Op::List, "kv") && on(&demanding).limit(5).may(Op::List, "kv"));
    assert!(!on(&demanding).limit(0).may(Op::List, "kv"));
}

#[test]
fn rules_and_policies_expire_in_a_compiled_acl_too() {
    let text = r#"path "a" { capabilities = ["read"] expiration = "1970-01-12T13:46:50Z" }
        path "b" { capabilities = ["read"] }"#;
    let options = Options { expires: Some(NOW.plus(Seconds(20))), ..Options::default() };
    let short = Policy::parse(PolicyName::parse("short").unwrap(), r#"path "c" { policy = "read" }"#, options).unwrap();
    let acl = Acl::compile(&[named("p", text), short.into()], &NoIdentity, NOW);
    let after = |seconds| NOW.plus(Seconds(seconds));
    assert_eq!(acl.stale_at(), Some(after(10)));
    for (path, seconds, good) in
        [("a", 9, true), ("a", 10, false), ("b", 99, true), ("c", 19, true), ("c", 20, false), ("c", 99, false)]
    {
        assert_eq!(on(&acl).at(after(seconds)).may(Op::Read, path), good, "{path} {seconds}");
    }
    assert_eq!(acl.at(after(20)).capabilities("", "c"), ["deny"]);
    assert_eq!(acl.at(after(20)).stale_at(), None);
}

#[test]
fn a_permit_tells_what_decided() {
    let acl = acl(&[r#"path "kv/*" { capabilities = ["read","sudo"] }"#, r#"path "kv/*" { capabilities = ["list"] }"#]);
    let permit = on(&acl).ask(Op::Read, "kv/x").unwrap();
    assert_eq!(permit.pattern(), Some("kv/*"));
    assert_eq!(permit.policies().iter().map(PolicyName::as_str).collect::<Vec<_>>(), ["p0", "p1"]);
    assert!(permit.has_sudo() && !permit.is_root());
}

#[test]
fn mounts_are_shown_to_those_who_can_do_something_there() {
    let acl = acl(&[r#"path "secret/data/a" { capabilities = ["read"] } path "no/x" { capabilities = ["deny"] }
        path "empty/x" { } path "+/deep/x" { capabilities = ["read"] } path "glob*" { capabilities = ["list"] }"#]);
    for (folder, good) in [
        ("secret/", true),
        ("secret/other/", false),
        ("secret/data/", true),
        ("globe/", true),
        ("any/", true),
        ("any/deep/", true),
        ("any/shallow/", false),
        ("any/deep/x/", true),
        ("any/deep/x/y/", false),
    ] {
        assert_eq!(acl.has_any_capability_below("", folder), good, "{folder}");
    }
    let denied = super::acl(&[r#"path "no/x" { capabilities = ["deny"] } path "empty/x" { }"#]);
    assert!(!denied.has_any_capability_below("", "no/") && !denied.has_any_capability_below("", "empty/"));
}

#[test]
fn the_resultant_acl_splits_exact_and_glob() {
    let acl = acl(&[r#"path "secret/data/a" { capabilities = ["read","list"] }
        path "secret/data/b/*" { capabilities = ["create","update"] } path "kv/+/x" { capabilities = ["read"] }
        path "no/*" { capabilities = ["deny"] } path "w" { capabilities = ["read"] max_wrapping_ttl = "1m" }"#]);
    let expected = json!({
        "exact_paths": {
            "secret/data/a": {"capabilities": ["list", "read"]},
            "w": {"capabilities": ["read"], "max_wrapping_ttl": 60},
        },
        "glob_paths": {"no/": {"capabilities": ["deny"]}, "secret/data/b/": {"capabilities": ["create", "update"]}},
        "root": false,
    });
    assert_eq!(serde_json::to_value(acl.resultant()).unwrap(), expected);
    assert_eq!(serde_json::to_value(Acl::root().resultant()).unwrap(), json!({"root": true}));
}

#[test]
fn listed_keys_are_filtered_by_the_rights_on_another_path() {
    let acl = acl(&[r#"path "secret/metadata/*" { capabilities = ["list"]
        list_scan_response_keys_filter_path = "{{ .path | replace \"secret/metadata/\" \"secret/data/\" }}{{ .key }}" }
        path "secret/data/dir/yes" { capabilities = ["read"] } path "secret/data/dir/no" { capabilities = ["deny"] }"#]);
    let permit = on(&acl).ask(Op::List, "secret/metadata/dir").unwrap();
    let filter = permit.key_filter().unwrap();
    assert_eq!(filter.render("secret/metadata/dir", "k"), "secret/data/dir/k");
    let shown = |key| acl.may_see_key(filter, "", "secret/metadata/dir/", key);
    assert!(shown("yes") && !shown("no") && !shown("other"));
}
