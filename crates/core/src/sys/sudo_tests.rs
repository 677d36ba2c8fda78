//! Which of core's routes ask for `sudo` besides the capability: those that do in Vault and OpenBao.
#![allow(clippy::unwrap_used, reason = "tests")]

use crate::testing::Server;
use crate::{CoreConfig, ErrorKind};
use bulla_types::Operation::{self, Delete, List, Read, Update};
use serde_json::json;

const GUARDED: [(Operation, &str); 43] = [
    (Update, "sys/auth/x"),
    (Read, "sys/auth/x"),
    (Delete, "sys/auth/x"),
    (Read, "sys/auth/token/tune"),
    (Update, "sys/auth/token/tune"),
    (Update, "sys/remount"),
    (Read, "sys/audit"),
    (Update, "sys/audit/x"),
    (Delete, "sys/audit/x"),
    (Update, "sys/rotate"),
    (Update, "sys/rotate/keyring"),
    (Update, "sys/rotate/root"),
    (Read, "sys/config/cors"),
    (Update, "sys/config/cors"),
    (Delete, "sys/config/cors"),
    (Read, "sys/config/auditing/request-headers"),
    (Read, "sys/config/auditing/request-headers/x"),
    (Update, "sys/config/auditing/request-headers/x"),
    (Delete, "sys/config/auditing/request-headers/x"),
    (List, "sys/config/ui/headers"),
    (Read, "sys/config/ui/headers/x"),
    (Update, "sys/config/ui/headers/x"),
    (Delete, "sys/config/ui/headers/x"),
    (List, "sys/plugins/catalog/auth"),
    (List, "sys/plugins/catalog/secret/"),
    (Read, "sys/plugins/catalog/secret/kv"),
    (Read, "sys/plugins/catalog/secret/nothing"),
    (Update, "sys/revoke-prefix/x"),
    (Update, "sys/revoke-force/x"),
    (Update, "sys/leases/revoke-prefix/x"),
    (Update, "sys/leases/revoke-force/x"),
    (List, "sys/leases/lookup"),
    (List, "sys/leases/lookup/"),
    (List, "sys/leases/lookup/x"),
    (Read, "sys/leases"),
    (Read, "sys/rekey/backup"),
    (Delete, "sys/rekey/backup"),
    (Read, "sys/rekey/recovery-key-backup"),
    (Delete, "sys/rekey/recovery-key-backup"),
    (List, "auth/token/accessors"),
    (List, "auth/token/accessors/"),
    (Update, "sys/step-down"),
    // The last one: it seals.
    (Update, "sys/seal"),
];

/// Where the reference asks for the capability alone, or policies written for it would fail.
const OPEN: [(Operation, &str); 13] = [
    (Read, "sys/auth"),
    (Read, "sys/mounts"),
    (Read, "sys/mounts/x"),
    (Read, "sys/mounts/cubbyhole/tune"),
    (Update, "sys/mounts/auth/token/tune"),
    (Read, "sys/plugins/catalog"),
    (Read, "sys/policies/acl/x"),
    (List, "sys/policies/acl"),
    (Read, "sys/policy"),
    (Read, "sys/rotate/config"),
    (Read, "sys/key-status"),
    (Update, "sys/leases/lookup"),
    (Read, "sys/leases/count"),
];

#[tokio::test]
async fn guarded_paths_ask_for_sudo_and_no_others_do() {
    let server = Server::start(1, 1, CoreConfig::default()).await;
    let mut tokens = Vec::new();
    for (name, more) in [("plain", ""), ("strong", r#", "sudo""#)] {
        let text =
            format!(r#"path "*" {{ capabilities = ["create", "read", "update", "patch", "delete", "list"{more}] }}"#);
        server.write(&format!("sys/policies/acl/{name}"), json!({ "policy": text })).await.ok();
        tokens.push(
            server.write("auth/token/create", json!({ "policies": name, "no_default_policy": true })).await.token(),
        );
    }
    for (operation, path) in GUARDED.iter().copied().chain(OPEN) {
        let told = server.call_as(Some(&tokens[0]), operation, path, json!({})).await;
        let guarded = GUARDED.contains(&(operation, path));
        assert_eq!(told.refused == Some(ErrorKind::Denied), guarded, "{operation:?} {path}: {}", told.body);
    }
    for (operation, path) in GUARDED {
        let told = server.call_as(Some(&tokens[1]), operation, path, json!({})).await;
        assert!(told.refused != Some(ErrorKind::Denied), "{operation:?} {path}: {}", told.body);
    }
}
