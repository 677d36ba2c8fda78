//! Logins through the whole pipeline, with an auth method whose passwords are `right` and whose only user is `ada`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use super::*;
use crate::testing::{Server, Told};
use crate::{CoreConfig, ErrorKind};
use bulla_kit::{Answer, BoxFuture, Ctx, Engine, EngineKind, LoginLease, Params, RawJson, Reply, Route, Routes};
use bulla_types::{Operation, Seconds};
use serde_json::{Value, json};

struct Doorman(Routes<Ctx>);

#[derive(Params)]
struct Credentials {
    /// Who.
    #[param(path)]
    name: String,
    /// The word.
    password: String,
    /// Limits of the token.
    policies: Option<Vec<String>>,
    batch: bool,
    uses: i64,
}

impl Doorman {
    fn new() -> Self {
        let route = Route::public("login/{name}")
            .folded(&["name"])
            .locks_out(|input| input.captures.get("name").map(str::to_owned), "wrong")
            .update(Self::login);
        Self(Routes::new(vec![route]))
    }

    async fn login(ctx: Ctx, asked: Credentials) -> Answer {
        let known = asked.name == "ada";
        if !known || asked.password != "right" {
            return Err(EngineError::InvalidCredentials { text: "wrong".into(), known });
        }
        let policies = asked.policies.unwrap_or_default().iter().map(|p| PolicyName::parse(p).unwrap()).collect();
        Ok(Reply::login(LoginIntent {
            display_name: asked.name.clone(),
            policies,
            metadata: [("at".to_owned(), ctx.mount.path.clone())].into_iter().collect(),
            alias: None,
            group_aliases: Vec::new(),
            limits: TokenLimits {
                ttl: Some(Seconds(600)),
                uses: u32::try_from(asked.uses).ok().filter(|uses| *uses > 0),
                kind: if asked.batch { TokenKind::Batch } else { TokenKind::MountDefault },
                ..TokenLimits::default()
            },
            renewable: true,
            internal: Some(RawJson::of(&json!({ "gone": asked.name == "bob" })).unwrap()),
        }))
    }
}

impl Engine for Doorman {
    fn kind(&self) -> EngineKind {
        EngineKind::Auth
    }

    fn routes(&self) -> &Routes<Ctx> {
        &self.0
    }

    fn help(&self) -> &'static str {
        "Lets ada in."
    }

    fn renew_login<'a>(&'a self, _: &'a Ctx, login: &'a LoginLease) -> BoxFuture<'a, Result<TokenLimits, EngineError>> {
        let internal = login.internal.as_ref().map_or(Value::Null, RawJson::to_value);
        Box::pin(async move {
            assert_eq!(internal, json!({ "gone": false }));
            Ok(TokenLimits { ttl: Some(Seconds(900)), ..TokenLimits::default() })
        })
    }
}

async fn server() -> Server {
    let server = Server::start_with(CoreConfig::default(), |registry| {
        registry.with(EngineKind::Auth, "userpass", |_| Ok(Arc::new(Doorman::new())))
    })
    .await;
    server.write("sys/auth/door", json!({ "type": "userpass" })).await.ok();
    server
}

async fn login(server: &Server, name: &str, password: &str) -> Told {
    let path = format!("auth/door/login/{name}");
    server.call_as(None, Operation::Update, &path, json!({ "password": password })).await
}

async fn accessor(server: &Server) -> String {
    server.read("sys/auth/door").await.text("accessor")
}

#[tokio::test]
async fn a_login_makes_a_token_and_its_renewal_asks_the_method() {
    let server = server().await;
    let body = json!({ "password": "right", "policies": ["p"] });
    let token = server.call_as(None, Operation::Update, "auth/door/login/ADA", body).await.token();
    let seen = server.call_as(Some(&token), Operation::Read, "auth/token/lookup-self", json!({})).await.ok();
    assert_eq!(seen["path"], "auth/door/login/ada", "the name as the route folds it");
    assert_eq!(seen["display_name"], "door-ada");
    assert_eq!(seen["policies"], json!(["default", "p"]));
    assert_eq!(seen["creation_ttl"], 600);
    assert_eq!(seen["meta"], json!({ "at": "auth/door/" }));
    assert_eq!(seen["orphan"], true);

    let renewed = server.call_as(Some(&token), Operation::Update, "auth/token/renew-self", json!({})).await;
    assert_eq!(renewed.auth.unwrap().lease_duration, 900);
}

#[tokio::test]
async fn no_method_hands_out_root() {
    let server = server().await;
    let body = json!({ "password": "right", "policies": ["root"] });
    let told = server.call_as(None, Operation::Update, "auth/door/login/ada", body).await;
    assert_eq!(told.error(), "auth methods cannot create root tokens");
}

#[tokio::test]
async fn a_batch_login_writes_nothing() {
    let server = server().await;
    let count = async || {
        let pass = server.core.gate.pass().unwrap();
        crate::token::TokenStore(&Txn::begin(&pass).unwrap()).count().await.unwrap()
    };
    let before = count().await;
    let body = json!({ "password": "right", "batch": true });
    let token = server.call_as(None, Operation::Update, "auth/door/login/ada", body).await.token();
    assert!(token.starts_with("hvb."));
    assert_eq!(count().await, before);
    login(&server, "ada", "right").await.token();
    assert_eq!(count().await, before + 1);
}

/// The role asks for a token of two uses, the mount for one that nobody keeps: its uses would have no end.
#[tokio::test]
async fn a_batch_token_never_loses_its_limit_of_uses() {
    let server = server().await;
    let body = json!({ "password": "right", "uses": 2 });
    let token = server.call_as(None, Operation::Update, "auth/door/login/ada", body.clone()).await.token();
    for refused in [None, None, Some(ErrorKind::Denied)] {
        let told = server.call_as(Some(&token), Operation::Read, "auth/token/lookup-self", json!({})).await;
        assert_eq!(told.refused, refused);
    }
    for tune in ["batch", "default-batch"] {
        server.write("sys/auth/door/tune", json!({ "token_type": tune })).await.ok();
        let told = server.call_as(None, Operation::Update, "auth/door/login/ada", body.clone()).await;
        assert!(told.error().contains("cannot have a limited number of uses"), "{tune}");
        login(&server, "ada", "right").await.token();
    }
}

/// Whoever has the name: five failures, however it is spelled, and nobody gets in; and nobody can tell whether there is
/// such a name.
#[tokio::test]
async fn five_failures_lock_a_name_out() {
    let server = server().await;
    for name in ["ada", "eve"] {
        for spelled in [name.to_owned(), name.to_uppercase(), name.to_owned(), name.to_uppercase(), name.to_owned()] {
            let told = login(&server, &spelled, "bad").await;
            assert_eq!((told.refused, told.error()), (Some(ErrorKind::BadRequest), "wrong"));
        }
        let told = login(&server, name, "right").await;
        assert_eq!((told.refused, told.error()), (Some(ErrorKind::Denied), "permission denied"), "{name}");
    }
    let listed = server.read("sys/locked-users").await.ok();
    let locked = json!([{ "mount_accessor": accessor(&server).await, "counts": 1, "alias_identifiers": ["ada"] }]);
    assert_eq!(listed["by_namespace"][0]["mount_accessors"], locked);

    let path = format!("sys/locked-users/{}/unlock/ada", accessor(&server).await);
    server.write(&path, json!({})).await.ok();
    login(&server, "ada", "right").await.token();
    assert_eq!(server.read("sys/locked-users").await.ok()["total"], 0);
}

#[tokio::test]
async fn a_success_forgets_failures() {
    let server = server().await;
    for _ in 0..2 {
        for _ in 0..4 {
            login(&server, "ada", "bad").await.error();
        }
        login(&server, "ada", "right").await.token();
    }
}

/// A name of somebody stays locked. That nobody's names are forgotten told once, after each restart, who exists: so the
/// lock does not show until a name of nobody would be locked as well.
#[tokio::test]
async fn a_lock_survives_seal_and_unseal_and_does_not_tell_who_exists() {
    let server = server().await;
    for name in ["ada", "eve"] {
        for _ in 0..5 {
            assert_eq!(login(&server, name, "bad").await.error(), "wrong");
        }
        assert_eq!(login(&server, name, "right").await.error(), "permission denied");
    }
    server.core.seal(std::time::Duration::from_secs(1), 0).await;
    server.unseal(&server.shares[..1]).await.unwrap();
    for name in ["ada", "eve"] {
        for turn in 0..5 {
            let told = login(&server, name, if turn % 2 == 0 { "right" } else { "bad" }).await;
            assert_eq!((told.refused, told.error()), (Some(ErrorKind::BadRequest), "wrong"), "{name} {turn}");
        }
        assert_eq!(login(&server, name, "right").await.error(), "permission denied", "{name}");
    }
    assert_eq!(server.read("sys/locked-users").await.ok()["total"], 1);
    let path = format!("sys/locked-users/{}/unlock/ada", accessor(&server).await);
    server.write(&path, json!({})).await.ok();
    login(&server, "ada", "right").await.token();
}

/// Fifty guesses at the same time: no more than twice the threshold are looked at, and then the name is locked.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_burst_of_guesses_does_not_pass_the_lock() {
    let server = Arc::new(server().await);
    let mut guesses = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let server = Arc::clone(&server);
        guesses.spawn(async move { login(&server, "ada", "bad").await.error().to_owned() });
    }
    let answers = guesses.join_all().await;
    let looked_at = answers.iter().filter(|text| *text == "wrong").count();
    assert!((5..10).contains(&looked_at), "{looked_at} were looked at");
    assert_eq!(login(&server, "ada", "right").await.error(), "permission denied");
}

/// What strangers make up leaves one record, however many names.
#[tokio::test]
async fn a_storm_of_made_up_names_fills_nothing() {
    let server = server().await;
    let folder = lockout_folder(&accessor(&server).await);
    for n in 0..300 {
        login(&server, &format!("nobody{n}"), "bad").await.error();
    }
    let pass = server.core.gate.pass().unwrap();
    let view = bulla_barrier::View::new(&Txn::begin(&pass).unwrap(), NamespaceId::ROOT.0);
    assert_eq!(view.list(&folder, &bulla_barrier::Page::default()).await.unwrap().len(), 1);
}

#[test]
fn the_mount_decides_the_kind_unless_it_only_has_a_default() {
    use TokenKind::{Batch, MountDefault, Service};
    let kinds = |tune| [MountDefault, Service, Batch].map(|asked| kind_of(tune, asked).word());
    assert_eq!(kinds(TokenTypeTune::Service), ["service", "service", "service"]);
    assert_eq!(kinds(TokenTypeTune::Batch), ["batch", "batch", "batch"]);
    assert_eq!(kinds(TokenTypeTune::DefaultService), ["service", "service", "batch"]);
    assert_eq!(kinds(TokenTypeTune::DefaultBatch), ["batch", "service", "batch"]);
}

#[test]
fn display_names_say_where_and_who() {
    assert_eq!(display_name("auth/userpass/", "ada"), "userpass-ada");
    assert_eq!(display_name("auth/a/b/", "ada"), "a-b-ada");
    assert_eq!(display_name("auth/approle/", ""), "approle");
}
