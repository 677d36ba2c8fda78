//! What a million leases cost: memory, unseal, and the reads of others while many of them end at once.
//!
//! Tokens are the leases: a token's lease is its record.

use crate::perf::resident;
use bulla_testkit::{Client, ServerOptions, ServerProcess};
use serde_json::json;
use std::time::{Duration, Instant, SystemTime};

const WORKERS: usize = 32;
/// Of all leases, how many end at the same moment.
const DUE: usize = 100_000;
/// From the last lease to that moment: time for the restarts.
const BEFORE_DUE: Duration = Duration::from_secs(30);
const READERS: usize = 4;
/// A single unseal takes a millisecond or two: one sample says nothing about a ratio.
const RESTARTS: usize = 7;
/// How long others read before it is counted what is left: the counting itself must not be in the figure.
const ROUND: Duration = Duration::from_secs(5);
/// When to give up waiting for the last one.
const PATIENCE: Duration = Duration::from_secs(600);
/// How often memory is looked at while leases are made: what grows with each of them shows.
const PARTS: usize = 5;

/// Prints what it finds.
pub fn run() {
    let all = std::env::var("BULLA_BENCH_LEASES").ok().and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    let due = DUE.min(all / 2);
    let folder = match std::env::var_os("BULLA_BENCH_DATA") {
        Some(path) => tempfile::tempdir_in(path),
        None => tempfile::tempdir(),
    };
    let Ok(folder) = folder else { return eprintln!("no folder for the store") };
    let (mut server, client, keys) = ServerProcess::ready(ServerOptions {
        data: Some(folder.path().join("data")),
        prefix: ["taskset", "-c", "0"].map(str::to_owned).to_vec(),
        more: "log_level = \"warn\"".into(),
        ..ServerOptions::default()
    });
    let _ = client.post("sys/mounts/kv2", json!({ "type": "kv", "options": { "version": "2" } })).ok();
    let _ = client.post("kv2/data/a", json!({ "data": { "value": "x".repeat(1024) } })).ok();
    let mut restart = |name: &str| {
        let (mut starts, mut unseals, mut firsts) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..RESTARTS {
            server.terminate();
            starts.push(server.launch());
            let begin = Instant::now();
            server.unseal(&keys);
            unseals.push(begin.elapsed());
            let begin = Instant::now();
            let _ = client.get("kv2/data/a").ok();
            firsts.push(begin.elapsed());
        }
        let memory = resident(server.pid());
        let (start, unseal, first) = (range(starts), range(unseals), range(firsts));
        println!("{name}: start {start}, unseal {unseal}, first answer {first}, {} MiB", memory >> 10);
        (memory, server.pid())
    };
    let (empty, pid) = restart("without leases");

    let begin = Instant::now();
    let body = json!({ "policies": ["default"], "ttl": "700h", "no_parent": true }).to_string();
    for part in 1..=PARTS {
        create(&client, (all - due) / PARTS, &body);
        let (made, growth) = ((all - due) / PARTS * part, resident(pid).saturating_sub(empty));
        println!(
            "{made} leases in {:.0?}; memory grew by {} MiB, {} bytes a lease",
            begin.elapsed(),
            growth >> 10,
            growth * 1024 / made as u64
        );
    }
    // One moment for all: what is made later lives for less.
    let made_by = Duration::from_secs(due as u64 / 1_000);
    let moment = SystemTime::now() + made_by + BEFORE_DUE;
    let left = move || moment.duration_since(SystemTime::now()).unwrap_or_default();
    create_with(&client, due, &|| {
        json!({ "policies": ["default"], "ttl": left().as_secs().max(1), "no_parent": true }).to_string()
    });
    println!("{due} more, which end in {:.0?}", left());
    restart("with all leases");

    let mut idle = Vec::new();
    while left() > Duration::from_secs(2) {
        idle.extend(reads(&client, ROUND.min(left().saturating_sub(Duration::from_secs(1)))));
    }
    let before = tokens(&client);
    std::thread::sleep(left());
    let begin = Instant::now();
    let (mut busy, mut gone) = (Vec::new(), 0);
    while gone < due as u64 && begin.elapsed() < PATIENCE {
        busy.extend(reads(&client, ROUND));
        gone = before.saturating_sub(tokens(&client));
        println!("{gone} are gone after {:.0?}", begin.elapsed());
    }
    println!("reads while idle {}; while {due} leases end {}", figures(idle), figures(busy));
    println!("reads afterwards {}", figures(reads(&client, ROUND)));
}

fn create(client: &Client, number: usize, body: &str) {
    create_with(client, number, &|| body.to_owned());
}

fn create_with(client: &Client, number: usize, body: &(dyn Fn() -> String + Sync)) {
    std::thread::scope(|scope| {
        for worker in 0..WORKERS {
            scope.spawn(move || {
                let Ok(mut connection) = client.connect() else { return eprintln!("no connection") };
                for _ in (worker..number).step_by(WORKERS) {
                    match connection.send("POST", "auth/token/create", &body()) {
                        Ok(answer) => drop(answer.ok()),
                        Err(error) => return eprintln!("{error}"),
                    }
                }
            });
        }
    });
}

/// Reads by a few connections for so long, and how long each took.
fn reads(client: &Client, how_long: Duration) -> Vec<Duration> {
    let end = Instant::now() + how_long;
    let reader = || {
        let mut times = Vec::new();
        let Ok(mut connection) = client.connect() else { return times };
        while Instant::now() < end {
            let begin = Instant::now();
            match connection.send("GET", "kv2/data/a", "") {
                Ok(answer) => drop(answer.ok()),
                Err(error) => eprintln!("{error}"),
            }
            times.push(begin.elapsed());
            // A load of some hundreds a second: the figure is latency, not throughput.
            std::thread::sleep(Duration::from_millis(5));
        }
        times
    };
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS).map(|_| scope.spawn(reader)).collect();
        readers.into_iter().flat_map(|reader| reader.join().unwrap_or_default()).collect()
    })
}

/// Median, least and most.
fn range(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |index: usize| times.get(index).copied().unwrap_or_default();
    format!("{:.1?} ({:.1?} to {:.1?})", at(times.len() / 2), at(0), at(times.len().saturating_sub(1)))
}

fn figures(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |per_mille: usize| times.get(times.len() * per_mille / 1000).copied().unwrap_or_default();
    format!("{}: median {:.1?}, p99 {:.1?}, p99.9 {:.1?}", times.len(), at(500), at(990), at(999))
}

fn tokens(client: &Client) -> u64 {
    let counters = client.get("sys/internal/counters/tokens").ok().json();
    counters["data"]["counters"]["service_tokens"]["total"].as_u64().unwrap_or_default()
}
