//! What clients are told of mounts beside their settings.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use crate::CoreConfig;
use crate::testing::Server;
use serde_json::json;

#[tokio::test]
async fn mounts_say_which_version_runs() {
    let config = CoreConfig { version: "9.8.7".into(), ..CoreConfig::default() };
    let server = Server::start(1, 1, config).await;
    server.write("sys/mounts/b", json!({ "type": "box" })).await.ok();
    let all = server.read("sys/mounts").await.ok();
    for (path, status) in [("b/", "supported"), ("sys/", ""), ("identity/", ""), ("cubbyhole/", "")] {
        let mount = &all[path];
        assert_eq!(mount["running_plugin_version"], "v9.8.7+builtin.bulla", "{path}");
        assert_eq!(mount["deprecation_status"], status, "{path}");
        assert_eq!((&mount["plugin_version"], &mount["running_sha256"]), (&json!(""), &json!("")), "{path}");
    }
    assert_eq!(server.read("sys/auth").await.ok()["token/"]["deprecation_status"], "");
    assert_eq!(server.read("sys/mounts/b").await.ok(), all["b/"]);
    let one = server.read("sys/plugins/catalog/secret/box").await.ok();
    assert_eq!(one["version"], "v9.8.7+builtin.bulla");
}

#[tokio::test]
async fn only_the_version_that_runs_can_be_asked_for() {
    let server = Server::start(1, 1, CoreConfig { version: "9.8.7".into(), ..CoreConfig::default() }).await;
    let enable = |version: &str| json!({ "type": "box", "config": { "plugin_version": version } });
    assert!(server.write("sys/mounts/b", enable("v1.0.0")).await.error().contains("v1.0.0"));
    server.write("sys/mounts/b", enable("v9.8.7+builtin.bulla")).await.ok();
    assert!(server.write("sys/mounts/b/tune", json!({ "plugin_version": "v9.8.8" })).await.refused.is_some());
    server.write("sys/mounts/b/tune", json!({ "plugin_version": "" })).await.ok();
}

#[tokio::test]
async fn names_of_managed_keys_are_kept() {
    let server = Server::start(1, 1, CoreConfig::default()).await;
    server.write("sys/mounts/b", json!({ "type": "box", "config": { "allowed_managed_keys": ["k"] } })).await.ok();
    assert_eq!(server.read("sys/mounts/b/tune").await.ok()["allowed_managed_keys"], json!(["k"]));
    server.write("sys/mounts/b/tune", json!({ "allowed_managed_keys": "a,b" })).await.ok();
    assert_eq!(server.read("sys/mounts/b").await.ok()["config"]["allowed_managed_keys"], json!(["a", "b"]));
    server.write("sys/mounts/b/tune", json!({ "allowed_managed_keys": [] })).await.ok();
    assert_eq!(server.read("sys/mounts/b/tune").await.ok().get("allowed_managed_keys"), None);
}
