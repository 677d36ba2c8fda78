//! Reading and writing versions of a secret.

use super::nothing_to_patch;
use super::records::{Config, KeyId, Metadata, VersionRecord};
use super::secret;
use crate::check_size;
use crate::params::{PathOnly, Sent, secret_path, writable_path};
use crate::tree::{Tree, TreeError};
use bulla_kit::{Answer, Ctx, EngineError, Field, Params, RawJson, Reply};
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Params)]
pub struct ReadParams {
    /// Location of the secret.
    #[param(path)]
    path: String,
    /// Number of the version; zero or less means the newest.
    version: i64,
}

#[derive(Params)]
pub struct SubkeysParams {
    /// Location of the secret.
    #[param(path)]
    path: String,
    /// Number of the version; zero or less means the newest.
    version: i64,
    /// Levels to show; zero or less means all.
    depth: i64,
}

#[derive(Params)]
pub struct WriteParams {
    /// Location of the secret.
    #[param(path)]
    path: String,
    /// The object to keep.
    data: Sent<RawJson>,
    /// Options; `cas` is the version that has to be the newest one, 0 for none yet.
    options: RawJson,
}

/// A version's metadata as every answer shows it.
#[derive(Serialize)]
struct Shown<'a> {
    created_time: String,
    custom_metadata: Option<&'a BTreeMap<String, String>>,
    deletion_time: String,
    destroyed: bool,
    version: u64,
}

impl<'a> Shown<'a> {
    fn of(number: u64, version: &VersionRecord, metadata: &'a Metadata) -> Self {
        Self {
            created_time: version.created_time.rfc3339(),
            custom_metadata: Some(&metadata.custom_metadata).filter(|pairs| !pairs.is_empty()),
            deletion_time: version.deletion_time.map(|time| time.rfc3339()).unwrap_or_default(),
            destroyed: version.destroyed,
            version: number,
        }
    }
}

/// A version that was found: its secret's metadata, its number and record.
struct Found {
    metadata: Metadata,
    number: u64,
    version: VersionRecord,
}

async fn find(ctx: &Ctx, path: &str, wanted: i64) -> Result<Option<Found>, EngineError> {
    let Some(path) = secret_path(path) else { return Ok(None) };
    let Some(metadata) = secret::metadata(&ctx.view, path).await? else { return Ok(None) };
    let number = u64::try_from(wanted).ok().filter(|n| *n > 0).unwrap_or(metadata.current_version);
    Ok(metadata.versions.get(&number).copied().map(|version| Found { metadata, number, version }))
}

pub async fn read(ctx: Ctx, sent: ReadParams) -> Answer {
    #[derive(Serialize)]
    struct Secret<'a> {
        data: Option<RawJson>,
        metadata: Shown<'a>,
    }
    let Some(found) = find(&ctx, &sent.path, sent.version).await? else { return Ok(Reply::none()) };
    let metadata = Shown::of(found.number, &found.version, &found.metadata);
    if !found.version.is_live(ctx.now) {
        return Ok(Reply::json(&Secret { data: None, metadata })?.as_not_found());
    }
    let data = secret::value(&ctx.view, found.metadata.key_id, found.number).await?;
    Reply::json(&Secret { data: Some(data), metadata })
}

pub async fn subkeys(ctx: Ctx, sent: SubkeysParams) -> Answer {
    #[derive(Serialize)]
    struct Keys<'a> {
        metadata: Shown<'a>,
        subkeys: Option<RawJson>,
    }
    let Some(found) = find(&ctx, &sent.path, sent.version).await? else { return Ok(Reply::none()) };
    let metadata = Shown::of(found.number, &found.version, &found.metadata);
    if !found.version.is_live(ctx.now) {
        return Ok(Reply::json(&Keys { metadata, subkeys: None })?.as_not_found());
    }
    let data = secret::value(&ctx.view, found.metadata.key_id, found.number).await?;
    let depth = u64::try_from(sent.depth).ok().filter(|levels| *levels > 0);
    let mut text = String::with_capacity(data.get().len());
    Tree::parse(data.get()).map_err(refused)?.write_keys(depth, &mut text);
    Reply::json(&Keys { metadata, subkeys: Some(RawJson::from_trusted(text)) })
}

pub async fn write(ctx: Ctx, sent: WriteParams) -> Answer {
    let path = writable_path(&sent.path)?;
    let data = sent.data.0.ok_or_else(|| EngineError::bad("no data provided"))?;
    if !data.is_null() {
        check_object("data", &data)?;
    }
    check_size(data.get())?;
    let cas = check_and_set(&sent.options)?;
    let config = secret::config(&ctx.view).await?;
    let mut metadata = match secret::metadata(&ctx.view, path).await? {
        Some(metadata) => metadata,
        None => Metadata::new(KeyId(ctx.random()?), ctx.now),
    };
    cas.allow(&config, &metadata)?;
    store(&ctx, path, &mut metadata, &config, data)
}

pub async fn patch(ctx: Ctx, sent: WriteParams) -> Answer {
    let path = writable_path(&sent.path)?;
    let patch = sent.data.0.filter(|data| !data.is_null()).ok_or_else(|| EngineError::bad("no data provided"))?;
    check_object("data", &patch)?;
    let cas = check_and_set(&sent.options)?;
    let Some(Found { mut metadata, number, version }) = find(&ctx, path, 0).await? else {
        return Ok(nothing_to_patch());
    };
    if !version.is_live(ctx.now) {
        return Ok(Reply::json(&Shown::of(number, &version, &metadata))?.as_not_found());
    }
    let config = secret::config(&ctx.view).await?;
    cas.allow(&config, &metadata)?;
    let before = secret::value(&ctx.view, metadata.key_id, number).await?;
    let data = merge(&before, &patch)?;
    check_size(data.get())?;
    store(&ctx, path, &mut metadata, &config, data)
}

fn merge(before: &RawJson, patch: &RawJson) -> Result<RawJson, EngineError> {
    let mut text = String::with_capacity(before.get().len() + patch.get().len());
    let (old, changes) = (Tree::parse(before.get()).map_err(refused)?, Tree::parse(patch.get()).map_err(refused)?);
    old.merged(changes).write(&mut text);
    RawJson::parse(text).map_err(|_| EngineError::internal("the merged object could not be written"))
}

fn store(ctx: &Ctx, path: &str, metadata: &mut Metadata, config: &Config, data: RawJson) -> Answer {
    let version = secret::add_version(&ctx.view, path, metadata, config, data, ctx.now)?;
    Reply::json(&Shown::of(metadata.current_version, &version, metadata))
}

/// Marks the newest version; nothing to mark is no error.
pub async fn delete(ctx: Ctx, at: PathOnly) -> Answer {
    let Some(path) = secret_path(&at.path) else { return Ok(Reply::none()) };
    let Some(mut metadata) = secret::metadata(&ctx.view, path).await? else { return Ok(Reply::none()) };
    let number = metadata.current_version;
    if let Some(version) = metadata.versions.get_mut(&number).filter(|version| version.is_live(ctx.now)) {
        version.deletion_time = Some(ctx.now);
        secret::put_metadata(&ctx.view, path, &metadata)?;
    }
    Ok(Reply::none())
}

/// What a write says about the version it expects to follow.
enum CheckAndSet {
    NotSent,
    Follows(i64),
}

/// Reads `options.cas`: a number, or a number as text.
fn check_and_set(options: &RawJson) -> Result<CheckAndSet, EngineError> {
    if options.is_null() {
        return Ok(CheckAndSet::NotSent);
    }
    check_object("options", options)?;
    let unreadable = || EngineError::bad("error parsing check-and-set parameter");
    let members: BTreeMap<String, RawJson> = serde_json::from_str(options.get()).map_err(|_| unreadable())?;
    match members.get("cas") {
        Some(cas) => i64::decode(cas).map(CheckAndSet::Follows).map_err(|_| unreadable()),
        None => Ok(CheckAndSet::NotSent),
    }
}

impl CheckAndSet {
    fn allow(&self, config: &Config, metadata: &Metadata) -> Result<(), EngineError> {
        match self {
            Self::NotSent if config.cas_required || metadata.cas_required => {
                Err(EngineError::bad("check-and-set parameter required for this call"))
            }
            Self::Follows(version) if u64::try_from(*version).ok() != Some(metadata.current_version) => {
                Err(EngineError::bad("check-and-set parameter did not match the current version"))
            }
            _ => Ok(()),
        }
    }
}

/// The refusal names the field and the kind of what was sent, never the value.
fn check_object(field: &str, raw: &RawJson) -> Result<(), EngineError> {
    let kind = match raw.get().as_bytes().first() {
        Some(b'{') => return Ok(()),
        Some(b'[') => "a list",
        Some(b'"') => "a text",
        Some(b't' | b'f') => "a boolean",
        _ => "a number",
    };
    Err(EngineError::bad(format!("error converting input for field \"{field}\": expected an object, got {kind}")))
}

fn refused(error: TreeError) -> EngineError {
    match error {
        TreeError::TooDeep => EngineError::bad(error.to_string()),
        TreeError::Malformed => EngineError::damaged("version"),
    }
}
