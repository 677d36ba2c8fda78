//! Listeners behind proxies and listeners that are reloaded, with a real process: which address tokens are held to and
//! audit writes down, and what a signal changes for connections that are open.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use bulla_testkit::{Client, Connection, HttpAnswer, ServerOptions, ServerProcess};
use bulla_tests::audit_file;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A second listener with these lines, and its address.
fn second(lines: &str) -> (String, String) {
    let address = format!("127.0.0.1:{}", free_port());
    (format!("listener \"tcp\" {{\n  address = \"{address}\"\n  tls_disable = true\n  {lines}\n}}\n"), address)
}

/// One request with a line before it and header lines of its own.
fn ask(client: &Client, before: &str, path: &str, headers: &str) -> HttpAnswer {
    let mut connection = client.connect().unwrap();
    ask_on(&mut connection, before, path, headers)
}

fn ask_on(connection: &mut Connection, before: &str, path: &str, headers: &str) -> HttpAnswer {
    let head = connection.head("GET", path, 0).replacen("\r\n", &format!("\r\n{headers}"), 1);
    connection.write(format!("{before}{head}").as_bytes()).unwrap();
    connection.answer().unwrap()
}

/// The addresses of the requests in the log, the latest last.
fn addresses(audit: &Path) -> Vec<(String, u64)> {
    let text = std::fs::read_to_string(audit).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let requests = lines.filter(|line| line["type"] == "request").map(|line| line["request"].clone());
    let address = |r: &Value| r["remote_address"].as_str().unwrap_or_default().to_owned();
    requests.map(|r| (address(&r), r["remote_port"].as_u64().unwrap_or_default())).collect()
}

/// A token for clients of 192.0.2.0/24.
fn bound_token(root: &Client) -> String {
    let role = json!({ "token_bound_cidrs": "192.0.2.0/24" });
    let _ = root.post("auth/token/roles/bound", role).ok();
    let made = root.post("auth/token/create/bound", json!({ "policies": ["default"] })).ok().json();
    made["auth"]["client_token"].as_str().unwrap().to_owned()
}

#[test]
fn tokens_and_audit_see_the_client_that_an_authorised_proxy_names() {
    let (believed, at) = second("x_forwarded_for_authorized_addrs = \"127.0.0.1\"");
    let (doubted, elsewhere) = second(
        "x_forwarded_for_authorized_addrs = \"10.0.0.0/8\"\n  x_forwarded_for_reject_not_authorized = false\n  \
         x_forwarded_for_reject_not_present = false",
    );
    let (server, root, _) =
        ServerProcess::ready(ServerOptions { more: believed + &doubted, ..ServerOptions::default() });
    let audit = audit_file(&server, &root);
    let token = bound_token(&root);
    let behind = Client { address: at, tls: false, token: Some(token) };
    let beside = Client { address: elsewhere, ..behind.clone() };
    let look = |client: &Client, address: &str| {
        ask(client, "", "auth/token/lookup-self", &format!("X-Forwarded-For: {address}\r\n"))
    };
    let _ = look(&behind, "192.0.2.7").is(200);
    assert_eq!(addresses(&audit).last().unwrap().0, "192.0.2.7");
    let _ = look(&behind, "203.0.113.1, 192.0.2.8").is(200);
    let _ = look(&behind, "192.0.2.7, 203.0.113.1").is(403);
    assert_eq!(addresses(&audit).last().unwrap().0, "203.0.113.1");
    let before = addresses(&audit).len();
    let _ = look(&behind, "nonsense").is(400);
    let _ = behind.get("auth/token/lookup-self").is(400);
    assert_eq!(addresses(&audit).len(), before, "refused at the door");
    // Says the same, and is nobody's proxy.
    let _ = look(&beside, "192.0.2.7").is(403);
    assert_eq!(addresses(&audit).last().unwrap().0, "127.0.0.1");
    let _ = look(&Client { address: root.address.clone(), ..beside }, "192.0.2.7").is(403);
}

#[test]
fn tokens_and_audit_see_the_client_that_a_proxy_header_names() {
    let (believed, at) = second("proxy_protocol_behavior = \"use_always\"");
    let (doubted, elsewhere) = second(
        "proxy_protocol_behavior = \"allow_authorized\"\n  proxy_protocol_authorized_addrs = [\"10.0.0.0/8\", \"::2\"]",
    );
    let (server, root, _) =
        ServerProcess::ready(ServerOptions { more: believed + &doubted, ..ServerOptions::default() });
    let audit = audit_file(&server, &root);
    let token = bound_token(&root);
    let behind = Client { address: at, tls: false, token: Some(token) };
    let beside = Client { address: elsewhere, ..behind.clone() };
    let look = |client: &Client, source: &str| {
        let line = format!("PROXY TCP4 {source} 198.51.100.1 4000 443\r\n");
        ask(client, &line, "auth/token/lookup-self", "")
    };
    let _ = look(&behind, "192.0.2.7").is(200);
    assert_eq!(*addresses(&audit).last().unwrap(), ("192.0.2.7".into(), 4000));
    let _ = look(&behind, "203.0.113.1").is(403);
    let _ = look(&beside, "192.0.2.7").is(403);
    assert_eq!(addresses(&audit).last().unwrap().0, "127.0.0.1");
}

/// Changes the configuration on disk and waits until the server has taken it over.
fn reload(server: &ServerProcess, change: impl FnOnce(String) -> String) {
    let text = std::fs::read_to_string(server.config()).unwrap();
    let before = server.log().matches("reloaded").count();
    std::fs::write(server.config(), change(text)).unwrap();
    server.signal(Signal::HUP);
    let begin = Instant::now();
    while server.log().matches("reloaded").count() == before {
        assert!(begin.elapsed() < Duration::from_secs(10), "{}", server.log());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Once it ended the server, which then had to be unsealed by its operators.
#[test]
fn signals_of_other_servers_end_nothing() {
    let (server, root, _) = ServerProcess::ready(ServerOptions::default());
    for signal in [Signal::USR1, Signal::USR2] {
        let before = server.log().matches("have no effect").count();
        server.signal(signal);
        let begin = Instant::now();
        while server.log().matches("have no effect").count() == before {
            assert!(begin.elapsed() < Duration::from_secs(10), "{}", server.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    let _ = root.get("sys/mounts").is(200);
}

#[test]
fn a_signal_changes_limits_and_whom_to_believe() {
    let listener = "max_request_size = 200".to_owned();
    let (server, root, _) = ServerProcess::ready(ServerOptions { listener, ..ServerOptions::default() });
    let _ = root.post("sys/mounts/kv", json!({ "type": "kv" })).ok();
    let audit = audit_file(&server, &root);
    let mut open = root.connect().unwrap();
    let body = json!({ "v": "x".repeat(180) }).to_string();
    assert_eq!(body.len(), 188);
    let put = |connection: &mut Connection, body: &str| connection.send("PUT", "kv/a", body).unwrap().status;
    assert_eq!(put(&mut open, &body), 204);

    reload(&server, |text| text.replace("max_request_size = 200", "max_request_size = 188"));
    assert_eq!(put(&mut open, &body), 204, "just under");
    reload(&server, |text| text.replace("max_request_size = 188", "max_request_size = 187"));
    assert_eq!(put(&mut open, &body), 413, "just over, on a connection that was there");

    let lines = "x_forwarded_for_authorized_addrs = \"127.0.0.1\"\n  x_forwarded_for_reject_not_present = false\n  \
                 http_idle_timeout = \"1s\"\n  custom_response_headers {\n    \"default\" = { \"X-New\" = [\"1\"] }\n  }";
    reload(&server, |text| text.replace("max_request_size = 187", lines));
    let mut open = root.connect().unwrap();
    let answer = ask_on(&mut open, "", "auth/token/lookup-self", "X-Forwarded-For: 192.0.2.7\r\n").ok();
    assert_eq!(answer.header("x-new"), Some("1"));
    assert_eq!(addresses(&audit).last().unwrap().0, "192.0.2.7");
    assert_eq!(put(&mut open, &json!({ "v": "x".repeat(9000) }).to_string()), 204, "the limit is gone");
    assert!(open.is_closed(), "idle for a second");

    // What cannot be read changes nothing.
    reload(&server, |text| text.replace("\"127.0.0.1\"\n", "\"127.0.0.1/99\"\n"));
    assert!(server.log().contains("the configuration in use stays"), "{}", server.log());
    let mut open = root.connect().unwrap();
    let _ = ask_on(&mut open, "", "auth/token/lookup-self", "X-Forwarded-For: 192.0.2.8\r\n").ok();
    assert_eq!(addresses(&audit).last().unwrap().0, "192.0.2.8");

    // What takes a restart is said.
    let (more, address) = second("");
    reload(&server, |text| text.replace("/99", "") + &more);
    assert!(server.log().contains("a new listener takes a restart"), "{}", server.log());
    assert!(std::net::TcpStream::connect(address).is_err());
}

/// Certificates that do not fit are no reason to stop, nor to take over half of what is new.
#[test]
fn a_signal_with_a_broken_key_changes_nothing() {
    let listener = "max_request_size = 200".to_owned();
    let options = ServerOptions { tls: true, listener, ..ServerOptions::default() };
    let (server, root, _) = ServerProcess::ready(options);
    let _ = root.post("sys/mounts/kv", json!({ "type": "kv" })).ok();
    let long = json!({ "v": "x".repeat(150) });
    let key = server.folder().join("server-key.pem");
    let whole = std::fs::read(&key).unwrap();
    std::fs::write(&key, "nonsense").unwrap();
    reload(&server, |text| text.replace("max_request_size = 200", "max_request_size = 100"));
    assert!(server.log().contains("the settings and the certificate in use stay"), "{}", server.log());
    let _ = root.put("kv/a", long.clone()).is(204);
    std::fs::write(&key, whole).unwrap();
    reload(&server, |text| text);
    let _ = root.put("kv/a", long).is(413);
}

/// What could not be started with is said by name, and the line.
#[test]
fn options_that_contradict_each_other() {
    for (lines, told) in [
        ("proxy_protocol_behavior = \"deny_unauthorized\"", "needs `proxy_protocol_authorized_addrs`"),
        ("x_forwarded_for_authorized_addrs = \"10.0.0.0/40\"", "no network in CIDR notation"),
        ("x_forwarded_for_client_cert_header = \"Client-Cert\"", "needs `x_forwarded_for_authorized_addrs`"),
    ] {
        let mut server =
            ServerProcess::prepare(ServerOptions { listener: lines.to_owned(), ..ServerOptions::default() });
        server.spawn();
        assert!(!server.wait().success());
        assert!(server.log().contains(told) && server.log().contains("line 7"), "{}", server.log());
    }
}

/// Whoever may only ask whether the server lives is told neither what runs there nor in which house. The other listener
/// and those with a token are told all.
#[test]
fn a_listener_for_strangers_tells_no_version_and_no_cluster() {
    let (block, address) = second("redact_addresses = true\n  redact_cluster_name = true\n  redact_version = \"true\"");
    let options = ServerOptions {
        more: format!("cluster_name = \"the house\"\napi_addr = \"http://inner.example:8200\"\n{block}"),
        ..ServerOptions::default()
    };
    let server = ServerProcess::start(options);
    let inner = server.client();
    let version = inner.get("sys/health").is(501).json()["version"].as_str().unwrap().to_owned();
    assert!(!version.is_empty());
    let strangers = Client { address, ..inner.clone() };
    let open = [
        "sys/health",
        "sys/seal-status",
        "sys/leader",
        "sys/init",
        "sys/internal/ui/mounts",
        "sys/internal/specs/openapi",
    ];
    let check = |state: &str| {
        for path in open.into_iter().chain(["sys/nowhere", "sys/ha-status", "nowhere"]) {
            for (method, body) in [("GET", ""), ("POST", "{}"), ("DELETE", ""), ("LIST", ""), ("HELP", "")] {
                let told = strangers.send(method, path, body);
                let all = format!("{:?} {}", told.headers, told.text());
                for secret in [version.as_str(), "the house", "inner.example"] {
                    assert!(!all.contains(secret), "{state}: {method} {path} tells `{secret}`: {all}");
                }
            }
        }
    };
    check("uninitialised");
    let keys = server.init(2, 2);
    check("sealed");
    let first = strangers.put("sys/unseal", json!({ "key": keys.shares[0] })).ok();
    assert_eq!((&first.json()["version"], &first.json()["build_date"]), (&json!(""), &json!("")));
    let opened = strangers.put("sys/unseal", json!({ "key": keys.shares[1] })).ok().json();
    assert_eq!(opened["sealed"], false);
    assert!(opened.get("cluster_name").is_none() && opened["cluster_id"].is_string(), "{opened}");
    check("open");
    let health = strangers.get("sys/health").ok().json();
    assert_eq!((&health["version"], health.get("cluster_name")), (&json!(""), None));

    for path in ["sys/health", "sys/seal-status"] {
        let told = inner.get(path).ok().json();
        assert_eq!((&told["version"], &told["cluster_name"]), (&json!(version), &json!("the house")), "{path}");
    }
    let root = strangers.with_token(&keys.root_token);
    for path in ["sys/ha-status", "sys/internal/specs/openapi"] {
        assert!(root.get(path).ok().text().contains(&version), "{path}");
    }
}
