//! The server without its edges: the one object that owns the store, the gate and the unseal progress.

use crate::answer::Answer;
use crate::clock::Clock;
use crate::config::CoreConfig;
use crate::log_levels::LogLevels;
use crate::registry::Registry;
use crate::request::Request;
use crate::state::{Backend, State, Unsealed};
use crate::sys::{Cors, SysTables};
use crate::{mounts, pipeline, record, scrub};
use arc_swap::ArcSwapOption;
use bulla_audit::Disclosable;
use bulla_barrier::{Gate, Pass, SealOutcome, SealedStore, Txn};
use bulla_kit::{BoxFuture, EngineError, Services};
use bulla_physical::Store;
use bulla_seal::Unsealing;
use bulla_types::{Operation, Seconds};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{Mutex, watch};

/// The connections of the edge, as far as a seal has to know them.
pub trait Connections: Send + Sync {
    /// Closes all connections but one, idle and half-sent ones at once, and answers when they are gone.
    fn close_all_but(&self, connection: u64) -> BoxFuture<'_, ()>;
}

pub struct Core {
    pub config: CoreConfig,
    pub(crate) sealed: SealedStore,
    pub(crate) gate: Gate<Unsealed>,
    /// Shares collected so far; only in memory.
    pub(crate) unsealing: Mutex<Option<Unsealing>>,
    pub(crate) registry: Registry,
    pub(crate) tables: SysTables,
    pub(crate) clock: Arc<dyn Clock>,
    /// One request at a time that met too many conflicts.
    pub(crate) alone: Mutex<()>,
    /// One initialisation or unseal at a time.
    pub(crate) opening: Mutex<()>,
    /// What browsers may do; see `sys/cors`.
    pub(crate) cors: ArcSwapOption<Cors>,
    /// `auth/token/tidy` is at work.
    pub(crate) tidying_tokens: AtomicBool,
    /// `sys/leases/tidy` is at work.
    pub(crate) tidying_leases: AtomicBool,
    seals: watch::Sender<u64>,
    connections: OnceLock<Arc<dyn Connections>>,
    log_levels: OnceLock<Arc<dyn LogLevels>>,
}

impl Core {
    pub fn new(config: CoreConfig, store: Store, registry: Registry, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            sealed: SealedStore::new(store),
            gate: Gate::default(),
            unsealing: Mutex::new(None),
            registry,
            tables: SysTables::default(),
            clock,
            alone: Mutex::new(()),
            opening: Mutex::new(()),
            cors: ArcSwapOption::empty(),
            tidying_tokens: AtomicBool::new(false),
            tidying_leases: AtomicBool::new(false),
            seals: watch::Sender::new(0),
            connections: OnceLock::new(),
            log_levels: OnceLock::new(),
            config,
        })
    }

    /// Answers one request. The only way in.
    pub async fn handle(self: &Arc<Self>, request: Request) -> Disclosable<Answer> {
        let is_read = matches!(request.operation, Operation::Read | Operation::List | Operation::Scan);
        if is_read && !self.read_has_effects(&request) {
            return pipeline::run(self, request).await;
        }
        // What may change something runs to its end even if the client hangs up: its answer is recorded all the same.
        let core = Arc::clone(self);
        match tokio::spawn(async move { pipeline::run(&core, request).await }).await {
            Ok(answer) => answer,
            Err(error) => {
                tracing::error!(%error, "a request ended in a fault");
                record::faulted()
            }
        }
    }

    /// Whether reading there can do something outside, such as making an account.
    fn read_has_effects(&self, request: &Request) -> bool {
        let Ok(pass) = self.gate.pass() else { return false };
        let state = pass.owner().state.load();
        let found = state.mounts.find(request.path.as_str());
        found.is_some_and(|(mount, _)| match &mount.backend {
            Backend::Engine(engine) => !engine.only_reads_on_read(),
            _ => false,
        })
    }

    /// Changes each time a seal begins.
    pub fn subscribe_seal(&self) -> watch::Receiver<u64> {
        self.seals.subscribe()
    }

    /// Tells core of the edge's connections; once.
    pub fn set_connections(&self, connections: Arc<dyn Connections>) {
        let _ = self.connections.set(connections);
    }

    /// Tells core of the log whose levels `sys/loggers` shows and changes; once.
    pub fn set_log_levels(&self, levels: Arc<dyn LogLevels>) {
        let _ = self.log_levels.set(levels);
    }

    pub(crate) fn log_levels(&self) -> Option<&Arc<dyn LogLevels>> {
        self.log_levels.get()
    }

    pub fn is_unsealed(&self) -> bool {
        self.gate.is_open()
    }

    pub fn store(&self) -> &Store {
        self.sealed.store()
    }

    /// Seals: nobody gets in, those inside finish or are cut off, everything is erased, then all connections but
    /// `connection` are closed.
    pub(crate) async fn seal(&self, drain: Duration, connection: u64) -> SealOutcome {
        self.seals.send_modify(|count| *count += 1);
        if let Ok(pass) = self.gate.pass() {
            // What has been answered is on its way to the audit devices; let it arrive before they are closed.
            pass.owner().audit.flush().await;
        }
        self.settle_shares().await;
        let outcome = self.gate.seal(drain, 0).await;
        *self.unsealing.lock().await = None;
        if let Some(connections) = self.connections.get() {
            connections.close_all_but(connection).await;
        }
        scrub::workers().await;
        match outcome {
            SealOutcome::StillHeld => tracing::error!("sealed, but something still holds what should be erased"),
            SealOutcome::Erased { cut_off } => tracing::info!(cut_off, "sealed"),
            SealOutcome::AlreadySealed => {}
        }
        outcome
    }

    /// Seals for the end of the process.
    pub async fn shutdown(&self, drain: Duration) {
        self.seal(drain, 0).await;
    }

    /// Opens all audit files anew, for tools that have moved them away.
    pub fn reopen_audit(&self) {
        if let Ok(pass) = self.gate.pass() {
            pass.owner().reopen_audit();
        }
    }

    /// Makes a new mount table from the store and publishes it.
    pub(crate) async fn reload_mounts(&self, pass: &Pass<Unsealed>) -> Result<(), EngineError> {
        let unsealed = pass.owner();
        let _one_at_a_time = unsealed.publishing.lock().await;
        let txn = Txn::begin(pass)?;
        let before = unsealed.state.load_full();
        let mounts = mounts::load(&txn, &self.registry, &self.tables, &self.config, Some(&before.mounts)).await?;
        unsealed.state.store(Arc::new(State { mounts }));
        Ok(())
    }
}

impl Services for Core {
    fn system_ttls(&self) -> (Seconds, Seconds) {
        (self.config.default_ttl, self.config.max_ttl)
    }
}
