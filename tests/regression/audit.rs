//! The audit log: tells what happened and keeps what was secret.
//!
//! | Row | Attack | Guard that was switched off to see the test fail |
//! | --- | --- | --- |
//! | AUD-05 | read tokens, accessors and headers in the log | `auth` blocks show their token in clear |
//! | AUD-07 | read in the log what an answer holds as bytes | lists of texts are shown in clear |
//! | AUD-09 | send a value of a wrong type to every field of every route | errors of fields quote the value (that of one route did, before this test) |
//! | AUD-10, AUD-11 | make the server write files of somebody's choice | `own` of the rules is `None` in `core/src/audit/routes.rs` |
//!
//! Elsewhere: AUD-12 (`crates/store/audit/src/tests/devices.rs`: `modes_that_make_programs_are_refused`), AUD-03 (`crates/store/audit/src/tests/devices.rs`: `raw_devices_do_not_infect_others`), AUD-06 (there,
//! `lines.rs`: `raw_bodies_are_hashed`). Not here: AUD-04 (no standbys), AUD-08 (no inline authentication).

use bulla_testkit::{Client, Connection, HttpAnswer, Needles, ServerOptions, ServerProcess, scan_files};
use bulla_tests::{audit_file, mark, texts};
use serde_json::{Value, json};
use std::path::Path;

fn lines(audit: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(audit).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A request with headers of its own.
fn send(client: &Client, method: &str, path: &str, headers: &str, body: &str) -> HttpAnswer {
    let mut connection: Connection = client.connect().unwrap();
    let head = connection.head(method, path, body.len()).replacen("\r\n", &format!("\r\n{headers}"), 1);
    connection.write(&[head.as_bytes(), body.as_bytes()].concat()).unwrap();
    connection.answer().unwrap()
}

/// CVE-2024-8365: after a rebuild of the log, tokens and accessors stood there in clear.
#[test]
fn aud_05_no_token_and_no_accessor_is_in_the_log() {
    let (server, client, _) = ServerProcess::ready(ServerOptions::default());
    for header in ["X-Vault-Token", "Authorization", "X-Mine"] {
        // Those that carry tokens may be refused here; whether or not, they are never in clear.
        let _ = client.put(&format!("sys/config/auditing/request-headers/{header}"), json!({ "hmac": true }));
    }
    let clear = server.folder().join("clear.log");
    let audit = audit_file(&server, &client);
    let options = json!({ "file_path": clear, "hmac_accessor": "false" });
    let _ = client.put("sys/audit/clear", json!({ "type": "file", "options": options })).ok();
    let root = client.token.clone().unwrap();

    let made = client.post("auth/token/create", json!({ "policies": ["default"], "ttl": "1h" })).ok().json();
    let (token, accessor) =
        (made["auth"]["client_token"].as_str().unwrap(), made["auth"]["accessor"].as_str().unwrap());
    let me = client.with_token(token);
    let nobody = client.without_token();
    let _ = me.get("auth/token/lookup-self").ok();
    let _ = send(&nobody, "GET", "auth/token/lookup-self", &format!("Authorization: Bearer {token}\r\n"), "").ok();
    let _ = send(&me, "GET", "auth/token/lookup-self", &format!("X-Mine: {token}\r\n"), "").ok();
    let _ = client.post("auth/token/lookup", json!({ "token": token })).ok();
    let _ = client.post("auth/token/lookup-accessor", json!({ "accessor": accessor })).ok();
    let _ = client.post("auth/token/renew", json!({ "token": token })).ok();
    let _ = client.list("auth/token/accessors").ok();
    let wrapped = send(&client, "POST", "auth/token/create", "X-Vault-Wrap-TTL: 60\r\n", r#"{"policies":["default"]}"#);
    let wrapped = wrapped.ok().json();
    let wrap = wrapped["wrap_info"]["token"].as_str().unwrap();
    let wrap_accessor = wrapped["wrap_info"]["accessor"].as_str().unwrap();
    let _ = nobody.post("sys/wrapping/lookup", json!({ "token": wrap })).ok();
    let inside = nobody.with_token(wrap).post("sys/wrapping/unwrap", json!({})).ok().json();
    let unwrapped = inside["auth"]["client_token"].as_str().unwrap();
    let _ = me.with_token("hvs.AAAAAAAAAAAAAAAAAAAAAAAAguessed").get("sys/mounts").is(403);
    let _ = me.post("auth/token/revoke-self", json!({})).ok();

    let mut tokens = Needles::default();
    let all = [
        ("root", root.as_str()),
        ("token", token),
        ("wrapping", wrap),
        ("inside", unwrapped),
        ("guessed", "hvs.AAAAAAAAAAAAAAAAAAAAAAAAguessed"),
    ];
    for (name, text) in all {
        tokens.text(name, text);
    }
    let hits = scan_files(server.folder(), &tokens).unwrap();
    assert!(hits.is_empty(), "{hits:?}");
    for (name, text) in [("accessor", accessor), ("wrap", wrap_accessor)] {
        assert!(!std::fs::read_to_string(&audit).unwrap().contains(text), "{name}");
    }
    assert!(std::fs::read_to_string(&clear).unwrap().contains(accessor), "and is there where that is asked for");

    // Where there is a token there is its hash, one and the same.
    let hash = |text: &str| {
        client.post("sys/audit-hash/file", json!({ "input": text })).ok().json()["data"]["hash"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (token_hash, accessor_hash, wrap_hash) = (hash(token), hash(accessor), hash(wrap));
    let of_answer = lines(&audit)
        .into_iter()
        .find(|l| l["type"] == "response" && l["response"]["auth"]["client_token"] == token_hash);
    let of_answer = of_answer.expect("the answer that made the token");
    assert_eq!(of_answer["response"]["auth"]["accessor"], accessor_hash);
    let used = lines(&audit)
        .into_iter()
        .filter(|l| l["request"]["client_token"] == token_hash && l["auth"]["client_token"] == token_hash);
    assert!(used.inspect(|l| assert_eq!(l["auth"]["accessor"], accessor_hash)).count() >= 6);
    assert!(lines(&audit).iter().any(|l| l["response"]["wrap_info"]["token"] == wrap_hash), "the wrapping token");
    let headers = |l: &Value| l["request"]["headers"].to_string();
    assert!(lines(&audit).iter().any(|l| headers(l).contains(&token_hash)), "the header that may be audited");
    for line in lines(&audit) {
        for secret in ["client_token", "client_token_accessor", "accessor"] {
            for place in [&line["auth"], &line["request"], &line["response"]["auth"], &line["response"]["wrap_info"]] {
                let text = place[secret].as_str().unwrap_or_default();
                assert!(text.is_empty() || text.starts_with("hmac-sha256:"), "{secret}: {text}");
            }
        }
    }
}

/// CVE-2025-62705: the hasher went past fields that held bytes, and keys stood in the log as base64.
#[test]
fn aud_07_what_an_answer_holds_as_bytes_or_lists_is_hashed() {
    let server = ServerProcess::start(ServerOptions::default());
    let keys = server.init(3, 2);
    server.unseal(&keys);
    let client = server.client().with_token(&keys.root_token);
    bulla_tests::kv_mounts(&client);
    let _ = audit_file(&server, &client);
    let mut secrets = Needles::default();
    let remember = |secrets: &mut Needles, name: &str, value: &Value| {
        let list = if value.is_array() { texts(value) } else { vec![value.as_str().unwrap().to_owned()] };
        assert!(!list.is_empty(), "{name}");
        list.iter().for_each(|text| {
            let _ = secrets.raw(name, text.as_bytes());
        });
    };
    // New shares, as hex and base64 in lists.
    let begun = client.post("sys/rotate/root/init", json!({ "secret_shares": 2, "secret_threshold": 2 })).ok().json();
    let nonce = begun["data"]["nonce"].as_str().unwrap().to_owned();
    let mut done = Value::Null;
    for share in &keys.shares[..2] {
        done = client.post("sys/rotate/root/update", json!({ "key": share, "nonce": nonce })).ok().json();
        secrets.raw("share given", share.as_bytes());
    }
    remember(&mut secrets, "shares", &done["data"]["keys"]);
    remember(&mut secrets, "shares as base64", &done["data"]["keys_base64"]);
    let shares = texts(&done["data"]["keys"]);
    // A root token, encoded, and its one-time pad.
    let begun = client.post("sys/generate-root-token/attempt", json!({})).ok().json();
    let begun = if begun["data"].is_object() { begun["data"].clone() } else { begun };
    remember(&mut secrets, "otp", &begun["otp"]);
    for share in &shares {
        done =
            client.post("sys/generate-root-token/update", json!({ "key": share, "nonce": begun["nonce"] })).ok().json();
    }
    let done = if done["data"].is_object() { done["data"].clone() } else { done };
    remember(&mut secrets, "encoded token", &done["encoded_token"]);
    // Random bytes in both forms, hashes, and bytes in values of secrets.
    for format in ["hex", "base64"] {
        let random = client.post("sys/tools/random/32", json!({ "format": format })).ok().json();
        remember(&mut secrets, "random bytes", &random["data"]["random_bytes"]);
        let sum = client.post("sys/tools/hash", json!({ "input": "YQ==", "format": format })).ok().json();
        remember(&mut secrets, "sum", &sum["data"]["sum"]);
    }
    for value in [json!([mark("list")]), json!({ "deep": [[mark("deep")]] }), json!(mark("text"))] {
        let _ = client.post("kv2/data/s", json!({ "data": { "k": value } })).ok();
        let _ = client.get("kv2/data/s").ok();
        let text = value.to_string();
        secrets.raw("a value", text.split('"').find(|part| part.starts_with("canary")).unwrap().as_bytes());
    }
    let hits = scan_files(server.folder(), &secrets).unwrap();
    assert!(hits.is_empty(), "{hits:?}");
}

/// GHSA-8xxq-mq9m-xmhw: the error about a header or map of a wrong form quoted it, and errors are in clear.
#[test]
fn aud_09_no_field_of_any_route_repeats_what_it_cannot_read() {
    let more = "log_level = \"debug\"".to_owned();
    let (server, client, _) = ServerProcess::ready(ServerOptions { more, ..ServerOptions::default() });
    bulla_tests::kv_mounts(&client);
    for method in ["approle", "userpass"] {
        let _ = client.post(&format!("sys/auth/{method}"), json!({ "type": method })).ok();
    }
    let audit = audit_file(&server, &client);
    let document = client.get("sys/internal/specs/openapi").ok().json();
    let document = if document["data"].is_object() { &document["data"] } else { &document };
    let canary = mark("aud-09");
    let mut connection = client.connect().unwrap();
    let (mut asked, mut refused, mut repeated) = (0, 0, Vec::new());
    for (path, entry) in document["paths"].as_object().unwrap() {
        // What would end the test.
        if ["seal", "step-down", "/rotate/root/", "sys/audit", "revoke"].iter().any(|word| path.contains(word)) {
            continue;
        }
        let fields = entry["post"]["requestBody"]["content"]["application/json"]["schema"]["properties"].as_object();
        // The text of a policy is no secret, and an error says where it is wrong.
        for (field, schema) in fields.into_iter().flatten().filter(|(field, _)| *field != "policy") {
            let wrong = match schema["type"].as_str() {
                // A text can be anything; in another type the canary is the mistake.
                Some("string") if schema.get("format").is_none() => vec![json!([canary]), json!({ "a": canary })],
                Some("object") => vec![json!(canary), json!([canary]), json!({ "a": [canary] })],
                // Texts in lists are names of policies, networks and the like, and an error says which is wrong.
                Some("array") => vec![json!({ "a": canary }), json!([{ "a": canary }])],
                _ => vec![json!(canary), json!([canary]), json!({ "a": canary }), json!(format!("1{canary}"))],
            };
            let mut at = path.trim_start_matches('/').to_owned();
            while let (Some(from), Some(to)) = (at.find('{'), at.find('}')) {
                at.replace_range(from..=to, "name");
            }
            for value in wrong {
                let body = json!({ field: value }).to_string();
                let told = connection.send("POST", &at, &body).unwrap();
                asked += 1;
                refused += usize::from(told.status == 400);
                if told.status >= 400 && told.text().contains(&canary) {
                    repeated.push(format!("POST {at} {body}: {}", told.text()));
                }
            }
        }
    }
    assert!(repeated.is_empty(), "{repeated:#?}");
    assert!(asked > 300 && refused > 100, "{asked} asked, {refused} refused: this shows little");
    assert!(!server.log().contains(&canary), "in the log");
    // Names of things are told in clear, errors and values never.
    for line in lines(&audit) {
        for place in [&line["error"], &line["request"]["data"], &line["response"]["data"]] {
            assert!(!place.to_string().contains(&canary), "{line}");
        }
    }
}

/// CVE-2025-6000, CVE-2026-5051: whoever might make audit devices could make the server write anywhere, under an older name
/// of the option even where the newer one was checked.
#[test]
fn aud_10_no_file_of_somebodys_choice_is_written() {
    let (off, root, _) = ServerProcess::ready(ServerOptions {
        more: "unsafe_allow_api_audit_creation = false".into(),
        ..ServerOptions::default()
    });
    let enable =
        |root: &Client, options: &Value| root.put("sys/audit/attack", json!({ "type": "file", "options": options }));
    let told = enable(&root, &json!({ "file_path": off.folder().join("a.log") })).is(400);
    assert!(told.errors().contains("cannot enable audit device via API"), "{}", told.errors());
    drop(off);

    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let options = ServerOptions {
        data: Some(at("data")),
        more: format!("unsafe_allow_api_audit_creation = true\nlog_file = \"{}\"\n", at("server.log").display()),
        ..ServerOptions::default()
    };
    let (server, root, _) = ServerProcess::ready(options);
    let configuration = std::fs::read_dir(server.folder()).unwrap().map(|entry| entry.unwrap().path());
    let configuration = configuration.into_iter().find(|file| file.extension().is_some_and(|e| e == "hcl")).unwrap();
    std::fs::write(at("theirs"), "alias ls=rm\n").unwrap();
    std::os::unix::fs::symlink(at("theirs"), at("link")).unwrap();
    std::os::unix::fs::symlink(at("data"), at("to-data")).unwrap();
    let name = |path: &Path| path.display().to_string();
    let targets = [
        name(&configuration),
        name(&at("data")),
        name(&at("data/planted.sst")),
        name(&at("to-data/planted.sst")),
        name(&at("server.log")),
        name(&at("theirs")),
        name(&at("link")),
        name(&at("x/../theirs")),
        name(&std::env::current_exe().unwrap()),
        "/proc/self/fd/1".into(),
        "/proc/self/mem".into(),
        "/dev/mem".into(),
        "/sys/kernel/x".into(),
    ];
    for target in &targets {
        for key in ["file_path", "path"] {
            let told = enable(&root, &json!({ key: target })).is(400);
            assert!(!told.errors().is_empty(), "{key} {target}");
            assert!(told.errors().contains("audit file path"), "{key} {target}: {}", told.errors());
        }
        // What is checked is what is used, whichever name wins.
        let both = json!({ "file_path": target, "path": at("good.log") });
        let _ = enable(&root, &both).is(400);
        let _ = enable(&root, &json!({ "path": target, "FILE_PATH": at("good.log") })).is(400);
    }
    for mode in ["0755", "0700", "04644", "02644", "01644", "u+x"] {
        let _ = enable(&root, &json!({ "file_path": at("good.log"), "mode": mode })).is(400);
    }
    let _ = enable(&root, &json!({ "file_path": at("good.log"), "prefix": "#!/bin/sh\n" })).is(400);
    let socket = json!({ "type": "socket", "options": { "address": "169.254.169.254:80" } });
    let _ = root.put("sys/audit/attack", socket).is(400);
    assert!(!at("good.log").exists(), "a refused device leaves no file");
    assert_eq!(std::fs::read_to_string(at("theirs")).unwrap(), "alias ls=rm\n");
    let written = |path: &Path| std::fs::read_to_string(path).unwrap_or_default().contains("sys/audit/attack");
    assert!(!written(&configuration) && !written(&at("server.log")));

    // And what is a log goes on, also after the device was taken away.
    for _ in 0..2 {
        let _ = enable(&root, &json!({ "file_path": at("logs/good.log"), "mode": "0640" })).ok();
        let _ = root.delete("sys/audit/attack").ok();
    }
    assert!(lines(&at("logs/good.log")).len() >= 2);
}
