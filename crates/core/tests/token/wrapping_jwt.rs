//! Wrapping tokens in their signed form: worth what the token is worth, and nothing unless this server signed them.

use crate::bench::{Bench, Got, READ, UPDATE, With};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bulla_audit::EnableRequest;
use bulla_core::CoreConfig;
use serde_json::{Value, json};

const SIGNED: With = With { wrap: Some(60), from: None, jwt: true };
const ROUTES: [&str; 3] = ["sys/wrapping/lookup", "sys/wrapping/unwrap", "sys/wrapping/rewrap"];

async fn bench() -> Bench {
    Bench::with(CoreConfig { api_addr: "https://bulla.example:8200".into(), ..CoreConfig::default() }).await
}

async fn wrapped(bench: &Bench) -> Got {
    let got = bench.ask_with(UPDATE, "sys/wrapping/wrap", &bench.root, json!({ "k": "v" }), SIGNED).await;
    assert_eq!(got.code, 200, "{}", got.body);
    got
}

fn part(jwt: &str, at: usize) -> Value {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(jwt.split('.').nth(at).unwrap()).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

#[tokio::test]
async fn it_says_where_it_comes_from_and_opens_once() {
    let bench = bench().await;
    let before = bench.count().await;
    let got = wrapped(&bench).await;
    let jwt = got.text("/wrap_info/token");
    assert_eq!(part(&jwt, 0), json!({ "alg": "ES512", "typ": "JWT" }));
    let claims = part(&jwt, 1);
    let token = claims["jti"].as_str().unwrap();
    assert!(token.starts_with("hvs."));
    let issued = claims["iat"].as_u64().unwrap();
    assert_eq!(
        claims,
        json!({
            "accessor": "", "addr": "https://bulla.example:8200", "type": "wrapping", "jti": token,
            "iat": issued, "nbf": issued - 5, "exp": issued + 60,
        })
    );
    assert!(got.body["warnings"].is_null());
    for (who, body) in [(jwt.as_str(), json!({})), ("", json!({ "token": jwt }))] {
        let told = bench.ask(UPDATE, "sys/wrapping/lookup", who, body).await;
        assert_eq!((told.code, &told.body["data"]["creation_ttl"]), (200, &json!(60)));
    }
    let first = bench.ask(UPDATE, "sys/wrapping/unwrap", &jwt, json!({})).await;
    assert_eq!((first.code, &first.body["data"]), (200, &json!({ "k": "v" })));
    // Neither form opens again.
    for text in [jwt.as_str(), token] {
        assert_eq!(bench.ask(UPDATE, "sys/wrapping/unwrap", text, json!({})).await.code, 400);
        let named = json!({ "token": text });
        assert_eq!(bench.ask(UPDATE, "sys/wrapping/unwrap", &bench.root, named).await.code, 400);
    }
    assert_eq!(bench.count().await, before);
}

#[tokio::test]
async fn the_token_inside_spends_it_too_and_in_the_body_it_works_as_well() {
    let bench = bench().await;
    let jwt = wrapped(&bench).await.text("/wrap_info/token");
    let token = part(&jwt, 1)["jti"].as_str().unwrap().to_owned();
    assert_eq!(bench.ask(UPDATE, "sys/wrapping/unwrap", &token, json!({})).await.code, 200);
    assert_eq!(bench.ask(UPDATE, "sys/wrapping/unwrap", &jwt, json!({})).await.code, 400);
    let jwt = wrapped(&bench).await.text("/wrap_info/token");
    let got = bench.ask(UPDATE, "sys/wrapping/unwrap", &bench.root, json!({ "token": jwt })).await;
    assert_eq!((got.code, &got.body["data"]), (200, &json!({ "k": "v" })));
}

#[tokio::test]
async fn it_ends_with_its_token() {
    let bench = bench().await;
    let jwt = wrapped(&bench).await.text("/wrap_info/token");
    bench.pass(60);
    assert_eq!(bench.ask(UPDATE, "sys/wrapping/unwrap", &jwt, json!({})).await.code, 400);
}

#[tokio::test]
async fn moving_gives_the_form_that_is_asked_for() {
    let bench = bench().await;
    let jwt = wrapped(&bench).await.text("/wrap_info/token");
    let plain = bench.ask(UPDATE, "sys/wrapping/rewrap", &bench.root, json!({ "token": jwt })).await;
    let plain = plain.text("/wrap_info/token");
    assert!(plain.starts_with("hvs."), "{plain}");
    let with = With { wrap: Some(20), ..SIGNED };
    let moved = bench.ask_with(UPDATE, "sys/wrapping/rewrap", &bench.root, json!({ "token": plain }), with).await;
    assert_eq!(moved.body["wrap_info"]["ttl"], 20);
    let moved = moved.text("/wrap_info/token");
    assert_eq!(part(&moved, 1)["exp"].as_u64(), part(&moved, 1)["iat"].as_u64().map(|t| t + 20));
    for old in [&jwt, &plain] {
        assert_eq!(bench.ask(UPDATE, "sys/wrapping/unwrap", old, json!({})).await.code, 400);
    }
    assert_eq!(bench.ask(UPDATE, "sys/wrapping/unwrap", &moved, json!({})).await.body["data"], json!({ "k": "v" }));
}

/// A JWT that somebody else made, or bent, is a wrapping token that does not exist; the real one stays good.
#[tokio::test]
async fn what_this_server_did_not_sign_is_no_wrapping_token() {
    let (bench, other) = (bench().await, bench().await);
    let jwt = wrapped(&bench).await.text("/wrap_info/token");
    let parts: Vec<&str> = jwt.split('.').collect();
    let mut claims = part(&jwt, 1);
    claims["addr"] = json!("https://evil.example");
    let encode = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let none = encode(&json!({ "alg": "none", "typ": "JWT" }));
    let strange = wrapped(&other).await.text("/wrap_info/token");
    let foreign_signature = strange.rsplit('.').next().unwrap();
    for bad in [
        format!("{none}.{}.", parts[1]),
        format!("{none}.{}.{}", parts[1], parts[2]),
        format!("{}.{}.{}", parts[0], encode(&claims), parts[2]),
        format!("{}.{}.{foreign_signature}", parts[0], parts[1]),
        jwt[..jwt.len() - 1].to_owned(),
        format!("{}.{}.", parts[0], parts[1]),
        strange.clone(),
    ] {
        for path in ROUTES {
            let named = bench.ask(UPDATE, path, &bench.root, json!({ "token": bad })).await;
            assert_eq!(named.code, 400, "{path} {bad}: {}", named.body);
        }
        assert_eq!(bench.ask(UPDATE, "sys/wrapping/unwrap", &bad, json!({})).await.code, 400, "{bad}");
    }
    assert_eq!(bench.ask(UPDATE, "sys/wrapping/unwrap", &jwt, json!({})).await.code, 200);
}

/// It is no token for anything else, and trying does not spend the one inside.
#[tokio::test]
async fn elsewhere_it_is_no_token() {
    let bench = bench().await;
    let jwt = wrapped(&bench).await.text("/wrap_info/token");
    for path in ["cubbyhole/response", "auth/token/lookup-self", "sys/mounts"] {
        assert_eq!(bench.ask(READ, path, &jwt, json!({})).await.code, 403, "{path}");
    }
    assert_eq!(bench.ask(UPDATE, "sys/wrapping/unwrap", &jwt, json!({})).await.code, 200);
}

#[tokio::test]
async fn a_wrapped_token_is_named_and_a_missing_address_warned_of() {
    let bench = Bench::new().await;
    let got = bench.ask_with(UPDATE, "auth/token/create", &bench.root, json!({}), SIGNED).await;
    let claims = part(&got.text("/wrap_info/token"), 1);
    assert_eq!(claims["accessor"], got.body["wrap_info"]["wrapped_accessor"]);
    assert_ne!(claims["accessor"], "");
    assert_eq!(claims["addr"], "");
    assert!(got.text("/warnings/0").starts_with("No redirect address set"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_make_the_key_at_once_agree_on_one() {
    let bench = bench().await;
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let bench = bench.clone();
            tokio::spawn(async move { wrapped(&bench).await.text("/wrap_info/token") })
        })
        .collect();
    for task in tasks {
        let jwt = task.await.unwrap();
        assert_eq!(bench.ask(UPDATE, "sys/wrapping/unwrap", &jwt, json!({})).await.code, 200);
    }
}

/// The same hash in the records of wrapping and unwrapping, or nobody could tell who had it.
#[tokio::test(flavor = "multi_thread")]
async fn audit_knows_it_by_the_token_inside() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("audit.log");
    let options = [("file_path".to_owned(), file.display().to_string())].into_iter().collect();
    let device = EnableRequest { kind: "file".into(), options, ..EnableRequest::default() };
    let bench = Bench::with(CoreConfig { audit: vec![("main/".into(), device)], ..CoreConfig::default() }).await;
    let jwts = [wrapped(&bench).await.text("/wrap_info/token"), wrapped(&bench).await.text("/wrap_info/token")];
    assert_eq!(bench.ask(UPDATE, "sys/wrapping/unwrap", &jwts[0], json!({})).await.code, 200);
    assert_eq!(bench.ask(UPDATE, "sys/wrapping/unwrap", &bench.root, json!({ "token": jwts[1] })).await.code, 200);
    let log = std::fs::read_to_string(&file).unwrap();
    let told: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let all = |pointer: &str| -> Vec<String> {
        told.iter().filter_map(|entry| Some(entry.pointer(pointer)?.as_str()?.to_owned())).collect()
    };
    let made = all("/response/wrap_info/token");
    assert_eq!(made.len(), 2);
    assert!(all("/request/client_token").contains(&made[0]), "{log}");
    assert!(all("/request/data/token").contains(&made[1]), "{log}");
    for jwt in &jwts {
        assert!(!log.contains(jwt) && !log.contains(part(jwt, 1)["jti"].as_str().unwrap()));
    }
}
