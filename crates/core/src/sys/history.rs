//! `sys/version-history`: which versions of Bulla have opened this store, and since when.
//!
//! The key is Bulla's own version, because people ask here what ran when; the version of the API that clients were told at
//! the time stands beside it (see docs/decisions/0008-version-shown.md). Lies at `core/versions` of the root namespace.

use super::SysCtx;
use crate::config::CoreConfig;
use bulla_barrier::{Txn, View};
use bulla_kit::{Answer, EngineError, NoParams, Reply};
use bulla_records::{decode, encode};
use bulla_types::{NamespaceId, Time};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::sync::Arc;

const PLACE: &str = "core/versions";
/// More than anybody upgrades; a server told ever new versions forgets the oldest.
const MOST: usize = 500;

/// A version that has opened the store; the oldest comes first.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
struct Installed {
    version: String,
    /// What clients were told when it was first noted.
    api_version: String,
    build_date: String,
    since: Time,
}

/// Notes the version that runs, if the store has not seen it before. Going back to an older version adds nothing.
///
/// # Errors
/// Storage; a record that cannot be read.
pub async fn note(txn: &Arc<Txn>, config: &CoreConfig, now: Time) -> Result<(), EngineError> {
    let mut history = load(txn).await?;
    if history.iter().any(|known| known.version == config.own_version) {
        return Ok(());
    }
    history.push(Installed {
        version: config.own_version.clone(),
        api_version: config.version.clone(),
        build_date: config.build_date.clone(),
        since: now,
    });
    let surplus = history.len().saturating_sub(MOST);
    history.drain(..surplus);
    let bytes = encode("versions", &history).map_err(|error| EngineError::internal(error.to_string()))?;
    Ok(View::new(txn, NamespaceId::ROOT.0).put(PLACE, bytes)?)
}

/// Answers the route.
pub async fn list(ctx: SysCtx, _: NoParams) -> Answer {
    let history = load(ctx.txn()).await?;
    let mut info: Map<String, Value> = Map::new();
    let mut previous = Value::Null;
    for one in &history {
        let entry = json!({
            "previous_version": previous,
            "build_date": one.build_date,
            "timestamp_installed": one.since.rfc3339(),
            "api_version": one.api_version,
        });
        info.insert(one.version.clone(), entry);
        previous = one.version.as_str().into();
    }
    let keys: Vec<&str> = history.iter().map(|one| one.version.as_str()).collect();
    Reply::json(&json!({ "keys": keys, "key_info": info }))
}

async fn load(txn: &Arc<Txn>) -> Result<Vec<Installed>, EngineError> {
    match View::new(txn, NamespaceId::ROOT.0).get(PLACE).await? {
        Some(bytes) => decode("versions", &bytes).map_err(|_| EngineError::damaged("version history")),
        None => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

    use super::*;
    use crate::testing::Server;
    use bulla_types::Operation;

    fn running(version: &str) -> CoreConfig {
        CoreConfig { own_version: version.into(), version: "1.21.4".into(), ..CoreConfig::default() }
    }

    async fn noted(server: &Server, version: &str, now: u64) {
        let txn = Txn::begin(&server.core.gate.pass().unwrap()).unwrap();
        note(&txn, &running(version), Time::from_unix(now)).await.unwrap();
        txn.commit(()).await.unwrap();
    }

    #[tokio::test]
    async fn each_version_is_noted_once_with_the_one_before() {
        let server = Server::start(1, 1, running("0.1.0")).await;
        let first = server.call(Operation::List, "sys/version-history", json!({})).await.ok();
        assert_eq!(first["keys"], json!(["0.1.0"]), "the version that initialised the store");
        assert_eq!(first["key_info"]["0.1.0"]["api_version"], "1.21.4");
        for (version, now) in [("0.2.0", 2_000_000_000), ("0.1.0", 2_000_000_001), ("0.2.0", 2_000_000_002)] {
            noted(&server, version, now).await;
        }
        let history = server.call(Operation::List, "sys/version-history", json!({})).await.ok();
        assert_eq!(history["keys"], json!(["0.1.0", "0.2.0"]));
        assert_eq!(history["key_info"]["0.1.0"], first["key_info"]["0.1.0"]);
        assert_eq!(history["key_info"]["0.2.0"]["previous_version"], "0.1.0");
        assert_eq!(history["key_info"]["0.2.0"]["timestamp_installed"], "2033-05-18T03:33:20Z");
    }

    #[tokio::test]
    async fn the_oldest_is_forgotten_past_the_limit() {
        let server = Server::start(1, 1, running("first")).await;
        for number in 1..MOST {
            noted(&server, &number.to_string(), 1).await;
        }
        let full = server.call(Operation::List, "sys/version-history", json!({})).await.ok();
        assert_eq!((full["keys"].as_array().unwrap().len(), &full["keys"][0]), (MOST, &json!("first")));
        noted(&server, "one more", 1).await;
        let full = server.call(Operation::List, "sys/version-history", json!({})).await.ok();
        assert_eq!((full["keys"].as_array().unwrap().len(), &full["keys"][0]), (MOST, &json!("1")));
    }
}
