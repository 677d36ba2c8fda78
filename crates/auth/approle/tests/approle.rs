//! The method with values in and out, no server: roles, secret ids, logins, renewals.
#![allow(clippy::unwrap_used, clippy::panic, clippy::needless_pass_by_value, reason = "tests")]

mod common;

use bulla_kit::EngineError;
use bulla_types::{Operation, Seconds};
use common::{DELETE, LIST, Story, UPDATE, invalid};
use serde_json::{Value, json};

#[test]
fn a_role_is_kept_shown_and_removed() {
    let story = Story::new();
    assert_eq!(story.read("role/r"), None);
    assert_eq!(story.bench.call_as(UPDATE, "role/r", "{}").0, Operation::Create);
    assert_eq!(story.bench.call_as(UPDATE, "role/R", "{}").0, UPDATE);
    let expected = json!({
        "bind_secret_id": true, "local_secret_ids": false, "secret_id_bound_cidrs": null, "secret_id_num_uses": 0,
        "secret_id_ttl": 0, "token_bound_cidrs": [], "token_explicit_max_ttl": 0, "token_max_ttl": 0,
        "token_no_default_policy": false, "token_num_uses": 0, "token_period": 0, "token_policies": [],
        "token_strictly_bind_ip": false, "token_ttl": 0, "token_type": "default"
    });
    assert_eq!(story.read("role/r"), Some(expected));
    assert_eq!(story.list("role", json!({})), ["r"]);
    story.delete("role/r");
    assert_eq!(story.read("role/r"), None);
    story.delete("role/r");
    assert!(story.list("role", json!({})).is_empty());
    assert_eq!(story.bench.records(), 0, "a role removed leaves nothing");
}

#[test]
fn what_is_not_sent_stays() {
    let story = Story::new();
    let all = json!({
        "token_policies": "dev,ops", "token_ttl": "10m", "token_max_ttl": "1h", "token_num_uses": 3,
        "token_period": "30m", "token_bound_cidrs": "10.0.0.0/8", "secret_id_ttl": "24h", "secret_id_num_uses": 7,
        "secret_id_bound_cidrs": ["10.0.0.0/8", "127.0.0.1/32"], "local_secret_ids": true
    });
    story.write("role/r", all);
    story.write("role/r", json!({ "token_ttl": "20m", "policies": "old", "period": "1h", "local_secret_ids": true }));
    let data = story.read("role/r").unwrap();
    for (name, value) in [
        ("token_ttl", json!(1200)),
        ("token_policies", json!(["old"])),
        ("policies", json!(["old"])),
        ("period", json!(3600)),
        ("token_period", json!(3600)),
        ("secret_id_bound_cidrs", json!(["10.0.0.0/8", "127.0.0.1/32"])),
        ("secret_id_ttl", json!(86400)),
        ("secret_id_num_uses", json!(7)),
        ("local_secret_ids", json!(true)),
    ] {
        assert_eq!(data[name], value, "{name}");
    }
    let text = story.refused("role/r", json!({ "local_secret_ids": false, "token_ttl": "5m" }));
    assert_eq!(text, "local_secret_ids can only be modified during role creation");
    assert_eq!(story.read("role/r").unwrap()["token_ttl"], 1200);
}

#[test]
fn roles_that_make_no_sense_are_refused() {
    let story = Story::new();
    for (body, text) in [
        (json!({ "token_ttl": "2h", "token_max_ttl": "1h" }), "'token_ttl' cannot be greater than 'token_max_ttl'"),
        (json!({ "secret_id_num_uses": -1 }), "secret_id_num_uses cannot be negative"),
        (
            json!({ "secret_id_bound_cidrs": "nonsense" }),
            "failed to validate CIDR blocks: invalid CIDR address: nonsense",
        ),
        (json!({ "token_type": "robot" }), "invalid 'token_type' value \"robot\""),
        (json!({ "bind_secret_id": false }), "at least one constraint should be enabled on the role"),
    ] {
        assert_eq!(story.refused("role/r", body), text);
    }
    assert_eq!(story.bench.records(), 0);
    let warned = |body: Value| story.bench.ok(UPDATE, "role/r", &body.to_string()).warnings;
    assert_eq!(warned(json!({ "token_max_ttl": 2_764_800 })).len(), 0);
    assert_eq!(warned(json!({ "token_max_ttl": 2_764_801 })).len(), 1);
    let both = warned(json!({ "token_type": "default-batch" }));
    assert_eq!(both[0], "default-batch has no useful meaning; adjusting to batch");
    assert_eq!((both.len(), &story.read("role/r").unwrap()["token_type"]), (2, &json!("batch")));
}

#[test]
fn a_constraint_stays_as_long_as_it_is_the_only_one() {
    let story = Story::new();
    story.write("role/r", json!({ "bind_secret_id": false, "secret_id_bound_cidrs": "10.0.0.0/8" }));
    let text = "at least one constraint should be enabled on the role";
    assert_eq!(story.refused("role/r/secret-id-bound-cidrs", json!({ "secret_id_bound_cidrs": "" })), text);
    let refused = story.bench.refused(DELETE, "role/r/secret-id-bound-cidrs", "");
    assert_eq!(refused.to_string(), text);
    story.write("role/r/token-bound-cidrs", json!({ "token_bound_cidrs": "::1" }));
    story.delete("role/r/secret-id-bound-cidrs");
    story.delete("role/r/bind-secret-id");
    assert_eq!(story.read("role/r/bind-secret-id"), Some(json!({ "bind_secret_id": true })));
}

#[test]
fn each_field_has_a_path_of_its_own() {
    let story = Story::new();
    story.write("role/R", json!({}));
    let before = story.read("role/r");
    for (path, field, sent, shown) in [
        ("policies", "token_policies", json!("y,x"), json!(["x", "y"])),
        ("secret-id-num-uses", "secret_id_num_uses", json!(4), json!(4)),
        ("secret-id-ttl", "secret_id_ttl", json!("1h"), json!(3600)),
        ("token-num-uses", "token_num_uses", json!(2), json!(2)),
        ("token-ttl", "token_ttl", json!("1h"), json!(3600)),
        ("token-max-ttl", "token_max_ttl", json!("2h"), json!(7200)),
        ("period", "token_period", json!("30m"), json!(1800)),
        ("token-bound-cidrs", "token_bound_cidrs", json!("10.0.0.1/32"), json!(["10.0.0.1"])),
        ("secret-id-bound-cidrs", "secret_id_bound_cidrs", json!("10.0.0.1/32"), json!(["10.0.0.1/32"])),
        ("bound-cidr-list", "bound_cidr_list", json!("10.0.0.0/8"), json!(["10.0.0.0/8"])),
        ("bind-secret-id", "bind_secret_id", json!(false), json!(false)),
    ] {
        let path = format!("role/r/{path}");
        let missing = match field {
            "token_period" => "missing period".to_owned(),
            _ => format!("missing {field}"),
        };
        assert_eq!(story.refused(&path, json!({})), missing);
        story.write(&path, json!({ field: sent }));
        assert_eq!(story.read(&path), Some(json!({ field: shown })));
        assert_eq!(story.read("role/r").unwrap()[field], shown, "{field}");
        assert_eq!(story.read(&path.replace("/r/", "/none/")), None);
        assert!(matches!(
            story.bench.refused(UPDATE, &path.replace("/r/", "/none/"), &json!({ field: sent }).to_string()),
            EngineError::UnsupportedPath
        ));
        story.delete(&path.replace("/r/", "/none/"));
    }
    for path in ["bind-secret-id", "policies", "secret-id-num-uses", "secret-id-ttl", "token-num-uses", "token-ttl"] {
        story.delete(&format!("role/r/{path}"));
    }
    for path in ["token-max-ttl", "period", "token-bound-cidrs", "bound-cidr-list"] {
        story.delete(&format!("role/R/{path}"));
    }
    assert_eq!(story.read("role/r"), before, "a delete sets back what was set");
    assert_eq!(story.read("role/r/local-secret-ids"), Some(json!({ "local_secret_ids": false })));
}

#[test]
fn role_ids_are_one_each_and_can_be_chosen() {
    let story = Story::new();
    let first = story.role("r", json!({}));
    assert_eq!(first.len(), 36);
    let secret_id = story.secret_id("r", json!({})).0;
    story.write("role/R/role-id", json!({ "role_id": "mine" }));
    assert_eq!(story.read("role/r/role-id"), Some(json!({ "role_id": "mine" })));
    story.login("mine", &secret_id).unwrap();
    assert!(!invalid(story.login(&first, &secret_id)), "the former id is nobody's");
    story.write("role/s", json!({ "role_id": "other" }));
    assert_eq!(story.refused("role/s/role-id", json!({ "role_id": "mine" })), "role_id already in use");
    assert_eq!(story.refused("role/t", json!({ "role_id": "mine" })), "role_id already in use");
    assert_eq!(story.refused("role/s/role-id", json!({})), "missing role_id");
    story.write("role/s/role-id", json!({ "role_id": "other" }));
    story.write("role/s/role-id", json!({ "role_id": first }));
    story.delete("role/r");
    story.write("role/t", json!({ "role_id": "mine" }));
    assert_eq!(
        story.refused("role/t/role-id", json!({ "role_id": "x".repeat(4097) })),
        "role_id is longer than 4096 bytes"
    );
    story.write("role/t/role-id", json!({ "role_id": "x".repeat(4096) }));
    assert_eq!(story.read("role/none/role-id"), None);
    assert_eq!(story.list("role", json!({ "after": "r", "limit": 1 })), ["s"]);
}

#[test]
fn a_role_id_taken_twice_at_once_is_taken_once() {
    let story = Story::new();
    let body = json!({ "role_id": "mine" }).to_string();
    let [first, second] = story.bench.at_once((UPDATE, "role/a", &body), (UPDATE, "role/b", &body));
    assert!(first.is_ok() && matches!(second, Err(EngineError::Barrier(_))));
}

#[test]
fn a_login_has_the_roles_fields_and_the_secret_ids_metadata() {
    let story = Story::new();
    let role_id = story.role("App", json!({ "token_policies": "dev", "token_ttl": "10m", "token_num_uses": 3 }));
    let metadata = json!({ "metadata": r#"{"team": "blue", "role_name": "admin"}"# });
    let (secret_id, _) = story.secret_id("app", metadata);
    let login = story.login(&role_id, &secret_id).unwrap();
    assert_eq!(login.display_name, "");
    assert_eq!(login.alias.as_ref().unwrap().name, role_id);
    assert_eq!(serde_json::to_value(&login.metadata).unwrap(), json!({ "team": "blue", "role_name": "app" }));
    assert_eq!(login.policies.iter().map(|p| p.as_str()).collect::<Vec<_>>(), ["dev"]);
    assert_eq!((login.limits.ttl, login.limits.uses), (Some(Seconds(600)), Some(3)));
}

#[test]
fn logins_are_refused() {
    let story = Story::new();
    let role_id = story.role("r", json!({}));
    let secret_id = story.secret_id("r", json!({})).0;
    story.role("s", json!({}));
    let others = story.secret_id("s", json!({})).0;
    for (body, text) in [
        (json!({ "secret_id": secret_id }), "missing role_id"),
        (json!({}), "missing role_id"),
        (json!({ "role_id": role_id }), "missing secret_id"),
    ] {
        assert_eq!(story.refused("login", body), text);
    }
    assert!(!invalid(story.login("wrong", &secret_id)), "a role id of nobody's is not counted");
    assert!(invalid(story.login(&role_id, "wrong")));
    assert!(invalid(story.login(&role_id, &others)), "a secret id is good for its own role");
    story.login(&role_id, &secret_id).unwrap();
}

#[test]
fn the_name_that_is_locked_out_is_the_one_that_logs_in() {
    let engine = bulla_approle::approle();
    let (index, captures) = engine.routes().find("login", UPDATE).unwrap();
    let name = |body: Value| {
        let body = bulla_kit::Body::parse(body.to_string().as_bytes(), &bulla_kit::BodyLimits::default()).unwrap();
        let input = bulla_kit::Input {
            operation: UPDATE,
            path: "login".into(),
            captures: captures.clone(),
            body: std::sync::Arc::new(body),
        };
        (engine.routes().get(index).unwrap().lockout.unwrap().name)(&input)
    };
    assert_eq!(name(json!({ "role_id": "abc" })).as_deref(), Some("abc"));
    assert_eq!(name(json!({ "role_id": 5 })).as_deref(), Some("5"), "as the login reads it");
    assert_eq!((name(json!({ "role_id": "" })), name(json!({})), name(json!({ "role_id": [1] }))), (None, None, None));
}

#[test]
fn a_secret_id_is_used_up() {
    let story = Story::new();
    let role_id = story.role("r", json!({ "secret_id_num_uses": 2 }));
    let records = story.bench.records();
    let (secret_id, accessor) = story.secret_id("r", json!({}));
    story.login(&role_id, &secret_id).unwrap();
    let left = story.lookup("r", &secret_id).unwrap();
    assert_eq!((&left["secret_id_num_uses"], &left["expiration_time"]), (&json!(1), &json!("0001-01-01T00:00:00Z")));
    story.login(&role_id, &secret_id).unwrap();
    assert_eq!(story.lookup("r", &secret_id), None);
    assert!(invalid(story.login(&role_id, &secret_id)));
    assert_eq!(story.accessors("r"), Vec::<String>::new());
    assert_eq!(story.lookup_accessor("r", &accessor), None);
    assert_eq!(story.bench.records(), records, "nothing is left of it");
}

#[test]
fn of_two_logins_at_once_one_uses_a_secret_id_up() {
    let story = Story::new();
    let role_id = story.role("r", json!({ "secret_id_num_uses": 1 }));
    let secret_id = story.secret_id("r", json!({})).0;
    let body = json!({ "role_id": role_id, "secret_id": secret_id }).to_string();
    let [first, second] = story.bench.at_once((UPDATE, "login", &body), (UPDATE, "login", &body));
    assert!(first.is_ok());
    assert!(matches!(second, Err(EngineError::Barrier(_))), "run again, it finds the secret id gone");
    assert!(invalid(story.login(&role_id, &secret_id)));
}

#[test]
fn a_secret_id_without_limit_writes_nothing_at_login() {
    let story = Story::new();
    let role_id = story.role("r", json!({}));
    let secret_id = story.secret_id("r", json!({})).0;
    let body = json!({ "role_id": role_id, "secret_id": secret_id }).to_string();
    let both = story.bench.at_once((UPDATE, "login", &body), (UPDATE, "login", &body));
    assert!(both.iter().all(Result::is_ok), "neither gets into the way of the other");
}

#[test]
fn a_secret_id_gets_what_was_asked_for_within_the_role() {
    let story = Story::new();
    story.role("r", json!({ "secret_id_ttl": "1h", "secret_id_num_uses": 5 }));
    let made = story.make("role/r/secret-id", json!({}));
    assert_eq!((&made["secret_id_num_uses"], &made["secret_id_ttl"]), (&json!(5), &json!(3600)));
    let made = story.make("role/r/secret-id", json!({ "num_uses": 2, "ttl": "10m" }));
    assert_eq!((&made["secret_id_num_uses"], &made["secret_id_ttl"]), (&json!(2), &json!(600)));
    let too_many = "num_uses cannot be higher than the role's secret_id_num_uses";
    let too_long = "ttl cannot be longer than the role's secret_id_ttl";
    for (body, text) in [
        (json!({ "num_uses": 6 }), too_many),
        (json!({ "num_uses": 0 }), too_many),
        (json!({ "ttl": "2h" }), too_long),
        (json!({ "ttl": 0 }), too_long),
        (
            json!({ "metadata": "not json" }),
            "failed to parse metadata: failed to parse the input: invalid <key,value> format",
        ),
    ] {
        assert_eq!(story.refused("role/r/secret-id", body), text);
    }
    assert_eq!(story.accessors("r").len(), 2);
    let none = story.bench.refused(UPDATE, "role/none/secret-id", "{}");
    assert!(matches!(none, EngineError::NotFoundBecause(text) if text == "role \"none\" does not exist"));
    story.role("long", json!({ "secret_id_ttl": 9_999_999 }));
    assert_eq!(story.make("role/long/secret-id", json!({}))["secret_id_ttl"], 2_764_800, "the mount's maximum");
}

#[test]
fn chosen_secret_ids() {
    let story = Story::new();
    let role_id = story.role("r", json!({}));
    let path = "role/r/custom-secret-id";
    assert_eq!(story.make(path, json!({ "secret_id": "chosen" }))["secret_id"], "chosen");
    let again = story.refused(path, json!({ "secret_id": "chosen" }));
    assert_eq!(again, "failed to store secret_id: SecretID is already registered");
    assert_eq!(story.refused(path, json!({})), "missing secret_id");
    assert_eq!(story.refused(path, json!({ "secret_id": "x".repeat(4097) })), "secret_id is longer than 4096 bytes");
    story.make(path, json!({ "secret_id": "x".repeat(4096) }));
    story.login(&role_id, "chosen").unwrap();
    story.role("s", json!({}));
    story.make("role/s/custom-secret-id", json!({ "secret_id": "chosen" }));
}

#[test]
fn an_expired_secret_id_can_be_chosen_anew() {
    let mut story = Story::new();
    let role_id = story.role("r", json!({ "secret_id_ttl": 60 }));
    let records = story.bench.records();
    story.make("role/r/custom-secret-id", json!({ "secret_id": "chosen" }));
    story.bench.advance(Seconds(60));
    story.make("role/r/custom-secret-id", json!({ "secret_id": "chosen" }));
    story.login(&role_id, "chosen").unwrap();
    assert_eq!(story.accessors("r").len(), 1);
    assert_eq!(story.bench.records(), records + 3, "the former one left nothing");
}

#[test]
fn lookups_tell_what_a_secret_id_may_do() {
    let story = Story::new();
    story.role("r", json!({ "secret_id_num_uses": 3, "secret_id_ttl": "1h" }));
    let asked = json!({ "metadata": r#"{"k":"v"}"#, "cidr_list": "10.0.0.0/8", "token_bound_cidrs": "10.1.0.0/16" });
    let (secret_id, accessor) = story.secret_id("r", asked);
    let expected = json!({
        "cidr_list": ["10.0.0.0/8"], "creation_time": "2024-01-01T00:00:00Z", "expiration_time": "2024-01-01T01:00:00Z",
        "last_updated_time": "2024-01-01T00:00:00Z", "metadata": { "k": "v" }, "secret_id_accessor": accessor,
        "secret_id_num_uses": 3, "secret_id_ttl": 3600, "token_bound_cidrs": ["10.1.0.0/16"]
    });
    assert_eq!(story.lookup("R", &secret_id), Some(expected.clone()));
    assert_eq!(story.lookup_accessor("R", &accessor), Some(expected));
    assert_eq!(story.lookup("r", "wrong"), None);
    for accessor in ["wrong", "a/b", "/"] {
        assert_eq!(story.lookup_accessor("r", accessor), None, "{accessor}");
    }
    assert_eq!(story.refused("role/r/secret-id/lookup", json!({})), "missing secret_id");
    assert_eq!(story.refused("role/r/secret-id-accessor/lookup", json!({})), "missing secret_id_accessor");
    let unknown = "role \"none\" does not exist";
    assert_eq!(story.refused("role/none/secret-id/lookup", json!({ "secret_id": secret_id })), unknown);
    assert_eq!(story.bench.refused(LIST, "role/none/secret-id", "").to_string(), unknown);
}

#[test]
fn accessors_come_in_pages() {
    let story = Story::new();
    story.role("r", json!({}));
    let mut made: Vec<String> = (0..5).map(|_| story.secret_id("r", json!({})).1).collect();
    made.sort_unstable();
    assert_eq!(story.accessors("r"), made);
    assert_eq!(story.list("role/r/secret-id", json!({ "after": made[1], "limit": 2 })), made[2..4]);
}

#[test]
fn destroyed_secret_ids_are_gone() {
    let story = Story::new();
    let role_id = story.role("r", json!({}));
    let records = story.bench.records();
    let made: Vec<_> = (0..4).map(|_| story.secret_id("r", json!({ "ttl": 60 }))).collect();
    story.write("role/r/secret-id/destroy", json!({ "secret_id": made[0].0 }));
    story.bench.ok(DELETE, "role/r/secret-id/destroy", &json!({ "secret_id": made[1].0 }).to_string());
    story.write("role/r/secret-id-accessor/destroy", json!({ "secret_id_accessor": made[2].1 }));
    let query = json!({ "secret_id_accessor": made[3].1 }).to_string();
    story.bench.ok(DELETE, "role/r/secret-id-accessor/destroy", &query);
    for (secret_id, _) in &made {
        assert!(invalid(story.login(&role_id, secret_id)));
    }
    assert_eq!(story.bench.records(), records);
    story.write("role/r/secret-id/destroy", json!({ "secret_id": made[0].0 }));
    assert_eq!(story.refused("role/r/secret-id/destroy", json!({})), "missing secret_id");
    assert!(matches!(
        story.bench.refused(DELETE, "role/r/secret-id-accessor/destroy", &query),
        EngineError::NotFoundBecause(_)
    ));
}

#[test]
fn secret_ids_are_bound_to_addresses() {
    let mut story = Story::new();
    story.bench.remote = "127.0.0.1".parse().ok();
    let role_id = story.role("r", json!({ "secret_id_bound_cidrs": "127.0.0.0/8", "secret_id_num_uses": 1 }));
    let here = story.secret_id("r", json!({ "cidr_list": "127.0.0.1/32" })).0;
    story.login(&role_id, &here).unwrap();
    let there = story.secret_id("r", json!({ "cidr_list": "127.0.0.2/32" })).0;
    let refused = |story: &Story| matches!(story.login(&role_id, &there), Err(EngineError::BadRequest(_)));
    assert!(refused(&story));
    story.bench.remote = None;
    assert!(refused(&story), "an address that is not known is none of them");
    story.bench.remote = "127.0.0.2".parse().ok();
    story.login(&role_id, &there).unwrap();

    let outside = story.refused("role/r/secret-id", json!({ "cidr_list": "10.0.0.0/8" }));
    assert!(outside.starts_with("failed to verify subset relationship"), "{outside}");

    let anywhere = story.secret_id("r", json!({})).0;
    story.bench.remote = "10.0.0.1".parse().ok();
    assert!(
        matches!(story.login(&role_id, &anywhere), Err(EngineError::BadRequest(_))),
        "the role's networks hold, too"
    );
    story.bench.remote = "127.0.0.1".parse().ok();
    story.login(&role_id, &anywhere).unwrap();
}

/// A role that is narrowed binds the secret ids that it has already.
#[test]
fn a_narrower_role_narrows_its_secret_ids() {
    let mut story = Story::new();
    story.bench.remote = "127.0.0.1".parse().ok();
    let role_id = story.role("r", json!({}));
    let wide = story.secret_id("r", json!({ "cidr_list": "127.0.0.0/8" })).0;
    let token_wide = story.secret_id("r", json!({ "token_bound_cidrs": "127.0.0.0/8" })).0;
    assert_eq!(story.login(&role_id, &token_wide).unwrap().limits.bound_cidrs.len(), 1);
    story.write("role/r", json!({ "secret_id_bound_cidrs": "127.0.0.1/32", "token_bound_cidrs": "127.0.0.1" }));
    for secret_id in [&wide, &token_wide] {
        assert!(matches!(story.login(&role_id, secret_id), Err(EngineError::BadRequest(_))));
    }
    let outside = story.refused("role/r/secret-id", json!({ "token_bound_cidrs": "127.0.0.2/32" }));
    assert!(outside.starts_with("failed to verify subset relationship"), "{outside}");
}

#[test]
fn roles_without_secret_ids() {
    let mut story = Story::new();
    story.bench.remote = "127.0.0.1".parse().ok();
    let role_id = story.role("r", json!({ "bind_secret_id": false, "secret_id_bound_cidrs": "127.0.0.1/32" }));
    story.login(&role_id, "").unwrap();
    assert_eq!(story.refused("role/r/secret-id", json!({})), "bind_secret_id is not set on the role");
    story.write("role/r", json!({ "secret_id_bound_cidrs": "10.0.0.0/8" }));
    assert!(matches!(story.login(&role_id, ""), Err(EngineError::BadRequest(_))));
    let role_id = story.role("s", json!({ "bind_secret_id": false, "token_bound_cidrs": "10.0.0.0/8" }));
    assert_eq!(story.login(&role_id, "").unwrap().limits.bound_cidrs.len(), 1, "the token is bound, the login is not");
}

#[test]
fn a_renewal_asks_the_role_as_it_is_now() {
    let story = Story::new();
    let role_id = story.role("r", json!({ "token_ttl": 60, "token_policies": "dev" }));
    let login = story.login(&role_id, &story.secret_id("r", json!({})).0).unwrap();
    story.write("role/r", json!({ "token_ttl": 90, "token_policies": "ops" }));
    assert_eq!(story.bench.renew_login(&login).unwrap().ttl, Some(Seconds(90)));
    story.delete("role/r");
    assert!(story.bench.renew_login(&login).unwrap_err().to_string().contains("does not exist any more"));
    story.write("role/r", json!({}));
    assert!(story.bench.renew_login(&login).is_err(), "a role of the same name is another");
}

#[test]
fn a_role_takes_its_secret_ids_with_it() {
    let story = Story::new();
    let role_id = story.role("r", json!({ "role_id": "fixed" }));
    let (secret_id, accessor) = story.secret_id("r", json!({ "ttl": 60 }));
    story.delete("role/r");
    assert_eq!(story.bench.records(), 0);
    assert!(!invalid(story.login(&role_id, &secret_id)));
    story.write("role/r", json!({ "role_id": "fixed" }));
    assert!(invalid(story.login(&role_id, &secret_id)), "the same name and id, and another role");
    assert_eq!(story.lookup_accessor("r", &accessor), None);
    assert!(story.accessors("r").is_empty());
}

/// More secret ids than one batch clears: the rest is out of reach at once, and cleared by later steps.
#[test]
fn a_large_role_is_removed_in_steps() {
    let story = Story::new();
    let role_id = story.role("r", json!({ "role_id": "fixed" }));
    let secret_ids: Vec<String> = (0..501).map(|_| story.secret_id("r", json!({ "ttl": 60 })).0).collect();
    story.delete("role/r");
    assert!(story.bench.records() > 0);
    story.write("role/r", json!({ "role_id": "fixed" }));
    let one = story.secret_id("r", json!({})).0;
    assert!(secret_ids.iter().all(|secret_id| invalid(story.login(&role_id, secret_id))));
    while story.bench.tend().unwrap() {}
    story.login(&role_id, &one).unwrap();
    story.delete("role/r");
    assert_eq!(story.bench.records(), 0);
}

#[test]
fn expired_secret_ids_are_cleared_away_in_steps() {
    let mut story = Story::new();
    let role_id = story.role("r", json!({}));
    let records = story.bench.records();
    for _ in 0..501 {
        story.secret_id("r", json!({ "ttl": 60 }));
    }
    let stays = story.secret_id("r", json!({ "ttl": 61 })).0;
    story.bench.advance(Seconds(59));
    assert!(!story.bench.tend().unwrap());
    assert_eq!(story.accessors("r").len(), 502, "not one too early");
    story.bench.advance(Seconds(1));
    let reply = story.bench.ok(UPDATE, "tidy/secret-id", "");
    assert!(reply.accepted && reply.warnings.len() == 1);
    assert_eq!(story.accessors("r").len(), 2);
    while story.bench.tend().unwrap() {}
    assert_eq!(story.accessors("r").len(), 1);
    story.login(&role_id, &stays).unwrap();
    story.bench.advance(Seconds(1));
    story.bench.tend().unwrap();
    assert_eq!(story.bench.records(), records);
}

/// Clearing reads what is due only: secret ids made meanwhile do not collide with it.
#[test]
fn clearing_away_and_making_do_not_collide() {
    let mut story = Story::new();
    story.role("r", json!({}));
    story.secret_id("r", json!({ "ttl": 60 }));
    story.bench.advance(Seconds(60));
    let make = json!({ "ttl": 60 }).to_string();
    let both = story.bench.at_once((UPDATE, "role/r/secret-id", &make), (UPDATE, "tidy/secret-id", ""));
    assert!(both.iter().all(Result::is_ok), "{both:?}");
}

/// AR-01: by its accessor, the right over one role destroyed secret ids of another.
#[test]
fn ar_01_an_accessor_leads_to_secret_ids_of_its_own_role_only() {
    let story = Story::new();
    story.role("a", json!({}));
    let role_id = story.role("b", json!({}));
    let (secret_id, accessor) = story.secret_id("b", json!({}));
    assert_eq!((story.lookup_accessor("a", &accessor), story.accessors("a").len()), (None, 0));
    let destroy = json!({ "secret_id_accessor": accessor }).to_string();
    for operation in [UPDATE, DELETE] {
        let refused = story.bench.refused(operation, "role/a/secret-id-accessor/destroy", &destroy);
        assert!(matches!(refused, EngineError::NotFoundBecause(_)));
    }
    story.write("role/a/secret-id/destroy", json!({ "secret_id": secret_id }));
    story.delete("role/a");
    story.login(&role_id, &secret_id).unwrap();
    assert_eq!(story.accessors("b"), [accessor]);
}

/// AR-02: indexes spelled a role's name differently, and a secret id lived on without its accessor.
#[test]
fn ar_02_a_role_is_one_in_any_case() {
    let story = Story::new();
    let role_id = story.role("MyRole", json!({}));
    let made = [story.secret_id("myrole", json!({})), story.secret_id("MYROLE", json!({}))];
    assert_eq!(story.accessors("mYrOLE").len(), 2);
    for ((secret_id, accessor), spelled) in made.iter().zip(["MyROLE", "myrole"]) {
        story.login(&role_id, secret_id).unwrap();
        let path = format!("role/{spelled}/secret-id-accessor/destroy");
        story.write(&path, json!({ "secret_id_accessor": accessor }));
        assert!(invalid(story.login(&role_id, secret_id)));
    }
    assert!(story.accessors("MyRole").is_empty());
    assert_eq!(story.list("role", json!({})), ["myrole"]);
}

/// AR-03: a secret id was good until a sweep removed it, whatever its time to live. No sweep runs here.
#[test]
fn ar_03_an_expired_secret_id_is_refused_without_any_sweep() {
    let mut story = Story::new();
    let role_id = story.role("r", json!({ "secret_id_ttl": 60 }));
    let (secret_id, accessor) = story.secret_id("r", json!({}));
    story.bench.now = story.bench.now.plus_nanos(60_000_000_000 - 1);
    story.login(&role_id, &secret_id).unwrap();
    story.bench.now = story.bench.now.plus_nanos(1);
    assert!(invalid(story.login(&role_id, &secret_id)));
    assert_eq!((story.lookup("r", &secret_id), story.lookup_accessor("r", &accessor)), (None, None));
}

/// AUTH-02: ids of credentials stood in the store as they were, readable as names of records.
#[test]
fn auth_02_no_id_can_be_read_in_the_store() {
    let story = Story::new();
    let role_id = story.role("canaryrole", json!({ "secret_id_ttl": 60 }));
    let (secret_id, accessor) = story.secret_id("canaryrole", json!({ "metadata": "a=canarymetadata" }));
    story.make("role/canaryrole/custom-secret-id", json!({ "secret_id": "canarysecret" }));
    for text in ["canary", &role_id, &secret_id, &accessor] {
        assert!(!story.bench.shows(text), "{text}");
    }
}
