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
            .exists(|view: View, at: PathParams| async move {
                // Nothing can be at a folder's name; the handler says so.
                Ok(at.path.is_empty() || at.path.ends_with('/') || view.exists(&at.path).await?)
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
    use bulla_types::Operation::{Read, Update};
    use serde_json::{Value, json};

    /// As everywhere else where something can be there or not.
    #[tokio::test]
    async fn a_new_entry_is_created_and_another_updated() {
        let server = Server::start(1, 1, CoreConfig::default()).await;
        // What is in another's cubbyhole does not count.
        server.write("cubbyhole/a", json!({ "k": "root's" })).await.ok();
        let token = async |name: &str| {
            let rule = format!("path \"cubbyhole/*\" {{ capabilities = [\"{name}\", \"read\"] }}");
            server.write(&format!("sys/policies/acl/{name}"), json!({ "policy": rule })).await.ok();
            let asked = json!({ "policies": [name], "no_default_policy": true });
            server.write("auth/token/create", asked).await.token()
        };
        let (creates, updates) = (token("create").await, token("update").await);
        let write = |token| server.call_as(Some(token), Update, "cubbyhole/a", json!({ "k": "v" }));
        assert!(write(&creates).await.refused.is_none());
        assert_eq!(write(&creates).await.refused, Some(ErrorKind::Denied));
        assert_eq!(write(&updates).await.refused, Some(ErrorKind::Denied));
        let read = server.call_as(Some(&creates), Read, "cubbyhole/a", Value::Null).await.ok();
        assert_eq!(read, json!({ "k": "v" }));
        // Both rules in one token: whatever is there.
        let asked = json!({ "policies": ["create", "update"] });
        let both = server.write("auth/token/create", asked).await.token();
        for _ in 0..2 {
            assert!(write(&both).await.refused.is_none());
        }
    }
}
