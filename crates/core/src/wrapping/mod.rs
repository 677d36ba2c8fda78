//! Wrapped answers: the answer lies in the cubbyhole of a token that can be used once, and the client gets that token.
//!
//! Kept and made known in one batch: there is no moment at which the token is there without the answer or the answer
//! without the token. `jwt` is the token in its signed form. Not here: the routes (`sys/wrapping`), the
//! limits of the time to live (`rules/policy`).

mod jwt;

pub use jwt::unfold;

use crate::answer::Outcome;
use crate::request::WrapRequest;
use crate::state::MountTable;
use crate::token::{NewToken, TokenHash, TokenStore, issue};
use bulla_barrier::{Txn, View};
use bulla_kit::{EngineError, Reply};
use bulla_records::{TokenRecord, decode, encode};
use bulla_types::{NamespaceId, PolicyName, Time};
use bulla_wire::{Envelope, WrapInfo};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Name of the answer in the token's cubbyhole; the policy `response-wrapping` grants it, too.
const NAME: &str = "response";
/// Clients know the text.
const NO_ADDRESS: &str = "No redirect address set in Vault so none could be encoded in the token. You may need to \
                          supply Vault's API address when unwrapping the token.";
const OLDER: &str = "Reading from 'cubbyhole/response' is deprecated. Please use sys/wrapping/unwrap to unwrap responses, \
                     as it provides additional security checks and other benefits.";
pub const NOT_VALID: &str = "wrapping token is not valid or does not exist";

/// Routes whose own answers are never wrapped again.
pub fn is_about_wrapping(path: &str) -> bool {
    matches!(path, "sys/wrapping/lookup" | "sys/wrapping/unwrap" | "sys/wrapping/rewrap")
}

/// An answer as it would have gone out.
#[derive(Serialize, Deserialize)]
pub struct Kept {
    envelope: Envelope,
    #[serde(default)]
    also_at_top: bool,
    /// Only `envelope.data` was to go out.
    #[serde(default)]
    bare: bool,
    #[serde(default)]
    code: Option<u16>,
}

/// Where and when something is wrapped.
#[derive(Clone, Copy)]
pub struct Site<'a> {
    /// Empty if the configuration names none.
    pub api_addr: &'a str,
    pub now: Time,
}

/// A wrapping token in force.
pub struct Wrapper {
    pub hash: TokenHash,
    pub record: TokenRecord,
}

/// Puts `outcome` aside and answers where it is. What says nothing or refuses stays as it is.
///
/// # Errors
/// An answer that is no JSON; storage.
pub async fn wrap(
    txn: &Arc<Txn>,
    outcome: Outcome,
    path: &str,
    wrap: WrapRequest,
    site: Site<'_>,
) -> Result<Outcome, EngineError> {
    let kept = match outcome {
        Outcome::NoContent | Outcome::Refused(_) => return Ok(outcome),
        Outcome::Raw(_) => return Err(EngineError::bad("this answer cannot be wrapped")),
        Outcome::Envelope { envelope, also_at_top, code } => {
            Kept { envelope: *envelope, also_at_top, bare: false, code }
        }
        Outcome::Bare { data, code } => Kept {
            envelope: Envelope { data: Some(data), ..Envelope::default() },
            also_at_top: false,
            bare: true,
            code,
        },
    };
    let envelope = Box::new(keep(txn, &kept, path, wrap, site).await?);
    Ok(Outcome::Envelope { envelope, also_at_top: false, code: None })
}

/// Makes the token, puts the answer into its cubbyhole, and answers where it is.
///
/// # Errors
/// An answer too large to be stored with what surrounds it; storage.
pub async fn keep(
    txn: &Arc<Txn>,
    kept: &Kept,
    path: &str,
    wrap: WrapRequest,
    site: Site<'_>,
) -> Result<Envelope, EngineError> {
    let (ttl, now) = (wrap.ttl, site.now);
    let issued = issue(txn, NewToken::wrapping(NamespaceId::ROOT, path, ttl), now).await?;
    let bytes = encode("wrapped answer", kept).map_err(|e| EngineError::internal(e.to_string()))?;
    View::new(txn, issued.record.cubbyhole).put(NAME, bytes)?;
    let mut info = WrapInfo {
        token: issued.id.dangerous_expose().to_owned(),
        accessor: issued.record.accessor.0.clone(),
        ttl: ttl.0,
        creation_time: now.rfc3339(),
        creation_path: path.to_owned(),
        wrapped_accessor: kept.accessor(),
        behind: None,
    };
    let mut warnings = None;
    if wrap.jwt {
        let facts = jwt::Facts { wrapped_accessor: &info.wrapped_accessor, api_addr: site.api_addr, ttl, now };
        let signed = jwt::sign(txn, &info.token, facts).await?;
        info.behind = Some(std::mem::replace(&mut info.token, signed));
        if site.api_addr.is_empty() {
            warnings = Some(vec![NO_ADDRESS.to_owned()]);
        }
    }
    Ok(Envelope { wrap_info: Some(info), warnings, ..Envelope::default() })
}

/// The wrapping token with this text.
///
/// # Errors
/// There is none, it has been used, its time is over, or it is a token of another kind: all the same from outside.
pub async fn find(txn: &Arc<Txn>, text: &str, mounts: &MountTable, now: Time) -> Result<Wrapper, EngineError> {
    let found = TokenStore(txn).by_text(text, mounts, now).await?;
    match found.filter(|(_, record)| is_wrapper(record)) {
        Some((hash, record)) => Ok(Wrapper { hash, record }),
        None => Err(EngineError::bad(NOT_VALID)),
    }
}

fn is_wrapper(record: &TokenRecord) -> bool {
    record.policies == [PolicyName::response_wrapping()]
}

/// Whether `path` in the cubbyhole of this token is the wrapped answer.
pub fn is_kept_at(record: &TokenRecord, path: &str) -> bool {
    path == NAME && is_wrapper(record)
}

/// The wrapped answer as older clients read it, from the cubbyhole with the wrapping token: the text of what would have
/// gone out. The use that this takes is the token's only one.
///
/// # Errors
/// The stored answer cannot be read.
pub fn in_cubbyhole(bytes: &[u8]) -> Result<Reply, EngineError> {
    let damaged = || EngineError::damaged("wrapped answer");
    let kept: Kept = decode("wrapped answer", bytes).map_err(|_| damaged())?;
    let text = match &kept.envelope.data {
        Some(data) if kept.bare => data.get().to_owned(),
        _ => serde_json::to_string(&kept.envelope).map_err(|_| damaged())?,
    };
    Ok(Reply::json(&serde_json::json!({ NAME: text }))?.warn(OLDER))
}

/// Takes the answer out; the token goes with it.
///
/// # Errors
/// It has been taken already; storage.
pub async fn take(txn: &Arc<Txn>, wrapper: &Wrapper, now: Time) -> Result<Kept, EngineError> {
    let bytes = View::new(txn, wrapper.record.cubbyhole).get(NAME).await?;
    let bytes = bytes.ok_or_else(|| EngineError::bad(NOT_VALID))?;
    TokenStore(txn).remove(&wrapper.hash, &wrapper.record, now).await?;
    decode("wrapped answer", &bytes).map_err(|_| EngineError::damaged("wrapped answer"))
}

impl Kept {
    /// The accessor of what is wrapped, so that whoever hands it on can still take it back: of a token, or of an AppRole
    /// secret id.
    fn accessor(&self) -> String {
        if let Some(auth) = &self.envelope.auth {
            return auth.accessor.clone();
        }
        #[derive(Deserialize, Default)]
        #[serde(default)]
        struct Accessors {
            secret_id_accessor: String,
        }
        let data = self.envelope.data.as_ref().map_or("", |data| data.get());
        serde_json::from_str(data).map_or_else(|_| String::new(), |found: Accessors| found.secret_id_accessor)
    }

    /// The answer as the request that was wrapped would have given it.
    pub fn into_reply(self) -> Reply {
        let mut reply = Reply { also_at_top: self.also_at_top, code: self.code, ..Reply::empty() };
        if self.bare {
            reply.data = self.envelope.data;
            return reply.bare();
        }
        reply.whole = Some(Box::new(self.envelope));
        reply
    }
}

#[cfg(test)]
mod tests;
