//! A mount: secrets engine or auth method. Lies at `core/mounts/<uuid>` of its namespace.

use bulla_types::{MountPath, ScopeId, Seconds};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MountClass {
    Secret,
    Auth,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountRecord {
    pub uuid: ScopeId,
    pub class: MountClass,
    /// Complete: `secret/`, `auth/userpass/`.
    pub path: MountPath,
    #[serde(rename = "type")]
    pub kind: String,
    pub accessor: String,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub local: bool,
    #[serde(default)]
    pub seal_wrap: bool,
    #[serde(default)]
    pub external_entropy_access: bool,
    /// `None` = the client gave none, which is shown as `null`.
    #[serde(default)]
    pub options: Option<IndexMap<String, String>>,
    #[serde(default)]
    pub config: MountConfig,
    /// Being taken down: takes no requests, and the clean-up goes on after a restart.
    #[serde(default)]
    pub going: bool,
    /// Its engine's setup goes on in the background, also after a restart; until then it takes no requests.
    #[serde(default)]
    pub unfinished: bool,
}

/// What a login's token becomes by default on an auth mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenTypeTune {
    #[default]
    DefaultService,
    DefaultBatch,
    Service,
    Batch,
}

impl TokenTypeTune {
    pub fn word(self) -> &'static str {
        match self {
            Self::DefaultService => "default-service",
            Self::DefaultBatch => "default-batch",
            Self::Service => "service",
            Self::Batch => "batch",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "" | "default-service" => Some(Self::DefaultService),
            "default-batch" => Some(Self::DefaultBatch),
            "service" => Some(Self::Service),
            "batch" => Some(Self::Batch),
            _ => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct UserLockout {
    pub threshold: u64,
    pub duration: Seconds,
    pub counter_reset: Seconds,
    pub disabled: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MountConfig {
    /// `None` = the system's.
    pub default_ttl: Option<Seconds>,
    pub max_ttl: Option<Seconds>,
    pub force_no_cache: bool,
    pub audit_non_hmac_request_keys: Vec<String>,
    pub audit_non_hmac_response_keys: Vec<String>,
    pub listing_visibility: Option<String>,
    pub passthrough_request_headers: Vec<String>,
    pub allowed_response_headers: Vec<String>,
    /// Kept for clients that set them; there are no managed keys.
    pub allowed_managed_keys: Vec<String>,
    /// Auth mounts only.
    pub token_type: TokenTypeTune,
    pub user_lockout: Option<UserLockout>,
    pub plugin_version: Option<String>,
}
