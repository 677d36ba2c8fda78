//! Failed logins of one name at one auth mount. Lies at `lockout/<mount accessor>/<keyed hash of the name>` of the
//! mount's namespace; gone with the next login that succeeds.

use bulla_types::Time;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FailedLogins {
    /// As the auth method folds it.
    pub name: String,
    pub failures: u64,
    pub last: Time,
}
