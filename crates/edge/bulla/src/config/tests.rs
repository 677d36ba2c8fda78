//! Files as they are found in the wild, and what is wrong with others.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use super::*;
use bulla_http::{Address, CertificateDecoder, ClientCertificates, ForwardedFor, Networks, ProxyTrust, TlsVersion};
use std::time::Duration;

fn parse(text: &str) -> Result<Config, ConfigError> {
    let mut config = Config::default();
    read::parse(&mut config, "f.hcl", text).map(|()| config)
}

fn problem(text: &str) -> String {
    parse(text).err().unwrap_or_else(|| panic!("taken: {text}")).to_string()
}

#[test]
fn a_usual_file() {
    let config = parse(
        r#"
storage "inmem" {}
listener "tcp" {
  address     = "127.0.0.1:8300"
  tls_disable = true
  max_request_size = 2048
  http_read_timeout = "7s"
  custom_response_headers {
    "default" = { "X-All" = ["yes"] }
    "404" = { "X-Four" = ["missing"] }
  }
}
disable_mlock = true
api_addr      = "http://127.0.0.1:8300"
default_lease_ttl = "768h"
audit "file" "main" {
  description = "declared"
  options { file_path = "/tmp/a.log" }
}
"#,
    )
    .unwrap();
    config.check().unwrap();
    assert_eq!(config.storage, Some(Storage::Memory));
    let listener = &config.listeners[0];
    assert_eq!(listener.address, Address::Tcp("127.0.0.1:8300".into()));
    assert!(listener.tls.is_none() && !listener.legacy_routes_open);
    assert_eq!(listener.limits.request_size, 2048);
    assert_eq!(listener.limits.read_body, Duration::from_secs(7));
    let rule = |key: &str, name: &str, value: &str| (key.to_owned(), name.to_owned(), vec![value.to_owned()]);
    assert_eq!(listener.custom_headers.rules, [rule("default", "X-All", "yes"), rule("404", "X-Four", "missing")]);
    assert_eq!(config.default_lease_ttl.unwrap().0, 768 * 3600);
    assert_eq!(config.audit[0].path, "main/");
    assert_eq!(config.audit[0].options["file_path"], "/tmp/a.log");
    assert_eq!(config.warnings, Vec::<String>::new());
}

#[test]
fn json_with_the_same_key_twice() {
    let config = parse(
        r#"{"backend": {"file": {"path": "/d"}},
            "listener": {"tcp": {"address": "127.0.0.1:1", "tls_disable": true}},
            "listener": [{"tcp": {"address": "127.0.0.1:2", "tls_disable": "true"}}, {"unix": {"address": "/s", "socket_mode": "640", "tls_disable": 1}}],
            "disable_mlock": true, "max_lease_ttl": "768h"}"#,
    )
    .unwrap();
    assert_eq!(config.storage, Some(Storage::Disk("/d".into())));
    assert_eq!(config.listeners.len(), 3);
    let Address::Unix { owner, .. } = &config.listeners[2].address else { panic!("no unix listener") };
    assert_eq!(owner.mode, Some(0o640));
}

/// Once the last one counted in silence, and the server began an empty store there.
#[test]
fn two_stores_are_a_mistake() {
    for text in [
        "storage \"inmem\" {}\nstorage \"disk\" { path = \"/d\" }",
        "{\"storage\": {\"inmem\": {}},\n\"storage\": {\"disk\": {\"path\": \"/d\"}}}",
        "storage \"inmem\" {}\nbackend \"inmem\" {}",
    ] {
        assert_eq!(problem(text), "f.hcl: line 2: there is more than one storage; a server has one");
    }
    let mut config = parse("storage \"inmem\" {}").unwrap();
    read::parse(&mut config, "g.hcl", "storage \"disk\" { path = \"/d\" }").unwrap();
    assert_eq!(config.storage, Some(Storage::Disk("/d".into())), "that of a later file counts");
}

#[test]
fn addresses_without_a_port_get_the_usual_one() {
    let address = |text: &str| {
        let config = parse(&format!("listener \"tcp\" {{\n address = \"{text}\"\n tls_disable = true\n}}"));
        config.map(|config| config.listeners[0].address.clone()).map_err(|error| error.to_string())
    };
    for (text, want) in [
        ("", "127.0.0.1:8200"),
        ("0.0.0.0", "0.0.0.0:8200"),
        ("localhost:1", "localhost:1"),
        (":80", ":80"),
        ("[::1]", "[::1]:8200"),
        ("[::1]:80", "[::1]:80"),
        ("::1", "[::1]:8200"),
    ] {
        assert_eq!(address(text), Ok(Address::Tcp(want.to_owned())), "{text}");
    }
    for (text, port) in [("127.0.0.1:99999", "99999"), ("localhost:http", "http"), ("localhost:", "")] {
        assert_eq!(address(text), Err(format!("f.hcl: line 2: `address` must be host:port, and `{port}` is no port")));
    }
}

#[test]
fn tls_options() {
    let tls = |more: &str| {
        let text = format!("listener \"tcp\" {{\n tls_cert_file = \"c\"\n tls_key_file = \"k\"\n {more}\n}}");
        parse(&text).map(|c| c.listeners[0].tls.clone().unwrap())
    };
    assert_eq!(tls("").unwrap().clients, ClientCertificates::Any);
    assert_eq!(tls("tls_min_version = \"tls13\"").unwrap().min, TlsVersion::Tls13);
    assert_eq!(tls("tls_min_version = \"tls10\"").unwrap().min, TlsVersion::Tls12);
    assert!(tls("tls_max_version = \"tls11\"").is_err());
    assert_eq!(tls("tls_disable_client_certs = true").unwrap().clients, ClientCertificates::Off);
    assert!(tls("tls_require_and_verify_client_cert = true").is_err());
    let verified = tls("tls_require_and_verify_client_cert = true\n tls_client_ca_file = \"ca\"").unwrap();
    assert_eq!(verified.clients, ClientCertificates::Verified { authorities: "ca".into() });
    assert_eq!(tls("tls_cipher_suites = \"A, B\"").unwrap().suites, ["A", "B"]);
    assert_eq!(
        problem("\nlistener \"tcp\" {}"),
        "f.hcl: line 2: a listener needs `tls_cert_file` and `tls_key_file`, or `tls_disable = true`"
    );
}

#[test]
fn unknown_keys_warn_and_unknown_blocks_fail() {
    let config =
        parse("colour = 1\ntelemetry { x = 1 }\nlistener \"tcp\" {\n tls_disable = true\n shape = 2\n}").unwrap();
    assert_eq!(
        config.warnings,
        [
            "f.hcl: line 1: unknown key `colour` is ignored",
            "f.hcl: line 2: `telemetry` has no effect",
            "f.hcl: line 5: unknown key `shape` of a listener is ignored",
        ]
    );
    assert_eq!(problem("ui = true\n\ncolour \"red\" { }"), "f.hcl: line 3: unknown block `colour`");
    assert_eq!(problem("colour = { a = 1 }"), "f.hcl: line 1: unknown block `colour`");
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    assert_eq!(
        problem("ui = true\nmax_lease_ttl = \"soon\""),
        "f.hcl: line 2: `max_lease_ttl` must be a duration: time: invalid duration \"soon\""
    );
    assert_eq!(problem("storage \"file\" {}"), "f.hcl: line 1: storage `file` needs a `path`");
    assert!(problem("storage \"magic\" {}").starts_with("f.hcl: line 1: unknown storage `magic`"));
    assert!(problem("listener \"udp\" {}").starts_with("f.hcl: line 1: unknown listener `udp`"));
    assert!(problem("listener \"tcp\" {\n tls_disable = true\n max_request_size = -1\n}").contains("line 3"));
    assert!(problem("a = ").starts_with("f.hcl: line 1"));
    assert!(problem("listener \"tcp\" {\n tls_disable = true\n redact_version = \"perhaps\"\n}").contains("line 3"));
    for option in
        ["tls_acme_domains = [\"a\"]", "tls_acme_ca_directory = \"https://a\"", "tls_acme_eab_mac_key = \"a\""]
    {
        let told = problem(&format!("listener \"tcp\" {{\n tls_disable = true\n {option}\n}}"));
        let name = option.split(' ').next().unwrap();
        assert!(told.starts_with(&format!("f.hcl: line 3: listener option `{name}` is not supported; name")), "{told}");
    }
}

#[test]
fn a_server_needs_a_store_and_a_listener() {
    assert!(Config::default().check().is_err());
    assert!(parse("storage \"inmem\" {}").unwrap().check().is_err());
}

#[test]
fn the_environment_wins_and_its_own_names_win_over_the_others() {
    let variables = [("VAULT_API_ADDR", "v"), ("BAO_API_ADDR", "b"), ("VAULT_LOG_LEVEL", "debug"), ("HOME", "h")];
    let environment = Environment::of(variables.map(|(n, v)| (n.to_owned(), v.to_owned())));
    let mut config = parse("api_addr = \"file\"").unwrap();
    environment.apply(&mut config);
    assert_eq!(config.api_addr.as_deref(), Some("b"));
    assert_eq!(config.log_level.as_deref(), Some("debug"));
}

#[test]
fn folders_are_read_in_order_and_the_local_config_too() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("2.json"), r#"{"cluster_name": "two"}"#).unwrap();
    std::fs::write(dir.path().join("1.hcl"), "cluster_name = \"one\"\nstorage \"inmem\" {}").unwrap();
    std::fs::write(dir.path().join("note.txt"), "}{").unwrap();
    let local = Environment::of([("VAULT_LOCAL_CONFIG".to_owned(), r#"{"ui": true}"#.to_owned())]);
    let config = read(&[dir.path().to_owned()], &local).unwrap();
    assert_eq!(config.cluster_name.as_deref(), Some("two"));
    assert!(config.ui && config.storage.is_some());
    assert!(
        read(&[dir.path().join("none.hcl")], &Environment::default()).unwrap_err().to_string().contains("none.hcl")
    );
    let empty = tempfile::tempdir().unwrap();
    assert!(read(&[empty.path().to_owned()], &Environment::default()).is_err());
}

#[test]
fn user_lockout() {
    let text = r#"
user_lockout "all" {
  lockout_duration = "10m"
}
user_lockout "userpass" {
  lockout_threshold     = "25"
  lockout_counter_reset = "1h"
  disable_lockout       = true
  nonsense              = 1
}
"#;
    let config = parse(text).unwrap();
    let lockout = &config.user_lockout.by_type;
    assert_eq!((lockout["all"].threshold, lockout["all"].duration.0, lockout["all"].disabled), (0, 600, false));
    assert_eq!((lockout["userpass"].threshold, lockout["userpass"].counter_reset.0), (25, 3600));
    assert!(lockout["userpass"].disabled);
    assert_eq!(config.warnings, ["f.hcl: line 9: unknown key `nonsense` of `user_lockout` is ignored"]);
    assert!(problem("user_lockout \"radius\" {}").contains("not `radius`"));
    assert!(problem("user_lockout \"all\" { lockout_threshold = \"x\" }").contains("must be a number"));

    let mut off = Config::default();
    Environment::of([("BAO_DISABLE_USER_LOCKOUT".to_owned(), "true".to_owned())]).apply(&mut off);
    assert!(off.user_lockout.off);
}

/// The listener of these lines, and what is warned of.
fn behind(lines: &str) -> (bulla_http::Settings, Vec<String>) {
    let config = parse(&format!("listener \"tcp\" {{\n tls_disable = true\n {lines}\n}}")).unwrap();
    (config.listeners[0].clone(), config.warnings)
}

fn wrong_behind(kind: &str, lines: &str) -> String {
    problem(&format!("listener \"{kind}\" {{\n tls_disable = true\n address = \"/a:1\"\n{lines}\n}}"))
}

#[test]
fn proxies_that_pass_bytes_on() {
    let nets = |list: &[&str]| Networks::parse(list.iter().copied()).unwrap();
    let proxy = |lines: &str| behind(lines).0.proxy;
    assert_eq!(proxy(""), None);
    assert_eq!(proxy("proxy_protocol_behavior = \"use_always\""), Some(ProxyTrust::Always));
    assert_eq!(
        proxy(
            "proxy_protocol_behavior = \"allow_authorized\"\n proxy_protocol_authorized_addrs = \"10.0.0.1, 10.1.0.0/16\""
        ),
        Some(ProxyTrust::Some(nets(&["10.0.0.1", "10.1.0.0/16"])))
    );
    assert_eq!(
        proxy("proxy_protocol_behavior = \"deny_unauthorized\"\n proxy_protocol_authorized_addrs = [\"::1\"]"),
        Some(ProxyTrust::Only(nets(&["::1"])))
    );
    let (settings, warnings) = behind("proxy_protocol_authorized_addrs = [\"::1\"]");
    assert!(settings.proxy.is_none());
    assert_eq!(
        warnings,
        ["f.hcl: line 3: `proxy_protocol_authorized_addrs` has no effect without `proxy_protocol_behavior`"]
    );
    for (lines, told) in [
        ("proxy_protocol_behavior = \"sometimes\"", "must be use_always"),
        ("proxy_protocol_behavior = \"allow_authorized\"", "needs `proxy_protocol_authorized_addrs`"),
        ("proxy_protocol_behavior = \"deny_unauthorized\"", "needs `proxy_protocol_authorized_addrs`"),
        ("proxy_protocol_authorized_addrs = \"\"", "at least one"),
        ("proxy_protocol_authorized_addrs = []", "at least one"),
        ("proxy_protocol_authorized_addrs = [\"10.0.0.0/33\"]", "CIDR"),
        ("proxy_protocol_authorized_addrs = 7", "CIDR"),
    ] {
        let problem = wrong_behind("tcp", lines);
        assert!(problem.contains(told) && problem.contains("line 4"), "{problem}");
    }
    assert!(wrong_behind("unix", "proxy_protocol_behavior = \"use_always\"").contains("needs a listener `tcp`"));
}

#[test]
fn proxies_that_speak_http() {
    const BASE: &str = "x_forwarded_for_authorized_addrs = \"10.0.0.0/8\"\n";
    let rule = |lines: &str| behind(&format!("{BASE}{lines}")).0.forwarded_for.unwrap();
    let plain = rule("");
    assert_eq!(plain, ForwardedFor::new(Networks::parse(["10.0.0.0/8"]).unwrap()));
    assert!(plain.hop_skips == 0 && plain.reject_not_present && plain.reject_not_authorized);
    assert_eq!(rule("x_forwarded_for_hop_skips = \"2\"").hop_skips, 2);
    assert!(!rule("x_forwarded_for_reject_not_present = false").reject_not_present);
    assert!(!rule("x_forwarded_for_reject_not_authorized = \"false\"").reject_not_authorized);
    let certificate = rule("x_forwarded_for_client_cert_header = \"Client-Cert\"").certificate.unwrap();
    assert_eq!((certificate.name.as_str(), certificate.decoders.len()), ("client-cert", 0));
    let certificate = rule(
        "x_forwarded_for_client_cert_header = \"X-Cert\"\n x_forwarded_for_client_cert_decoders = [\"URL\", \"PEM\"]",
    );
    assert_eq!(certificate.certificate.unwrap().decoders, [CertificateDecoder::Url, CertificateDecoder::Pem]);

    let (settings, warnings) = behind("x_forwarded_for_hop_skips = 1\n x_forwarded_for_reject_not_present = true");
    assert_eq!((settings.forwarded_for, warnings.len()), (None, 2), "{warnings:?}");
    for (lines, told) in [
        ("x_forwarded_for_authorized_addrs = \"\"", "at least one"),
        ("x_forwarded_for_authorized_addrs = \"juan\"", "CIDR"),
        ("x_forwarded_for_hop_skips = -1\nx_forwarded_for_authorized_addrs = \"10.0.0.1\"", "negative"),
        ("x_forwarded_for_reject_not_present = \"perhaps\"", "must be"),
        // Believed of everybody, it would let them use certificates of others.
        ("x_forwarded_for_client_cert_header = \"Client-Cert\"", "needs `x_forwarded_for_authorized_addrs`"),
        ("x_forwarded_for_client_cert_header = \"a b\"", "name of a header"),
        ("x_forwarded_for_client_cert_header_decoders = \"URL,DER\"", "x_forwarded_for_client_cert_decoders"),
    ] {
        let problem = wrong_behind("tcp", lines);
        assert!(problem.contains(told) && problem.contains("line 4"), "{problem}");
    }
    assert!(
        wrong_behind(
            "tcp",
            &format!(
                "x_forwarded_for_client_cert_decoders = \"DER\"\nx_forwarded_for_client_cert_header = \"c\"\n{BASE}"
            )
        )
        .contains("may name")
    );
    assert!(wrong_behind("unix", BASE).contains("needs a listener `tcp`"));
}

#[test]
fn a_socket_of_the_file_system_needs_no_tls() {
    let with = |lines: &str| parse(&format!("listener \"unix\" {{\n address = \"/s\"\n{lines}\n}}"));
    assert!(with("").unwrap().listeners[0].tls.is_none());
    assert!(with("tls_cert_file = \"c\"\n tls_key_file = \"k\"").unwrap().listeners[0].tls.is_some());
    assert!(with("tls_cert_file = \"c\"").is_err(), "half of it is a mistake");
    assert!(with("tls_require_and_verify_client_cert = true\n tls_client_ca_file = \"c\"").is_err());
    assert!(parse("listener \"tcp\" {}").is_err());
}

/// What a server cannot honour stops it, and so does diagnose.
#[test]
fn settings_that_cannot_be_honoured() {
    let base = "storage \"inmem\" {}\nlistener \"unix\" { address = \"/s\" }\n";
    let check = |lines: &str| parse(&format!("{base}{lines}")).unwrap().check();
    for good in [
        "",
        "api_addr = \"\"",
        "api_addr = \"https://bulla.test:8200/\"",
        "api_addr = \"http://[::1]:8200\"",
        "log_format = \"JSON\"",
        "log_format = \"standard\"",
        "log_level = \"Warn\"",
        "default_lease_ttl = \"1h\"\nmax_lease_ttl = \"1h\"",
        "default_lease_ttl = \"768h\"",
        "max_lease_ttl = \"1h\"",
        "audit \"file\" \"a\" { options = { file_path = \"/a\" } }",
    ] {
        assert!(check(good).is_ok(), "{good}: {:?}", check(good));
    }
    for (bad, word) in [
        ("api_addr = \"garbage\"", "garbage"),
        ("api_addr = \"http://\"", "api_addr"),
        ("api_addr = \"http://:8200\"", "api_addr"),
        ("api_addr = \"ftp://a:1\"", "api_addr"),
        ("api_addr = \"http://a b\"", "api_addr"),
        ("api_addr = \"http://a:70000\"", "api_addr"),
        ("log_format = \"xml\"", "`xml`"),
        ("log_level = \"bogus\"", "bogus"),
        ("default_lease_ttl = \"3601s\"\nmax_lease_ttl = \"1h\"", "max_lease_ttl"),
        ("default_lease_ttl = \"769h\"", "max_lease_ttl"),
        ("audit \"nosuch\" \"a\" {}", "nosuch"),
        // Once both were written, and one of them was listed.
        (
            "audit \"file\" \"a\" { options = { file_path = \"/a\" } }\n\
             audit \"file\" \"a/\" { options = { file_path = \"/b\" } }",
            "more than one audit device at `a/`",
        ),
    ] {
        let problem = check(bad).err().unwrap_or_else(|| panic!("taken: {bad}")).to_string();
        assert!(problem.contains(word), "{bad}: {problem}");
    }
    assert!(parse("plugin_directory = \"/nope\"").unwrap().warnings[0].contains("has no effect"));
}

#[test]
fn a_pipe_is_read_if_somebody_writes_and_not_waited_for_if_nobody_does() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let start = std::time::Instant::now();
    let problem = read(std::slice::from_ref(&pipe), &Environment::default()).unwrap_err().to_string();
    assert!(problem.contains("nobody writes") && start.elapsed() < Duration::from_secs(20), "{problem}");
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let writer = {
        let pipe = pipe.clone();
        std::thread::spawn(move || std::fs::write(pipe, "ui = true"))
    };
    assert!(read(&[pipe], &Environment::default()).unwrap().ui);
    writer.join().unwrap().unwrap();
    assert!(read(&["/dev/zero".into()], &Environment::default()).is_err(), "without an end");
}
