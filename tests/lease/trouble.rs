//! Engines that fail: nothing is lost, nothing is asked without end, and somebody can see it.

use crate::house::{House, LIST, UPDATE};
use bulla_lease::ATTEMPTS;
use bulla_testkit::Behaviour;
use serde_json::json;
use std::time::{Duration, Instant};

/// TOK-10: the refusal of an engine counted as success, so that the lease was dropped and the secret worked on.
#[tokio::test]
async fn tok_10_a_refused_revocation_is_kept_tried_again_and_seen_in_the_end() {
    for behaviour in [Behaviour::Refuses, Behaviour::FailsHalfWay, Behaviour::Hangs, Behaviour::Faults] {
        let mut house = House::new().await;
        let secret = house.secret("db/creds/reader", &house.root, json!({ "ttl": 60 })).await;
        house.world.behave(behaviour.clone());
        house.revoke(&secret.lease, false).await;
        house.work().await;
        assert_eq!((house.world.asked(), house.irrevocable().await.number("/data/lease_count")), (1, 0));
        for _ in 1..ATTEMPTS {
            house.work().await;
            house.pass(2 * 3600);
            house.work().await;
        }
        assert_eq!(house.world.asked(), ATTEMPTS as usize, "{behaviour:?}");
        let seen = house.irrevocable().await;
        assert_eq!(seen.number("/data/lease_count"), 1, "{behaviour:?}");
        assert_eq!(seen.text("/data/leases/0/lease_id"), secret.lease);
        assert!(!seen.text("/data/leases/0/error").is_empty() && house.world.works(&secret.account));
        house.pass(100 * 3600);
        house.work().await;
        assert_eq!(house.world.asked(), ATTEMPTS as usize, "nobody is asked any more");
        // The world is well again, and somebody asks.
        house.world.behave(Behaviour::Works);
        assert_eq!(house.revoke(&secret.lease, true).await.code, 204);
        assert_eq!((house.world.accounts(), house.irrevocable().await.number("/data/lease_count")), (0, 0));
    }
}

#[tokio::test]
async fn an_engine_that_comes_back_is_asked_again() {
    let mut house = House::new().await;
    let secret = house.secret("db/creds/reader", &house.root, json!({ "ttl": 60 })).await;
    house.world.behave(Behaviour::Refuses);
    house.pass(60);
    house.work().await;
    assert_eq!(house.world.asked(), 1);
    house.pass(9);
    house.work().await;
    assert_eq!(house.world.asked(), 1, "not before the pause is over");
    let mut house = house.restarted().await;
    house.world.behave(Behaviour::Works);
    house.pass(4);
    house.work().await;
    assert_eq!((house.world.asked(), house.world.works(&secret.account)), (2, false));
}

/// The engine's writes of the attempt that failed are not kept: it is asked again with all it had.
#[tokio::test]
async fn half_a_revocation_leaves_nothing_in_the_store() {
    let mut house = House::new().await;
    let secret = house.secret("db/creds/reader", &house.root, json!({})).await;
    let kept = async |house: &House| house.ask(LIST, "db/accounts", &house.root, json!({})).await.keys();
    assert_eq!(kept(&house).await, std::slice::from_ref(&secret.account));
    house.world.behave(Behaviour::FailsHalfWay);
    house.revoke(&secret.lease, false).await;
    house.work().await;
    assert_eq!((house.world.asked(), kept(&house).await), (1, vec![secret.account.clone()]));
    house.world.behave(Behaviour::Works);
    house.pass(20);
    house.work().await;
    assert!(!house.world.works(&secret.account) && kept(&house).await.is_empty());
}

#[tokio::test]
async fn a_failure_is_the_answer_to_who_waits_for_it() {
    let house = House::new().await;
    let secret = house.secret("db/creds/reader", &house.root, json!({ "ttl": 600 })).await;
    for behaviour in [Behaviour::Refuses, Behaviour::Hangs] {
        house.world.behave(behaviour);
        let begun = Instant::now();
        let got = house.revoke(&secret.lease, true).await;
        assert!(begun.elapsed() < Duration::from_secs(5), "nobody waits for ever");
        assert!(got.code == 400 && got.error().contains("failed to revoke"), "{}", got.body);
        assert!(house.is_lease(&secret.lease).await, "it is as it was");
        assert!(house.renew(&secret.lease, None).await.code >= 400);
        assert_eq!(house.lookup(&secret.lease).await.number("/data/ttl"), 600, "a failed renewal changes nothing");
    }
}

#[tokio::test]
async fn force_ends_what_no_engine_takes_back() {
    let mut house = House::new().await;
    let stuck = house.secret("db/creds/reader", &house.root, json!({})).await;
    let fresh = house.secret("db/creds/reader", &house.root, json!({})).await;
    let other = house.secret("db/creds/other", &house.root, json!({})).await;
    house.world.behave(Behaviour::Refuses);
    house.revoke(&stuck.lease, false).await;
    for _ in 0..ATTEMPTS {
        house.work().await;
        house.pass(2 * 3600);
    }
    let counts = house
        .ask(bulla_types::Operation::Read, "sys/leases/count", &house.root, json!({ "type": "irrevocable" }))
        .await;
    assert_eq!(counts.number("/data/lease_count"), 1);
    assert_eq!(counts.body["data"]["counts"].as_object().unwrap().values().next(), Some(&json!(1)));
    assert_eq!(house.write("sys/leases/revoke-force/db/creds/reader", json!({})).await.code, 204);
    assert_eq!(house.irrevocable().await.number("/data/lease_count"), 0, "at once");
    assert!(!house.is_lease(&fresh.lease).await && house.is_lease(&other.lease).await);
    house.work().await;
    house.world.behave(Behaviour::Works);
    let asked = house.world.asked();
    house.pass(24 * 3600);
    house.work().await;
    assert_eq!(
        (house.world.asked(), house.list("db/creds").await),
        (asked, vec!["other/".to_owned()]),
        "they are forgotten"
    );
}

/// OPS-07: a dead engine holds up nobody else, and is not asked once for each of its leases.
#[tokio::test]
async fn ops_07_a_dead_engine_is_left_alone_for_a_while() {
    let mut house = House::new().await;
    let other = House::new().await;
    drop(other);
    for _ in 0..300 {
        house.secret("db/creds/reader", &house.root, json!({ "ttl": 60 })).await;
    }
    house.world.behave(Behaviour::Refuses);
    house.pass(60);
    house.work().await;
    let asked = house.world.asked();
    assert!(asked <= 256, "{asked} of 300 were asked: one step, then no more");
    house.world.behave(Behaviour::Works);
    for _ in 0..10 {
        house.pass(20);
        house.work().await;
    }
    assert_eq!(house.world.accounts(), 0, "and the queue drains when it is back");
}

/// Leases that were put off because their engine had failed for others were booked as failed too: they became irrevocable
/// although nobody had ever asked for them, and their secrets worked on.
#[tokio::test]
async fn only_an_engine_that_was_asked_has_failed() {
    let mut house = House::new().await;
    const LEASES: usize = 40;
    for _ in 0..LEASES {
        house.secret("db/creds/reader", &house.root, json!({ "ttl": 60 })).await;
    }
    house.world.behave(Behaviour::Refuses);
    house.pass(60);
    let attempts = ATTEMPTS as usize;
    let mut irrevocable = 0;
    for _ in 0..3 * attempts {
        house.work().await;
        house.pass(2 * 3600);
        irrevocable = usize::try_from(house.irrevocable().await.number("/data/lease_count")).unwrap();
        let asked = house.world.asked();
        assert!(irrevocable * attempts <= asked, "{irrevocable} given up after {asked} attempts in all");
    }
    assert!(irrevocable > 0, "nobody is asked for ever");
    house.world.behave(Behaviour::Works);
    for _ in 0..10 {
        house.pass(2 * 3600);
        house.work().await;
    }
    assert_eq!(house.world.accounts(), irrevocable, "all that were only put off are taken back");
}

/// A seal does not wait for an engine that does not answer.
#[tokio::test]
async fn a_hanging_engine_does_not_hold_up_a_seal() {
    let mut house = House::patient(Duration::from_secs(30)).await;
    let secret = house.secret("db/creds/reader", &house.root, json!({})).await;
    house.world.behave(Behaviour::Hangs);
    house.revoke(&secret.lease, false).await;
    let core = std::sync::Arc::clone(&house.core);
    let working = tokio::spawn(async move {
        let mut background = bulla_core::Background::default();
        core.work_once(&mut background).await.is_ok()
    });
    while house.world.asked() == 0 {
        tokio::task::yield_now().await;
    }
    let begun = Instant::now();
    assert_eq!(house.ask(UPDATE, "sys/seal", &house.root, json!({})).await.code, 204);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert!(working.await.unwrap());
    house.unseal().await;
    house.world.behave(Behaviour::Works);
    house.pass(60);
    house.work().await;
    assert_eq!(house.world.accounts(), 0);
}

#[tokio::test]
async fn tidying_mends_and_leaves_what_is_in_force() {
    let mut house = House::new().await;
    let token = house.token(&house.root, json!({ "ttl": 60 })).await;
    let kept = house.secret("db/creds/reader", &house.root, json!({ "ttl": "1h" })).await;
    let lost = house.secret("db/creds/reader", &token, json!({ "ttl": "1h" })).await;
    house.pass(60);
    let got = house.write("sys/leases/tidy", json!({})).await;
    assert_eq!((got.code, got.body["warnings"].is_array()), (202, true));
    for _ in 0..5000 {
        house.work().await;
        if !house.world.works(&lost.account) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!((house.world.works(&lost.account), house.world.works(&kept.account)), (false, true));
    assert!(house.is_lease(&kept.lease).await);
}
