//! Filling a server with marked things of every kind.

use bulla_testkit::{Client, Keys, ServerProcess};
use serde_json::json;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// A text that is found nowhere but where `what` was put.
pub fn mark(what: &str) -> String {
    // Different in each run: a file left over by an earlier one must not be taken for this one's.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos());
    format!("canary-{what}-{now:x}")
}

/// What was planted: what it is, and its text.
#[derive(Default)]
pub struct Planted {
    /// Values, texts and names that only clients may see.
    pub marks: Vec<(String, String)>,
    /// Tokens, the root token first.
    pub tokens: Vec<(String, String)>,
}

impl Planted {
    fn mark(&mut self, what: &str) -> String {
        let text = mark(what);
        self.marks.push((what.to_owned(), text.clone()));
        text
    }
}

/// Turns a file device on; its file.
pub fn audit_file(server: &ServerProcess, client: &Client) -> PathBuf {
    let path = server.folder().join("audit.log");
    let _ = client.put("sys/audit/file", json!({ "type": "file", "options": { "file_path": path } })).ok();
    path
}

/// `kv1/` and `kv2/`.
pub fn kv_mounts(client: &Client) {
    for version in ["1", "2"] {
        let body = json!({ "type": "kv", "options": { "version": version } });
        let _ = client.post(&format!("sys/mounts/kv{version}"), body).ok();
    }
}

/// Marks in everything a user can choose: names, values, descriptions, policies, metadata, tokens. Needs
/// [`kv_mounts`].
pub fn plant(client: &Client, keys: &Keys) -> Planted {
    let mut planted = Planted::default();
    planted.tokens.push(("root-token".into(), keys.root_token.clone()));
    mounts(client, &mut planted);
    secrets(client, &mut planted);
    let policy = policies(client, &mut planted);
    tokens(client, &mut planted, &policy);
    people(client, &mut planted);
    planted
}

fn people(client: &Client, planted: &mut Planted) {
    let mount = client.get("sys/auth/token").ok().json();
    let accessor = &mount["data"]["accessor"];
    let (name, key) = (planted.mark("entity-name"), planted.mark("entity-metadata-key"));
    let body = json!({ "name": name, "metadata": { key: planted.mark("entity-metadata") } });
    let entity = client.post("identity/entity", body).ok().json()["data"]["id"].clone();
    let custom = json!({ "k": planted.mark("alias-custom-metadata") });
    let alias = json!({ "name": planted.mark("alias-name"), "mount_accessor": accessor, "canonical_id": entity,
        "custom_metadata": custom });
    let _ = client.post("identity/entity-alias", alias).ok();
    let _ = client.get(&format!("identity/entity/name/{name}")).ok();
    let body = json!({ "name": planted.mark("group-name"), "member_entity_ids": [entity],
        "metadata": { "k": planted.mark("group-metadata") } });
    let _ = client.post("identity/group", body).ok();
    let alias = json!({ "name": planted.mark("group-alias-name"), "mount_accessor": accessor });
    let _ = client.post("identity/group-alias", alias).ok();
}

fn mounts(client: &Client, planted: &mut Planted) {
    let path = planted.mark("mount-path");
    let description = planted.mark("mount-description");
    let body = json!({ "type": "kv", "description": description, "options": { "version": "2" } });
    let _ = client.post(&format!("sys/mounts/{path}"), body).ok();
    let name = planted.mark("secret-in-marked-mount");
    let _ = client
        .post(&format!("{path}/data/{name}"), json!({ "data": { "k": planted.mark("marked-mount-value") } }))
        .ok();
}

fn secrets(client: &Client, planted: &mut Planted) {
    for number in 0..4 {
        let (name, key) = (planted.mark(&format!("v2-name-{number}")), planted.mark(&format!("v2-key-{number}")));
        let value = planted.mark(&format!("v2-value-{number}"));
        let folder = planted.mark(&format!("v2-folder-{number}"));
        let _ = client.post(&format!("kv2/data/{folder}/{name}"), json!({ "data": { key: value } })).ok();
        let text = planted.mark(&format!("v2-custom-metadata-{number}"));
        let metadata = json!({ "custom_metadata": { "owner": text } });
        let _ = client.post(&format!("kv2/metadata/{folder}/{name}"), metadata).ok();
        let _ = client.get(&format!("kv2/data/{folder}/{name}")).ok();
        let _ = client.list(&format!("kv2/metadata/{folder}")).ok();

        let name = planted.mark(&format!("v1-name-{number}"));
        let value = planted.mark(&format!("v1-value-{number}"));
        let _ = client.post(&format!("kv1/{name}"), json!({ "k": value })).ok();
        let _ = client.get(&format!("kv1/{name}")).ok();

        let name = planted.mark(&format!("cubbyhole-name-{number}"));
        let value = planted.mark(&format!("cubbyhole-value-{number}"));
        let _ = client.post(&format!("cubbyhole/{name}"), json!({ "k": value })).ok();
    }
    let versions = planted.mark("old-version");
    let _ = client.post("kv2/data/versions", json!({ "data": { "k": versions } })).ok();
    let _ = client.post("kv2/data/versions", json!({ "data": { "k": planted.mark("new-version") } })).ok();
    let large = planted.mark("large-value");
    let _ = client.post("kv1/large", json!({ "k": large.repeat(3000) })).ok();
    let _ = client.get("kv1/large").ok();
    // Answers of errors hold what was asked.
    let _ = client.post("kv2/data/refused", json!({ "data": planted.mark("refused-value") }));
}

fn policies(client: &Client, planted: &mut Planted) -> String {
    let (name, text) = (planted.mark("policy-name"), planted.mark("policy-text"));
    let policy = format!("# {text}\npath \"kv2/*\" {{ capabilities = [\"read\", \"list\"] }}\n");
    let _ = client.put(&format!("sys/policies/acl/{name}"), json!({ "policy": policy })).ok();
    let _ = client.get(&format!("sys/policies/acl/{name}")).ok();
    name
}

fn tokens(client: &Client, planted: &mut Planted, policy: &str) {
    for number in 0..4 {
        let metadata = planted.mark(&format!("token-metadata-{number}"));
        let display_name = planted.mark(&format!("token-display-name-{number}"));
        let body = json!({
            "policies": [policy], "meta": { "who": metadata }, "display_name": display_name, "ttl": "1h",
        });
        let answer = client.post("auth/token/create", body).ok().json();
        let token = answer["auth"]["client_token"].as_str().unwrap().to_owned();
        let _ = client.with_token(&token).get("auth/token/lookup-self").ok();
        let _ = client.with_token(&token).list("kv2/metadata/").ok();
        planted.tokens.push((format!("service-token-{number}"), token));
    }
    // One that is revoked, one that never was.
    let answer = client.post("auth/token/create", json!({ "policies": [policy] })).ok().json();
    let token = answer["auth"]["client_token"].as_str().unwrap().to_owned();
    let _ = client.with_token(&token).post("auth/token/revoke-self", json!({})).ok();
    planted.tokens.push(("revoked-token".into(), token));
    let unknown = format!("hvs.{}", mark("unknown"));
    let _ = client.with_token(&unknown).get("kv2/data/versions").is(403);
    planted.tokens.push(("unknown-token".into(), unknown));
}
