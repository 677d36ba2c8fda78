//! Tables of requests and what becomes of them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use super::*;
use crate::settings::Address;

fn decode_with(
    method: &str,
    uri: &str,
    headers: &[(&str, &str)],
    change: impl FnOnce(&mut Settings),
) -> Result<Head, Early> {
    let mut request = http::Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut settings = Settings::new(Address::Tcp(String::new()));
    change(&mut settings);
    head(&request.body(()).unwrap().into_parts().0, &settings)
}

fn decode(method: &str, uri: &str) -> Result<Head, Early> {
    decode_with(method, uri, &[], |_| {})
}

fn path(uri: &str) -> Result<String, Early> {
    decode("GET", uri).map(|h| h.path.as_str().to_owned())
}

fn early(method: &str, uri: &str) -> Early {
    decode(method, uri).err().unwrap_or_else(|| panic!("{method} {uri} was let in"))
}

#[test]
fn paths_are_decoded_once() {
    for (uri, wanted) in [
        ("/v1/kv/with%20space", "kv/with space"),
        ("/v1/kv/d%2Fe", "kv/d/e"),
        ("/v1/%6Bv/a", "kv/a"),
        ("/v1/kv/100%25", "kv/100%"),
        ("/v1/kv/%252e%252e/a", "kv/%2e%2e/a"),
        ("/v1/kv/a+b", "kv/a+b"),
        ("/v1/kv/..a", "kv/..a"),
        ("/v1/kv/a/", "kv/a/"),
        ("/v1/", ""),
    ] {
        assert_eq!(path(uri).unwrap(), wanted, "{uri}");
    }
}

#[test]
fn paths_with_two_readings_are_refused() {
    let relative = Early::bad("relative paths not supported");
    for uri in ["/v1/kv/%2e%2e/kv/a", "/v1/kv/d%2F..%2Fa", "/v1/%2e/a", "/v1/%2e%2e/v1/a"] {
        assert_eq!(early("GET", uri), relative, "{uri}");
    }
    for (uri, to) in [
        ("/v1//kv/a", "/v1/kv/a"),
        ("/v1/kv/../kv/a?x=1", "/v1/kv/a?x=1"),
        ("/v1/kv/./a", "/v1/kv/a"),
        ("/v1/../v1/kv/", "/v1/kv/"),
    ] {
        assert_eq!(early("GET", uri), Early::Redirect(to.into()), "{uri}");
    }
    for uri in ["/v1/kv/%00a", "/v1/kv/a%0A", "/v1/%7f"] {
        assert_eq!(early("GET", uri), Early::Bare(StatusCode::BAD_REQUEST), "{uri}");
    }
    for uri in ["/v1/kv/%zz", "/v1/kv/%ff"] {
        assert_eq!(early("GET", uri), Early::silent(StatusCode::BAD_REQUEST), "{uri}");
    }
    assert!(matches!(early("GET", "/v1/kv/a%2F%2F"), Early::Refused { status: StatusCode::BAD_REQUEST, .. }));
    // An encoded slash makes a name of its own (a URL inside a path), never the path without it.
    assert_eq!(path("/v1/kv/a%2F%2Fb").unwrap(), "kv/a//b");
}

#[test]
fn only_v1_is_there() {
    for uri in ["/v2/sys/health", "/nothing", "/v1x/sys/health", "/v1", "/"] {
        assert_eq!(early("GET", uri), Early::silent(StatusCode::NOT_FOUND), "{uri}");
    }
}

#[test]
fn verbs() {
    let operation = |method: &str, uri: &str| decode(method, uri).map(|h| h.operation);
    for (method, uri, wanted) in [
        ("GET", "/v1/a", Operation::Read),
        ("PUT", "/v1/a", Operation::Update),
        ("POST", "/v1/a", Operation::Update),
        ("DELETE", "/v1/a", Operation::Delete),
        ("LIST", "/v1/a", Operation::List),
        ("SCAN", "/v1/a", Operation::Scan),
        ("HELP", "/v1/a", Operation::Help),
        ("GET", "/v1/a?help=1", Operation::Help),
        ("GET", "/v1/a?help=", Operation::Read),
        ("GET", "/v1/a?list=true", Operation::List),
        ("GET", "/v1/a?list=1", Operation::List),
        ("GET", "/v1/a?scan=true", Operation::Scan),
        ("GET", "/v1/a?list=false", Operation::Read),
        ("GET", "/v1/a?list=", Operation::Read),
        ("PUT", "/v1/a?list=true", Operation::Update),
        ("HEAD", "/v1/sys/health", Operation::Read),
    ] {
        assert_eq!(operation(method, uri).unwrap(), wanted, "{method} {uri}");
    }
    assert_eq!(early("GET", "/v1/a?list=maybe"), Early::silent(StatusCode::BAD_REQUEST));
    assert_eq!(early("GET", "/v1/a?list=true&scan=true"), Early::silent(StatusCode::BAD_REQUEST));
    for method in ["BREW", "TRACE", "OPTIONS", "get"] {
        assert_eq!(early(method, "/v1/a"), Early::silent(StatusCode::METHOD_NOT_ALLOWED), "{method}");
    }
}

#[test]
fn lists_are_of_folders() {
    for uri in ["/v1/kv", "/v1/kv/"] {
        assert_eq!(decode("LIST", uri).unwrap().path.as_str(), "kv/");
    }
    assert_eq!(early("LIST", "/v1/sys/health"), Early::silent(StatusCode::METHOD_NOT_ALLOWED));
}

#[test]
fn head_is_for_health_alone_and_tells_nothing() {
    assert_eq!(early("HEAD", "/v1/sys/seal-status"), Early::silent(StatusCode::METHOD_NOT_ALLOWED));
    let with_token = decode_with("HEAD", "/v1/kv/a", &[("x-vault-token", "t")], |_| {});
    assert_eq!(with_token.err().unwrap(), Early::silent(StatusCode::METHOD_NOT_ALLOWED));
    for uri in ["/v1/sys/mounts", "/v1/no-such-mount/x"] {
        assert!(matches!(early("HEAD", uri), Early::Refused { status: StatusCode::FORBIDDEN, .. }));
    }
}

#[test]
fn members_come_from_the_query_of_all_but_writes() {
    let members = |method: &str, uri: &str| decode(method, uri).unwrap().members.map(|b| b.to_json().get().to_owned());
    assert_eq!(members("GET", "/v1/a?version=1&list=false").unwrap(), r#"{"version":"1"}"#);
    assert_eq!(members("DELETE", "/v1/a?list=x").unwrap(), r#"{"list":"x"}"#);
    assert_eq!(members("GET", "/v1/a?list=true&after=b").unwrap(), r#"{"after":"b"}"#);
    assert_eq!(members("PUT", "/v1/a?x=1"), None);
    // A nonce comes in either place.
    assert_eq!(members("DELETE", "/v1/sys/rekey/init"), None);
    assert_eq!(members("DELETE", "/v1/sys/rekey/init?nonce=n").unwrap(), r#"{"nonce":"n"}"#);
}

#[test]
fn writes_need_a_leaf_and_patches_their_media_type() {
    assert_eq!(early("PUT", "/v1/kv/b/"), Early::bad("cannot write to a path ending in '/'"));
    let patch = |kind: &str| decode_with("PATCH", "/v1/a", &[("content-type", kind)], |_| {}).map(|h| h.operation);
    assert_eq!(patch("application/merge-patch+json; charset=utf-8"), Ok(Operation::Patch));
    let text = "PATCH requires Content-Type of application/merge-patch+json, provided application/json";
    assert_eq!(
        patch("application/json"),
        Err(Early::Refused { status: StatusCode::UNSUPPORTED_MEDIA_TYPE, errors: vec![text.into()] })
    );
    // Core refuses the verb itself there.
    assert_eq!(decode("PATCH", "/v1/sys/init").map(|h| h.operation), Ok(Operation::Patch));
}

#[test]
fn the_request_header_can_be_demanded() {
    let ask =
        |headers: &[(&str, &str)]| decode_with("GET", "/v1/sys/health", headers, |s| s.require_request_header = true);
    assert!(ask(&[("x-vault-request", "true")]).is_ok());
    for headers in [&[][..], &[("x-vault-request", "false")]] {
        assert!(matches!(ask(headers), Err(Early::Refused { status: StatusCode::PRECONDITION_FAILED, .. })));
    }
}

#[test]
fn namespaces_are_paths_too() {
    let ask = |value: &str| decode_with("GET", "/v1/a", &[("x-vault-namespace", value)], |_| {}).map(|h| h.namespace);
    assert_eq!(ask("/a/b/").unwrap(), "a/b");
    assert_eq!(ask("").unwrap(), "");
    assert!(ask("a/../b").is_err());
}

#[test]
fn bodies() {
    let limits = BodyLimits::default();
    assert_eq!(body(b"x=4&y=5", true, &limits).unwrap().to_json().get(), r#"{"x":"4","y":"5"}"#);
    assert_eq!(body(b"", false, &limits).unwrap().to_json().get(), "{}");
    assert!(matches!(body(b"{", false, &limits), Err(Early::Refused { status: StatusCode::BAD_REQUEST, .. })));
    assert!(matches!(body(b"%zz", true, &limits), Err(Early::Refused { status: StatusCode::BAD_REQUEST, .. })));
}

/// A script that leaves the content type to curl lost its whole body: the JSON text became the name of a form member.
#[test]
fn json_under_the_forms_type_is_json() {
    let limits = BodyLimits::default();
    let read =
        |text: &str, name: &str| body(text.as_bytes(), true, &limits).ok()?.get(name).map(|v| v.get().to_owned());
    assert_eq!(read(" {\"a\":1}", "a").as_deref(), Some("1"));
    assert_eq!(read("a=1&b=2", "b").as_deref(), Some("\"2\""));
    assert_eq!(read("[1]", "a"), None);
}
