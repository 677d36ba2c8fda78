//! A second path is decided as the first one is: the same policies, names folded, templates filled in, the time looked at.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use crate::testing::Server;
use crate::{CoreConfig, ErrorKind};
use bulla_kit::{AliasClaim, Answer, Ctx, Engine, EngineKind, LoginIntent, Params, Reply, Route, Routes, TokenLimits};
use bulla_types::{Operation, PolicyName, RequestPath};
use serde_json::{Value, json};
use std::sync::Arc;

/// Tells what the caller may do elsewhere, and lets everybody in.
struct Asker(EngineKind, Routes<Ctx>);

#[derive(Params)]
struct Asked {
    /// Whatever.
    #[param(path)]
    name: String,
    /// The other path.
    other: String,
    /// The name of an operation.
    operation: String,
    /// Members that such a request would have.
    brings: Vec<String>,
}

async fn ask(ctx: Ctx, asked: Asked) -> Answer {
    let operation = [Operation::Create, Operation::Read, Operation::List, Operation::Update];
    let operation = operation.into_iter().find(|o| o.to_string() == asked.operation).unwrap();
    let other = RequestPath::parse(&asked.other).unwrap();
    let brings: Vec<&str> = asked.brings.iter().map(String::as_str).collect();
    Reply::json(&json!([ctx.caller_may(operation, &other, &brings), ctx.caller_is_denied(&other)]))
}

async fn login(_: Ctx, asked: Asked) -> Answer {
    Ok(Reply::login(LoginIntent {
        display_name: asked.name.clone(),
        policies: vec![PolicyName::parse("p").unwrap()],
        metadata: indexmap::IndexMap::new(),
        alias: Some(AliasClaim { name: asked.name, metadata: indexmap::IndexMap::new() }),
        group_aliases: Vec::new(),
        limits: TokenLimits::default(),
        renewable: true,
        internal: None,
    }))
}

impl Asker {
    fn of(kind: EngineKind) -> Arc<dyn Engine> {
        let routes = vec![
            Route::token("ask/{name:any}").update(ask),
            Route::public("open/{name:any}").update(ask),
            Route::token("folded/{name:any}").folded(&["name"]).update(ask),
            Route::sudo("locked/{name:any}").update(ask),
            Route::public("login/{name:any}").update(login),
        ];
        Arc::new(Self(kind, Routes::new(routes)))
    }
}

impl Engine for Asker {
    fn kind(&self) -> EngineKind {
        self.0
    }

    fn routes(&self) -> &Routes<Ctx> {
        &self.1
    }

    fn help(&self) -> &'static str {
        "Tells what its callers may do."
    }
}

struct House {
    server: Server,
    accessor: String,
}

impl House {
    async fn new() -> Self {
        let server = Server::start_with(CoreConfig::default(), |registry| {
            let registry = registry.with(EngineKind::Auth, "userpass", |_| Ok(Asker::of(EngineKind::Auth)));
            registry.with(EngineKind::Secrets, "asker", |_| Ok(Asker::of(EngineKind::Secrets)))
        })
        .await;
        server.write("sys/auth/up", json!({ "type": "userpass" })).await.ok();
        server.write("sys/mounts/a", json!({ "type": "asker" })).await.ok();
        let accessor = server.read("sys/auth/up").await.text("accessor");
        Self { server, accessor }
    }

    /// Rules besides the one that lets its holder ask; `ACCESSOR` stands for the method's.
    async fn rules(&self, rules: &str) {
        let text = format!(r#"path "a/ask/x" {{ capabilities = ["update"] }} {rules}"#);
        let text = text.replace("ACCESSOR", &self.accessor);
        self.server.write("sys/policies/acl/p", json!({ "policy": text })).await.ok();
    }

    async fn token(&self, name: &str) -> String {
        let told = self.server.call_as(None, Operation::Update, &format!("auth/up/login/{name}"), json!({})).await;
        told.token()
    }

    /// May, and is denied.
    async fn told(&self, token: &str, operation: &str, other: &str, brings: &[&str]) -> Value {
        let body = json!({ "other": other, "operation": operation, "brings": brings });
        self.server.call_as(Some(token), Operation::Update, "a/ask/x", body).await.ok()
    }

    async fn may(&self, token: &str, operation: &str, other: &str) -> bool {
        self.told(token, operation, other, &[]).await[0] == true
    }
}

#[tokio::test]
async fn what_is_not_granted_is_refused_and_deny_wins() {
    let house = House::new().await;
    house
        .rules(
            r#"path "box/*" { capabilities = ["create"] }
               path "box/closed/*" { capabilities = ["deny"] }
               path "over/*" { capabilities = ["create"] expiration = "2020-01-01T00:00:00Z" }"#,
        )
        .await;
    let token = house.token("ada").await;
    let told = async |operation: &str, other: &str| house.told(&token, operation, other, &[]).await;
    assert_eq!(told("create", "box/x").await, json!([true, false]));
    assert_eq!(told("update", "box/x").await, json!([false, false]));
    assert_eq!(told("create", "box/closed/x").await, json!([false, true]));
    assert_eq!(told("create", "elsewhere/x").await, json!([false, false]));
    assert_eq!(told("create", "over/x").await, json!([false, false]), "a rule that is over");
    let root = house.server.root.clone();
    assert_eq!(house.told(&root, "create", "elsewhere/x", &[]).await, json!([true, false]));
    house.rules("").await;
    assert_eq!(told("create", "box/x").await, json!([false, false]), "a grant that was taken back");
}

#[tokio::test]
async fn templates_are_those_of_the_caller() {
    let house = House::new().await;
    house.rules(r#"path "box/{{identity.entity.aliases.ACCESSOR.name}}/*" { capabilities = ["create"] }"#).await;
    let (ada, bob) = (house.token("ada").await, house.token("bob").await);
    assert!(house.may(&ada, "create", "box/ada/x").await && house.may(&bob, "create", "box/bob/x").await);
    assert!(!house.may(&ada, "create", "box/bob/x").await);
    assert!(!house.may(&ada, "create", "box/{{identity.entity.aliases.ACCESSOR.name}}/x").await);
}

#[tokio::test]
async fn names_are_folded_there_and_protected_routes_ask_for_sudo() {
    let house = House::new().await;
    house
        .rules(
            r#"path "a/folded/*" { capabilities = ["update"] }
               path "a/folded/ada" { capabilities = ["deny"] }
               path "a/locked/*" { capabilities = ["update"] }
               path "a/locked/mine" { capabilities = ["update", "sudo"] }"#,
        )
        .await;
    let token = house.token("ada").await;
    for spelling in ["ada", "Ada", " ADA "] {
        let told = house.told(&token, "update", &format!("a/folded/{spelling}"), &[]).await;
        assert_eq!(told, json!([false, true]), "`{spelling}` passes the deny");
    }
    assert!(house.may(&token, "update", "a/folded/Bob").await);
    assert!(!house.may(&token, "update", "a/locked/x").await);
    assert!(house.may(&token, "update", "a/locked/mine").await);
}

#[tokio::test]
async fn rules_on_parameters_count() {
    let house = House::new().await;
    house
        .rules(
            r#"path "box/named" { capabilities = ["create"] allowed_parameters = { "data" = [] } }
               path "box/valued" { capabilities = ["create"] allowed_parameters = { "data" = ["x"] } }
               path "box/not" { capabilities = ["create"] denied_parameters = { "data" = [] } }
               path "box/must" { capabilities = ["create"] required_parameters = ["options"] }
               path "box/wrapped" { capabilities = ["create"] min_wrapping_ttl = "1s" }"#,
        )
        .await;
    let token = house.token("ada").await;
    let may = async |path: &str, brings: &[&str]| house.told(&token, "create", path, brings).await[0] == true;
    assert!(may("box/named", &["data"]).await);
    for path in ["box/valued", "box/not", "box/must", "box/wrapped"] {
        assert!(!may(path, &["data"]).await, "{path}");
    }
    assert!(may("box/must", &["data", "options"]).await);
    assert!(!may("box/named", &["data", "options"]).await);
}

/// A token that is sent to an open route is known there, but nothing has decided about it.
#[tokio::test]
async fn open_routes_have_no_rights() {
    let house = House::new().await;
    let body = json!({ "other": "box/x", "operation": "create" });
    let root = Some(house.server.root.as_str());
    for token in [None, root] {
        let told = house.server.call_as(token, Operation::Update, "a/open/x", body.clone()).await;
        assert_eq!(told.ok(), json!([false, true]));
    }
    let told = house.server.call_as(None, Operation::Update, "a/ask/x", body).await;
    assert_eq!(told.refused, Some(ErrorKind::Denied));
}
