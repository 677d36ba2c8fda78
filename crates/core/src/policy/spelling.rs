//! Paths that some routes take with and without a slash at the end, as clients send both. Policy sees the path as it was
//! sent; a `deny` is about the thing, and holds for both.

use crate::sys::SysCtx;
use bulla_kit::EngineError;

/// # Errors
/// The path of the request is denied with the slash or without it.
pub fn check_with_and_without_slash(ctx: &SysCtx) -> Result<(), EngineError> {
    let bare = ctx.request.path.as_str().trim_end_matches('/');
    let acl = &ctx.caller()?.acl;
    let denied = |path: &str| acl.denies("", path, ctx.now());
    if denied(bare) || denied(&format!("{bare}/")) { Err(EngineError::Denied) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use crate::testing::Server;
    use crate::{CoreConfig, ErrorKind};
    use bulla_types::Operation::{Delete, Read, Update};
    use serde_json::{Value, json};

    /// Whoever was denied one mount and granted the others read and disabled it with a slash at the end.
    #[tokio::test]
    async fn what_is_denied_is_denied_with_a_slash() {
        let server = Server::start(1, 1, CoreConfig::default()).await;
        server.write("sys/mounts/a", json!({ "type": "box" })).await.ok();
        server.write("sys/mounts/other", json!({ "type": "box" })).await.ok();
        let all = r#"capabilities = ["create", "read", "update", "delete", "list", "sudo"]"#;
        for slash in ["", "/"] {
            let denied = ["sys/mounts/a", "sys/auth/token", "sys/policy"]
                .map(|path| format!("path \"{path}{slash}\" {{ capabilities = [\"deny\"] }}\n"));
            let text = format!("path \"*\" {{ {all} }}\n{}", denied.concat());
            server.write("sys/policies/acl/p", json!({ "policy": text })).await.ok();
            let body = json!({ "policies": "p", "no_default_policy": true });
            let token = server.write("auth/token/create", body).await.token();
            for sent in ["", "/"] {
                for (operation, path) in [
                    (Read, "sys/mounts/a"),
                    (Update, "sys/mounts/a"),
                    (Delete, "sys/mounts/a"),
                    (Read, "sys/auth/token"),
                    (Delete, "sys/auth/token"),
                    (Read, "sys/policy"),
                ] {
                    let path = format!("{path}{sent}");
                    let told = server.call_as(Some(&token), operation, &path, json!({ "type": "box" })).await;
                    assert_eq!(told.refused, Some(ErrorKind::Denied), "{operation:?} {path}, rule with {slash:?}");
                }
                let told = server.call_as(Some(&token), Read, &format!("sys/mounts/other{sent}"), Value::Null).await;
                told.ok();
            }
            server.read("sys/mounts/a").await.ok();
        }
    }
}
