//! The versioned engine, told as calls and answers. Time stands still unless a test moves it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use bulla_kit::Setup;
use bulla_physical::failing::Failure;
use bulla_testkit::EngineBench;
use bulla_types::{Operation, Seconds};
use common::Story;
use serde_json::{Value, json};

const NOW: &str = "2024-01-01T00:00:00Z";

/// Version metadata as answers show it; `deleted` empty = alive.
fn version(number: u64, deleted: &str, destroyed: bool) -> Value {
    json!({ "created_time": NOW, "custom_metadata": null, "deletion_time": deleted, "destroyed": destroyed, "version": number })
}

#[expect(clippy::needless_pass_by_value, reason = "reads better where it is called")]
fn secret(data: Value, number: u64, deleted: &str, destroyed: bool) -> Value {
    json!({ "data": data, "metadata": version(number, deleted, destroyed) })
}

impl Story {
    fn write(&self, path: &str, data: &str) -> u64 {
        let told = self.tell(&format!("POST data/{path}"), &format!("{{\"data\":{data}}}"));
        assert_eq!(told.status, 200, "{}", told.text);
        told.data["version"].as_u64().unwrap()
    }

    fn metadata(&self, path: &str) -> Value {
        self.ask(&format!("GET metadata/{path}")).data
    }

    /// A write with `cas`, told as status and text.
    fn cas(&self, path: &str, cas: &str) -> (u16, String) {
        let told = self.tell(&format!("POST data/{path}"), &format!(r#"{{"data":{{}},"options":{{"cas":{cas}}}}}"#));
        (told.status, told.text)
    }
}

#[test]
fn every_write_is_a_version() {
    let kv = Story::v2();
    assert_eq!(kv.line("GET data/a", ""), "404");
    let told = kv.tell("POST data/a", r#"{"data":{"v":"one"}}"#);
    assert_eq!((told.status, told.data), (200, version(1, "", false)));
    assert_eq!(kv.write("a", r#"{"v":"two"}"#), 2);
    assert_eq!(kv.ask("GET data/a").data, secret(json!({ "v": "two" }), 2, "", false));
    assert_eq!(kv.ask("GET data/a?version=1").data, secret(json!({ "v": "one" }), 1, "", false));
    for newest in ["0", "-1", "2"] {
        assert_eq!(kv.ask(&format!("GET data/a?version={newest}")).data["metadata"]["version"], 2);
    }
    assert_eq!(kv.line("GET data/a?version=3", ""), "404");
    assert_eq!(kv.line("GET data/a?version=x", ""), "400");
    assert_eq!(kv.line("GET data/a/", ""), "404");
}

#[test]
fn data_keeps_its_text() {
    let kv = Story::v2();
    let object = r#"{"z":1.0,"e":1e400,"n":1180591620717411303424,"o":{"b":[ 1 ],"a":{}},"u":"ß\u00df"}"#;
    kv.write("a", object);
    let text = kv.bench.ok(Operation::Read, "data/a", "").data.unwrap().get().to_owned();
    assert!(text.starts_with(&format!(r#"{{"data":{object},"#)), "{text}");
    kv.tell("PATCH data/a", r#"{"data":{"z":2.50,"o":{"a":null}}}"#);
    let text = kv.bench.ok(Operation::Read, "data/a", "").data.unwrap().get().to_owned();
    let patched = r#"{"data":{"z":2.50,"e":1e400,"n":1180591620717411303424,"o":{"b":[ 1 ]},"u":"ß\u00df"},"#;
    assert!(text.starts_with(patched), "{text}");
}

#[test]
fn a_write_needs_an_object() {
    let kv = Story::v2();
    for body in ["", "{}", r#"{"v":1}"#] {
        assert_eq!(kv.tell("POST data/a", body).text, "no data provided");
        assert_eq!(kv.tell("PATCH data/a", body).text, "no data provided");
    }
    for bad in ["\"text\"", "[1]", "5", "true"] {
        assert_eq!(kv.tell("POST data/a", &format!("{{\"data\":{bad}}}")).status, 400, "{bad}");
        assert_eq!(kv.tell("PATCH data/a", &format!("{{\"data\":{bad}}}")).status, 400, "{bad}");
    }
    assert_eq!(kv.write("a", "null"), 1);
    assert_eq!(kv.ask("GET data/a").data, secret(Value::Null, 1, "", false));
    assert_eq!(kv.ask("GET subkeys/a").status, 200);
    assert_eq!(kv.tell("PATCH data/a", r#"{"data":{"v":1}}"#).status, 200);
    assert_eq!(kv.ask("GET data/a").data["data"], json!({ "v": 1 }));
}

/// A wrong-typed field once came back in the error, from there into logs and audit records (CVE-2025-4166).
#[test]
fn refusals_never_repeat_what_was_sent() {
    let kv = Story::v2();
    kv.write("a", "{}");
    let calls = [
        ("POST data/a", r#"{"data":"canary"}"#),
        ("POST data/a", r#"{"data":["canary"]}"#),
        ("PATCH data/a", r#"{"data":"canary"}"#),
        ("POST data/a", r#"{"data":{},"options":"canary"}"#),
        ("POST data/a", r#"{"data":{},"options":["canary"]}"#),
        ("POST data/a", r#"{"data":{},"options":{"cas":"canary"}}"#),
        ("POST data/a", r#"{"data":{},"options":{"cas":{"canary":1}}}"#),
        ("POST data/a", r#"{"data":"canary"#),
        ("POST config", r#"{"max_versions":"canary"}"#),
        ("POST config", r#"{"cas_required":"canary"}"#),
        ("POST config", r#"{"delete_version_after":"canary"}"#),
        ("POST metadata/a", r#"{"custom_metadata":"canary"}"#),
        ("POST metadata/a", r#"{"custom_metadata":{"k":["canary"]}}"#),
        ("POST metadata/a", r#"{"custom_metadata":{"k":"canary\n"}}"#),
        ("POST metadata/a", r#"{"max_versions":"canary"}"#),
        ("POST metadata/a", r#"{"metadata_cas":"canary","max_versions":1}"#),
        ("POST delete/a", r#"{"versions":["canary"]}"#),
        ("POST undelete/a", r#"{"versions":"canary"}"#),
        ("POST destroy/a", r#"{"versions":{"canary":1}}"#),
    ];
    for (call, body) in calls {
        let told = kv.tell(call, body);
        assert_eq!(told.status, 400, "{call} {body}");
        assert!(!told.text.contains("canary"), "{call} {body}: {}", told.text);
    }
}

#[test]
fn check_and_set() {
    let kv = Story::v2();
    let mismatch = "check-and-set parameter did not match the current version".to_owned();
    assert_eq!(kv.cas("a", "1"), (400, mismatch.clone()));
    assert_eq!(kv.cas("a", "0").0, 200);
    assert_eq!(kv.cas("a", "0"), (400, mismatch.clone()));
    assert_eq!(kv.cas("a", "1").0, 200);
    assert_eq!(kv.cas("a", "\"2\"").0, 200);
    assert_eq!(kv.cas("a", "-1"), (400, mismatch.clone()));
    assert_eq!(kv.cas("a", "null"), (400, mismatch.clone()));
    for unreadable in ["\"three\"", "1.5", "[3]", "1e400"] {
        assert_eq!(kv.cas("a", unreadable), (400, "error parsing check-and-set parameter".into()), "{unreadable}");
    }
    assert_eq!(kv.tell("POST data/a", r#"{"data":{},"options":null}"#).status, 200);
    assert_eq!(kv.tell("POST data/a", r#"{"data":{},"options":{"other":1}}"#).status, 200);
    // A deleted or destroyed version still is the current one; only without metadata there is none.
    kv.ask("DELETE data/a");
    assert_eq!(kv.cas("a", "0"), (400, mismatch.clone()));
    kv.tell("POST destroy/a", r#"{"versions":[5]}"#);
    assert_eq!(kv.cas("a", "0"), (400, mismatch.clone()));
    assert_eq!(kv.tell("PATCH data/a", r#"{"data":{},"options":{"cas":5}}"#).status, 404);
    assert_eq!(kv.cas("a", "5").0, 200);
    assert_eq!(kv.tell("PATCH data/a", r#"{"data":{},"options":{"cas":5}}"#).text, mismatch);
    assert_eq!(kv.tell("PATCH data/a", r#"{"data":{},"options":{"cas":6}}"#).status, 200);
    kv.ask("DELETE metadata/a");
    assert_eq!(kv.cas("a", "0").0, 200);
}

#[test]
fn check_and_set_can_be_demanded() {
    let kv = Story::v2();
    let required = "check-and-set parameter required for this call";
    kv.tell("POST metadata/a", r#"{"cas_required":true}"#);
    assert_eq!(kv.tell("POST data/a", r#"{"data":{}}"#).text, required);
    assert_eq!(kv.cas("a", "0").0, 200);
    kv.write("b", "{}");
    kv.tell("POST config", r#"{"cas_required":true}"#);
    assert_eq!(kv.tell("POST data/b", r#"{"data":{}}"#).text, required);
    assert_eq!(kv.tell("PATCH data/b", r#"{"data":{}}"#).text, required);
    let told = kv.tell("POST metadata/b", r#"{"cas_required":false}"#);
    assert_eq!((told.status, told.warnings), (200, 1));
    assert_eq!(kv.tell("POST data/b", r#"{"data":{}}"#).text, required);
    kv.tell("POST config", r#"{"cas_required":false}"#);
    assert_eq!(kv.write("b", "{}"), 2);
}

#[test]
fn a_delete_marks_the_newest_version() {
    let kv = Story::v2();
    kv.write("a", r#"{"v":1}"#);
    kv.write("a", r#"{"v":2}"#);
    assert_eq!(kv.line("DELETE data/a", ""), "204");
    let told = kv.ask("GET data/a");
    assert_eq!((told.status, told.data), (404, secret(Value::Null, 2, NOW, false)));
    assert_eq!(kv.ask("GET data/a?version=1").status, 200);
    assert_eq!(kv.line("DELETE data/a", ""), "204");
    assert_eq!(kv.line("DELETE data/missing", ""), "204");
    assert_eq!(kv.line("DELETE data/a/", ""), "204");
    assert_eq!(kv.write("a", r#"{"v":3}"#), 3);
}

#[test]
fn versions_are_marked_by_number() {
    let kv = Story::v2();
    for n in 1..=3 {
        kv.write("a", &format!("{{\"v\":{n}}}"));
    }
    let states = || [1, 2, 3].map(|n| kv.ask(&format!("GET data/a?version={n}")).status);
    assert_eq!(kv.line("POST delete/a", r#"{"versions":[1,3,99,-1,0]}"#), "204");
    assert_eq!(states(), [404, 200, 404]);
    assert_eq!(kv.line("POST undelete/a", r#"{"versions":"1,3"}"#), "204");
    assert_eq!(states(), [200, 200, 200]);
    assert_eq!(kv.line("POST undelete/a", r#"{"versions":[1,1]}"#), "204");
    assert_eq!(kv.line("PUT delete/a", r#"{"versions":["2"]}"#), "204");
    assert_eq!(states(), [200, 404, 200]);
    let before = kv.bench.records();
    assert_eq!(kv.line("PUT destroy/a", r#"{"versions":[2]}"#), "204");
    assert_eq!(kv.bench.records(), before - 1);
    assert_eq!(kv.ask("GET data/a?version=2").data, secret(Value::Null, 2, NOW, true));
    kv.tell("POST destroy/a", r#"{"versions":[1]}"#);
    kv.tell("POST undelete/a", r#"{"versions":[1,2]}"#);
    assert_eq!(kv.ask("GET data/a?version=1").data, secret(Value::Null, 1, "", true));
    assert_eq!(states(), [404, 404, 200]);
    for route in ["delete", "undelete", "destroy"] {
        for body in ["{}", r#"{"versions":[]}"#, r#"{"versions":["x"]}"#, r#"{"versions":"1, 3"}"#] {
            assert_eq!(kv.line(&format!("POST {route}/a"), body), "400", "{route} {body}");
        }
        assert_eq!(kv.line(&format!("POST {route}/missing"), r#"{"versions":[1]}"#), "204");
    }
}

#[test]
fn versions_beyond_the_limit_are_dropped() {
    let kv = Story::v2();
    for n in 1..=9 {
        kv.write("a", &format!("{{\"v\":{n}}}"));
    }
    assert_eq!(kv.metadata("a")["oldest_version"], 0);
    kv.write("a", "{}");
    assert_eq!(kv.metadata("a")["oldest_version"], 1);
    kv.write("a", "{}");
    kv.write("a", "{}");
    assert_eq!(kv.metadata("a")["oldest_version"], 3);
    assert_eq!(kv.line("GET data/a?version=2", ""), "404");
    assert_eq!(kv.ask("GET data/a?version=3").status, 200);
    assert_eq!(kv.bench.records(), 11);
}

#[test]
fn the_larger_limit_counts_and_at_the_next_write() {
    let kv = Story::v2();
    kv.tell("POST config", r#"{"max_versions":3}"#);
    kv.tell("POST metadata/a", r#"{"max_versions":1}"#);
    kv.tell("POST metadata/b", r#"{"max_versions":5}"#);
    for path in ["a", "b"] {
        for _ in 0..4 {
            kv.write(path, "{}");
        }
    }
    assert_eq!(kv.metadata("a")["oldest_version"], 2);
    assert_eq!(kv.ask("GET data/b?version=1").status, 200);
    kv.tell("POST config", r#"{"max_versions":0}"#);
    kv.tell("POST metadata/b", r#"{"max_versions":1}"#);
    assert_eq!(kv.ask("GET data/b?version=2").status, 200);
    kv.write("b", "{}");
    assert_eq!(kv.metadata("b")["versions"].as_object().unwrap().keys().collect::<Vec<_>>(), ["5"]);
    for bad in ["-1", "4294967296"] {
        assert_eq!(kv.tell("POST metadata/b", &format!("{{\"max_versions\":{bad}}}")).status, 400, "{bad}");
        assert_eq!(kv.tell("POST config", &format!("{{\"max_versions\":{bad}}}")).status, 400, "{bad}");
    }
}

/// More than can be kept was taken and counted for less, without a word.
#[test]
fn more_versions_than_can_be_kept_are_told() {
    let kv = Story::v2();
    for (at, read) in [("config", "GET config"), ("metadata/a", "GET metadata/a")] {
        for (asked, kept, warnings) in [(8000_u64, 8000, 0), (8001, 8000, 1), (4_294_967_295, 8000, 1)] {
            let told = kv.tell(&format!("POST {at}"), &format!("{{\"max_versions\":{asked}}}"));
            assert_eq!(told.warnings, warnings, "{at} {asked}: {}", told.text);
            assert_eq!(kv.ask(read).data["max_versions"], kept, "{at} {asked}");
        }
    }
}

/// Half a second was cut to zero, which means "never".
#[test]
fn less_than_a_second_is_not_never() {
    let kv = Story::v2();
    for (at, read) in [("config", "GET config"), ("metadata/a", "GET metadata/a")] {
        for (asked, kept, warnings) in [
            (r#""0s""#, "0s", 0),
            (r#""1ns""#, "1s", 1),
            (r#""999ms""#, "1s", 1),
            ("0.5", "1s", 1),
            (r#""1s""#, "1s", 0),
            (r#""1500ms""#, "1s", 0),
            ("0", "0s", 0),
        ] {
            let told = kv.tell(&format!("POST {at}"), &format!("{{\"delete_version_after\":{asked}}}"));
            assert_eq!(told.warnings, warnings, "{at} {asked}: {}", told.text);
            assert_eq!(kv.ask(read).data["delete_version_after"], kept, "{at} {asked}");
        }
    }
    kv.tell("POST config", r#"{"delete_version_after":"-1ms"}"#);
    assert_eq!(kv.ask("GET config").data["delete_version_after"], "-1s");
    assert_eq!(kv.tell("POST metadata/a", r#"{"delete_version_after":"-1ms"}"#).status, 400);
}

#[test]
fn patches_merge_into_the_newest_version() {
    let kv = Story::v2();
    assert_eq!(kv.line("PATCH data/a", r#"{"data":{"v":1}}"#), "404");
    kv.write("a", r#"{"a":1,"b":{"c":2,"d":3},"l":[1,2]}"#);
    let told = kv.tell("PATCH data/a", r#"{"data":{"b":{"c":null,"e":5},"l":[9],"n":{"x":{"y":null,"z":1}}}}"#);
    assert_eq!((told.status, told.data), (200, version(2, "", false)));
    assert_eq!(
        kv.ask("GET data/a").data["data"],
        json!({ "a": 1, "b": { "d": 3, "e": 5 }, "l": [9], "n": { "x": { "z": 1 } } })
    );
    kv.ask("DELETE data/a");
    let told = kv.tell("PATCH data/a", r#"{"data":{"v":1}}"#);
    assert_eq!((told.status, told.data), (404, version(2, NOW, false)));
    kv.tell("POST destroy/a", r#"{"versions":[2]}"#);
    assert_eq!(kv.tell("PATCH data/a", r#"{"data":{"v":1}}"#).data, version(2, NOW, true));
    assert_eq!(kv.ask("GET data/a?version=1").data["data"]["b"], json!({ "c": 2, "d": 3 }));
    kv.tell("POST metadata/empty", r#"{"max_versions":2}"#);
    assert_eq!(kv.line("PATCH data/empty", r#"{"data":{"v":1}}"#), "404");
}

#[test]
fn versions_expire() {
    let mut kv = Story::v2();
    kv.tell("POST config", r#"{"delete_version_after":"2h"}"#);
    kv.tell("POST metadata/a", r#"{"delete_version_after":"1h"}"#);
    let told = kv.tell("POST data/a", r#"{"data":{"v":1}}"#);
    assert_eq!(told.data["deletion_time"], "2024-01-01T01:00:00Z");
    assert_eq!(kv.tell("POST data/b", r#"{"data":{"v":1}}"#).data["deletion_time"], "2024-01-01T02:00:00Z");
    assert_eq!(kv.tell("PATCH data/a", r#"{"data":{"w":1}}"#).data["deletion_time"], "2024-01-01T01:00:00Z");
    kv.bench.advance(Seconds(3599));
    assert_eq!(kv.ask("GET data/a").status, 200);
    kv.bench.advance(Seconds(1));
    let told = kv.ask("GET data/a");
    assert_eq!((told.status, &told.data["data"]), (404, &Value::Null));
    kv.tell("POST undelete/a", r#"{"versions":[2]}"#);
    assert_eq!(kv.ask("GET data/a").data["metadata"]["deletion_time"], "2024-01-01T02:00:00Z");
    kv.tell("POST config", r#"{"delete_version_after":"-1h"}"#);
    assert_eq!(kv.ask("GET config").data["delete_version_after"], "-1s");
    assert_eq!(kv.tell("POST data/a", r#"{"data":{"v":1}}"#).data["deletion_time"], "");
    kv.tell("POST undelete/a", r#"{"versions":[2]}"#);
    assert_eq!(kv.ask("GET data/a?version=2").data["metadata"]["deletion_time"], "");
}

#[test]
fn configuration() {
    let kv = Story::v2();
    let shown = |max: u32, cas: bool, after: &str| json!({ "cas_required": cas, "delete_version_after": after, "max_versions": max, "metadata_cas_required": false });
    assert_eq!(kv.ask("GET config").data, shown(0, false, "0s"));
    assert_eq!(kv.line("POST config", r#"{"max_versions":5}"#), "204");
    assert_eq!(kv.line("POST config", r#"{"delete_version_after":"3h25m19s"}"#), "204");
    assert_eq!(kv.line("POST config", r#"{"cas_required":"true"}"#), "204");
    assert_eq!(kv.line("POST config", "{}"), "204");
    assert_eq!(kv.line("POST config", r#"{"unknown":1}"#), "204");
    assert_eq!(kv.ask("GET config").data, shown(5, true, "3h25m19s"));
    assert_eq!(kv.line("POST config", r#"{"max_versions":0,"cas_required":false,"delete_version_after":"2d"}"#), "204");
    assert_eq!(kv.ask("GET config").data, shown(0, false, "48h0m0s"));
    for bad in [r#"{"max_versions":"many"}"#, r#"{"cas_required":"maybe"}"#, r#"{"delete_version_after":[1]}"#] {
        assert_eq!(kv.line("POST config", bad), "400");
    }
    assert_eq!(kv.ask("GET config").data, shown(0, false, "48h0m0s"));
}

#[test]
fn metadata_is_kept_beside_the_versions() {
    let kv = Story::v2();
    let shown = |meta: u64, current: u64, custom: Value, max: u64, after: &str, cas: bool| {
        json!({
            "cas_required": cas, "created_time": NOW, "current_metadata_version": meta, "current_version": current,
            "custom_metadata": custom, "delete_version_after": after, "max_versions": max, "metadata_cas_required": false,
            "oldest_version": 0, "updated_time": NOW,
            "versions": if current == 0 { json!({}) } else { json!({ "1": { "created_time": NOW, "deletion_time": "", "destroyed": false } }) },
        })
    };
    for nothing in ["{}", r#"{"unknown":1}"#, r#"{"metadata_cas":0}"#] {
        assert_eq!(kv.line("POST metadata/a", nothing), "204");
    }
    assert_eq!(kv.line("GET metadata/a", ""), "404");
    assert_eq!(kv.line("POST metadata/a", r#"{"custom_metadata":{"owner":"ada"},"max_versions":3}"#), "204");
    assert_eq!(kv.line("GET data/a", ""), "404");
    assert_eq!(kv.line("LIST metadata", ""), r#"200 {"keys":["a"]}"#);
    assert_eq!(kv.metadata("a"), shown(1, 0, json!({ "owner": "ada" }), 3, "0s", false));
    kv.write("a", "{}");
    assert_eq!(kv.ask("GET data/a").data["metadata"]["custom_metadata"], json!({ "owner": "ada" }));
    kv.tell(
        "POST metadata/a",
        r#"{"custom_metadata":{"x":"1","y":"2"},"delete_version_after":"1h30m","cas_required":true}"#,
    );
    assert_eq!(kv.metadata("a"), shown(2, 1, json!({ "x": "1", "y": "2" }), 3, "1h30m0s", true));
    kv.tell("PATCH metadata/a", r#"{"custom_metadata":{"x":null,"z":3},"cas_required":null,"max_versions":null}"#);
    assert_eq!(kv.metadata("a"), shown(3, 1, json!({ "y": "2", "z": "3" }), 0, "1h30m0s", false));
    kv.tell("PATCH metadata/a", r#"{"custom_metadata":null,"delete_version_after":null}"#);
    assert_eq!(kv.metadata("a"), shown(4, 1, Value::Null, 0, "0s", false));
    for bad in [r#"{"delete_version_after":"-1h"}"#, r#"{"max_versions":"x"}"#, r#"{"custom_metadata":{"a":["x"]}}"#] {
        assert_eq!(kv.line("POST metadata/a", bad), "400");
        assert_eq!(kv.line("PATCH metadata/a", bad), "400");
    }
    assert_eq!(kv.line("PATCH metadata/a", "{}"), "204");
    assert_eq!(kv.line("PATCH metadata/missing", r#"{"max_versions":2}"#), "404");
    assert_eq!(kv.metadata("a"), shown(4, 1, Value::Null, 0, "0s", false));
}

#[test]
fn metadata_has_a_check_and_set_of_its_own() {
    let kv = Story::v2();
    kv.write("a", "{}");
    let set = |path: &str, body: &str| {
        let told = kv.tell(&format!("POST metadata/{path}"), body);
        (told.status, told.text)
    };
    let mismatch = (400, "metadata check-and-set parameter does not match the current version".to_owned());
    let required = (400, "metadata check-and-set parameter required for this call".to_owned());
    assert_eq!(set("a", r#"{"max_versions":2,"metadata_cas":1}"#), mismatch);
    assert_eq!(set("a", r#"{"max_versions":2,"metadata_cas":-1}"#), mismatch);
    assert_eq!(set("a", r#"{"max_versions":2,"metadata_cas":0}"#).0, 204);
    assert_eq!(set("a", r#"{"max_versions":2,"metadata_cas":0}"#), mismatch);
    assert_eq!(kv.line("PATCH metadata/a", r#"{"max_versions":4,"metadata_cas":1}"#), "204");
    assert_eq!(set("a", r#"{"metadata_cas_required":true,"metadata_cas":2}"#).0, 204);
    assert_eq!(set("a", r#"{"max_versions":9}"#), required);
    assert_eq!(kv.tell("PATCH metadata/a", r#"{"max_versions":9}"#).text, required.1);
    assert_eq!(
        set("new", r#"{"max_versions":1,"metadata_cas":1}"#).1,
        "metadata_cas must be 0 when creating new metadata"
    );
    kv.tell("POST config", r#"{"metadata_cas_required":true}"#);
    assert_eq!(set("new", r#"{"max_versions":1}"#), required);
    assert_eq!(set("new", r#"{"max_versions":1,"metadata_cas":0}"#).0, 204);
    assert_eq!(kv.tell("POST metadata/new", r#"{"metadata_cas_required":false,"metadata_cas":1}"#).warnings, 1);
    assert_eq!(kv.write("new", "{}"), 1);
}

#[test]
fn deleting_the_metadata_leaves_nothing() {
    let kv = Story::v2();
    kv.write("a", "{}");
    kv.write("a", "{}");
    kv.tell("POST destroy/a", r#"{"versions":[1]}"#);
    assert_eq!(kv.line("DELETE metadata/a", ""), "204");
    assert_eq!(kv.bench.records(), 0);
    for call in ["GET data/a", "GET data/a?version=1", "GET metadata/a", "LIST metadata"] {
        assert_eq!(kv.line(call, ""), "404");
    }
    assert_eq!(kv.write("a", "{}"), 1);
    assert_eq!(kv.line("DELETE metadata/missing", ""), "204");
}

#[test]
fn creates_and_updates_are_told_apart() {
    let kv = Story::v2();
    let operation = |path: &str| kv.bench.call_as(Operation::Update, path, r#"{"data":{},"max_versions":1}"#).0;
    assert_eq!(operation("data/a"), Operation::Create);
    assert_eq!(operation("data/a"), Operation::Update);
    kv.ask("DELETE data/a");
    assert_eq!(operation("data/a"), Operation::Update);
    kv.ask("DELETE metadata/a");
    assert_eq!(operation("metadata/a"), Operation::Create);
    assert_eq!(operation("data/a"), Operation::Update);
}

#[test]
fn names_are_listed_in_pages() {
    let kv = Story::v2();
    assert_eq!(kv.line("LIST metadata", ""), "404");
    assert_eq!(kv.line("SCAN metadata", ""), "200 {}");
    for path in ["a", "b", "c/x", "c", "d", "c/sub/y"] {
        kv.write(path, "{}");
    }
    let keys = |call: &str| kv.ask(call).data["keys"].clone();
    assert_eq!(keys("LIST metadata/"), json!(["a", "b", "c", "c/", "d"]));
    assert_eq!(keys("LIST metadata?limit=2"), json!(["a", "b"]));
    assert_eq!(keys("LIST metadata?after=b&limit=2"), json!(["c", "c/"]));
    assert_eq!(keys("LIST metadata?after=bb"), json!(["c", "c/", "d"]));
    assert_eq!(keys("LIST metadata?after=c/&limit=1"), json!(["d"]));
    assert_eq!(keys("LIST metadata?limit=0"), json!(["a", "b", "c", "c/", "d"]));
    assert_eq!(keys("LIST metadata?limit=-1"), json!(["a", "b", "c", "c/", "d"]));
    assert_eq!(kv.line("LIST metadata?after=d", ""), "404");
    assert_eq!(keys("LIST metadata/c"), json!(["sub/", "x"]));
    assert_eq!(keys("SCAN metadata"), json!(["a", "b", "c", "c/sub/y", "c/x", "d"]));
    assert_eq!(keys("SCAN metadata/c"), json!(["sub/y", "x"]));
    assert_eq!(keys("SCAN metadata?after=b&limit=2"), json!(["c", "c/sub/y"]));
    for call in ["LIST data", "LIST data/c", "LIST data/", "SCAN data"] {
        assert_eq!(kv.line(call, ""), "405", "{call}");
    }
    kv.ask("DELETE data/b");
    assert_eq!(keys("LIST metadata?limit=2"), json!(["a", "b"]));
}

#[test]
fn detailed_lists_bring_the_metadata() {
    let kv = Story::v2();
    kv.write("a", "{}");
    kv.write("dir/b", "{}");
    let told = kv.ask("LIST detailed-metadata").data;
    assert_eq!(told, json!({ "keys": ["a", "dir/"], "key_info": { "a": kv.metadata("a"), "dir/": {} } }));
    let b = json!({ "keys": ["b"], "key_info": { "b": kv.metadata("dir/b") } });
    assert_eq!(kv.ask("LIST detailed-metadata/dir").data, b);
    assert_eq!(kv.ask("SCAN detailed-metadata/dir/").data, b);
    assert_eq!(kv.ask("LIST detailed-metadata?limit=1").data["keys"], json!(["a"]));
    assert_eq!(kv.line("LIST detailed-metadata/none", ""), "404");
    assert_eq!(kv.line("SCAN detailed-metadata/none", ""), "200 {}");
}

#[test]
fn subkeys_show_names_without_values() {
    let kv = Story::v2();
    kv.write("a", r#"{"x":1,"o":{"p":{"q":"deep"},"r":"s"},"l":[{"m":1}],"e":{},"n":null}"#);
    let keys = |call: &str| kv.ask(call).data["subkeys"].clone();
    let all = json!({ "e": null, "l": null, "n": null, "o": { "p": { "q": null }, "r": null }, "x": null });
    assert_eq!(keys("GET subkeys/a"), all);
    assert_eq!(keys("GET subkeys/a?depth=0"), all);
    assert_eq!(keys("GET subkeys/a?depth=2")["o"], json!({ "p": null, "r": null }));
    assert_eq!(keys("GET subkeys/a?depth=1")["o"], Value::Null);
    kv.write("a", r#"{"y":1}"#);
    assert_eq!(keys("GET subkeys/a"), json!({ "y": null }));
    assert_eq!(keys("GET subkeys/a?version=1&depth=1")["x"], Value::Null);
    for absent in ["GET subkeys/a?version=7", "GET subkeys/none"] {
        assert_eq!(kv.line(absent, ""), "404");
    }
    kv.ask("DELETE data/a");
    let told = kv.ask("GET subkeys/a");
    assert_eq!((told.status, told.data), (404, json!({ "metadata": version(2, NOW, false), "subkeys": null })));
    assert_eq!(kv.line("GET subkeys/a?depth=x", ""), "400");
}

#[test]
fn other_paths_are_explained() {
    let kv = Story::v2();
    for (call, word) in [
        ("GET a", "get"),
        ("POST a", "put"),
        ("DELETE a", "delete"),
        ("LIST ", "list"),
        ("LIST a/", "list"),
        ("PATCH a/b", "patch"),
    ] {
        let told = kv.tell(call, "{}");
        assert_eq!((told.status, told.warnings), (404, 1), "{call}");
        assert!(told.text.starts_with("Invalid path for a versioned K/V secrets engine."), "{call}");
        assert!(told.text.ends_with(&format!("kv {word}' for this operation.")), "{call}: {}", told.text);
    }
    for call in [
        "GET data",
        "POST data",
        "DELETE data",
        "GET metadata",
        "DELETE metadata",
        "POST metadata",
        "POST delete",
        "POST undelete",
        "POST destroy",
    ] {
        let told = kv.tell(call, r#"{"versions":[1],"data":{"v":1}}"#);
        assert_eq!(
            (told.status, told.text.as_str()),
            (404, "Non-listing operations on the root of a K/V v2 mount are not supported."),
            "{call}"
        );
    }
    assert!(kv.ask("GET subkeys").text.starts_with("Invalid path"));
    assert_eq!(kv.tell("POST data/", r#"{"data":{}}"#).status, 400);
}

#[test]
fn odd_names_are_names() {
    let kv = Story::v2();
    for path in
        ["two words", "a.b/c..d", "schlüssel", "p%q", "Upper", "data/metadata/config", "config", "meta", "鍵/値"]
    {
        kv.write(path, r#"{"v":1}"#);
        assert!(kv.bench.ok(Operation::Read, &format!("data/{path}"), "").some, "{path}");
    }
    let names = ["Upper", "a.b/", "config", "data/", "meta", "p%q", "schlüssel", "two words", "鍵/"];
    assert_eq!(kv.ask("LIST metadata").data["keys"], json!(names));
    assert_eq!(kv.line("GET data/upper", ""), "404");
    assert_eq!(kv.ask("GET config").data["max_versions"], 0);
}

#[test]
fn size_is_limited() {
    let kv = Story::v2();
    let object = |bytes: usize| format!(r#"{{"v":"{}"}}"#, "x".repeat(bytes - 8));
    assert_eq!(kv.write("a", &object((1 << 20) + 8)), 1);
    assert_eq!(kv.write("a", &object(bulla_kv::MAX_SECRET)), 2);
    let refused = kv.tell("POST data/a", &format!("{{\"data\":{}}}", object(bulla_kv::MAX_SECRET + 1)));
    assert_eq!(refused.status, 400);
    assert!(refused.text.contains("too large"), "{}", refused.text);
    let refused = kv.tell("PATCH data/a", r#"{"data":{"w":1}}"#);
    assert_eq!(refused.status, 400);
    assert_eq!(kv.metadata("a")["current_version"], 2);
}

/// A key longer than the store takes once brought a whole cluster down (CVE-2021-45042).
#[test]
fn names_are_limited() {
    let kv = Story::v2();
    let deep = vec!["x"; 3160].join("/");
    for call in [
        "POST data",
        "GET data",
        "PATCH data",
        "DELETE data",
        "POST metadata",
        "GET metadata",
        "POST destroy",
        "GET subkeys",
        "LIST metadata",
    ] {
        let told = kv.tell(&format!("{call}/{deep}"), r#"{"data":{},"max_versions":1,"versions":[1]}"#);
        assert_eq!(told.status, 400, "{call}");
    }
    assert_eq!(kv.write(&"x".repeat(16_000), "{}"), 1);
}

#[test]
fn very_many_versions_fit_one_record() {
    let kv = Story::v2();
    kv.tell("POST metadata/a", r#"{"max_versions":4294967295}"#);
    for _ in 0..200 {
        kv.write("a", "{}");
    }
    assert_eq!(kv.metadata("a")["versions"].as_object().unwrap().len(), 200);
}

#[test]
fn an_unversioned_mount_becomes_a_versioned_one() {
    let old = Story::v1();
    for path in ["a", "dir/b", "dir"] {
        old.tell(&format!("POST {path}"), r#"{"n":1.0}"#);
    }
    let kv = Story { bench: old.bench.replaced(bulla_kv::kv_v2()) };
    kv.bench.setup(&[("version", "2")]).unwrap();
    assert_eq!(kv.bench.records(), 6);
    assert_eq!(kv.ask("LIST metadata").data["keys"], json!(["a", "dir", "dir/"]));
    assert_eq!(kv.metadata("dir/b")["current_version"], 1);
    assert!(kv.bench.ok(Operation::Read, "data/a", "").data.unwrap().get().starts_with(r#"{"data":{"n":1.0},"#));
    kv.bench.setup(&[("version", "2")]).unwrap();
    assert_eq!(kv.write("a", "{}"), 2);
    kv.ask("DELETE metadata/a");
    assert_eq!(kv.bench.records(), 4);
}

/// A name that began with an encoded slash (`PUT kv/%2Fa`) lost it in scans. An upgrade asks a scan what there is: it looked
/// for `a`, found nothing, and called itself done with the secret out of everybody's reach.
#[test]
fn names_that_begin_with_a_slash_are_scanned_and_upgraded() {
    let old = Story::v1();
    let paths = ["a", "/a", "//b", "c//d"];
    for path in paths {
        old.tell(&format!("POST {path}"), &json!({ "at": path }).to_string());
    }
    assert_eq!(old.ask("SCAN ").data["keys"], json!(["//b", "/a", "a", "c//d"]));
    let kv = Story { bench: old.bench.replaced(bulla_kv::kv_v2()) };
    kv.bench.setup(&[("version", "2")]).unwrap();
    for path in paths {
        assert_eq!(kv.ask(&format!("GET data/{path}")).data["data"]["at"], path);
    }
    assert_eq!(kv.ask("SCAN metadata").data["keys"], json!(["//b", "/a", "a", "c//d"]));
}

/// Bytes are one limit of a batch, numbers the other. Between two batches the server may be killed: a new engine goes on.
#[test]
fn a_large_mount_is_upgraded_in_batches() {
    let megabyte = format!(r#"{{"v":"{}"}}"#, "x".repeat(1 << 20));
    for (secrets, value, batches) in
        [(8, megabyte.as_str(), 3), (2_100, r#"{"a":1}"#, 3), (1_000, r#"{"a":1}"#, 0), (1_001, r#"{"a":1}"#, 2)]
    {
        let old = Story::v1();
        for n in 0..secrets {
            old.tell(&format!("POST dir/s{n}"), value);
        }
        let mut kv = Story { bench: old.bench.replaced(bulla_kv::kv_v2()) };
        let mut setup = kv.bench.setup(&[("version", "2")]).unwrap();
        let mut steps = 0;
        while setup == Setup::Unfinished {
            kv = Story { bench: kv.bench.replaced(bulla_kv::kv_v2()) };
            setup = kv.bench.go_on_setup().unwrap();
            steps += 1;
        }
        assert_eq!(steps, batches, "{secrets} secrets");
        assert_eq!(kv.bench.records(), 2 * secrets, "metadata and one version each, and nothing of before");
        for n in [0, secrets - 1] {
            assert!(kv.ask(&format!("GET data/dir/s{n}")).data.to_string().contains(&value[1..value.len() - 1]));
        }
    }
}

/// A batch that had met a damaged record and was full said that it was the last one: the rest was never converted.
#[test]
fn damaged_records_do_not_end_an_upgrade() {
    for damaged in [1, 1_001, 2_500] {
        let old = Story::v1();
        for n in 0..1_500 {
            old.tell(&format!("POST s{n}"), r#"{"a":1}"#);
        }
        for n in 0..damaged {
            // Names are looked at in an order of their own, so that some come first.
            old.bench.plant(&format!("v1/d{n}"), b"no JSON");
        }
        let kv = Story { bench: old.bench.replaced(bulla_kv::kv_v2()) };
        let mut setup = kv.bench.setup(&[("version", "2")]).unwrap();
        let mut steps = 0;
        while setup == Setup::Unfinished && steps < 10 {
            setup = kv.bench.go_on_setup().unwrap();
            steps += 1;
        }
        assert_eq!((setup, kv.bench.records()), (Setup::Done, 3_000 + damaged), "{damaged} damaged, {steps} steps");
    }
}

/// Each step of an upgrade meets each kind of failure, is done again after the restart, and nothing is lost or doubled.
#[test]
fn an_upgrade_goes_on_after_a_failure_at_any_step() {
    const SECRETS: usize = 1_001;
    for failure in [Failure::Before, Failure::After, Failure::Torn, Failure::Full] {
        for step in 1..=2 {
            let old = Story { bench: EngineBench::on_device(bulla_kv::kv_v1()) };
            for n in 0..SECRETS {
                old.tell(&format!("POST dir/s{n}"), &format!(r#"{{"n":{n}}}"#));
            }
            let mut kv = Story { bench: old.bench.replaced(bulla_kv::kv_v2()) };
            assert_eq!(kv.bench.setup(&[("version", "2")]).unwrap(), Setup::Unfinished);
            kv.bench.device().fail_at(step, failure);
            let mut failed = 0;
            loop {
                match kv.bench.go_on_setup() {
                    Ok(Setup::Done) => break,
                    Ok(Setup::Unfinished) => {}
                    Err(_) => {
                        failed += 1;
                        kv.bench.restart();
                    }
                }
            }
            assert_eq!(failed, 1, "{failure:?} at step {step}");
            assert_eq!(kv.bench.records(), 2 * SECRETS, "{failure:?} at step {step}");
            for n in [0, 500, SECRETS - 1] {
                let told = kv.ask(&format!("GET data/dir/s{n}")).data;
                assert_eq!((&told["data"]["n"], &told["metadata"]["version"]), (&json!(n), &json!(1)));
            }
        }
    }
}

#[test]
fn the_store_shows_neither_names_nor_values() {
    let kv = Story::v2();
    kv.write("canary-path/canary-name", r#"{"canary-member":"canary-value"}"#);
    kv.tell("POST metadata/canary-path/canary-name", r#"{"custom_metadata":{"canary-key":"canary-note"}}"#);
    assert!(kv.bench.records() >= 2);
    assert!(!kv.bench.shows("canary"));
}
