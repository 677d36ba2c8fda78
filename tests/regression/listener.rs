//! The door: what anybody can make the server do, say or keep before it knows who asks.
//!
//! | Row | Attack | Guard that was switched off to see the test fail |
//! | --- | --- | --- |
//! | LST-02 | provoke errors that tell addresses, folders or names of the machine | the refusal of a namespace repeats the caller's address |
//! | LST-03 | send bodies without end, many at a time, without a token | `receive` compares with no limit, and the budget is not counted |
//! | LST-04 | ask again and again under many rules | filled ACLs are made for each request and kept |
//! | LST-05 | send bodies that are small and grow when read | `check_shape` lets all pass |
//! | LST-07 | break connections while they are accepted, or use up all files | the accept loop ends with an error |
//! | LST-08 | read secrets in the sanitized configuration | `sanitized` shows a listener's headers |
//!
//! Elsewhere: LST-01 (`tests/bad_input.rs`: `without_a_token_existing_and_missing_look_alike`; it fails when an unknown path is
//! told before the token is asked for). Waiting: LST-06 for quotas, LST-05 on JWTs, JWKS and certificate requests for the
//! engines that read them. LST-09 has no published details.

use bulla_testkit::{Client, HttpAnswer, ServerOptions, ServerProcess};
use bulla_tests::{audit_file, resident};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

fn raw(client: &Client) -> TcpStream {
    let socket = TcpStream::connect(&client.address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    socket.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
    socket
}

/// What the server says to these bytes until it closes the connection or falls silent.
fn told(client: &Client, sent: &[u8]) -> String {
    let mut socket = raw(client);
    socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let _ = socket.write_all(sent);
    let mut all = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(count @ 1..) = socket.read(&mut piece) {
        all.extend_from_slice(&piece[..count]);
    }
    String::from_utf8_lossy(&all).into_owned()
}

/// CVE-2021-3024: the text of an error held an internal address.
#[test]
fn lst_02_errors_tell_nothing_about_the_machine() {
    let server = ServerProcess::start(ServerOptions::default());
    let keys = server.init(1, 1);
    let nobody = server.client();
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim().to_owned();
    let port = nobody.address.rsplit_once(':').unwrap().1.to_owned();
    let secrets = [server.folder().display().to_string(), host, format!(":{port}"), "127.0.0".into(), "::1".into()];
    let long = "x".repeat(80 << 10);
    let many = "X-Many: 1\r\n".repeat(200);
    let request = |head: &str| format!("{head}\r\nConnection: close\r\n\r\n").into_bytes();
    let attacks = [
        request("GET /v1/sys/health HTTP/1.1\r\nHost: a b"),
        request("GET /v1/kv2/data/x HTTP/1.1\r\nHost: \u{1}"),
        request("GET /v1/kv2/data/x HTTP/1.1"),
        request("GET http://elsewhere:1/v1/kv2/data/x HTTP/1.1\r\nHost: elsewhere:1"),
        request("GET /v1/kv2/data/x HTTP/1.1\r\nHost: h\r\nX-Vault-Namespace: ../../a"),
        request("GET /v1/kv2/data/x HTTP/1.1\r\nHost: h\r\nX-Vault-Namespace: nowhere/"),
        request("GET /v1/kv2/data/x HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: no address"),
        request("GET /v1/kv2/data/x HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: ,,,"),
        request("GET /v1/kv2/data/x HTTP/1.1\r\nHost: h\r\nX-Vault-Wrap-TTL: soon"),
        request("GET /v1/kv2/data/x HTTP/1.1\r\nHost: h\r\nX-Vault-Token: \u{7f}"),
        request("POST /v1/sys/unseal HTTP/1.1\r\nHost: h\r\nContent-Length: x"),
        request("POST /v1/sys/unseal HTTP/1.1\r\nHost: h\r\nContent-Length: -1"),
        request("POST /v1/sys/unseal HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999"),
        request(&format!("GET /v1/{long} HTTP/1.1\r\nHost: h")),
        request(&format!("GET /v1/sys/health HTTP/1.1\r\nHost: h\r\nX-Long: {long}")),
        request(&format!("GET /v1/sys/health HTTP/1.1\r\nHost: h\r\n{many}X-Last: 1")),
        request("GET /v1/../../etc/passwd HTTP/1.1\r\nHost: h"),
        request("GET /elsewhere HTTP/1.1\r\nHost: h"),
        request("GET /v1/sys/leader HTTP/1.1\r\nHost: h"),
        request("GET /v1/sys/seal-status HTTP/1.1\r\nHost: h"),
        request("OPTIONS * HTTP/1.1\r\nHost: h"),
        request("CONNECT elsewhere:1 HTTP/1.1\r\nHost: h"),
        b"\x16\x03\x01\x00\x05hello\r\n\r\n".to_vec(),
        b"GET\r\n\r\n".to_vec(),
        b"PROXY TCP4 nonsense\r\n\r\n".to_vec(),
    ];
    for sealed in [true, false] {
        if !sealed {
            server.unseal(&keys);
        }
        let mut answered = 0;
        for attack in &attacks {
            let said = told(&nobody, attack);
            answered += usize::from(said.starts_with("HTTP/1."));
            for secret in &secrets {
                let shown = String::from_utf8_lossy(&attack[..attack.len().min(120)]);
                assert!(!said.contains(secret.as_str()), "`{secret}` is told to {shown}: {said}");
            }
        }
        assert!(answered >= attacks.len() - 4, "only {answered} attacks were answered at all");
    }
}

/// Sends a body in chunks until it is refused or `most` bytes are out; the status, if one came.
fn pour(nobody: &Client, path: &str, announced: Option<u64>, most: usize) -> Option<u16> {
    let mut socket = raw(nobody);
    let framing = announced.map_or("Transfer-Encoding: chunked".to_owned(), |size| format!("Content-Length: {size}"));
    let head = format!("POST /v1/{path} HTTP/1.1\r\nHost: h\r\n{framing}\r\n\r\n");
    socket.write_all(head.as_bytes()).ok()?;
    let piece = vec![b' '; 64 << 10];
    let mut sent = 0;
    while sent < most {
        let done = match announced {
            None => socket
                .write_all(format!("{:x}\r\n", piece.len()).as_bytes())
                .and_then(|()| socket.write_all(&piece))
                .and_then(|()| socket.write_all(b"\r\n")),
            Some(_) => socket.write_all(&piece),
        };
        if done.is_err() {
            break;
        }
        sent += piece.len();
    }
    let mut answer = [0; 12];
    socket.read_exact(&mut answer).ok()?;
    String::from_utf8_lossy(&answer[9..]).parse().ok()
}

/// CVE-2023-6337: on some paths a body was in memory as a whole before its size was looked at.
#[test]
fn lst_03_bodies_without_end_stay_outside() {
    const LIMIT: usize = 1 << 20;
    const CALLERS: u64 = 100;
    const EACH: usize = 8 << 20;
    // One body is let in whole, eight more in parts.
    let options = ServerOptions {
        listener: format!("max_request_size = {LIMIT}\n max_bodies_in_flight = {}", LIMIT * 8),
        ..ServerOptions::default()
    };
    let (server, root, _) = ServerProcess::ready(options);
    bulla_tests::kv_mounts(&root);
    let nobody = root.without_token();
    let paths =
        ["sys/health", "sys/unseal", "nowhere/at/all", "kv1/s", "auth/token/create", "sys/storage/raft/snapshot"];
    for path in paths {
        assert!(matches!(pour(&nobody, path, None, EACH), Some(413 | 503) | None), "{path} takes a body without end");
    }
    let before = resident(&server);
    let greatest = std::sync::atomic::AtomicU64::new(0);
    let statuses: Vec<Option<u16>> = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|number| {
                let (nobody, server, greatest) = (&nobody, &server, &greatest);
                scope.spawn(move || {
                    let path = paths[usize::try_from(number).unwrap() % paths.len()];
                    let announced = (number % 4 == 0).then_some(10 << 30);
                    let status = pour(nobody, path, announced, EACH);
                    greatest.fetch_max(resident(server), std::sync::atomic::Ordering::Relaxed);
                    status
                })
            })
            .collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    });
    let grown = greatest.into_inner().saturating_sub(before);
    // The bodies in flight twice, since a growing buffer is copied, and what connections cost.
    assert!(grown < 64 << 20, "{} MiB more", grown >> 20);
    for status in statuses {
        assert!(matches!(status, Some(413 | 503) | None), "{status:?}");
    }
    let body = json!({ "k": "x".repeat(LIMIT - 100) }).to_string();
    let _ = root.send("POST", "kv1/s", &body).ok();
}

/// CVE-2023-5954: what was made of the policies for one request was kept after it.
///
/// `BULLA_STORM` sets the number of requests (1500 if not set; 1000000 is the number of the catalogue).
#[test]
fn lst_04_memory_does_not_grow_with_requests_under_policies() {
    const PEOPLE: u64 = 20;
    let all = std::env::var("BULLA_STORM").ok().and_then(|n| n.parse().ok()).unwrap_or(1500_u64);
    let (server, root, _) = ServerProcess::ready(ServerOptions::default());
    bulla_tests::kv_mounts(&root);
    let _ = root.post("sys/auth/userpass", json!({ "type": "userpass" })).ok();
    let rules: String = (0..100)
        .map(|n| format!("path \"kv2/data/{{{{identity.entity.name}}}}/{n}/*\" {{ capabilities = [\"read\"] }}\n"))
        .collect();
    let names: Vec<String> = (0..5).map(|n| format!("long{n}")).collect();
    for name in &names {
        let _ = root
            .put(
                &format!("sys/policies/acl/{name}"),
                json!({ "policy": rules.replace("data/", &format!("data/{name}")) }),
            )
            .ok();
    }
    let people: Vec<Client> = (0..PEOPLE)
        .map(|n| {
            let password = json!({ "password": "a password", "token_policies": names });
            let _ = root.post(&format!("auth/userpass/users/p{n}"), password).ok();
            let login =
                root.post(&format!("auth/userpass/login/p{n}"), json!({ "password": "a password" })).ok().json();
            root.with_token(login["auth"]["client_token"].as_str().unwrap())
        })
        .collect();
    let mut connections: Vec<_> = people.iter().map(|person| person.connect().unwrap()).collect();
    let mut ask = |from: u64, to: u64| {
        for number in from..to {
            let connection = &mut connections[usize::try_from(number % PEOPLE).unwrap()];
            let path = format!("kv2/data/other/{number}");
            assert_eq!(connection.send("GET", &path, "").unwrap().status, 403);
        }
    };
    ask(0, all / 5);
    let warm = resident(&server);
    ask(all / 5, all);
    let grown = resident(&server).saturating_sub(warm);
    assert!(grown < 16 << 20, "{} MiB more after {all} requests", grown >> 20);
}

/// Far more than it takes, for machines with more to do than this. Measured on two shared cores with 16 MiB: JSON in a policy
/// 0.35 to 0.42 s unoptimised and 0.37 to 0.54 s optimised, other policies 0.12 and 0.08 s, all other bodies below 0.04 s.
const PATIENCE: Duration = Duration::from_secs(30);

/// CVE-2025-6203, CVE-2025-59043: bodies of some megabytes became gigabytes when read, or kept audit busy for minutes.
#[test]
fn lst_05_bodies_do_not_grow_when_they_are_read() {
    let (server, root, _) = ServerProcess::ready(ServerOptions::default());
    bulla_tests::kv_mounts(&root);
    let _ = root.post("sys/auth/userpass", json!({ "type": "userpass" })).ok();
    let audit = audit_file(&server, &root);
    let nobody = root.without_token();
    let size = 16 << 20;
    let repeated = |unit: &str| unit.repeat(size / unit.len());
    let members: String = (0..1_500_000).map(|n| format!("\"{n}\":1,")).collect();
    let bombs = [
        ("objects in objects", repeated("{\"a\":")),
        ("lists in lists", format!("{{\"a\":{}", repeated("["))),
        ("lists in lists, closed", format!("{{\"a\":{}{}}}", "[".repeat(size / 2), "]".repeat(size / 2))),
        ("empty texts", format!("{{\"a\":[{}\"\"]}}", repeated("\"\","))),
        ("members", format!("{{{members}\"z\":1}}")),
        ("the same member", format!("{{{}\"z\":1}}", repeated("\"a\":1,"))),
        ("numbers", format!("{{\"a\":[{}1]}}", repeated("1e308,"))),
        ("objects", format!("{{\"a\":[{}{{}}]}}", repeated("{},"))),
        ("braces in a policy", json!({ "policy": repeated("a {") }).to_string()),
        ("lists in a policy", json!({ "policy": format!("a = {}", "[".repeat(size)) }).to_string()),
        ("JSON in a policy", json!({ "policy": "{\"path\":".repeat(size / 8) }).to_string()),
    ];
    let before = resident(&server);
    let mut greatest = 0;
    for (what, bomb) in &bombs {
        for (who, method, path) in [
            (&nobody, "POST", "auth/userpass/login/ann"),
            (&nobody, "POST", "sys/wrapping/unwrap"),
            (&nobody, "POST", "sys/unseal"),
            (&root, "POST", "kv2/data/s"),
            (&root, "POST", "sys/wrapping/wrap"),
            (&root, "PUT", "sys/policies/acl/p"),
        ] {
            let policy = what.ends_with("policy");
            if policy && path != "sys/policies/acl/p" {
                continue;
            }
            let begin = Instant::now();
            let told = who.send(method, path, bomb);
            let took = begin.elapsed();
            assert_eq!(told.status, 400, "{what} to {path}: {}", told.text());
            assert!(took < PATIENCE, "{what} to {path} took {took:?}");
            greatest = greatest.max(resident(&server));
        }
    }
    let grown = greatest.saturating_sub(before) >> 20;
    assert!(grown < 256, "{grown} MiB more");
    let _ = root.post("kv1/alive", json!({ "k": "v" })).ok();
    let audit = std::fs::read_to_string(audit).unwrap();
    assert!(audit.contains("kv1/alive"), "audit goes on");
}

/// CVE-2024-6468: one connection that could not be taken ended the loop that takes them.
#[test]
fn lst_07_no_connection_ends_the_listener() {
    for tls in [false, true] {
        let options = ServerOptions {
            tls,
            prefix: vec!["prlimit".into(), "--nofile=160:160".into()],
            ..ServerOptions::default()
        };
        let (server, root, _) = ServerProcess::ready(options);
        let address = &root.address;
        let works = |after: &str| assert_eq!(root.get("sys/mounts").status, 200, "tls {tls}: after {after}");
        // Closed with data unread, which resets the connection, before and while it is accepted.
        for _ in 0..50 {
            let mut socket = TcpStream::connect(address).unwrap();
            let _ = socket.write_all(b"GET /v1/sys/health HTTP/1.1\r\nHost: h\r\n\r\n");
            drop(socket);
        }
        works("resets");
        let halves: Vec<_> = [
            &b"\x16\x03\x01\x02\x00\x01\x00"[..],
            b"GET /v1/sys",
            b"PRI * HTTP/2.0\r\n\r\nSM",
            b"\0\r\n\r\n\0\r\nQUIT\n!",
        ]
        .into_iter()
        .map(|bytes| {
            let mut socket = TcpStream::connect(address).unwrap();
            let _ = socket.write_all(bytes);
            let _ = socket.shutdown(Shutdown::Write);
            socket
        })
        .collect();
        works("half a request");
        drop(halves);
        // More than the process may have open: accepting fails until some are gone.
        let crowd: Vec<_> = (0..300).map_while(|_| TcpStream::connect(address).ok()).collect();
        let log = || server.log().contains("could not be accepted");
        let begin = Instant::now();
        while !log() && begin.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(log(), "accepting never failed: {}", server.log());
        drop(crowd);
        works("a crowd");
    }
}

/// CVE-2026-115363: a key of the configuration was shown because nobody had said that it is secret.
#[test]
fn lst_08_the_sanitized_configuration_shows_what_is_on_its_list() {
    let mark = "mark-8f3a1c";
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(format!("{mark}-{name}")).display().to_string();
    let (data, log, pid, plugins) = (at("data"), at("log"), at("pid"), at("plugins"));
    let options = ServerOptions {
        data: Some(data.into()),
        listener: format!(
            "custom_response_headers {{\n \"default\" = {{\n \"X-Mark\" = [\"{mark}\"]\n }}\n }}\n\
             telemetry {{\n unauthenticated_metrics_access = false\n metrics_token = \"{mark}\"\n }}\n\
             tls_client_ca_file = \"\"\n"
        ),
        more: format!(
            "log_file = \"{log}\"\npid_file = \"{pid}\"\nplugin_directory = \"{plugins}\"\n\
             telemetry {{\n circonus_api_token = \"{mark}\"\n}}\n\
             service_registration \"consul\" {{\n token = \"{mark}\"\n}}\n\
             entropy \"seal\" {{\n mode = \"{mark}\"\n}}\n\
             unheard_of = \"{mark}\"\n"
        ),
        ..ServerOptions::default()
    };
    let (_server, root, _) = ServerProcess::ready(options);
    let told: HttpAnswer = root.get("sys/config/state/sanitized").ok();
    assert!(!String::from_utf8_lossy(&told.body).contains(mark), "{}", told.text());
    let data = told.json()["data"].clone();
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let mut shown = names(&data);
    shown.sort();
    let expected = [
        "api_addr",
        "cluster_addr",
        "cluster_name",
        "default_lease_ttl",
        "disable_mlock",
        "enable_ui",
        "introspection_endpoint",
        "listeners",
        "log_format",
        "log_level",
        "max_lease_ttl",
        "raw_storage_endpoint",
        "storage",
    ];
    assert_eq!(shown, expected, "a key more is a decision: it goes on this list only if it can hold no secret");
    let listener = names(&data["listeners"][0]["config"]);
    assert!(listener.iter().all(|name| matches!(name.as_str(), "address" | "tls_disable")), "{listener:?}");
    assert_eq!(names(&data["storage"]), ["type"]);
}
