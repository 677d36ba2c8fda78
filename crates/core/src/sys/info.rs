//! What the server tells of itself to those who may ask: nodes, documentation, configuration.

use super::{SysCtx, history};
use crate::identity::IdentityStore;
use crate::state::Backend;
use crate::token::TokenStore;
use bulla_kit::{Answer, NoParams, OpenApi, Reply, Route};
use serde_json::{Value, json};

pub fn routes() -> Vec<Route<SysCtx>> {
    vec![
        Route::token("ha-status").help("The nodes of the cluster.", "One: this server.").read(ha_status),
        Route::token("version-history")
            .help(
                "The versions this installation has run.",
                "Bulla's own, since when, and the version of the API that clients were told.",
            )
            .list(history::list),
        Route::token("internal/counters/tokens")
            .help("How many tokens there are.", "Service tokens only; batch tokens are not stored.")
            .read(token_count),
        Route::token("internal/counters/entities")
            .help("How many entities there are.", "Those of identity, disabled ones as well.")
            .read(entity_count),
        Route::public("internal/specs/openapi")
            .help("This API as an OpenAPI document.", "Only mounts that the caller's token can use.")
            .read(openapi)
            .update(openapi),
        Route::token("config/state/sanitized")
            .help("The configuration without secrets.", "As it was read when the server started.")
            .read(sanitized),
    ]
}

async fn ha_status(ctx: SysCtx, _: NoParams) -> Answer {
    let node = json!({
        "hostname": hostname(),
        "api_address": ctx.core.config.api_addr,
        "cluster_address": ctx.core.config.cluster_addr,
        "active_node": true,
        "last_echo": Value::Null,
        "version": ctx.core.config.version,
    });
    Ok(Reply::json(&json!({ "nodes": [node] }))?.at_top_too())
}

pub fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").map(|t| t.trim().to_owned()).unwrap_or_default()
}

async fn entity_count(ctx: SysCtx, _: NoParams) -> Answer {
    let total = IdentityStore::of(&ctx.state, ctx.txn())?.count().await?;
    Reply::json(&json!({ "counters": { "entities": { "total": total } } }))
}

async fn token_count(ctx: SysCtx, _: NoParams) -> Answer {
    let total = TokenStore(ctx.txn()).count().await?;
    Reply::json(&json!({ "counters": { "service_tokens": { "total": total } } }))
}

/// Only mounts the caller can see anything in: none without a token.
async fn openapi(ctx: SysCtx, _: NoParams) -> Answer {
    let acl = ctx.caller.as_ref().map(|caller| caller.acl.at(ctx.now()).into_owned());
    let mut document = OpenApi::default();
    for mount in ctx.state.mounts.iter() {
        let path = mount.record.path.as_str();
        if !acl.as_ref().is_some_and(|acl| acl.is_root() || acl.has_any_capability_below("", path)) {
            continue;
        }
        match &mount.backend {
            Backend::Engine(engine) => document.add(path, engine.routes()),
            Backend::System(table) => document.add(path, table),
            Backend::Unknown => {}
        }
    }
    let is_hidden = ctx.request.redact.version && ctx.caller.is_none();
    let version = if is_hidden { "" } else { &ctx.core.config.version };
    let text = serde_json::to_vec(&document.finish(version))
        .map_err(|_| bulla_kit::EngineError::internal("the document could not be written"))?;
    Ok(Reply::raw("application/json", text))
}

async fn sanitized(ctx: SysCtx, _: NoParams) -> Answer {
    Reply::json(&ctx.core.config.sanitized)
}
