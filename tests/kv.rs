//! Key-value secrets under policies: who may copy and move what. Not here: what a copy is (`crates/engines/kv`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use bulla_core::ErrorKind;
use bulla_tests::{From, House};
use bulla_types::Operation::{Read, Update};
use serde_json::{Value, json};

struct Story {
    house: House,
    caller: From,
}

impl Story {
    /// A versioned mount `kv/` with secrets `a`, `prod/a` and `taken`, and a token with these rules.
    async fn under(rules: &str) -> Self {
        let house = House::ready(1, 1).await;
        let mount = json!({ "type": "kv", "options": { "version": "2" } });
        house.root(Update, "sys/mounts/kv", mount).await.ok();
        for path in ["a", "prod/a", "taken"] {
            house.root(Update, &format!("kv/data/{path}"), json!({ "data": { "from": path } })).await.ok();
        }
        house.root(Update, "sys/policies/acl/p", json!({ "policy": rules })).await.ok();
        let token = house.root(Update, "auth/token/create", json!({ "policies": ["p"] })).await.token.unwrap();
        Self { house, caller: From::token(&token) }
    }

    /// `copy a b`: the text of the refusal, or nothing.
    async fn asks(&self, verb: &str, from: &str, to: &str) -> Option<(ErrorKind, String)> {
        let told = self.house.ask(&self.caller, Update, &format!("kv/{verb}/{from}"), json!({ "to": to })).await;
        told.refused.map(|kind| (kind, told.body[0].as_str().unwrap_or_default().to_owned()))
    }

    async fn is_denied(&self, verb: &str, from: &str, to: &str) -> bool {
        matches!(self.asks(verb, from, to).await, Some((ErrorKind::Denied, _)))
    }

    async fn value(&self, path: &str) -> Value {
        self.house.root(Read, &format!("kv/data/{path}"), json!({})).await.body["data"]["from"].clone()
    }
}

const BOTH: [&str; 2] = ["copy", "move"];

#[tokio::test]
async fn with_both_rights_it_is_done_without_reading() {
    let story = Story::under(
        r#"path "kv/copy/a" { capabilities = ["update"] }
           path "kv/move/+/a" { capabilities = ["update"] }
           path "kv/data/mine/*" { capabilities = ["create"] }"#,
    )
    .await;
    assert_eq!(story.asks("copy", "a", "mine/b").await, None);
    assert_eq!(story.asks("move", "prod/a", "mine/c").await, None);
    assert_eq!(story.value("a").await, "a");
    assert_eq!(story.value("mine/b").await, "a");
    assert_eq!(story.value("mine/c").await, "prod/a");
    assert_eq!(story.value("prod/a").await, Value::Null);
    let read = story.house.ask(&story.caller, Read, "kv/data/mine/b", json!({})).await;
    assert_eq!(read.refused, Some(ErrorKind::Denied), "who may copy need not be able to read");
}

#[tokio::test]
async fn the_route_alone_chooses_no_target() {
    let story = Story::under(r#"path "kv/+/*" { capabilities = ["update", "read"] }"#).await;
    for verb in BOTH {
        for target in ["b", "taken", "prod/b", "prod/a"] {
            assert!(story.is_denied(verb, "a", target).await, "{verb} to {target}");
        }
    }
    let story = Story::under(r#"path "kv/data/*" { capabilities = ["create", "update", "read"] }"#).await;
    for verb in BOTH {
        assert!(story.is_denied(verb, "a", "b").await, "{verb} without its own capability");
    }
}

#[tokio::test]
async fn a_deny_wins_at_either_end() {
    let rules = |closed: &str| {
        format!(
            r#"path "kv/*" {{ capabilities = ["create", "update", "read"] }}
               path "{closed}" {{ capabilities = ["deny"] }}"#
        )
    };
    for closed in ["kv/data/prod/*", "kv/metadata/prod/*"] {
        let story = Story::under(&rules(closed)).await;
        for verb in BOTH {
            assert!(story.is_denied(verb, "a", "prod/b").await, "{verb} into {closed}");
            assert!(story.is_denied(verb, "prod/a", "b").await, "{verb} out of {closed}");
            assert!(story.is_denied(verb, "prod/nothing", "b").await, "{verb} tells what is in {closed}");
        }
        assert_eq!(story.asks("copy", "a", "b").await, None);
    }
}

/// Without a way around by spelling: what no path of a request can be is no target either.
#[tokio::test]
async fn a_target_has_one_spelling() {
    let story = Story::under(
        r#"path "kv/copy/*" { capabilities = ["update"] }
           path "kv/data/mine/*" { capabilities = ["create"] }"#,
    )
    .await;
    for target in ["mine/../prod/b", "mine/./b", "mine/b/", "../../sys/x", "mine/b\n"] {
        let (kind, text) = story.asks("copy", "a", target).await.unwrap();
        assert_eq!(kind, ErrorKind::BadRequest, "{target:?}: {text}");
    }
    for target in ["/mine/b", "Mine/b", "mine%2fb", " mine/b", "prod/../mine"] {
        assert!(story.asks("copy", "a", target).await.is_some(), "{target:?}");
    }
    assert_eq!(story.asks("copy", "a", "mine/b").await, None);
}

#[tokio::test]
async fn what_is_missing_or_taken_is_told_to_those_who_may() {
    let story = Story::under(r#"path "kv/*" { capabilities = ["create", "update"] }"#).await;
    for verb in BOTH {
        assert_eq!(story.asks(verb, "nothing", "b").await.unwrap().0, ErrorKind::NotFound);
        let (kind, text) = story.asks(verb, "a", "taken").await.unwrap();
        assert_eq!((kind, text.as_str()), (ErrorKind::BadRequest, "there is a secret at `taken` already"));
    }
    assert_eq!(story.value("taken").await, "taken");
}
