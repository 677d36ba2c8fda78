//! Batch tokens: sealed, stored nowhere, bound to their parent's life.

use crate::bench::{Bench, UPDATE};
use serde_json::json;

const POLICY: &str = r#"path "*" { capabilities = ["create", "read", "update", "sudo"] }"#;

#[tokio::test]
async fn a_batch_token_is_stored_nowhere_and_dies_with_its_parent() {
    let bench = Bench::new().await;
    bench.policy("p", POLICY).await;
    let parent = bench.make(&bench.root, json!({ "policies": ["p"] })).await;
    let before = bench.count().await;
    let token = bench.make(&parent, json!({ "type": "batch", "ttl": 60 })).await;
    let orphan = bench.make(&parent, json!({ "type": "batch", "ttl": 60, "no_parent": true })).await;
    assert!(token.starts_with("hvb.") && bench.count().await == before);
    assert_eq!((bench.look(&token).await, bench.look(&orphan).await), (200, 200));
    bench.ask(UPDATE, "auth/token/revoke", &bench.root, json!({ "token": parent })).await;
    assert_eq!((bench.look(&token).await, bench.look(&orphan).await), (403, 200));
    bench.pass(59);
    assert_eq!(bench.look(&orphan).await, 200);
    bench.pass(1);
    assert_eq!(bench.look(&orphan).await, 403);
}

#[tokio::test]
async fn a_changed_batch_token_is_no_token() {
    let bench = Bench::new().await;
    bench.policy("p", POLICY).await;
    let token = bench.make(&bench.root, json!({ "type": "batch", "policies": ["p"], "ttl": 60 })).await;
    for at in [4, 5, 12, 30, token.len() / 2, token.len() - 2] {
        let other = if token.as_bytes()[at] == b'B' { "C" } else { "B" };
        let changed = format!("{}{other}{}", &token[..at], &token[at + 1..]);
        assert_eq!(bench.look(&changed).await, 403, "changed at {at}");
    }
    for text in ["hvb.", "hvb.AAAA", &token[..token.len() - 4], &token[4..], "hvb.\u{e9}"] {
        assert_eq!(bench.look(text).await, 403, "{text}");
    }
    assert_eq!(bench.look(&token).await, 200);
}

#[tokio::test]
async fn a_batch_token_cannot_do_what_needs_a_record() {
    let bench = Bench::new().await;
    bench.policy("p", POLICY).await;
    let token = bench.make(&bench.root, json!({ "type": "batch", "policies": ["p"], "ttl": 60 })).await;
    for path in ["auth/token/create", "auth/token/renew-self", "auth/token/revoke-self", "cubbyhole/a"] {
        assert_eq!(bench.ask(UPDATE, path, &token, json!({ "x": "1" })).await.code, 400, "{path}");
    }
    for ask in [json!({ "num_uses": 1 }), json!({ "period": 9 }), json!({ "id": "x" }), json!({ "policies": ["root"] })]
    {
        let mut ask = ask;
        ask["type"] = json!("batch");
        if ask.get("policies").is_none() {
            ask["policies"] = json!(["p"]);
        }
        assert_eq!(bench.ask(UPDATE, "auth/token/create", &bench.root, ask.clone()).await.code, 400, "{ask}");
    }
}
