//! Deleting, undeleting and destroying versions by number. Numbers that do not exist are skipped.

use super::records::{Metadata, VersionRecord};
use super::secret;
use crate::params::{VersionList, secret_path};
use bulla_kit::{Answer, Ctx, EngineError, Params, Reply};

#[derive(Params)]
pub struct ByNumber {
    /// Location of the secret.
    #[param(path)]
    path: String,
    /// Numbers of the versions.
    versions: VersionList,
}

impl ByNumber {
    /// The secret and the numbers asked for; `None` if there is no such secret.
    async fn load(&self, ctx: &Ctx, none_sent: &str) -> Result<Option<(String, Metadata)>, EngineError> {
        if self.versions.0.is_empty() {
            return Err(EngineError::bad(none_sent));
        }
        let Some(path) = secret_path(&self.path) else { return Ok(None) };
        Ok(secret::metadata(&ctx.view, path).await?.map(|metadata| (path.to_owned(), metadata)))
    }

    fn numbers(&self) -> impl Iterator<Item = u64> {
        self.versions.0.iter().filter_map(|number| u64::try_from(*number).ok())
    }
}

/// The versions of `metadata` that can still change.
fn undestroyed(metadata: &mut Metadata, number: u64) -> Option<&mut VersionRecord> {
    metadata.versions.get_mut(&number).filter(|version| !version.destroyed)
}

pub async fn delete(ctx: Ctx, sent: ByNumber) -> Answer {
    let Some((path, mut metadata)) = sent.load(&ctx, "No version number provided").await? else {
        return Ok(Reply::none());
    };
    for number in sent.numbers() {
        if let Some(version) = undestroyed(&mut metadata, number).filter(|version| !version.is_deleted(ctx.now)) {
            version.deletion_time = Some(ctx.now);
        }
    }
    secret::put_metadata(&ctx.view, &path, &metadata)?;
    Ok(Reply::none())
}

pub async fn undelete(ctx: Ctx, sent: ByNumber) -> Answer {
    let Some((path, mut metadata)) = sent.load(&ctx, "No version number provided").await? else {
        return Ok(Reply::none());
    };
    let deletion_time = metadata.deletion_time(&secret::config(&ctx.view).await?, ctx.now);
    for number in sent.numbers() {
        if let Some(version) = undestroyed(&mut metadata, number) {
            version.deletion_time = deletion_time;
        }
    }
    secret::put_metadata(&ctx.view, &path, &metadata)?;
    Ok(Reply::none())
}

pub async fn destroy(ctx: Ctx, sent: ByNumber) -> Answer {
    let Some((path, mut metadata)) = sent.load(&ctx, "no version number provided").await? else {
        return Ok(Reply::none());
    };
    for number in sent.numbers() {
        if let Some(version) = undestroyed(&mut metadata, number) {
            version.destroyed = true;
            secret::remove_value(&ctx.view, metadata.key_id, number);
        }
    }
    secret::put_metadata(&ctx.view, &path, &metadata)?;
    Ok(Reply::none())
}
