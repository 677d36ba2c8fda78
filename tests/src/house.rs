//! A server in this process, for tests that need its clock, its device or the address of a caller in their hands.
//! Where none of these is needed, a real process (`ServerProcess`) proves more.

use bulla_core::{Answer, Core, CoreConfig, ErrorKind, Outcome, Redact, Registry, Request};
use bulla_kit::{Body, BodyLimits, Engine, EngineKind, MountSettings};
use bulla_physical::Store;
use bulla_physical::failing::Device;
use bulla_secret::SecretText;
use bulla_testkit::TestClock;
use bulla_types::{Operation, RequestPath};
use serde_json::{Value, json};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

pub struct House {
    pub core: Arc<Core>,
    pub device: Device,
    pub clock: Arc<TestClock>,
    /// Hex; of the last initialisation.
    pub shares: Vec<String>,
    pub threshold: usize,
    pub root: String,
    /// Its answers never reach who asked, although the test sees them.
    pub loses_answers: bool,
}

/// Who asks, and through which listener.
#[derive(Clone, Debug, Default)]
pub struct From {
    pub token: Option<String>,
    pub address: Option<IpAddr>,
    /// The listener opens the routes on shares that take no token.
    pub legacy_open: bool,
}

impl From {
    pub fn token(token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..Self::default() }
    }

    /// Without a token, where the listener lets that pass.
    pub fn anybody_at(address: &str) -> Self {
        Self { address: Some(address.parse().unwrap()), legacy_open: true, ..Self::default() }
    }
}

/// What came back: why it was refused if it was, and the data or the errors.
#[derive(Clone, Debug)]
pub struct Told {
    pub refused: Option<ErrorKind>,
    pub body: Value,
    /// The client token that was handed out, if any.
    pub token: Option<String>,
}

impl Told {
    /// # Panics
    /// It was refused.
    pub fn ok(self) -> Value {
        assert!(self.refused.is_none(), "{:?}: {}", self.refused, self.body);
        self.body
    }

    /// The first error.
    ///
    /// # Panics
    /// It was not refused like this.
    pub fn refused_as(&self, kind: ErrorKind) -> String {
        assert_eq!(self.refused, Some(kind), "{}", self.body);
        self.body[0].as_str().unwrap_or_default().to_owned()
    }
}

impl House {
    /// An empty device, no keys yet.
    pub fn empty() -> Self {
        let device = Device::new();
        Self::on(device.open(), device)
    }

    fn on(store: Store, device: Device) -> Self {
        let clock = Arc::new(TestClock::default());
        let core = core(store, &clock);
        Self { core, device, clock, shares: Vec::new(), threshold: 0, root: String::new(), loses_answers: false }
    }

    /// Initialised and unsealed.
    pub async fn ready(shares: usize, threshold: usize) -> Self {
        Self::empty().initialised(shares, threshold).await
    }

    /// Initialised and unsealed, over a store of the test's own; the device is nobody's then.
    pub async fn over(store: Store) -> Self {
        Self::on(store, Device::new()).initialised(1, 1).await
    }

    async fn initialised(self, shares: usize, threshold: usize) -> Self {
        let mut house = self;
        let init = json!({ "secret_shares": shares, "secret_threshold": threshold });
        let keys = house.ask(&From::default(), Operation::Update, "sys/init", init).await.ok();
        house.shares = texts(&keys["keys"]);
        house.threshold = threshold;
        house.root = keys["root_token"].as_str().unwrap().to_owned();
        assert!(house.unseals(&house.shares).await);
        house
    }

    /// The same device under a new process; sealed.
    #[must_use]
    pub fn restarted(&self) -> Self {
        Self {
            core: core(self.device.open(), &self.clock),
            device: self.device.clone(),
            clock: Arc::clone(&self.clock),
            shares: self.shares.clone(),
            threshold: self.threshold,
            root: self.root.clone(),
            loses_answers: self.loses_answers,
        }
    }

    /// Whether these shares, or the first of them, unseal. An attempt that failed leaves nothing.
    pub async fn unseals(&self, shares: &[String]) -> bool {
        let anybody = From::default();
        for share in shares {
            let told = self.ask(&anybody, Operation::Update, "sys/unseal", json!({ "key": share })).await;
            if told.refused.is_some() {
                return false;
            }
            if told.body["sealed"] == false {
                return true;
            }
        }
        let _ = self.ask(&anybody, Operation::Update, "sys/unseal", json!({ "reset": true })).await;
        false
    }

    /// With the root token.
    pub async fn root(&self, operation: Operation, path: &str, body: Value) -> Told {
        self.ask(&From::token(&self.root), operation, path, body).await
    }

    pub async fn ask(&self, from: &From, operation: Operation, path: &str, body: Value) -> Told {
        let request = Request {
            id: "00000000-0000-4000-8000-000000000000".into(),
            namespace: String::new(),
            path: RequestPath::parse(path).unwrap(),
            operation,
            token: from.token.clone().map(SecretText::from),
            body: Arc::new(Body::parse(body.to_string().as_bytes(), &BodyLimits::default()).unwrap()),
            wrap: None,
            remote: from.address.map(|ip| SocketAddr::new(ip, 40_000)),
            headers: Box::new(Vec::new()),
            client_certificates: Vec::new(),
            help: false,
            legacy_routes_open: from.legacy_open,
            redact: Redact::default(),
            connection: 0,
        };
        let answer = self.core.handle(request).await.into_inner();
        if let Some(delivery) = answer.delivery.clone().filter(|_| !self.loses_answers) {
            delivery.arrived();
            self.core.settle_shares().await;
        }
        told(answer)
    }
}

/// The texts of a JSON list.
pub fn texts(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

fn core(store: Store, clock: &Arc<TestClock>) -> Arc<Core> {
    let kv = |settings: &MountSettings| -> Result<Arc<dyn Engine>, String> {
        let is_v2 = settings.options.get("version").is_some_and(|v| v == "2");
        Ok(if is_v2 { bulla_kv::kv_v2() } else { bulla_kv::kv_v1() })
    };
    let registry = Registry::default()
        .with(EngineKind::Secrets, "kv", kv)
        .with(EngineKind::Auth, "userpass", |_| Ok(bulla_userpass::userpass()))
        .with(EngineKind::Auth, "approle", |_| Ok(bulla_approle::approle()));
    let config = CoreConfig { api_audit_creation: true, ..CoreConfig::default() };
    Core::new(config, store, registry, Arc::clone(clock) as _)
}

fn told(answer: Answer) -> Told {
    let (mut refused, mut token) = (None, None);
    let body = match answer.outcome {
        Outcome::Bare { data, .. } => data.to_value(),
        Outcome::Envelope { envelope, .. } => {
            token = envelope.auth.map(|auth| auth.client_token);
            envelope.data.map_or(Value::Null, |data| data.to_value())
        }
        Outcome::NoContent => Value::Null,
        Outcome::Raw(raw) => json!(raw.bytes.len()),
        Outcome::Refused(refusal) => {
            refused = Some(refusal.kind);
            json!(refusal.errors)
        }
    };
    Told { refused, body, token }
}
