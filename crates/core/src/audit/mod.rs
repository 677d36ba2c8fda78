//! Audit devices and audited headers as core keeps them: records in the store, devices on the broker.
//!
//! Devices come from two places: the API (if the configuration allows it) and `audit` blocks of the configuration. Both
//! are stored, the latter for their salt, so that hashes stay comparable. What a device does is `store/audit`.

mod routes;

use crate::config::CoreConfig;
use crate::state::Unsealed;
use bulla_audit::{Device, DeviceRecord, EnableRequest, Identity, Managed, Rules, Salt};
use bulla_barrier::{Page, Txn, View};
use bulla_crypto::random;
use bulla_kit::EngineError;
use bulla_records::{decode, encode};
use bulla_types::NamespaceId;
use std::collections::BTreeMap;
use std::sync::Arc;

pub use routes::routes;

const DEVICES: &str = "core/audit";
const HEADERS: &str = "core/audited-headers";

/// Headers written to audit, names in lower case; `true` = hashed.
pub type AuditedHeaders = BTreeMap<String, bool>;

/// Headers that are audited unless somebody says otherwise.
fn default_headers() -> AuditedHeaders {
    ["correlation-id", "x-correlation-id"].into_iter().map(|name| (name.to_owned(), false)).collect()
}

/// For devices of the API.
pub fn rules(config: &CoreConfig) -> Rules {
    Rules { api_creation: config.api_audit_creation, prefix: config.audit_prefix, ..Rules::default() }
}

pub(crate) struct AuditStore {
    view: View,
}

impl AuditStore {
    pub fn new(txn: &Arc<Txn>) -> Self {
        Self { view: View::new(txn, NamespaceId::ROOT.0) }
    }

    fn key(path: &str) -> String {
        format!("{DEVICES}/{}", path.trim_end_matches('/').replace('%', "%25").replace('/', "%2f"))
    }

    pub async fn get(&self, path: &str) -> Result<Option<DeviceRecord>, EngineError> {
        match self.view.get(&Self::key(path)).await? {
            Some(bytes) => decode("audit device", &bytes).map(Some).map_err(|_| EngineError::damaged("audit device")),
            None => Ok(None),
        }
    }

    pub fn put(&self, record: &DeviceRecord) -> Result<(), EngineError> {
        let bytes = encode("audit device", record).map_err(|e| EngineError::internal(e.to_string()))?;
        Ok(self.view.put(&Self::key(&record.path), bytes)?)
    }

    pub fn delete(&self, path: &str) -> Result<(), EngineError> {
        Ok(self.view.delete(&Self::key(path))?)
    }

    pub async fn all(&self) -> Result<Vec<DeviceRecord>, EngineError> {
        let mut records = Vec::new();
        for name in self.view.list(DEVICES, &Page::default()).await? {
            let path = name.replace("%2f", "/").replace("%25", "%");
            records.extend(self.get(&path).await?);
        }
        Ok(records)
    }

    pub async fn headers(&self) -> Result<AuditedHeaders, EngineError> {
        match self.view.get(HEADERS).await? {
            Some(bytes) => decode("audited headers", &bytes).map_err(|_| EngineError::damaged("audited headers")),
            None => Ok(default_headers()),
        }
    }

    pub fn put_headers(&self, headers: &AuditedHeaders) -> Result<(), EngineError> {
        let bytes = encode("audited headers", headers).map_err(|e| EngineError::internal(e.to_string()))?;
        Ok(self.view.put(HEADERS, bytes)?)
    }
}

/// Ids and salt of a new device.
pub(crate) fn identity(kind: &str) -> Result<Identity, EngineError> {
    let no_randomness = |_| EngineError::internal("no randomness could be had from the system");
    let tail: [u8; 4] = random::bytes().map_err(no_randomness)?;
    Ok(Identity {
        uuid: random::uuid().map_err(no_randomness)?,
        accessor: format!("audit_{kind}_{}", hex::encode(tail)),
        salt: Salt::from_random_text(random::uuid().map_err(no_randomness)?),
    })
}

/// The devices to open at an unseal: those of the configuration, which are stored when they are new, and those stored.
/// A stored device that the configuration no longer declares is forgotten.
pub(crate) async fn devices(txn: &Arc<Txn>, config: &CoreConfig) -> Result<Vec<DeviceRecord>, EngineError> {
    let store = AuditStore::new(txn);
    let mut records = Vec::new();
    for (path, request) in &config.audit {
        let before = store.get(path).await?;
        let record = declared(path, request, before.as_ref())?;
        if before.as_ref() != Some(&record) {
            store.put(&record)?;
        }
        records.push(record);
    }
    for record in store.all().await? {
        let known = records.iter().any(|r: &DeviceRecord| r.path == record.path);
        match record.managed {
            Managed::Configuration if !known => store.delete(&record.path)?,
            Managed::Api if !known => records.push(record),
            _ => {}
        }
    }
    Ok(records)
}

fn declared(path: &str, request: &EnableRequest, before: Option<&DeviceRecord>) -> Result<DeviceRecord, EngineError> {
    let identity = match before {
        Some(old) => Identity { uuid: old.uuid.clone(), accessor: old.accessor.clone(), salt: old.salt.clone() },
        None => identity(&request.kind)?,
    };
    Ok(DeviceRecord::new(path, request.clone(), identity, Managed::Configuration))
}

/// Opens the devices. One that does not open fails the unseal: a server that was told to audit must not run without.
pub(crate) fn open(records: Vec<DeviceRecord>, config: &CoreConfig) -> Result<Vec<Device>, EngineError> {
    let open = |record: DeviceRecord| {
        let path = record.path.clone();
        // What is declared by hand may do what the API may not.
        let rules = match record.managed {
            Managed::Configuration => Rules { api_creation: true, prefix: true, ..Rules::default() },
            Managed::Api => rules(config),
        };
        Device::open(record, &rules).map_err(|e| EngineError::internal(format!("audit device `{path}`: {e}")))
    };
    records.into_iter().map(open).collect()
}

impl Unsealed {
    /// Opens all audit files anew (SIGHUP).
    pub fn reopen_audit(&self) {
        for (path, error) in self.audit.reopen() {
            tracing::error!(%path, %error, "an audit file could not be reopened");
        }
    }
}
