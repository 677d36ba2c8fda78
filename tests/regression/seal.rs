//! Seal, rekey, root generation.
//!
//! | Row | Attack | Guard that was switched off to see the test fail |
//! | --- | --- | --- |
//! | SEAL-01 | cancel a rekey, begin another, let the shares of the first feed it | `ShareRound::check_nonce` takes any nonce |
//! | SEAL-02 | cancel every rekey and root generation, again and again | `ShareRound::check_cancel` allows all |
//! | SEAL-03 | rekey without a token, and without a trace | `Family::check_open` opens every listener |
//! | SEAL-04 | hold or reset the one place of an operation, anonymously | the same |
//! | SEAL-05 | get a root token or shares while their answer cannot be recorded | the pipeline commits before it records the answer (`answers_first`) |
//! | SEAL-08 | make unsealing fail, and read keys in the log | `unseal_with` logs the unseal key in hex |
//!
//! Not here: SEAL-06 (no recovery mode), SEAL-07 and SEAL-10 (tests of `rules/crypto`), SEAL-09 and SEAL-11 (no seals but
//! Shamir).

use bulla_barrier::{Keyspace, meta, plain_key};
use bulla_core::ErrorKind;
use bulla_physical::{Batch, DiskOptions, ReadSet, Store};
use bulla_seal::{Progress, RootKey, SealConfig, Share, UnsealKey, Unsealing, open_root_key, seal_root_key};
use bulla_testkit::{Client, HttpAnswer, Keys, Needles, ServerOptions, ServerProcess, scan_files};
use bulla_tests::{From, House, NarrowPipe, audit_file, texts};
use bulla_types::{Operation, Seconds};
use serde_json::{Value, json};
use std::path::Path;

/// The routes on shares: with a token, and without where the listener is open.
const INITS: [&str; 2] = ["sys/rotate/root/init", "sys/rekey/init"];
const UPDATES: [&str; 2] = ["sys/rotate/root/update", "sys/rekey/update"];
const ATTEMPTS: [&str; 2] = ["sys/generate-root-token/attempt", "sys/generate-root/attempt"];

/// Three shares, two needed; the client has the root token.
fn server(listener: &str) -> (ServerProcess, Client, Keys) {
    let options = ServerOptions { listener: listener.into(), ..ServerOptions::default() };
    let server = ServerProcess::start(options);
    let keys = server.init(3, 2);
    server.unseal(&keys);
    let root = server.client().with_token(&keys.root_token);
    (server, root, keys)
}

const OPEN: &str = "disable_unauthed_rekey_endpoints = false";

/// Bare answers and enveloped ones alike.
fn data(answer: HttpAnswer) -> Value {
    let json = answer.ok().json();
    if json["data"].is_object() { json["data"].clone() } else { json }
}

fn begin(client: &Client, init: &str) -> String {
    let started = data(client.post(init, json!({ "secret_shares": 2, "secret_threshold": 2 })));
    started["nonce"].as_str().unwrap().to_owned()
}

fn give(share: &str, nonce: &str) -> Value {
    json!({ "key": share, "nonce": nonce })
}

/// Records of kind `kind` about this path.
fn recorded(audit: &Path, kind: &str, operation: &str, path: &str) -> usize {
    let text = std::fs::read_to_string(audit).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines
        .filter(|l| l["type"] == kind && l["request"]["path"] == path && l["request"]["operation"] == operation)
        .count()
}

/// Vault 0.5.0: a rekey had no nonce, so that whoever cancelled it and began another got the shares of those who had not
/// noticed, for shares encrypted to keys of his own.
#[test]
fn seal_01_shares_for_one_rekey_never_feed_another() {
    let (_server, root, keys) = server(OPEN);
    for (init, update) in INITS.into_iter().zip(UPDATES) {
        let first = begin(&root, init);
        let _ = data(root.post(update, give(&keys.shares[0], &first)));
        let _ = root.send("DELETE", init, &json!({ "nonce": first }).to_string()).is(204);
        let second = begin(&root, init);
        for share in &keys.shares {
            let refused = root.post(update, give(share, &first)).is(400);
            assert!(refused.errors().contains("incorrect nonce"), "{}", refused.errors());
        }
        assert_eq!(data(root.get(init))["progress"], 0, "{init}");
        let _ = root.send("DELETE", init, &json!({ "nonce": second }).to_string()).is(204);
    }
}

/// CVE-2025-4656: a loop of cancellations kept every rekey from ending.
#[test]
fn seal_02_cancelling_needs_the_nonce() {
    let (server, root, keys) = server(OPEN);
    let audit = audit_file(&server, &root);
    let other = root.post("auth/token/create", json!({ "policies": ["root"] })).ok().json();
    let other = root.with_token(other["auth"]["client_token"].as_str().unwrap());
    let nobody = root.without_token();
    for (at, (init, update)) in INITS.into_iter().zip(UPDATES).enumerate() {
        let operator = [&root, &nobody][at];
        let attackers = [&other, &nobody];
        let nonce = begin(operator, init);
        let _ = data(operator.post(update, give(&keys.shares[0], &nonce)));
        for body in ["", "{}", r#"{"nonce":""}"#, r#"{"nonce":"guessed"}"#] {
            let before = recorded(&audit, "request", "delete", init);
            let refused = attackers[at].send("DELETE", init, body).is(400);
            assert!(!refused.text().contains(&nonce), "the refusal tells the nonce: {}", refused.text());
            assert_eq!(recorded(&audit, "request", "delete", init), before + 1, "{init} {body}");
            assert_eq!(recorded(&audit, "response", "delete", init), before + 1, "{init} {body}");
        }
        let state = data(operator.get(init));
        assert_eq!((&state["nonce"], &state["progress"]), (&json!(nonce), &json!(1)), "{init}");
        let _ = attackers[at].send("DELETE", init, &json!({ "nonce": nonce }).to_string()).is(204);
        assert_eq!(data(operator.get(init))["started"], false, "{init}");
    }
}

/// The same with the clock in hand: protected for ten minutes, then anybody may clear away what was forgotten.
#[tokio::test]
async fn seal_02_cancelling_needs_the_nonce_for_ten_minutes() {
    use Operation::{Delete, Read, Update};
    let house = House::ready(3, 2).await;
    let told = house.root(Update, "auth/token/create", json!({ "policies": ["root"] })).await;
    let other = From::token(&told.token.unwrap());
    let root = From::token(&house.root);
    let (near, far) = (From::anybody_at("192.0.2.1"), From::anybody_at("192.0.2.2"));
    let rekey = json!({ "secret_shares": 1, "secret_threshold": 1 });
    for (path, body, operator, attacker) in [
        (INITS[0], &rekey, &root, &other),
        (INITS[1], &rekey, &near, &far),
        (ATTEMPTS[0], &json!({}), &root, &other),
        (ATTEMPTS[1], &json!({}), &near, &far),
    ] {
        let cancel = async |from: &From| house.ask(from, Delete, path, json!({})).await;
        house.ask(operator, Update, path, body.clone()).await.ok();
        for _ in 0..2 {
            let refusal = cancel(attacker).await.refused_as(ErrorKind::BadRequest);
            assert!(refusal.contains("younger than 10 minutes"), "{path}: {refusal}");
            assert_eq!(house.ask(operator, Read, path, json!({})).await.ok()["started"], true, "{path}");
            house.clock.advance(Seconds(299));
        }
        house.clock.advance(Seconds(1));
        cancel(attacker).await.refused_as(ErrorKind::BadRequest);
        house.clock.advance(Seconds(1));
        cancel(attacker).await.ok();
        // Whoever began it may stop it at once.
        house.ask(operator, Update, path, body.clone()).await.ok();
        cancel(operator).await.ok();
        assert_eq!(house.ask(operator, Read, path, json!({})).await.ok()["started"], false, "{path}");
    }
}

/// CVE-2025-52894: the same routes, open to everybody and outside the audit log.
#[test]
fn seal_03_closed_without_a_token_and_recorded_either_way() {
    for listener in ["", OPEN] {
        let (server, root, _) = server(listener);
        let audit = audit_file(&server, &root);
        let nobody = root.without_token();
        for (method, operation) in [("POST", "update"), ("PUT", "update"), ("DELETE", "delete"), ("GET", "read")] {
            for path in ["sys/rekey/init", "sys/rekey/verify", "sys/rekey/update", "sys/rekey-recovery-key/init"] {
                if path == "sys/rekey/update" && operation != "update" {
                    continue;
                }
                let kinds = ["request", "response"].map(|kind| recorded(&audit, kind, operation, path));
                let told = nobody.send(method, path, if operation == "update" { "{}" } else { "" });
                let closed = (403..=405).contains(&told.status);
                assert_eq!(closed, listener.is_empty(), "{method} {path}: {} {}", told.status, told.text());
                let now = ["request", "response"].map(|kind| recorded(&audit, kind, operation, path));
                assert_eq!(now, kinds.map(|count| count + 1), "{method} {path} left no trace");
            }
        }
        let nonce = begin(&root, INITS[0]);
        assert_eq!(data(root.get(INITS[0]))["nonce"], nonce);
    }
}

/// CVE-2026-5807: one place for an operation, and anybody could take it.
#[test]
fn seal_04_anonymous_callers_neither_hold_nor_reset_the_place() {
    let (_server, root, keys) = server("");
    let nonces =
        [begin(&root, INITS[0]), data(root.post(ATTEMPTS[0], json!({})))["nonce"].as_str().unwrap().to_owned()];
    let _ = data(root.post(UPDATES[0], give(&keys.shares[0], &nonces[0])));
    let _ = data(root.post("sys/generate-root-token/update", give(&keys.shares[0], &nonces[1])));
    let nobody = root.without_token();
    for round in 0..100 {
        for path in [INITS, ATTEMPTS].concat() {
            let begun = nobody.post(path, json!({ "secret_shares": 1, "secret_threshold": 1 }));
            let cancelled = nobody.send("DELETE", path, &json!({ "nonce": nonces[round % 2] }).to_string());
            for told in [begun, cancelled] {
                assert!(matches!(told.status, 403 | 405), "{path}: {}", told.status);
            }
        }
    }
    for (path, nonce) in [INITS[0], ATTEMPTS[0]].into_iter().zip(&nonces) {
        let state = data(root.get(path));
        assert_eq!((state["nonce"].as_str(), state["progress"].as_u64()), (Some(nonce.as_str()), Some(1)), "{path}");
    }
}

/// CVE-2026-115357: the request was recorded, the answer was not, and a root token left the server all the same.
#[test]
fn seal_05_what_could_not_be_recorded_is_not_handed_out() {
    let (server, root, keys) = server(OPEN);
    let mut pipe = NarrowPipe::enable(&server, &root);
    let nobody = root.without_token();
    let tokens = |client: &Client| texts(&data(client.list("auth/token/accessors"))["keys"]).len();
    for (client, init, update, body) in [
        (&nobody, ATTEMPTS[1], "sys/generate-root/update", json!({})),
        (&root, ATTEMPTS[0], "sys/generate-root-token/update", json!({})),
        (&nobody, INITS[1], UPDATES[1], json!({ "secret_shares": 3, "secret_threshold": 2 })),
        (&root, INITS[0], UPDATES[0], json!({ "secret_shares": 3, "secret_threshold": 2 })),
    ] {
        let nonce = data(client.post(init, body))["nonce"].as_str().unwrap().to_owned();
        let _ = pipe.records();
        let _ = data(client.post(update, give(&keys.shares[0], &nonce)));
        let alike = pipe.records();
        assert_eq!(alike.len(), 2, "one record of the request, one of the answer");
        let before = tokens(&root);
        pipe.narrow(&alike[0]);
        let told = client.post(update, give(&keys.shares[1], &nonce)).is(500);
        assert!(told.errors().contains("audit"), "{}", told.text());
        assert!(["encoded", "keys", "nonce"].iter().all(|word| !told.text().contains(word)), "{}", told.text());
        pipe.widen();
        // The device was given up; it is tried again with the next records.
        assert!((0..500).any(|_| root.get("sys/mounts").status == 200), "the device never comes back");
        let state = data(client.get(init));
        assert_eq!((&state["nonce"], &state["progress"]), (&json!(nonce), &json!(1)), "{update} is consumed");
        assert_eq!(tokens(&root), before, "{update} left a token behind");
        let _ = pipe.records();
        let _ = client.send("DELETE", init, &json!({ "nonce": nonce }).to_string()).is(204);
        let _ = pipe.records();
    }
    // The shares in force are still the first ones.
    let _ = root.put("sys/seal", json!({})).is(204);
    server.unseal(&keys);
}

fn unseal_key(keys: &Keys) -> UnsealKey {
    let mut unsealing = Unsealing::new(SealConfig::new(3, 2).unwrap(), "n".into());
    for share in &keys.shares {
        match unsealing.add(Share::parse(share).unwrap()).unwrap() {
            Progress::More(next) | Progress::Repeated(next) => unsealing = next,
            Progress::Perhaps(..) => panic!("there is one threshold"),
            Progress::Done(key) => return key,
        }
    }
    panic!("too few shares");
}

/// Looks at one of the records that are kept in the open, and puts another in its place.
fn replace(data: &Path, name: &[u8], with: impl FnOnce(&[u8]) -> Vec<u8>) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = Store::open(data, DiskOptions::default()).unwrap();
    let key = plain_key(Keyspace::Meta, &[name]);
    runtime.block_on(async {
        let old = store.snapshot().unwrap().get(key.bytes()).await.unwrap().unwrap();
        let mut batch = Batch::default();
        batch.put(key.bytes().to_vec(), with(&old));
        let _ = store.commit(None, ReadSet::default(), batch).await.unwrap();
    });
    store.close();
}

/// CVE-2018-19786: what the seal gave back was not what was expected, and the error printed it.
#[test]
fn seal_08_a_failing_unseal_prints_no_keys() {
    let more = "log_level = \"trace\"".to_owned();
    let mut server = ServerProcess::start(ServerOptions { more, ..ServerOptions::default() });
    let keys = server.init(3, 2);
    server.unseal(&keys);
    let unseal = unseal_key(&keys);
    let mut secrets = Needles::default();
    unseal.expose(|key| {
        secrets.bytes("unseal key", key);
    });
    for (number, share) in keys.shares.iter().enumerate() {
        secrets.bytes(&format!("share {number}"), &hex::decode(share).unwrap());
    }
    assert!(server.terminate().success());
    let mut good = Vec::new();
    replace(&server.data(), meta::ROOT_KEY, |sealed| {
        open_root_key(&unseal, sealed).unwrap().expose(|key| {
            secrets.bytes("root key", key);
        });
        good = sealed.to_vec();
        sealed.to_vec()
    });
    let strange = RootKey::generate().unwrap();
    strange.expose(|key| {
        secrets.bytes("strange root key", key);
    });
    let flipped = |at: usize| {
        let mut bad = good.clone();
        bad[at] ^= 1;
        bad
    };
    // The right seal around another key; a changed header, nonce, key, tag; a record cut short, an empty one.
    let mut bad = vec![seal_root_key(&unseal, &strange).unwrap(), good[..good.len() - 1].to_vec(), Vec::new()];
    bad.extend([0, 1, 5, 20, good.len() - 1].map(flipped));
    for bad in bad {
        replace(&server.data(), meta::ROOT_KEY, |_| bad);
        server.launch();
        let nobody = server.client();
        let answers =
            keys.shares[..2].iter().map(|s| nobody.put("sys/unseal", json!({ "key": s }))).collect::<Vec<_>>();
        assert!(answers[1].status >= 400, "{}", answers[1].text());
        assert!(server.is_sealed());
        assert!(server.terminate().success());
        for answer in &answers {
            std::fs::write(server.folder().join("answer"), answer.text()).unwrap();
            let hits = scan_files(server.folder(), &secrets).unwrap();
            assert!(hits.is_empty(), "{hits:?}");
        }
    }
    replace(&server.data(), meta::ROOT_KEY, |_| good);
    server.launch();
    server.unseal(&keys);
    // What was looked for can be found.
    std::fs::write(server.folder().join("answer"), &keys.shares[0]).unwrap();
    assert!(!scan_files(server.folder(), &secrets).unwrap().is_empty());
}
