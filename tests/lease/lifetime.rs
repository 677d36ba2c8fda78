//! How long leases live. Nothing works in the background here, so whatever is refused is refused at use.

use crate::house::{House, READ, UPDATE};
use serde_json::{Value, json};

#[tokio::test]
async fn a_secret_comes_with_a_lease_that_can_be_looked_up() {
    let house = House::new().await;
    let secret = house.secret("db/creds/reader", &house.root, json!({ "ttl": "1h" })).await;
    let tail = secret.lease.strip_prefix("db/creds/reader/").unwrap();
    assert!(tail.len() == 24 && tail.chars().all(|c| c.is_ascii_alphanumeric()), "{tail}");
    assert_eq!(secret.ttl, 3600);
    let data = house.lookup(&secret.lease).await.body["data"].clone();
    assert_eq!((&data["id"], &data["path"]), (&json!(secret.lease), &json!("db/creds/reader")));
    assert_eq!((&data["ttl"], &data["renewable"], &data["last_renewal"]), (&json!(3600), &json!(true), &Value::Null));
    assert_eq!(
        (&data["issue_time"], &data["expire_time"]),
        (&json!("2024-01-01T00:00:00Z"), &json!("2024-01-01T01:00:00Z"))
    );
}

#[tokio::test]
async fn a_lease_is_over_when_its_time_is_although_nobody_has_swept() {
    let mut house = House::new().await;
    let secret = house.secret("db/creds/reader", &house.root, json!({ "ttl": 60 })).await;
    house.pass(59);
    assert!(house.is_lease(&secret.lease).await);
    house.pass(1);
    assert!(!house.is_lease(&secret.lease).await);
    let renewed = house.renew(&secret.lease, None).await;
    assert_eq!((renewed.code, renewed.error().as_str()), (400, "lease not found"));
    assert!(house.world.works(&secret.account), "taking it back is the workers' part");
    house.work().await;
    assert!(!house.world.works(&secret.account));
    assert_eq!(house.list("db").await, Vec::<String>::new());
}

#[tokio::test]
async fn mounts_and_engines_bound_the_time() {
    let house = House::new().await;
    house.write("sys/mounts/db/tune", json!({ "default_lease_ttl": "10m", "max_lease_ttl": "1h" })).await;
    for (ask, ttl, warns) in [
        (json!({}), 600, false),
        (json!({ "ttl": 3600 }), 3600, false),
        (json!({ "ttl": 3601 }), 3600, true),
        (json!({ "ttl": 600, "max_ttl": 300 }), 300, true),
        (json!({ "max_ttl": 300 }), 300, true),
        (json!({ "ttl": 0 }), 600, false),
    ] {
        let got = house.ask(READ, "db/creds/reader", &house.root, ask.clone()).await;
        assert_eq!((got.number("/lease_duration"), got.body["warnings"].is_array()), (ttl, warns), "{ask}");
    }
}

/// TOK-07: a renewal in the last second counted as "for ever".
#[tokio::test]
async fn tok_07_renewals_end_at_the_maximum_and_never_become_endless() {
    let mut house = House::new().await;
    let secret = house.secret("db/creds/reader", &house.root, json!({ "ttl": 10, "max_ttl": 30 })).await;
    for second in 1..30_u64 {
        house.pass(1);
        let renewed = house.renew(&secret.lease, Some(100)).await;
        assert_eq!((renewed.code, renewed.number("/lease_duration")), (200, 30 - second), "{}", renewed.body);
        assert_eq!(renewed.text("/lease_id"), secret.lease);
    }
    house.pass(1);
    assert_eq!(house.renew(&secret.lease, Some(100)).await.code, 400);
    house.work().await;
    assert!(!house.world.works(&secret.account));
}

#[tokio::test]
async fn a_renewal_without_increment_repeats_the_last() {
    let house = House::new().await;
    let secret = house.secret("db/creds/reader", &house.root, json!({ "ttl": 60 })).await;
    house.pass(30);
    assert_eq!(house.renew(&secret.lease, None).await.number("/lease_duration"), 60);
    assert_eq!(house.renew(&secret.lease, Some(300)).await.number("/lease_duration"), 300);
    assert_eq!(house.renew(&secret.lease, None).await.number("/lease_duration"), 300);
    let seen = house.lookup(&secret.lease).await.body["data"].clone();
    assert_eq!((&seen["ttl"], &seen["last_renewal"]), (&json!(300), &json!("2024-01-01T00:00:30Z")));
}

/// The queue entry of the time before the renewal is met, and the lease is left alone.
#[tokio::test]
async fn a_renewed_lease_outlives_its_first_end() {
    let mut house = House::new().await;
    let secret = house.secret("db/creds/reader", &house.root, json!({ "ttl": 60 })).await;
    house.pass(30);
    house.renew(&secret.lease, Some(100)).await;
    house.pass(60);
    house.work().await;
    assert!(house.is_lease(&secret.lease).await && house.world.works(&secret.account));
    house.pass(40);
    house.work().await;
    assert!(!house.world.works(&secret.account));
}

#[tokio::test]
async fn what_the_engine_calls_fixed_is_not_renewed() {
    let house = House::new().await;
    let secret = house.secret("db/creds/reader", &house.root, json!({ "ttl": 60, "renewable": false })).await;
    for (lease, error) in [
        (secret.lease.as_str(), "lease is not renewable"),
        ("db/creds/reader/unknown", "lease not found"),
        ("unknown", "lease not found"),
    ] {
        let got = house.renew(lease, None).await;
        assert_eq!((got.code, got.error().as_str()), (400, error));
    }
    for path in ["sys/leases/renew", "sys/leases/lookup", "sys/leases/revoke"] {
        let got = house.write(path, json!({})).await;
        assert_eq!((got.code, got.error().as_str()), (400, "lease_id must be specified"), "{path}");
    }
}

/// TOK-06: leases of batch tokens outlived them.
#[tokio::test]
async fn tok_06_a_batch_tokens_lease_ends_with_it() {
    let mut house = House::new().await;
    let parent = house.token(&house.root, json!({ "ttl": "1h" })).await;
    let batch = house.token(&parent, json!({ "type": "batch", "ttl": 100 })).await;
    house.pass(40);
    let secret = house.secret("db/creds/reader", &batch, json!({ "ttl": "1h" })).await;
    assert_eq!(secret.ttl, 60);
    assert_eq!(house.renew(&secret.lease, Some(1000)).await.number("/lease_duration"), 60, "renewals stop there, too");
    house.pass(60);
    assert!(!house.is_lease(&secret.lease).await);
    house.work().await;
    assert!(!house.world.works(&secret.account));
    // And with the token above it, which can be revoked.
    let batch = house.token(&parent, json!({ "type": "batch", "ttl": 100 })).await;
    let secret = house.secret("db/creds/reader", &batch, json!({ "ttl": "1h" })).await;
    house.write("auth/token/revoke", json!({ "token": parent })).await;
    assert!(!house.is_lease(&secret.lease).await);
    house.work().await;
    assert!(!house.world.works(&secret.account));
}

#[tokio::test]
async fn nothing_leased_is_handed_out_without_a_token() {
    let house = House::new().await;
    let got = house.ask(READ, "db/open/reader", "", json!({})).await;
    assert!(got.code == 500 && got.body.get("data").is_none(), "{}", got.body);
    assert_eq!(house.list("db").await, Vec::<String>::new());
}

/// A wrapped secret is leased like any other, and what is unwrapped names the lease.
#[tokio::test]
async fn the_clock_of_a_lease_does_not_stop_over_a_restart() {
    let house = House::new().await;
    let secret = house.secret("db/creds/reader", &house.root, json!({ "ttl": 60 })).await;
    let kept = house.secret("db/creds/reader", &house.root, json!({ "ttl": 600 })).await;
    let mut house = house.restarted().await;
    assert!(house.is_lease(&secret.lease).await);
    house.pass(60);
    assert!(!house.is_lease(&secret.lease).await);
    house.work().await;
    assert_eq!((house.world.works(&secret.account), house.world.works(&kept.account)), (false, true));
    assert_eq!(house.ask(UPDATE, "sys/leases/renew", &house.root, json!({ "lease_id": kept.lease })).await.code, 200);
}
