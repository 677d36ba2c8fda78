//! Settings of the mount.

use super::records::{Config, MountDeletion};
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
    sent.apply(&mut config)?;
    if config != before {
        secret::put_config(&ctx.view, &config)?;
    }
    Ok(Reply::none())
}

impl ConfigParams {
    fn apply(&self, config: &mut Config) -> Result<(), EngineError> {
        if let Some(number) = self.max_versions.0 {
            config.max_versions = version_limit(number)?;
        }
        if let Some(flag) = self.cas_required.0 {
            config.cas_required = flag;
        }
        if let Some(flag) = self.metadata_cas_required.0 {
            config.metadata_cas_required = flag;
        }
        if let Some(SignedDuration(nanos)) = self.delete_version_after.0 {
            config.delete_version_after = match u64::try_from(nanos / 1_000_000_000) {
                _ if nanos < 0 => MountDeletion::Off,
                Ok(0) => MountDeletion::Unset,
                Ok(seconds) => MountDeletion::After(Seconds(seconds)),
                Err(_) => return Err(EngineError::bad("delete_version_after is too long")),
            };
        }
        Ok(())
    }
}

/// A number of versions as it is stored. What is negative or beyond 32 bits is refused, not wrapped around.
pub fn version_limit(number: i64) -> Result<u32, EngineError> {
    u32::try_from(number).map_err(|_| EngineError::bad("max_versions must be between 0 and 4294967295"))
}
