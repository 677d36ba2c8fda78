//! The one place that knows all rooms: store, core and engines, put together as the configuration says.

use crate::config::{AuditBlock, Config, Storage};
use crate::house::House;
use crate::registry;
use crate::start::StartError;
use bulla_audit::Disclosable;
use bulla_audit::EnableRequest;
use bulla_core::{Answer, Core, CoreConfig, Cors, LogLevels, Request, SYSTEM_TTL, SystemClock};
use bulla_http::{BoxFuture, Connections, Service};
use bulla_physical::{DiskOptions, Store};
use std::sync::Arc;
use std::time::Duration;

/// How long a seal waits for connections that do not end.
const CLOSE: Duration = Duration::from_secs(10);

/// How a server comes by its house; tests bring their own.
pub type Open = fn(&Config, &Arc<Connections>) -> Result<Arc<dyn House>, StartError>;

/// # Errors
/// A seal or store that is not there, or a store that does not open.
pub fn open(config: &Config, connections: &Arc<Connections>) -> Result<Arc<dyn House>, StartError> {
    if let Some(seal) = config.seals.first() {
        return Err(StartError::Unsupported(format!("seal `{}` is not supported; there is shamir", seal.kind)));
    }
    let core = Core::new(core_config(config), store(config)?, registry::engines(), Arc::new(SystemClock));
    core.set_connections(Arc::new(Door(Arc::clone(connections))));
    Ok(Arc::new(CoreHouse(core)))
}

fn store(config: &Config) -> Result<Store, StartError> {
    match &config.storage {
        Some(Storage::Disk(path)) => {
            Store::open(path, DiskOptions::default()).map_err(|error| StartError::Storage(chain(&error)))
        }
        _ => Ok(Store::memory()),
    }
}

/// An error with its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

fn core_config(config: &Config) -> CoreConfig {
    let is_disk = matches!(config.storage, Some(Storage::Disk(_)));
    let max_ttl = config.max_lease_ttl.filter(|t| !t.is_zero()).unwrap_or(SYSTEM_TTL);
    CoreConfig {
        version: told_version(config).into(),
        own_version: env!("CARGO_PKG_VERSION").into(),
        storage_type: if is_disk { "file" } else { "inmem" }.into(),
        cluster_name: config.cluster_name.clone(),
        api_addr: config.api_addr.clone().unwrap_or_default(),
        cluster_addr: config.cluster_addr.clone().unwrap_or_default(),
        default_ttl: config.default_lease_ttl.filter(|t| !t.is_zero()).unwrap_or(SYSTEM_TTL.min(max_ttl)),
        max_ttl,
        user_lockout: config.user_lockout.clone(),
        api_audit_creation: config.unsafe_allow_api_audit_creation,
        audit_prefix: config.allow_audit_log_prefixing,
        audit: config.audit.iter().map(audit_device).collect(),
        own_places: config.own_places(),
        sanitized: config.sanitized(),
        ..CoreConfig::default()
    }
}

/// Clients choose by this number what they try, so it is that of the API we speak, not our own.
fn told_version(config: &Config) -> &str {
    if config.claimed_version.is_empty() { env!("CARGO_PKG_VERSION") } else { &config.claimed_version }
}

/// A device as the configuration declares it: path and description.
pub fn audit_device(block: &AuditBlock) -> (String, EnableRequest) {
    let request = EnableRequest {
        kind: block.kind.clone(),
        description: block.description.clone(),
        local: block.local,
        options: block.options.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
    };
    (block.path.clone(), request)
}

struct CoreHouse(Arc<Core>);

impl Service for CoreHouse {
    fn handle(&self, request: Request) -> BoxFuture<'_, Disclosable<Answer>> {
        Box::pin(async move { self.0.handle(request).await })
    }

    fn cors(&self) -> Option<Arc<Cors>> {
        self.0.cors()
    }
}

impl House for CoreHouse {
    fn seal(&self, drain: Duration) -> BoxFuture<'_, ()> {
        Box::pin(self.0.shutdown(drain))
    }

    fn reopen_audit(&self) -> BoxFuture<'_, ()> {
        Box::pin(async { self.0.reopen_audit() })
    }

    fn set_log_levels(&self, levels: Arc<dyn LogLevels>) {
        self.0.set_log_levels(levels);
    }
}

/// The listeners' connections, as core knows them.
struct Door(Arc<Connections>);

impl bulla_core::Connections for Door {
    fn close_all_but(&self, connection: u64) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if tokio::time::timeout(CLOSE, self.0.close_all_but(connection)).await.is_err() {
                tracing::error!("connections are still open after the seal");
            }
        })
    }
}
