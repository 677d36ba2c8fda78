//! `sys/capabilities-self` and `sys/capabilities`: what a token of many policies may do with many paths.

use bulla_testkit::{Client, ServerOptions, ServerProcess};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const PATHS: usize = 1_000;
const POLICIES: usize = 38;
const RULES: usize = 10;
const ROUNDS: usize = 300;

/// Prints what it finds.
pub fn run() {
    let (_server, client, _) = ServerProcess::ready(ServerOptions {
        prefix: ["taskset", "-c", "0"].map(str::to_owned).to_vec(),
        more: "log_level = \"warn\"".into(),
        ..ServerOptions::default()
    });
    let names: Vec<String> = (0..POLICIES).map(|policy| format!("team{policy}")).collect();
    for (policy, name) in names.iter().enumerate() {
        let _ = client.put(&format!("sys/policies/acl/{name}"), json!({ "policy": rules(policy) })).ok();
    }
    let answer = client.post("auth/token/create", json!({ "policies": names, "ttl": "24h" })).ok().json();
    let token = answer["auth"]["client_token"].as_str().unwrap_or_default().to_owned();
    let paths: Vec<String> = (0..PATHS).map(path).collect();
    let own = client.clone().with_token(&token);
    measure("capabilities-self", &own, &json!({ "paths": paths }));
    measure("capabilities", &client, &json!({ "paths": paths, "token": token }));
    println!("goal: under 5 ms");
}

/// Plain paths, globs, wildcards in the middle and denials, no two policies quite the same.
fn rules(policy: usize) -> String {
    let rule = |rule: usize| match rule % 5 {
        0 => format!(
            "path \"kv/data/team{policy}/app{rule}/*\" {{ capabilities = [\"create\", \"read\", \"update\"] }}\n"
        ),
        1 => format!("path \"kv/data/+/shared{rule}/team{policy}\" {{ capabilities = [\"read\"] }}\n"),
        2 => format!("path \"kv/metadata/team{policy}/a{rule}/*\" {{ capabilities = [\"list\", \"read\"] }}\n"),
        3 => format!("path \"kv/data/team{policy}/app{rule}/root\" {{ capabilities = [\"deny\"] }}\n"),
        _ => format!("path \"database/+/team{policy}-{rule}*\" {{ capabilities = [\"read\", \"sudo\"] }}\n"),
    };
    (0..RULES).map(rule).collect()
}

/// Most meet a rule, every sixth none.
fn path(number: usize) -> String {
    let team = number % (POLICIES + 2);
    match number % 6 {
        0 => format!("kv/data/team{team}/app5/config{number}"),
        1 => format!("kv/data/x{number}/shared6/team{team}"),
        2 => format!("kv/metadata/team{team}/a2/b/c{number}"),
        3 => format!("kv/data/team{team}/app8/root"),
        4 => format!("database/creds/team{team}-4-{number}"),
        _ => format!("pki/issue/role{number}"),
    }
}

/// Median and 99 % of many calls, one after the other, the client's part included.
fn measure(name: &str, client: &Client, body: &Value) {
    let answer = client.post(&format!("sys/{name}"), body.clone()).ok().json();
    let granted =
        answer["data"].as_object().map_or(0, |paths| paths.values().filter(|c| **c != json!(["deny"])).count());
    let Ok(mut connection) = client.connect() else { return eprintln!("no connection") };
    let body = body.to_string();
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let begin = Instant::now();
            match connection.send("POST", &format!("sys/{name}"), &body) {
                Ok(answer) => drop(answer.ok()),
                Err(error) => eprintln!("{error}"),
            }
            begin.elapsed()
        })
        .collect();
    times.sort();
    println!(
        "{name}: {PATHS} paths ({granted} granted), {POLICIES} policies of {RULES} rules: median {:.1?}, p99 {:.1?}",
        times[times.len() / 2],
        times[times.len() * 99 / 100]
    );
}
