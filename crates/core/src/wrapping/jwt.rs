//! The wrapping token as a JWT (`X-Vault-Wrap-Format: jwt`): for those who have to check where a token comes from before
//! they show it to anybody.
//!
//! It names the wrapping token and is worth as much. It is accepted where wrapped answers are looked up, taken out and
//! moved, and nowhere else. The signing key is made at the first use and lies in the barrier; it is read for each use and
//! never kept in memory.

use super::is_about_wrapping;
use crate::request::Request;
use crate::state::Unsealed;
use bulla_barrier::{Pass, Txn, View};
use bulla_crypto::{Es512, looks_signed};
use bulla_kit::{Body, EngineError, RawJson};
use bulla_secret::SecretText;
use bulla_types::{NamespaceId, Seconds, Time};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The signing key, PKCS #8.
const KEY: &str = "core/wrapping-key";
/// Clocks differ: who checks the time may be this far behind.
const SKEW: u64 = 5;

/// RFC 7519, section 4.1, and Vault's own.
#[derive(Serialize, Deserialize)]
struct Claims {
    /// Accessor of the token that is wrapped, if it is one.
    accessor: String,
    /// Where to unwrap.
    addr: String,
    exp: u64,
    iat: u64,
    /// The wrapping token.
    jti: String,
    nbf: u64,
    #[serde(rename = "type")]
    kind: String,
}

/// What the JWT says besides the token.
pub struct Facts<'a> {
    pub wrapped_accessor: &'a str,
    pub api_addr: &'a str,
    pub ttl: Seconds,
    pub now: Time,
}

/// # Errors
/// Storage; no randomness.
pub async fn sign(txn: &Arc<Txn>, token: &str, facts: Facts<'_>) -> Result<String, EngineError> {
    let fault = |_| EngineError::internal("the wrapping token could not be signed");
    let key = match key(txn).await? {
        Some(key) => key,
        None => make_key(txn)?,
    };
    let now = facts.now.unix();
    let claims = Claims {
        accessor: facts.wrapped_accessor.to_owned(),
        addr: facts.api_addr.to_owned(),
        exp: now.saturating_add(facts.ttl.0),
        iat: now,
        jti: token.to_owned(),
        nbf: now.saturating_sub(SKEW),
        kind: "wrapping".to_owned(),
    };
    let claims = serde_json::to_vec(&claims).map_err(|error| EngineError::internal(error.to_string()))?;
    key.sign(&claims).map_err(fault)
}

/// The request with the wrapping token itself in the place of the JWT that names it, so that everything behind (token
/// check, handlers, audit) knows one form only. A JWT that is none of ours stays, and is no token.
pub async fn unfold(pass: &Pass<Unsealed>, mut request: Request) -> Request {
    if !is_about_wrapping(request.path.as_str()) {
        return request;
    }
    match request.body.get("token").filter(|raw| !raw.is_null()) {
        Some(raw) => {
            let serde_json::Value::String(text) = raw.to_value() else { return request };
            if let Some(token) = opened(pass, &text).await
                && let Ok(raw) = RawJson::of(&token)
            {
                request.body = Arc::new(with_token(&request.body, raw));
            }
        }
        None => {
            let Some(text) = &request.token else { return request };
            if let Some(token) = opened(pass, text.dangerous_expose()).await {
                request.token = Some(SecretText::from(token));
            }
        }
    }
    request
}

fn with_token(body: &Body, token: RawJson) -> Body {
    let members = body.iter().map(|(name, value)| (name.to_owned(), value.clone()));
    // Of a repeated name the last one counts.
    Body::from_members(members.chain([("token".to_owned(), token)]).collect())
}

/// The token in a JWT of ours. Whether it is still good is for the token itself to say.
async fn opened(pass: &Pass<Unsealed>, text: &str) -> Option<String> {
    if !looks_signed(text) {
        return None;
    }
    let txn = Txn::begin(pass).ok()?;
    let claims = key(&txn).await.ok()??.open(text).ok()?;
    let claims: Claims = serde_json::from_slice(&claims).ok()?;
    (claims.kind == "wrapping").then_some(claims.jti)
}

async fn key(txn: &Arc<Txn>) -> Result<Option<Es512>, EngineError> {
    let Some(bytes) = View::new(txn, NamespaceId::ROOT.0).get(KEY).await? else { return Ok(None) };
    Es512::from_pkcs8(&bytes).map(Some).map_err(|_| EngineError::damaged("wrapping key"))
}

/// Two who come first at the same time meet a conflict: one key is kept.
fn make_key(txn: &Arc<Txn>) -> Result<Es512, EngineError> {
    let bytes = Es512::generate().map_err(|_| EngineError::internal("no randomness could be had from the system"))?;
    View::new(txn, NamespaceId::ROOT.0).put(KEY, bytes.expose(<[u8]>::to_vec))?;
    bytes.expose(Es512::from_pkcs8).map_err(|_| EngineError::internal("the wrapping key cannot be used"))
}
