//! kill -9 in the middle of writing: what was acknowledged is there, what was not is there whole or not at all.
//!
//! `BULLA_CRASH_ROUNDS` sets the number of rounds (3 if not set). Restarting a large store is measured by
//! `cargo test -p bulla-tests --release --test crash -- --ignored --nocapture`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "tests")]

use bulla_testkit::{Client, Connection, ServerOptions, ServerProcess};
use serde_json::{Value, json};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const WRITERS: usize = 8;

/// What one writer was told to be done.
#[derive(Default)]
struct Acknowledged {
    /// Path and value; `kv2/` and `kv1/`.
    secrets: Vec<(String, String)>,
    tokens: Vec<String>,
    /// The last value of a secret that is written over and over, and the one that was on its way.
    counter: u64,
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_is_half() {
    let rounds = std::env::var("BULLA_CRASH_ROUNDS").ok().and_then(|r| r.parse().ok()).unwrap_or(3);
    let (mut server, client, keys) = ServerProcess::ready(ServerOptions::default());
    bulla_tests::kv_mounts(&client);
    let mut totals = (0, 0);
    let mut slowest = Duration::ZERO;
    for round in 0..rounds {
        let acknowledged = write_until_killed(&mut server, &client, round);
        slowest = slowest.max(server.launch());
        server.unseal(&keys);
        for (writer, done) in acknowledged.iter().enumerate() {
            verify(&client, round, writer, done);
            totals.0 += done.secrets.len();
            totals.1 += done.tokens.len();
        }
        verify_whole(&client, round);
    }
    assert!(totals.0 > 0 && totals.1 > 0, "nothing was written before the kills");
    println!("{rounds} rounds: {} secrets and {} tokens, slowest start {slowest:?}", totals.0, totals.1);
}

fn write_until_killed(server: &mut ServerProcess, client: &Client, round: usize) -> Vec<Acknowledged> {
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS).map(|w| scope.spawn(move || write(client, round, w))).collect();
        // A different moment in each round.
        std::thread::sleep(Duration::from_millis(150 + (round as u64 * 37) % 400));
        server.kill();
        writers.into_iter().map(|w| w.join().unwrap()).collect()
    })
}

/// Writes until nobody answers any more.
fn write(client: &Client, round: usize, writer: usize) -> Acknowledged {
    let mut done = Acknowledged::default();
    let mut write_on = || -> io::Result<()> {
        let mut connection = client.connect()?;
        for number in 0.. {
            let value = value_of(round, writer, number);
            let path = format!("kv2/data/r{round}/w{writer}/s{number}");
            send(&mut connection, &path, &json!({ "data": { "a": value, "b": value } }))?;
            done.secrets.push((path, value.clone()));
            let path = format!("kv1/r{round}/w{writer}/s{number}");
            send(&mut connection, &path, &json!({ "a": value, "b": value }))?;
            done.secrets.push((path, value));
            let counter = json!({ "options": { "cas": number }, "data": { "n": number + 1 } });
            send(&mut connection, &format!("kv2/data/r{round}/counter{writer}"), &counter)?;
            done.counter = number + 1;
            let answer = send(&mut connection, "auth/token/create", &json!({ "policies": ["default"], "ttl": "1h" }))?;
            done.tokens.push(answer["auth"]["client_token"].as_str().unwrap().to_owned());
        }
        Ok(())
    };
    // Ends by the kill; what it had been told by then is what counts.
    let _ = write_on();
    done
}

fn send(connection: &mut Connection, path: &str, body: &Value) -> io::Result<Value> {
    let answer = connection.send("POST", path, &body.to_string())?;
    assert!(answer.status < 300, "{path}: {} {}", answer.status, answer.text());
    Ok(answer.json())
}

/// Some 600 bytes, so that a torn batch has somewhere to tear.
fn value_of(round: usize, writer: usize, number: u64) -> String {
    format!("{round}/{writer}/{number};").repeat(60)
}

fn verify(client: &Client, round: usize, writer: usize, done: &Acknowledged) {
    let mut connection = client.connect().unwrap();
    let mut get = |path: &str| connection.send("GET", path, "").unwrap();
    for (path, value) in &done.secrets {
        let answer = get(path).ok().json();
        let data = if path.starts_with("kv2") { &answer["data"]["data"] } else { &answer["data"] };
        assert_eq!((data["a"].as_str(), data["b"].as_str()), (Some(value.as_str()), Some(value.as_str())), "{path}");
    }
    if done.counter > 0 {
        let counter = get(&format!("kv2/data/r{round}/counter{writer}")).ok().json();
        let stored = counter["data"]["data"]["n"].as_u64().unwrap();
        let is_known = stored == done.counter || stored == done.counter + 1;
        assert!(is_known, "counter {stored} where {} was acknowledged", done.counter);
        // Each write makes one version: data and metadata tell the same story.
        assert_eq!(counter["data"]["metadata"]["version"], stored);
        let metadata = get(&format!("kv2/metadata/r{round}/counter{writer}")).ok().json();
        assert_eq!(metadata["data"]["current_version"], stored);
    }
    for token in &done.tokens {
        let answer = client.with_token(token).get("auth/token/lookup-self").ok().json();
        assert_eq!(answer["data"]["policies"], json!(["default"]));
    }
}

/// Also of what was on its way: what is listed can be read, and what can be read is whole.
fn verify_whole(client: &Client, round: usize) {
    let mut connection = client.connect().unwrap();
    for writer in 0..WRITERS {
        for (list, data) in [("kv2/metadata", "kv2/data"), ("kv1", "kv1")] {
            let folder = format!("r{round}/w{writer}");
            let answer = connection.send("LIST", &format!("{list}/{folder}"), "").unwrap();
            let keys = answer.json()["data"]["keys"].as_array().cloned().unwrap_or_default();
            // The last two suffice: only they can have been on their way.
            let mut names: Vec<_> = keys.iter().filter_map(Value::as_str).collect();
            names.sort_by_key(|name| name[1..].parse::<u64>().unwrap());
            for name in names.iter().rev().take(2) {
                let answer = connection.send("GET", &format!("{data}/{folder}/{name}"), "").unwrap().ok().json();
                let held = if list == "kv1" { &answer["data"] } else { &answer["data"]["data"] };
                assert!(held["a"].is_string() && held["a"] == held["b"], "{folder}/{name} is half: {held}");
            }
        }
    }
    let accessors = client.list("auth/token/accessors").ok().json();
    let accessors = accessors["data"]["keys"].as_array().cloned().unwrap_or_default();
    for accessor in accessors.iter().rev().take(200) {
        let answer =
            connection.send("POST", "auth/token/lookup-accessor", &json!({ "accessor": accessor }).to_string());
        assert_eq!(answer.unwrap().status, 200, "an accessor without its token");
    }
}

#[test]
#[ignore = "loads 100 000 secrets; for release builds"]
fn a_large_store_starts_at_once() {
    const SECRETS: usize = 100_000;
    let (mut server, client, keys) = ServerProcess::ready(ServerOptions::default());
    bulla_tests::kv_mounts(&client);
    let next = AtomicUsize::new(0);
    let value = "x".repeat(1024);
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| {
                let mut connection = client.connect().unwrap();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= SECRETS {
                        return;
                    }
                    let path = format!("kv2/data/f{}/s{number}", number % 100);
                    send(&mut connection, &path, &json!({ "data": { "k": value } })).unwrap();
                }
            });
        }
    });
    println!("loaded {SECRETS} in {:?}", begin.elapsed());
    let mut starts = Vec::new();
    for _ in 0..5 {
        server.kill();
        starts.push(server.launch());
        let begin = Instant::now();
        server.unseal(&keys);
        let _ = client.get(&format!("kv2/data/f99/s{}", SECRETS - 1)).ok();
        println!("first answer after {:?}, first secret {:?} later", starts.last().unwrap(), begin.elapsed());
    }
    println!("{} MiB on disk; starts {starts:?}", bulla_testkit::size_of(&server.data()).unwrap() >> 20);
    // Every start, not the usual one: whoever waits for the slow one waits.
    let slowest = starts.iter().max().unwrap();
    assert!(*slowest < Duration::from_millis(500), "{starts:?}");
}
