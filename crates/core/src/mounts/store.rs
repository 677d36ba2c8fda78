//! Mount records at `core/mounts/<uuid>` of a namespace, and the table opened from them.

use crate::config::CoreConfig;
use crate::registry::Registry;
use crate::state::{Backend, Mount, MountTable};
use crate::sys::SysTables;
use bulla_barrier::{Page, Txn, View};
use bulla_crypto::random;
use bulla_kit::{EngineError, EngineKind, MountInfo, MountSettings};
use bulla_records::{MountClass, MountConfig, MountRecord, decode, encode};
use bulla_types::{MountPath, NamespaceId, ScopeId};
use indexmap::IndexMap;
use std::sync::Arc;

const FOLDER: &str = "core/mounts";
/// A random text that every change of a mount replaces: who read it knows whether the table it looks at is still true.
const GENERATION: &str = "core/mounts-generation";

pub struct MountStore {
    view: View,
}

impl MountStore {
    pub fn new(txn: &Arc<Txn>, namespace: NamespaceId) -> Self {
        Self { view: View::new(txn, namespace.0) }
    }

    fn key(uuid: ScopeId) -> String {
        format!("{FOLDER}/{uuid}")
    }

    pub fn put(&self, record: &MountRecord) -> Result<(), EngineError> {
        let bytes = encode("mount", record).map_err(|e| EngineError::internal(e.to_string()))?;
        self.view.put(&Self::key(record.uuid), bytes)?;
        self.changed()
    }

    pub fn delete(&self, uuid: ScopeId) -> Result<(), EngineError> {
        self.view.delete(&Self::key(uuid))?;
        self.changed()
    }

    fn changed(&self) -> Result<(), EngineError> {
        let generation: [u8; 16] = random::bytes().map_err(no_randomness)?;
        Ok(self.view.put(GENERATION, generation.to_vec())?)
    }

    /// Changes with every change of any mount.
    pub async fn generation(&self) -> Result<Vec<u8>, EngineError> {
        Ok(self.view.get(GENERATION).await?.unwrap_or_default())
    }

    /// Whether a mount takes requests.
    ///
    /// # Errors
    /// Storage; a record that cannot be read.
    pub async fn is_there(&self, uuid: ScopeId) -> Result<bool, EngineError> {
        let Some(bytes) = self.view.get(&Self::key(uuid)).await? else { return Ok(false) };
        let record: MountRecord = decode("mount", &bytes).map_err(|_| EngineError::damaged("mount"))?;
        Ok(!record.going)
    }

    /// All mounts. A record that cannot be read is reported and left out: one bad record never stops the server.
    pub async fn all(&self) -> Result<Vec<MountRecord>, EngineError> {
        let mut records = Vec::new();
        for name in self.view.list(FOLDER, &Page::default()).await? {
            match self.view.get(&format!("{FOLDER}/{name}")).await {
                Ok(Some(bytes)) => match decode::<MountRecord>("mount", &bytes) {
                    Ok(record) => records.push(record),
                    Err(error) => tracing::error!(%error, mount = %name, "a mount is left out"),
                },
                Ok(None) => {}
                Err(error) => tracing::error!(%error, mount = %name, "a mount is left out"),
            }
        }
        Ok(records)
    }

    /// The mount at a complete path, as the transaction sees it.
    pub async fn at(&self, path: &str) -> Result<Option<MountRecord>, EngineError> {
        Ok(self.all().await?.into_iter().find(|r| r.path.as_str() == path && !r.going))
    }
}

fn no_randomness<E>(_: E) -> EngineError {
    EngineError::internal("no randomness could be had from the system")
}

/// A fresh record with ids of its own.
///
/// # Errors
/// No randomness.
pub fn new_mount(class: MountClass, path: MountPath, kind: &str) -> Result<MountRecord, EngineError> {
    let tail: [u8; 4] = random::bytes().map_err(no_randomness)?;
    let prefix = if class == MountClass::Auth { format!("auth_{kind}") } else { kind.to_owned() };
    Ok(MountRecord {
        uuid: ScopeId(random::bytes().map_err(no_randomness)?),
        class,
        path,
        kind: kind.to_owned(),
        accessor: format!("{prefix}_{}", hex::encode(tail)),
        description: String::new(),
        local: false,
        seal_wrap: false,
        external_entropy_access: false,
        options: None,
        config: MountConfig::default(),
        going: false,
        unfinished: false,
    })
}

/// The mounts that every namespace has and that cannot be disabled.
///
/// # Errors
/// No randomness.
pub fn builtin_mounts() -> Result<Vec<MountRecord>, EngineError> {
    let make = |class, path: &str, kind: &str, description: &str| -> Result<MountRecord, EngineError> {
        let path = MountPath::parse(path).map_err(|e| EngineError::internal(e.to_string()))?;
        Ok(MountRecord { description: description.into(), ..new_mount(class, path, kind)? })
    };
    let headers = |name: &str| MountConfig { passthrough_request_headers: vec![name.into()], ..MountConfig::default() };
    let secret = MountClass::Secret;
    Ok(vec![
        MountRecord {
            seal_wrap: true,
            config: headers("Accept"),
            ..make(secret, "sys/", "system", "system endpoints used for control, policy and debugging")?
        },
        MountRecord { local: true, ..make(secret, "cubbyhole/", "cubbyhole", "per-token private secret storage")? },
        MountRecord { config: headers("Authorization"), ..make(secret, "identity/", "identity", "identity store")? },
        make(MountClass::Auth, "auth/token/", "token", "token based credentials")?,
    ])
}

/// Opens the table of all mounts. Mounts that are unchanged keep their open engine.
///
/// # Errors
/// Storage.
pub async fn load(
    txn: &Arc<Txn>,
    registry: &Registry,
    tables: &SysTables,
    config: &CoreConfig,
    before: Option<&MountTable>,
) -> Result<MountTable, EngineError> {
    let store = MountStore::new(txn, NamespaceId::ROOT);
    let open = store.all().await?.into_iter().map(|record| {
        let old = before.and_then(|table| table.any(&record.accessor)).filter(|old| old.record == record);
        old.map_or_else(|| Arc::new(open_mount(record, registry, tables, config)), Arc::clone)
    });
    Ok(MountTable::new(open, store.generation().await?))
}

fn open_mount(record: MountRecord, registry: &Registry, tables: &SysTables, config: &CoreConfig) -> Mount {
    let backend = match tables.find(&record) {
        Some(table) => Backend::System(table),
        None => match open_engine(registry, &record) {
            Ok(engine) => Backend::Engine(engine),
            Err(error) => {
                tracing::error!(%error, path = %record.path, "the mount answers errors until this is mended");
                Backend::Unknown
            }
        },
    };
    let info = MountInfo {
        path: record.path.as_str().to_owned(),
        accessor: record.accessor.clone(),
        kind: record.kind.clone(),
        scope: record.uuid,
        options: record.options.clone().unwrap_or_default(),
        default_ttl: record.config.default_ttl.unwrap_or(config.default_ttl),
        max_ttl: record.config.max_ttl.unwrap_or(config.max_ttl),
    };
    Mount { record, info: Arc::new(info), backend }
}

/// # Errors
/// In the client's words: an unknown type, or options the engine refuses.
pub fn open_engine(registry: &Registry, record: &MountRecord) -> Result<Arc<dyn bulla_kit::Engine>, String> {
    let kind = if record.class == MountClass::Auth { EngineKind::Auth } else { EngineKind::Secrets };
    let Some(factory) = registry.find(kind, &record.kind) else {
        return Err(format!("plugin not found in the catalog: {}", record.kind));
    };
    factory(&settings(record.options.clone()))
}

pub fn settings(options: Option<IndexMap<String, String>>) -> MountSettings {
    MountSettings { options: options.unwrap_or_default() }
}
