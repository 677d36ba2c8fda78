//! Holes in paths: values, missing values, and values that try to mean more than themselves.

use super::{NOW, on};
use crate::{Acl, Denied, Hole, Identity, NoIdentity, Options, Policy};
use bulla_types::{Operation, PolicyName};
use std::borrow::Cow;

struct Bob {
    team: Option<&'static str>,
}

impl Identity for Bob {
    fn value(&self, hole: &Hole) -> Option<Cow<'_, str>> {
        let text = match hole {
            Hole::EntityId => "e-1",
            Hole::EntityName => "robert",
            Hole::EntityMetadata(key) if key == "team" => self.team?,
            Hole::AliasName { accessor } if accessor == "up_1" => "bob",
            Hole::AliasMetadata { accessor, key } if accessor == "up_1" && key == "a.b" => "dotted",
            Hole::GroupIdByName { name } if name == "devs" => "g-1",
            Hole::GroupMetadataById { id, key } if id == "g-1" && key == "k" => "v",
            _ => return None,
        };
        Some(Cow::Borrowed(text))
    }
}

fn compile(text: &str, identity: &dyn Identity, options: Options) -> Acl {
    let policy = Policy::parse(PolicyName::parse("tpl").unwrap(), text, options).unwrap();
    Acl::compile(&[policy.into()], identity, NOW)
}

const TEXT: &str = r#"path "secret/data/{{identity.entity.name}}/*" { capabilities = ["create","update","read"] }
    path "id/{{identity.entity.id}}" { capabilities = ["read"] }
    path "team/{{ identity.entity.metadata.team }}" { capabilities = ["read"] }
    path "alias/{{identity.entity.aliases.up_1.name}}" { capabilities = ["read"] }
    path "dots/{{identity.entity.aliases.up_1.metadata.a.b}}" { capabilities = ["read"] }
    path "groups/{{identity.groups.names.devs.id}}" { capabilities = ["read"] }
    path "gm/{{identity.groups.ids.g-1.metadata.k}}" { capabilities = ["read"] }
    path "none/{{identity.entity.metadata.missing}}" { capabilities = ["read"] }
    path "odd/{{no.such.thing}}" { capabilities = ["read"] }"#;

#[test]
fn values_are_filled_in() {
    let acl = compile(TEXT, &Bob { team: Some("blue") }, Options::default());
    for path in ["id/e-1", "team/blue", "alias/bob", "dots/dotted", "groups/g-1", "gm/v"] {
        assert_eq!(acl.capabilities("", path), ["read"], "{path}");
    }
    assert_eq!(acl.capabilities("", "secret/data/robert/x"), ["create", "read", "update"]);
    for path in ["secret/data/bob/x", "team/red", "none/", "none/x", "odd/", "odd/{{no.such.thing}}"] {
        assert_eq!(acl.capabilities("", path), ["deny"], "{path}");
    }
    let nobody = compile(TEXT, &NoIdentity, Options::default());
    assert_eq!(nobody.capabilities("", "secret/data/robert/x"), ["deny"]);
}

#[test]
fn braces_have_to_pair_up() {
    for path in ["a/{{x", "a/x}}", "{{a{{b}}", "{{a}}}}"] {
        let text = format!("path \"{path}\" {{ }}");
        let error = super::parse(&text).unwrap_err().to_string();
        assert!(error.contains("unbalanced templating characters"), "{error}");
    }
}

/// User-chosen metadata widened a policy to other tenants.
#[test]
fn pol_06_values_cannot_widen_a_path() {
    let text = r#"path "kv/{{identity.entity.metadata.team}}/*" { capabilities = ["read"] }"#;
    for team in ["a/b", "*", "+", "..", ".", "a/..", "%2f", "%2e%2e", "{{identity.entity.id}}", "", "a\nb", "a*"] {
        let acl = compile(text, &Bob { team: Some(team) }, Options::default());
        for path in ["kv/a/b/c", "kv/other/x", "kv/+/x", "kv/x", "kv/e-1/x"] {
            assert!(!on(&acl).may(Operation::Read, path), "{team:?} {path}");
        }
    }
    let both = Options { allow_slashes: true, allow_wildcards: true, ..Options::default() };
    let slashes = Options { allow_slashes: true, ..Options::default() };
    let wild = Options { allow_wildcards: true, ..Options::default() };
    let may = |team, options, path| on(&compile(text, &Bob { team: Some(team) }, options)).may(Operation::Read, path);
    assert!(may("a/b", slashes.clone(), "kv/a/b/c") && !may("+", slashes.clone(), "kv/a/c"));
    assert!(may("+", wild.clone(), "kv/a/c") && !may("a/b", wild, "kv/a/b/c"));
    for team in ["..", "a/../b", "a//b", "a/", ""] {
        assert!(!may(team, both.clone(), "kv/a/b/c"), "{team:?}");
    }
}

/// Breaking one's own metadata made the deny rule disappear while the broad allow stayed.
#[test]
fn pol_07_a_deny_without_value_denies_everything() {
    let text = r#"path "kv/*" { capabilities = ["read"] }
        path "kv/{{identity.entity.metadata.team}}/*" { capabilities = ["deny"] }"#;
    let acl = compile(text, &Bob { team: Some("blue") }, Options::default());
    assert!(on(&acl).may(Operation::Read, "kv/red/x") && !on(&acl).may(Operation::Read, "kv/blue/x"));
    for team in [None, Some("a/b"), Some("*"), Some("")] {
        let acl = compile(text, &Bob { team }, Options::default());
        let denied = on(&acl).ask(Operation::Read, "kv/red/x").unwrap_err();
        assert!(matches!(&denied, Denied::Template { policy, .. } if policy.as_str() == "tpl"), "{denied}");
        assert_eq!(acl.capabilities("", "kv/red/x"), ["deny"]);
        assert!(!acl.has_any_capability_below("", "kv/"));
    }
}

#[test]
fn a_wildcard_value_may_not_meet_a_star() {
    let options = Options { allow_wildcards: true, ..Options::default() };
    let text = r#"path "kv/{{identity.entity.metadata.team}}*" { capabilities = ["read"] }"#;
    assert!(!on(&compile(text, &Bob { team: Some("+") }, options)).may(Operation::Read, "kv/a"));
}
