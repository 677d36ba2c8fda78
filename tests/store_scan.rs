//! The store tells nothing: neither values nor names of anything a user chose can be read from its files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use bulla_testkit::{Needles, ServerOptions, ServerProcess, scan_files, size_of, tally};
use bulla_tests::{audit_file, kv_mounts, plant};

#[test]
fn no_file_of_the_store_shows_a_name_or_a_value() {
    let (mut server, client, keys) = ServerProcess::ready(ServerOptions::default());
    let audit = audit_file(&server, &client);
    kv_mounts(&client);
    let planted = plant(&client, &keys);
    let mut needles = Needles::default();
    for (name, text) in planted.marks.iter().chain(&planted.tokens) {
        needles.text(name, text);
    }
    for (number, share) in keys.shares.iter().enumerate() {
        needles.bytes(&format!("share-{number}"), &hex::decode(share).unwrap());
    }

    assert!(size_of(&server.data()).unwrap() > 10_000, "the store has files to look at");
    assert_silent(&server, &needles);
    server.kill();
    assert_silent(&server, &needles);
    server.launch();
    server.unseal(&keys);
    assert!(server.terminate().success());
    assert_silent(&server, &needles);

    // The audit log shows paths: were it in the store, the scan would say so.
    let control = tempfile::tempdir().unwrap();
    std::fs::copy(audit, control.path().join("file")).unwrap();
    let hits = scan_files(control.path(), &needles).unwrap();
    assert!(tally(&hits).len() > 5, "the scan is blind: {:?}", tally(&hits));
}

fn assert_silent(server: &ServerProcess, needles: &Needles) {
    let hits = scan_files(&server.data(), needles).unwrap();
    let shown: Vec<_> = hits.iter().take(20).map(|h| format!("{} at {}: {}", h.needle, h.place, h.context)).collect();
    assert!(hits.is_empty(), "{} hits: {shown:#?}", hits.len());
}
