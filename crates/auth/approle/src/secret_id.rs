//! Secret ids as they are stored: under a keyed hash, so that the store tells nobody what they are, not even the server.
//!
//! Each has up to three records that come and go together: itself, its accessor, its place in the order of expiry.

use crate::constraints::shown;
use crate::role::RoleKey;
use bulla_kit::{EngineError, Page, View};
use bulla_types::{Network, Seconds, Time};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const SECRET_ID: u8 = b's';
pub const EXPIRY: u8 = b'e';

/// Never is shown as the year 1.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// Where a secret id of a role lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub role: RoleKey,
    pub hash: [u8; 32],
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SecretId {
    pub accessor: String,
    /// `None` = any number.
    pub uses_left: Option<u32>,
    pub ttl: Option<Seconds>,
    pub created: Time,
    pub updated: Time,
    pub expires: Option<Time>,
    #[serde(default)]
    pub metadata: IndexMap<String, String>,
    #[serde(default)]
    pub cidrs: Vec<Network>,
    #[serde(default)]
    pub token_cidrs: Vec<Network>,
}

impl Place {
    pub fn of(view: &View, role: RoleKey, secret_id: &str) -> Self {
        let mut named = role.0.to_vec();
        named.extend_from_slice(secret_id.as_bytes());
        Self { role, hash: view.hash("approle secret id", &named) }
    }

    fn record(&self) -> Vec<u8> {
        [&prefix(self.role)[..], &self.hash].concat()
    }

    /// Of a record whose key [`prefix`] begins.
    pub fn of_record(role: RoleKey, key: &[u8]) -> Option<Self> {
        Some(Self { role, hash: key.strip_prefix(&prefix(role)[..])?.try_into().ok()? })
    }

    fn expiry(&self, at: Time) -> Vec<u8> {
        [&[EXPIRY][..], &at.0.to_be_bytes(), &self.role.0, &self.hash].concat()
    }

    /// When and what a place in the order of expiry names.
    pub fn of_expiry(key: &[u8]) -> Option<(Time, Self)> {
        let (time, rest) = key.strip_prefix(&[EXPIRY])?.split_first_chunk::<8>()?;
        let (role, hash) = rest.split_first_chunk::<16>()?;
        let place = Self { role: RoleKey(*role), hash: hash.try_into().ok()? };
        Some((Time(u64::from_be_bytes(*time)), place))
    }
}

/// What all places in the order of expiry up to `now` lie before.
pub fn expiry_end(now: Time) -> Vec<u8> {
    [&[EXPIRY][..], &now.plus_nanos(1).0.to_be_bytes()].concat()
}

/// What the keys of all secret ids of a role begin with.
pub fn prefix(role: RoleKey) -> Vec<u8> {
    [&[SECRET_ID][..], &role.0].concat()
}

fn accessors(role: RoleKey) -> String {
    format!("accessor/{}", role.text())
}

fn accessor_record(role: RoleKey, accessor: &str) -> String {
    format!("{}/{accessor}", accessors(role))
}

/// The secret id, expired or not.
pub async fn read_any(view: &View, place: &Place) -> Result<Option<SecretId>, EngineError> {
    match view.plain_get(&place.record()).await? {
        Some(bytes) => decode(&bytes).map(Some),
        None => Ok(None),
    }
}

pub fn decode(bytes: &[u8]) -> Result<SecretId, EngineError> {
    serde_json::from_slice(bytes).map_err(|_| EngineError::damaged("secret id"))
}

/// The secret id, if there is one that is still good.
pub async fn read(view: &View, place: &Place, now: Time) -> Result<Option<SecretId>, EngineError> {
    Ok(read_any(view, place).await?.filter(|secret_id| secret_id.is_good(now)))
}

/// The secret id of this role that has the accessor, if it is still good. Other roles' are not found.
pub async fn by_accessor(
    view: &View,
    role: RoleKey,
    accessor: &str,
    now: Time,
) -> Result<Option<(Place, SecretId)>, EngineError> {
    // An accessor is one name; with slashes in it, it is nobody's.
    if accessor.is_empty() || accessor.contains('/') {
        return Ok(None);
    }
    let Some(hash) = view.get(&accessor_record(role, accessor)).await? else { return Ok(None) };
    let hash = hash.try_into().map_err(|_| EngineError::damaged("accessor"))?;
    let place = Place { role, hash };
    Ok(read(view, &place, now).await?.map(|secret_id| (place, secret_id)))
}

/// Accessors of a role's secret ids, sorted.
pub async fn list(view: &View, role: RoleKey, page: &Page) -> Result<Vec<String>, EngineError> {
    Ok(view.list(&accessors(role), page).await?)
}

/// Takes accessors of a role away, at most `limit`; `true` when none is left.
pub async fn clear_accessors(view: &View, role: RoleKey, limit: usize) -> Result<bool, EngineError> {
    Ok(view.below(&accessors(role))?.clear(limit).await?)
}

/// Stores a new one with its indexes.
pub fn add(view: &View, place: &Place, secret_id: &SecretId) -> Result<(), EngineError> {
    put(view, place, secret_id)?;
    view.put(&accessor_record(place.role, &secret_id.accessor), place.hash.to_vec())?;
    if let Some(at) = secret_id.expires {
        view.plain_put(&place.expiry(at), Vec::new());
    }
    Ok(())
}

fn put(view: &View, place: &Place, secret_id: &SecretId) -> Result<(), EngineError> {
    let bytes = serde_json::to_vec(secret_id)
        .map_err(|_| EngineError::internal("the secret id could not be written as JSON"))?;
    view.plain_put(&place.record(), bytes);
    Ok(())
}

/// Takes it away with its indexes.
pub fn remove(view: &View, place: &Place, secret_id: &SecretId) -> Result<(), EngineError> {
    view.plain_delete(&place.record());
    view.delete(&accessor_record(place.role, &secret_id.accessor))?;
    if let Some(at) = secret_id.expires {
        view.plain_delete(&place.expiry(at));
    }
    Ok(())
}

/// One use less; the last takes it away. Unlimited ones are not touched. Two logins that use the same one collide, and the
/// later sees what the earlier left.
pub fn spend(view: &View, place: &Place, secret_id: &mut SecretId, now: Time) -> Result<(), EngineError> {
    match secret_id.uses_left {
        None => Ok(()),
        Some(0 | 1) => remove(view, place, secret_id),
        Some(uses) => {
            (secret_id.uses_left, secret_id.updated) = (Some(uses - 1), now);
            put(view, place, secret_id)
        }
    }
}

impl SecretId {
    pub fn is_good(&self, now: Time) -> bool {
        self.expires.is_none_or(|at| now < at)
    }

    /// The data of a lookup.
    pub fn describe(&self) -> Value {
        json!({
            "secret_id_accessor": self.accessor,
            "secret_id_num_uses": self.uses_left.unwrap_or(0),
            "secret_id_ttl": self.ttl.map_or(0, |ttl| ttl.0),
            "creation_time": self.created.rfc3339(),
            "last_updated_time": self.updated.rfc3339(),
            "expiration_time": self.expires.map_or_else(|| NEVER.to_owned(), Time::rfc3339),
            "metadata": self.metadata,
            "cidr_list": shown(&self.cidrs),
            "token_bound_cidrs": shown(&self.token_cidrs),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn places_are_read_back_from_keys() {
        let place = Place { role: RoleKey([1; 16]), hash: [2; 32] };
        assert_eq!(Place::of_record(place.role, &place.record()), Some(place));
        assert_eq!(Place::of_record(RoleKey([3; 16]), &place.record()), None);
        assert_eq!(Place::of_expiry(&place.expiry(Time(7))), Some((Time(7), place)));
        assert!(place.expiry(Time(255)) < place.expiry(Time(256)), "in the order of time");
        assert_eq!(Place::of_expiry(&place.expiry(Time(7))[..40]), None);
    }

    /// Stored bytes are a promise to later versions.
    #[test]
    fn the_stored_form_stays() {
        let kept = include_str!("../golden/secret-id.json").trim_end();
        assert_eq!(serde_json::to_string(&decode(kept.as_bytes()).unwrap()).unwrap(), kept);
    }
}
