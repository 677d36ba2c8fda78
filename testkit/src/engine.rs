//! An engine on the bench: real barrier over the in-memory store, the pipeline's engine doors, and nothing else.
//!
//! Not here: tokens, policies, leases, HTTP. A call finds the route, runs the existence check, calls the handler and
//! commits, as the server does.

use crate::machine::Machine;
use bulla_barrier::{Barrier, BarrierError, Gate, Txn, View};
use bulla_kit::{
    Answer, Body, BodyLimits, CallerInfo, Captures, Ctx, Engine, EngineError, Input, LoginIntent, LoginLease,
    MountInfo, MountSettings, Reply, RequestInfo, Rights, Services, Setup, TokenLimits,
};
use bulla_physical::Store;
use bulla_physical::failing::Device;
use bulla_types::{NamespaceId, Operation, RequestPath, ScopeId, Seconds, Time};
use indexmap::IndexMap;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};

/// How often a call is run again after a conflict.
const ATTEMPTS: usize = 8;

pub struct EngineBench {
    engine: Arc<dyn Engine>,
    gate: Gate<()>,
    runtime: Runtime,
    /// The time that calls see.
    pub now: Time,
    pub mount: MountInfo,
    pub caller: CallerInfo,
    pub headers: Vec<(String, String)>,
    /// The client's address.
    pub remote: Option<IpAddr>,
    /// What the caller may do elsewhere; everything, unless a test says otherwise.
    pub rights: Arc<dyn Rights>,
    /// Below the store, if the bench has one that can fail.
    machine: Option<Machine>,
}

struct System;

impl Services for System {
    fn system_ttls(&self) -> (Seconds, Seconds) {
        (Seconds(2_764_800), Seconds(2_764_800))
    }
}

/// The root token's.
struct AllRights;

impl Rights for AllRights {
    fn may(&self, _: Operation, _: &RequestPath, _: &[&str]) -> bool {
        true
    }

    fn is_denied(&self, _: &RequestPath) -> bool {
        false
    }
}

impl EngineBench {
    /// A fresh mount at `bench/` over an empty store. Time begins at 2024-01-01.
    pub fn new(engine: Arc<dyn Engine>) -> Self {
        Self::over(engine, opened(fresh_barrier()), runtime())
    }

    /// As [`EngineBench::new`], over a device whose writes can be made to fail and that survives a
    /// [`EngineBench::restart`].
    pub fn on_device(engine: Arc<dyn Engine>) -> Self {
        let runtime = runtime();
        let machine = runtime.block_on(Machine::installed());
        let gate = opened(runtime.block_on(machine.switched_on()));
        Self { machine: Some(machine), ..Self::over(engine, gate, runtime) }
    }

    fn over(engine: Arc<dyn Engine>, gate: Gate<()>, runtime: Runtime) -> Self {
        let mount = MountInfo {
            path: "bench/".into(),
            accessor: "bench_00000000".into(),
            kind: "bench".into(),
            scope: ScopeId([7; 16]),
            options: IndexMap::new(),
            default_ttl: Seconds(2_764_800),
            max_ttl: Seconds(2_764_800),
        };
        let now = Time::from_unix(1_704_067_200);
        let (caller, headers) = (CallerInfo::default(), Vec::new());
        let rights = Arc::new(AllRights);
        Self { engine, gate, runtime, now, mount, caller, headers, remote: None, rights, machine: None }
    }

    /// The device of [`EngineBench::on_device`].
    ///
    /// # Panics
    /// The bench has none.
    pub fn device(&self) -> &Device {
        &self.machine.as_ref().expect("a bench on a device").device
    }

    /// Loses power and comes back: what is not durable is gone, time goes on.
    ///
    /// # Panics
    /// The bench has no device.
    pub fn restart(&mut self) {
        let machine = self.machine.as_ref().expect("a bench on a device");
        self.gate = opened(self.runtime.block_on(machine.switched_on()));
    }

    /// The same mount and store under another engine.
    #[must_use]
    pub fn replaced(mut self, engine: Arc<dyn Engine>) -> Self {
        self.engine = engine;
        self
    }

    pub fn advance(&mut self, span: Seconds) {
        self.now = self.now.plus(span);
    }

    /// What enabling the mount or changing its options runs.
    ///
    /// # Errors
    /// The engine's.
    pub fn setup(&self, options: &[(&str, &str)]) -> Result<Setup, EngineError> {
        let options = options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        self.runtime.block_on(async {
            let txn = Txn::begin(&self.gate.pass().expect("the gate is open"))?;
            let view = View::new(&txn, self.mount.scope);
            let setup = self.engine.setup(&view, &MountSettings { options }, self.now).await?;
            Ok(txn.commit(setup).await?.into_inner())
        })
    }

    /// One step of a setup that goes on.
    ///
    /// # Errors
    /// The engine's.
    pub fn go_on_setup(&self) -> Result<Setup, EngineError> {
        self.runtime.block_on(async {
            let txn = Txn::begin(&self.gate.pass().expect("the gate is open"))?;
            let setup = self.engine.go_on_setup(&View::new(&txn, self.mount.scope), self.now).await?;
            Ok(txn.commit(setup).await?.into_inner())
        })
    }

    /// A record that no route would write.
    ///
    /// # Panics
    /// The store does not take it.
    pub fn plant(&self, key: &str, bytes: &[u8]) {
        self.runtime.block_on(async {
            let txn = Txn::begin(&self.gate.pass().expect("the gate is open")).expect("the store is open");
            View::new(&txn, self.mount.scope).put(key, bytes.to_vec()).expect("a key");
            let _ = txn.commit(()).await.expect("the store takes it");
        });
    }

    /// One request: `path` relative to the mount, `body` JSON text (for a read or list, its query).
    ///
    /// # Errors
    /// The engine's, and the store's at commit.
    pub fn call(&self, operation: Operation, path: &str, body: &str) -> Answer {
        self.call_as(operation, path, body).1
    }

    /// As [`EngineBench::call`], with the operation that the existence check made of it.
    pub fn call_as(&self, operation: Operation, path: &str, body: &str) -> (Operation, Answer) {
        let body = match Body::parse(body.as_bytes(), &BodyLimits::default()) {
            Ok(body) => Arc::new(body),
            Err(error) => return (operation, Err(EngineError::bad(error.to_string()))),
        };
        self.runtime.block_on(async {
            let mut last = (operation, Err(EngineError::Barrier(BarrierError::Conflict)));
            for _ in 0..ATTEMPTS {
                last = self.attempt(operation, path, &body).await;
                if !matches!(last.1, Err(EngineError::Barrier(BarrierError::Conflict))) {
                    break;
                }
            }
            last
        })
    }

    async fn attempt(&self, operation: Operation, path: &str, body: &Arc<Body>) -> (Operation, Answer) {
        let txn = match Txn::begin(&self.gate.pass().expect("the gate is open")) {
            Ok(txn) => txn,
            Err(error) => return (operation, Err(error.into())),
        };
        let (operation, answer) = self.handle(&txn, operation, path, body).await;
        let answer = match answer {
            Ok(reply) => txn.commit(reply).await.map(bulla_barrier::Committed::into_inner).map_err(Into::into),
            Err(error) => Err(error),
        };
        (operation, answer)
    }

    async fn handle(&self, txn: &Arc<Txn>, operation: Operation, path: &str, body: &Arc<Body>) -> (Operation, Answer) {
        let routes = self.engine.routes();
        let (index, captures) = routes.find(path, operation).unzip();
        let captures = captures.unwrap_or_default();
        let mut input = Input { operation, path: path.to_owned(), captures, body: Arc::clone(body) };
        let Some(route) = index.and_then(|index| routes.get(index)) else {
            return (operation, self.engine.unmatched(&input));
        };
        let view = View::new(txn, self.mount.scope);
        if operation == Operation::Update && route.has_existence_check() {
            match route.check_exists(view.clone(), &input).await {
                Ok(true) => {}
                Ok(false) => input.operation = Operation::Create,
                Err(error) => return (operation, Err(error)),
            }
        }
        let Some(entry) = route.operation(input.operation) else {
            return (input.operation, Err(EngineError::UnsupportedOperation));
        };
        (input.operation, entry.call(self.ctx(view, &input), &input).await)
    }

    fn ctx(&self, view: View, input: &Input) -> Ctx {
        let request = RequestInfo {
            id: "bench".into(),
            namespace: NamespaceId::ROOT,
            operation: input.operation,
            path: RequestPath::parse(&format!("{}{}", self.mount.path, input.path)).expect("a proper path"),
            remote: self.remote,
            headers: self.headers.clone(),
            client_certificates: Vec::new(),
        };
        Ctx {
            view,
            now: self.now,
            mount: Arc::new(self.mount.clone()),
            request: Arc::new(request),
            caller: Arc::new(self.caller.clone()),
            services: Arc::new(System),
            rights: Arc::clone(&self.rights),
        }
    }

    /// Two requests at the same time: both see the store as it is, then the first commits before the second. A collision
    /// is answered as such, not run again.
    pub fn at_once(&self, first: (Operation, &str, &str), second: (Operation, &str, &str)) -> [Answer; 2] {
        self.runtime.block_on(async {
            let begin = || Txn::begin(&self.gate.pass().expect("the gate is open")).expect("the store is open");
            let txns = [begin(), begin()];
            let mut answers = Vec::new();
            for (txn, (operation, path, body)) in txns.iter().zip([first, second]) {
                let body = Body::parse(body.as_bytes(), &BodyLimits::default()).expect("a proper body");
                answers.push(self.handle(txn, operation, path, &Arc::new(body)).await.1);
            }
            for (txn, answer) in txns.iter().zip(&mut answers) {
                if answer.is_ok()
                    && let Err(error) = txn.commit(()).await
                {
                    *answer = Err(error.into());
                }
            }
            answers.try_into().expect("two requests have two answers")
        })
    }

    /// What renewing a login's token asks the method.
    ///
    /// # Errors
    /// The method refuses.
    pub fn renew_login(&self, login: &LoginIntent) -> Result<TokenLimits, EngineError> {
        let lease = LoginLease {
            internal: login.internal.clone(),
            policies: login.policies.clone(),
            metadata: login.metadata.clone(),
            issued: self.now,
            ttl: Seconds(60),
            increment: None,
        };
        self.runtime.block_on(async {
            let txn = Txn::begin(&self.gate.pass().expect("the gate is open"))?;
            let body = Arc::new(Body::default());
            let input =
                Input { operation: Operation::Update, path: String::new(), captures: Captures::default(), body };
            self.engine.renew_login(&self.ctx(View::new(&txn, self.mount.scope), &input), &lease).await
        })
    }

    /// One step of the engine's work in the background; `true` = there is more.
    ///
    /// # Errors
    /// The engine's, and the store's at commit.
    pub fn tend(&self) -> Result<bool, EngineError> {
        self.runtime.block_on(async {
            let txn = Txn::begin(&self.gate.pass().expect("the gate is open"))?;
            let more = self.engine.tend(&View::new(&txn, self.mount.scope), self.now).await?;
            txn.commit(()).await?;
            Ok(more)
        })
    }

    /// How many records the store holds, those of the barrier itself left out.
    pub fn records(&self) -> usize {
        let pass = self.gate.pass().expect("the gate is open");
        let snapshot = pass.barrier().store().snapshot().expect("the store is open");
        self.runtime.block_on(snapshot.scan_keys(&[1], &[0xff], usize::MAX)).expect("the store can be read").len()
    }

    /// Whether any key or value of the store holds `text` as it is.
    pub fn shows(&self, text: &str) -> bool {
        let pass = self.gate.pass().expect("the gate is open");
        let snapshot = pass.barrier().store().snapshot().expect("the store is open");
        let all = self.runtime.block_on(snapshot.scan(&[0], &[0xff], usize::MAX)).expect("the store can be read");
        let has = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        all.iter().any(|(key, value)| has(key) || has(value))
    }

    /// # Panics
    /// The call was refused.
    pub fn ok(&self, operation: Operation, path: &str, body: &str) -> Reply {
        self.call(operation, path, body).unwrap_or_else(|error| panic!("{operation} {path}: {error}"))
    }

    /// # Panics
    /// The call was answered.
    pub fn refused(&self, operation: Operation, path: &str, body: &str) -> EngineError {
        match self.call(operation, path, body) {
            Ok(_) => panic!("{operation} {path}: answered where a refusal was due"),
            Err(error) => error,
        }
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime for tests")
}

fn opened(barrier: Barrier) -> Gate<()> {
    let gate = Gate::default();
    assert!(gate.open(barrier, ()), "a new gate is closed");
    gate
}

/// Keys that nobody has seen, over an empty store in memory.
fn fresh_barrier() -> Barrier {
    let (Ok(root), Ok(keyring)) = (bulla_seal::RootKey::generate(), bulla_seal::Keyring::generate(0)) else {
        panic!("no randomness could be had from the system")
    };
    Barrier::new(Store::memory(), root, keyring)
}
