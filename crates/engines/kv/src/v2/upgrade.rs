//! From the unversioned to the versioned engine, in place: every object becomes version 1 of a secret.
//!
//! A small mount is converted in the transaction that changes it. A larger one goes on in the background, a batch at a
//! time; what is converted is no longer there to be converted, so that a crash between two batches costs nothing.

use super::records::{Config, KeyId, Metadata};
use super::secret;
use crate::v1;
use bulla_kit::BarrierError;
use bulla_kit::{EngineError, Setup, View};
use bulla_types::Time;

/// The most secrets converted in one transaction.
const MAX_SECRETS: usize = 1_000;
/// The most bytes converted in one transaction: with the largest secret on top still small beside the 32 MiB that the
/// store takes in one batch.
const MAX_BYTES: usize = 4 << 20;
/// What a secret costs beside its name and its value: metadata, keys, encryption.
const OVERHEAD: usize = 512;

/// Does nothing where there is nothing unversioned. Converts all or nothing: what does not fit into one batch is left to
/// [`step`], when no request comes between any more.
///
/// # Errors
/// Storage.
pub async fn begin(view: &View, now: Time) -> Result<Setup, EngineError> {
    let names = view.scan(v1::FOLDER, MAX_SECRETS + 1).await?;
    if names.len() > MAX_SECRETS {
        return Ok(Setup::Unfinished);
    }
    let mut bytes = 0;
    for path in &names {
        bytes += readable(view, path).await?.map_or(0, |value| cost(path, &value));
        if bytes > MAX_BYTES {
            return Ok(Setup::Unfinished);
        }
    }
    step(view, now).await
}

/// Converts as many secrets as fit, at least one if there is any.
///
/// # Errors
/// Storage.
pub async fn step(view: &View, now: Time) -> Result<Setup, EngineError> {
    let mut batch = Batch::default();
    let mut most = MAX_SECRETS + 1;
    loop {
        let names = view.scan(v1::FOLDER, most).await?;
        if batch.convert(view, &names, now).await? == Room::None {
            return Ok(Setup::Unfinished);
        }
        if names.len() < most {
            return Ok(Setup::Done);
        }
        // Some of these are damaged and stay: those that follow still have room.
        most *= 2;
    }
}

/// What one transaction converts.
#[derive(Default)]
struct Batch {
    bytes: usize,
    done: usize,
}

#[derive(PartialEq, Eq)]
enum Room {
    Left,
    None,
}

impl Batch {
    async fn convert(&mut self, view: &View, names: &[String], now: Time) -> Result<Room, EngineError> {
        let config = Config::default();
        for path in names {
            let Some(value) = readable(view, path).await? else { continue };
            let size = cost(path, &value);
            let Ok(object) = v1::object(value) else { continue };
            self.bytes += size;
            if self.done == MAX_SECRETS || (self.done > 0 && self.bytes > MAX_BYTES) {
                return Ok(Room::None);
            }
            let mut metadata = Metadata::new(key_id(view, path), now);
            secret::add_version(view, path, &mut metadata, &config, object, now)?;
            view.delete(&v1::record(path))?;
            self.done += 1;
        }
        Ok(Room::Left)
    }
}

/// What lies at a path. A record that is damaged stays where it is: it must not keep the others from being read again.
async fn readable(view: &View, path: &str) -> Result<Option<Vec<u8>>, EngineError> {
    match view.get(&v1::record(path)).await {
        Err(BarrierError::Damaged { .. }) => Ok(None),
        found => Ok(found?),
    }
}

fn cost(path: &str, value: &[u8]) -> usize {
    value.len() + 2 * path.len() + OVERHEAD
}

/// There is no request here to ask for randomness; a keyed hash of the path is as unique and says as little.
fn key_id(view: &View, path: &str) -> KeyId {
    let hash = view.hash("kv upgrade", path.as_bytes());
    let mut id = [0; 16];
    id.copy_from_slice(&hash[..16]);
    KeyId(id)
}
