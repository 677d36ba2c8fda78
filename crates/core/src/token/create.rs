//! Making a token: id, record and indexes in the request's own batch.

use super::batch;
use super::store::{TokenHash, TokenStore};
use crate::identity::Standing;
use bulla_barrier::Txn;
use bulla_crypto::random;
use bulla_kit::EngineError;
use bulla_records::{TokenKindRecord, TokenRecord};
use bulla_secret::SecretText;
use bulla_types::{Accessor, NamespaceId, PolicyName, ScopeId, Seconds, Time};
use bulla_wire::AuthBlock;
use indexmap::IndexMap;
use std::sync::Arc;

/// What a new token is to be. Already checked: nothing here is refused any more.
#[derive(Clone, Debug)]
pub struct NewToken {
    pub namespace: NamespaceId,
    pub id: Option<String>,
    pub parent: Option<TokenHash>,
    pub policies: Vec<PolicyName>,
    pub path: String,
    pub meta: Option<IndexMap<String, String>>,
    pub display_name: String,
    pub uses: Option<u32>,
    /// `None` = never expires (root tokens only).
    pub ttl: Option<Seconds>,
    pub max_ttl: Seconds,
    pub explicit_max_ttl: Option<Seconds>,
    pub period: Option<Seconds>,
    pub renewable: bool,
    pub role: Option<String>,
    pub entity_id: String,
    pub bound_cidrs: Vec<String>,
    pub mount_accessor: String,
    /// How many bytes of `path` name that mount; 0 = the token is not listed among the leases.
    pub mount_length: usize,
    pub internal: Option<String>,
    pub kind: TokenKindRecord,
}

impl NewToken {
    /// A root token without an end, as initialisation and root generation make it.
    pub fn root(namespace: NamespaceId, id: Option<String>) -> Self {
        Self {
            namespace,
            id,
            parent: None,
            policies: vec![PolicyName::root()],
            path: "auth/token/root".into(),
            meta: None,
            display_name: "root".into(),
            uses: None,
            ttl: None,
            max_ttl: Seconds::ZERO,
            explicit_max_ttl: None,
            period: None,
            renewable: false,
            role: None,
            entity_id: String::new(),
            bound_cidrs: Vec::new(),
            mount_accessor: String::new(),
            mount_length: 0,
            internal: None,
            kind: TokenKindRecord::Service,
        }
    }

    /// The token that holds a wrapped answer: one use, one policy, no renewal.
    pub fn wrapping(namespace: NamespaceId, creation_path: &str, ttl: Seconds) -> Self {
        Self {
            policies: vec![PolicyName::response_wrapping()],
            path: creation_path.to_owned(),
            display_name: String::new(),
            uses: Some(1),
            ttl: Some(ttl),
            explicit_max_ttl: Some(ttl),
            ..Self::root(namespace, None)
        }
    }
}

/// A token as it leaves: the only moment its id is known.
pub struct Issued {
    pub id: SecretText,
    pub record: TokenRecord,
}

impl Issued {
    /// What the client is told.
    pub fn auth_block(&self) -> AuthBlock {
        AuthBlock { client_token: self.id.dangerous_expose().to_owned(), ..auth_block_of(&self.record) }
    }
}

/// The `auth` block of a token, without its id.
pub fn auth_block_of(record: &TokenRecord) -> AuthBlock {
    let policies: Vec<String> = record.policies.iter().map(|p| p.as_str().to_owned()).collect();
    AuthBlock {
        client_token: String::new(),
        accessor: record.accessor.as_str().to_owned(),
        policies: policies.clone(),
        token_policies: policies,
        identity_policies: Vec::new(),
        metadata: record.meta.clone(),
        lease_duration: record.last_ttl.0,
        renewable: record.renewable,
        entity_id: record.entity_id.clone(),
        token_type: record.kind.word().to_owned(),
        orphan: record.parent.is_none(),
        mfa_requirement: None,
        num_uses: u64::from(record.uses.unwrap_or(0)),
    }
}

/// Adds the policies that the token has by its entity, as they are now.
pub fn add_identity(block: &mut AuthBlock, standing: Option<&Standing>) {
    let names = standing.map_or(&[][..], Standing::policies).iter().map(|name| name.as_str().to_owned());
    block.identity_policies = names.collect();
    block.policies.extend(block.identity_policies.iter().cloned());
    block.policies.sort_unstable();
    block.policies.dedup();
}

fn no_randomness<E>(_: E) -> EngineError {
    EngineError::internal("no randomness could be had from the system")
}

/// Writes the token into the transaction; a batch token is written nowhere.
///
/// # Errors
/// No randomness; a custom id that is taken; too many tokens above it.
pub async fn issue(txn: &Arc<Txn>, new: NewToken, now: Time) -> Result<Issued, EngineError> {
    let store = TokenStore(txn);
    if let Some(parent) = &new.parent {
        store.check_depth(parent).await?;
    }
    let id = new.id.clone();
    let record = record_of(new, now)?;
    if record.kind == TokenKindRecord::Batch {
        return Ok(Issued { id: batch::seal(txn, &record)?, record });
    }
    let id = match id {
        Some(id) => {
            if store.get(&store.hash(&id)).await?.is_some() {
                return Err(EngineError::bad("cannot create a token with a duplicate ID"));
            }
            SecretText::from(id)
        }
        None => SecretText::from(format!("hvs.{}", random::base62(24).map_err(no_randomness)?)),
    };
    store.insert(&store.hash(id.dangerous_expose()), &record)?;
    Ok(Issued { id, record })
}

fn record_of(new: NewToken, now: Time) -> Result<TokenRecord, EngineError> {
    let ttl = new.ttl.unwrap_or(Seconds::ZERO);
    let accessor = match new.kind {
        TokenKindRecord::Service => random::base62(24).map_err(no_randomness)?,
        TokenKindRecord::Batch => String::new(),
    };
    Ok(TokenRecord {
        namespace: new.namespace,
        accessor: Accessor(accessor),
        parent: new.parent.map(hex::encode),
        policies: new.policies,
        path: new.path,
        meta: new.meta,
        display_name: new.display_name,
        uses: new.uses,
        created: now,
        creation_ttl: ttl,
        expires: new.ttl.map(|ttl| now.plus(ttl)),
        last_ttl: ttl,
        last_renewal: None,
        explicit_max_ttl: new.explicit_max_ttl,
        period: new.period,
        renewable: new.renewable,
        role: new.role,
        entity_id: new.entity_id,
        bound_cidrs: new.bound_cidrs,
        kind: new.kind,
        cubbyhole: ScopeId(random::bytes().map_err(no_randomness)?),
        max_ttl: new.max_ttl,
        mount_accessor: new.mount_accessor,
        mount_length: new.mount_length,
        internal: new.internal,
        released: false,
    })
}
