//! Frozen lines, the switches of a device, and a scan for secrets in every member that may hold one.

use super::*;

const AUTH: Auth<'static> = Auth {
    client_token: "hvs.canary-token",
    accessor: "canary-accessor",
    display_name: "token-jo",
    policies: &["default", "team"],
    token_policies: &["default"],
    identity_policies: &["team"],
    external_namespace_policies: &[("ns1", &["p"])],
    no_default_policy: true,
    policy_results: Some(PolicyResults {
        allowed: true,
        granting_policies: &[GrantingPolicy { name: "team", namespace_id: "root", namespace_path: "", kind: "acl" }],
    }),
    metadata: &[("user", "jo")],
    num_uses: 3,
    remaining_uses: 2,
    entity_id: "e-1",
    entity_created: true,
    token_type: "service",
    token_ttl: Seconds(3600),
    token_issue_time: Some(Time(1_700_000_000_123_456_789)),
};

const MOUNT: Mount<'static> =
    Mount { point: "secret/", kind: "kv", accessor: "kv_1", class: "secret", running_version: "v0.1.0" };

const HEADERS: &[Header<'static>] = &[
    Header { name: "X-Vault-Token", values: &["hvs.canary-header"], hash: HashHeader::No },
    Header { name: "Authorization", values: &["Bearer canary-bearer"], hash: HashHeader::No },
    Header { name: "X-Secret", values: &["canary-x"], hash: HashHeader::Yes },
    Header { name: "User-Agent", values: &["curl \"8\"\n", "two"], hash: HashHeader::No },
];

fn full(response: &Response<'static>) -> String {
    let request = Request {
        id: "r-1",
        client_id: "c-1",
        operation: "update",
        mount: MOUNT,
        client_token: "hvs.canary-token",
        client_token_accessor: "canary-accessor",
        namespace: Namespace { id: "abc", path: "team/" },
        path: "secret/data/x",
        data: Data::Json(br#"{"data":{"password":"canary-password"},"options":{"cas":1},"note":"clear"}"#),
        remote_address: "127.0.0.1",
        remote_port: 4711,
        wrap_ttl: Seconds(60),
        headers: HEADERS,
        client_certificate_serial_number: "12",
        clear_keys: &["note"],
    };
    let entry = Entry {
        time: Time(1_700_000_000_500_000_000),
        auth: Some(&AUTH),
        request,
        response: Some(response),
        error: "1 error occurred",
    };
    line(&format(), Kind::Response, &entry)
}

fn full_response() -> Response<'static> {
    Response {
        auth: Some(&AUTH),
        mount: MOUNT,
        lease_id: "database/creds/x/1",
        data: Data::Json(br#"{"password":"canary-password","ok":true}"#),
        warnings: &["careful"],
        redirect: "http://r",
        wrap_info: Some(WrapInfo {
            ttl: Seconds(60),
            token: "hvs.canary-wrap",
            accessor: "canary-wrap-accessor",
            creation_time: Time(1_700_000_000_000_000_000),
            creation_path: "secret/data/x",
            wrapped_accessor: "canary-wrapped",
        }),
        headers: HEADERS,
        clear_keys: &[],
    }
}

/// Puts the name of the secret in place of its hash, so that a golden line can be read.
fn readable(line: &str) -> String {
    let secrets = [
        "hvs.canary-token",
        "canary-accessor",
        "hvs.canary-header",
        "Bearer canary-bearer",
        "canary-x",
        "canary-password",
        "hvs.canary-wrap",
        "canary-wrap-accessor",
        "canary-wrapped",
        "canary-body",
        "text/canary",
    ];
    secrets.iter().fold(line.to_owned(), |line, secret| line.replace(&veil().identify(secret), &format!("<{secret}>")))
}

#[test]
fn a_full_response_line() {
    assert_eq!(readable(&full(&full_response())), include_str!("golden/response.jsonl"));
}

#[test]
fn an_anonymous_request_line() {
    let request = Request {
        id: "r-2",
        operation: "update",
        namespace: Namespace { id: "root", path: "" },
        path: "auth/userpass/login/jo",
        data: Data::Json(b"{}"),
        remote_address: "::1",
        ..Request::default()
    };
    let entry = Entry { time: Time::from_unix(1_700_000_000), request, ..Entry::default() };
    assert_eq!(line(&format(), Kind::Request, &entry), include_str!("golden/request.jsonl"));
}

#[test]
fn raw_bodies_are_hashed() {
    let data = Data::Raw { body: b"canary-body", content_type: "text/canary", status: 200 };
    let text = full(&Response { data, ..Response::default() });
    assert!(readable(&text).contains(
        r#""data":{"http_content_type":"<text/canary>","http_raw_body":"<canary-body>","http_status_code":200}"#
    ));
    assert!(!text.contains("canary"), "{text}");
}

#[test]
fn no_secret_is_in_a_line() {
    let text = full(&full_response());
    assert!(!text.contains("canary"), "{text}");
    json(&text);
}

#[test]
fn accessors_are_clear_on_wish_and_tokens_never() {
    let open = Format { veil: Veil::new(&salt(), Strings::Hashed, Accessors::Clear), ..format() };
    let auth = Auth { client_token: "hvs.canary-token", accessor: "acc", ..Auth::default() };
    let mut entry = request_numbered("1");
    entry.auth = Some(&auth);
    entry.request.client_token_accessor = "acc";
    let value = json(&line(&open, Kind::Request, &entry));
    assert_eq!(value["auth"]["accessor"], "acc");
    assert_eq!(value["request"]["client_token_accessor"], "acc");
    assert_eq!(value["auth"]["client_token"], veil().identify("hvs.canary-token"));
    assert_eq!(value["request"]["client_token"], veil().identify("hvs.canary"));
    let value = json(&line(&format(), Kind::Request, &entry));
    assert_eq!(value["auth"]["accessor"], veil().identify("acc"));
    assert_eq!(value["request"]["client_token_accessor"], veil().identify("acc"));
}

#[test]
fn different_tokens_in_one_line_keep_their_own_hashes() {
    let auth = Auth { client_token: "one", accessor: "uno", ..Auth::default() };
    let mut entry = request_numbered("1");
    entry.auth = Some(&auth);
    entry.request.client_token_accessor = "due";
    for (token, accessor) in [("two", "due"), ("one", "uno")] {
        entry.request.client_token = token;
        entry.request.client_token_accessor = accessor;
        let value = json(&line(&format(), Kind::Request, &entry));
        assert_eq!(value["auth"]["client_token"], veil().identify("one"));
        assert_eq!(value["auth"]["accessor"], veil().identify("uno"));
        assert_eq!(value["request"]["client_token"], veil().identify(token));
        assert_eq!(value["request"]["client_token_accessor"], veil().identify(accessor));
    }
}

#[test]
fn raw_shows_everything() {
    let raw = Format { veil: Veil::new(&salt(), Strings::Raw, Accessors::Hashed), ..format() };
    let mut entry = request_numbered("1");
    entry.request.data = Data::Json(br#"{"a":"b\nc","n":1}"#);
    entry.request.client_token_accessor = "acc";
    let value = json(&line(&raw, Kind::Request, &entry));
    assert_eq!(value["request"]["client_token"], "hvs.canary");
    assert_eq!(value["request"]["client_token_accessor"], "acc");
    assert_eq!(value["request"]["data"], serde_json::json!({"a": "b\nc", "n": 1}));
}

#[test]
fn lists_are_counted_in_answers_to_lists_only() {
    let counted = Format { lists: Lists::Counted, ..format() };
    let response = Response { data: Data::Json(br#"{"keys":["a","b"]}"#), ..Response::default() };
    let mut entry = request_numbered("1");
    entry.response = Some(&response);
    entry.request.data = Data::Json(br#"{"keys":["a"]}"#);
    entry.request.operation = "list";
    let value = json(&line(&counted, Kind::Response, &entry));
    assert_eq!(value["response"]["data"]["keys"], 2);
    assert_eq!(value["request"]["data"]["keys"][0], veil().identify("a"));
    entry.request.operation = "read";
    assert_eq!(json(&line(&counted, Kind::Response, &entry))["response"]["data"]["keys"][1], veil().identify("b"));
}

#[test]
fn text_from_outside_cannot_leave_its_line() {
    let mut entry = request_numbered("1");
    entry.request.path = "a\n{\"type\":\"response\"}\u{1}\"";
    entry.error = "\r\n";
    let value = json(&line(&format(), Kind::Request, &entry));
    assert_eq!(value["request"]["path"], entry.request.path);
    assert_eq!(value["error"], "\r\n");
}

#[test]
fn a_prefix_comes_first() {
    let prefixed = Format { prefix: "@cee: ".to_owned(), ..format() };
    assert!(line(&prefixed, Kind::Request, &request_numbered("1")).starts_with("@cee: {\"time\":"));
}

#[test]
fn debug_tells_no_secret() {
    let response = full_response();
    let request = Request { client_token: "canary", data: Data::Json(b"canary"), ..Request::default() };
    let text = format!("{AUTH:?}{response:?}{HEADERS:?}{request:?}{:?}{:?}", response.wrap_info, salt());
    assert!(!text.contains("canary") && !text.contains("guesses"), "{text}");
}
