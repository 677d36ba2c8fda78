//! The client behind a small proxy: what the proxy sees, what the server sees, and what neither does.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::{Arc, Mutex};

use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use crate::{
    Client, ClientError, Config, Exceptions, Named, Proxies, Proxy, Request, Token,
    tests::{Seen, answer, serve, server},
};

const CERTIFICATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/far-server.pem");
const KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/far-server-key.pem");
/// `ann:s3cret`.
const AUTHORIZATION: &str = "proxy-authorization: basic yw5uonmzy3jlda==";

fn acceptor() -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let chain = vec![CertificateDer::from_pem_file(CERTIFICATE).unwrap()];
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(KEY).unwrap())
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// A server that speaks TLS as `vault.test`.
async fn far_server() -> (u16, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Seen::default();
    let keep = Arc::clone(&seen);
    tokio::spawn(async move {
        let answers = Mutex::new(vec![answer(200, "", r#"{"data":{"far":true}}"#)]);
        loop {
            if let Ok(stream) = acceptor().accept(listener.accept().await.unwrap().0).await {
                serve(stream, &answers, &keep).await;
            }
        }
    });
    (port, seen)
}

/// Whatever it is asked to connect to, it connects to that port here; or it refuses with that status.
async fn proxy(to: Result<u16, &'static str>, is_tls: bool) -> (u16, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Seen::default();
    let keep = Arc::clone(&seen);
    tokio::spawn(async move {
        loop {
            let stream = listener.accept().await.unwrap().0;
            if is_tls {
                pass_on(acceptor().accept(stream).await.unwrap(), to, &keep).await;
            } else {
                pass_on(stream, to, &keep).await;
            }
        }
    });
    (port, seen)
}

async fn pass_on<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, to: Result<u16, &'static str>, seen: &Seen) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    seen.lock().unwrap().push(String::from_utf8(head).unwrap());
    match to {
        Ok(port) => {
            stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
            let mut far = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut stream, &mut far).await;
        }
        Err(status) => {
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    }
}

fn client(address: &str, proxies: Proxies) -> Client {
    let mut config = Config::new(address.parse().unwrap());
    config.token = Token::parse("tok");
    config.tls.ca_cert = Some(CERTIFICATE.into());
    config.proxies = proxies;
    Client::new(config).unwrap()
}

fn always(scheme: &str, port: u16) -> Proxies {
    Proxies::Always(Proxy::parse(&format!("{scheme}://ann:s3cret@127.0.0.1:{port}")).unwrap())
}

fn first(seen: &Seen) -> String {
    seen.lock().unwrap()[0].to_lowercase()
}

#[tokio::test]
async fn without_tls_the_proxy_gets_the_whole_address() {
    let (address, seen) = server(vec![answer(200, "", "{}")]).await;
    let port = address.rsplit_once(':').unwrap().1.parse().unwrap();
    client("http://vault.test:8200", always("http", port)).send(&Request::get("x")).await.unwrap();
    let head = first(&seen);
    assert!(head.starts_with("get http://vault.test:8200/v1/x http/1.1\r\n"), "{head}");
    for line in ["\r\nhost: vault.test:8200\r\n", AUTHORIZATION, "x-vault-token: tok"] {
        assert!(head.contains(line), "{line} in {head}");
    }
}

#[tokio::test]
async fn with_tls_the_proxy_sees_a_name_and_no_more() {
    for scheme in ["http", "https"] {
        let (far, at_server) = far_server().await;
        let (port, at_proxy) = proxy(Ok(far), scheme == "https").await;
        let client = client("https://vault.test:8200", always(scheme, port));
        let secret = client.read(&Request::get("x").once()).await.unwrap().unwrap();
        assert!(secret.field("far").is_some());
        let connect = first(&at_proxy);
        assert!(connect.starts_with("connect vault.test:8200 http/1.1\r\n"), "{connect}");
        assert!(
            connect.contains(AUTHORIZATION) && !connect.contains("tok\r\n") && !connect.contains("/v1"),
            "{connect}"
        );
        let head = first(&at_server);
        assert!(head.starts_with("get /v1/x http/1.1\r\n") && head.contains("x-vault-token: tok"), "{head}");
        assert!(!head.contains("proxy-authorization"), "{head}");
    }
}

#[tokio::test]
async fn a_proxy_cannot_pose_as_the_server() {
    let (far, at_server) = far_server().await;
    let (port, _) = proxy(Ok(far), false).await;
    // The certificate is for `vault.test`.
    let told = client("https://another.test", always("http", port)).send(&Request::get("x").once()).await.unwrap_err();
    assert!(told.to_string().contains("certificate"), "{told}");
    assert!(at_server.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_tls_proxy_must_be_who_it_says_for_plain_requests_too() {
    let (port, seen) = proxy(Err("200 OK"), true).await;
    client("http://vault.test:8200", always("https", port)).send(&Request::get("x")).await.unwrap();
    assert!(first(&seen).starts_with("get http://vault.test:8200/v1/x"));
    let mut config = Config::new("http://vault.test:8200".parse().unwrap());
    config.proxies = always("https", port);
    let told = Client::new(config).unwrap().send(&Request::get("x").once()).await.unwrap_err();
    assert!(told.to_string().contains("invalid peer certificate"), "{told}");
    assert_eq!(seen.lock().unwrap().len(), 1, "nothing was sent to whom nobody trusts");
}

#[tokio::test]
async fn refusals_name_the_proxy_and_not_the_password() {
    for (status, word) in
        [("407 Proxy Authentication Required", "authorization required"), ("502 Bad Gateway", "unsuccessful")]
    {
        let (port, _) = proxy(Err(status), false).await;
        let told =
            client("https://vault.test", always("http", port)).send(&Request::get("x").once()).await.unwrap_err();
        assert!(matches!(told, ClientError::Transport { .. }));
        let told = told.to_string();
        assert!(told.contains(word) && told.ends_with(&format!("(by the proxy http://127.0.0.1:{port})")), "{told}");
        assert!(!told.contains("s3cret") && !told.contains("ann"), "{told}");
    }
    let told = client("http://vault.test", always("http", 1)).send(&Request::get("x").once()).await.unwrap_err();
    assert!(told.to_string().ends_with("(by the proxy http://127.0.0.1:1)"), "{told}");
}

#[tokio::test]
async fn this_machine_is_spoken_to_directly_unless_the_proxy_is_for_all() {
    let (address, seen) = server(vec![answer(200, "", "{}")]).await;
    let unusable = || Some(Named { by: "HTTP_PROXY".into(), proxy: Proxy::parse("socks5://127.0.0.1:1") });
    let by_scheme = Proxies::ByScheme { http: unusable(), https: unusable(), except: Exceptions::default() };
    client(&address, by_scheme.clone()).send(&Request::get("x").once()).await.unwrap();
    assert!(first(&seen).starts_with("get /v1/x http/1.1"));
    let told = client("http://vault.test", by_scheme).send(&Request::get("x").once()).await.unwrap_err();
    assert!(told.to_string().contains("the proxy in HTTP_PROXY cannot be used"), "{told}");
    assert!(client(&address, always("http", 1)).send(&Request::get("x").once()).await.is_err());
}
