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
            let denied = ["sys/mounts/a", "sys/auth/token", "sys/policy", "sys/audit/a", "sys/audit-hash/a"]
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
                    (Update, "sys/audit/a"),
                    (Delete, "sys/audit/a"),
                    (Update, "sys/audit-hash/a"),
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

    /// Names of headers know no case, and whoever was denied one changed it in capitals.
    #[tokio::test]
    async fn a_header_that_is_denied_is_denied_in_every_spelling() {
        let server = Server::start(1, 1, CoreConfig::default()).await;
        for (folder, body) in [
            ("sys/config/auditing/request-headers", json!({ "hmac": true })),
            ("sys/config/ui/headers", json!({ "values": ["v"] })),
        ] {
            server.write(&format!("{folder}/X-Mine"), body.clone()).await.ok();
            let all = r#"capabilities = ["create", "read", "update", "delete", "sudo"]"#;
            let text =
                format!("path \"{folder}/*\" {{ {all} }}\npath \"{folder}/x-mine\" {{ capabilities = [\"deny\"] }}");
            server.write("sys/policies/acl/p", json!({ "policy": text })).await.ok();
            let token = server.write("auth/token/create", json!({ "policies": "p" })).await.token();
            for name in ["x-mine", "X-Mine", "X-MINE", "x-mine ", " X-mine"] {
                for operation in [Read, Update, Delete] {
                    let path = format!("{folder}/{name}");
                    let told = server.call_as(Some(&token), operation, &path, body.clone()).await;
                    assert_eq!(told.refused, Some(ErrorKind::Denied), "{operation:?} {path:?}");
                }
            }
            let told = server.call_as(Some(&token), Read, &format!("{folder}/x-other"), Value::Null).await;
            assert_ne!(told.refused, Some(ErrorKind::Denied), "{folder}");
            server.read(&format!("{folder}/X-Mine")).await.ok();
        }
    }
}
