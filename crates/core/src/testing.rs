//! A whole server without its edges, for tests of routes: in memory, unsealed, asked through [`Core::handle`].
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use crate::{
    Answer, Core, CoreConfig, ErrorKind, InitOptions, Initialised, Outcome, Redact, Registry, Request, SystemClock,
};
use bulla_kit::{Body, BodyLimits, Ctx, Engine, EngineKind, Params, Reply, Route, Routes};
use bulla_physical::Store;
use bulla_seal::{Progress, SealConfig, Share, Unsealing};
use bulla_secret::SecretText;
use bulla_types::{Operation, RequestPath};
use bulla_wire::AuthBlock;
use serde_json::{Value, json};
use std::sync::Arc;

/// An engine that keeps one text at each name.
struct Box(Routes<Ctx>);

#[derive(Params)]
struct Item {
    /// Where it is kept.
    #[param(path)]
    name: String,
    /// What is kept.
    text: String,
}

impl Box {
    fn new() -> Self {
        let route = Route::token("{name}").help("One text.", "For tests.").read(Self::read).update(Self::write);
        Self(Routes::new(vec![route]))
    }

    async fn read(ctx: Ctx, item: Item) -> bulla_kit::Answer {
        let Some(bytes) = ctx.view.get(&item.name).await? else { return Ok(Reply::none()) };
        Reply::json(&json!({ "text": String::from_utf8_lossy(&bytes) }))
    }

    async fn write(ctx: Ctx, item: Item) -> bulla_kit::Answer {
        ctx.view.put(&item.name, item.text.into_bytes())?;
        Ok(Reply::none())
    }
}

impl Engine for Box {
    fn kind(&self) -> EngineKind {
        EngineKind::Secrets
    }

    fn routes(&self) -> &Routes<Ctx> {
        &self.0
    }

    fn help(&self) -> &'static str {
        "Texts by name."
    }
}

pub struct Server {
    pub core: Arc<Core>,
    pub root: String,
    /// Hex.
    pub shares: Vec<String>,
    /// What the listener says of the routes without a token.
    pub legacy_open: bool,
}

/// An answer: `None` = success.
#[derive(Debug)]
pub struct Told {
    pub refused: Option<ErrorKind>,
    /// The answer as a client reads it: the whole bare answer or the envelope's data, or the first error.
    pub body: Value,
    /// The token's block.
    pub auth: Option<AuthBlock>,
}

impl Told {
    pub fn text(&self, name: &str) -> String {
        self.body[name].as_str().unwrap_or_else(|| panic!("no text `{name}` in {}", self.body)).to_owned()
    }

    /// The token that was handed out.
    pub fn token(self) -> String {
        assert!(self.refused.is_none(), "refused: {}", self.body);
        self.auth.unwrap().client_token
    }

    /// # Panics
    /// It was not refused.
    pub fn error(&self) -> &str {
        assert!(self.refused.is_some(), "answered: {}", self.body);
        self.body.as_str().unwrap_or_default()
    }

    /// # Panics
    /// It was refused.
    pub fn ok(self) -> Value {
        assert!(self.refused.is_none(), "refused: {}", self.body);
        self.body
    }
}

impl Server {
    pub async fn start(shares: i64, threshold: i64, config: CoreConfig) -> Self {
        Self::launch(shares, threshold, config, |registry| registry).await
    }

    /// With engines of the test's own.
    pub async fn start_with(config: CoreConfig, engines: impl FnOnce(Registry) -> Registry) -> Self {
        Self::launch(1, 1, config, engines).await
    }

    async fn launch(
        shares: i64,
        threshold: i64,
        config: CoreConfig,
        engines: impl FnOnce(Registry) -> Registry,
    ) -> Self {
        let registry = Registry::default().with(EngineKind::Secrets, "box", |_| Ok(Arc::new(Box::new())));
        let registry = engines(registry);
        let core = Core::new(config, Store::memory(), registry, Arc::new(SystemClock));
        let seal = SealConfig::new(shares, threshold).unwrap();
        let Initialised { shares, root_token, .. } = core.initialise(&seal, InitOptions::default()).await.unwrap();
        let shares = shares.iter().map(|s| s.to_hex().dangerous_expose().to_owned()).collect();
        let server = Self { core, root: root_token.dangerous_expose().to_owned(), shares, legacy_open: false };
        server.unseal(&server.shares[..usize::from(seal.threshold())]).await.unwrap();
        server
    }

    /// # Errors
    /// The shares do not fit.
    pub async fn unseal(&self, shares: &[String]) -> Result<(), crate::InitError> {
        let config = self.core.sealed.seal_config().await.unwrap().unwrap();
        let mut unsealing = Unsealing::new(config, "n".into());
        for share in shares {
            match unsealing.add(Share::parse(share).unwrap()).unwrap() {
                Progress::More(next) | Progress::Repeated(next) => unsealing = next,
                Progress::Perhaps(..) => panic!("there is one threshold"),
                Progress::Done(key) => return self.core.unseal_with(&key).await,
            }
        }
        panic!("too few shares");
    }

    /// With the root token.
    pub async fn call(&self, operation: Operation, path: &str, body: Value) -> Told {
        self.call_as(Some(&self.root), operation, path, body).await
    }

    pub async fn write(&self, path: &str, body: Value) -> Told {
        self.call(Operation::Update, path, body).await
    }

    pub async fn read(&self, path: &str) -> Told {
        self.call(Operation::Read, path, json!({})).await
    }

    pub async fn call_as(&self, token: Option<&str>, operation: Operation, path: &str, body: Value) -> Told {
        told(self.answer(self.request(token, operation, path, &body)).await)
    }

    /// The whole answer, as the edge gets it.
    pub async fn answer(&self, request: Request) -> Answer {
        self.core.handle(request).await.into_inner()
    }

    pub fn request(&self, token: Option<&str>, operation: Operation, path: &str, body: &Value) -> Request {
        let body = Body::parse(body.to_string().as_bytes(), &BodyLimits::default()).unwrap();
        Request {
            id: "test".into(),
            namespace: String::new(),
            path: RequestPath::parse(path).unwrap(),
            operation,
            token: token.map(|t| SecretText::from(t.to_owned())),
            body: Arc::new(body),
            wrap: None,
            remote: None,
            headers: std::boxed::Box::new(Vec::new()),
            client_certificates: Vec::new(),
            help: false,
            legacy_routes_open: self.legacy_open,
            redact: Redact::default(),
            connection: 0,
        }
    }
}

pub fn told(answer: Answer) -> Told {
    match answer.outcome {
        Outcome::Envelope { envelope, .. } => {
            let body = envelope.data.map_or(Value::Null, |data| data.to_value());
            Told { refused: None, body, auth: envelope.auth }
        }
        Outcome::Bare { data, .. } => Told { refused: None, body: data.to_value(), auth: None },
        Outcome::NoContent | Outcome::Raw(_) => Told { refused: None, body: Value::Null, auth: None },
        Outcome::Refused(refusal) => {
            let body = refusal.errors.into_iter().next().unwrap_or_default().into();
            Told { refused: Some(refusal.kind), body, auth: None }
        }
    }
}
