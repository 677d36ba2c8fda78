//! What the versioned engine promises, as maps in memory. Not here: how the engine is asked.

use bulla_physical::failing::Failure;
use bulla_types::{Seconds, Time};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Paths of which one is a folder of another, and one looks like a sub-tree.
pub const PATHS: [&str; 4] = ["a", "a/b", "data/ä b", "config"];

/// Where the bench's time begins.
const BEGIN: Time = Time::from_unix(1_704_067_200);

#[derive(Clone, Debug)]
pub enum Call {
    Write {
        path: usize,
        cas: Option<u64>,
        value: u8,
    },
    Patch {
        path: usize,
        cas: Option<u64>,
        member: u8,
        value: Option<u8>,
    },
    Read {
        path: usize,
        version: u64,
    },
    Delete {
        path: usize,
    },
    Mark {
        path: usize,
        how: Mark,
        versions: Vec<u64>,
    },
    Settings {
        path: usize,
        max_versions: u32,
        delete_after: u64,
    },
    Forget {
        path: usize,
    },
    Config {
        max_versions: u32,
        delete_after: i64,
        cas_required: bool,
    },
    Transfer {
        path: usize,
        to: usize,
        how: Transfer,
    },
    Wait {
        seconds: u64,
    },
    /// The machine loses power between two calls, or in the middle of the `nth` write from now on.
    Crash {
        nth: u64,
        how: Option<Failure>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Transfer {
    Copy,
    Move,
}

#[derive(Clone, Copy, Debug)]
pub enum Mark {
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

#[derive(Clone, Default)]
struct Secret {
    current: u64,
    oldest: u64,
    versions: BTreeMap<u64, Version>,
    max_versions: u32,
    delete_after: u64,
}

/// Times in seconds since the beginning.
#[derive(Clone, Default)]
pub struct Model {
    secrets: BTreeMap<usize, Secret>,
    /// The mount's settings; written down as soon as they are not what they were from the beginning.
    max_versions: u32,
    delete_after: i64,
    cas_required: bool,
    configured: bool,
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

    fn follows(&self, path: usize, cas: Option<u64>) -> bool {
        let current = self.secrets.get(&path).map_or(0, |s| s.current);
        cas.map_or(!self.cas_required, |cas| cas == current)
    }

    fn live(&self, version: &Version) -> bool {
        !version.destroyed && version.dies.is_none_or(|at| at > self.now)
    }

    /// Status, and the data or version number that the answer has to show.
    pub fn play(&mut self, call: &Call) -> (u16, Value) {
        match call {
            Call::Write { path, cas, value } => {
                if !self.follows(*path, *cas) {
                    return (400, Value::Null);
                }
                (200, json!(self.add(*path, BTreeMap::from([("v".to_owned(), *value)]))))
            }
            Call::Patch { path, cas, member, value } => {
                let newest = self.secrets.get(path).and_then(|s| s.versions.get(&s.current)).cloned();
                let Some(mut version) = newest.filter(|v| self.live(v)) else { return (404, Value::Null) };
                if !self.follows(*path, *cas) {
                    return (400, Value::Null);
                }
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
            Call::Config { max_versions, delete_after, cas_required } => {
                self.configured |= (*max_versions, *delete_after, *cas_required) != (0, 0, false);
                (self.max_versions, self.delete_after) = (*max_versions, *delete_after);
                self.cas_required = *cas_required;
                (204, Value::Null)
            }
            Call::Transfer { path, to, how } => {
                if path == to {
                    return (400, Value::Null);
                }
                let Some(secret) = self.secrets.get(path).cloned() else { return (404, Value::Null) };
                if self.secrets.contains_key(to) {
                    return (400, Value::Null);
                }
                self.secrets.insert(*to, secret);
                if *how == Transfer::Move {
                    self.secrets.remove(path);
                }
                (204, Value::Null)
            }
            Call::Wait { seconds } => {
                self.now += seconds;
                (0, Value::Null)
            }
            Call::Crash { .. } => (0, Value::Null),
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

    /// All that a client can find out: settings and versions of every secret, the data of those alive.
    pub fn shown(&self) -> Value {
        let secret = |path: usize| self.secrets.get(&path).map_or(Value::Null, |secret| self.shown_secret(secret));
        let all: Vec<Value> = (0..PATHS.len()).map(secret).collect();
        let after = if self.delete_after < 0 { "-1s".to_owned() } else { format!("{}s", self.delete_after) };
        json!({
            "secrets": all,
            "max_versions": self.max_versions,
            "delete_version_after": after,
            "cas_required": self.cas_required,
        })
    }

    fn shown_secret(&self, secret: &Secret) -> Value {
        let versions = secret.versions.iter().map(|(number, version)| {
            let dies = version.dies.map_or_else(String::new, |at| BEGIN.plus(Seconds(at)).rfc3339());
            let data = self.live(version).then_some(&version.data);
            (number.to_string(), json!({ "dies": dies, "destroyed": version.destroyed, "data": data }))
        });
        json!({
            "current": secret.current,
            "oldest": secret.oldest,
            "max_versions": secret.max_versions,
            "delete_version_after": format!("{}s", secret.delete_after),
            "versions": versions.collect::<serde_json::Map<_, _>>(),
        })
    }

    /// A metadata record a secret, a value for each version that is not destroyed, perhaps the configuration.
    pub fn records(&self) -> usize {
        let values = |s: &Secret| s.versions.values().filter(|v| !v.destroyed).count();
        usize::from(self.configured) + self.secrets.values().map(|s| 1 + values(s)).sum::<usize>()
    }
}
