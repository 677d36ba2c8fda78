//! The method with values in and out, no server: users, logins, renewals.
#![allow(clippy::unwrap_used, clippy::panic, clippy::needless_pass_by_value, reason = "tests")]

use bulla_kit::{Body, BodyLimits, EngineError, Input, LoginIntent, TokenKind};
use bulla_testkit::EngineBench;
use bulla_types::{Operation, Seconds};
use bulla_userpass::userpass;
use serde_json::{Value, json};

const UPDATE: Operation = Operation::Update;
/// `U*U` at the lowest cost that is taken.
const CHEAP: &str = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";

fn bench() -> EngineBench {
    EngineBench::new(userpass())
}

fn write(bench: &EngineBench, path: &str, body: Value) {
    assert!(!bench.ok(UPDATE, path, &body.to_string()).some, "204");
}

fn refused(bench: &EngineBench, path: &str, body: Value) -> String {
    match bench.refused(UPDATE, path, &body.to_string()) {
        EngineError::BadRequest(text) => text,
        other => panic!("{path}: {other:?}"),
    }
}

fn read(bench: &EngineBench, path: &str) -> Option<Value> {
    bench.ok(Operation::Read, path, "").data.map(|data| data.to_value())
}

fn login(bench: &EngineBench, name: &str, password: &str) -> Result<LoginIntent, EngineError> {
    let body = json!({ "password": password }).to_string();
    bench.call(UPDATE, &format!("login/{name}"), &body).map(|reply| reply.login.unwrap())
}

/// Some name has it, or none: whether the failure is one of the former.
fn invalid(bench: &EngineBench, name: &str, password: &str) -> bool {
    match login(bench, name, password) {
        Err(EngineError::InvalidCredentials { text, known }) => {
            assert_eq!(text, "invalid username or password");
            known
        }
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn a_user_is_kept_shown_and_removed() {
    let bench = bench();
    assert_eq!(read(&bench, "users/ada"), None);
    let body = json!({ "password": "p1" }).to_string();
    assert_eq!(bench.call_as(UPDATE, "users/ada", &body).0, Operation::Create);
    assert_eq!(bench.call_as(UPDATE, "users/ADA", &body).0, UPDATE);
    let expected = json!({
        "token_bound_cidrs": [], "token_explicit_max_ttl": 0, "token_max_ttl": 0, "token_no_default_policy": false,
        "token_num_uses": 0, "token_period": 0, "token_policies": [], "token_strictly_bind_ip": false,
        "token_ttl": 0, "token_type": "default"
    });
    assert_eq!(read(&bench, "users/ada"), Some(expected));
    assert!(!bench.ok(Operation::Delete, "users/ada", "").some);
    assert_eq!(read(&bench, "users/ada"), None);
    assert!(!bench.ok(Operation::Delete, "users/ada", "").some);
    assert!(!bench.ok(Operation::List, "users/", "").some, "404");
}

#[test]
fn lists_come_in_pages() {
    let bench = bench();
    for name in ["c", "a", "B"] {
        write(&bench, &format!("users/{name}"), json!({ "password_hash": CHEAP }));
    }
    let list =
        |query: Value| bench.ok(Operation::List, "users/", &query.to_string()).data.unwrap().to_value()["keys"].clone();
    assert_eq!(list(json!({})), json!(["a", "b", "c"]));
    assert_eq!(list(json!({ "limit": "2" })), json!(["a", "b"]));
    assert_eq!(list(json!({ "after": "a" })), json!(["b", "c"]));
}

#[test]
fn a_login_has_the_users_fields() {
    let bench = bench();
    let fields = json!({
        "password": "p1", "token_policies": "ops,dev", "token_ttl": "10m", "token_max_ttl": "1h", "token_num_uses": 5,
        "token_type": "service", "token_no_default_policy": true
    });
    write(&bench, "users/Ada", fields);
    let login = login(&bench, "aDa", "p1").unwrap();
    assert_eq!(login.display_name, "ada");
    assert_eq!(login.metadata["username"], "ada");
    assert_eq!(login.alias.unwrap().name, "ada");
    assert_eq!(login.policies.iter().map(|p| p.as_str()).collect::<Vec<_>>(), ["dev", "ops"]);
    assert_eq!((login.limits.ttl, login.limits.max_ttl), (Some(Seconds(600)), Some(Seconds(3600))));
    assert_eq!((login.limits.uses, login.limits.kind), (Some(5), TokenKind::Service));
    assert!(login.limits.no_default_policy && login.renewable);
}

#[test]
fn a_new_user_needs_one_of_password_and_hash() {
    let bench = bench();
    assert_eq!(refused(&bench, "users/bob", json!({})), "must provide either password or password_hash");
    let both = json!({ "password": "x", "password_hash": CHEAP });
    assert_eq!(refused(&bench, "users/bob", both), "only one of password or password_hash may be provided");
    let nonsense = json!({ "password_hash": "nonsense" });
    assert_eq!(refused(&bench, "users/bob", nonsense), "password_hash is not a valid bcrypt hash");
    let wrong = json!({ "password": "x", "token_ttl": "2h", "token_max_ttl": "1h" });
    assert_eq!(refused(&bench, "users/bob", wrong), "'token_ttl' cannot be greater than 'token_max_ttl'");
    assert_eq!(read(&bench, "users/bob"), None);
    assert_eq!(bench.records(), 0, "a refused write leaves nothing");
}

#[test]
fn a_user_stays_who_he_is_when_other_fields_change() {
    let bench = bench();
    write(&bench, "users/ada", json!({ "password_hash": CHEAP }));
    write(&bench, "users/ada", json!({ "token_ttl": 60 }));
    assert_eq!(login(&bench, "ada", "U*U").unwrap().limits.ttl, Some(Seconds(60)));
}

#[test]
fn passwords_change_by_both_routes() {
    let bench = bench();
    write(&bench, "users/ada", json!({ "password_hash": CHEAP, "token_policies": "dev" }));
    write(&bench, "users/ADA/password", json!({ "password": "p2" }));
    assert!(invalid(&bench, "ada", "U*U"));
    assert_eq!(login(&bench, "ada", "p2").unwrap().policies.len(), 1);
    write(&bench, "users/ada", json!({ "password": "p3" }));
    assert!(invalid(&bench, "ada", "p2"));
    login(&bench, "ada", "p3").unwrap();
    let none = json!({ "password": "", "password_hash": "" });
    assert_eq!(refused(&bench, "users/ada/password", none), "must provide either password or password_hash");
    assert_eq!(refused(&bench, "users/none/password", json!({ "password": "x" })), "username does not exist");
    assert_eq!(bench.ok(Operation::List, "users/", "").data.unwrap().to_value()["keys"], json!(["ada"]));
}

#[test]
fn policies_change_by_both_names() {
    let bench = bench();
    let shown = |bench: &EngineBench| {
        let data = read(bench, "users/ada").unwrap();
        (data["token_policies"].clone(), data.get("policies").cloned())
    };
    write(&bench, "users/ada", json!({ "password_hash": CHEAP, "policies": "one" }));
    assert_eq!(shown(&bench), (json!(["one"]), Some(json!(["one"]))));
    write(&bench, "users/aDA/policies", json!({ "token_policies": ["Two", "three", "two"] }));
    assert_eq!(shown(&bench), (json!(["three", "two"]), None));
    write(&bench, "users/ada/policies", json!({ "policies": "four" }));
    assert_eq!(shown(&bench), (json!(["four"]), Some(json!(["four"]))));
    write(&bench, "users/ada/policies", json!({}));
    assert_eq!(shown(&bench).0, json!(["four"]), "nothing sent changes nothing");
    write(&bench, "users/ada/policies", json!({ "token_policies": "" }));
    assert_eq!(shown(&bench), (json!([]), None));
    assert_eq!(refused(&bench, "users/none/policies", json!({ "policies": "x" })), "username does not exist");
}

#[test]
fn bound_addresses_are_checked_at_login() {
    let mut bench = bench();
    write(&bench, "users/ada", json!({ "password_hash": CHEAP, "token_bound_cidrs": "10.0.0.0/8" }));
    assert!(matches!(login(&bench, "ada", "U*U"), Err(EngineError::DeniedBecause(_))), "no address, no login");
    bench.remote = Some("11.0.0.1".parse().unwrap());
    assert!(matches!(login(&bench, "ada", "U*U"), Err(EngineError::DeniedBecause(_))));
    assert!(invalid(&bench, "ada", "wrong"), "where one is says nothing about the password");
    bench.remote = Some("10.0.0.1".parse().unwrap());
    assert_eq!(login(&bench, "ada", "U*U").unwrap().limits.bound_cidrs.len(), 1);
}

#[test]
fn a_renewal_asks_whether_the_user_is_still_the_same() {
    let bench = bench();
    write(&bench, "users/ada", json!({ "password_hash": CHEAP, "token_policies": "dev,ops", "token_ttl": 60 }));
    let token = login(&bench, "ada", "U*U").unwrap();
    write(&bench, "users/ada", json!({ "token_ttl": 90 }));
    assert_eq!(bench.renew_login(&token).unwrap().ttl, Some(Seconds(90)));
    write(&bench, "users/ada/policies", json!({ "token_policies": "dev" }));
    assert_eq!(bench.renew_login(&token).unwrap_err().to_string(), "policies have changed, not renewing");
    write(&bench, "users/ada/policies", json!({ "token_policies": "ops,dev" }));
    bench.renew_login(&token).unwrap();
    bench.ok(Operation::Delete, "users/ada", "");
    assert!(bench.renew_login(&token).unwrap_err().to_string().contains("does not exist"));
}

/// The name was all that a renewal asked about: who left and had a namesake join kept the old tokens for ever.
#[test]
fn a_token_of_a_former_user_is_not_renewed_for_the_namesake() {
    let bench = bench();
    let user = json!({ "password_hash": CHEAP, "token_policies": "dev" });
    write(&bench, "users/ada", user.clone());
    let former = login(&bench, "ada", "U*U").unwrap();
    bench.ok(Operation::Delete, "users/ada", "");
    write(&bench, "users/ada", user);
    assert!(bench.renew_login(&former).unwrap_err().to_string().contains("does not exist"));
    let present = login(&bench, "ada", "U*U").unwrap();
    bench.renew_login(&present).unwrap();
    // A token without a word about its user is of the time before users had ids, and so is no token of this one.
    assert!(bench.renew_login(&LoginIntent { internal: None, ..present }).is_err());
}

#[test]
fn passwords_of_72_bytes_are_taken_and_of_73_refused() {
    let bench = bench();
    let (fits, over) = ("x".repeat(72), "x".repeat(73));
    assert_eq!(refused(&bench, "users/ada", json!({ "password": over })), "password length exceeds 72 bytes");
    write(&bench, "users/ada", json!({ "password": fits }));
    assert_eq!(refused(&bench, "users/ada/password", json!({ "password": over })), "password length exceeds 72 bytes");
    login(&bench, "ada", &fits).unwrap();
    assert!(invalid(&bench, "ada", &"x".repeat(71)));
}

#[test]
fn a_login_without_password_is_no_failed_one() {
    let bench = bench();
    write(&bench, "users/ada", json!({ "password_hash": CHEAP }));
    assert_eq!(refused(&bench, "login/ada", json!({})), "missing password");
    assert_eq!(refused(&bench, "login/ada", json!({ "password": "" })), "missing password");
}

/// UP-01: unknown users were answered at once, without the work of a hash, which told who exists. Here both do work, and
/// say the same; users whose ready-made hash is cheaper or dearer included.
#[test]
fn up_01_unknown_users_cost_what_known_ones_cost() {
    let bench = bench();
    write(&bench, "users/ada", json!({ "password": "p1" }));
    write(&bench, "users/cheap", json!({ "password_hash": CHEAP }));
    let fastest = |name: &str, known: bool| {
        let times = (0..4).map(|_| {
            let start = std::time::Instant::now();
            assert_eq!(invalid(&bench, name, "wrong"), known);
            start.elapsed()
        });
        times.min().unwrap()
    };
    let (ada, cheap, nobody) = (fastest("ada", true), fastest("cheap", true), fastest("nobody", false));
    for (name, time) in [("nobody", nobody), ("cheap", cheap)] {
        // Wide, for busy machines: without the work it would be a thirtieth or less.
        let ratio = time.as_secs_f64() / ada.as_secs_f64();
        assert!((0.25..4.0).contains(&ratio), "{name} takes {ratio:.2} of what ada takes");
    }
}

/// UP-01 again: a hash dearer than our own raises the work of every login, whoever it is for.
#[test]
fn up_01_a_dear_hash_raises_the_work_of_all() {
    let bench = bench();
    let dear = CHEAP.replace("$05$", "$12$");
    let time = || {
        let start = std::time::Instant::now();
        assert!(!invalid(&bench, "nobody", "wrong"));
        start.elapsed()
    };
    let before = (0..3).map(|_| time()).min().unwrap();
    write(&bench, "users/dear", json!({ "password_hash": dear }));
    let after = (0..3).map(|_| time()).min().unwrap();
    assert!(after > before.mul_f64(2.0), "{before:?} {after:?}");
}

/// MFA-03: the lockout counted names as typed, so each spelling had tries of its own. The name that is counted, the one
/// that is stored and the one identity sees are one text.
#[test]
fn mfa_03_every_spelling_is_counted_as_one_name() {
    let engine = userpass();
    for spelled in ["alice", "Alice", "ALICE"] {
        let (index, captures) = engine.routes().find(&format!("login/{spelled}"), UPDATE).unwrap();
        let route = engine.routes().get(index).unwrap();
        let name = |body: &str| {
            let body = std::sync::Arc::new(Body::parse(body.as_bytes(), &BodyLimits::default()).unwrap());
            let input = Input { operation: UPDATE, path: String::new(), captures: captures.clone(), body };
            (route.lockout.unwrap().name)(&input)
        };
        assert_eq!(name(r#"{"password":"x"}"#).as_deref(), Some("alice"));
        // No try: all names are told so, locked or not.
        for body in ["{}", r#"{"password":""}"#, r#"{"password":null}"#, r#"{"password":[1]}"#] {
            assert_eq!(name(body), None, "{body}");
        }
    }
    assert!(engine.routes().find("login/alice ", UPDATE).is_none(), "a name with a space is nobody's");
}

/// AUTH-02: ids of credentials stood in the store as they were, readable as names of records.
#[test]
fn auth_02_nothing_of_a_user_can_be_read_in_the_store() {
    let bench = bench();
    write(&bench, "users/canaryname", json!({ "password": "canary-password", "token_policies": "canarypolicy" }));
    for text in ["canary", "$2b$", "canaryname", "password_hash"] {
        assert!(!bench.shows(text), "{text}");
    }
}
