//! The workers meet a device that fails at each of their writes, in each way. After a restart they go on, and in the end
//! nothing is left: no lease is lost with its secret in force, and none stays for ever.

use crate::house::{DELETE, House, READ};
use bulla_physical::failing::{Device, Failure};
use bulla_testkit::Behaviour;
use serde_json::json;
use std::time::{Duration, Instant};

const WAYS: [Failure; 4] = [Failure::Before, Failure::After, Failure::Torn, Failure::Full];

/// Leases in every state that the workers have to deal with.
async fn full_house(device: &Device) -> House {
    let house = House::over(device.open(), Duration::from_secs(5)).await;
    house.mount("db").await;
    house.mount("leaving").await;
    let token = house.token(&house.root, json!({ "ttl": "1h" })).await;
    for _ in 0..2 {
        house.secret("db/creds/of-token", &token, json!({})).await;
        house.secret("db/creds/expired", &house.root, json!({ "ttl": 60 })).await;
        house.secret("leaving/creds/r", &house.root, json!({})).await;
    }
    let asked = house.secret("db/creds/asked", &house.root, json!({})).await;
    house.pass(60);
    house.write("auth/token/revoke", json!({ "token": token })).await;
    house.revoke(&asked.lease, false).await;
    house.ask(DELETE, "sys/mounts/leaving", &house.root, json!({})).await;
    house
}

#[tokio::test]
async fn the_workers_go_on_where_a_crash_stopped_them() {
    let mut failures = 0;
    for way in WAYS {
        for n in 1.. {
            let device = Device::new();
            let mut house = full_house(&device).await;
            let kept = house.secret("db/creds/kept", &house.root, json!({ "ttl": "1h" })).await;
            let before = device.writes();
            device.fail_at(n, way);
            house.try_to_work().await;
            let met = device.writes() >= before + n;
            device.disarm();
            let mut house = house.restarted_over(device.open()).await;
            house.pass(30);
            house.work().await;
            house.pass(30);
            house.work().await;
            assert_eq!(house.world.accounts(), 1, "{way:?} at write {n}");
            assert!(house.is_lease(&kept.lease).await && house.world.works(&kept.account));
            assert_eq!(house.list("db/creds").await, ["kept/"], "{way:?} at write {n}");
            assert_eq!(house.irrevocable().await.number("/data/lease_count"), 0);
            if !met {
                break;
            }
            failures += 1;
        }
    }
    assert!(failures > 20, "{failures} failures are too few to mean much");
}

/// The engine has made an account, and then the lease could not be stored: the account is taken back.
#[tokio::test]
async fn a_secret_whose_lease_is_not_kept_is_taken_back() {
    for way in [Failure::Before, Failure::Torn, Failure::Full] {
        let device = Device::new();
        let house = House::over(device.open(), Duration::from_secs(5)).await;
        house.mount("db").await;
        device.fail_at(1, way);
        let got = house.ask(READ, "db/creds/r", &house.root, json!({})).await;
        assert!(got.code >= 500, "{way:?}: {}", got.body);
        device.disarm();
        until(|| house.world.asked() == 1 && house.world.accounts() == 0).await;
    }
}

/// Requests that collide are run again, and each run hands out an account: those of the runs that count for nothing are
/// taken back, later if the engine cannot do it now.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_a_run_in_vain_handed_out_is_taken_back() {
    for behaviour in [Behaviour::Works, Behaviour::Refuses] {
        let mut house = House::new().await;
        // Each takes a use of the same token, so that only one of those that run side by side comes through.
        let token = house.token(&house.root, json!({ "ttl": "1h", "num_uses": 100_000 })).await;
        house.world.behave(behaviour.clone());
        let ask = || house.ask(READ, "db/creds/r", &token, json!({}));
        let mut told = 0;
        let begun = Instant::now();
        while house.world.asked() == 0 {
            let got = tokio::join!(ask(), ask(), ask(), ask(), ask(), ask());
            let codes = [got.0.code, got.1.code, got.2.code, got.3.code, got.4.code, got.5.code];
            assert_eq!(codes, [200; 6]);
            told += 6;
            assert!(begun.elapsed() < Duration::from_secs(20), "none collided, or none was taken back");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(house.list("db/creds/r").await.len(), told, "nobody is told of the others");
        if behaviour == Behaviour::Works {
            until(|| house.world.accounts() == told).await;
            continue;
        }
        // Those that could not be taken back are in the queue by now, or will be.
        tokio::time::sleep(Duration::from_millis(200)).await;
        house.world.behave(Behaviour::Works);
        house.pass(20);
        house.work().await;
        assert_eq!(house.world.accounts(), told);
    }
}

async fn until(done: impl Fn() -> bool) {
    for _ in 0..10_000 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("it does not come");
}
