//! Stored forms. Fields are only ever added, with a default; `golden/` holds what has been written so far.

use bulla_kit::EngineError;
use bulla_kit::RawJson;
use bulla_types::{Seconds, Time};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::collections::BTreeMap;

/// Versions kept where neither mount nor secret says how many.
pub const DEFAULT_VERSIONS: u64 = 10;

/// The most versions kept, whatever was asked for: the map of that many, each deleted and destroyed, still fits one
/// record (up to 107 bytes a version, and the notes, of 1.06 MiB).
pub const MAX_VERSIONS: u32 = 8_000;

/// The mount's `delete_version_after`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MountDeletion {
    /// Secrets may set their own.
    #[default]
    Unset,
    /// Switched off for every secret.
    Off,
    After(Seconds),
}

/// Settings of a mount.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// 0 = [`DEFAULT_VERSIONS`].
    pub max_versions: u32,
    pub cas_required: bool,
    pub metadata_cas_required: bool,
    pub delete_version_after: MountDeletion,
}

/// Names a secret's version records, so that the store's keys say nothing about its path.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyId(pub [u8; 16]);

impl std::fmt::Debug for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyId({:032x})", u128::from_be_bytes(self.0))
    }
}

impl Serialize for KeyId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&format!("{:032x}", u128::from_be_bytes(self.0)))
    }
}

impl<'de> Deserialize<'de> for KeyId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        if text.len() != 32 {
            return Err(de::Error::custom("expected 32 hexadecimal digits"));
        }
        u128::from_str_radix(&text, 16).map(|id| Self(id.to_be_bytes())).map_err(de::Error::custom)
    }
}

/// What is known of one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionRecord {
    pub created_time: Time,
    /// May lie in the future: from then on the version counts as deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_time: Option<Time>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub destroyed: bool,
}

impl VersionRecord {
    pub fn is_deleted(&self, now: Time) -> bool {
        self.deletion_time.is_some_and(|time| time <= now)
    }

    /// Neither deleted nor destroyed.
    pub fn is_live(&self, now: Time) -> bool {
        !self.destroyed && !self.is_deleted(now)
    }
}

/// A secret but for the values of its versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    pub key_id: KeyId,
    pub created_time: Time,
    pub updated_time: Time,
    /// 0 = no version yet.
    #[serde(default)]
    pub current_version: u64,
    /// 0 until the limit of versions was first reached.
    #[serde(default)]
    pub oldest_version: u64,
    #[serde(default)]
    pub versions: BTreeMap<u64, VersionRecord>,
    #[serde(default)]
    pub max_versions: u32,
    #[serde(default)]
    pub cas_required: bool,
    #[serde(default)]
    pub metadata_cas_required: bool,
    #[serde(default)]
    pub delete_version_after: Seconds,
    #[serde(default)]
    pub custom_metadata: BTreeMap<String, String>,
    /// Counts writes of the metadata itself.
    #[serde(default)]
    pub metadata_version: u64,
}

impl Metadata {
    pub fn new(key_id: KeyId, now: Time) -> Self {
        Self {
            key_id,
            created_time: now,
            updated_time: now,
            current_version: 0,
            oldest_version: 0,
            versions: BTreeMap::new(),
            max_versions: 0,
            cas_required: false,
            metadata_cas_required: false,
            delete_version_after: Seconds::ZERO,
            custom_metadata: BTreeMap::new(),
            metadata_version: 0,
        }
    }

    pub fn current(&self) -> Option<&VersionRecord> {
        self.versions.get(&self.current_version)
    }

    /// Adds the next version and answers those that fall out of the window, oldest first.
    pub fn add_version(&mut self, config: &Config, now: Time) -> Vec<(u64, VersionRecord)> {
        self.current_version += 1;
        self.updated_time = now;
        let deletion_time = self.deletion_time(config, now);
        self.versions
            .insert(self.current_version, VersionRecord { created_time: now, deletion_time, destroyed: false });
        let limit = match u64::from(self.max_versions.max(config.max_versions)) {
            0 => DEFAULT_VERSIONS,
            some => some.min(u64::from(MAX_VERSIONS)),
        };
        if self.current_version - self.oldest_version.min(self.current_version) < limit {
            return Vec::new();
        }
        self.oldest_version = self.current_version - limit + 1;
        let kept = self.versions.split_off(&self.oldest_version);
        std::mem::replace(&mut self.versions, kept).into_iter().collect()
    }

    /// When a version that begins (or comes back) now will count as deleted.
    pub fn deletion_time(&self, config: &Config, now: Time) -> Option<Time> {
        let own = (!self.delete_version_after.is_zero()).then_some(self.delete_version_after);
        let span = match config.delete_version_after {
            MountDeletion::Off => None,
            MountDeletion::Unset => own,
            MountDeletion::After(mount) => Some(own.map_or(mount, |own| own.min(mount))),
        };
        span.map(|span| now.plus(span))
    }
}

/// One version's value.
#[derive(Serialize, Deserialize)]
pub struct VersionValue {
    pub created_time: Time,
    /// The user's object, or null.
    pub data: RawJson,
}

/// # Errors
/// `bytes` are no such record.
pub fn decode<'a, T: Deserialize<'a>>(what: &str, bytes: &'a [u8]) -> Result<T, EngineError> {
    serde_json::from_slice(bytes).map_err(|_| EngineError::damaged(what))
}

/// # Errors
/// A fault in the program.
pub fn encode<T: Serialize>(what: &str, record: &T) -> Result<Vec<u8>, EngineError> {
    serde_json::to_vec(record).map_err(|_| EngineError::internal(format!("the {what} could not be written")))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_false(flag: &bool) -> bool {
    !flag
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const BEGIN: Time = Time::from_unix(1_704_067_200);

    fn id() -> KeyId {
        KeyId(std::array::from_fn(|i| u8::try_from(i).unwrap()))
    }

    fn metadata() -> Metadata {
        let later = BEGIN.plus(Seconds(1));
        let destroyed =
            VersionRecord { created_time: BEGIN, deletion_time: Some(BEGIN.plus(Seconds(60))), destroyed: true };
        let live = VersionRecord { created_time: later, deletion_time: None, destroyed: false };
        Metadata {
            updated_time: later,
            current_version: 3,
            oldest_version: 2,
            versions: BTreeMap::from([(2, destroyed), (3, live)]),
            max_versions: 2,
            cas_required: true,
            delete_version_after: Seconds(90),
            custom_metadata: BTreeMap::from([("owner".into(), "ada".into())]),
            metadata_version: 4,
            ..Metadata::new(id(), BEGIN)
        }
    }

    /// What has been written once is read for ever; what is written now is what the file shows.
    #[test]
    fn stored_forms_stay() {
        let text = include_str!("../../golden/metadata.json").trim();
        assert_eq!(decode::<Metadata>("metadata", text.as_bytes()).unwrap(), metadata());
        assert_eq!(encode("metadata", &metadata()).unwrap(), text.as_bytes());
        let oldest = include_str!("../../golden/metadata-oldest.json").trim();
        assert_eq!(decode::<Metadata>("metadata", oldest.as_bytes()).unwrap(), Metadata::new(id(), BEGIN));
        let config = Config {
            max_versions: 5,
            cas_required: true,
            metadata_cas_required: false,
            delete_version_after: MountDeletion::After(Seconds(90)),
        };
        let text = include_str!("../../golden/config.json").trim();
        assert_eq!(decode::<Config>("configuration", text.as_bytes()).unwrap(), config);
        assert_eq!(encode("configuration", &config).unwrap(), text.as_bytes());
        assert_eq!(decode::<Config>("configuration", b"{}").unwrap(), Config::default());
        let text = include_str!("../../golden/version.json").trim();
        let value: VersionValue = decode("version", text.as_bytes()).unwrap();
        assert_eq!(encode("version", &value).unwrap(), text.as_bytes());
    }

    /// Two secrets that shared an id would share their values.
    #[test]
    fn metadata_without_a_proper_id_is_no_metadata() {
        for id in ["", "\"key_id\":\"00\",", "\"key_id\":\"zz0102030405060708090a0b0c0d0e0f\","] {
            let text = format!("{{{id}\"created_time\":1,\"updated_time\":1}}");
            assert!(decode::<Metadata>("metadata", text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn the_largest_map_of_versions_fits_one_record() {
        let mut metadata = Metadata { max_versions: u32::MAX, ..Metadata::new(id(), Time(u64::MAX)) };
        let dead = VersionRecord { created_time: Time(u64::MAX), deletion_time: Some(Time(u64::MAX)), destroyed: true };
        let first = u64::from(u32::MAX);
        metadata.versions = (first..first + u64::from(MAX_VERSIONS)).map(|number| (number, dead)).collect();
        (metadata.current_version, metadata.oldest_version) = (first + u64::from(MAX_VERSIONS) - 1, first);
        // Quotes are the characters that grow most in JSON.
        let value = "\"".repeat(512);
        metadata.custom_metadata = (0..64).map(|i| (format!("{i:02}{}", "\"".repeat(126)), value.clone())).collect();
        let dropped = metadata.add_version(&Config::default(), Time(u64::MAX));
        assert_eq!((dropped.len(), metadata.versions.len() as u64), (1, u64::from(MAX_VERSIONS)));
        let size = encode("metadata", &metadata).unwrap().len();
        assert!(size < (1 << 20) + (60 << 10), "{size}");
    }
}
