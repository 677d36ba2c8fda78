//! Door 6: the token of a request. Expiry, uses, addresses, its entity and the tokens above it are checked here,
//! not by a background job.

use super::store::{TokenHash, TokenStore};
use crate::identity::{self, Standing, TokenEntity};
use crate::policy::{Generation, acl_of};
use crate::request::Request;
use crate::state::{State, Unsealed};
use bulla_barrier::Txn;
use bulla_kit::{CallerInfo, EngineError};
use bulla_policy::Acl;
use bulla_records::TokenRecord;
use bulla_types::{Network, Time};
use std::net::IpAddr;
use std::sync::Arc;

/// A token found valid.
#[derive(Clone, Debug)]
pub struct TokenHandle {
    pub hash: TokenHash,
    pub record: Arc<TokenRecord>,
}

/// Who asks, and what the policies of its token say.
#[derive(Clone)]
pub struct Caller {
    pub token: TokenHandle,
    /// `None` = the token has no entity.
    pub standing: Option<Arc<Standing>>,
    pub acl: Arc<Acl>,
}

impl Caller {
    pub fn info(&self) -> CallerInfo {
        let record = &self.token.record;
        CallerInfo {
            display_name: record.display_name.clone(),
            entity_id: record.entity_id.clone(),
            accessor: record.accessor.as_str().to_owned(),
            policies: record.policies.clone(),
            metadata: record.meta.clone().unwrap_or_default(),
        }
    }
}

/// The caller, or `None` if there is no token or it is none of ours (any more): the two look the same from outside.
///
/// # Errors
/// Storage.
pub async fn authenticate(
    unsealed: &Unsealed,
    state: &State,
    generation: Generation,
    txn: &Arc<Txn>,
    request: &Request,
    now: Time,
) -> Result<Option<Caller>, EngineError> {
    let Some(text) = request.token.as_ref() else { return Ok(None) };
    let store = TokenStore(txn);
    let Some((hash, record)) = store.by_text(text.dangerous_expose(), &state.mounts, now).await? else {
        return Ok(None);
    };
    if !address_allowed(&record, request.remote.map(|a| a.ip())) {
        return Ok(None);
    }
    let standing = match identity::of_token(state, txn, &record.entity_id).await? {
        TokenEntity::None => None,
        TokenEntity::Here(standing) => Some(standing),
        TokenEntity::Refused => return Ok(None),
    };
    let entity = standing.as_deref();
    let acl = acl_of(unsealed, generation, txn, record.namespace, &record.policies, entity, now).await?;
    Ok(Some(Caller { token: TokenHandle { hash, record: Arc::new(record) }, standing, acl }))
}

/// A token bound to addresses works from nowhere else, and not at all when the address is unknown (unix sockets).
fn address_allowed(record: &TokenRecord, remote: Option<IpAddr>) -> bool {
    if record.bound_cidrs.is_empty() {
        return true;
    }
    let Some(remote) = remote else { return false };
    record.bound_cidrs.iter().filter_map(|text| Network::parse(text)).any(|net| net.contains(remote))
}
