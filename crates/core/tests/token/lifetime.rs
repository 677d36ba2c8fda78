//! How long tokens live and what ends them. Time is the test's own; the background sweep is never waited for where a
//! token has to be refused.

use crate::bench::{Bench, DELETE, UPDATE};
use serde_json::{Value, json};
use std::time::Duration;

/// TOK-07: a renewal in the last second counted as "for ever".
#[tokio::test]
async fn a_renewal_in_the_last_second_does_not_make_a_token_immortal() {
    let bench = Bench::new().await;
    let ask = json!({ "policies": ["default"], "ttl": 10, "explicit_max_ttl": 10 });
    let token = bench.make(&bench.root, ask).await;
    for _ in 0..9 {
        bench.pass(1);
        let renewed = bench.ask(UPDATE, "auth/token/renew-self", &token, json!({ "increment": 100 })).await;
        let left = renewed.body["auth"]["lease_duration"].as_u64();
        assert!(renewed.code == 200 && left.is_some_and(|left| left > 0), "{}", renewed.body);
    }
    bench.pass(1);
    assert_eq!(bench.ask(UPDATE, "auth/token/renew-self", &token, json!({})).await.code, 403);
    assert_eq!(bench.look(&token).await, 403);
}

/// Clients that watch `warnings` plan by them. The end that a token was made with used to cut in silence.
#[tokio::test]
async fn what_a_maximum_cuts_is_told() {
    let bench = Bench::new().await;
    let told = |what: &str, wanted: &str, max: &str| {
        json!([format!(
            "{what} of \"{wanted}\" exceeded the effective max_ttl of \"{max}\"; {what} value is capped accordingly"
        )])
    };
    let make = async |mut ask: Value| {
        ask["policies"] = json!(["default"]);
        bench.ask(UPDATE, "auth/token/create", &bench.root, ask).await
    };
    for (ask, seconds, warnings) in [
        (json!({ "ttl": "1000h" }), 2_764_800, told("TTL", "1000h", "768h")),
        (json!({ "ttl": "2h", "explicit_max_ttl": "1h" }), 3600, told("TTL", "2h", "1h")),
        (json!({ "explicit_max_ttl": "10m" }), 600, told("TTL", "768h", "10m")),
        (json!({ "explicit_max_ttl": "1000h" }), 2_764_800, json!(null)),
        (json!({ "ttl": "1h", "explicit_max_ttl": "1h" }), 3600, json!(null)),
    ] {
        let made = make(ask.clone()).await;
        let got = (&made.body["auth"]["lease_duration"], &made.body["warnings"]);
        assert_eq!(got, (&json!(seconds), &warnings), "{ask}");
    }
    let warnings = told("period", "10m", "5m");
    let periodic = make(json!({ "period": "10m", "explicit_max_ttl": "5m" })).await;
    assert_eq!(periodic.body["warnings"], warnings);
    let renewed = bench.ask(UPDATE, "auth/token/renew-self", &periodic.token(), json!({})).await;
    assert_eq!((&renewed.body["auth"]["lease_duration"], &renewed.body["warnings"]), (&json!(300), &warnings));
    let token = make(json!({ "ttl": "10m", "explicit_max_ttl": "20m" })).await.token();
    let renewed = bench.ask(UPDATE, "auth/token/renew-self", &token, json!({ "increment": "1h" })).await;
    assert_eq!(renewed.body["warnings"], told("TTL", "1h", "20m"));
}

/// TOK-05: a periodic token lives as long as it is renewed, up to its explicit end.
#[tokio::test]
async fn periods_are_renewed_until_the_explicit_end() {
    let bench = Bench::new().await;
    let token = bench.make(&bench.root, json!({ "policies": ["default"], "period": 60 })).await;
    for _ in 0..100_u64 {
        bench.pass(40);
        let renewed = bench.ask(UPDATE, "auth/token/renew-self", &token, json!({})).await;
        assert_eq!(renewed.body["auth"]["lease_duration"], json!(60));
    }
    bench.pass(60);
    assert_eq!(bench.look(&token).await, 403);
}

#[tokio::test]
async fn a_changed_role_acts_on_its_tokens_at_their_renewal() {
    let bench = Bench::new().await;
    bench.ask(UPDATE, "auth/token/roles/r", &bench.root, json!({ "token_period": 100 })).await;
    let made = bench.ask(UPDATE, "auth/token/create/r", &bench.root, json!({ "policies": ["default"] })).await;
    assert_eq!(made.body["auth"]["lease_duration"], json!(100));
    let token = made.token();
    let renew = async || bench.ask(UPDATE, "auth/token/renew-self", &token, json!({})).await;
    bench.ask(UPDATE, "auth/token/roles/r", &bench.root, json!({ "token_period": 50 })).await;
    assert_eq!(renew().await.body["auth"]["lease_duration"], json!(50));
    bench.ask(UPDATE, "auth/token/roles/r", &bench.root, json!({ "token_explicit_max_ttl": 70 })).await;
    bench.pass(40);
    assert_eq!(renew().await.body["auth"]["lease_duration"], json!(30));
    bench.ask(DELETE, "auth/token/roles/r", &bench.root, json!({})).await;
    assert_eq!(renew().await.code, 400, "what the role allows is not known any more");
}

#[tokio::test]
async fn what_is_below_an_expired_token_is_refused_at_once() {
    let bench = Bench::new().await;
    bench.policy("p", r#"path "auth/token/*" { capabilities = ["read", "update"] }"#).await;
    let parent = bench.make(&bench.root, json!({ "policies": ["p"], "ttl": 60 })).await;
    let child = bench.make(&parent, json!({ "ttl": 600 })).await;
    let grandchild = bench.make(&child, json!({ "ttl": 600 })).await;
    bench.pass(59);
    assert_eq!((bench.look(&child).await, bench.look(&grandchild).await), (200, 200));
    bench.pass(1);
    assert_eq!((bench.look(&child).await, bench.look(&grandchild).await), (403, 403));
    let named = bench.ask(UPDATE, "auth/token/lookup", &bench.root, json!({ "token": grandchild })).await;
    assert_eq!(named.code, 403);
}

/// More tokens than one batch takes: all are refused when the answer is out, and gone some time after.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_tree_ends_at_once_and_is_cleared_later() {
    let bench = Bench::new().await;
    bench.policy("p", r#"path "auth/token/*" { capabilities = ["read", "update"] }"#).await;
    let before = bench.count().await;
    let parent = bench.make(&bench.root, json!({ "policies": ["p"] })).await;
    let mut below = Vec::new();
    for _ in 0..700 {
        below.push(bench.make(&parent, json!({})).await);
    }
    below.push(bench.make(&below[0], json!({})).await);
    assert_eq!(bench.ask(UPDATE, "auth/token/revoke", &bench.root, json!({ "token": parent })).await.code, 204);
    assert_eq!(bench.look(&parent).await, 403);
    for token in &below {
        assert_eq!(bench.look(token).await, 403);
    }
    for _ in 0..100 {
        if bench.count().await == before {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{} tokens are left of {before}", bench.count().await);
}

#[tokio::test]
async fn orphans_outlive_the_token_they_were_made_by() {
    let bench = Bench::new().await;
    bench.policy("p", r#"path "auth/token/*" { capabilities = ["read", "update", "sudo"] }"#).await;
    let parent = bench.make(&bench.root, json!({ "policies": ["p"] })).await;
    let child = bench.make(&parent, json!({})).await;
    let orphan = bench.make(&parent, json!({ "no_parent": true })).await;
    let revoked = bench.ask(UPDATE, "auth/token/revoke-orphan", &bench.root, json!({ "token": parent })).await;
    assert_eq!(revoked.code, 204, "{}", revoked.body);
    assert_eq!((bench.look(&parent).await, bench.look(&child).await, bench.look(&orphan).await), (403, 200, 200));
    let told: Value = bench.ask(UPDATE, "auth/token/lookup", &bench.root, json!({ "token": child })).await.body;
    assert_eq!(told["data"]["orphan"], json!(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn tidying_leaves_what_is_in_force() {
    let bench = Bench::new().await;
    let token = bench.make(&bench.root, json!({ "policies": ["default"] })).await;
    assert_eq!(bench.ask(UPDATE, "auth/token/tidy", &bench.root, json!({})).await.code, 202);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!((bench.look(&token).await, bench.look(&bench.root).await), (200, 200));
    assert_eq!(bench.ask(UPDATE, "auth/token/tidy", &bench.root, json!({})).await.code, 202, "the first has ended");
}
