//! The versioned engine beside a small model in memory: random calls, the same answers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use bulla_types::Seconds;
use common::Story;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
enum Call {
    Write { path: usize, cas: Option<u64>, value: u8 },
    Patch { path: usize, member: u8, value: Option<u8> },
    Read { path: usize, version: u64 },
    Delete { path: usize },
    Mark { path: usize, how: Mark, versions: Vec<u64> },
    Settings { path: usize, max_versions: u32, delete_after: u64 },
    Forget { path: usize },
    Config { max_versions: u32, delete_after: i64 },
    Wait { seconds: u64 },
}

#[derive(Clone, Copy, Debug)]
enum Mark {
    Delete,
    Undelete,
    Destroy,
}

#[derive(Clone, Default)]
struct Version {
    data: BTreeMap<String, u8>,
    dies: Option<u64>,
    destroyed: bool,
}

#[derive(Default)]
struct Secret {
    current: u64,
    oldest: u64,
    versions: BTreeMap<u64, Version>,
    max_versions: u32,
    delete_after: u64,
}

/// Times in seconds since the beginning.
#[derive(Default)]
struct Model {
    secrets: BTreeMap<usize, Secret>,
    max_versions: u32,
    delete_after: i64,
    now: u64,
}

impl Model {
    fn dies(&self, path: usize) -> Option<u64> {
        let own = self.secrets.get(&path).map_or(0, |s| s.delete_after);
        let span = match (self.delete_after, own) {
            (-1, _) | (0, 0) => return None,
            (0, own) => own,
            (mount, 0) => mount.unsigned_abs(),
            (mount, own) => own.min(mount.unsigned_abs()),
        };
        Some(self.now + span)
    }

    fn add(&mut self, path: usize, data: BTreeMap<String, u8>) -> u64 {
        let dies = self.dies(path);
        let secret = self.secrets.entry(path).or_default();
        secret.current += 1;
        secret.versions.insert(secret.current, Version { data, dies, destroyed: false });
        let limit = u64::from(match secret.max_versions.max(self.max_versions) {
            0 => 10,
            some => some,
        });
        if secret.current - secret.oldest >= limit {
            secret.oldest = secret.current - limit + 1;
            let oldest = secret.oldest;
            secret.versions.retain(|number, _| *number >= oldest);
        }
        secret.current
    }

    fn live(&self, version: &Version) -> bool {
        !version.destroyed && version.dies.is_none_or(|at| at > self.now)
    }

    /// Status, and the data or version number that the answer has to show.
    fn play(&mut self, call: &Call) -> (u16, Value) {
        match call {
            Call::Write { path, cas, value } => {
                let current = self.secrets.get(path).map_or(0, |s| s.current);
                if cas.is_some_and(|cas| cas != current) {
                    return (400, Value::Null);
                }
                (200, json!(self.add(*path, BTreeMap::from([("v".to_owned(), *value)]))))
            }
            Call::Patch { path, member, value } => {
                let newest = self.secrets.get(path).and_then(|s| s.versions.get(&s.current)).cloned();
                let Some(mut version) = newest.filter(|v| self.live(v)) else { return (404, Value::Null) };
                let name = format!("m{member}");
                match value {
                    Some(value) => version.data.insert(name, *value),
                    None => version.data.remove(&name),
                };
                (200, json!(self.add(*path, version.data)))
            }
            Call::Read { path, version } => {
                let found = self
                    .secrets
                    .get(path)
                    .and_then(|s| s.versions.get(if *version == 0 { &s.current } else { version }));
                match found {
                    Some(version) if self.live(version) => (200, json!(version.data)),
                    _ => (404, Value::Null),
                }
            }
            Call::Delete { path } => {
                let current = self.secrets.get(path).map_or(0, |s| s.current);
                self.mark(*path, Mark::Delete, &[current]);
                (204, Value::Null)
            }
            Call::Mark { path, how, versions } => {
                self.mark(*path, *how, versions);
                (204, Value::Null)
            }
            Call::Settings { path, max_versions, delete_after } => {
                let secret = self.secrets.entry(*path).or_default();
                (secret.max_versions, secret.delete_after) = (*max_versions, *delete_after);
                (204, Value::Null)
            }
            Call::Forget { path } => {
                self.secrets.remove(path);
                (204, Value::Null)
            }
            Call::Config { max_versions, delete_after } => {
                (self.max_versions, self.delete_after) = (*max_versions, *delete_after);
                (204, Value::Null)
            }
            Call::Wait { seconds } => {
                self.now += seconds;
                (0, Value::Null)
            }
        }
    }

    fn mark(&mut self, path: usize, how: Mark, versions: &[u64]) {
        let (dies, now) = (self.dies(path), self.now);
        let Some(secret) = self.secrets.get_mut(&path) else { return };
        for number in versions {
            let Some(version) = secret.versions.get_mut(number).filter(|v| !v.destroyed) else { continue };
            match how {
                Mark::Delete if version.dies.is_none_or(|at| at > now) => version.dies = Some(now),
                Mark::Delete => {}
                Mark::Undelete => version.dies = dies,
                Mark::Destroy => version.destroyed = true,
            }
        }
    }

    /// A metadata record a secret, a value for each version that is not destroyed, perhaps the configuration.
    fn records(&self) -> usize {
        self.secrets.values().map(|s| 1 + s.versions.values().filter(|v| !v.destroyed).count()).sum()
    }
}

/// Paths of which one is a folder of another, and one looks like a sub-tree.
const PATHS: [&str; 4] = ["a", "a/b", "data/ä b", "config"];

fn play(kv: &mut Story, call: &Call) -> (u16, Value) {
    let told = match call {
        Call::Write { path, cas, value } => {
            let options = cas.map_or(json!({}), |cas| json!({ "cas": cas }));
            kv.tell(
                &format!("POST data/{}", PATHS[*path]),
                &json!({ "data": { "v": value }, "options": options }).to_string(),
            )
        }
        Call::Patch { path, member, value } => {
            let name = format!("m{member}");
            kv.tell(&format!("PATCH data/{}", PATHS[*path]), &json!({ "data": { name: value } }).to_string())
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
        Call::Config { max_versions, delete_after } => kv.tell(
            "POST config",
            &json!({ "max_versions": max_versions, "delete_version_after": delete_after }).to_string(),
        ),
        Call::Wait { seconds } => {
            kv.bench.advance(Seconds(*seconds));
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

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let path = || 0..PATHS.len();
    let versions = || prop::collection::vec(0..8_u64, 1..4);
    let how = prop_oneof![Just(Mark::Delete), Just(Mark::Undelete), Just(Mark::Destroy)];
    let call = prop_oneof![
        6 => (path(), prop::option::weighted(0.3, 0..5_u64), any::<u8>()).prop_map(|(path, cas, value)| Call::Write { path, cas, value }),
        3 => (path(), 0..3_u8, prop::option::of(any::<u8>())).prop_map(|(path, member, value)| Call::Patch { path, member, value }),
        6 => (path(), 0..8_u64).prop_map(|(path, version)| Call::Read { path, version }),
        2 => path().prop_map(|path| Call::Delete { path }),
        3 => (path(), how, versions()).prop_map(|(path, how, versions)| Call::Mark { path, how, versions }),
        1 => (path(), 0..5_u32, 0..4_u64).prop_map(|(path, max_versions, delete_after)| Call::Settings { path, max_versions, delete_after }),
        1 => path().prop_map(|path| Call::Forget { path }),
        1 => (0..5_u32, -1..4_i64).prop_map(|(max_versions, delete_after)| Call::Config { max_versions, delete_after }),
        2 => (0..3_u64).prop_map(|seconds| Call::Wait { seconds }),
    ];
    prop::collection::vec(call, 1..60)
}

proptest! {
    #[test]
    fn answers_like_the_model(calls in calls()) {
        let (mut kv, mut model) = (Story::v2(), Model::default());
        for (at, call) in calls.iter().enumerate() {
            prop_assert_eq!(play(&mut kv, call), model.play(call), "call {}: {:?}", at, call);
        }
        let configured = usize::from(kv.bench.records() > model.records());
        prop_assert_eq!(kv.bench.records(), model.records() + configured);
        let asked = calls.iter().any(|call| matches!(call, Call::Config { .. }));
        prop_assert!(asked || configured == 0, "records are left behind");
    }
}
