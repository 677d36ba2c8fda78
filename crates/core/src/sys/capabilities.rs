//! `sys/capabilities`, `-self`, `-accessor`: what a token may do with paths.

use super::SysCtx;
use crate::identity::{self, TokenEntity};
use crate::policy::acl_of;
use crate::token::TokenStore;
use bulla_kit::{Answer, CommaList, EngineError, Params, Reply, Route};
use bulla_policy::Acl;
use bulla_records::TokenRecord;
use serde_json::{Map, Value, json};
use std::sync::Arc;

#[derive(Params)]
struct CapabilityParams {
    /// The token asked about.
    token: String,
    /// The accessor of the token asked about.
    accessor: String,
    #[param(older_name_of = "paths")]
    path: CommaList,
    /// The paths.
    paths: CommaList,
}

pub fn routes() -> Vec<Route<SysCtx>> {
    vec![
        Route::token("capabilities")
            .help(
                "What a token may do with paths.",
                "Names of capabilities, path by path; `deny` where there are none.",
            )
            .update(of_token),
        Route::token("capabilities-self")
            .help(
                "What the caller may do with paths.",
                "Names of capabilities, path by path; `deny` where there are none.",
            )
            .update(of_self),
        Route::token("capabilities-accessor")
            .help(
                "What a token may do with paths.",
                "Names of capabilities, path by path; `deny` where there are none.",
            )
            .update(of_accessor),
    ]
}

fn answer(ctx: &SysCtx, acl: &Acl, params: CapabilityParams) -> Answer {
    let paths = if params.paths.0.is_empty() { params.path.0 } else { params.paths.0 };
    if paths.is_empty() {
        return Err(EngineError::bad("paths must be supplied"));
    }
    let acl = acl.at(ctx.now());
    let mut data: Map<String, Value> = Map::new();
    for path in &paths {
        let granted = acl.capabilities("", path.trim_start_matches('/'));
        if paths.len() == 1 {
            data.insert("capabilities".into(), json!(granted));
        }
        data.insert(path.clone(), json!(granted));
    }
    Ok(Reply::json(&data)?.at_top_too())
}

/// # Errors
/// The token's entity is gone or disabled, and so the token may do nothing.
async fn acl_for(ctx: &SysCtx, record: &TokenRecord) -> Result<Arc<Acl>, EngineError> {
    let standing = match identity::of_token(&ctx.state, ctx.txn(), &record.entity_id).await? {
        TokenEntity::None => None,
        TokenEntity::Here(standing) => Some(standing),
        TokenEntity::Refused => return Err(EngineError::DeniedBecause("permission denied".into())),
    };
    let (owner, entity) = (ctx.pass.owner(), standing.as_deref());
    acl_of(owner, ctx.generation, ctx.txn(), record.namespace, &record.policies, entity, ctx.now()).await
}

async fn of_self(ctx: SysCtx, params: CapabilityParams) -> Answer {
    let acl = Arc::clone(&ctx.caller()?.acl);
    answer(&ctx, &acl, params)
}

async fn of_token(ctx: SysCtx, params: CapabilityParams) -> Answer {
    if params.token.is_empty() {
        return Err(EngineError::bad("missing token"));
    }
    let store = TokenStore(ctx.txn());
    match store.by_text(&params.token, &ctx.state.mounts, ctx.now()).await? {
        Some((_, record)) => answer(&ctx, &*acl_for(&ctx, &record).await?, params),
        None => Err(EngineError::bad("1 error occurred:\n\t* invalid token\n\n")),
    }
}

async fn of_accessor(ctx: SysCtx, params: CapabilityParams) -> Answer {
    if params.accessor.is_empty() {
        return Err(EngineError::bad("missing accessor"));
    }
    let store = TokenStore(ctx.txn());
    let found = match store.by_accessor(&params.accessor).await? {
        Some((hash, _)) => store.live(&hash, &ctx.state.mounts, ctx.now()).await?,
        None => None,
    };
    match found {
        Some(record) => answer(&ctx, &*acl_for(&ctx, &record).await?, params),
        None => Err(EngineError::bad("1 error occurred:\n\t* invalid accessor\n\n")),
    }
}
