//! A lease: a secret that an engine has handed out and that it takes back when its time is over. Lies under the keyed
//! hash of the random last segment of its id. Tokens have no lease beside them: their own record is it.

use bulla_types::{NamespaceId, Seconds, Time};
use serde::{Deserialize, Serialize};

/// Why a lease is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndingRecord {
    Expired,
    Asked,
    TokenGone,
    MountGone,
}

/// A lease that is over and whose secret is still to be taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevocationRecord {
    pub why: EndingRecord,
    /// When the engine is asked next; `None` = not by itself any more: the lease is irrevocable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Time>,
    /// How often the engine was asked in vain.
    #[serde(default)]
    pub attempts: u32,
    /// The engine is asked once more, and whatever it answers the lease is forgotten.
    #[serde(default)]
    pub forced: bool,
    /// What the engine said last.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub error: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseRecord {
    pub namespace: NamespaceId,
    /// Accessor of the mount, which stays when the mount is moved.
    pub mount: String,
    /// Path of the request that made it, below the mount.
    pub path: String,
    /// The last segment of the lease's id: 24 random characters.
    pub tail: String,
    /// The engine's word for this kind of secret.
    pub kind: String,
    /// What the engine keeps for renewal and revocation, JSON text.
    pub internal: String,
    /// Keyed hash of the token it ends with, hex. A batch token's leases end with the token above it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    pub issued: Time,
    pub expires: Time,
    /// The duration of the last renewal (or creation), which a renewal without increment repeats.
    pub ttl: Seconds,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_renewal: Option<Time>,
    /// Maximum lifetime that the engine set; the mount's counts besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_ttl: Option<Seconds>,
    /// No renewal passes this: the end of the batch token it was made with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest: Option<Time>,
    #[serde(default)]
    pub renewable: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation: Option<RevocationRecord>,
}

impl LeaseRecord {
    /// When the workers have to look at it; `None` = never again by themselves.
    pub fn due(&self) -> Option<Time> {
        self.revocation.as_ref().map_or(Some(self.expires), |revocation| revocation.next)
    }

    pub fn is_irrevocable(&self) -> bool {
        self.due().is_none()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::{decode, encode};

    const GOLDEN: &str = include_str!("../golden/lease.json");
    const FIRST: &str = include_str!("../golden/lease-least.json");

    fn record() -> LeaseRecord {
        LeaseRecord {
            namespace: NamespaceId::ROOT,
            mount: "database_0a1b2c3d".into(),
            path: "creds/reader".into(),
            tail: "0123456789abcdefghijklmn".into(),
            kind: "creds".into(),
            internal: r#"{"username":"u"}"#.into(),
            token: Some("ab".repeat(32)),
            issued: Time::from_unix(1_700_000_000),
            expires: Time::from_unix(1_700_003_600),
            ttl: Seconds(3600),
            last_renewal: Some(Time::from_unix(1_700_000_100)),
            max_ttl: Some(Seconds(7200)),
            latest: Some(Time::from_unix(1_700_009_000)),
            renewable: true,
            revocation: Some(RevocationRecord {
                why: EndingRecord::TokenGone,
                next: Some(Time::from_unix(1_700_003_610)),
                attempts: 1,
                forced: false,
                error: "no connection".into(),
            }),
        }
    }

    #[test]
    fn stored_bytes_do_not_change() {
        let bytes = encode("lease", &record()).unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), GOLDEN.trim_end());
        assert_eq!(decode::<LeaseRecord>("lease", GOLDEN.as_bytes()).unwrap(), record());
    }

    #[test]
    fn the_first_form_still_reads() {
        let read: LeaseRecord = decode("lease", FIRST.as_bytes()).unwrap();
        assert!(!read.renewable && read.token.is_none() && read.revocation.is_none());
        assert_eq!(read.due(), Some(read.expires));
    }

    #[test]
    fn what_is_irrevocable_is_never_due() {
        let mut lease = record();
        assert_eq!((lease.due(), lease.is_irrevocable()), (Some(Time::from_unix(1_700_003_610)), false));
        lease.revocation.as_mut().unwrap().next = None;
        assert!(lease.is_irrevocable());
    }
}
