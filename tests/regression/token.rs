//! Tokens: who may make them, how long they live, and that nothing which fails leaves one behind.
//!
//! | Row | Attack | Guard that was switched off to see the test fail |
//! | --- | --- | --- |
//! | TOK-03 | let a token's end fall into a time when the server is down | tokens are not asked for their end at use (`TokenRecord::expired`) |
//! | TOK-05 | renew a periodic login beyond its maximum, and past its explicit end | `rules/lease` forgets the period at renewals |
//! | TOK-11 | fail to log in, in every way there is | the pipeline does not discard what a refused request wrote |
//!
//! Elsewhere: TOK-01 and TOK-04 (`crates/core/tests/token/limits.rs`: `a_child_never_has_more_policies_than_its_parent`,
//! `a_child_is_bound_to_its_parents_addresses`), TOK-02 (`tests/lease/ending.rs`), TOK-05 for tokens without a login and
//! TOK-07 (`crates/core/tests/token/lifetime.rs`; of leases: `tests/lease/lifetime.rs`), TOK-06 (`tests/lease/lifetime.rs`),
//! TOK-08 and TOK-09 (`tests/lease/paths.rs`), TOK-10 (`tests/lease/trouble.rs`).
//!
//! Not here: TOK-12 (no inline authentication and no workflows; operations of callers and events inside the server are
//! different types), TOK-13 (no control groups).

use bulla_core::ErrorKind;
use bulla_tests::{From, House, texts};
use bulla_types::{Operation, Seconds};
use serde_json::{Value, json};

use Operation::{Delete, List, Patch, Read, Update};

/// A role without secret ids, so that its id alone logs in; answers that id.
async fn open_role(house: &House, name: &str, mut settings: Value) -> String {
    settings["bind_secret_id"] = json!(false);
    settings["secret_id_bound_cidrs"] = json!("0.0.0.0/0");
    house.root(Update, &format!("auth/approle/role/{name}"), settings).await.ok();
    let id = house.root(Read, &format!("auth/approle/role/{name}/role-id"), json!({})).await.ok();
    id["role_id"].as_str().unwrap().to_owned()
}

async fn enable(house: &House, method: &str) {
    house.root(Update, &format!("sys/auth/{method}"), json!({ "type": method })).await.ok();
}

/// What is left of a token's time; `None` = it is refused.
async fn left(house: &House, token: &str) -> Option<u64> {
    let told = house.ask(&From::token(token), Read, "auth/token/lookup-self", json!({})).await;
    told.refused.is_none().then(|| told.body["ttl"].as_u64().unwrap())
}

/// Vault 0.10.2: the lease of a token ran out while the server was down; it was dropped, and the token lived for ever.
#[tokio::test]
async fn tok_03_a_token_whose_end_falls_into_a_crash_is_over() {
    let mut house = House::ready(1, 1).await;
    for round in 0..50_u64 {
        let ask = json!({ "policies": ["default"], "ttl": 5 });
        let token = house.root(Update, "auth/token/create", ask).await.token.unwrap();
        let me = From::token(&token);
        let accessor = house.ask(&me, Read, "auth/token/lookup-self", json!({})).await.ok()["accessor"]
            .as_str()
            .unwrap()
            .to_owned();
        if round % 2 == 1 {
            house.ask(&me, Update, "auth/token/renew-self", json!({ "increment": 5 })).await.ok();
        }
        // The store takes nothing more from the server that was.
        let dead = std::mem::replace(&mut house, House::empty());
        house = dead.restarted();
        drop(dead);
        house.clock.advance(Seconds(5 + round % 7));
        assert!(house.unseals(&house.shares).await);
        for _ in 0..3 {
            assert_eq!(left(&house, &token).await, None, "round {round}");
            house.ask(&me, Update, "auth/token/renew-self", json!({})).await.refused_as(ErrorKind::Denied);
            let by_name = house.root(Update, "auth/token/renew", json!({ "token": token })).await;
            assert!(by_name.refused.is_some() && by_name.token.is_none(), "round {round}: {}", by_name.body);
            let by_accessor = house.root(Update, "auth/token/renew-accessor", json!({ "accessor": accessor })).await;
            assert!(by_accessor.refused.is_some(), "round {round}: {}", by_accessor.body);
        }
    }
}

/// Vault 0.9.2 and 0.8.2: renewing a periodic token took the maximum for its limit, or forgot the period.
#[tokio::test]
async fn tok_05_a_periodic_login_lives_as_long_as_it_is_renewed_and_ends_at_its_end() {
    let house = House::ready(1, 1).await;
    enable(&house, "approle").await;
    enable(&house, "userpass").await;
    for endless in [true, false] {
        let mut settings = json!({ "token_policies": "default", "token_period": 60, "token_max_ttl": 100 });
        if !endless {
            settings["token_explicit_max_ttl"] = json!(200);
        }
        let role = open_role(&house, &format!("r{endless}"), settings.clone()).await;
        settings["password"] = json!("a password");
        house.root(Update, &format!("auth/userpass/users/u{endless}"), settings).await.ok();
        let nobody = From::anybody_at("192.0.2.1");
        for (path, credentials) in [
            ("auth/approle/login".to_owned(), json!({ "role_id": role })),
            (format!("auth/userpass/login/u{endless}"), json!({ "password": "a password" })),
        ] {
            let token = house.ask(&nobody, Update, &path, credentials).await.token.unwrap();
            let me = From { address: nobody.address, ..From::token(&token) };
            let renewals: u64 = if endless { 20 } else { 6 };
            for renewal in 1..=renewals {
                house.clock.advance(Seconds(30));
                house.ask(&me, Update, "auth/token/renew-self", json!({ "increment": 86_400 })).await.ok();
                let expected = if endless { 60 } else { (200 - 30 * renewal).min(60) };
                assert_eq!(left(&house, &token).await, Some(expected), "{path}, renewal {renewal}");
            }
            // Its last period, or what is left of it before the explicit end.
            let rest = if endless { 60 } else { 20 };
            house.clock.advance(Seconds(rest - 1));
            assert_eq!(left(&house, &token).await, Some(1), "{path}");
            house.clock.advance(Seconds(1));
            assert_eq!(left(&house, &token).await, None, "{path}");
            house.ask(&me, Update, "auth/token/renew-self", json!({})).await.refused_as(ErrorKind::Denied);
        }
    }
}

/// CVE-2026-46405: a login that was answered with an error left a token all the same, as many as anybody liked.
#[tokio::test]
async fn tok_11_a_login_that_fails_leaves_nothing() {
    let house = House::ready(1, 1).await;
    enable(&house, "approle").await;
    enable(&house, "userpass").await;
    let open = open_role(&house, "open", json!({ "token_policies": "default" })).await;
    // Fails after its secret id has been used: by the role's networks, which are looked at last.
    house
        .root(
            Update,
            "auth/approle/role/bound",
            json!({ "secret_id_bound_cidrs": "10.0.0.0/8", "secret_id_num_uses": 1, "token_policies": "default" }),
        )
        .await
        .ok();
    let bound = house.root(Read, "auth/approle/role/bound/role-id", json!({})).await.ok()["role_id"].clone();
    let once = house.root(Update, "auth/approle/role/bound/secret-id", json!({})).await.ok()["secret_id"].clone();
    let outside = From::anybody_at("192.0.2.1");
    let used = json!({ "role_id": bound, "secret_id": once });
    let tries = [
        (Update, "auth/approle/login", used.clone()),
        (Update, "auth/approle/login", json!({})),
        (Update, "auth/approle/login", json!({ "role_id": bound, "secret_id": "guessed" })),
        (Update, "auth/approle/login", json!({ "role_id": "nobody", "secret_id": "guessed" })),
        (Update, "auth/approle/login", json!({ "role_id": ["nobody"], "secret_id": { "a": 1 } })),
        (Read, "auth/approle/login", json!({ "role_id": open })),
        (Delete, "auth/approle/login", json!({ "role_id": open })),
        (List, "auth/approle/login", json!({ "role_id": open })),
        (Patch, "auth/approle/login", json!({ "role_id": open })),
        (Update, "auth/approle/login/x", json!({ "role_id": open })),
        (Update, "auth/userpass/login", json!({ "password": "x" })),
        (Update, "auth/userpass/login/nobody", json!({})),
        (Read, "auth/userpass/login/nobody", json!({ "password": "x" })),
        (Patch, "auth/userpass/login/nobody", json!({ "password": "x" })),
        (Update, "auth/token/create", json!({ "policies": ["default"] })),
        (Update, "auth/token/login", json!({ "token": "x" })),
        (Update, "auth/nowhere/login", json!({ "password": "x" })),
    ];
    let mut before = None;
    for _ in 0..30 {
        for (operation, path, body) in &tries {
            let told = house.ask(&outside, *operation, path, body.clone()).await;
            assert!(told.refused.is_some() && told.token.is_none(), "{operation} {path}: {}", told.body);
        }
        // The first round makes the counter of failed logins that all names of nobody share, and one for the role.
        let names: Vec<_> = house.device.contents().into_keys().collect();
        let accessors = texts(&house.root(List, "auth/token/accessors", json!({})).await.ok()["keys"]);
        let counters = house.root(Read, "sys/internal/counters/tokens", json!({})).await.ok();
        let now = (names, accessors, counters);
        assert!(before.is_none_or(|before| before == now), "something was left behind");
        before = Some(now);
    }
    // The lock of the role has been earned; when it is over the secret id is as good as on its first day.
    house.clock.advance(Seconds(3600));
    let inside = From::anybody_at("10.1.1.1");
    assert!(house.ask(&inside, Update, "auth/approle/login", used.clone()).await.token.is_some());
    house.ask(&inside, Update, "auth/approle/login", used).await.refused_as(ErrorKind::BadRequest);
}
