//! A token. Lies under the keyed hash of its id; the id itself is nowhere. Its lease is this record.

use bulla_types::{Accessor, NamespaceId, PolicyName, ScopeId, Seconds, Time};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenKindRecord {
    #[default]
    Service,
    Batch,
}

impl TokenKindRecord {
    pub fn word(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Batch => "batch",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenRecord {
    pub namespace: NamespaceId,
    pub accessor: Accessor,
    /// Keyed hash of the parent, hex; `None` = orphan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    pub policies: Vec<PolicyName>,
    /// Where it was made: `auth/token/create`.
    pub path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<IndexMap<String, String>>,
    #[serde(default)]
    pub display_name: String,
    /// Uses left; `None` = unlimited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<u32>,
    pub created: Time,
    /// The duration it was made with; zero = does not expire.
    #[serde(default)]
    pub creation_ttl: Seconds,
    /// `None` = never (root tokens only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Time>,
    /// The duration of the last renewal (or creation), which a renewal without increment repeats.
    #[serde(default)]
    pub last_ttl: Seconds,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_renewal: Option<Time>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explicit_max_ttl: Option<Seconds>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<Seconds>,
    #[serde(default)]
    pub renewable: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub entity_id: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bound_cidrs: Vec<String>,
    #[serde(default)]
    pub kind: TokenKindRecord,
    /// Scope of its cubbyhole.
    pub cubbyhole: ScopeId,
    /// Maximum lifetime that the auth method or mount set when it was made; zero = the mount's at renewal.
    #[serde(default)]
    pub max_ttl: Seconds,
    /// Accessor of the auth mount that made it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub mount_accessor: String,
    /// How many bytes of `path` name the mount that made it; 0 = it is not listed as a lease.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub mount_length: usize,
    /// What the auth method keeps for renewal, JSON text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub internal: Option<String>,
    /// No token any more: it was revoked, and the tokens made from it go on without it. The record stays until each of
    /// them has been told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub released: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks this way")]
fn is_zero(length: &usize) -> bool {
    *length == 0
}

impl TokenRecord {
    /// The path below its mount under which it is listed as a lease; `None` = it is not: it never ends, or it is core's
    /// own.
    pub fn lease_path(&self) -> Option<&str> {
        let listed = self.mount_length > 0 && self.expires.is_some() && self.kind == TokenKindRecord::Service;
        self.path.get(self.mount_length..).filter(|path| listed && !path.is_empty())
    }

    pub fn is_root(&self) -> bool {
        self.policies.iter().any(PolicyName::is_root)
    }

    pub fn expired(&self, now: Time) -> bool {
        self.expires.is_some_and(|end| end <= now)
    }

    /// Seconds left at `now`; zero for tokens that never expire.
    pub fn ttl(&self, now: Time) -> Seconds {
        self.expires.map_or(Seconds::ZERO, |end| now.until(end))
    }
}
