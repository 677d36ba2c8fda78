//! Wrapped answers: one taker, once, and no longer than was asked for.
//!
//! | Attack | Guard that was switched off to see the test fail |
//! | --- | --- |
//! | take one answer out several times at once, in the new form and the old | `take` leaves the token |
//! | ask for a time beyond all clocks | the header's limit is the greatest number |
//! | change a policy with PATCH in a body that says it is something else | the edge asks for no media type |

use bulla_testkit::{Client, HttpAnswer, ServerOptions, ServerProcess};
use serde_json::json;
use std::sync::Barrier;

/// A request with one header more.
fn with(client: &Client, header: &str, method: &str, path: &str, body: &str) -> HttpAnswer {
    let mut connection = client.connect().unwrap();
    let head = connection.head(method, path, body.len()).replacen("\r\n", &format!("\r\n{header}\r\n"), 1);
    connection.write(format!("{head}{body}").as_bytes()).unwrap();
    connection.answer().unwrap()
}

fn wrapped(client: &Client) -> String {
    let told = with(client, "X-Vault-Wrap-TTL: 60", "GET", "cubbyhole/k", "").ok().json();
    told["wrap_info"]["token"].as_str().unwrap().to_owned()
}

#[test]
fn of_many_who_take_an_answer_out_one_has_it() {
    let (_server, client, _) = ServerProcess::ready(ServerOptions::default());
    let _ = client.post("cubbyhole/k", json!({ "secret": "hidden" })).ok();
    for round in 0..20 {
        let token = wrapped(&client);
        let (holder, start) = (client.with_token(&token), Barrier::new(9));
        let answers: Vec<HttpAnswer> = std::thread::scope(|scope| {
            let takers: Vec<_> = (0..9)
                .map(|number| {
                    let (holder, client, token, start) = (&holder, &client, &token, &start);
                    scope.spawn(move || {
                        start.wait();
                        match number % 3 {
                            0 => holder.post("sys/wrapping/unwrap", json!({})),
                            1 => client.post("sys/wrapping/unwrap", json!({ "token": token })),
                            _ => holder.get("cubbyhole/response"),
                        }
                    })
                })
                .collect();
            takers.into_iter().map(|taker| taker.join().unwrap()).collect()
        });
        let had = answers.iter().filter(|told| told.text().contains("hidden")).count();
        assert_eq!(had, 1, "round {round}: {:?}", answers.iter().map(|told| told.status).collect::<Vec<_>>());
        assert!(answers.iter().all(|told| matches!(told.status, 200 | 400 | 403)), "round {round}");
    }
}

#[test]
fn wrapping_times_that_make_no_sense_are_refused() {
    let (_server, client, _) = ServerProcess::ready(ServerOptions::default());
    let _ = client.post("cubbyhole/k", json!({ "secret": "hidden" })).ok();
    for time in
        ["9223372037", "99999999999999", "9223372036854775808", "-1", "-1ns", "soon", "1e9", "2562048h", "60,60"]
    {
        let told = with(&client, &format!("X-Vault-Wrap-TTL: {time}"), "GET", "cubbyhole/k", "");
        assert_eq!(told.status, 400, "{time}: {}", told.text());
        assert!(told.errors().contains("X-Vault-Wrap-TTL") && !told.text().contains("hidden"), "{time}");
    }
    for (time, seconds) in [("1ns", 1), ("500ms", 1), ("1", 1), ("9223372036", 9_223_372_036_u64)] {
        let told = with(&client, &format!("X-Vault-Wrap-TTL: {time}"), "GET", "cubbyhole/k", "").ok();
        assert_eq!(told.json()["wrap_info"]["ttl"], seconds, "{time}");
        assert!(!told.text().contains("hidden"), "{time}");
    }
    for time in ["0", "0s", ""] {
        let told = with(&client, &format!("X-Vault-Wrap-TTL: {time}"), "GET", "cubbyhole/k", "").ok();
        assert_eq!(told.json()["data"]["secret"], "hidden", "{time:?}");
    }
}

#[test]
fn a_policy_is_patched_by_a_patch_only() {
    let (_server, client, _) = ServerProcess::ready(ServerOptions::default());
    let body = json!({ "policy": "# first", "cas_required": true, "expiration": "2100-01-01T00:00:00Z" });
    let _ = client.put("sys/policies/acl/p", body).ok();
    let change = r##"{"policy":"# second","cas":1}"##;
    for kind in ["application/json", "application/json-patch+json", "text/plain"] {
        let told = with(&client, &format!("Content-Type: {kind}"), "PATCH", "sys/policies/acl/p", change);
        assert_eq!(told.status, 415, "{kind}: {}", told.text());
    }
    let kind = "Content-Type: application/merge-patch+json";
    assert_eq!(with(&client, kind, "PATCH", "sys/policies/acl/absent", change).status, 404);
    assert_eq!(with(&client, kind, "PATCH", "sys/policies/acl/p", r##"{"policy":"# second"}"##).status, 400);
    assert_eq!(client.get("sys/policies/acl/p").ok().json()["data"]["policy"], "# first");
    assert_eq!(with(&client, kind, "PATCH", "sys/policies/acl/p", change).status, 204);
    let now = client.get("sys/policies/acl/p").ok().json()["data"].clone();
    assert_eq!((&now["policy"], &now["cas_required"], &now["version"]), (&json!("# second"), &json!(true), &json!(2)));
    assert!(now["expiration"].as_str().unwrap().starts_with("2100-01-01"));
}
