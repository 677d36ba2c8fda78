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
            // The view is of the caller's own. What cannot be there is for the handler to say.
            .exists(|own, p: PathParams| async move {
                Ok(p.path.is_empty() || p.path.ends_with('/') || own.exists(&p.path).await?)
            })
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use crate::testing::Server;
    use crate::{CoreConfig, ErrorKind};
    use bulla_types::Operation::Update;
    use serde_json::json;

    /// Every write counted as a change: who was granted `create` alone could write nothing, who was granted `update` alone
    /// everything.
    #[tokio::test]
    async fn a_new_name_asks_for_create_and_one_that_is_there_for_update() {
        let server = Server::start(1, 1, CoreConfig::default()).await;
        let with = async |capability: &str| {
            let rule = format!("path \"cubbyhole/*\" {{ capabilities = [\"{capability}\"] }}");
            server.write("sys/policies/acl/p", json!({ "policy": rule })).await.ok();
        };
        with("create").await;
        let body = json!({ "policies": "p", "no_default_policy": true });
        let (one, other) = (
            server.write("auth/token/create", body.clone()).await.token(),
            server.write("auth/token/create", body).await.token(),
        );
        let write = async |token: &str, name: &str| {
            server.call_as(Some(token), Update, &format!("cubbyhole/{name}"), json!({ "k": "v" })).await.refused
        };
        assert_eq!(write(&one, "a").await, None);
        assert_eq!(write(&one, "a").await, Some(ErrorKind::Denied));
        // What one token keeps is nothing to another.
        assert_eq!(write(&other, "a").await, None);
        with("update").await;
        assert_eq!(write(&one, "a").await, None);
        assert_eq!(write(&one, "b").await, Some(ErrorKind::Denied));
        let batch = json!({ "policies": "p", "no_default_policy": true, "type": "batch" });
        let batch = server.write("auth/token/create", batch).await.token();
        assert!(write(&batch, "a").await.is_some());
    }
}
