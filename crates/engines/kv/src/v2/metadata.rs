//! Settings and notes of a secret, its list of versions, and the names of secrets.

use super::config::{deletion_span, version_limit};
use super::custom::CustomPairs;
use super::nothing_to_patch;
use super::records::{Config, KeyId, Metadata};
use super::secret;
use crate::params::{ListParams, NotNegative, PathOnly, Sent, secret_path, writable_path};
use crate::v1::{scan_reply, scanned};
use bulla_kit::{Answer, Ctx, EngineError, Params, RawJson, Reply};
use indexmap::IndexMap;
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Params)]
pub struct MetadataParams {
    /// Location of the secret.
    #[param(path)]
    path: String,
    /// Number of versions to keep; the larger of this and the mount's counts. 0: as the mount says.
    max_versions: Sent<i64>,
    /// Every write of this secret must bring `cas`.
    cas_required: Sent<bool>,
    /// Every write of this metadata must bring `metadata_cas`.
    metadata_cas_required: Sent<bool>,
    /// Time after which a version counts as deleted; the shorter of this and the mount's counts.
    delete_version_after: Sent<NotNegative>,
    /// Notes: up to 64 pairs of texts.
    custom_metadata: Sent<CustomPairs>,
    /// The number of metadata writes there must have been; 0 for a new secret.
    metadata_cas: Sent<i64>,
}

/// How notes that are sent meet those that are there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Notes {
    Replace,
    Merge,
}

#[derive(Serialize)]
struct ShownVersion {
    created_time: String,
    deletion_time: String,
    destroyed: bool,
}

#[derive(Serialize)]
struct Shown<'a> {
    cas_required: bool,
    created_time: String,
    current_metadata_version: u64,
    current_version: u64,
    custom_metadata: Option<&'a BTreeMap<String, String>>,
    delete_version_after: String,
    max_versions: u32,
    metadata_cas_required: bool,
    oldest_version: u64,
    updated_time: String,
    versions: BTreeMap<u64, ShownVersion>,
}

impl<'a> Shown<'a> {
    fn of(metadata: &'a Metadata) -> Self {
        let versions = metadata.versions.iter().map(|(number, version)| {
            let shown = ShownVersion {
                created_time: version.created_time.rfc3339(),
                deletion_time: version.deletion_time.map(|time| time.rfc3339()).unwrap_or_default(),
                destroyed: version.destroyed,
            };
            (*number, shown)
        });
        Self {
            cas_required: metadata.cas_required,
            created_time: metadata.created_time.rfc3339(),
            current_metadata_version: metadata.metadata_version,
            current_version: metadata.current_version,
            custom_metadata: Some(&metadata.custom_metadata).filter(|pairs| !pairs.is_empty()),
            delete_version_after: metadata.delete_version_after.to_string(),
            max_versions: metadata.max_versions,
            metadata_cas_required: metadata.metadata_cas_required,
            oldest_version: metadata.oldest_version,
            updated_time: metadata.updated_time.rfc3339(),
            versions: versions.collect(),
        }
    }
}

pub async fn read(ctx: Ctx, at: PathOnly) -> Answer {
    let Some(path) = secret_path(&at.path) else { return Ok(Reply::none()) };
    match secret::metadata(&ctx.view, path).await? {
        Some(metadata) => Reply::json(&Shown::of(&metadata)),
        None => Ok(Reply::none()),
    }
}

pub async fn write(ctx: Ctx, sent: MetadataParams) -> Answer {
    let path = writable_path(&sent.path)?.to_owned();
    if sent.says_nothing() {
        return Ok(Reply::none());
    }
    let config = secret::config(&ctx.view).await?;
    let (metadata, is_new) = match secret::metadata(&ctx.view, &path).await? {
        Some(metadata) => (metadata, false),
        None => (Metadata::new(KeyId(ctx.random()?), ctx.now), true),
    };
    sent.check_and_set(&config, &metadata, is_new)?;
    store(&ctx, &path, &config, metadata, sent, Notes::Replace)
}

pub async fn patch(ctx: Ctx, sent: MetadataParams) -> Answer {
    let path = writable_path(&sent.path)?.to_owned();
    let Some(metadata) = secret::metadata(&ctx.view, &path).await? else { return Ok(nothing_to_patch()) };
    if sent.says_nothing() {
        return Ok(Reply::none());
    }
    let config = secret::config(&ctx.view).await?;
    sent.check_and_set(&config, &metadata, false)?;
    store(&ctx, &path, &config, metadata, sent, Notes::Merge)
}

fn store(ctx: &Ctx, path: &str, config: &Config, mut metadata: Metadata, sent: MetadataParams, notes: Notes) -> Answer {
    let mut warnings = sent.overruled(config);
    warnings.extend(sent.apply(&mut metadata, notes)?);
    metadata.metadata_version += 1;
    metadata.updated_time = ctx.now;
    secret::put_metadata(&ctx.view, path, &metadata)?;
    Ok(warnings.into_iter().fold(Reply::none(), Reply::warn))
}

impl MetadataParams {
    fn says_nothing(&self) -> bool {
        self.max_versions.0.is_none()
            && self.cas_required.0.is_none()
            && self.metadata_cas_required.0.is_none()
            && self.delete_version_after.0.is_none()
            && self.custom_metadata.0.is_none()
    }

    fn check_and_set(&self, config: &Config, metadata: &Metadata, is_new: bool) -> Result<(), EngineError> {
        let refuse = |text: &str| Err(EngineError::bad(text));
        match self.metadata_cas.0 {
            None if config.metadata_cas_required || metadata.metadata_cas_required => {
                refuse("metadata check-and-set parameter required for this call")
            }
            Some(cas) if is_new && cas != 0 => refuse("metadata_cas must be 0 when creating new metadata"),
            Some(cas) if u64::try_from(cas).ok() != Some(metadata.metadata_version) => {
                refuse("metadata check-and-set parameter does not match the current version")
            }
            _ => Ok(()),
        }
    }

    /// Settings that are stored but have no effect, because the mount demands the contrary.
    fn overruled(&self, config: &Config) -> Vec<String> {
        let pairs = [
            ("cas_required", config.cas_required && self.cas_required.0 == Some(false)),
            ("metadata_cas_required", config.metadata_cas_required && self.metadata_cas_required.0 == Some(false)),
        ];
        let vain = pairs.into_iter().filter(|(_, vain)| *vain);
        vain.map(|(name, _)| {
            format!("\"{name}\" set to false, but is mandated by backend config. This value will be ignored.")
        })
        .collect()
    }

    /// Answers what of it is kept in another way than it was sent.
    fn apply(self, metadata: &mut Metadata, notes: Notes) -> Result<Vec<String>, EngineError> {
        let mut warnings = Vec::new();
        if let Some(number) = self.max_versions.0 {
            metadata.max_versions = version_limit(number, &mut warnings)?;
        }
        if let Some(flag) = self.cas_required.0 {
            metadata.cas_required = flag;
        }
        if let Some(flag) = self.metadata_cas_required.0 {
            metadata.metadata_cas_required = flag;
        }
        if let Some(NotNegative(span)) = self.delete_version_after.0 {
            metadata.delete_version_after = deletion_span(span, &mut warnings)?;
        }
        if let Some(pairs) = self.custom_metadata.0 {
            let all = notes == Notes::Replace || pairs.is_reset();
            let old = std::mem::take(&mut metadata.custom_metadata);
            metadata.custom_metadata = if all { pairs.replaced()? } else { pairs.merged(old)? };
        }
        Ok(warnings)
    }
}

/// Removes the secret with all its versions.
pub async fn delete(ctx: Ctx, at: PathOnly) -> Answer {
    let Some(path) = secret_path(&at.path) else { return Ok(Reply::none()) };
    let Some(metadata) = secret::metadata(&ctx.view, path).await? else { return Ok(Reply::none()) };
    for (number, version) in &metadata.versions {
        if !version.destroyed {
            secret::remove_value(&ctx.view, metadata.key_id, *number);
        }
    }
    ctx.view.delete(&secret::record(path))?;
    Ok(Reply::none())
}

pub async fn list(ctx: Ctx, at: ListParams) -> Answer {
    Reply::keys(&names(&ctx, &at).await?)
}

pub async fn scan(ctx: Ctx, at: ListParams) -> Answer {
    scan_reply(&all_names(&ctx, &at).await?)
}

pub async fn detailed_list(ctx: Ctx, at: ListParams) -> Answer {
    let names = names(&ctx, &at).await?;
    if names.is_empty() { Ok(Reply::none()) } else { detailed(&ctx, &at, &names).await }
}

pub async fn detailed_scan(ctx: Ctx, at: ListParams) -> Answer {
    let names = all_names(&ctx, &at).await?;
    if names.is_empty() { scan_reply(&names) } else { detailed(&ctx, &at, &names).await }
}

async fn names(ctx: &Ctx, at: &ListParams) -> Result<Vec<String>, EngineError> {
    Ok(ctx.view.list(&secret::folder(at.folder()), &at.page()).await?)
}

async fn all_names(ctx: &Ctx, at: &ListParams) -> Result<Vec<String>, EngineError> {
    let page = at.page();
    let names = scanned(&ctx.view, &secret::folder(at.folder())).await?;
    let wanted = names.into_iter().filter(|name| page.after.as_ref().is_none_or(|after| name > after));
    Ok(wanted.take(page.limit.unwrap_or(usize::MAX)).collect())
}

/// The names with the metadata of each; a folder has none.
async fn detailed(ctx: &Ctx, at: &ListParams, names: &[String]) -> Answer {
    #[derive(Serialize)]
    struct Detailed<'a> {
        key_info: IndexMap<&'a str, RawJson>,
        keys: &'a [String],
    }
    let mut key_info = IndexMap::with_capacity(names.len());
    for name in names {
        let path = if at.folder().is_empty() { name.clone() } else { format!("{}/{name}", at.folder()) };
        let metadata = match secret_path(&path) {
            Some(path) => secret::metadata(&ctx.view, path).await?,
            None => None,
        };
        let info = match &metadata {
            Some(metadata) => RawJson::of(&Shown::of(metadata)).map_err(|_| EngineError::damaged("metadata"))?,
            None => RawJson::from_trusted("{}".into()),
        };
        key_info.insert(name.as_str(), info);
    }
    Reply::json(&Detailed { key_info, keys: names })
}
