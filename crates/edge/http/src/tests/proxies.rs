//! Behind proxies: whose word is taken about the client, and that nobody stops the listener.

use super::protocols::{data, tls, tls_connect};
use super::*;
use crate::{CertificateHeader, ForwardedFor, Networks, ProxyTrust};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

fn nets(text: &str) -> Networks {
    Networks::parse([text]).unwrap()
}

const LINE: &str = "PROXY TCP4 192.0.2.1 198.51.100.1 4000 443\r\n";

fn v2() -> Vec<u8> {
    [&b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"[..], &[192, 0, 2, 1, 198, 51, 100, 1, 0x0f, 0xa0, 1, 0xbb]].concat()
}

fn forwarded(lines: &str) -> String {
    format!("GET /v1/a HTTP/1.1\r\nhost: x\r\n{lines}\r\n")
}

/// What the service saw as the client's address.
async fn seen(server: &Server, text: impl AsRef<[u8]>) -> String {
    let answer = server.ask(text).await;
    let Some((_, rest)) = answer.split_once(r#""remote":""#) else { return answer };
    rest.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn headers_of_both_versions_are_taken_off() {
    let server = server_with(|s| s.proxy = Some(ProxyTrust::Always)).await;
    assert_eq!(seen(&server, format!("{LINE}{}", get("/v1/a"))).await, "192.0.2.1:4000");
    assert_eq!(seen(&server, [&v2()[..], get("/v1/a").as_bytes()].concat()).await, "192.0.2.1:4000");
    assert!(seen(&server, get("/v1/a")).await.starts_with("127.0.0.1:"), "none is demanded");
    assert!(seen(&server, format!("PROXY UNKNOWN\r\n{}", get("/v1/a"))).await.starts_with("127.0.0.1:"));
    // In pieces, the last of which belongs to the request.
    let mut stream = server.connect().await;
    stream.set_nodelay(true).unwrap();
    for piece in ["P", "ROXY TCP4 192.0.2.1 ", "198.51.100.1 4000 443\r", "\nGE", "T /v1/a HTTP/1.1\r\nhost: x\r\n\r\n"]
    {
        stream.write_all(piece.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(answer_on(&mut stream).await.contains("192.0.2.1:4000"));
    // The address is the connection's: also of its later requests.
    assert!(ask_on(&mut stream, get("/v1/a")).await.contains("192.0.2.1:4000"));
    let twice = seen(&server, format!("{LINE}{LINE}{}", get("/v1/a"))).await;
    assert!(twice.starts_with("HTTP/1.1 400"), "{twice}");
}

#[tokio::test]
async fn the_header_comes_before_tls() {
    let server = server_with(|s| {
        s.tls = Some(tls());
        s.proxy = Some(ProxyTrust::Always);
    })
    .await;
    for header in [LINE.as_bytes().to_vec(), v2(), Vec::new()] {
        let mut stream = server.connect().await;
        stream.write_all(&header).await.unwrap();
        let mut stream = tls_connect(stream).await.unwrap();
        let answer = ask_on(&mut stream, get("/v1/a")).await;
        let expected = if header.is_empty() { "127.0.0.1:" } else { "192.0.2.1:4000" };
        assert!(answer.contains(expected), "{answer}");
    }
}

#[tokio::test]
async fn only_authorised_proxies_are_believed() {
    let to = |trust: ProxyTrust| server_with(move |s| s.proxy = Some(trust));
    let text = format!("{LINE}{}", get("/v1/a"));
    assert_eq!(seen(&to(ProxyTrust::Some(nets("127.0.0.0/8"))).await, &text).await, "192.0.2.1:4000");
    assert_eq!(seen(&to(ProxyTrust::Only(nets("127.0.0.1"))).await, &text).await, "192.0.2.1:4000");
    let others = to(ProxyTrust::Some(nets("10.0.0.0/8"))).await;
    assert!(seen(&others, &text).await.starts_with("127.0.0.1:"), "passed over");
    assert!(seen(&others, get("/v1/a")).await.starts_with("127.0.0.1:"));
    let closed = to(ProxyTrust::Only(nets("10.0.0.0/8"))).await;
    assert_eq!(seen(&closed, &text).await, "");
    assert_eq!(seen(&closed, get("/v1/a")).await, "");
    let off = server().await;
    assert!(seen(&off, &text).await.starts_with("HTTP/1.1 400"), "no request line");
}

#[tokio::test]
async fn a_slow_or_damaged_header_ends_the_connection_and_nothing_else() {
    let short = Duration::from_millis(150);
    let server = server_with(|s| {
        s.proxy = Some(ProxyTrust::Always);
        s.limits.read_header = short;
        s.limits.connections = 1;
    })
    .await;
    let overlong = [b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff".to_vec(), vec![0; 70_000]].concat();
    for text in [&b"PROXY TCP9 a b\r\n"[..], b"PROXY nonsense", b"P", b"", &v2()[..20], &overlong] {
        let mut stream = server.connect().await;
        let begun = std::time::Instant::now();
        // What is refused early may be closed before all is sent.
        let _ = stream.write_all(text).await;
        assert!(closes_within(&mut stream, Duration::from_secs(3)).await, "{text:?}");
        assert!(begun.elapsed() < Duration::from_secs(2));
    }
    drop(server.connect().await);
    assert_eq!(seen(&server, format!("{LINE}{}", get("/v1/a"))).await, "192.0.2.1:4000");
}

/// A seal does not wait for somebody who has not said who he is.
#[tokio::test]
async fn a_seal_closes_what_has_not_begun() {
    let server = server_with(|s| s.proxy = Some(ProxyTrust::Always)).await;
    let mut stream = server.connect().await;
    stream.write_all(b"PROXY ").await.unwrap();
    while server.connections.count() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    timeout(Duration::from_secs(2), server.connections.close_all()).await.unwrap();
    assert!(closes_within(&mut stream, Duration::from_secs(2)).await);
}

#[tokio::test]
async fn x_forwarded_for_of_an_authorised_proxy() {
    let rule = |authorized: &str, reject: bool| ForwardedFor {
        reject_not_present: reject,
        reject_not_authorized: reject,
        ..ForwardedFor::new(nets(authorized))
    };
    let server = server_with(|s| s.forwarded_for = Some(rule("127.0.0.1", true))).await;
    let first = forwarded("X-Forwarded-For: 192.0.2.9\r\nx-forwarded-for: 192.0.2.1\r\n");
    let mut stream = server.connect().await;
    assert!(ask_on(&mut stream, &first).await.contains(r#""remote":"192.0.2.1:"#));
    // The header is the request's, not the connection's.
    let other = ask_on(&mut stream, forwarded("x-forwarded-for: 192.0.2.2\r\n")).await;
    assert!(other.contains(r#""remote":"192.0.2.2:"#), "{other}");
    for (lines, told) in [
        ("", "missing x-forwarded-for header and configured to reject when not present"),
        ("x-forwarded-for: here\r\n", "malformed x-forwarded-for header"),
    ] {
        let answer = ask_on(&mut stream, forwarded(lines)).await;
        assert!(answer.starts_with("HTTP/1.1 400") && answer.contains(told), "{answer}");
    }
    let server = server_with(|s| s.forwarded_for = Some(rule("10.0.0.0/8", true))).await;
    assert!(server.ask(&first).await.contains("client address not authorized for x-forwarded-for"));
    let server = server_with(|s| s.forwarded_for = Some(rule("10.0.0.0/8", false))).await;
    assert!(seen(&server, &first).await.starts_with("127.0.0.1:"));
    assert!(seen(&self::server().await, &first).await.starts_with("127.0.0.1:"), "nobody asked for it");
}

/// One proxy passes bytes on, the next speaks HTTP: the first says who the second is.
#[tokio::test]
async fn both_kinds_of_proxy_in_a_row() {
    let server = server_with(|s| {
        s.proxy = Some(ProxyTrust::Only(nets("127.0.0.1")));
        s.forwarded_for = Some(ForwardedFor::new(nets("192.0.2.1")));
    })
    .await;
    let request = forwarded("x-forwarded-for: 203.0.113.5\r\n");
    assert_eq!(seen(&server, format!("{LINE}{request}")).await, "203.0.113.5:4000");
    assert!(server.ask(&request).await.contains("not authorized for x-forwarded-for"));
}

#[tokio::test]
async fn certificates_in_a_header_come_from_authorised_proxies() {
    use base64::Engine as _;
    let der = CertificateDer::from_pem_file(data("server.pem")).unwrap();
    let value = base64::engine::general_purpose::STANDARD.encode(der);
    let rule = |authorized: &str| ForwardedFor {
        reject_not_present: false,
        reject_not_authorized: false,
        certificate: Some(CertificateHeader { name: "client-cert".parse().unwrap(), decoders: Vec::new() }),
        ..ForwardedFor::new(nets(authorized))
    };
    let request = forwarded(&format!("Client-Cert: {value}\r\n"));
    let server = server_with(|s| s.forwarded_for = Some(rule("127.0.0.1"))).await;
    assert!(server.ask(&request).await.contains(r#""certificates":1"#));
    assert!(server.ask(forwarded("")).await.contains(r#""certificates":0"#));
    let broken = server.ask(forwarded("client-cert: !\r\n")).await;
    assert!(broken.starts_with("HTTP/1.1 400"), "{broken}");
    let others = server_with(|s| s.forwarded_for = Some(rule("10.0.0.1"))).await;
    assert!(others.ask(&request).await.contains(r#""certificates":0"#), "anybody could show that of somebody else");
}
