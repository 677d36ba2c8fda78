//! The unversioned engine, told as calls and answers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use bulla_kit::RawJson;
use bulla_testkit::EngineBench;
use bulla_types::{Operation, Seconds};
use common::Story;
use serde_json::json;

#[test]
fn an_object_is_written_read_replaced_and_gone() {
    let kv = Story::v1();
    assert_eq!(kv.line("GET app", ""), "404");
    assert_eq!(kv.line("POST app", r#"{"a":"1","b":{"x":null}}"#), "204");
    assert_eq!(kv.tell("GET app", "").data, json!({ "a": "1", "b": { "x": null } }));
    assert_eq!(kv.line("PUT app", r#"{"c":["x"]}"#), "204");
    assert_eq!(kv.line("GET app", ""), r#"200 {"c":["x"]}"#);
    assert_eq!(kv.line("DELETE app", ""), "204");
    assert_eq!(kv.line("GET app", ""), "404");
    assert_eq!(kv.line("DELETE app", ""), "204");
    assert_eq!(kv.bench.records(), 0);
}

#[test]
fn the_first_write_is_a_create() {
    let kv = Story::v1();
    assert_eq!(kv.bench.call_as(Operation::Update, "a", r#"{"v":1}"#).0, Operation::Create);
    assert_eq!(kv.bench.call_as(Operation::Update, "a", r#"{"v":2}"#).0, Operation::Update);
    kv.ask("DELETE a");
    assert_eq!(kv.bench.call_as(Operation::Update, "a", r#"{"v":3}"#).0, Operation::Create);
}

#[test]
fn values_keep_their_text() {
    let kv = Story::v1();
    let text = r#"{"z":1.0,"big":12345678901234567890123,"e":1e400,"m":1e2,"o":{"b":[ 1, {"a": 2}],"a":"ž\u017e"}}"#;
    kv.tell("POST a", text);
    assert_eq!(kv.bench.ok(Operation::Read, "a", "").data.map(|d: RawJson| d.get().to_owned()).unwrap(), text);
}

#[test]
fn names_of_parameters_are_just_data() {
    let kv = Story::v1();
    let text = r#"{"data":{"x":1},"errors":["no"],"options":{"cas":0},"path":"p","ttl":"1h","":""}"#;
    assert_eq!(kv.line("POST a", text), "204");
    assert_eq!(kv.tell("GET a", "").data, serde_json::from_str::<serde_json::Value>(text).unwrap());
}

#[test]
fn a_write_needs_a_member_and_a_name() {
    let kv = Story::v1();
    assert_eq!(kv.tell("POST a", "").text, "missing data fields");
    assert_eq!(kv.tell("POST a", "{}").text, "missing data fields");
    assert_eq!(kv.tell("POST ", r#"{"v":1}"#).text, "missing path");
    assert_eq!(kv.tell("POST a/", r#"{"v":1}"#).status, 400);
    assert_eq!(kv.line("GET a/", ""), "404");
    assert_eq!(kv.line("GET ", ""), "404");
    assert_eq!(kv.line("DELETE a/", ""), "204");
    assert_eq!(kv.line("PATCH a", r#"{"v":1}"#), "405");
    assert_eq!(kv.bench.records(), 0);
}

#[test]
fn folders_are_listed_and_vanish() {
    let kv = Story::v1();
    assert_eq!(kv.line("LIST ", ""), "404");
    for path in
        ["b", "a/one", "a", "a/two/deep", "B", "two words/x", "schlüssel", "a.b", "a..b", ".hidden", "鍵/値", "a?b#c%d"]
    {
        assert_eq!(kv.line("POST p", ""), "400");
        kv.bench.ok(Operation::Update, path, r#"{"v":1}"#);
        assert_eq!(kv.bench.ok(Operation::Read, path, "").data.unwrap().get(), r#"{"v":1}"#, "{path}");
    }
    let names = [".hidden", "B", "a", "a..b", "a.b", "a/", "a?b#c%d", "b", "schlüssel", "two words/", "鍵/"];
    assert_eq!(kv.ask("LIST ").data["keys"], json!(names));
    assert_eq!(kv.line("LIST a", ""), r#"200 {"keys":["one","two/"]}"#);
    assert_eq!(kv.line("LIST a/", ""), r#"200 {"keys":["one","two/"]}"#);
    assert_eq!(kv.line("LIST b", ""), "404");
    kv.ask("DELETE a/two/deep");
    assert_eq!(kv.line("LIST a", ""), r#"200 {"keys":["one"]}"#);
    kv.ask("DELETE a/one");
    assert_eq!(kv.line("LIST a", ""), "404");
}

#[test]
fn a_scan_names_all_that_is_below() {
    let kv = Story::v1();
    assert_eq!(kv.line("SCAN ", ""), "200 {}");
    for path in ["a/b/c", "a/d", "e"] {
        kv.tell(&format!("POST {path}"), r#"{"v":1}"#);
    }
    assert_eq!(kv.line("SCAN ", ""), r#"200 {"keys":["a/b/c","a/d","e"]}"#);
    assert_eq!(kv.line("SCAN a", ""), r#"200 {"keys":["b/c","d"]}"#);
}

#[test]
fn the_lease_duration_is_a_hint() {
    let mut kv = Story::v1();
    let hint = |body: &str| {
        kv.tell("POST a", body);
        kv.ask("GET a").lease.unwrap()
    };
    assert_eq!(hint(r#"{"v":1}"#), 2_764_800);
    assert_eq!(hint(r#"{"ttl":"90m"}"#), 5400);
    assert_eq!(hint(r#"{"lease":"2h"}"#), 7200);
    assert_eq!(hint(r#"{"ttl":"soon"}"#), 2_764_800);
    kv.bench.mount.default_ttl = Seconds(1800);
    assert_eq!(kv.ask("GET a").lease, Some(1800));
}

#[test]
fn size_is_limited() {
    let kv = Story::v1();
    let object = |bytes: usize| format!(r#"{{"v":"{}"}}"#, "x".repeat(bytes - 8));
    assert_eq!(kv.tell("POST a", &object(bulla_kv::MAX_SECRET)).status, 204);
    let refused = kv.tell("POST a", &object(bulla_kv::MAX_SECRET + 1));
    assert_eq!(refused.status, 400);
    assert!(refused.text.contains("too large"), "{}", refused.text);
    assert_eq!(kv.ask("GET a").data["v"].as_str().unwrap().len(), bulla_kv::MAX_SECRET - 8);
}

#[test]
fn names_are_limited() {
    let kv = Story::v1();
    assert_eq!(kv.tell(&format!("POST {}", "x".repeat(16_000)), r#"{"v":1}"#).status, 204);
    // A segment of one byte takes 19 bytes of the store's 60,000.
    assert_eq!(kv.tell(&format!("POST {}", vec!["x"; 3150].join("/")), r#"{"v":1}"#).status, 204);
    let deep = vec!["x"; 3160].join("/");
    for verb in ["POST", "GET", "DELETE", "LIST"] {
        assert_eq!(kv.tell(&format!("{verb} {deep}"), r#"{"v":1}"#).status, 400, "{verb}");
    }
}

#[test]
fn the_store_shows_neither_names_nor_values() {
    let kv = Story::v1();
    kv.tell("POST canary-path/canary-name", r#"{"canary-member":"canary-value"}"#);
    assert_eq!(kv.bench.records(), 1);
    assert!(!kv.bench.shows("canary"));
}

#[test]
fn leases_are_given_by_mounts_made_for_it() {
    let kv = Story { bench: EngineBench::new(bulla_kv::kv_v1_leased()) };
    kv.tell("POST timed", r#"{"ttl":"90m","v":1}"#);
    kv.tell("POST plain", r#"{"v":1}"#);
    let lease = |path: &str| kv.bench.ok(Operation::Read, path, "").lease.unwrap();
    let timed = lease("timed");
    assert_eq!((timed.kind, timed.ttl, timed.renewable), ("kv", Some(Seconds(5400)), true));
    let plain = lease("plain");
    assert_eq!((plain.ttl, plain.renewable), (None, false), "the mount's default, and not by the object's wish");
    let usual = Story::v1();
    usual.tell("POST timed", r#"{"ttl":"90m"}"#);
    assert!(usual.bench.ok(Operation::Read, "timed", "").lease.is_none());
}
