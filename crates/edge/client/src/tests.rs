//! The client against a small server: what is repeated, followed, refused.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};

use crate::{Client, ClientError, Config, Json, Request, Token};

pub(crate) type Seen = Arc<Mutex<Vec<String>>>;

/// Answers one request on the stream; `answers` are taken one after the other, the last one stays.
pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(stream: S, answers: &Mutex<Vec<String>>, seen: &Seen) {
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await.unwrap() == 0 {
            return;
        }
    }
    let length = head
        .to_lowercase()
        .split("content-length: ")
        .nth(1)
        .map_or(0, |rest| rest.lines().next().unwrap().trim().parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    seen.lock().unwrap().push(head);
    let answer = {
        let mut answers = answers.lock().unwrap();
        if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() }
    };
    stream.write_all(answer.as_bytes()).await.unwrap();
}

pub(crate) fn answer(status: u16, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n{body}", body.len())
}

pub(crate) async fn server(answers: Vec<String>) -> (String, Seen) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let seen = Seen::default();
    let keep = Arc::clone(&seen);
    tokio::spawn(async move {
        let answers = Mutex::new(answers);
        loop {
            serve(listener.accept().await.unwrap().0, &answers, &keep).await;
        }
    });
    (address, seen)
}

fn client(address: &str) -> Client {
    let mut config = Config::new(address.parse().unwrap());
    config.retries.first_pause = Duration::from_millis(1);
    config.token = Token::parse("tok");
    config.namespace = Some("team".to_owned());
    config.timeout = Duration::from_secs(5);
    Client::new(config).unwrap()
}

#[tokio::test]
async fn headers_of_every_request() {
    let (address, seen) = server(vec![answer(200, "", "{}")]).await;
    client(&address).send(&Request::get("x").header("X-Extra", "1")).await.unwrap();
    let head = seen.lock().unwrap()[0].to_lowercase();
    for line in ["x-vault-request: true", "x-vault-token: tok", "x-vault-namespace: team", "x-extra: 1"] {
        assert!(head.contains(line), "{line} in {head}");
    }
}

#[tokio::test]
async fn repeats_until_it_works() {
    let (address, seen) =
        server(vec![answer(500, "", ""), answer(412, "", ""), answer(200, "", r#"{"data":{}}"#)]).await;
    client(&address).send(&Request::put("x", &Json::Null)).await.unwrap();
    assert_eq!(seen.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn gives_up_after_the_last_try() {
    let (address, seen) = server(vec![answer(503, "", r#"{"errors":["Vault is sealed"]}"#)]).await;
    let error = client(&address).send(&Request::get("x")).await.unwrap_err();
    assert_eq!(error.status(), Some(503));
    assert!(error.to_string().ends_with("Code: 503. Errors:\n\n* Vault is sealed"));
    assert_eq!(seen.lock().unwrap().len(), 3);
    let once = client(&address).send(&Request::get("x").once()).await;
    assert!(once.is_err() && seen.lock().unwrap().len() == 4);
}

#[tokio::test]
async fn refusals_are_not_repeated() {
    let (address, seen) = server(vec![answer(403, "", r#"{"errors":["permission denied"]}"#)]).await;
    assert_eq!(client(&address).send(&Request::get("x")).await.unwrap_err().status(), Some(403));
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn redirects_keep_the_method() {
    let (active, seen) = server(vec![answer(200, "", "{}")]).await;
    for (i, status) in [301, 302, 307, 308].into_iter().enumerate() {
        let (standby, _) = server(vec![answer(status, &format!("Location: {active}/v1/x\r\n"), "")]).await;
        client(&standby).send(&Request::put("x", &Json::Null)).await.unwrap();
        assert!(seen.lock().unwrap()[i].starts_with("PUT /v1/x HTTP/1.1"), "{status}");
    }
}

#[tokio::test]
async fn an_answer_that_is_no_json_is_told_with_its_url() {
    let (address, _) = server(vec![answer(200, "", "<html>")]).await;
    let error = client(&address).read(&Request::get("x")).await.unwrap_err();
    assert_eq!(error.to_string(), format!("GET {address}/v1/x: the answer could not be read"));
}

#[tokio::test]
async fn a_status_that_does_not_say_is_none() {
    for body in ["[1]", r#"{"data":[1,2]}"#, r#"{"initialized":true}"#, r#"{"sealed":false}"#] {
        let (address, _) = server(vec![answer(200, "", body)]).await;
        assert!(matches!(client(&address).seal_status().await, Err(ClientError::Answer { .. })), "{body}");
    }
    let (address, _) = server(vec![answer(200, "", "{}")]).await;
    assert!(client(&address).is_initialized().await.is_err());
}

#[tokio::test]
async fn the_wrong_scheme_and_a_body_too_large_are_told_in_plain_words() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut stream = listener.accept().await.unwrap().0;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        stream.read_to_end(&mut Vec::new()).await
    });
    let told = client(&address).send(&Request::get("x").once()).await.unwrap_err();
    assert!(told.to_string().contains("should the address begin with http://?"), "{told}");
    let large = Json::text("x".repeat(64 << 20));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { drop(listener.accept().await) });
    let told = client(&address).send(&Request::put("x", &large).once()).await.unwrap_err();
    assert!(told.to_string().contains("more than the server takes"), "{told}");
}

#[tokio::test]
async fn redirects_end() {
    let (address, seen) = server(vec![answer(307, "Location: /v1/again\r\n", "")]).await;
    let error = client(&address).send(&Request::get("x")).await.unwrap_err();
    assert!(matches!(error, ClientError::Redirect { why: "too often", .. }), "{error}");
    assert_eq!(seen.lock().unwrap().len(), 3);
    let (address, _) = server(vec![answer(307, "Location: ftp://x/\r\n", "")]).await;
    assert!(matches!(client(&address).send(&Request::get("x")).await, Err(ClientError::Redirect { .. })));
}

#[tokio::test]
async fn nothing_and_something_at_404() {
    let (address, _) = server(vec![answer(404, "", r#"{"errors":[]}"#)]).await;
    assert!(client(&address).read(&Request::get("x")).await.unwrap().is_none());
    let (address, _) = server(vec![answer(404, "", r#"{"data":{"metadata":{"version":1}}}"#)]).await;
    assert!(client(&address).read(&Request::get("x")).await.unwrap().unwrap().field("metadata").is_some());
}

#[tokio::test]
async fn silence_is_limited() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = Config::new(format!("http://{}", listener.local_addr().unwrap()).parse().unwrap());
    config.timeout = Duration::from_millis(20);
    let error = Client::new(config).unwrap().send(&Request::get("x")).await.unwrap_err();
    assert!(matches!(error, ClientError::Timeout { .. }));
}

/// Once the server took such certificates and our own client could not show one.
#[test]
fn a_client_certificate_may_be_of_version_1() {
    let made = |name: &str| Some((concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/").to_owned() + name).into());
    let client = |cert: &str, key: &str| {
        let mut config = Config::new("https://127.0.0.1:1".parse().unwrap());
        (config.tls.client_cert, config.tls.client_key) = (made(cert), made(key));
        Client::new(config).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(client("client-v1.pem", "client-v1-key.pem"), Ok(()));
    let told = client("far-server.pem", "client-v1-key.pem").unwrap_err();
    assert!(told.contains("far-server.pem") && told.contains("KeyMismatch"), "{told}");
}

#[tokio::test]
async fn unix_sockets() {
    let path = std::env::temp_dir().join(format!("bulla-client-{}.sock", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let seen = Seen::default();
    let keep = Arc::clone(&seen);
    tokio::spawn(async move {
        let answers = Mutex::new(vec![answer(200, "", r#"{"data":{"a":1}}"#)]);
        serve(listener.accept().await.unwrap().0, &answers, &keep).await;
    });
    let address = format!("unix://{}", path.display());
    let secret = client(&address).read(&Request::get("x")).await.unwrap().unwrap();
    assert_eq!(secret.field("a"), Some(&Json::int(1)));
    assert!(seen.lock().unwrap()[0].starts_with("GET /v1/x HTTP/1.1"));
    std::fs::remove_file(path).unwrap();
    // The URL is the same for all sockets.
    let told = client(&address).send(&Request::get("x").once()).await.unwrap_err().to_string();
    assert!(told.contains(&address["unix://".len()..]), "{told}");
}
