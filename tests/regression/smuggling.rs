//! Requests that two readers end in different places, so that what one takes for a body the other takes for the next
//! request: whoever gets them past a proxy asks in somebody else's name.
//!
//! The guard that was switched off to see the tests fail is `Watch::look` in `crates/edge/http/src/framing.rs`. Without it
//! the parser takes requests in `a_request_with_two_lengths_is_refused`, `only_plain_chunks_are_a_coding`,
//! `a_line_ends_with_both_its_characters` and `chunks_have_one_form`, and all four fail. What is in `lengths_are_digits`
//! and `names_and_values_stand_on_one_line` the parser refuses on its own; they are here for the day it no longer does.

use bulla_testkit::{Client, ServerOptions, ServerProcess};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A server, and whether the write that hides behind each request ever happened.
struct Door {
    server: ServerProcess,
    root: Client,
}

impl Door {
    fn open() -> Self {
        let (server, root, _) = ServerProcess::ready(ServerOptions::default());
        bulla_tests::kv_mounts(&root);
        Self { server, root }
    }

    /// The request that must not be understood.
    fn hidden(&self) -> String {
        let body = r#"{"k":"v"}"#;
        let token = self.root.token.as_deref().unwrap();
        let length = body.len();
        format!(
            "POST /v1/kv1/hidden HTTP/1.1\r\nHost: h\r\nX-Vault-Token: {token}\r\nContent-Length: {length}\r\n\r\n{body}"
        )
    }

    /// Sends these bytes and the hidden request behind them; all that comes back until the server closes.
    fn told(&self, sent: &str) -> String {
        let mut socket = TcpStream::connect(&self.root.address).unwrap();
        // Far shorter than what an idle connection may wait: silence is no end.
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        socket.write_all((sent.to_owned() + &self.hidden()).as_bytes()).unwrap();
        let mut all = Vec::new();
        match socket.read_to_end(&mut all) {
            Ok(_) => {}
            // What it had not read when it closed.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            Err(error) => {
                panic!("the connection stays open ({error}) after {sent:?}: {}", String::from_utf8_lossy(&all))
            }
        }
        String::from_utf8_lossy(&all).into_owned()
    }

    /// One answer, 400, the end of the connection, and no sign of the hidden request.
    fn refuses(&self, sent: &str) {
        let told = self.told(sent);
        assert!(told.starts_with("HTTP/1.1 400 "), "{sent:?} gets {told:?}");
        assert_eq!(told.matches("HTTP/1.").count(), 1, "{sent:?} gets {told:?}");
        assert_eq!(self.root.get("kv1/hidden").status, 404, "{sent:?} hides a request");
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.root.get("sys/health").status, 200, "{}", self.server.log());
        }
    }
}

/// A write with these headers and this body.
fn post(headers: &str, body: &str) -> String {
    format!("POST /v1/kv1/a HTTP/1.1\r\nHost: h\r\n{headers}\r\n{body}")
}

const CHUNKS: &str = "2\r\n{}\r\n0\r\n\r\n";

/// The test itself: without a trick the hidden request is an ordinary second one.
#[test]
fn what_is_behind_an_ordinary_request_is_answered() {
    for (number, sent) in
        [post("Content-Length: 2\r\n", "{}"), post("Transfer-Encoding: chunked\r\n", CHUNKS)].iter().enumerate()
    {
        let door = Door::open();
        let mut socket = TcpStream::connect(&door.root.address).unwrap();
        let mut hidden = door.hidden();
        hidden = hidden.replacen("Host: h", "Host: h\r\nConnection: close", 1);
        socket.write_all((sent.clone() + &hidden).as_bytes()).unwrap();
        let mut told = String::new();
        socket.read_to_string(&mut told).unwrap();
        assert_eq!(told.matches("HTTP/1.1 ").count(), 2, "{number}: {told}");
        let _ = door.root.get("kv1/hidden").ok();
    }
}

#[test]
fn a_request_with_two_lengths_is_refused() {
    let door = Door::open();
    for headers in [
        "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n",
        "transfer-encoding: chunked\r\nX-Between: 1\r\nCONTENT-LENGTH: 2\r\n",
        "Content-Length: 2\r\nContent-Length: 3\r\n",
        "Content-Length: 2\r\nContent-Length: 2\r\n",
        "Content-Length: 2, 2\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    ] {
        for body in ["{}", CHUNKS] {
            door.refuses(&post(headers, body));
        }
    }
}

#[test]
fn only_plain_chunks_are_a_coding() {
    let door = Door::open();
    for coding in [
        "identity",
        "xchunked",
        "chunkedx",
        "\"chunked\"",
        "chunked, identity",
        "identity, chunked",
        "gzip, chunked",
        "chunked, chunked",
        "chunked;q=1",
        "",
    ] {
        door.refuses(&post(&format!("Transfer-Encoding: {coding}\r\n"), CHUNKS));
        door.refuses(&post(&format!("Transfer-Encoding: {coding}\r\nTransfer-Encoding: chunked\r\n"), CHUNKS));
    }
    // HTTP/1.0 has no chunks: a proxy of that age passes them on as they are.
    door.refuses("POST /v1/kv1/a HTTP/1.0\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n0\r\n\r\n");
}

#[test]
fn lengths_are_digits() {
    let door = Door::open();
    for length in ["+2", "-2", "0x2", "2 2", "2;", "two", "", "18446744073709551618", "\u{0}2"] {
        door.refuses(&post(&format!("Content-Length: {length}\r\n"), "{}"));
    }
}

#[test]
fn names_and_values_stand_on_one_line() {
    let door = Door::open();
    for headers in [
        "Content-Length : 2\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding\t: chunked\r\n",
        " Transfer-Encoding: chunked\r\n",
        "X-Folded: 1\r\n Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding:\r\n chunked\r\n",
        "Content-Length: 2\r\n\t3\r\n",
        "Transfer-Encoding\u{0}: chunked\r\n",
        "Transfer-Encoding: \u{b}chunked\r\n",
        "X-Bare: 1\rTransfer-Encoding: chunked\r\n",
    ] {
        door.refuses(&post(headers, CHUNKS));
    }
}

/// To a proxy that wants CR and LF, a bare LF is a character of a value, and what follows no header of its own.
#[test]
fn a_line_ends_with_both_its_characters() {
    let door = Door::open();
    door.refuses("POST /v1/kv1/a HTTP/1.1\nHost: h\r\nContent-Length: 0\r\n\r\n");
    door.refuses("POST /v1/kv1/a HTTP/1.1\r\nHost: h\nContent-Length: 0\r\n\r\n");
    door.refuses("POST /v1/kv1/a HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\n");
    door.refuses("POST /v1/kv1/a HTTP/1.1\nHost: h\nContent-Length: 0\n\n");
}

#[test]
fn chunks_have_one_form() {
    let door = Door::open();
    let long = |length: usize| format!("2;{}\r\n{{}}\r\n0\r\n\r\n", "x".repeat(length));
    for body in [
        "2\n{}\r\n0\r\n\r\n",
        "2;a\n{}\r\n0\r\n\r\n",
        "2;a\u{1}\r\n{}\r\n0\r\n\r\n",
        "2\r\n{}\n0\r\n\r\n",
        "2\r\n{}X\r\n0\r\n\r\n",
        "2 \r\n{}\r\n0\r\n\r\n",
        "+2\r\n{}\r\n0\r\n\r\n",
        "0x2\r\n{}\r\n0\r\n\r\n",
        "2\r\r\n{}\r\n0\r\n\r\n",
        "00000000000000002\r\n{}\r\n0\r\n\r\n",
        "10000000000000002\r\n{}\r\n0\r\n\r\n",
        "2\r\n{}\r\n0\n\r\n",
        "2\r\n{}\r\n0\r\n\n",
        "2\r\n{}\r\n0\r\nContent-Length: 9\r\n\r\n",
        &long(257),
        &long(100_000),
    ] {
        door.refuses(&post("Transfer-Encoding: chunked\r\n", body));
    }
    // Just short enough.
    let told = door.told(&post("Transfer-Encoding: chunked\r\nConnection: close\r\n", &long(256)));
    assert!(told.starts_with("HTTP/1.1 403 "), "{told}");
}
