//! Copying and moving secrets. Who may is asked of rights that each test gives; `tests/kv.rs` has real policies.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use bulla_kit::Rights;
use bulla_types::{Operation, RequestPath, Seconds};
use common::Story;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::sync::Arc;

/// A secret at `a` with settings, notes, and a version of each state: destroyed, deleted, alive, alive.
fn populated() -> Story {
    let mut kv = Story::v2();
    kv.tell("POST metadata/a", r#"{"max_versions":4,"custom_metadata":{"owner":"ada"},"delete_version_after":"1h"}"#);
    for number in 1..=5 {
        kv.bench.advance(Seconds(1));
        kv.tell("POST data/a", &format!(r#"{{"data":{{"v":{number}.0}}}}"#));
    }
    kv.tell("POST destroy/a", r#"{"versions":[2]}"#);
    kv.tell("POST delete/a", r#"{"versions":[3]}"#);
    kv
}

/// Metadata, and the text of each version's data.
fn all(kv: &Story, path: &str) -> (Value, Vec<String>) {
    let data = (1..=5).map(|number| kv.line(&format!("GET data/{path}?version={number}"), ""));
    (kv.ask(&format!("GET metadata/{path}")).data, data.collect())
}

fn to(target: &str) -> String {
    json!({ "to": target }).to_string()
}

#[test]
fn a_copy_is_the_same_in_everything() {
    let mut kv = populated();
    let (before, records) = (all(&kv, "a"), kv.bench.records());
    assert!(before.1[3].contains(r#"{"v":4.0}"#) && before.0["versions"]["2"]["destroyed"] == true, "{before:?}");
    kv.bench.advance(Seconds(60));
    assert_eq!(kv.line("POST copy/a", &to("b/c")), "204");
    assert_eq!(all(&kv, "a"), before);
    assert_eq!(all(&kv, "b/c"), before);
    assert_eq!(kv.bench.records(), 2 * records);
    assert_eq!(kv.line("POST undelete/b/c", r#"{"versions":[3]}"#), "204");
    assert!(kv.line("GET data/b/c?version=3", "").starts_with("200"), "a deleted version came without its value");
}

#[test]
fn a_copy_shares_nothing_with_its_original() {
    let kv = populated();
    kv.tell("POST copy/a", &to("b"));
    let twin = all(&kv, "b");
    assert_eq!(kv.line("DELETE metadata/a", ""), "204");
    assert_eq!(all(&kv, "b"), twin);
    assert_eq!(kv.line("DELETE metadata/b", ""), "204");
    assert_eq!(kv.bench.records(), 0);
}

#[test]
fn a_move_leaves_nothing_behind() {
    let mut kv = populated();
    let (before, records) = (all(&kv, "a"), kv.bench.records());
    kv.bench.advance(Seconds(60));
    assert_eq!(kv.line("POST move/a", &to("a/deeper")), "204");
    assert_eq!(all(&kv, "a/deeper"), before);
    assert_eq!((kv.line("GET data/a", ""), kv.line("GET metadata/a", "")), ("404".into(), "404".into()));
    assert_eq!(kv.bench.records(), records);
    // What is written there now is another secret.
    kv.tell("POST data/a", r#"{"data":{"v":"new"}}"#);
    kv.tell("DELETE metadata/a", "");
    assert_eq!(all(&kv, "a/deeper"), before);
}

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    let kv = populated();
    kv.tell("POST data/taken", r#"{"data":{}}"#);
    let (before, records) = (all(&kv, "a"), kv.bench.records());
    for verb in ["copy", "move"] {
        let refused = |path: &str, body: &str| {
            let told = kv.tell(&format!("POST {verb}/{path}"), body);
            (told.status, told.text)
        };
        assert_eq!(refused("a", &to("taken")), (400, "there is a secret at `taken` already".into()));
        assert_eq!(refused("nothing", &to("b")).0, 404);
        assert_eq!(refused("a/", &to("b")).0, 404);
        assert!(refused("a", &to("a")).1.contains("both paths are the same"));
        for bad in ["", "b/", "../b", "b/../c", "b\u{7}", "b//", "."] {
            assert_eq!(refused("a", &to(bad)).0, 400, "{bad:?}");
        }
        assert_eq!(refused("a", &to(&"x".repeat(70_000))).0, 400);
        for body in ["{}", r#"{"to":null}"#, r#"{"to":["b"]}"#] {
            assert_eq!(refused("a", body).0, 400, "{body}");
        }
        for call in ["GET", "PATCH", "DELETE", "LIST"] {
            let told = kv.tell(&format!("{call} {verb}/a"), "");
            assert_eq!((told.status, told.warnings), (404, 1), "{call}: not as in an unversioned style");
        }
    }
    assert_eq!((all(&kv, "a"), kv.bench.records()), (before, records));
}

#[test]
fn metadata_alone_is_a_secret_too() {
    let kv = Story::v2();
    kv.tell("POST metadata/a", r#"{"custom_metadata":{"owner":"ada"}}"#);
    assert_eq!(kv.line("POST copy/a", &to("b")), "204");
    assert_eq!(kv.ask("GET metadata/b").data["custom_metadata"], json!({ "owner": "ada" }));
    assert_eq!(kv.tell("POST move/a", &to("b")).status, 400);
}

/// Writes notes of what was asked; lets everything pass but one path.
struct Guard {
    closed: &'static str,
    asked: Mutex<Vec<String>>,
}

impl Rights for Guard {
    fn may(&self, operation: Operation, path: &RequestPath, brings: &[&str]) -> bool {
        self.asked.lock().push(format!("{operation} {path} {}", brings.join(",")));
        path.as_str() != self.closed
    }

    fn is_denied(&self, path: &RequestPath) -> bool {
        self.asked.lock().push(format!("deny {path}"));
        path.as_str() == self.closed
    }
}

#[test]
fn the_target_needs_a_right_of_its_own_and_a_deny_at_either_end_wins() {
    for closed in ["bench/data/b/c", "bench/metadata/b/c", "bench/data/a", "bench/metadata/a"] {
        let mut kv = populated();
        let guard = Arc::new(Guard { closed, asked: Mutex::default() });
        kv.bench.rights = Arc::clone(&guard) as _;
        for verb in ["copy", "move"] {
            assert_eq!(kv.tell(&format!("POST {verb}/a"), &to("b/c")).text, "permission denied", "{closed}");
        }
        assert_eq!(kv.line("GET metadata/b/c", ""), "404");
        assert_eq!(guard.asked.lock().first().unwrap(), "create bench/data/b/c data");
        // Nobody without rights learns what is there.
        assert_eq!(kv.tell("POST copy/nothing", &to("b/c")).status, if closed.ends_with('a') { 404 } else { 500 });
    }
}

/// A secret of `sizes` bytes a version.
fn heavy(sizes: &[usize]) -> Story {
    let kv = Story::v2();
    kv.tell("POST metadata/a", r#"{"max_versions":100}"#);
    for size in sizes {
        // The record has 52 bytes around the text.
        let body = json!({ "data": { "v": "x".repeat(*size) } });
        assert_eq!(kv.tell("POST data/a", &body.to_string()).status, 200);
    }
    kv
}

/// 30 MiB with 128 bytes a version are the limit: 29 versions of 1 MiB each, and one that fills it to the byte.
#[test]
fn a_copy_has_a_limit_and_a_move_has_none() {
    const MIB: usize = 1 << 20;
    let around = 128 + r#"{"created_time":1704067200000000000,"data":{"v":""}}"#.len();
    let mut sizes = vec![MIB - around; 30];
    let kv = heavy(&sizes);
    assert_eq!(kv.line("POST copy/a", &to("b")), "204");
    assert!(kv.line("GET data/b?version=30", "").starts_with("200"));
    sizes[29] += 1;
    let kv = heavy(&sizes);
    let records = kv.bench.records();
    let told = kv.tell("POST copy/a", &to("b"));
    assert!(told.status == 400 && told.text.contains("too large to be copied"), "{told:?}");
    assert_eq!((kv.bench.records(), kv.line("GET metadata/b", "")), (records, "404".into()));
    assert_eq!(kv.line("POST move/a", &to("b")), "204");
    assert!(kv.line("GET data/b?version=30", "").starts_with("200"));
}

#[test]
fn of_two_that_want_one_target_one_collides() {
    let kv = populated();
    kv.tell("POST data/other", r#"{"data":{"v":"other"}}"#);
    let (first, second) = (to("b"), to("b"));
    let [won, lost] =
        kv.bench.at_once((Operation::Update, "copy/a", &first), (Operation::Update, "move/other", &second));
    assert!(won.is_ok() && lost.is_err());
    assert!(kv.line("GET data/other", "").starts_with("200"));
    // A version written to the source meanwhile is not lost either.
    let [won, lost] = kv.bench.at_once(
        (Operation::Update, "data/other", r#"{"data":{"v":"newer"}}"#),
        (Operation::Update, "move/other", &to("c")),
    );
    assert!(won.is_ok() && lost.is_err());
}
