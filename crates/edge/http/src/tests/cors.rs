//! What pages of other origins may do.

use super::{Server, server};
use std::sync::Arc;

const PAGE: &str = "https://page.example";

impl Server {
    fn allow(&self, origins: &[&str], credentials: bool) {
        let stored = serde_json::json!({ "origins": origins, "headers": ["X-Own"], "credentials": credentials });
        *self.echo.cors.lock() = Some(Arc::new(serde_json::from_value(stored).unwrap()));
    }
}

fn from(origin: &str, method: &str, path: &str, more: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nhost: x\r\norigin: {origin}\r\n{more}\r\n")
}

fn preflight(origin: &str, method: &str) -> String {
    from(origin, "OPTIONS", "/v1/a", &format!("access-control-request-method: {method}\r\n"))
}

#[tokio::test]
async fn nobody_is_asked_where_it_is_off() {
    let server = server().await;
    let answer = server.ask(from(PAGE, "GET", "/v1/a", "")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(!answer.contains("access-control"), "{answer}");
    let answer = server.ask(preflight(PAGE, "GET")).await;
    assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");
}

#[tokio::test]
async fn pages_that_are_let_in_are_told_so() {
    let server = server().await;
    server.allow(&["https://other.example", PAGE], false);
    let answer = server.ask(from(PAGE, "GET", "/v1/a", "")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains(&format!("access-control-allow-origin: {PAGE}\r\n")), "{answer}");
    assert!(answer.contains("vary: Origin\r\n"), "{answer}");
    assert!(!answer.contains("allow-credentials") && !answer.contains("allow-methods"), "{answer}");
    // An answer that is a refusal can be read by the page, too.
    let answer = server.ask(from(PAGE, "BREW", "/v1/a", "")).await;
    assert!(answer.starts_with("HTTP/1.1 405") && answer.contains("access-control-allow-origin"), "{answer}");
    // No browser, no page.
    let answer = server.ask(super::get("/v1/a")).await;
    assert!(answer.starts_with("HTTP/1.1 200") && !answer.contains("access-control"), "{answer}");
}

#[tokio::test]
async fn other_pages_are_refused_before_anything_is_done() {
    let server = server().await;
    server.allow(&[PAGE], false);
    for origin in ["https://evil.example", "https://page.example.evil", "https://PAGE.example", "null", "*"] {
        for text in [from(origin, "GET", "/v1/a", ""), preflight(origin, "GET")] {
            let answer = server.ask(text).await;
            assert!(answer.starts_with("HTTP/1.1 403"), "{origin}: {answer}");
            assert!(answer.ends_with("{\"errors\":[\"origin not allowed\"]}\n"), "{answer}");
            assert!(!answer.contains("access-control"), "{answer}");
        }
    }
    let two = from(PAGE, "GET", "/v1/a", "origin: https://evil.example\r\n");
    assert!(server.ask(two).await.starts_with("HTTP/1.1 403"));
}

#[tokio::test]
async fn a_preflight_says_what_is_allowed_and_asks_nobody_else() {
    let server = server().await;
    server.allow(&["*"], false);
    for method in ["GET", "LIST", "SCAN", "DELETE", "POST", "PUT", "OPTIONS"] {
        let answer = server.ask(preflight(PAGE, method)).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains("access-control-allow-methods: DELETE,GET,OPTIONS,POST,PUT,LIST,SCAN\r\n"), "{answer}");
        assert!(answer.contains("X-Vault-Token,X-Own\r\n"), "{answer}");
        assert!(answer.contains("access-control-max-age: 300\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    }
    for method in ["BREW", "", "get"] {
        let answer = server.ask(preflight(PAGE, method)).await;
        assert!(answer.starts_with("HTTP/1.1 405") && !answer.contains("access-control"), "{answer}");
    }
}

#[tokio::test]
async fn credentials_only_where_they_are_allowed() {
    let server = server().await;
    server.allow(&[PAGE], true);
    for text in [preflight(PAGE, "GET"), from(PAGE, "GET", "/v1/a", "")] {
        assert!(server.ask(text).await.contains("access-control-allow-credentials: true\r\n"));
    }
}
