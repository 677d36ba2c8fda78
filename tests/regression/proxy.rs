//! The listener behind proxies: nobody outside stops it, and it tells nobody what is behind it. Beside `listener.rs`.
//!
//! | Row | Attack | Guard that was switched off to see the test fail |
//! | --- | --- | --- |
//! | LST-02 | send what is refused at the door, look for addresses in the answer | refusals of `X-Forwarded-For` name the entry |
//! | LST-07 | connect from outside, with damaged and unfinished PROXY headers and handshakes | the accept loop ends when a peer is refused; those outside are taken as themselves; a header is waited for without end |

use bulla_testkit::{Client, ServerOptions, ServerProcess};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Another host, as far as the server can tell.
const OUTSIDE: &str = "127.0.0.2:0";

fn connect_from(source: &str, address: &str) -> TcpStream {
    let (source, address): (SocketAddr, SocketAddr) = (source.parse().unwrap(), address.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stream = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(source).unwrap();
        socket.connect(address).await.unwrap().into_std().unwrap()
    });
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// All that comes back until the connection ends; nothing if the server would not talk.
fn exchange(source: &str, address: &str, text: &[u8]) -> Vec<u8> {
    let mut stream = connect_from(source, address);
    // May be closed before all is sent.
    let _ = stream.write_all(text);
    let (mut got, begun) = (Vec::new(), Instant::now());
    let _ = stream.read_to_end(&mut got);
    assert!(begun.elapsed() < Duration::from_secs(10), "the server waits for more of {text:?}");
    got
}

/// CVE-2021-3024: errors named internal addresses to whoever asked.
#[test]
fn lst_02_no_answer_behind_a_proxy_names_an_address() {
    let listener = "x_forwarded_for_authorized_addrs = \"127.0.0.1\"\n  x_forwarded_for_reject_not_present = false\n  \
                    x_forwarded_for_hop_skips = 1\n  max_header_size = 4096";
    let (server, client, _) = ServerProcess::ready(ServerOptions { listener: listener.into(), ..Default::default() });
    let long = "x".repeat(5000);
    let inner = "10.11.12.13";
    for (source, path, headers) in [
        ("127.0.0.1:0", "/v1/sys/health", format!("X-Forwarded-For: {inner}")),
        ("127.0.0.1:0", "/v1/sys/health", format!("X-Forwarded-For: {inner}:x, 1.2.3.4")),
        ("127.0.0.1:0", "/v1/sys/health", format!("X-Forwarded-For: {inner} {inner}, {inner}")),
        ("127.0.0.1:0", "/v1/sys/mounts", format!("X-Forwarded-For: {inner}, {inner}")),
        (OUTSIDE, "/v1/sys/health", format!("X-Forwarded-For: {inner}, {inner}")),
        (OUTSIDE, "/v1/sys/mounts", "X-Vault-Token: hvs.guessed".into()),
        (OUTSIDE, "/v1/sys/mounts", "X-Vault-Namespace: ../elsewhere".into()),
        (OUTSIDE, "/v1/sys/mounts", format!("X-Long: {long}")),
        (OUTSIDE, "/v1//sys/../mounts", String::new()),
        (OUTSIDE, "/", String::new()),
        (OUTSIDE, "/v1/sys/leader", String::new()),
        (OUTSIDE, "/v1/%", "Host: [".into()),
    ] {
        let blank = if headers.is_empty() { "" } else { "\r\n" };
        let text = format!("GET {path} HTTP/1.1\r\nHost: secrets.example\r\nConnection: close\r\n{headers}{blank}\r\n");
        let answer = String::from_utf8(exchange(source, &client.address, text.as_bytes())).unwrap();
        assert!(answer.starts_with("HTTP/1.1 "), "{path} {headers}: {answer}");
        assert!(!answer.contains(inner) && !answer.contains("127.0.0."), "{path} {headers}: {answer}");
    }
    assert!(!server.is_sealed());
}

/// CVE-2024-6468: one connection from outside, and the server accepted no others.
#[test]
fn lst_07_nobody_who_is_refused_stops_the_listener() {
    let listener = "proxy_protocol_behavior = \"deny_unauthorized\"\n  proxy_protocol_authorized_addrs = \"127.0.0.1\"\n  \
                    http_read_header_timeout = \"1s\"\n  tls_handshake_timeout = \"1s\"\n  max_connections = 2";
    let options = ServerOptions { tls: true, listener: listener.into(), ..Default::default() };
    let (server, client, _) = ServerProcess::ready(options);
    let works = |client: &Client, when: &str| {
        assert_eq!(client.get("sys/seal-status").status, 200, "{when}: {}", server.log());
    };
    let line = b"PROXY TCP4 127.0.0.1 127.0.0.1 4000 443\r\n";
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    let v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c";
    let attacks: [&[u8]; 11] = [
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        line,
        &[&line[..], hello].concat(),
        b"PROXY TCP4 nobody nowhere x y\r\n",
        &[b"PROXY TCP6 ".as_slice(), &[b':'; 4000]].concat(),
        b"PROX",
        v2,
        &[v2.as_slice(), b"\x7f\0\0\x01"].concat(),
        &[b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff".as_slice(), &[0; 70_000]].concat(),
        &hello[..],
    ];
    for attack in attacks {
        let from_outside = exchange(OUTSIDE, &client.address, attack);
        assert!(from_outside.is_empty(), "no byte for {attack:?}: {from_outside:?}");
        works(&client, "after one from outside");
        // A peer that is believed and sends rubbish, with and without waiting for what becomes of it.
        let _ = exchange("127.0.0.1:0", &client.address, attack);
        let mut reset = connect_from("127.0.0.1:0", &client.address);
        let _ = reset.write_all(attack);
        drop(reset);
        works(&client, "after rubbish of a proxy");
    }
    for _ in 0..200 {
        drop(connect_from(OUTSIDE, &client.address));
    }
    works(&client, "after many");
}
