//! An ACL policy as its author wrote it. Lies at `policy/<escaped name>` of its namespace.

use bulla_types::Time;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PolicyRecord {
    pub text: String,
    /// Counts the writes of this policy, for check-and-set.
    pub version: u64,
    pub modified: Time,
    pub cas_required: bool,
    pub expires: Option<Time>,
    pub allow_slashes_in_identity_templates: bool,
    pub allow_wildcards_in_identity_templates: bool,
}

impl PolicyRecord {
    /// Whether the policy has not come to its end.
    pub fn in_force(&self, now: Time) -> bool {
        self.expires.is_none_or(|end| now < end)
    }
}
