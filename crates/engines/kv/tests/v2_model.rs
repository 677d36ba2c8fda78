//! The versioned engine beside a small model in memory: random calls, power failures in the middle of writes and between
//! them, the same answers and the same contents. `PROPTEST_CASES` says how many stories are told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;
mod model;

use bulla_physical::failing::Failure;
use bulla_types::Seconds;
use common::Story;
use model::{Call, Mark, Model, PATHS, Transfer};
use proptest::prelude::*;
use serde_json::{Value, json};

fn options(cas: Option<u64>) -> Value {
    cas.map_or(json!({}), |cas| json!({ "cas": cas }))
}

fn play(kv: &mut Story, call: &Call) -> (u16, Value) {
    let told = match call {
        Call::Write { path, cas, value } => {
            let body = json!({ "data": { "v": value }, "options": options(*cas) });
            kv.tell(&format!("POST data/{}", PATHS[*path]), &body.to_string())
        }
        Call::Patch { path, cas, member, value } => {
            let body = json!({ "data": { format!("m{member}"): value }, "options": options(*cas) });
            kv.tell(&format!("PATCH data/{}", PATHS[*path]), &body.to_string())
        }
        Call::Read { path, version } => kv.ask(&format!("GET data/{}?version={version}", PATHS[*path])),
        Call::Delete { path } => kv.ask(&format!("DELETE data/{}", PATHS[*path])),
        Call::Mark { path, how, versions } => {
            let route = match how {
                Mark::Delete => "delete",
                Mark::Undelete => "undelete",
                Mark::Destroy => "destroy",
            };
            kv.tell(&format!("POST {route}/{}", PATHS[*path]), &json!({ "versions": versions }).to_string())
        }
        Call::Settings { path, max_versions, delete_after } => kv.tell(
            &format!("POST metadata/{}", PATHS[*path]),
            &json!({ "max_versions": max_versions, "delete_version_after": delete_after }).to_string(),
        ),
        Call::Forget { path } => kv.ask(&format!("DELETE metadata/{}", PATHS[*path])),
        Call::Config { max_versions, delete_after, cas_required } => {
            let body = json!({
                "max_versions": max_versions,
                "delete_version_after": delete_after,
                "cas_required": cas_required,
            });
            kv.tell("POST config", &body.to_string())
        }
        Call::Transfer { path, to, how } => {
            let verb = if *how == Transfer::Copy { "copy" } else { "move" };
            kv.tell(&format!("POST {verb}/{}", PATHS[*path]), &json!({ "to": PATHS[*to] }).to_string())
        }
        Call::Wait { seconds } => {
            kv.bench.advance(Seconds(*seconds));
            return (0, Value::Null);
        }
        Call::Crash { nth, how } => {
            match how {
                Some(how) => kv.bench.device().fail_at(*nth, *how),
                None => kv.bench.restart(),
            }
            return (0, Value::Null);
        }
    };
    let shown = match call {
        Call::Read { .. } => told.data["data"].clone(),
        Call::Write { .. } | Call::Patch { .. } if told.status == 200 => told.data["version"].clone(),
        _ => Value::Null,
    };
    (told.status, shown)
}

/// What [`Model::shown`] shows, as the engine tells it.
fn look(kv: &Story) -> Value {
    let secrets: Vec<Value> = PATHS.iter().map(|path| look_at(kv, path)).collect();
    let config = kv.ask("GET config").data;
    json!({
        "secrets": secrets,
        "max_versions": config["max_versions"],
        "delete_version_after": config["delete_version_after"],
        "cas_required": config["cas_required"],
    })
}

fn look_at(kv: &Story, path: &str) -> Value {
    let metadata = kv.ask(&format!("GET metadata/{path}")).data;
    let Some(versions) = metadata["versions"].as_object() else { return Value::Null };
    let versions = versions.iter().map(|(number, version)| {
        let read = kv.ask(&format!("GET data/{path}?version={number}"));
        assert!([200, 404].contains(&read.status), "{path} {number}: {}", read.text);
        let shown = json!({
            "dies": version["deletion_time"],
            "destroyed": version["destroyed"],
            "data": read.data["data"],
        });
        (number.clone(), shown)
    });
    json!({
        "current": metadata["current_version"],
        "oldest": metadata["oldest_version"],
        "max_versions": metadata["max_versions"],
        "delete_version_after": metadata["delete_version_after"],
        "versions": versions.collect::<serde_json::Map<_, _>>(),
    })
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let path = || 0..PATHS.len();
    let cas = || prop::option::weighted(0.3, 0..5_u64);
    let versions = || prop::collection::vec(0..8_u64, 1..4);
    let how = prop_oneof![Just(Mark::Delete), Just(Mark::Undelete), Just(Mark::Destroy)];
    let transfer = prop_oneof![Just(Transfer::Copy), Just(Transfer::Move)];
    let failure = prop_oneof![Just(Failure::Before), Just(Failure::After), Just(Failure::Torn), Just(Failure::Full)];
    let call = prop_oneof![
        6 => (path(), cas(), any::<u8>()).prop_map(|(path, cas, value)| Call::Write { path, cas, value }),
        3 => (path(), cas(), 0..3_u8, prop::option::of(any::<u8>())).prop_map(|(path, cas, member, value)| Call::Patch { path, cas, member, value }),
        6 => (path(), 0..8_u64).prop_map(|(path, version)| Call::Read { path, version }),
        2 => path().prop_map(|path| Call::Delete { path }),
        3 => (path(), how, versions()).prop_map(|(path, how, versions)| Call::Mark { path, how, versions }),
        1 => (path(), 0..5_u32, 0..4_u64).prop_map(|(path, max_versions, delete_after)| Call::Settings { path, max_versions, delete_after }),
        1 => path().prop_map(|path| Call::Forget { path }),
        1 => (0..5_u32, -1..4_i64, prop::bool::weighted(0.2)).prop_map(|(max_versions, delete_after, cas_required)| Call::Config { max_versions, delete_after, cas_required }),
        3 => (path(), path(), transfer).prop_map(|(path, to, how)| Call::Transfer { path, to, how }),
        2 => (0..3_u64).prop_map(|seconds| Call::Wait { seconds }),
        2 => (1..4_u64, prop::option::weighted(0.8, failure)).prop_map(|(nth, how)| Call::Crash { nth, how }),
    ];
    prop::collection::vec(call, 1..60)
}

/// The call met the end of the machine, which then is switched on again: a write is there whole if it was durable, and
/// not at all if it was not.
fn come_back(kv: &mut Story, model: &mut Model, call: &Call, armed: Failure) {
    if armed == Failure::After {
        model.play(call);
    }
    kv.bench.restart();
}

proptest! {
    #[test]
    fn answers_like_the_model_and_survives_like_it(calls in calls()) {
        let (mut kv, mut model) = (Story::v2_on_device(), Model::default());
        let mut armed = None;
        for (at, call) in calls.iter().enumerate() {
            if let Call::Crash { how, .. } = call {
                armed = *how;
            }
            let told = play(&mut kv, call);
            let met = armed.filter(|_| !matches!(call, Call::Crash { .. }) && !kv.bench.device().armed());
            match met {
                None => prop_assert_eq!(told, model.play(call), "call {}: {:?}", at, call),
                Some(failure) => {
                    prop_assert_eq!(told.0, 500, "call {}: {:?} was acknowledged", at, call);
                    come_back(&mut kv, &mut model, call, failure);
                    armed = None;
                }
            }
            if met.is_some() || matches!(call, Call::Crash { how: None, .. }) {
                prop_assert_eq!(look(&kv), model.shown(), "after call {}: {:?}", at, call);
                prop_assert_eq!(kv.bench.records(), model.records(), "after call {}: {:?}", at, call);
            }
        }
        kv.bench.restart();
        prop_assert_eq!(look(&kv), model.shown());
        prop_assert_eq!(kv.bench.records(), model.records(), "records are left behind or lost");
    }
}
