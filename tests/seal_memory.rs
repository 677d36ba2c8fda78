//! After `sys/seal` has answered, nothing of what the server knew is in its memory: neither keys nor shares nor tokens
//! nor anything that clients stored. Looked at from outside, over the whole process, with connections still open.
//!
//! It takes root to look: the server forbids it to everybody else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "tests")]

use bulla_testkit::{Client, Connection, Hit, Keys, Needles, ServerOptions, ServerProcess, scan_memory, tally};
use bulla_tests::{Planted, audit_file, kv_mounts, mark, plant};
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

#[test]
fn sealing_erases_what_clients_know_over_plain_http() {
    seal_and_scan(ServerOptions::default(), 1, 1);
}

#[test]
fn sealing_erases_what_clients_know_over_tls() {
    seal_and_scan(ServerOptions { tls: true, ..ServerOptions::default() }, 5, 3);
}

#[test]
fn sealing_erases_all_keys() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("keys");
    let environment = vec![("BULLA_REPORT_KEYS".to_owned(), report.display().to_string())];
    let options = ServerOptions { reports_keys: true, environment, ..ServerOptions::default() };
    let (server, client, keys) = ServerProcess::ready(options);
    kv_mounts(&client);
    let _ = client.put("sys/rotate", json!({})).ok();
    let _ = plant(&client, &keys);

    let bytes = std::fs::read(&report).unwrap();
    // Root key, one data key, names key, hashing key; then the new keyring.
    assert!(bytes.len() >= 4 * 32 && bytes.len().is_multiple_of(32), "{} bytes were reported", bytes.len());
    let mut needles = Needles::default();
    for (number, key) in bytes.chunks(32).enumerate() {
        needles.bytes(&format!("key-{number}"), key);
        // Key schedules hold the key in two halves.
        needles.raw(&format!("key-{number}-first-half"), &key[..16]);
        needles.raw(&format!("key-{number}-second-half"), &key[16..]);
    }
    let before = scan_memory(server.pid(), &needles).unwrap();
    assert!(!before.is_empty(), "the scan finds nothing in an open server: it is blind");
    println!("before the seal: {:?}", tally(&before));
    let _ = client.put("sys/seal", json!({})).is(204);
    assert_clean(&server, &needles, "after the seal");
}

#[test]
fn shares_of_an_unfinished_or_failed_unseal_are_erased() {
    let (server, client, keys) = ready(ServerOptions::default(), 5, 3);
    let _ = client.put("sys/seal", json!({})).is(204);
    let mut needles = Needles::default();
    add_shares(&mut needles, &keys);

    let _ = server.client().put("sys/unseal", json!({ "key": keys.shares[0] })).ok();
    assert!(!scan_memory(server.pid(), &needles).unwrap().is_empty(), "a share that waits is in memory");
    let _ = server.client().put("sys/unseal", json!({ "reset": true })).ok();
    assert_clean(&server, &needles, "after a reset");

    let wrong = flipped(&keys.shares[2]);
    needles.bytes("wrong share", &hex::decode(&wrong).unwrap());
    for share in [&keys.shares[0], &keys.shares_base64[1]] {
        let _ = server.client().put("sys/unseal", json!({ "key": share })).ok();
    }
    let _ = server.client().put("sys/unseal", json!({ "key": wrong })).is(400);
    assert_clean(&server, &needles, "after a wrong share");

    server.unseal(&keys);
    assert_clean(&server, &needles, "after an unseal");
}

/// A seal in the middle of work: what was being written and read at that moment is gone as well.
#[test]
fn sealing_under_load_erases_what_was_in_flight() {
    let (server, client, keys) = ready(ServerOptions::default(), 1, 1);
    let _ = audit_file(&server, &client);
    kv_mounts(&client);
    let text = mark("in-flight");
    let mut needles = Needles::default();
    needles.text("in-flight", &text).text("root-token", &keys.root_token);
    let padded = text.repeat(40);
    std::thread::scope(|scope| {
        let (client, padded) = (&client, &padded);
        let work = move |writer: usize| {
            let mut connection = client.connect().unwrap();
            for number in 0.. {
                let path = format!("kv2/data/w{writer}/{number}");
                let body = json!({ "data": { "k": padded } }).to_string();
                let written = connection.send("POST", &path, &body);
                let read = connection.send("GET", &path, "");
                // The seal closes the connection; another would only tell the sealed server the token again.
                if !matches!((written, read), (Ok(w), Ok(r)) if w.status == 200 && r.status == 200) {
                    return number;
                }
            }
            0
        };
        let workers: Vec<_> = (0..8).map(|w| scope.spawn(move || work(w))).collect();
        std::thread::sleep(std::time::Duration::from_millis(500));
        assert!(!scan_memory(server.pid(), &needles).unwrap().is_empty());
        let _ = client.put("sys/seal", json!({})).is(204);
        assert_clean(&server, &needles, "after a seal under load");
        let done: usize = workers.into_iter().map(|w| w.join().unwrap()).sum();
        assert!(done > 0, "nothing was in flight");
    });
}

/// Names of folders large enough to be kept sorted in memory go with the rest.
#[test]
fn sealing_erases_the_names_of_large_folders() {
    // More than a folder has before its names are kept.
    const NAMES: usize = 2_100;
    const WRITERS: usize = 20;
    let (server, client, keys) = ready(ServerOptions::default(), 1, 1);
    kv_mounts(&client);
    let (folder, name) = (mark("folder"), mark("held"));
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (client, folder, name) = (&client, &folder, &name);
            scope.spawn(move || {
                let mut connection = client.connect().unwrap();
                for number in (writer..NAMES).step_by(WRITERS) {
                    let path = format!("kv2/metadata/{folder}/{name}-{number:04}");
                    let _ = connection.send("POST", &path, r#"{"max_versions":1}"#).unwrap().ok();
                }
            });
        }
    });
    for after in ["", &format!("{name}-0500")] {
        let path = format!("kv2/metadata/{folder}?list=true&limit=10&after={after}");
        assert_eq!(client.get(&path).ok().json()["data"]["keys"].as_array().unwrap().len(), 10);
    }
    let mut needles = Needles::default();
    needles.text("name", &name).text("folder", &folder).text("root-token", &keys.root_token);
    let before = scan_memory(server.pid(), &needles).unwrap();
    let held = before.iter().filter(|hit| hit.needle == "name").count();
    assert!(held >= NAMES, "only {held} names are in memory: none are held, and the scan shows nothing");
    let _ = client.put("sys/seal", json!({})).is(204);
    assert_clean(&server, &needles, "after the seal");
}

/// A development server sets itself up on its main thread, and tells its keys on standard output.
#[test]
fn sealing_a_development_server_erases_what_it_set_up() {
    let mut child = Command::new(bulla_testkit::binary())
        .args(["server", "-dev", "-dev-no-store-token", "-dev-listen-address=127.0.0.1:19999"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines: Vec<String> = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap)
        .take_while(|line| !line.contains("server started"))
        .collect();
    let told = |name: &str| lines.iter().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    let (key, token) = (told("Unseal Key:"), told("Root Token:"));
    let client = Client { address: "127.0.0.1:19999".into(), tls: false, token: Some(token.clone()) };
    let value = mark("dev-value");
    let _ = client.post("secret/data/s", json!({ "data": { "k": value } })).ok();

    let mut needles = Needles::default();
    needles.text("root-token", &token).text("unseal-key", &key).text("value", &value);
    // Without anybody asking, hardly anything is there to be found.
    let mut waiting = client.connect().unwrap();
    waiting.write(waiting.head("POST", "secret/data/s", 100).as_bytes()).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(200));
    let before = scan_memory(child.id(), &needles).unwrap();
    let _ = client.put("sys/seal", json!({})).is(204);
    let after = scan_memory(child.id(), &needles).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!before.is_empty(), "the scan is blind");
    assert!(after.is_empty(), "after the seal: {after:#?}");
}

/// The same share with one bit of its middle turned.
fn flipped(share: &str) -> String {
    let mut bytes = hex::decode(share).unwrap();
    bytes[16] ^= 1;
    hex::encode(bytes)
}

fn ready(options: ServerOptions, shares: u8, threshold: u8) -> (ServerProcess, Client, Keys) {
    let server = ServerProcess::start(options);
    let keys = server.init(shares, threshold);
    server.unseal(&keys);
    let client = server.client().with_token(&keys.root_token);
    (server, client, keys)
}

fn seal_and_scan(options: ServerOptions, shares: u8, threshold: u8) {
    let (server, client, keys) = ready(options, shares, threshold);
    let _ = audit_file(&server, &client);
    kv_mounts(&client);
    let mut planted = plant(&client, &keys);
    let mut open = connections(&client, &mut planted);

    let needles = needles_of(&planted, &keys);
    assert!(needles.len() >= 20, "only {} canaries", needles.len());
    let before = scan_memory(server.pid(), &needles).unwrap();
    assert!(!before.is_empty(), "the scan finds nothing in an open server: it is blind");
    println!("{} canaries; before the seal: {:?}", needles.len(), tally(&before));

    let _ = client.put("sys/seal", json!({})).is(204);
    assert_clean(&server, &needles, "after the seal");
    assert!(open.iter_mut().all(Connection::is_closed), "connections that know secrets are closed");
    assert!(server.is_sealed());
    let _ = client.get("kv1/large").is(503);
    assert_clean(&server, &needles, "after requests to the sealed server");

    server.unseal(&keys);
    let _ = client.get("kv1/large").ok();
    let _ = client.put("sys/seal", json!({})).is(204);
    assert_clean(&server, &needles, "after the second seal");
}

/// Idle ones that have asked and been answered, and ones that have not finished asking.
fn connections(client: &Client, planted: &mut Planted) -> Vec<Connection> {
    let mut open = Vec::new();
    for number in 0..4 {
        let mut connection = client.connect().unwrap();
        let value = mark(&format!("idle-{number}"));
        let body = json!({ "k": value }).to_string();
        let _ = connection.send("POST", &format!("kv1/idle-{number}"), &body).unwrap().ok();
        let _ = connection.send("GET", &format!("kv1/idle-{number}"), "").unwrap().ok();
        planted.marks.push((format!("idle-{number}"), value));
        open.push(connection);
    }
    let mut half_body = client.connect().unwrap();
    let value = mark("half-body");
    let head = half_body.head("POST", "kv1/half", 100_000);
    half_body.write(format!("{head}{{\"k\":\"{value}").as_bytes()).unwrap();
    planted.marks.push(("half-body".into(), value));
    let mut half_head = client.connect().unwrap();
    let value = mark("half-head");
    half_head.write(format!("GET /v1/kv1/idle-0 HTTP/1.1\r\nX-Vault-Token: {value}\r\nX-More: ").as_bytes()).unwrap();
    planted.marks.push(("half-head".into(), value));
    open.extend([half_body, half_head]);
    // Until the server has read it: the scan before the seal must find it.
    std::thread::sleep(std::time::Duration::from_millis(200));
    open
}

fn needles_of(planted: &Planted, keys: &Keys) -> Needles {
    let mut needles = Needles::default();
    for (name, text) in &planted.marks {
        needles.text(name, text);
    }
    for (name, token) in &planted.tokens {
        needles.text(name, token);
        needles.raw(&format!("{name} without its prefix"), &token.as_bytes()[4..]);
    }
    add_shares(&mut needles, keys);
    needles
}

fn add_shares(needles: &mut Needles, keys: &Keys) {
    for (number, share) in keys.shares.iter().enumerate() {
        needles.bytes(&format!("share-{number}"), &hex::decode(share).unwrap());
    }
}

fn assert_clean(server: &ServerProcess, needles: &Needles, when: &str) {
    let hits = scan_memory(server.pid(), needles).unwrap();
    let show = |hit: &Hit| format!("{} ({}) at {}: {}\n", hit.needle, hit.form, hit.place, hit.context);
    let shown: String = hits.iter().take(60).map(show).collect();
    assert!(hits.is_empty(), "{when}: {} hits, {:?}\n{shown}", hits.len(), tally(&hits));
}
