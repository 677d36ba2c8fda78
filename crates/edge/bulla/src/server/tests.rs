//! A whole server with a house of paper: start, signals, end, and what a failing start says.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use super::*;
use bulla_audit::{Disclosable, Exemption};
use bulla_core::{Answer, ErrorKind, LogLevels, Outcome, Refusal, Request};
use bulla_http::BoxFuture;
use bulla_kit::RawJson;
use bulla_types::Operation;
use parking_lot::Mutex;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What the paper house was asked, and how often it was sealed and its audit files reopened.
static ASKED: Mutex<Vec<String>> = Mutex::new(Vec::new());
static SEALED: AtomicUsize = AtomicUsize::new(0);
static REOPENED: AtomicUsize = AtomicUsize::new(0);

struct Paper;

impl Service for Paper {
    fn handle(&self, request: Request) -> BoxFuture<'_, Disclosable<Answer>> {
        let token = request.token.is_some();
        ASKED.lock().push(format!("{} {} {}", request.operation, request.path, token));
        let init = r#"{"keys_base64":["share"],"root_token":"first"}"#;
        let outcome = match (request.path.as_str(), request.operation) {
            ("sys/init", _) => Outcome::Bare { data: RawJson::parse(init.into()).unwrap(), code: None },
            (_, Operation::Update) => Outcome::NoContent,
            _ => Outcome::Refused(Refusal::silent(ErrorKind::NotFound)),
        };
        Box::pin(std::future::ready(Disclosable::exempt(Answer::new(outcome), Exemption::HelpText)))
    }
}

impl House for Paper {
    fn seal(&self, _drain: Duration) -> BoxFuture<'_, ()> {
        SEALED.fetch_add(1, Ordering::SeqCst);
        Box::pin(std::future::ready(()))
    }

    fn reopen_audit(&self) -> BoxFuture<'_, ()> {
        REOPENED.fetch_add(1, Ordering::SeqCst);
        Box::pin(std::future::ready(()))
    }

    fn set_log_levels(&self, _levels: Arc<dyn LogLevels>) {}
}

fn dev(address: &str) -> Options {
    let dev = DevOptions {
        root_token_id: Some("r".into()),
        listen_address: address.into(),
        store_token: false,
        ..DevOptions::default()
    };
    Options { dev: Some(dev), ..Options::default() }
}

fn send_signal(signal: rustix::process::Signal) {
    rustix::process::kill_process(rustix::process::getpid(), signal).unwrap();
}

async fn until(mut done: impl FnMut() -> bool) {
    let wait = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), wait).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn starts_reloads_seals_and_ends() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let options = dev(&address);
    let environment = Environment::default();
    let config = assemble(&options, &environment).unwrap();
    let log = Log::start("error", false, None).unwrap();
    let server =
        tokio::spawn(async move { serve(&options, &environment, config, &log, |_, _| Ok(Arc::new(Paper))).await });
    // The mount of `secret/` is the last step of setting up.
    until(|| ASKED.lock().len() >= 5).await;
    assert_eq!(
        *ASKED.lock(),
        [
            "update sys/init false",
            "update sys/unseal false",
            "update auth/token/create true",
            "update auth/token/revoke-self true",
            "update sys/mounts/secret true",
        ]
    );
    let mut client = tokio::net::TcpStream::connect(&address).await.unwrap();
    client.write_all(b"GET /v1/a HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut got = vec![0; 12];
    client.read_exact(&mut got).await.unwrap();
    assert_eq!(got, b"HTTP/1.1 404");

    send_signal(rustix::process::Signal::HUP);
    until(|| REOPENED.load(Ordering::SeqCst) == 1).await;
    send_signal(rustix::process::Signal::TERM);
    tokio::time::timeout(Duration::from_secs(5), server).await.unwrap().unwrap().unwrap();
    assert_eq!(SEALED.load(Ordering::SeqCst), 1);
    // The idle connection is closed, and nobody listens any more.
    tokio::time::timeout(Duration::from_secs(2), client.read_to_end(&mut got)).await.unwrap().unwrap();
    assert!(tokio::net::TcpStream::connect(&address).await.is_err());
}

#[tokio::test]
async fn an_address_in_use_is_one_line() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let options = dev(&address);
    let config = assemble(&options, &Environment::default()).unwrap();
    let log = Log::start("error", false, None).unwrap();
    let result = serve(&options, &Environment::default(), config, &log, |_, _| Ok(Arc::new(Paper))).await;
    let line = result.unwrap_err().to_string();
    assert!(line.contains(&address) && !line.contains('\n'), "{line}");
}

#[test]
fn flags_win_over_files_and_dev_brings_what_a_server_needs() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("c.hcl");
    std::fs::write(
        &file,
        "log_level = \"warn\"\nlistener \"tcp\" {\n address = \"127.0.0.1:1\"\n tls_disable = true\n}",
    )
    .unwrap();
    let options = Options { configs: vec![file], log_level: Some("debug".into()), ..dev("127.0.0.1:2") };
    let config = assemble(&options, &Environment::default()).unwrap();
    assert_eq!(config.log_level.as_deref(), Some("debug"));
    assert_eq!(config.storage, Some(Storage::Memory));
    assert_eq!(config.listeners.len(), 2, "dev mode together with a listener of a file");
    assert_eq!(config.api_addr.as_deref(), Some("http://127.0.0.1:2"));
    let missing = Options { configs: vec![PathBuf::from("/nowhere/x.hcl")], ..Options::default() };
    let line = assemble(&missing, &Environment::default()).unwrap_err().to_string();
    assert!(line.contains("/nowhere/x.hcl"), "{line}");
}

#[test]
fn clients_of_a_development_server_are_told_where_its_authority_is() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("it's");
    let ready = Ready { unseal_key: "k".into(), root_token: "r".into() };
    let mut config = assemble(&dev("127.0.0.1:3"), &Environment::default()).unwrap();
    assert!(!dev_text(&ready, &config).contains("VAULT_CACERT"));
    let tls = crate::options::DevTls { folder: Some(folder.clone()), names: Vec::new() };
    config.listeners[0].tls = Some(dev::make_certificates(&tls).unwrap().settings);
    let text = dev_text(&ready, &config);
    let line = text.lines().find(|line| line.contains("VAULT_CACERT")).unwrap();
    let command = format!("{}; cat \"$VAULT_CACERT\"", line.trim().trim_start_matches("$ "));
    let shell = std::process::Command::new("sh").arg("-c").arg(command).output().unwrap();
    assert!(String::from_utf8(shell.stdout).unwrap().contains("BEGIN CERTIFICATE"), "{line}");
    assert_eq!(
        text.lines().position(|l| l.contains("VAULT_ADDR")).unwrap() + 1,
        text.lines().position(|l| l == line).unwrap()
    );
}
