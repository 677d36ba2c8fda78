//! Identity through the whole pipeline, with an auth method that lets everybody in under whatever name, metadata and
//! groups the request says.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod attacks;
mod groups;
mod logins;
mod measure;
mod merging;
mod tokens;

use crate::testing::{Server, Told};
use crate::{CoreConfig, ErrorKind};
use bulla_kit::{
    AliasClaim, Answer, Ctx, Engine, EngineKind, KeyValues, LoginIntent, Params, Reply, Route, Routes, TokenKind,
    TokenLimits,
};
use bulla_types::Operation::{Delete, List, Read, Update};
use bulla_types::{PolicyName, Seconds};
use serde_json::{Value, json};
use std::sync::Arc;

struct Open(Routes<Ctx>);

#[derive(Params)]
struct Asked {
    /// The alias.
    #[param(path)]
    name: String,
    /// Of the alias.
    metadata: KeyValues,
    /// Group aliases.
    groups: Vec<String>,
    /// Of the token.
    policies: Vec<String>,
    /// The kind of token.
    batch: bool,
}

impl Open {
    async fn login(_: Ctx, asked: Asked) -> Answer {
        Ok(Reply::login(LoginIntent {
            display_name: asked.name.clone(),
            policies: asked.policies.iter().map(|p| PolicyName::parse(p).unwrap()).collect(),
            metadata: asked.metadata.0.clone(),
            alias: Some(AliasClaim { name: asked.name, metadata: asked.metadata.0 }),
            group_aliases: asked.groups,
            limits: TokenLimits {
                ttl: Some(Seconds(600)),
                kind: if asked.batch { TokenKind::Batch } else { TokenKind::MountDefault },
                ..TokenLimits::default()
            },
            renewable: true,
            internal: None,
        }))
    }
}

impl Engine for Open {
    fn kind(&self) -> EngineKind {
        EngineKind::Auth
    }

    fn routes(&self) -> &Routes<Ctx> {
        &self.0
    }

    fn help(&self) -> &'static str {
        "Lets everybody in."
    }
}

/// A server with the open method at `auth/up/` and `auth/other/`.
struct House(Arc<Server>);

/// Who came in.
struct Guest {
    token: String,
    entity: String,
}

impl House {
    async fn new() -> Self {
        Self::with(CoreConfig::default()).await
    }

    async fn with(config: CoreConfig) -> Self {
        let server = Server::start_with(config, |registry| {
            registry.with(EngineKind::Auth, "userpass", |_| {
                let login = Route::public("login/{name:any}").update(Open::login);
                Ok(Arc::new(Open(Routes::new(vec![login]))))
            })
        })
        .await;
        for mount in ["up", "other"] {
            server.write(&format!("sys/auth/{mount}"), json!({ "type": "userpass" })).await.ok();
        }
        Self(Arc::new(server))
    }

    async fn accessor(&self, mount: &str) -> String {
        self.0.read(&format!("sys/auth/{mount}")).await.text("accessor")
    }

    async fn try_login(&self, mount: &str, name: &str, body: Value) -> Told {
        self.0.call_as(None, Update, &format!("auth/{mount}/login/{name}"), body).await
    }

    async fn login_with(&self, mount: &str, name: &str, body: Value) -> Guest {
        let told = self.try_login(mount, name, body).await;
        let auth = told.auth.unwrap_or_else(|| panic!("refused: {}", told.body));
        Guest { token: auth.client_token, entity: auth.entity_id }
    }

    async fn login(&self, name: &str) -> Guest {
        self.login_with("up", name, json!({})).await
    }

    async fn write(&self, path: &str, body: Value) -> Told {
        self.0.write(&format!("identity/{path}"), body).await
    }

    async fn read(&self, path: &str) -> Value {
        self.0.read(&format!("identity/{path}")).await.ok()
    }

    /// Makes something and answers its id.
    async fn make(&self, noun: &str, body: Value) -> String {
        self.write(noun, body).await.text("id")
    }

    async fn delete(&self, path: &str) {
        self.0.call(Delete, &format!("identity/{path}"), json!({})).await.ok();
    }

    async fn list(&self, path: &str) -> Vec<String> {
        let told = self.0.call(List, &format!("identity/{path}"), json!({})).await;
        let keys = told.body["keys"].as_array().cloned().unwrap_or_default();
        keys.iter().map(|key| key.as_str().unwrap().to_owned()).collect()
    }

    /// A policy that lets its holder read the path of the same name.
    async fn policy(&self, name: &str) {
        self.rules(name, &format!("path \"secret/{name}\" {{ capabilities = [\"read\"] }}")).await;
    }

    async fn rules(&self, name: &str, text: &str) {
        self.0.write(&format!("sys/policies/acl/{name}"), json!({ "policy": text })).await.ok();
    }

    /// Which of the paths the token may read.
    async fn may_read(&self, token: &str, paths: &[&str]) -> Vec<bool> {
        let body = json!({ "paths": paths });
        let told = self.0.call_as(Some(token), Update, "sys/capabilities-self", body).await.ok();
        paths.iter().map(|path| told[path].as_array().unwrap().contains(&json!("read"))).collect()
    }

    async fn look_at_self(&self, token: &str) -> Told {
        self.0.call_as(Some(token), Read, "auth/token/lookup-self", json!({})).await
    }

    /// Seals and opens again: whatever was only in memory is gone.
    async fn restart(&self) {
        self.0.call(Update, "sys/seal", json!({})).await.ok();
        self.0.unseal(&self.0.shares).await.unwrap();
    }
}
