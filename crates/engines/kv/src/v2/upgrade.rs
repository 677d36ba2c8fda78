//! From the unversioned to the versioned engine, in place: every object becomes version 1 of a secret.
//!
//! All of it happens in the transaction that changes the mount, so that a mount is one or the other, never between.

use super::records::{Config, KeyId, Metadata};
use super::secret;
use crate::v1;
use bulla_kit::{EngineError, View};
use bulla_types::Time;

/// The most secrets converted at once: they are all in memory until the commit.
const MAX_SECRETS: usize = 100_000;

/// The most bytes converted at once; the store takes 32 MiB in one batch.
const MAX_BYTES: usize = 24 << 20;

/// What a secret costs beside its name and its value: metadata, keys, encryption.
const OVERHEAD: usize = 512;

/// Does nothing where there is nothing unversioned.
///
/// # Errors
/// More secrets than one transaction can carry; the mount then stays as it is.
pub async fn from_v1(view: &View, now: Time) -> Result<(), EngineError> {
    let names = view.scan(v1::FOLDER, MAX_SECRETS + 1).await?;
    if names.len() > MAX_SECRETS {
        return Err(too_large());
    }
    let config = Config::default();
    let mut bytes = 0;
    for path in names {
        let old = v1::record(&path);
        let Some(value) = view.get(&old).await? else { continue };
        bytes += value.len() + 2 * path.len() + OVERHEAD;
        if bytes > MAX_BYTES {
            return Err(too_large());
        }
        let mut metadata = Metadata::new(key_id(view, &path), now);
        secret::add_version(view, &path, &mut metadata, &config, v1::object(value)?, now)?;
        view.delete(&old)?;
    }
    Ok(())
}

fn too_large() -> EngineError {
    let megabytes = MAX_BYTES >> 20;
    EngineError::bad(format!(
        "the mount cannot be upgraded in place: it holds more than {MAX_SECRETS} secrets or {megabytes} MiB"
    ))
}

/// There is no request here to ask for randomness; a keyed hash of the path is as unique and says as little.
fn key_id(view: &View, path: &str) -> KeyId {
    let hash = view.hash("kv upgrade", path.as_bytes());
    let mut id = [0; 16];
    id.copy_from_slice(&hash[..16]);
    KeyId(id)
}
