//! What ends leases before their time: somebody asks, or their token is gone.

use crate::house::{DELETE, House, READ, UPDATE};
use bulla_kit::RevokeReason;
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn revoking_is_at_once_and_taking_back_follows() {
    let mut house = House::new().await;
    let now = house.secret("db/creds/reader", &house.root, json!({})).await;
    let later = house.secret("db/creds/reader", &house.root, json!({})).await;
    assert_eq!(house.revoke(&now.lease, true).await.code, 204);
    assert!(!house.is_lease(&now.lease).await && !house.world.works(&now.account));
    assert_eq!(house.revoke(&later.lease, false).await.code, 204);
    assert!(!house.is_lease(&later.lease).await && house.world.works(&later.account));
    house.work().await;
    assert!(!house.world.works(&later.account));
    assert_eq!(house.world.reasons(), [RevokeReason::Asked, RevokeReason::Asked]);
    for (lease, sync) in [(&now.lease, true), (&now.lease, false), (&"db/creds/reader/none".to_owned(), true)] {
        assert_eq!(house.revoke(lease, sync).await.code, 204, "what is not there is revoked already");
    }
}

#[tokio::test]
async fn the_old_paths_and_ids_in_paths_do_the_same() {
    let mut house = House::new().await;
    for base in ["sys/leases", "sys"] {
        let secret = house.secret("db/creds/reader", &house.root, json!({ "ttl": 60 })).await;
        let lease = &secret.lease;
        let renewed = house.write(&format!("{base}/renew"), json!({ "lease_id": lease, "increment": 90 })).await;
        assert_eq!((renewed.code, renewed.number("/lease_duration")), (200, 90), "{}", renewed.body);
        let renewed = house.write(&format!("{base}/renew/{lease}"), json!({ "increment": 80 })).await;
        assert_eq!((renewed.code, renewed.number("/lease_duration")), (200, 80));
        assert_eq!(house.write(&format!("{base}/revoke/{lease}"), json!({ "sync": true })).await.code, 204);
        assert!(!house.is_lease(lease).await, "{base}");
        let secret = house.secret("db/creds/reader", &house.root, json!({})).await;
        assert_eq!(house.write(&format!("{base}/revoke"), json!({ "lease_id": secret.lease })).await.code, 204);
        assert!(!house.is_lease(&secret.lease).await, "{base}");
        for way in ["revoke-prefix", "revoke-force"] {
            let secret = house.secret("db/creds/reader", &house.root, json!({})).await;
            assert_eq!(house.write(&format!("{base}/{way}/db/creds"), json!({})).await.code, 204);
            assert!(!house.is_lease(&secret.lease).await, "{base}/{way}");
        }
    }
    house.work().await;
    assert_eq!(house.world.accounts(), 0);
}

#[tokio::test]
async fn leases_end_with_their_token_and_with_those_above_it() {
    let mut house = House::new().await;
    let parent = house.token(&house.root, json!({ "ttl": "1h" })).await;
    let child = house.token(&parent, json!({ "ttl": "1h" })).await;
    let of_child = house.secret("db/creds/reader", &child, json!({})).await;
    let of_root = house.secret("db/creds/reader", &house.root, json!({})).await;
    house.write("auth/token/revoke", json!({ "token": parent })).await;
    assert!(!house.is_lease(&of_child.lease).await, "at once");
    house.work().await;
    assert_eq!((house.world.works(&of_child.account), house.world.works(&of_root.account)), (false, true));
    assert_eq!(house.world.reasons(), [RevokeReason::TokenGone]);
}

/// Expiry, too, and the sweep of the token is not needed for it.
#[tokio::test]
async fn leases_end_with_the_time_of_their_token() {
    let mut house = House::new().await;
    let token = house.token(&house.root, json!({ "ttl": 60 })).await;
    let secret = house.secret("db/creds/reader", &token, json!({ "ttl": "1h" })).await;
    house.pass(60);
    assert!(!house.is_lease(&secret.lease).await);
    assert_eq!(house.renew(&secret.lease, None).await.code, 400);
    house.work().await;
    house.work().await;
    assert!(!house.world.works(&secret.account));
}

#[tokio::test]
async fn an_orphan_keeps_its_leases_and_its_parent_loses_them() {
    let mut house = House::new().await;
    let parent = house.token(&house.root, json!({ "ttl": "1h" })).await;
    let child = house.token(&parent, json!({ "ttl": "1h" })).await;
    let of_parent = house.secret("db/creds/reader", &parent, json!({})).await;
    let of_child = house.secret("db/creds/reader", &child, json!({})).await;
    assert_eq!(house.write("auth/token/revoke-orphan", json!({ "token": parent })).await.code, 204);
    assert_eq!((house.is_lease(&of_parent.lease).await, house.is_lease(&of_child.lease).await), (false, true));
    house.work().await;
    assert_eq!((house.world.works(&of_parent.account), house.world.works(&of_child.account)), (false, true));
}

/// TOK-02: the last use of a token deleted it and left its leases.
#[tokio::test]
async fn tok_02_a_secret_had_with_the_last_use_goes_with_the_token() {
    let mut house = House::new().await;
    let token = house.token(&house.root, json!({ "ttl": "1h", "num_uses": 2 })).await;
    let first = house.secret("db/creds/reader", &token, json!({})).await;
    assert!(house.is_lease(&first.lease).await);
    let last = house.secret("db/creds/reader", &token, json!({})).await;
    assert!(!house.is_lease(&first.lease).await && !house.is_lease(&last.lease).await);
    house.work().await;
    assert_eq!(house.world.accounts(), 0);
}

/// More leases than one step takes: all are refused at once, and gone some steps later.
#[tokio::test]
async fn a_token_with_very_many_leases_ends_them_all() {
    let mut house = House::new().await;
    let token = house.token(&house.root, json!({ "ttl": "1h" })).await;
    let mut leases = Vec::new();
    for _ in 0..600 {
        leases.push(house.secret("db/creds/reader", &token, json!({})).await.lease);
    }
    house.write("auth/token/revoke", json!({ "token": token })).await;
    for lease in leases.iter().step_by(50) {
        assert!(!house.is_lease(lease).await);
    }
    house.work().await;
    assert_eq!((house.world.accounts(), house.world.asked()), (0, 600), "each is taken back once");
}

/// More leases than one request takes: the rest is the workers', and what was made meanwhile is left alone.
#[tokio::test]
async fn a_large_folder_is_ended_by_and_by_without_what_came_later() {
    let mut house = House::patient(Duration::from_secs(30)).await;
    for _ in 0..1_400 {
        house.secret("db/creds/reader", &house.root, json!({})).await;
    }
    let other = house.secret("db/creds/writer", &house.root, json!({})).await;
    let got = house.write("sys/leases/revoke-prefix/db/creds/reader", json!({ "sync": true })).await;
    assert_eq!((got.code, got.body["warnings"].is_array()), (200, true), "it says that this is not all");
    assert_eq!(house.world.accounts(), 401);
    house.pass(1);
    // Names lie in an order of their own: some of these are where the workers have not been yet.
    for _ in 0..40 {
        house.secret("db/creds/reader", &house.root, json!({})).await;
    }
    house.work().await;
    assert_eq!((house.world.accounts(), house.list("db/creds/reader").await.len()), (41, 40));
    assert!(house.is_lease(&other.lease).await);
}

#[tokio::test]
async fn a_folder_is_a_folder_and_not_a_beginning_of_names() {
    let house = House::new().await;
    let reader = house.secret("db/creds/reader", &house.root, json!({})).await;
    let longer = house.secret("db/creds/reader2", &house.root, json!({})).await;
    assert_eq!(house.write("sys/leases/revoke-prefix/db/creds/reader", json!({ "sync": true })).await.code, 204);
    assert_eq!((house.world.works(&reader.account), house.world.works(&longer.account)), (false, true));
    assert_eq!(house.write("sys/leases/revoke-prefix/nothing/here", json!({ "sync": true })).await.code, 204);
    assert_eq!(house.write(&format!("sys/leases/revoke-prefix/{}", longer.lease), json!({})).await.code, 204);
    assert!(!house.is_lease(&longer.lease).await, "an id is the folder of itself");
}

#[tokio::test]
async fn tokens_are_listed_and_revoked_as_leases_of_their_mount() {
    let house = House::new().await;
    house.auth("door").await;
    let login = async |name: &str| {
        let path = format!("auth/door/login/{name}");
        house.ask(UPDATE, &path, "", json!({ "ttl": "1h" })).await.text("/auth/client_token")
    };
    let (bob, again, eve) = (login("bob").await, login("bob").await, login("eve").await);
    assert_eq!(house.list("auth/door/login").await, ["bob/", "eve/"]);
    let ids = house.list("auth/door/login/bob").await;
    assert!(ids.len() == 2 && ids.iter().all(|id| id.starts_with('h')), "{ids:?}");
    let id = format!("auth/door/login/bob/{}", ids[0]);
    let seen = house.lookup(&id).await.body["data"].clone();
    assert_eq!(
        (&seen["path"], &seen["ttl"], &seen["renewable"]),
        (&json!("auth/door/login/bob"), &json!(3600), &json!(true))
    );
    let renewed = house.renew(&id, Some(60)).await;
    assert_eq!((renewed.code, renewed.error().as_str()), (400, "tokens cannot be renewed through this endpoint"));
    assert_eq!(house.revoke(&id, true).await.code, 204);
    assert!(house.alive(&bob).await != house.alive(&again).await, "one of them");
    assert_eq!(house.write("sys/leases/revoke-prefix/auth/door/login/bob", json!({})).await.code, 204);
    assert_eq!((house.alive(&bob).await, house.alive(&again).await, house.alive(&eve).await), (false, false, true));
    assert_eq!(house.list("auth/door/login").await, ["eve/"]);
    assert!(house.list("auth/token").await.is_empty(), "a root token has no lease");
}

/// What is gone by its own way leaves no name behind.
#[tokio::test]
async fn lists_forget_what_is_gone() {
    let mut house = House::new().await;
    let token = house.token(&house.root, json!({ "ttl": 60 })).await;
    house.secret("db/creds/reader", &token, json!({})).await;
    assert_eq!(house.list("").await, ["auth/", "db/"]);
    assert_eq!((house.list("auth").await, house.list("auth/token/create").await.len()), (vec!["token/".to_owned()], 1));
    house.ask(UPDATE, "auth/token/revoke-self", &token, json!({})).await;
    house.work().await;
    assert_eq!(house.list("").await, Vec::<String>::new());
    assert_eq!(house.ask(DELETE, "sys/leases/lookup/db", &house.root, json!({})).await.code, 405);
    assert_eq!(house.ask(READ, "sys/leases/lookup", &house.root, json!({})).await.code, 405);
}
