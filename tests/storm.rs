//! A storm of callers who have no token and guess: nothing of it stays, neither in memory nor in the store.
//!
//! `BULLA_STORM` sets the number of requests (2000 if not set; 100000 is the number that is promised), one in a hundred of
//! which makes the server hash a password.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "tests")]

use bulla_physical::{DiskOptions, Store};
use bulla_testkit::{Client, Connection, ServerOptions, ServerProcess};
use bulla_tests::{resident, texts};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

const CALLERS: u64 = 8;
/// What the server may grow by, however long the storm lasts: tables of fixed size, the store's buffers, what threads keep.
const BOUND: u64 = 48 << 20;
/// Counters of failed logins: one for the names of nobody on each of two mounts, one for the user, one for the role.
const COUNTERS: usize = 4;

/// Keys in the store of a server that does not run.
fn records(data: &Path) -> usize {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = Store::open(data, DiskOptions::default()).unwrap();
    let count = runtime.block_on(async {
        let (snapshot, mut count, mut from) = (store.snapshot().unwrap(), 0, Vec::new());
        loop {
            let page = snapshot.scan_keys(&from, &[0xff; 8], 1000).await.unwrap();
            let Some(last) = page.last() else { return count };
            count += page.len();
            from = [last, &[0][..]].concat();
        }
    });
    store.close();
    count
}

/// What is the same for anybody who asks the server.
fn seen(root: &Client) -> Value {
    let count = |path: &str| {
        let told = root.list(path).json();
        told["data"]["keys"].as_array().map_or(0, |_| texts(&told["data"]["keys"]).len())
    };
    json!([
        count("auth/token/accessors"),
        count("identity/entity/id"),
        count("identity/entity-alias/id"),
        count("sys/leases/lookup")
    ])
}

/// One request of somebody who knows nothing; `number` makes it another each time.
fn guess(connections: &mut [Connection], number: u64, role: &str) {
    let token = format!("hvs.{number:024}");
    let body = |value: Value| value.to_string();
    let bare = 0;
    let (with, method, path, sent) = match number % 100 {
        0 if number.is_multiple_of(200) => {
            (bare, "POST", format!("auth/userpass/login/nobody{number}"), body(json!({ "password": "x" })))
        }
        0 => (bare, "POST", "auth/userpass/login/ann".into(), body(json!({ "password": format!("x{number}") }))),
        other => match other % 11 {
            0 => (bare, "POST", "auth/approle/login".into(), body(json!({ "role_id": token, "secret_id": token }))),
            1 => (bare, "POST", "auth/approle/login".into(), body(json!({ "role_id": role, "secret_id": token }))),
            2 => (bare, "POST", "sys/wrapping/lookup".into(), body(json!({ "token": token }))),
            3 => (bare, "POST", "sys/wrapping/unwrap".into(), body(json!({ "token": token }))),
            4 => (1, "POST", "sys/wrapping/unwrap".into(), String::new()),
            5 => (1, "GET", "auth/token/lookup-self".into(), String::new()),
            6 => (1, "POST", "auth/token/renew-self".into(), body(json!({ "increment": 60 }))),
            7 => (1, "POST", "auth/token/create".into(), body(json!({ "policies": [token] }))),
            8 => (1, "GET", format!("kv2/data/{token}"), String::new()),
            9 => (1, "PUT", format!("cubbyhole/{token}"), body(json!({ "k": token }))),
            _ => (bare, "POST", format!("nowhere{number}/login"), body(json!({ "k": token }))),
        },
    };
    let connection = &mut connections[with];
    let head = connection.head(method, &path, sent.len());
    let head = if with == 1 { head.replacen("\r\n", &format!("\r\nX-Vault-Token: {token}\r\n"), 1) } else { head };
    connection.write(&[head.as_bytes(), sent.as_bytes()].concat()).unwrap();
    let told = connection.answer().unwrap();
    assert!((400..500).contains(&told.status), "{method} {path}: {} {}", told.status, told.text());
}

/// Requests `from..to`, by several at once.
fn blow(nobody: &Client, from: u64, to: u64, role: &str) {
    let next = AtomicU64::new(from);
    std::thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                let mut connections = [nobody.connect().unwrap(), nobody.connect().unwrap()];
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= to {
                        return;
                    }
                    guess(&mut connections, number, role);
                }
            });
        }
    });
}

#[test]
fn a_storm_of_guesses_leaves_nothing() {
    let all = std::env::var("BULLA_STORM").ok().and_then(|n| n.parse().ok()).unwrap_or(2000_u64);
    let (mut server, root, keys) = ServerProcess::ready(ServerOptions::default());
    bulla_tests::kv_mounts(&root);
    for method in ["approle", "userpass"] {
        let _ = root.post(&format!("sys/auth/{method}"), json!({ "type": method })).ok();
    }
    let _ = root.post("auth/userpass/users/ann", json!({ "password": "a password" })).ok();
    let _ = root.post("auth/approle/role/r", json!({ "token_policies": "default" })).ok();
    let role = root.get("auth/approle/role/r/role-id").ok().json()["data"]["role_id"].as_str().unwrap().to_owned();
    let before_seen = seen(&root);
    assert!(server.terminate().success());
    let before = records(&server.data());
    server.launch();
    server.unseal(&keys);

    let nobody = root.without_token();
    let calm = all / 10;
    blow(&nobody, 0, calm, &role);
    let (warm, begin) = (resident(&server), Instant::now());
    blow(&nobody, calm, all / 2, &role);
    let half = resident(&server);
    blow(&nobody, all / 2, all, &role);
    let grown = resident(&server);
    let rate = (all - calm) as f64 / begin.elapsed().as_secs_f64();
    assert_eq!(seen(&root), before_seen);
    assert!(server.terminate().success());
    let after = records(&server.data());
    println!(
        "{all} guesses, {rate:.0} a second: {} MiB after a tenth, {} after half, {} in the end; {before} records before, {after} after",
        warm >> 20,
        half >> 20,
        grown >> 20
    );
    assert!(after <= before + COUNTERS, "{before} records before, {after} after");
    assert!(grown < warm + BOUND, "{} MiB more", (grown - warm) >> 20);
}
