//! What is stored: users, and the cost that hides which of them there are.

use bulla_auth_tokens::TokenFields;
use bulla_kit::{Ctx, EngineError, View};
use serde::{Deserialize, Serialize};

/// The folder of the users, by name in lower case.
pub const FOLDER: &str = "user";

const HIGHEST_COST: &str = "highest-cost";

/// Tells a user from one of the same name who was deleted: random, made with the user, never again.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserId(String);

#[derive(Serialize, Deserialize)]
pub struct User {
    /// Those who were there before users had one have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<UserId>,
    /// A bcrypt hash in its usual text.
    pub password_hash: String,
    #[serde(default)]
    pub token: TokenFields,
}

impl UserId {
    pub fn fresh(ctx: &Ctx) -> Result<Self, EngineError> {
        let random: [u8; 16] = ctx.random()?;
        Ok(Self(random.iter().map(|byte| format!("{byte:02x}")).collect()))
    }
}

fn key(name: &str) -> String {
    format!("{FOLDER}/{name}")
}

pub async fn exists(view: &View, name: &str) -> Result<bool, EngineError> {
    Ok(view.exists(&key(name)).await?)
}

pub async fn read(view: &View, name: &str) -> Result<Option<User>, EngineError> {
    let Some(bytes) = view.get(&key(name)).await? else { return Ok(None) };
    serde_json::from_slice(&bytes).map(Some).map_err(|_| EngineError::damaged("user"))
}

pub fn write(view: &View, name: &str, user: &User) -> Result<(), EngineError> {
    let bytes = serde_json::to_vec(user).map_err(|_| EngineError::internal("the user could not be written as JSON"))?;
    Ok(view.put(&key(name), bytes)?)
}

pub fn delete(view: &View, name: &str) -> Result<(), EngineError> {
    Ok(view.delete(&key(name))?)
}

/// The cost up to which every login works, if ready-made hashes have raised it.
pub async fn highest_cost(view: &View) -> Result<Option<u32>, EngineError> {
    let Some(bytes) = view.get(HIGHEST_COST).await? else { return Ok(None) };
    serde_json::from_slice(&bytes).map(Some).map_err(|_| EngineError::damaged("cost"))
}

pub fn raise_highest_cost(view: &View, cost: u32) -> Result<(), EngineError> {
    Ok(view.put(HIGHEST_COST, cost.to_string().into_bytes())?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// Stored bytes are a promise to later versions.
    #[test]
    fn the_stored_form_stays() {
        for kept in [include_str!("../golden/user.json"), include_str!("../golden/user-with-id.json")] {
            let kept = kept.trim_end();
            let user: User = serde_json::from_str(kept).unwrap();
            assert_eq!(serde_json::to_string(&user).unwrap(), kept);
        }
        let oldest: User = serde_json::from_str(r#"{"password_hash":"x"}"#).unwrap();
        assert_eq!(oldest.token, TokenFields::default());
    }
}
