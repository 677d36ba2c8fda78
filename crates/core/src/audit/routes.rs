//! `sys/audit`, `sys/audit-hash`, `sys/config/auditing/request-headers`.

use super::{AuditStore, AuditedHeaders, identity, rules};
use crate::policy::check_with_and_without_slash;
use crate::sys::{Effect, SysCtx};
use bulla_audit::{Device, DeviceRecord, EnableRequest, Managed, Rules};
use bulla_kit::{Answer, EngineError, KeyValues, NoParams, Params, Reply, Route};
use serde_json::{Map, Value, json};

#[derive(Params)]
struct PathParams {
    /// The device's path.
    #[param(path)]
    path: String,
}

#[derive(Params)]
struct EnableParams {
    /// The device's path.
    #[param(path)]
    path: String,
    /// Which kind of device: `file`.
    #[param(name = "type")]
    kind: String,
    /// What it is for.
    description: String,
    /// Kept out of replication.
    local: bool,
    /// Options of the device.
    options: KeyValues,
}

#[derive(Params)]
struct HashParams {
    /// The device's path.
    #[param(path)]
    path: String,
    /// The text to hash as the device does.
    input: String,
}

#[derive(Params)]
struct HeaderParams {
    /// The header's name.
    #[param(path)]
    header: String,
    /// Whether its values are hashed.
    hmac: bool,
}

pub fn routes() -> Vec<Route<SysCtx>> {
    vec![
        Route::sudo("audit").help("List the audit devices.", "By path, with kind and options of each.").read(list),
        Route::sudo("audit/{path..}")
            .help(
                "Enable or disable an audit device.",
                "Once there is a device, a request that none of them takes is refused.",
            )
            .update(enable)
            .delete(disable),
        Route::token("audit-hash/{path..}")
            .help(
                "Hash a text as a device does.",
                "To find a known value in a device's records, which hold secrets only hashed.",
            )
            .update(hash),
        Route::sudo("config/auditing/request-headers")
            .help("Headers written to audit.", "By name, and whether the value is hashed.")
            .read(headers),
        Route::sudo("config/auditing/request-headers/{header:any}")
            .help("Whether a header is written to audit.", "One header; with `hmac` its value is hashed.")
            .folded(&["header"])
            .read(read_header)
            .update(write_header)
            .delete(delete_header),
    ]
}

async fn list(ctx: SysCtx, _: NoParams) -> Answer {
    Ok(Reply::json(&ctx.pass.owner().audit.list())?.at_top_too())
}

fn refuse(error: impl std::fmt::Display) -> EngineError {
    EngineError::bad(error.to_string())
}

async fn enable(ctx: SysCtx, params: EnableParams) -> Answer {
    check_with_and_without_slash(&ctx)?;
    let rules = Rules { own: Some(ctx.core.config.own_places.clone()), ..rules(&ctx.core.config) };
    rules.check_api_creation().map_err(refuse)?;
    let broker = &ctx.pass.owner().audit;
    let store = AuditStore::new(ctx.txn());
    if store.get(&params.path).await?.is_none() {
        // Left by an earlier run of this very request that met a conflict at its commit.
        let _ = broker.remove(&params.path);
    }
    broker.check_path(&params.path).map_err(refuse)?;
    let request = EnableRequest {
        kind: params.kind.clone(),
        description: params.description,
        local: params.local,
        options: params.options.0.into_iter().collect(),
    };
    let record = DeviceRecord::new(&params.path, request, identity(&params.kind)?, Managed::Api);
    let device = Device::open(record.clone(), &rules).map_err(refuse)?;
    broker.add(device).await.map_err(refuse)?;
    store.put(&record)?;
    Ok(Reply::none())
}

async fn disable(ctx: SysCtx, params: PathParams) -> Answer {
    check_with_and_without_slash(&ctx)?;
    ctx.pass.owner().audit.check_remove(&params.path).map_err(refuse)?;
    AuditStore::new(ctx.txn()).delete(&params.path)?;
    ctx.after_commit(Effect::AuditRemoved(params.path));
    Ok(Reply::none())
}

async fn hash(ctx: SysCtx, params: HashParams) -> Answer {
    check_with_and_without_slash(&ctx)?;
    let hash = ctx.pass.owner().audit.hash(&params.path, &params.input).map_err(refuse)?;
    Ok(Reply::json(&json!({ "hash": hash }))?.at_top_too())
}

async fn headers(ctx: SysCtx, _: NoParams) -> Answer {
    let found = AuditStore::new(ctx.txn()).headers().await?;
    let all: Map<String, Value> = found.into_iter().map(|(name, hmac)| (name, json!({ "hmac": hmac }))).collect();
    Ok(Reply::json(&json!({ "headers": all }))?.at_top_too())
}

async fn read_header(ctx: SysCtx, params: HeaderParams) -> Answer {
    match AuditStore::new(ctx.txn()).headers().await?.get(&params.header) {
        // As the client spells it.
        Some(hmac) => {
            let name = ctx.request.path.as_str().rsplit('/').next().unwrap_or(&params.header);
            Ok(Reply::json(&json!({ name: { "hmac": hmac } }))?.at_top_too())
        }
        None => Err(EngineError::bad("Could not find header in config")),
    }
}

async fn change(ctx: &SysCtx, change: impl FnOnce(&mut AuditedHeaders)) -> Answer {
    let store = AuditStore::new(ctx.txn());
    let mut headers = store.headers().await?;
    change(&mut headers);
    store.put_headers(&headers)?;
    ctx.after_commit(Effect::AuditedHeaders(headers));
    Ok(Reply::none())
}

async fn write_header(ctx: SysCtx, params: HeaderParams) -> Answer {
    change(&ctx, |headers| {
        headers.insert(params.header, params.hmac);
    })
    .await
}

async fn delete_header(ctx: SysCtx, params: HeaderParams) -> Answer {
    change(&ctx, |headers| {
        headers.remove(&params.header);
    })
    .await
}
