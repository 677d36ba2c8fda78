//! Bad input: each kind is refused with an error that names the cause, and nothing is lost by it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "tests")]

use bulla_testkit::{Client, HttpAnswer, ServerOptions, ServerProcess};
use serde_json::json;
use std::process::Command;

fn ready(options: ServerOptions) -> (ServerProcess, Client) {
    let (server, client, _) = ServerProcess::ready(options);
    bulla_tests::kv_mounts(&client);
    let _ = client.post("kv2/data/kept", json!({ "data": { "k": "kept" } })).ok();
    (server, client)
}

fn assert_kept(client: &Client) {
    assert_eq!(client.get("kv2/data/kept").ok().json()["data"]["data"]["k"], "kept");
}

/// A refusal that says why.
#[expect(clippy::needless_pass_by_value, reason = "a call reads better with the answer inside")]
fn refused(answer: HttpAnswer, status: u16, cause: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert!(answer.errors().contains(cause), "`{}` does not say `{cause}`", answer.errors());
}

#[test]
fn bodies_that_are_not_what_they_should_be() {
    let (_server, client) = ready(ServerOptions::default());
    let post = |body: &str| client.send("POST", "kv2/data/s", body);
    refused(post("{\"data\": "), 400, "");
    refused(post("[]"), 400, "");
    refused(post("{\"data\": 7}"), 400, "");
    for body in ["{\"data\": ", "[]", "\u{0}", "nonsense"] {
        assert!(!post(body).errors().is_empty(), "no cause is given for `{body}`");
    }
    let _ = client.get("kv2/data/s").is(404);
    // Of a key given twice the last one counts, as in the reference.
    let _ = client.send("POST", "kv1/twice", r#"{"k": "1", "k": "2"}"#).ok();
    assert_eq!(client.get("kv1/twice").ok().json()["data"]["k"], "2");
    // Wrong types for the server's own routes.
    refused(client.post("sys/mounts/x", json!({ "type": ["kv"] })), 400, "");
    refused(client.post("auth/token/create", json!({ "ttl": "soon" })), 400, "");
    assert_kept(&client);
}

#[test]
fn bodies_at_and_over_the_size_limit() {
    let options = ServerOptions { listener: "max_request_size = 10000".into(), ..ServerOptions::default() };
    let (_server, client) = ready(options);
    let body = |size: usize| {
        let frame = r#"{"k":""}"#.len();
        format!(r#"{{"k":"{}"}}"#, "x".repeat(size - frame))
    };
    let _ = client.send("POST", "kv1/just-under", &body(10_000)).ok();
    refused(client.send("POST", "kv1/just-over", &body(10_001)), 413, "too large");
    let _ = client.get("kv1/just-under").ok();
    let _ = client.get("kv1/just-over").is(404);
    // Refused by what it announces, before a byte of it has been sent.
    let mut connection = client.connect().unwrap();
    let head = connection.head("POST", "kv1/announced", 1 << 40);
    connection.write(head.as_bytes()).unwrap();
    assert_eq!(connection.answer().unwrap().status, 413);
    assert_kept(&client);
}

#[test]
fn deep_and_huge_json() {
    let (_server, client) = ready(ServerOptions::default());
    let nested = |depth: usize| format!("{{\"k\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    let _ = client.send("POST", "kv1/deep", &nested(100)).ok();
    let answer = client.send("POST", "kv1/deeper", &nested(100_000));
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert!(!answer.errors().is_empty());
    let many = format!("{{\"k\":[{}0]}}", "0,".repeat(1_000_000));
    let answer = client.send("POST", "kv1/many", &many);
    assert!(matches!(answer.status, 400 | 413), "{}", answer.status);
    assert_kept(&client);
}

#[test]
fn paths_that_try_to_get_elsewhere() {
    let (_server, client) = ready(ServerOptions::default());
    let policy = "path \"kv1/open/*\" { capabilities = [\"create\", \"read\", \"update\", \"list\"] }";
    let _ = client.put("sys/policies/acl/open", json!({ "policy": policy })).ok();
    let token = client.post("auth/token/create", json!({ "policies": ["open"] })).ok().json();
    let _ = client.post("kv1/closed/secret", json!({ "k": "hidden" })).ok();
    let narrow = client.with_token(token["auth"]["client_token"].as_str().unwrap());
    let _ = narrow.post("kv1/open/mine", json!({ "k": "v" })).ok();
    let ways = [
        "kv1/open/../closed/secret",
        "kv1/open/%2e%2e/closed/secret",
        "kv1/open/..%2fclosed/secret",
        "kv1/open%2f..%2fclosed/secret",
        "kv1/open/./../closed/secret",
        "kv1/open//../closed/secret",
        "kv1//closed/secret",
        "kv1/closed%2fsecret",
        "kv1/open/%252e%252e/closed/secret",
        "kv1/open/..;/closed/secret",
        "kv1/open/..\\closed/secret",
    ];
    for way in ways {
        let answer = narrow.get(way);
        assert!(!answer.text().contains("hidden"), "{way} leads out: {}", answer.text());
        assert!(answer.status >= 300, "{way}: {}", answer.status);
        let answer = narrow.post(way, json!({ "k": "overwritten" }));
        assert_eq!(client.get("kv1/closed/secret").ok().json()["data"]["k"], "hidden", "{way}: {}", answer.status);
    }
    refused(client.get("nowhere/at/all"), 404, "no handler for route");
    // What is asked to be answered with a code that is no answer.
    for (code, status) in [("101", 400), ("199", 400), ("200", 200), ("999", 999), ("1000", 400)] {
        let _ = client.get(&format!("sys/health?activecode={code}")).is(status);
    }
    assert_kept(&client);
}

/// Policies were asked about the path as it was sent, while the routes took spaces and slashes off names: what was denied
/// could be done by another spelling.
#[test]
fn another_spelling_of_a_name_is_not_another_path() {
    let (_server, client) = ready(ServerOptions::default());
    let rule = |path: &str, words: &str| format!("path \"{path}\" {{ capabilities = [{words}] }}\n");
    let all = "\"create\", \"read\", \"update\", \"delete\"";
    let policy: String = [
        rule("sys/policies/acl/*", all),
        rule("sys/policy/*", all),
        rule("sys/mounts/*", all),
        rule("sys/policies/acl/admin", "\"deny\""),
        rule("sys/policy/admin", "\"deny\""),
        rule("sys/mounts/kv2", "\"deny\""),
        rule("sys/mounts/kv2/tune", "\"deny\""),
    ]
    .concat();
    let _ = client.put("sys/policies/acl/p", json!({ "policy": policy })).ok();
    let token = client.post("auth/token/create", json!({ "policies": ["p"] })).ok().json();
    let narrow = client.with_token(token["auth"]["client_token"].as_str().unwrap());
    for kind in ["policies/acl", "policy"] {
        for name in ["admin", "Admin", "admin%20", "%20admin", "%C2%A0ADMIN%20", "%2Fadmin", "admin%2F"] {
            let answer = narrow.put(&format!("sys/{kind}/{name}"), json!({ "policy": "path \"*\" {}" }));
            assert!(matches!(answer.status, 400 | 403), "{kind}/{name}: {}", answer.status);
        }
        refused(narrow.put(&format!("sys/{kind}/admin%20"), json!({ "policy": "path \"*\" {}" })), 403, "denied");
        let _ = narrow.put(&format!("sys/{kind}/%20Other%20"), json!({ "policy": "path \"*\" {}" })).ok();
        let _ = client.get(&format!("sys/{kind}/other")).ok();
    }
    let _ = client.get("sys/policies/acl/admin").is(404);
    for way in ["sys/mounts/kv2", "sys/mounts/%2Fkv2", "sys/mounts/%2F%2Fkv2"] {
        for method in ["GET", "DELETE"] {
            let answer = narrow.send(method, way, "");
            assert!(matches!(answer.status, 400 | 403), "{method} {way}: {}", answer.status);
        }
        let answer = narrow.post(&format!("{way}/tune"), json!({ "description": "changed" }));
        assert!(matches!(answer.status, 400 | 403), "{way}/tune: {}", answer.status);
    }
    let _ = client.get("sys/mounts/kv2").ok();
    assert_kept(&client);
}

/// Without a valid token nobody learns what exists.
#[test]
fn without_a_token_existing_and_missing_look_alike() {
    let (_server, client) = ready(ServerOptions::default());
    let strangers = [client.without_token(), client.with_token("hvs.AAAAAAAAAAAAAAAAAAAAAAAA"), client.with_token("x")];
    let there =
        ["kv2/data/kept", "kv2/metadata/kept", "kv1/kept", "sys/mounts", "sys/mounts/kv2", "sys/policies/acl/root"];
    let missing =
        ["kv2/data/gone", "nomount/data/kept", "sys/nothing", "sys/mounts/gone", "sys/policies/acl/gone", "zzz"];
    for stranger in &strangers {
        for method in ["GET", "LIST", "POST", "PUT", "DELETE", "PATCH"] {
            let ask = |path: &&str| {
                let answer = stranger.send(method, path, if matches!(method, "POST" | "PUT") { "{}" } else { "" });
                let mut headers: Vec<_> = answer.headers.iter().filter(|(n, _)| n != "date").cloned().collect();
                headers.sort();
                (answer.status, answer.text(), headers)
            };
            let answers: Vec<_> = there.iter().chain(&missing).map(ask).collect();
            for (path, answer) in there.iter().chain(&missing).zip(&answers) {
                assert_eq!(answer, &answers[0], "{method} {path} differs from {}", there[0]);
            }
        }
    }
}

#[test]
fn wrong_shares() {
    let server = ServerProcess::start(ServerOptions::default());
    let keys = server.init(3, 2);
    let client = server.client();
    let try_share = |share: &str| client.put("sys/unseal", json!({ "key": share }));
    for share in ["zz", "00", "", &"ab".repeat(200)] {
        let answer = try_share(share);
        assert_eq!(answer.status, 400, "`{share}`: {}", answer.text());
        assert!(!answer.errors().is_empty(), "no cause is given for `{share}`");
    }
    let mut wrong = hex::decode(&keys.shares[1]).unwrap();
    wrong[5] ^= 0x20;
    let _ = try_share(&keys.shares[0]).ok();
    let _ = try_share(&hex::encode(wrong)).is(400);
    assert_eq!(client.get("sys/seal-status").ok().json()["progress"], 0, "a failed round begins anew");
    // The same share twice counts once.
    let _ = try_share(&keys.shares[0]).ok();
    assert_eq!(try_share(&keys.shares[0]).ok().json()["progress"], 1);
    let _ = try_share(&keys.shares_base64[2]).ok();
    assert!(!server.is_sealed());
}

#[test]
fn a_second_process_on_the_same_folder() {
    let folder = tempfile::tempdir().unwrap();
    let pid_file = folder.path().join("pid");
    let more = format!("pid_file = \"{}\"", pid_file.display());
    let (server, client) = ready(ServerOptions { more: more.clone(), ..ServerOptions::default() });
    let options = ServerOptions { data: Some(server.data()), more, ..ServerOptions::default() };
    let mut second = ServerProcess::prepare(options);
    second.spawn();
    assert!(!second.wait().success());
    let log = second.log();
    assert!(log.contains("error initializing storage"), "{log}");
    assert!(log.contains(&server.data().display().to_string()), "the folder is not named: {log}");
    let first = std::fs::read_to_string(pid_file).expect("the second process took the file of the first away");
    assert_eq!(first.trim(), server.pid().to_string());
    assert_kept(&client);
}

#[test]
fn configurations_that_cannot_be_right() {
    let (mut server, client) = ready(ServerOptions::default());
    let keys_after = |server: &mut ServerProcess, more: &str| {
        more.clone_into(&mut server.options().more);
        server.spawn();
    };
    assert!(server.terminate().success());

    keys_after(&mut server, "colour \"red\" {\n  shade = \"dark\"\n}");
    assert!(!server.wait().success());
    assert!(server.log().contains("unknown block `colour`") && server.log().contains("line"), "{}", server.log());

    keys_after(&mut server, "default_lease_ttl = \"soon\"");
    assert!(!server.wait().success());
    assert!(server.log().contains("default_lease_ttl"), "{}", server.log());

    // An unknown key is only said.
    "colour = \"red\"".clone_into(&mut server.options().more);
    server.launch();
    assert!(server.log().contains("unknown key `colour`"), "{}", server.log());
    assert!(client.get("sys/seal-status").ok().json()["sealed"] == true);
}

#[test]
fn an_unreadable_certificate() {
    let server = ServerProcess::prepare(ServerOptions { tls: true, ..ServerOptions::default() });
    for (text, cause) in [(Some("not a certificate"), "server.pem"), (None, "server.pem")] {
        let file = server.folder().join("server.pem");
        match text {
            Some(text) => std::fs::write(&file, text).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        let output = Command::new(bulla_testkit::binary())
            .args(["server", &format!("-config={}", server.config().display())])
            .output()
            .unwrap();
        assert!(!output.status.success());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("error initializing listener") && said.contains(cause), "{said}");
    }
}

#[test]
fn sigterm_seals_and_what_was_sealed_stays_sealed() {
    let (mut server, client, keys) = ServerProcess::ready(ServerOptions::default());
    bulla_tests::kv_mounts(&client);
    let _ = client.post("kv1/kept", json!({ "k": "kept" })).ok();
    let begin = std::time::Instant::now();
    assert!(server.terminate().success());
    assert!(begin.elapsed() < std::time::Duration::from_secs(10), "{:?}", begin.elapsed());
    server.launch();
    assert!(server.is_sealed());
    let _ = client.get("kv1/kept").is(503);
    server.unseal(&keys);
    assert_eq!(client.get("kv1/kept").ok().json()["data"]["k"], "kept");
    let _ = client.put("sys/seal", json!({})).is(204);
    server.kill();
    server.launch();
    assert!(server.is_sealed());
}

/// A disk that runs full refuses writes, keeps reads, and recovers when there is room again.
#[test]
fn a_full_disk() {
    let Some(disk) = SmallDisk::mount() else {
        println!("skipped: only root can mount a small disk");
        return;
    };
    let data = disk.0.path().join("data");
    let (mut server, client, keys) =
        ServerProcess::ready(ServerOptions { data: Some(data), ..ServerOptions::default() });
    bulla_tests::kv_mounts(&client);
    let value = "x".repeat(500_000);
    let mut written = Vec::new();
    let refusal = loop {
        let path = format!("kv1/large-{}", written.len());
        let answer = client.post(&path, json!({ "k": value }));
        if answer.status >= 300 {
            break answer;
        }
        written.push(path);
        assert!(written.len() < 2000, "the disk never runs full");
    };
    assert!(refusal.status >= 500, "{}", refusal.status);
    assert!(!refusal.errors().is_empty(), "the cause is not named");
    println!("{} after {} secrets: {}", refusal.status, written.len(), refusal.errors());
    let all_there = |client: &Client| {
        for path in &written {
            assert_eq!(client.get(path).ok().json()["data"]["k"].as_str().map(str::len), Some(value.len()), "{path}");
        }
    };
    all_there(&client);
    server.kill();
    server.launch();
    server.unseal(&keys);
    all_there(&client);
}

/// 256 MiB, mounted for one test.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=256m", "tmpfs"]).arg(folder.path()).output();
        mount.is_ok_and(|o| o.status.success()).then_some(Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}
