//! What may not happen to operations on shares: taken over, stopped by anybody, or carried out untold.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use crate::testing::Server;
use crate::{CoreConfig, ErrorKind};
use bulla_audit::EnableRequest;
use bulla_types::Operation;
use serde_json::{Value, json};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

const INIT: &str = "sys/rotate/root/init";
const UPDATE: &str = "sys/rotate/root/update";

async fn begin(server: &Server, path: &str, shares: i64, threshold: i64) -> String {
    server.write(path, json!({ "secret_shares": shares, "secret_threshold": threshold })).await.text("nonce")
}

fn give(share: &str, nonce: &str) -> Value {
    json!({ "key": share, "nonce": nonce })
}

#[tokio::test]
async fn shares_for_one_rekey_do_not_feed_another() {
    let server = Server::start(3, 2, CoreConfig::default()).await;
    let first = begin(&server, INIT, 2, 2).await;
    server.write(UPDATE, give(&server.shares[0], &first)).await.ok();
    server.call(Operation::Delete, INIT, json!({})).await.ok();
    let second = begin(&server, INIT, 2, 2).await;
    let refused = server.write(UPDATE, give(&server.shares[1], &first)).await;
    assert_eq!(refused.error(), format!("incorrect nonce supplied; nonce for rotation is \"{second}\""));
    assert_eq!(server.read(INIT).await.ok()["progress"], 0);
}

#[tokio::test]
async fn a_nonce_names_what_is_cancelled() {
    let server = Server::start(1, 1, CoreConfig::default()).await;
    let nonce = begin(&server, INIT, 1, 1).await;
    assert!(server.call(Operation::Delete, INIT, json!({ "nonce": "other" })).await.refused.is_some());
    assert_eq!(server.read(INIT).await.ok()["started"], true);
    server.call(Operation::Delete, INIT, json!({ "nonce": nonce })).await.ok();
    assert_eq!(server.read(INIT).await.ok()["started"], false);
}

#[tokio::test]
async fn nobody_without_a_token_reaches_what_was_begun_with_one() {
    let mut server = Server::start(2, 2, CoreConfig::default()).await;
    let nonce = begin(&server, INIT, 1, 1).await;
    let attempt = server.write("sys/generate-root-token/attempt", json!({})).await.text("nonce");
    for open in [false, true] {
        server.legacy_open = open;
        for (path, body) in [
            ("sys/rekey/init", json!({ "secret_shares": 1, "secret_threshold": 1 })),
            ("sys/rekey/update", give(&server.shares[0], &nonce)),
            ("sys/generate-root/attempt", json!({})),
            ("sys/generate-root/update", give(&server.shares[0], &attempt)),
        ] {
            let told = server.call_as(None, Operation::Update, path, body).await;
            let expected = if open { ErrorKind::BadRequest } else { ErrorKind::Unsupported };
            assert_eq!(told.refused, Some(expected), "{path} {told:?}");
        }
        for path in ["sys/rekey/init", "sys/generate-root/attempt"] {
            assert!(server.call_as(None, Operation::Delete, path, json!({})).await.refused.is_some(), "{path}");
        }
    }
    let state = server.read(INIT).await.ok();
    assert_eq!((&state["nonce"], &state["progress"]), (&json!(nonce), &json!(0)));
    let state = server.read("sys/generate-root-token/attempt").await.ok();
    assert_eq!((&state["nonce"], &state["progress"]), (&json!(attempt), &json!(0)));
}

#[tokio::test]
async fn wrong_shares_leave_an_empty_round() {
    let server = Server::start(3, 2, CoreConfig::default()).await;
    let nonce = begin(&server, INIT, 1, 1).await;
    server.write(UPDATE, give(&server.shares[0], &nonce)).await.ok();
    let forged = format!("{}{}", "ab".repeat(32), "07");
    assert!(server.write(UPDATE, give(&forged, &nonce)).await.error().starts_with("unable to authenticate"));
    assert_eq!(server.read(INIT).await.ok()["progress"], 0);
    server.write(UPDATE, give(&server.shares[0], &nonce)).await.ok();
    assert_eq!(server.write(UPDATE, give(&server.shares[2], &nonce)).await.ok()["complete"], true);
}

#[tokio::test]
async fn root_key_data_key_and_shares_change_and_all_stays_readable() {
    let server = Server::start(1, 1, CoreConfig::default()).await;
    let policy = json!({ "policy": "path \"a\" { capabilities = [\"read\"] }" });
    server.write("sys/policies/acl/p", policy).await.ok();
    let old = server.shares[0].clone();
    for _ in 0..2 {
        server.write("sys/rotate/root", json!({})).await.ok();
        server.write("sys/rotate", json!({})).await.ok();
    }
    let nonce = begin(&server, INIT, 2, 2).await;
    let done = server.write(UPDATE, give(&old, &nonce)).await.ok();
    let new: Vec<String> = done["keys"].as_array().unwrap().iter().map(|k| k.as_str().unwrap().to_owned()).collect();
    // Sealed under the key of the new shares, not the old.
    server.write("sys/rotate/root", json!({})).await.ok();
    server.core.seal(Duration::from_secs(1), 0).await;
    server.unseal(&new).await.unwrap();
    assert!(server.read("sys/policies/acl/p").await.ok()["policy"].as_str().unwrap().contains("read"));
    assert_eq!(server.read("sys/key-status").await.ok()["term"], 3);
}

/// An audit device on a pipe that takes the record of the request and not that of the answer.
fn narrow_pipe(path: &Path) -> std::fs::File {
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let mut pipe = std::fs::OpenOptions::new().read(true).write(true).custom_flags(nonblocking).open(path).unwrap();
    let page = [b'x'; 4096];
    // Two pages stay free: room for the request, not for an answer with 255 shares.
    for _ in 0..14 {
        pipe.write_all(&page).unwrap();
    }
    pipe
}

#[tokio::test]
async fn new_shares_that_could_not_be_recorded_never_come_into_force() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(1, 1, CoreConfig { api_audit_creation: true, ..CoreConfig::default() }).await;
    let nonce = begin(&server, INIT, 255, 2).await;
    let path = dir.path().join("pipe");
    let pipe = narrow_pipe(&path);
    let options = [("file_path".to_owned(), path.display().to_string()), ("mode".to_owned(), "0000".to_owned())];
    let request = EnableRequest {
        kind: "file".into(),
        description: String::new(),
        local: false,
        options: options.into_iter().collect(),
    };
    let record = bulla_audit::DeviceRecord::new(
        "pipe/",
        request,
        crate::audit::identity("file").unwrap(),
        bulla_audit::Managed::Api,
    );
    let rules = crate::audit::rules(&server.core.config);
    let device = bulla_audit::Device::open(record, &rules).unwrap();
    let audit = |then: &dyn Fn(&bulla_audit::Broker)| then(&server.core.gate.pass().unwrap().owner().audit);
    let device = std::sync::Mutex::new(Some(device));
    audit(&|broker| broker.set_devices(vec![device.lock().unwrap().take().unwrap()]));
    let told = server.write(UPDATE, give(&server.shares[0], &nonce)).await;
    assert_eq!(told.refused, Some(ErrorKind::Internal), "{told:?}");
    assert!(told.error().contains("failed to audit response"), "{told:?}");
    audit(&|broker| broker.set_devices(Vec::new()));
    drop(pipe);
    // The operation waits as it was, and the old share is the one in force.
    let state = server.read(INIT).await.ok();
    assert_eq!((&state["nonce"], &state["started"]), (&json!(nonce), &json!(true)));
    server.core.seal(Duration::from_secs(1), 0).await;
    server.unseal(&server.shares).await.unwrap();
}

#[cfg(feature = "pgp")]
mod pgp_keys {
    use super::*;
    use pgp::composed::{Deserializable, Message, SignedSecretKey};
    use pgp::types::Password;

    const PUBLIC: &str = include_str!("../../../../rules/pgp/testdata/curve.pub.asc");
    const SECRET: &str = include_str!("../../../../rules/pgp/testdata/curve.sec.asc");
    const FINGERPRINT: &str = "852c9a1be7397d557a3cdec52d4e09664ee34248";

    fn opened(message: &[u8]) -> String {
        let (key, _) = SignedSecretKey::from_armor_single(SECRET.as_bytes()).unwrap();
        let message = Message::from_bytes(message).unwrap();
        message.decrypt(&Password::empty(), &key).unwrap().as_data_string().unwrap()
    }

    #[tokio::test]
    async fn shares_for_pgp_keys_unseal_once_decrypted_and_are_kept_if_asked() {
        let server = Server::start(1, 1, CoreConfig::default()).await;
        let asked = json!({ "secret_shares": 2, "secret_threshold": 2, "pgp_keys": [PUBLIC, PUBLIC], "backup": true });
        let begun = server.write(INIT, asked).await.ok();
        assert_eq!(begun["pgp_fingerprints"], json!([FINGERPRINT, FINGERPRINT]));
        let done = server.write(UPDATE, give(&server.shares[0], begun["nonce"].as_str().unwrap())).await.ok();
        assert_eq!((&done["backup"], &done["pgp_fingerprints"]), (&json!(true), &begun["pgp_fingerprints"]));
        let messages: Vec<&str> = done["keys"].as_array().unwrap().iter().map(|k| k.as_str().unwrap()).collect();
        let shares: Vec<String> = messages.iter().map(|m| opened(&hex::decode(m).unwrap())).collect();
        for path in ["sys/rotate/root/backup", "sys/rekey/backup"] {
            let kept = server.read(path).await.ok();
            assert_eq!((&kept["nonce"], &kept["keys"][FINGERPRINT]), (&begun["nonce"], &done["keys"]), "{path}");
            assert_eq!(kept["keys_base64"][FINGERPRINT], done["keys_base64"]);
        }
        server.call(Operation::Delete, "sys/rotate/root/backup", json!({})).await.ok();
        assert_eq!(server.read("sys/rotate/root/backup").await.error(), "no backed-up keys found");
        server.core.seal(Duration::from_secs(1), 0).await;
        server.unseal(&shares).await.unwrap();
    }

    #[tokio::test]
    async fn a_root_token_for_a_pgp_key_works_once_decrypted() {
        use base64::Engine as _;
        let server = Server::start(1, 1, CoreConfig::default()).await;
        let begun = server.write("sys/generate-root-token/attempt", json!({ "pgp_key": PUBLIC })).await.ok();
        assert_eq!((&begun["pgp_fingerprint"], &begun["otp"]), (&json!(FINGERPRINT), &json!("")));
        let given = give(&server.shares[0], begun["nonce"].as_str().unwrap());
        let encoded = server.write("sys/generate-root-token/update", given).await.text("encoded_token");
        let token = opened(&base64::engine::general_purpose::STANDARD.decode(encoded).unwrap());
        server.call_as(Some(&token), Operation::Read, "sys/mounts", json!({})).await.ok();
    }

    #[tokio::test]
    async fn bad_keys_begin_nothing() {
        let server = Server::start(1, 1, CoreConfig::default()).await;
        let asked = json!({ "secret_shares": 1, "secret_threshold": 1, "pgp_keys": ["bm90IGEga2V5"] });
        let refused = server.write(INIT, asked).await;
        assert!(refused.error().starts_with("invalid rotation seal configuration: error parsing given PGP key"));
        let refused = server.write("sys/generate-root-token/attempt", json!({ "pgp_key": SECRET })).await;
        assert!(refused.error().contains("secret key"), "{refused:?}");
        assert_eq!(server.read(INIT).await.ok()["started"], false);
    }
}
