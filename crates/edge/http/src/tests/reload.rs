//! New settings for a listener at work.

use super::protocols::{tls, tls_connect};
use super::*;
use crate::{ForwardedFor, Networks, ProxyTrust};

fn renew(server: &Server, change: impl FnOnce(&mut Settings)) -> Vec<&'static str> {
    let mut settings = server.running.settings();
    change(&mut settings);
    server.running.reload(settings).unwrap()
}

#[tokio::test]
async fn a_connection_that_is_there_meets_the_new_limits() {
    let server = server().await;
    let mut stream = server.connect().await;
    let body = format!(r#"{{"a":"{}"}}"#, "x".repeat(12));
    assert!(ask_on(&mut stream, put("/v1/a", &body)).await.starts_with("HTTP/1.1 200"));
    assert_eq!(renew(&server, |s| s.limits.request_size = body.len() as u64).len(), 0);
    assert!(ask_on(&mut stream, put("/v1/a", &body)).await.starts_with("HTTP/1.1 200"), "just under");
    renew(&server, |s| s.limits.request_size = body.len() as u64 - 1);
    assert!(ask_on(&mut stream, put("/v1/a", &body)).await.starts_with("HTTP/1.1 413"), "just over");
    renew(&server, |s| s.require_request_header = true);
    assert!(server.ask(get("/v1/a")).await.starts_with("HTTP/1.1 412"));
    renew(&server, |s| {
        s.require_request_header = false;
        s.custom_headers.rules = vec![("default".into(), "X-New".into(), vec!["1".into()])];
    });
    assert!(server.ask(get("/v1/a")).await.contains("x-new: 1"));
}

#[tokio::test]
async fn whom_to_believe_changes_with_the_next_request_or_connection() {
    let server = server().await;
    let mut stream = server.connect().await;
    let request = "GET /v1/a HTTP/1.1\r\nhost: x\r\nx-forwarded-for: 192.0.2.1\r\n\r\n";
    assert!(ask_on(&mut stream, request).await.contains(r#""remote":"127.0.0.1:"#));
    let home = || Networks::parse(["127.0.0.1"]).unwrap();
    renew(&server, |s| s.forwarded_for = Some(ForwardedFor::new(home())));
    assert!(ask_on(&mut stream, request).await.contains(r#""remote":"192.0.2.1:"#));
    renew(&server, |s| {
        s.forwarded_for = None;
        s.proxy = Some(ProxyTrust::Only(Networks::parse(["10.0.0.1"]).unwrap()));
    });
    assert!(ask_on(&mut stream, request).await.contains(r#""remote":"127.0.0.1:"#));
    assert_eq!(server.ask(request).await, "", "the next connection");
}

#[tokio::test]
async fn time_limits_are_those_of_the_next_connection() {
    let server = server().await;
    let short = Duration::from_millis(100);
    renew(&server, |s| s.limits.idle = short);
    let mut stream = server.connect().await;
    assert!(ask_on(&mut stream, get("/v1/a")).await.starts_with("HTTP/1.1 200"));
    assert!(closes_within(&mut stream, Duration::from_secs(2)).await);
    renew(&server, |s| s.limits.request = short);
    let slow = server.ask(get("/v1/slow")).await;
    assert!(slow.starts_with("HTTP/1.1 503") && slow.contains("longer than this listener allows"), "{slow}");
    renew(&server, |s| s.limits.request = Duration::from_secs(5));
    let mut stream = server.connect().await;
    stream.write_all(get("/v1/slow").as_bytes()).await.unwrap();
    // Whether the one that was given up was here is of no interest: ask for this one.
    server.echo.go_on.notify_one();
    assert!(answer_on(&mut stream).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn the_number_of_connections() {
    let server = server_with(|s| s.limits.connections = 1).await;
    let mut first = server.connect().await;
    assert!(ask_on(&mut first, get("/v1/a")).await.starts_with("HTTP/1.1 200"));
    let mut second = server.connect().await;
    second.write_all(get("/v1/a").as_bytes()).await.unwrap();
    assert!(timeout(Duration::from_millis(100), answer_on(&mut second)).await.is_err(), "waits for the first to go");
    renew(&server, |s| s.limits.connections = 2);
    assert!(answer_on(&mut second).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn what_cannot_change_is_named_and_what_is_wrong_changes_nothing() {
    let server = server_with(|s| s.tls = Some(tls())).await;
    let named = renew(&server, |s| {
        s.tls = None;
        s.address = Address::Tcp("127.0.0.1:9".into());
        s.limits.request_size = 7;
    });
    assert_eq!(named, ["address", "tls_disable"]);
    let mut stream = tls_connect(server.connect().await).await.unwrap();
    assert!(ask_on(&mut stream, put("/v1/a", "{\"a\": 1}")).await.starts_with("HTTP/1.1 413"), "the rest counts");
    let mut broken = server.running.settings();
    broken.tls.as_mut().unwrap().key = "/none".into();
    broken.limits.request_size = 100;
    assert!(server.running.reload(broken).is_err());
    let mut stream = tls_connect(server.connect().await).await.unwrap();
    assert!(ask_on(&mut stream, put("/v1/a", "{\"a\": 1}")).await.starts_with("HTTP/1.1 413"));
}
