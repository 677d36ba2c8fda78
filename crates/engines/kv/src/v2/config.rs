//! Settings of the mount.

use super::records::{Config, MAX_VERSIONS, MountDeletion};
use super::secret;
use crate::params::Sent;
use bulla_kit::{Answer, Ctx, EngineError, NoParams, Params, Reply, SignedDuration};
use bulla_types::Seconds;
use serde::Serialize;

#[derive(Params)]
pub struct ConfigParams {
    /// Number of versions to keep of each secret; 0 means 10. A secret may keep more.
    pub max_versions: Sent<i64>,
    /// Every write must bring `cas`.
    pub cas_required: Sent<bool>,
    /// Every write of metadata must bring `metadata_cas`.
    pub metadata_cas_required: Sent<bool>,
    /// Time after which a version counts as deleted. Negative: never, whatever the secret says. 0: as the secret says.
    pub delete_version_after: Sent<SignedDuration>,
}

pub async fn read(ctx: Ctx, _: NoParams) -> Answer {
    #[derive(Serialize)]
    struct Shown {
        cas_required: bool,
        delete_version_after: String,
        max_versions: u32,
        metadata_cas_required: bool,
    }
    let config = secret::config(&ctx.view).await?;
    let delete_version_after = match config.delete_version_after {
        MountDeletion::Unset => Seconds::ZERO.to_string(),
        MountDeletion::Off => "-1s".to_owned(),
        MountDeletion::After(span) => span.to_string(),
    };
    Reply::json(&Shown {
        cas_required: config.cas_required,
        delete_version_after,
        max_versions: config.max_versions,
        metadata_cas_required: config.metadata_cas_required,
    })
}

pub async fn update(ctx: Ctx, sent: ConfigParams) -> Answer {
    let before = secret::config(&ctx.view).await?;
    let mut config = before.clone();
    let warnings = sent.apply(&mut config)?;
    if config != before {
        secret::put_config(&ctx.view, &config)?;
    }
    Ok(warnings.into_iter().fold(Reply::none(), Reply::warn))
}

impl ConfigParams {
    /// Answers what of it is kept in another way than it was sent.
    fn apply(&self, config: &mut Config) -> Result<Vec<String>, EngineError> {
        let mut warnings = Vec::new();
        if let Some(number) = self.max_versions.0 {
            config.max_versions = version_limit(number, &mut warnings)?;
        }
        if let Some(flag) = self.cas_required.0 {
            config.cas_required = flag;
        }
        if let Some(flag) = self.metadata_cas_required.0 {
            config.metadata_cas_required = flag;
        }
        if let Some(sent) = self.delete_version_after.0 {
            config.delete_version_after = match sent {
                SignedDuration(..0) => MountDeletion::Off,
                SignedDuration(0) => MountDeletion::Unset,
                _ => MountDeletion::After(deletion_span(sent, &mut warnings)?),
            };
        }
        Ok(warnings)
    }
}

/// A number of versions as it is stored. What is negative or beyond 32 bits is refused, not wrapped around; what is beyond
/// the most that is kept becomes that, with a word about it.
pub fn version_limit(number: i64, warnings: &mut Vec<String>) -> Result<u32, EngineError> {
    let asked = u32::try_from(number).map_err(|_| EngineError::bad("max_versions must be between 0 and 4294967295"))?;
    if asked > MAX_VERSIONS {
        warnings.push(format!("max_versions was set to {MAX_VERSIONS}, the most versions that a secret can keep"));
    }
    Ok(asked.min(MAX_VERSIONS))
}

/// Whole seconds. Less than one is one: zero means "never", the contrary of what was asked for.
///
/// # Errors
/// Negative, or longer than 64 bits of seconds.
pub fn deletion_span(sent: SignedDuration, warnings: &mut Vec<String>) -> Result<Seconds, EngineError> {
    let SignedDuration(nanos) = sent;
    let seconds = Seconds::of_nanos(nanos).ok_or_else(|| EngineError::bad("delete_version_after is too long"))?;
    if (1..1_000_000_000).contains(&nanos) {
        warnings.push("delete_version_after was set to 1s: versions are deleted by whole seconds".to_owned());
    }
    Ok(seconds)
}
