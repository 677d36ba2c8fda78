//! A role as it is stored, and the index that finds it by its role id.

use crate::constraints::shown;
use bulla_auth_tokens::{Renamed, TokenFields};
use bulla_kit::{Ctx, EngineError, View};
use bulla_types::{Network, Seconds};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The folder of the roles, by name in lower case.
pub const FOLDER: &str = "role";

/// The longest role id and secret id, in bytes.
pub const MAX_ID: usize = 4096;

const BY_ROLE_ID: u8 = b'i';

/// What all records of one role are found by: random, made with the role, never again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct RoleKey(pub [u8; 16]);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Role {
    pub key: RoleKey,
    pub role_id: String,
    /// A login needs a secret id.
    pub bind_secret_id: bool,
    pub local_secret_ids: bool,
    #[serde(default)]
    pub secret_id_bound_cidrs: Renamed<Vec<Network>>,
    pub secret_id_num_uses: Option<u32>,
    pub secret_id_ttl: Option<Seconds>,
    #[serde(default)]
    pub token: TokenFields,
}

impl RoleKey {
    pub fn text(self) -> String {
        hex::encode(self.0)
    }
}

impl From<RoleKey> for String {
    fn from(key: RoleKey) -> Self {
        key.text()
    }
}

impl TryFrom<String> for RoleKey {
    type Error = hex::FromHexError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mut key = [0; 16];
        hex::decode_to_slice(text, &mut key).map(|()| Self(key))
    }
}

fn record(name: &str) -> String {
    format!("{FOLDER}/{name}")
}

fn index(view: &View, role_id: &str) -> Vec<u8> {
    let mut key = vec![BY_ROLE_ID];
    key.extend_from_slice(&view.hash("approle role id", role_id.as_bytes()));
    key
}

/// A random id as clients know them.
pub fn fresh_id() -> Result<String, EngineError> {
    bulla_crypto::random::uuid().map_err(|_| EngineError::internal("no randomness could be had from the system"))
}

impl Role {
    /// A role with the defaults of all fields and a random id; not stored yet.
    pub fn new(ctx: &Ctx) -> Result<Self, EngineError> {
        Ok(Self {
            key: RoleKey(ctx.random()?),
            role_id: fresh_id()?,
            bind_secret_id: true,
            local_secret_ids: false,
            secret_id_bound_cidrs: Renamed::default(),
            secret_id_num_uses: None,
            secret_id_ttl: None,
            token: TokenFields::default(),
        })
    }

    pub async fn exists(view: &View, name: &str) -> Result<bool, EngineError> {
        Ok(view.exists(&record(name)).await?)
    }

    pub async fn read(view: &View, name: &str) -> Result<Option<Self>, EngineError> {
        let Some(bytes) = view.get(&record(name)).await? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|_| EngineError::damaged("role"))
    }

    /// The role that has this id, with its name.
    pub async fn by_id(view: &View, role_id: &str) -> Result<Option<(String, Self)>, EngineError> {
        let Some(bytes) = view.plain_get(&index(view, role_id)).await? else { return Ok(None) };
        let name = String::from_utf8(bytes).map_err(|_| EngineError::damaged("role id"))?;
        let role = Self::read(view, &name).await?;
        Ok(role.filter(|role| role.role_id == role_id).map(|role| (name, role)))
    }

    /// Stores the role; `before` is the role id that it had.
    ///
    /// # Errors
    /// Another role has the id; nothing at all would keep a client out.
    pub async fn write(&self, view: &View, name: &str, before: Option<&str>) -> Result<(), EngineError> {
        self.check()?;
        if before != Some(self.role_id.as_str()) {
            let index_key = index(view, &self.role_id);
            if view.plain_get(&index_key).await?.is_some() {
                return Err(EngineError::bad("role_id already in use"));
            }
            view.plain_put(&index_key, name.as_bytes().to_vec());
            if let Some(old) = before {
                view.plain_delete(&index(view, old));
            }
        }
        let bytes =
            serde_json::to_vec(self).map_err(|_| EngineError::internal("the role could not be written as JSON"))?;
        Ok(view.put(&record(name), bytes)?)
    }

    /// Takes the role and its id away. Its secret ids are out of reach then; clearing them is the caller's.
    pub fn delete(&self, view: &View, name: &str) -> Result<(), EngineError> {
        view.plain_delete(&index(view, &self.role_id));
        Ok(view.delete(&record(name))?)
    }

    fn check(&self) -> Result<(), EngineError> {
        if self.role_id.len() > MAX_ID {
            return Err(EngineError::bad(format!("role_id is longer than {MAX_ID} bytes")));
        }
        let bound = !self.secret_id_bound_cidrs.value().is_empty() || !self.token.bound_cidrs.value().is_empty();
        if !self.bind_secret_id && !bound {
            return Err(EngineError::bad("at least one constraint should be enabled on the role"));
        }
        Ok(())
    }

    /// The data of a read.
    pub fn describe(&self) -> Map<String, Value> {
        let mut data = Map::new();
        data.insert("bind_secret_id".into(), self.bind_secret_id.into());
        data.insert("local_secret_ids".into(), self.local_secret_ids.into());
        self.show_cidrs(&mut data);
        data.insert("secret_id_num_uses".into(), self.secret_id_num_uses.unwrap_or(0).into());
        data.insert("secret_id_ttl".into(), self.secret_id_ttl.map_or(0, |ttl| ttl.0).into());
        self.token.describe(&mut data);
        data
    }

    /// No networks are shown as null.
    pub fn show_cidrs(&self, data: &mut Map<String, Value>) {
        let show = |nets: &Vec<Network>| if nets.is_empty() { Value::Null } else { json!(shown(nets)) };
        self.secret_id_bound_cidrs.show(data, "secret_id_bound_cidrs", "bound_cidr_list", show);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// Stored bytes are a promise to later versions.
    #[test]
    fn the_stored_form_stays() {
        let kept = include_str!("../golden/role.json").trim_end();
        let role: Role = serde_json::from_str(kept).unwrap();
        assert_eq!(serde_json::to_string(&role).unwrap(), kept);
    }
}
