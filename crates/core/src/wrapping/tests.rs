//! Wrapped answers in the older form: read from the wrapping token's own cubbyhole.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use crate::request::WrapRequest;
use crate::testing::{Server, told};
use crate::{CoreConfig, Outcome};
use bulla_types::{Operation, Seconds};
use serde_json::{Value, json};

async fn wrapped(server: &Server, operation: Operation, path: &str, body: Value) -> String {
    let mut request = server.request(Some(&server.root), operation, path, &body);
    request.wrap = Some(WrapRequest { ttl: Seconds(60), jwt: false });
    match server.answer(request).await.outcome {
        Outcome::Envelope { envelope, .. } => envelope.wrap_info.unwrap().token,
        _ => panic!("not wrapped: {path}"),
    }
}

/// The stored record showed, names of our own and all.
#[tokio::test]
async fn the_older_form_is_the_text_of_the_answer_once() {
    let server = Server::start(1, 1, CoreConfig::default()).await;
    server.write("sys/mounts/a", json!({ "type": "box" })).await.ok();
    server.write("a/x", json!({ "text": "kept" })).await.ok();
    let token = wrapped(&server, Operation::Read, "a/x", Value::Null).await;
    let request = server.request(Some(&token), Operation::Read, "cubbyhole/response", &Value::Null);
    let answer = server.answer(request).await;
    let Outcome::Envelope { envelope, .. } = &answer.outcome else { panic!("no envelope") };
    assert!(envelope.warnings.as_ref().unwrap()[0].contains("deprecated"));
    let shown = told(answer).ok();
    assert_eq!(shown.as_object().unwrap().keys().collect::<Vec<_>>(), ["response"]);
    let text: Value = serde_json::from_str(shown["response"].as_str().unwrap()).unwrap();
    assert_eq!(text["data"], json!({ "text": "kept" }));
    let names = text.as_object().unwrap().keys().map(String::as_str);
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["auth", "data", "lease_duration", "lease_id", "renewable", "request_id", "warnings", "wrap_info"]
    );
    // It was the token's only use.
    for (operation, path) in [(Operation::Read, "cubbyhole/response"), (Operation::Update, "sys/wrapping/unwrap")] {
        assert!(server.call_as(Some(&token), operation, path, Value::Null).await.refused.is_some(), "{path}");
    }
    let body = json!({ "token": token });
    assert!(server.write("sys/wrapping/unwrap", body).await.refused.is_some());
}

#[tokio::test]
async fn an_answer_without_envelope_keeps_its_form() {
    let server = Server::start(1, 1, CoreConfig::default()).await;
    let token = wrapped(&server, Operation::Help, "sys/mounts", Value::Null).await;
    let shown = server.call_as(Some(&token), Operation::Read, "cubbyhole/response", Value::Null).await.ok();
    let text: Value = serde_json::from_str(shown["response"].as_str().unwrap()).unwrap();
    assert!(text["help"].is_string() && text.get("request_id").is_none(), "{text}");
}

/// Nothing else in that cubbyhole can be reached, changed or listed, and trying costs the token.
#[tokio::test]
async fn the_rest_of_the_cubbyhole_is_closed() {
    let server = Server::start(1, 1, CoreConfig::default()).await;
    for (operation, path) in [
        (Operation::Read, "cubbyhole/wrapinfo"),
        (Operation::List, "cubbyhole"),
        (Operation::List, "cubbyhole/"),
        (Operation::Update, "cubbyhole/response"),
        (Operation::Delete, "cubbyhole/response"),
        (Operation::Read, "cubbyhole/response/x"),
    ] {
        let token = wrapped(&server, Operation::Update, "sys/wrapping/wrap", json!({ "k": "hidden" })).await;
        let told = server.call_as(Some(&token), operation, path, json!({ "k": "mine" })).await;
        assert_eq!(told.refused, Some(crate::ErrorKind::Denied), "{operation:?} {path}: {}", told.body);
        let told = server.write("sys/wrapping/unwrap", json!({ "token": token })).await;
        assert!(told.refused.is_some(), "{operation:?} {path}");
    }
}

/// A name in the cubbyhole of another token is that token's own, whatever it is called.
#[tokio::test]
async fn others_may_have_an_entry_of_that_name() {
    let server = Server::start(1, 1, CoreConfig::default()).await;
    server.write("cubbyhole/response", json!({ "k": "mine" })).await.ok();
    assert_eq!(server.read("cubbyhole/response").await.ok(), json!({ "k": "mine" }));
    let token = wrapped(&server, Operation::Read, "cubbyhole/response", Value::Null).await;
    let unwrapped = server.call_as(Some(&token), Operation::Update, "sys/wrapping/unwrap", Value::Null).await.ok();
    assert_eq!(unwrapped, json!({ "k": "mine" }));
}
