//! The envelope around nearly every answer. All members are always present, null or empty where there is nothing to say.

use crate::RawJson;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Envelope {
    pub request_id: String,
    pub lease_id: String,
    pub renewable: bool,
    /// Seconds.
    pub lease_duration: u64,
    pub data: Option<RawJson>,
    pub wrap_info: Option<WrapInfo>,
    pub warnings: Option<Vec<String>>,
    pub auth: Option<AuthBlock>,
}

/// What a login or a new token tells its client.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AuthBlock {
    pub client_token: String,
    pub accessor: String,
    pub policies: Vec<String>,
    pub token_policies: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub identity_policies: Vec<String>,
    pub metadata: Option<IndexMap<String, String>>,
    /// Seconds.
    pub lease_duration: u64,
    pub renewable: bool,
    pub entity_id: String,
    pub token_type: String,
    pub orphan: bool,
    pub mfa_requirement: Option<MfaRequirement>,
    pub num_uses: u64,
}

impl std::fmt::Debug for AuthBlock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AuthBlock(accessor {})", self.accessor)
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MfaRequirement {
    pub mfa_request_id: String,
    pub mfa_constraints: RawJson,
}

/// Where a wrapped answer can be had, once.
#[derive(Clone, Serialize, Deserialize)]
pub struct WrapInfo {
    pub token: String,
    pub accessor: String,
    /// Seconds.
    pub ttl: u64,
    /// RFC 3339.
    pub creation_time: String,
    pub creation_path: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub wrapped_accessor: String,
    /// The wrapping token itself where `token` is a JWT that names it. For audit; never sent.
    #[serde(skip)]
    pub behind: Option<String>,
}

impl std::fmt::Debug for WrapInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WrapInfo(accessor {}, path {})", self.accessor, self.creation_path)
    }
}

/// The body of every refusal: `{"errors":[…]}`, sometimes with data beside.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ErrorBody {
    pub errors: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<RawJson>,
}
