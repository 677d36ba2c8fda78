//! `cubbyhole/…`: each token's own store, gone with the token.

use super::SysCtx;
use crate::wrapping;
use bulla_barrier::{Page, View};
use bulla_kit::{Answer, EngineError, Input, Params, RawJson, Reply, Route};
use bulla_records::TokenKindRecord;

#[derive(Params)]
struct PathParams {
    /// Path of the entry.
    #[param(path)]
    path: String,
}

pub fn routes() -> Vec<Route<SysCtx>> {
    vec![
        Route::token("{path..?}")
            .help("The token's own store.", "Goes with the token.")
            .exists(|_view, _p: PathParams| async { Ok(true) })
            .read(read)
            .update(write)
            .delete(delete)
            .list(list),
    ]
}

/// The view of the caller's own cubbyhole.
fn own(ctx: &SysCtx) -> Result<View, EngineError> {
    let record = &ctx.caller()?.token.record;
    if record.kind == TokenKindRecord::Batch {
        return Err(EngineError::bad("cubbyhole operations are only supported by 'service' type tokens"));
    }
    Ok(View::new(ctx.txn(), record.cubbyhole))
}

async fn read(ctx: SysCtx, params: PathParams) -> Answer {
    if params.path.is_empty() || params.path.ends_with('/') {
        return Ok(Reply::none());
    }
    match own(&ctx)?.get(&params.path).await? {
        Some(bytes) if wrapping::is_kept_at(&ctx.caller()?.token.record, &params.path) => {
            wrapping::in_cubbyhole(&bytes)
        }
        Some(bytes) => {
            let text = String::from_utf8(bytes).map_err(|_| EngineError::damaged("cubbyhole entry"))?;
            Ok(Reply::data(RawJson::from_trusted(text)))
        }
        None => Ok(Reply::none()),
    }
}

async fn write(ctx: SysCtx, input: Input) -> Answer {
    let path = input.captures.get("path").unwrap_or_default();
    if path.is_empty() {
        return Err(EngineError::bad("missing path"));
    }
    if input.body.is_empty() {
        return Err(EngineError::bad("missing data fields"));
    }
    own(&ctx)?.put(path, input.body.to_json().get().as_bytes().to_vec())?;
    Ok(Reply::none())
}

async fn delete(ctx: SysCtx, params: PathParams) -> Answer {
    let path = params.path.trim_end_matches('/');
    if !path.is_empty() && path.len() == params.path.len() {
        own(&ctx)?.delete(path)?;
    }
    Ok(Reply::none())
}

async fn list(ctx: SysCtx, params: PathParams) -> Answer {
    Reply::keys(&own(&ctx)?.list(params.path.trim_end_matches('/'), &Page::default()).await?)
}
