//! A secret's records inside the request's transaction: metadata by name, versions by key id and number.

use super::records::{Config, KeyId, Metadata, VersionRecord, VersionValue, decode, encode};
use bulla_kit::{EngineError, RawJson, View};
use bulla_types::Time;

/// The folder of all metadata records.
pub const FOLDER: &str = "meta";

/// The mount's settings. No version record can have this key: theirs are 24 bytes long.
const CONFIG: &[u8] = b"config";

pub fn record(path: &str) -> String {
    format!("{FOLDER}/{path}")
}

pub fn folder(path: &str) -> String {
    if path.is_empty() { FOLDER.to_owned() } else { record(path) }
}

pub async fn config(view: &View) -> Result<Config, EngineError> {
    match view.plain_get(CONFIG).await? {
        Some(bytes) => decode("configuration", &bytes),
        None => Ok(Config::default()),
    }
}

pub fn put_config(view: &View, config: &Config) -> Result<(), EngineError> {
    view.plain_put(CONFIG, encode("configuration", config)?);
    Ok(())
}

pub async fn exists(view: &View, path: &str) -> Result<bool, EngineError> {
    Ok(view.exists(&record(path)).await?)
}

pub async fn metadata(view: &View, path: &str) -> Result<Option<Metadata>, EngineError> {
    match view.get(&record(path)).await? {
        Some(bytes) => decode("metadata", &bytes).map(Some),
        None => Ok(None),
    }
}

pub fn put_metadata(view: &View, path: &str, metadata: &Metadata) -> Result<(), EngineError> {
    view.put(&record(path), encode("metadata", metadata)?)?;
    Ok(())
}

/// The value of a version that its metadata calls alive.
pub async fn value(view: &View, id: KeyId, version: u64) -> Result<RawJson, EngineError> {
    let bytes = raw_value(view, id, version).await?;
    decode::<VersionValue>("version", &bytes).map(|value| value.data)
}

/// The record of such a value as it is stored.
pub async fn raw_value(view: &View, id: KeyId, version: u64) -> Result<Vec<u8>, EngineError> {
    view.plain_get(&version_key(id, version)).await?.ok_or_else(|| EngineError::damaged("version"))
}

pub fn put_raw_value(view: &View, id: KeyId, version: u64, value: Vec<u8>) {
    view.plain_put(&version_key(id, version), value);
}

pub fn remove_value(view: &View, id: KeyId, version: u64) {
    view.plain_delete(&version_key(id, version));
}

/// Makes `data` the next version; metadata, value and whatever falls out of the window in one transaction.
pub fn add_version(
    view: &View,
    path: &str,
    metadata: &mut Metadata,
    config: &Config,
    data: RawJson,
    now: Time,
) -> Result<VersionRecord, EngineError> {
    let gone = metadata.add_version(config, now);
    let version = metadata.current().copied().ok_or_else(|| EngineError::damaged("metadata"))?;
    let value = encode("version", &VersionValue { created_time: now, data })?;
    view.plain_put(&version_key(metadata.key_id, metadata.current_version), value);
    put_metadata(view, path, metadata)?;
    for (number, old) in gone {
        if !old.destroyed {
            remove_value(view, metadata.key_id, number);
        }
    }
    Ok(version)
}

fn version_key(id: KeyId, version: u64) -> [u8; 24] {
    let mut key = [0; 24];
    key[..16].copy_from_slice(&id.0);
    key[16..].copy_from_slice(&version.to_be_bytes());
    key
}
