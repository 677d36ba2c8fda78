//! Secrets: what cannot be read is not repeated, and no name is too long to be refused.
//!
//! | Row | Attack | Guard that was switched off to see the test fail |
//! | --- | --- | --- |
//! | KV-01 | send a secret where something else is expected, and find it in the answer, the log or the audit log | errors of fields quote the value |
//! | KV-03 | store under a name longer than the store takes | `RequestPath::parse` takes paths of any length, and the barrier makes keys of any length of them |
//!
//! KV-02 is POL-01.

use bulla_testkit::{Client, ServerOptions, ServerProcess};
use bulla_tests::{audit_file, mark};
use serde_json::json;

/// Nothing that the server has told or written holds the text.
fn assert_untold(server: &ServerProcess, audit: &std::path::Path, answer: &str, canary: &str, what: &str) {
    assert!(!answer.contains(canary), "{what}: {answer}");
    assert!(!server.log().contains(canary), "{what} is in the log");
    assert!(!std::fs::read_to_string(audit).unwrap().contains(canary), "{what} is in the audit log");
}

/// CVE-2025-4166, CVE-2025-52893: the error about a field of a wrong type quoted what was in it.
#[test]
fn kv_01_what_cannot_be_read_is_not_repeated() {
    let more = "log_level = \"trace\"".to_owned();
    let (server, client, _) = ServerProcess::ready(ServerOptions { more, ..ServerOptions::default() });
    bulla_tests::kv_mounts(&client);
    let audit = audit_file(&server, &client);
    let canary = mark("kv-01");
    let c = json!(canary);
    let bodies = [
        json!({ "data": c }),
        json!({ "data": [c] }),
        json!({ "data": 5, "other": c }),
        json!({ "data": { "k": 1 }, "options": c }),
        json!({ "data": { "k": 1 }, "options": { "cas": c } }),
        json!({ "data": { "k": 1 }, "options": { "cas": [c] } }),
        json!({ "max_versions": c, "cas_required": c, "delete_version_after": c }),
        json!({ "cas_required": c }),
        json!({ "delete_version_after": c }),
        json!({ "custom_metadata": c }),
        json!({ "custom_metadata": { "a": [c] } }),
        json!({ "custom_metadata": { "a": c.as_str().unwrap().repeat(40) } }),
        json!({ "versions": c }),
        json!({ "versions": { "a": c } }),
        json!({ "ttl": c, "lease": c }),
    ];
    let mut texts: Vec<String> = bodies.iter().map(ToString::to_string).collect();
    texts.extend([
        format!("{{\"data\":{{\"k\":\"{canary}\"}}"),
        format!("{{\"data\":{{\"k\":\"{canary}\"}},}}"),
        format!("{{\"data\":{{\"k\":\"{canary}\u{1}\"}}}}"),
        format!("{{\"data\":{{\"k\":\"{canary}\\x\"}}}}"),
        format!("{{\"data\":{{\"k\":{canary}}}}}"),
        format!("\"{canary}\""),
        format!("[\"{canary}\"]"),
        canary.clone(),
        format!("data={canary}&options={canary}"),
    ]);
    let mut refused = 0;
    for path in
        ["kv2/data/s", "kv2/metadata/s", "kv2/config", "kv2/delete/s", "kv2/destroy/s", "kv2/undelete/s", "kv1/s"]
    {
        for method in ["POST", "PUT", "PATCH"] {
            for text in &texts {
                let mut connection = client.connect().unwrap();
                let head = connection.head(method, path, text.len());
                let kind = "\r\nContent-Type: application/merge-patch+json\r\n";
                let head = if method == "PATCH" { head.replacen("\r\n", kind, 1) } else { head };
                connection.write(&[head.as_bytes(), text.as_bytes()].concat()).unwrap();
                let told = connection.answer().unwrap();
                assert!(told.status < 500, "{method} {path} {text}: {}", told.text());
                refused += usize::from(told.status == 400);
                assert_untold(&server, &audit, &told.text(), &canary, &format!("{method} {path} {text}"));
            }
        }
        for query in ["version", "limit", "after", "list", "depth"] {
            // Not the secret itself, which may hold it by now.
            let told = client.get(&format!("{path}-other?{query}={canary}"));
            assert_untold(&server, &audit, &told.text(), &canary, &format!("{path}?{query}"));
        }
    }
    assert!(refused > 100, "only {refused} were refused: this shows little");
}

fn is_well(client: &Client) {
    assert_eq!(client.get("kv1/kept").ok().json()["data"]["k"], "kept");
    let _ = client.post("kv1/fresh", json!({ "k": "v" })).ok();
}

/// CVE-2021-45042: a name longer than the store's longest key got as far as the log, and every node died of it.
#[test]
fn kv_03_a_name_of_any_length_is_stored_or_refused() {
    let (mut server, client, keys) = ServerProcess::ready(ServerOptions::default());
    bulla_tests::kv_mounts(&client);
    for method in ["approle", "userpass"] {
        let _ = client.post(&format!("sys/auth/{method}"), json!({ "type": method })).ok();
    }
    let _ = client.post("kv1/kept", json!({ "k": "kept" })).ok();
    let body =
        json!({ "data": { "k": "v" }, "k": "v", "policy": "", "type": "kv", "name": "n", "password": "p" }).to_string();
    let (mut kept, mut refused) = (0, 0);
    let places = [
        "kv1/",
        "kv2/data/",
        "kv2/metadata/",
        "cubbyhole/",
        "auth/approle/role/",
        "auth/token/roles/",
        "auth/userpass/login/",
        "sys/policies/acl/",
        "sys/mounts/",
        "identity/entity/name/",
        "sys/leases/lookup/",
    ];
    for at in places {
        let most = 16 * 1024 - at.len();
        // Many names, one name, and names of one letter, whose keys are the longest.
        for unit in ["abcdefg/", "a", "a/", "%C3%A4/"] {
            for length in
                [255, 1024, most - 8, most, most + 1, 32 * 1024 - 1, 32 * 1024, 32 * 1024 + 1, 65_536, 1 << 20]
            {
                let written = if unit.starts_with('%') { 3 } else { unit.len() };
                let name = unit.repeat(length / written);
                let path = format!("{at}{}z", name.trim_end_matches('/'));
                // Of a head that is far too long the server does not read the rest, and may hang up before it is sent.
                for (method, body) in [("PUT", body.as_str()), ("GET", "")] {
                    let Ok(told) = client.try_send(method, &path, body) else {
                        assert!(length > most, "{method} {at}, {length} bytes of {unit}: no answer");
                        continue;
                    };
                    let status = told.status;
                    assert!(status < 500, "{method} {at}, {length} bytes of {unit}: {status} {}", told.text());
                    if method == "PUT" {
                        kept += usize::from(status < 300);
                        refused += usize::from(status >= 400);
                    }
                }
            }
        }
        is_well(&client);
    }
    assert!(kept > 20 && refused > 100, "{kept} kept, {refused} refused: this shows little");
    // What was kept can be opened again.
    server.kill();
    server.launch();
    server.unseal(&keys);
    is_well(&client);
}
