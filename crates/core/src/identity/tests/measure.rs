//! What entities cost. Run by hand: `cargo test -p bulla-core --release entities_cost -- --ignored --nocapture`.

use super::*;
use std::time::Instant;

#[tokio::test]
#[ignore = "a measurement"]
#[expect(clippy::print_stdout, reason = "what it is for")]
async fn entities_cost() {
    let house = House::new().await;
    let root = house.0.write("auth/token/create", json!({ "policies": ["default"] })).await.token();
    for (known, more) in [(1_000, 1_000), (10_000, 9_000), (100_000, 90_000)] {
        for number in 0..more {
            house.login_with("up", &format!("{known}-{number}"), json!({ "batch": true })).await;
        }
        let start = Instant::now();
        let mut guest = house.login("first").await;
        for _ in 0..2_000 {
            guest = house.login_with("up", "first", json!({ "batch": true })).await;
        }
        let login = start.elapsed() / 2_000;
        let mut asks = Vec::new();
        for token in [&root, &guest.token] {
            let start = Instant::now();
            for _ in 0..5_000 {
                house.look_at_self(token).await.ok();
            }
            asks.push(start.elapsed() / 5_000);
        }
        let start = Instant::now();
        house.restart().await;
        let unseal = start.elapsed();
        println!(
            "{known} entities: login {login:?}, lookup-self {:?} without, {:?} with entity, restart {unseal:?}",
            asks[0], asks[1]
        );
    }
}
