//! A whole server in this process, with a clock of the test's own and no work in the background but what the test takes.

use bulla_barrier::BarrierError;
use bulla_core::{Answer, Background, Clock, Core, CoreConfig, ErrorKind, Outcome, Redact, Registry, Request, Workers};
use bulla_kit::{Body, BodyLimits, EngineError, EngineKind};
use bulla_physical::Store;
use bulla_secret::SecretText;
use bulla_testkit::{TestClock, World, open_door, vending};
use bulla_types::{Operation, RequestPath, Seconds};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub const UPDATE: Operation = Operation::Update;
pub const READ: Operation = Operation::Read;
pub const LIST: Operation = Operation::List;
pub const DELETE: Operation = Operation::Delete;

pub struct House {
    pub core: Arc<Core>,
    clock: Arc<TestClock>,
    pub world: Arc<World>,
    world_name: String,
    background: Background,
    share: String,
    pub root: String,
}

/// Status and body as HTTP would say them.
pub struct Got {
    pub code: u16,
    pub body: Value,
}

impl Got {
    pub fn text(&self, pointer: &str) -> String {
        let found = self.body.pointer(pointer).and_then(Value::as_str);
        found.unwrap_or_else(|| panic!("no text at {pointer} in {}", self.body)).to_owned()
    }

    pub fn number(&self, pointer: &str) -> u64 {
        let found = self.body.pointer(pointer).and_then(Value::as_u64);
        found.unwrap_or_else(|| panic!("no number at {pointer} in {}", self.body))
    }

    pub fn error(&self) -> String {
        self.text("/errors/0")
    }

    pub fn keys(&self) -> Vec<String> {
        let keys = self.body.pointer("/data/keys").and_then(Value::as_array).cloned().unwrap_or_default();
        keys.iter().filter_map(|k| k.as_str().map(str::to_owned)).collect()
    }
}

/// A secret with its lease.
pub struct Secret {
    pub lease: String,
    pub account: String,
    pub ttl: u64,
}

static HOUSES: AtomicU64 = AtomicU64::new(0);

impl House {
    /// With the engine mounted at `db/`; nobody waits long for it.
    pub async fn new() -> Self {
        Self::patient(Duration::from_millis(50)).await
    }

    /// With an engine that has so long for each answer.
    pub async fn patient(lease_timeout: Duration) -> Self {
        let house = Self::over(Store::memory(), lease_timeout).await;
        house.mount("db").await;
        house
    }

    pub async fn over(store: Store, lease_timeout: Duration) -> Self {
        let clock = Arc::new(TestClock::default());
        let name = format!("lease-{}", HOUSES.fetch_add(1, Ordering::SeqCst));
        let mut house = Self {
            core: core(store, &clock, lease_timeout),
            clock,
            world: World::named(&name),
            world_name: name,
            background: Background::default(),
            share: String::new(),
            root: String::new(),
        };
        let made = house.ask(UPDATE, "sys/init", "", json!({ "secret_shares": 1, "secret_threshold": 1 })).await;
        house.share = made.text("/keys/0");
        house.root = made.text("/root_token");
        house.unseal().await;
        house
    }

    pub async fn unseal(&self) {
        let open = self.ask(UPDATE, "sys/unseal", "", json!({ "key": self.share })).await;
        assert_eq!((open.code, &open.body["sealed"]), (200, &json!(false)), "{}", open.body);
    }

    /// The same store under a new server.
    pub async fn restarted(self) -> Self {
        let store = self.core.store().clone();
        self.restarted_over(store).await
    }

    /// A new server over what is left of the store.
    pub async fn restarted_over(self, store: Store) -> Self {
        let core = core(store, &self.clock, self.core.config.lease_timeout);
        self.core.shutdown(Duration::ZERO).await;
        let house = Self { core, background: Background::default(), ..self };
        house.unseal().await;
        house
    }

    pub async fn mount(&self, path: &str) {
        let ask = json!({ "type": "vending", "options": { "world": self.world_name } });
        let made = self.ask(UPDATE, &format!("sys/mounts/{path}"), &self.root, ask).await;
        assert_eq!(made.code, 204, "{}", made.body);
    }

    pub async fn auth(&self, path: &str) {
        let made = self.ask(UPDATE, &format!("sys/auth/{path}"), &self.root, json!({ "type": "door" })).await;
        assert_eq!(made.code, 204, "{}", made.body);
    }

    /// Works in the background until there is nothing left to do at once.
    pub async fn work(&mut self) {
        for _ in 0..10_000 {
            match self.core.work_once(&mut self.background).await {
                Ok(true) => {}
                Ok(false) => return,
                // A request came between; the next step does it.
                Err(EngineError::Barrier(BarrierError::Conflict)) => {}
                Err(error) => panic!("{error}"),
            }
        }
        panic!("the work does not end");
    }

    /// As [`House::work`], until something cannot be written.
    pub async fn try_to_work(&mut self) {
        for _ in 0..100 {
            match self.core.work_once(&mut self.background).await {
                Ok(true) => {}
                Ok(false) | Err(_) => return,
            }
        }
    }

    pub fn pass(&self, seconds: u64) {
        self.clock.advance(Seconds(seconds));
    }

    pub async fn ask(&self, operation: Operation, path: &str, token: &str, body: Value) -> Got {
        let request = Request {
            id: "00000000-0000-4000-8000-000000000000".into(),
            namespace: String::new(),
            path: RequestPath::parse(path).unwrap(),
            operation,
            token: (!token.is_empty()).then(|| SecretText::from(token.to_owned())),
            body: Arc::new(Body::parse(body.to_string().as_bytes(), &BodyLimits::default()).unwrap()),
            wrap: None,
            remote: None,
            headers: Box::new(Vec::new()),
            client_certificates: Vec::new(),
            help: false,
            legacy_routes_open: false,
            redact: Redact::default(),
            connection: 0,
        };
        got(self.core.handle(request).await.into_inner())
    }

    /// As the root token.
    pub async fn write(&self, path: &str, body: Value) -> Got {
        self.ask(UPDATE, path, &self.root, body).await
    }

    pub async fn policy(&self, name: &str, text: &str) {
        let got = self.write(&format!("sys/policies/acl/{name}"), json!({ "policy": text })).await;
        assert_eq!(got.code, 204, "{}", got.body);
    }

    /// A new token made by `parent`; its policies let it have secrets and make tokens.
    pub async fn token(&self, parent: &str, mut ask: Value) -> String {
        self.policy("all", r#"path "*" { capabilities = ["create", "read", "update", "list"] }"#).await;
        ask["policies"] = json!(["all"]);
        let got = self.ask(UPDATE, "auth/token/create", parent, ask).await;
        assert_eq!(got.code, 200, "{}", got.body);
        got.text("/auth/client_token")
    }

    pub async fn alive(&self, token: &str) -> bool {
        self.ask(READ, "auth/token/lookup-self", token, json!({})).await.code == 200
    }

    pub async fn secret(&self, path: &str, token: &str, ask: Value) -> Secret {
        let got = self.ask(READ, path, token, ask).await;
        assert_eq!(got.code, 200, "{}", got.body);
        Secret { lease: got.text("/lease_id"), account: got.text("/data/account"), ttl: got.number("/lease_duration") }
    }

    pub async fn lookup(&self, lease: &str) -> Got {
        self.write("sys/leases/lookup", json!({ "lease_id": lease })).await
    }

    pub async fn is_lease(&self, lease: &str) -> bool {
        match self.lookup(lease).await {
            Got { code: 200, .. } => true,
            got => {
                assert_eq!((got.code, got.error().as_str()), (400, "invalid lease"));
                false
            }
        }
    }

    pub async fn renew(&self, lease: &str, increment: Option<u64>) -> Got {
        self.write("sys/leases/renew", json!({ "lease_id": lease, "increment": increment.unwrap_or(0) })).await
    }

    pub async fn revoke(&self, lease: &str, sync: bool) -> Got {
        self.write("sys/leases/revoke", json!({ "lease_id": lease, "sync": sync })).await
    }

    pub async fn list(&self, prefix: &str) -> Vec<String> {
        self.ask(LIST, &format!("sys/leases/lookup/{prefix}"), &self.root, json!({})).await.keys()
    }

    pub async fn irrevocable(&self) -> Got {
        self.ask(READ, "sys/leases", &self.root, json!({ "type": "irrevocable" })).await
    }
}

fn core(store: Store, clock: &Arc<TestClock>, lease_timeout: Duration) -> Arc<Core> {
    let registry =
        Registry::default().with(EngineKind::Secrets, "vending", vending).with(EngineKind::Auth, "door", open_door);
    let config =
        CoreConfig { workers: Workers::Stopped, lease_timeout, drain: Duration::from_secs(2), ..CoreConfig::default() };
    let for_core: Arc<dyn Clock> = Arc::clone(clock) as _;
    Core::new(config, store, registry, for_core)
}

fn got(answer: Answer) -> Got {
    match answer.outcome {
        Outcome::Envelope { envelope, code, .. } => {
            Got { code: code.unwrap_or(200), body: serde_json::to_value(&envelope).unwrap() }
        }
        Outcome::Bare { data, code } => Got { code: code.unwrap_or(200), body: data.to_value() },
        Outcome::NoContent => Got { code: 204, body: Value::Null },
        Outcome::Raw(raw) => Got { code: raw.status.unwrap_or(200), body: Value::Null },
        Outcome::Refused(refusal) => {
            let code = match refusal.kind {
                ErrorKind::BadRequest => 400,
                ErrorKind::Denied => 403,
                ErrorKind::NotFound => 404,
                ErrorKind::Unsupported => 405,
                ErrorKind::Sealed => 503,
                _ => 500,
            };
            Got { code, body: json!({ "errors": refusal.errors }) }
        }
    }
}
