//! A whole server in memory with a clock of its own, asked the way the edge asks.

use bulla_core::{
    Answer, Clock, Core, CoreConfig, ErrorKind, InitOptions, Outcome, Redact, Registry, Request, WrapRequest,
};
use bulla_kit::{Body, BodyLimits};
use bulla_physical::Store;
use bulla_seal::SealConfig;
use bulla_secret::SecretText;
use bulla_types::{Operation, RequestPath, Seconds, Time};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub const UPDATE: Operation = Operation::Update;
pub const READ: Operation = Operation::Read;
pub const LIST: Operation = Operation::List;
pub const DELETE: Operation = Operation::Delete;

pub struct TestClock(AtomicU64);

impl Clock for TestClock {
    fn now(&self) -> Time {
        Time(self.0.load(Ordering::SeqCst))
    }
}

#[derive(Clone)]
pub struct Bench {
    core: Arc<Core>,
    clock: Arc<TestClock>,
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

    pub fn token(&self) -> String {
        self.text("/auth/client_token")
    }
}

/// What a request has besides operation, path, token and body.
#[derive(Clone, Copy, Default)]
pub struct With {
    pub wrap: Option<u64>,
    pub from: Option<&'static str>,
    /// Asks for a signed wrapping token.
    pub jwt: bool,
}

impl Bench {
    pub async fn new() -> Self {
        Self::with(CoreConfig::default()).await
    }

    pub async fn with(config: CoreConfig) -> Self {
        let clock = Arc::new(TestClock(AtomicU64::new(Time::from_unix(1_800_000_000).0)));
        let for_core: Arc<dyn Clock> = Arc::clone(&clock) as _;
        let core = Core::new(config, Store::memory(), Registry::default(), for_core);
        let config = SealConfig::new(1, 1).unwrap();
        let made = core.initialise(&config, InitOptions::default()).await.unwrap();
        let bench = Self { core, clock, root: made.root_token.dangerous_expose().to_owned() };
        let key = made.shares[0].to_hex();
        let open = bench.ask(UPDATE, "sys/unseal", "", json!({ "key": key.dangerous_expose() })).await;
        assert_eq!(open.code, 200, "{}", open.body);
        bench
    }

    pub fn pass(&self, seconds: u64) {
        self.clock.0.fetch_add(seconds * Time::NANOS, Ordering::SeqCst);
    }

    pub async fn ask(&self, operation: Operation, path: &str, token: &str, body: Value) -> Got {
        self.ask_with(operation, path, token, body, With::default()).await
    }

    pub async fn ask_with(&self, operation: Operation, path: &str, token: &str, body: Value, with: With) -> Got {
        let body = Body::parse(body.to_string().as_bytes(), &BodyLimits::default()).unwrap();
        let request = Request {
            id: "00000000-0000-0000-0000-000000000001".into(),
            namespace: String::new(),
            path: RequestPath::parse(path).unwrap(),
            operation,
            token: (!token.is_empty()).then(|| SecretText::from(token.to_owned())),
            body: Arc::new(body),
            wrap: with.wrap.map(|ttl| WrapRequest { ttl: Seconds(ttl), jwt: with.jwt }),
            remote: with.from.map(|ip| SocketAddr::new(ip.parse().unwrap(), 1)),
            headers: Box::new(Vec::<(String, String)>::new()),
            client_certificates: Vec::new(),
            help: false,
            legacy_routes_open: false,
            redact: Redact::default(),
            connection: 1,
        };
        got(self.core.handle(request).await.into_inner())
    }

    /// A new token made by `parent`.
    pub async fn make(&self, parent: &str, body: Value) -> String {
        let got = self.ask(UPDATE, "auth/token/create", parent, body).await;
        assert_eq!(got.code, 200, "{}", got.body);
        got.token()
    }

    /// The status of a token that looks itself up.
    pub async fn look(&self, token: &str) -> u16 {
        self.ask(READ, "auth/token/lookup-self", token, json!({})).await.code
    }

    pub async fn policy(&self, name: &str, text: &str) {
        let got = self.ask(UPDATE, &format!("sys/policies/acl/{name}"), &self.root, json!({ "policy": text })).await;
        assert_eq!(got.code, 204, "{}", got.body);
    }

    /// How many tokens are stored.
    pub async fn count(&self) -> usize {
        let got = self.ask(LIST, "auth/token/accessors", &self.root, json!({})).await;
        got.body.pointer("/data/keys").and_then(Value::as_array).map_or(0, Vec::len)
    }
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
                _ => 500,
            };
            Got { code, body: json!({ "errors": refusal.errors }) }
        }
    }
}
