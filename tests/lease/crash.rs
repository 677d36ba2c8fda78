//! The workers meet a device that fails at each of their writes, in each way. After a restart they go on, and in the end
//! nothing is left: no lease is lost with its secret in force, and none stays for ever.

use crate::house::{DELETE, House};
use bulla_physical::failing::{Device, Failure};
use serde_json::json;
use std::time::Duration;

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
