//! Leases and the mounts they came from.

use crate::house::{DELETE, House, LIST, READ, UPDATE};
use bulla_kit::RevokeReason;
use bulla_physical::failing::{Device, Failure};
use bulla_testkit::Behaviour;
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn disabling_a_mount_ends_its_leases_before_its_data_goes() {
    let mut house = House::new().await;
    house.mount("other").await;
    let secret = house.secret("db/creds/reader", &house.root, json!({})).await;
    let other = house.secret("other/creds/reader", &house.root, json!({})).await;
    assert_eq!(house.ask(DELETE, "sys/mounts/db", &house.root, json!({})).await.code, 204);
    assert!(!house.is_lease(&secret.lease).await && house.is_lease(&other.lease).await);
    assert_eq!(house.ask(LIST, "sys/leases/lookup/db", &house.root, json!({})).await.code, 404);
    house.work().await;
    assert_eq!((house.world.accounts(), house.world.reasons()), (1, vec![RevokeReason::MountGone]));
    house.work().await;
    house.mount("db").await;
    assert_eq!(house.list("db").await, Vec::<String>::new());
}

/// A mount can always be disabled, and its path is free at once, whatever its engine says.
#[tokio::test]
async fn a_dead_engine_stops_nobody_from_disabling_its_mount() {
    let mut house = House::new().await;
    let secret = house.secret("db/creds/reader", &house.root, json!({})).await;
    house.world.behave(Behaviour::Refuses);
    assert_eq!(house.ask(DELETE, "sys/mounts/db", &house.root, json!({})).await.code, 204);
    house.work().await;
    house.mount("db").await;
    let fresh = house.secret("db/creds/reader", &house.root, json!({})).await;
    let mut house = house.restarted().await;
    for _ in 0..bulla_lease::ATTEMPTS {
        house.work().await;
        house.pass(2 * 3600);
    }
    assert_eq!(house.irrevocable().await.text("/data/leases/0/lease_id"), secret.lease);
    assert!(house.world.works(&secret.account) && house.is_lease(&fresh.lease).await);
    assert_eq!(house.write("sys/leases/revoke-force/db/creds", json!({})).await.code, 204);
    house.work().await;
    house.work().await;
    assert_eq!(house.irrevocable().await.number("/data/lease_count"), 0);
    assert!(!house.is_lease(&fresh.lease).await, "the folder means both mounts");
}

/// The engine comes back: it is asked although its mount is gone, and then the mount goes, too.
#[tokio::test]
async fn a_disabled_mount_stays_until_its_secrets_are_taken_back() {
    let mut house = House::new().await;
    house.secret("db/creds/reader", &house.root, json!({})).await;
    house.world.behave(Behaviour::Refuses);
    house.ask(DELETE, "sys/mounts/db", &house.root, json!({})).await;
    house.work().await;
    assert_eq!(house.ask(READ, "db/creds/reader", &house.root, json!({})).await.code, 404, "it takes no requests");
    let mut house = house.restarted().await;
    house.world.behave(Behaviour::Works);
    house.pass(20);
    house.work().await;
    assert_eq!(house.world.accounts(), 0);
}

/// The server is killed, or its device fails, at each write of the clearing: the next one goes on, and in the end nothing of
/// the mount is left in the store.
#[tokio::test]
async fn clearing_a_mount_goes_on_after_a_kill_at_any_write() {
    for way in [Failure::Before, Failure::After, Failure::Torn] {
        for n in 1.. {
            let device = Device::new();
            let house = House::over(device.open(), Duration::from_secs(5)).await;
            let before = device.contents().len();
            house.mount("db").await;
            for _ in 0..40 {
                house.secret("db/creds/reader", &house.root, json!({})).await;
            }
            assert_eq!(house.ask(DELETE, "sys/mounts/db", &house.root, json!({})).await.code, 204);
            let mut house = house;
            let writes = device.writes();
            device.fail_at(n, way);
            house.try_to_work().await;
            let met = device.writes() >= writes + n;
            device.disarm();
            let mut house = house.restarted_over(device.open()).await;
            for _ in 0..2 {
                house.pass(30);
                house.work().await;
            }
            assert_eq!(house.world.accounts(), 0, "{way:?} at write {n}");
            assert_eq!(device.contents().len(), before, "{way:?} at write {n}: something is left of the mount");
            if !met {
                assert!(n > 10, "{n} writes are too few to mean much");
                break;
            }
        }
    }
}

#[tokio::test]
async fn leases_move_with_their_mount() {
    let mut house = House::new().await;
    let secret = house.secret("db/creds/reader", &house.root, json!({ "ttl": 600 })).await;
    assert_eq!(house.write("sys/remount", json!({ "from": "db", "to": "sql/main" })).await.code, 200);
    house.mount("db").await;
    assert!(!house.is_lease(&secret.lease).await, "the old id names another mount now");
    assert_eq!(house.revoke(&secret.lease, true).await.code, 204);
    assert!(house.world.works(&secret.account));
    let moved = secret.lease.replacen("db/", "sql/main/", 1);
    assert_eq!(house.lookup(&moved).await.text("/data/path"), "sql/main/creds/reader");
    assert_eq!(house.renew(&moved, None).await.code, 200);
    assert_eq!(house.list("sql/main/creds").await, ["reader/"]);
    assert_eq!(house.list("sql").await, ["main/"]);
    house.write("sys/leases/revoke-prefix/sql", json!({ "sync": true })).await;
    house.work().await;
    assert_eq!(house.world.accounts(), 0);
}

/// Tokens of a method that is disabled are refused at once, with all below them, and cleared later.
#[tokio::test]
async fn tokens_end_with_the_method_that_made_them() {
    let mut house = House::new().await;
    house.auth("door").await;
    house.auth("gate").await;
    house.policy("all", r#"path "*" { capabilities = ["create", "read", "update"] }"#).await;
    let ask = json!({ "ttl": "1h", "policies": ["all"] });
    let token = house.ask(UPDATE, "auth/door/login/bob", "", ask.clone()).await.text("/auth/client_token");
    let other = house.ask(UPDATE, "auth/gate/login/bob", "", ask).await.text("/auth/client_token");
    let child = house.ask(UPDATE, "auth/token/create", &token, json!({})).await.text("/auth/client_token");
    let secret = house.secret("db/creds/reader", &child, json!({})).await;
    assert_eq!(house.ask(DELETE, "sys/auth/door", &house.root, json!({})).await.code, 204);
    assert_eq!((house.alive(&token).await, house.alive(&child).await, house.alive(&other).await), (false, false, true));
    assert!(!house.is_lease(&secret.lease).await);
    let seen = house.write("auth/token/lookup", json!({ "token": token })).await;
    assert_eq!(seen.code, 403, "nobody is told that it lives");
    house.auth("door").await;
    assert!(!house.alive(&token).await, "a new method at the same path does not bring it back");
    house.work().await;
    house.work().await;
    assert_eq!(house.world.accounts(), 0);
    let accessors = house.ask(LIST, "auth/token/accessors", &house.root, json!({})).await.keys();
    assert_eq!(accessors.len(), 2, "root and the other method's");
}

/// Secrets asked for while their mount is being disabled: whoever comes too late is refused, and nobody's is left.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_secret_slips_through_while_its_mount_is_disabled() {
    let mut house = House::new().await;
    for round in 0..40 {
        let path = format!("m{round}");
        house.mount(&path).await;
        let creds = format!("{path}/creds/r");
        let ask = || house.ask(READ, &creds, &house.root, json!({}));
        let disabling = format!("sys/mounts/{path}");
        let disable = house.ask(DELETE, &disabling, &house.root, json!({}));
        let (a, b, gone, c, d) = tokio::join!(ask(), ask(), disable, ask(), ask());
        assert_eq!(gone.code, 204, "{}", gone.body);
        let codes = [a.code, b.code, c.code, d.code];
        assert!(codes.iter().all(|code| matches!(code, 200 | 404)), "{codes:?}");
    }
    for _ in 0..2000 {
        house.work().await;
        if house.world.accounts() == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    panic!("{} accounts are left", house.world.accounts());
}
