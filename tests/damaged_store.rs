//! Records that were changed behind the server's back: each is refused with an error that names it, and nothing else is
//! lost by it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use bulla_physical::{Batch, DiskOptions, ReadSet, Store};
use bulla_testkit::{Client, Keys, ServerOptions, ServerProcess};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;

type Records = BTreeMap<Vec<u8>, Vec<u8>>;

/// A server with three secrets, stopped, and where two of them lie.
struct Stopped {
    server: ServerProcess,
    client: Client,
    keys: Keys,
    one: Vec<u8>,
    two: Vec<u8>,
}

fn stopped() -> Stopped {
    let (mut server, client, keys) = ServerProcess::ready(ServerOptions::default());
    bulla_tests::kv_mounts(&client);
    let _ = client.post("kv1/kept", json!({ "k": "kept" })).ok();
    let mut written = |name: &str| {
        assert!(server.terminate().success());
        let before = records(&server.data());
        server.launch();
        server.unseal(&keys);
        let _ = client.post(&format!("kv1/{name}"), json!({ "k": name })).ok();
        assert!(server.terminate().success());
        let mut new: Vec<_> = records(&server.data()).into_keys().filter(|k| !before.contains_key(k)).collect();
        assert_eq!(new.len(), 1, "a secret of version 1 is one record");
        server.launch();
        server.unseal(&keys);
        new.remove(0)
    };
    let (one, two) = (written("one"), written("two"));
    assert!(server.terminate().success());
    Stopped { server, client, keys, one, two }
}

fn open(data: &Path) -> (Store, tokio::runtime::Runtime) {
    (Store::open(data, DiskOptions::default()).unwrap(), tokio::runtime::Runtime::new().unwrap())
}

fn records(data: &Path) -> Records {
    let (store, runtime) = open(data);
    let all = runtime.block_on(store.snapshot().unwrap().scan(&[0], &[0xff], usize::MAX)).unwrap();
    store.close();
    all.into_iter().map(|(k, v)| (k.to_vec(), v.to_vec())).collect()
}

fn put(data: &Path, changes: &[(&Vec<u8>, Vec<u8>)]) {
    let (store, runtime) = open(data);
    let mut batch = Batch::default();
    changes.iter().for_each(|(key, value)| batch.put((*key).clone(), value.clone()));
    let _ = runtime.block_on(store.commit(None, ReadSet::default(), batch)).unwrap();
    store.close();
}

impl Stopped {
    fn start(&mut self) {
        self.server.launch();
        self.server.unseal(&self.keys);
        assert_eq!(self.client.get("kv1/kept").ok().json()["data"]["k"], "kept");
    }

    fn assert_refused(&self, name: &str, key: &[u8]) {
        let answer = self.client.get(&format!("kv1/{name}"));
        assert_eq!(answer.status, 500, "{}", answer.text());
        assert!(!answer.errors().is_empty());
        // The operator's log names the record; the log has its own thread.
        let hex = hex::encode(key);
        let named = (0..200).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            self.server.log().contains(&hex)
        });
        assert!(named || answer.errors().contains(&hex), "{hex} is not named");
    }
}

#[test]
fn a_damaged_record_is_named_and_the_rest_works() {
    let mut house = stopped();
    let data = house.server.data();
    let good = records(&data)[&house.one].clone();
    let flipped = |at: usize| {
        let mut bad = good.clone();
        bad[at] ^= 1;
        bad
    };
    // Version, term, nonce, ciphertext, tag; cut off; empty of content.
    let mut bad: Vec<Vec<u8>> = [0, 4, 8, 20, good.len() - 1].map(flipped).to_vec();
    bad.push(good[..good.len() - 1].to_vec());
    bad.push(good[..10].to_vec());
    for bad in bad {
        put(&data, &[(&house.one, bad)]);
        house.start();
        house.assert_refused("one", &house.one);
        assert_eq!(house.client.get("kv1/two").ok().json()["data"]["k"], "two");
        let listed = house.client.list("kv1").ok().json();
        assert_eq!(listed["data"]["keys"], json!(["kept", "one", "two"]));
        assert!(house.server.terminate().success());
    }
    put(&data, &[(&house.one, good)]);
    house.start();
    assert_eq!(house.client.get("kv1/one").ok().json()["data"]["k"], "one");
}

#[test]
fn swapped_records_are_refused() {
    let mut house = stopped();
    let data = house.server.data();
    let all = records(&data);
    put(&data, &[(&house.one, all[&house.two].clone()), (&house.two, all[&house.one].clone())]);
    house.start();
    house.assert_refused("one", &house.one);
    house.assert_refused("two", &house.two);
}

#[test]
fn a_name_that_does_not_open_hides_nothing_else() {
    let mut house = stopped();
    let data = house.server.data();
    let mut strange = house.one.clone();
    *strange.last_mut().unwrap() ^= 1;
    put(&data, &[(&strange, records(&data)[&house.one].clone())]);
    house.start();
    assert_eq!(house.client.list("kv1").ok().json()["data"]["keys"], json!(["kept", "one", "two"]));
    assert_eq!(house.client.get("kv1/one").ok().json()["data"]["k"], "one");
}

#[test]
fn a_damaged_keyring_opens_nothing_and_loses_nothing() {
    let mut house = stopped();
    let data = house.server.data();
    let all = records(&data);
    for name in ["root-key", "keyring"] {
        let key = all.keys().find(|k| k.ends_with(name.as_bytes())).unwrap().clone();
        let mut bad = all[&key].clone();
        *bad.last_mut().unwrap() ^= 1;
        put(&data, &[(&key, bad)]);
        house.server.launch();
        let answer = house.client.without_token().put("sys/unseal", json!({ "key": house.keys.shares[0] }));
        assert!(answer.status >= 400 && !answer.errors().is_empty(), "{name}: {}", answer.text());
        assert!(house.server.is_sealed());
        assert!(house.server.terminate().success());
        put(&data, &[(&key, all[&key].clone())]);
    }
    house.start();
}
