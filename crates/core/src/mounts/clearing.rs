//! Clearing a mount that has been disabled, one small batch at a time, so that requests have room in between.
//!
//! ```text
//! its leases are ended ──► engines take the secrets back, for which they need its data ──► named records ──► plain records
//!     ──► failed logins ──► its own record
//! ```
//! Where a batch ended is stored with what it deleted: the next one, after a crash too, does not look again at all that is
//! gone. Nothing is added meanwhile: a write to a mount collides with its being disabled.
//! Not here: when this happens (`workers`), what a request that disables a mount clears itself (`routes`).

use super::MountStore;
use crate::lease::{self, LeasesLeft};
use crate::login::lockout_folder;
use bulla_barrier::{Txn, View};
use bulla_kit::EngineError;
use bulla_records::{MountRecord, decode, encode};
use bulla_types::{NamespaceId, ScopeId, Time};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const FOLDER: &str = "core/mounts-clearing";
/// Records that go where one lease would be ended: they are cheap.
const RECORDS: usize = 4;

/// How far a mount has been cleared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clearing {
    Done,
    /// There is more to do at once.
    More,
    /// Engines have yet to take secrets back.
    Waiting,
}

/// What is being cleared, in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Part {
    #[default]
    Leases,
    Secrets,
    Named,
    Plain,
    Logins,
}

impl Part {
    fn next(self) -> Option<Self> {
        match self {
            Self::Leases => Some(Self::Secrets),
            Self::Secrets => Some(Self::Named),
            Self::Named => Some(Self::Plain),
            Self::Plain => Some(Self::Logins),
            Self::Logins => None,
        }
    }
}

/// Where the last batch ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    part: Part,
    /// Hex; `None` = at the beginning of the part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<String>,
}

impl Place {
    fn key(mount: ScopeId) -> String {
        format!("{FOLDER}/{mount}")
    }

    async fn read(root: &View, mount: ScopeId) -> Result<Self, EngineError> {
        let Some(bytes) = root.get(&Self::key(mount)).await? else { return Ok(Self::default()) };
        // Only time is lost by beginning anew.
        Ok(decode("clearing of a mount", &bytes).unwrap_or_default())
    }

    fn write(&self, root: &View, mount: ScopeId) -> Result<(), EngineError> {
        let bytes = encode("clearing of a mount", self).map_err(|e| EngineError::internal(e.to_string()))?;
        Ok(root.put(&Self::key(mount), bytes)?)
    }
}

/// What a batch leaves of its part.
enum Left {
    /// The rest lies behind here.
    Behind(Vec<u8>),
    /// Perhaps there is more, at the beginning.
    Again,
    Nothing,
    Waiting,
}

/// One batch of about `limit` entries. May run again.
///
/// # Errors
/// Storage.
pub async fn clear_some(
    txn: &Arc<Txn>,
    record: &MountRecord,
    now: Time,
    limit: usize,
) -> Result<Clearing, EngineError> {
    let root = View::new(txn, NamespaceId::ROOT.0);
    let place = Place::read(&root, record.uuid).await?;
    let after = place.after.as_ref().and_then(|text| hex::decode(text).ok());
    let next = match clear_part(txn, record, place.part, after.as_deref(), now, limit).await? {
        Left::Waiting => return Ok(Clearing::Waiting),
        Left::Behind(key) => Place { part: place.part, after: Some(hex::encode(key)) },
        Left::Again => Place { part: place.part, after: None },
        Left::Nothing => match place.part.next() {
            Some(part) => Place { part, after: None },
            None => {
                root.delete(&Place::key(record.uuid))?;
                MountStore::new(txn, NamespaceId::ROOT).delete(record.uuid)?;
                return Ok(Clearing::Done);
            }
        },
    };
    next.write(&root, record.uuid)?;
    Ok(Clearing::More)
}

async fn clear_part(
    txn: &Arc<Txn>,
    record: &MountRecord,
    part: Part,
    after: Option<&[u8]>,
    now: Time,
    limit: usize,
) -> Result<Left, EngineError> {
    let view = View::new(txn, record.uuid);
    let records = limit.saturating_mul(RECORDS);
    let next = match part {
        Part::Leases => {
            return Ok(match lease::end_mount(txn, &record.accessor, after, now, limit).await? {
                LeasesLeft::Behind(key) => Left::Behind(key),
                LeasesLeft::Again => Left::Again,
                LeasesLeft::Nothing => Left::Nothing,
            });
        }
        Part::Secrets if lease::has_any(txn, &record.accessor).await? => return Ok(Left::Waiting),
        Part::Secrets => None,
        Part::Named => view.clear_on(after, records).await?,
        Part::Plain => view.plain_clear_on(after, records).await?,
        Part::Logins => {
            let logins = View::new(txn, NamespaceId::ROOT.0).below(&lockout_folder(&record.accessor))?;
            logins.clear_on(after, records).await?
        }
    };
    Ok(next.map_or(Left::Nothing, Left::Behind))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;
    use crate::testing::Server;
    use crate::{Background, CoreConfig, Workers};
    use bulla_types::Operation;
    use serde_json::json;
    use std::time::Duration;

    /// A mount with so many records of each kind, more than a request clears itself, and its id.
    async fn disabled(records: usize) -> (Server, ScopeId) {
        let server = Server::start(1, 1, CoreConfig { workers: Workers::Stopped, ..CoreConfig::default() }).await;
        server.write("sys/mounts/b", json!({ "type": "box" })).await.ok();
        let pass = server.core.gate.pass().unwrap();
        let mount = pass.owner().state.load().mounts.at("b/").unwrap().record.uuid;
        let txn = Txn::begin(&pass).unwrap();
        let view = View::new(&txn, mount);
        for n in 0..records {
            view.put(&format!("folder{}/name{n}", n % 7), b"{}".to_vec()).unwrap();
            view.plain_put(&(n as u64).to_be_bytes(), b"{}".to_vec());
        }
        txn.commit(()).await.unwrap();
        drop((view, txn, pass));
        server.call(Operation::Delete, "sys/mounts/b", json!({})).await.ok();
        (server, mount)
    }

    /// Records that are left, named and plain, and where the clearing is.
    async fn left(server: &Server, mount: ScopeId) -> (usize, usize, Place) {
        let pass = server.core.gate.pass().unwrap();
        let txn = Txn::begin(&pass).unwrap();
        let view = View::new(&txn, mount);
        let named = view.scan("", usize::MAX).await.unwrap().len();
        let plain = view.plain_count(&[]).await.unwrap();
        (named, plain, Place::read(&View::new(&txn, NamespaceId::ROOT.0), mount).await.unwrap())
    }

    async fn is_known(server: &Server, mount: ScopeId) -> bool {
        let pass = server.core.gate.pass().unwrap();
        let txn = Txn::begin(&pass).unwrap();
        let all = MountStore::new(&txn, NamespaceId::ROOT).all().await.unwrap();
        all.iter().any(|record| record.uuid == mount)
    }

    /// A disabled mount used to be cleared 5000 records at a time, each batch looking again at all that was gone.
    #[tokio::test]
    async fn a_large_mount_goes_in_small_steps_that_follow_each_other_through_restarts() {
        const RECORDS_OF_A_KIND: usize = 20_200;
        let (server, mount) = disabled(RECORDS_OF_A_KIND).await;
        let mut background = Background::default();
        let (mut named, mut plain, mut place) = left(&server, mount).await;
        assert!(named + plain > RECORDS_OF_A_KIND, "the request has cleared too much itself");
        let most = bulla_lease::SMALL * RECORDS;
        let (mut steps, mut went_on) = (0, 0);
        while is_known(&server, mount).await {
            if steps % 50 == 7 {
                server.core.shutdown(Duration::ZERO).await;
                server.unseal(&server.shares.clone()[..1]).await.unwrap();
                background = Background::default();
            }
            // The first look at all is slow; a few steps go between two looks.
            for _ in 0..20 {
                server.core.work_once(&mut background).await.unwrap();
                steps += 1;
            }
            let (named_now, plain_now, place_now) = left(&server, mount).await;
            assert!(named + plain - named_now - plain_now <= 20 * most, "too much in one step");
            assert!(steps < 10_000, "it does not end");
            if place_now.part == place.part && place.after.is_some() {
                assert!(place_now.after > place.after, "{place_now:?} comes after {place:?}");
                went_on += 1;
            }
            (named, plain, place) = (named_now, plain_now, place_now);
        }
        assert_eq!(left(&server, mount).await, (0, 0, Place::default()));
        assert!(went_on > steps / 20 / 2, "most batches begin where another ended");
    }
}
