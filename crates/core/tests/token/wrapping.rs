//! Wrapped answers: had once, by whoever comes first, for a limited time.

use crate::bench::{Bench, Got, LIST, READ, UPDATE, With};
use serde_json::json;

async fn wrapped(bench: &Bench) -> Got {
    let with = With { wrap: Some(60), ..With::default() };
    let got = bench.ask_with(UPDATE, "sys/wrapping/wrap", &bench.root, json!({ "k": "v" }), with).await;
    assert_eq!(got.code, 200, "{}", got.body);
    got
}

async fn unwrap(bench: &Bench, token: &str) -> Got {
    bench.ask(UPDATE, "sys/wrapping/unwrap", token, json!({})).await
}

#[tokio::test]
async fn a_wrapped_answer_is_had_once() {
    let bench = Bench::new().await;
    let before = bench.count().await;
    let got = wrapped(&bench).await;
    assert!(got.body["data"].is_null() && !got.body.to_string().contains("\"v\""), "{}", got.body);
    let token = got.text("/wrap_info/token");
    let first = unwrap(&bench, &token).await;
    assert_eq!((first.code, &first.body["data"]), (200, &json!({ "k": "v" })));
    assert_eq!(unwrap(&bench, &token).await.code, 400);
    let named = json!({ "token": token });
    assert_eq!(bench.ask(UPDATE, "sys/wrapping/unwrap", &bench.root, named).await.code, 400);
    assert_eq!(bench.count().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_unwrap_at_once_one_gets_it() {
    let bench = Bench::new().await;
    for _ in 0..5 {
        let token = wrapped(&bench).await.text("/wrap_info/token");
        let racers: Vec<_> = (0..8)
            .map(|n| {
                let (bench, token) = (bench.clone(), token.clone());
                tokio::spawn(async move {
                    if n % 2 == 0 {
                        unwrap(&bench, &token).await.code
                    } else {
                        let named = json!({ "token": token });
                        bench.ask(UPDATE, "sys/wrapping/unwrap", &bench.root, named).await.code
                    }
                })
            })
            .collect();
        let mut won = 0;
        for racer in racers {
            won += usize::from(racer.await.unwrap() == 200);
        }
        assert_eq!(won, 1);
    }
}

#[tokio::test]
async fn its_time_is_limited_to_the_second() {
    let bench = Bench::new().await;
    let tokens = [wrapped(&bench).await.text("/wrap_info/token"), wrapped(&bench).await.text("/wrap_info/token")];
    bench.pass(59);
    assert_eq!(unwrap(&bench, &tokens[0]).await.code, 200);
    bench.pass(1);
    assert_eq!(unwrap(&bench, &tokens[1]).await.code, 400);
}

/// Any other use spends the token: whoever was meant to get the answer learns that somebody was there before.
#[tokio::test]
async fn another_use_spends_it_and_a_lookup_does_not() {
    let bench = Bench::new().await;
    let token = wrapped(&bench).await.text("/wrap_info/token");
    for _ in 0..3 {
        for (who, body) in [(token.as_str(), json!({})), ("", json!({ "token": token }))] {
            let told = bench.ask(UPDATE, "sys/wrapping/lookup", who, body).await;
            assert_eq!((told.code, &told.body["data"]["creation_ttl"]), (200, &json!(60)));
        }
    }
    assert_eq!(bench.ask(READ, "sys/mounts", &token, json!({})).await.code, 403);
    assert_eq!(unwrap(&bench, &token).await.code, 400);
}

#[tokio::test]
async fn only_wrapping_tokens_unwrap() {
    let bench = Bench::new().await;
    let other = bench.make(&bench.root, json!({ "policies": ["default"] })).await;
    bench.ask(UPDATE, "cubbyhole/response", &other, json!({ "envelope": {} })).await;
    let named = json!({ "token": other });
    for path in ["sys/wrapping/unwrap", "sys/wrapping/rewrap", "sys/wrapping/lookup"] {
        assert_eq!(bench.ask(UPDATE, path, &bench.root, named.clone()).await.code, 400, "{path}");
    }
    assert_eq!(bench.look(&other).await, 200);
}

#[tokio::test]
async fn rewrapping_moves_the_answer() {
    let bench = Bench::new().await;
    let old = wrapped(&bench).await.text("/wrap_info/token");
    bench.pass(50);
    let moved = bench.ask(UPDATE, "sys/wrapping/rewrap", &bench.root, json!({ "token": old })).await;
    let new = moved.text("/wrap_info/token");
    assert_eq!(moved.text("/wrap_info/creation_path"), "sys/wrapping/wrap");
    assert_eq!(unwrap(&bench, &old).await.code, 400);
    bench.pass(50);
    assert_eq!(unwrap(&bench, &new).await.body["data"], json!({ "k": "v" }));
}

#[tokio::test]
async fn refusals_and_empty_answers_are_not_wrapped_and_leave_no_token() {
    let bench = Bench::new().await;
    let before = bench.count().await;
    let with = With { wrap: Some(60), ..With::default() };
    for (operation, path, body, code) in [
        (READ, "cubbyhole/nothing", json!({}), 404),
        (UPDATE, "cubbyhole/a", json!({ "x": "1" }), 204),
        (UPDATE, "auth/token/create", json!({ "type": "odd" }), 400),
        (LIST, "no-such-mount/", json!({}), 404),
    ] {
        let got = bench.ask_with(operation, path, &bench.root, body, with).await;
        assert_eq!(got.code, code, "{path}: {}", got.body);
    }
    assert_eq!(bench.count().await, before);
}

/// The limits of a policy make wrapping a duty.
#[tokio::test]
async fn a_policy_can_demand_wrapping() {
    let bench = Bench::new().await;
    let text =
        r#"path "auth/token/create" { capabilities = ["update"] min_wrapping_ttl = "10s" max_wrapping_ttl = "90s" }"#;
    bench.policy("p", text).await;
    let token = bench.make(&bench.root, json!({ "policies": ["p"] })).await;
    for (wrap, code) in [(None, 403), (Some(9), 403), (Some(10), 200), (Some(90), 200), (Some(91), 403)] {
        let with = With { wrap, ..With::default() };
        let got = bench.ask_with(UPDATE, "auth/token/create", &token, json!({}), with).await;
        assert_eq!(got.code, code, "{wrap:?}: {}", got.body);
        assert!(got.body["auth"].is_null(), "{wrap:?}: the token went out unwrapped");
    }
}
