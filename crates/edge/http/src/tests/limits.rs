//! Each limit just under and just over it.

use super::*;
use std::time::Instant;

const SHORT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn answers_and_keeps_the_connection() {
    let server = server().await;
    let mut stream = server.connect().await;
    for _ in 0..3 {
        let answer = ask_on(&mut stream, get("/v1/kv/a?x=1")).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains(r#"{"path":"kv/a","operation":"read","body":{"x":"1"}"#), "{answer}");
    }
    let answer = ask_on(&mut stream, put("/v1/kv/a", r#"{"a": 1}"#)).await;
    assert!(answer.contains(r#""operation":"update","body":{"a":1}"#), "{answer}");
    let deleted = "DELETE /v1/kv/a HTTP/1.1\r\nhost: x\r\ncontent-length: 7\r\n\r\n{\"a\":1}";
    assert!(ask_on(&mut stream, deleted).await.contains(r#""operation":"delete","body":{}"#));
    assert!(ask_on(&mut stream, get("/v1/kv/a")).await.starts_with("HTTP/1.1 200"), "the body was passed over");
}

#[tokio::test]
async fn a_head_answer_has_no_body() {
    let server = server().await;
    let answer = server.ask("HEAD /v1/sys/health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn bodies_with_a_length() {
    let server = server_with(|s| s.limits.request_size = 20).await;
    let just = format!(r#"{{"a":"{}"}}"#, "x".repeat(12));
    assert_eq!(just.len(), 20);
    assert!(server.ask(put("/v1/a", &just)).await.starts_with("HTTP/1.1 200"));
    let over = format!(r#"{{"a":"{}"}}"#, "x".repeat(13));
    let answer = server.ask(put("/v1/a", &over)).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.contains(r#"{"errors":["http: request body too large"]}"#), "{answer}");
}

#[tokio::test]
async fn a_length_is_refused_before_the_body_is_there() {
    let server = server_with(|s| s.limits.request_size = 20).await;
    let head = "PUT /v1/a HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n";
    assert!(server.ask(head).await.starts_with("HTTP/1.1 413"));
}

#[tokio::test]
async fn bodies_in_chunks() {
    let server = server_with(|s| s.limits.request_size = 20).await;
    let chunked = |body: &str| {
        let chunks: String =
            body.as_bytes().chunks(7).map(|c| format!("{:x}\r\n{}\r\n", c.len(), str::from_utf8(c).unwrap())).collect();
        format!("PUT /v1/a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n{chunks}0\r\n\r\n")
    };
    let body = |n: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(n));
    let answer = server.ask(chunked(&body(12))).await;
    assert!(answer.contains(&body(12)), "{answer}");
    assert!(server.ask(chunked(&body(13))).await.starts_with("HTTP/1.1 413"));
}

#[tokio::test]
async fn header_count() {
    let server = server_with(|s| s.limits.header_count = 10).await;
    let with = |n: usize| {
        let headers: String = (0..n - 1).map(|i| format!("x-{i}: 1\r\n")).collect();
        format!("GET /v1/a HTTP/1.1\r\nhost: x\r\n{headers}\r\n")
    };
    assert!(server.ask(with(10)).await.starts_with("HTTP/1.1 200"));
    assert!(server.ask(with(11)).await.starts_with("HTTP/1.1 431"));
}

#[tokio::test]
async fn header_size() {
    let server = server_with(|s| s.limits.header_size = 10_000).await;
    // The bound on hyper's own buffer shows on heads far above the limit.
    assert!(server.ask(format!("GET /v1/a HTTP/1.1\r\nx-a: {}", "x".repeat(60_000))).await.starts_with("HTTP/1.1 431"));
    let with = |total: usize| {
        let frame = "GET /v1/a HTTP/1.1\r\nhost: x\r\nx-a: \r\n\r\n".len();
        format!("GET /v1/a HTTP/1.1\r\nhost: x\r\nx-a: {}\r\n\r\n", "x".repeat(total - frame))
    };
    assert!(server.ask(with(10_000)).await.starts_with("HTTP/1.1 200"));
    assert!(server.ask(with(10_001)).await.starts_with("HTTP/1.1 431"));
}

#[tokio::test]
async fn slow_headers() {
    let server = server_with(|s| s.limits.read_header = SHORT).await;
    // One that says nothing, one that begins, one that begins its second request.
    let mut silent = server.connect().await;
    let mut begun = server.connect().await;
    begun.write_all(b"GET /v1/a HT").await.unwrap();
    let mut second = server.connect().await;
    assert!(ask_on(&mut second, get("/v1/a")).await.starts_with("HTTP/1.1 200"));
    let start = Instant::now();
    second.write_all(b"GET /v1").await.unwrap();
    for stream in [&mut silent, &mut begun, &mut second] {
        assert!(closes_within(stream, SHORT * 4).await);
    }
    assert!(start.elapsed() >= SHORT * 3 / 4, "not before its time");
}

#[tokio::test]
async fn idle_connections_outlive_the_header_limit_and_end_at_theirs() {
    let server = server_with(|s| (s.limits.read_header, s.limits.idle) = (SHORT, SHORT * 4)).await;
    let mut stream = server.connect().await;
    assert!(ask_on(&mut stream, get("/v1/a")).await.starts_with("HTTP/1.1 200"));
    assert!(!closes_within(&mut stream, SHORT * 2).await);
    assert!(closes_within(&mut stream, SHORT * 5).await);
}

#[tokio::test]
async fn slow_bodies() {
    let server = server_with(|s| s.limits.read_body = SHORT).await;
    let mut stream = server.connect().await;
    let answer = ask_on(&mut stream, "PUT /v1/a HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{\"a").await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test]
async fn long_requests_are_not_cut_by_the_limits_of_reading() {
    let server = server_with(|s| (s.limits.read_header, s.limits.read_body) = (SHORT, SHORT)).await;
    let mut stream = server.connect().await;
    stream.write_all(get("/v1/slow").as_bytes()).await.unwrap();
    server.echo.slow_is_here.notified().await;
    assert!(!closes_within(&mut stream, SHORT * 3).await);
    server.echo.go_on.notify_one();
    assert!(answer_on(&mut stream).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn connections() {
    let server = server_with(|s| s.limits.connections = 2).await;
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut stream = server.connect().await;
        assert!(ask_on(&mut stream, get("/v1/a")).await.starts_with("HTTP/1.1 200"));
        open.push(stream);
    }
    let mut third = server.connect().await;
    third.write_all(get("/v1/a").as_bytes()).await.unwrap();
    let mut byte = [0];
    assert!(timeout(SHORT, third.read(&mut byte)).await.is_err(), "the third waits");
    open.pop();
    assert!(answer_on(&mut third).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn json_limits_of_the_listener() {
    let server = server_with(|s| s.limits.body.strings = 4).await;
    assert!(server.ask(put("/v1/a", r#"{"a":["b","c","d"]}"#)).await.starts_with("HTTP/1.1 200"));
    assert!(server.ask(put("/v1/a", r#"{"a":["b","c","d","e"]}"#)).await.starts_with("HTTP/1.1 400"));
}
