//! From an empty store to an unsealed server: initialisation, and what an unseal reads.

use crate::audit::{self, AuditStore, AuditedHeaders};
use crate::core::Core;
use crate::login::Logins;
use crate::mounts::{self, MountStore, builtin_mounts, new_mount, open_engine};
use crate::policy::{AclCache, install_builtin};
use crate::recipients::{HandedOut, Recipients, token_for};
use crate::refusal::Chain;
use crate::state::{Cluster, MountTable, State, Unsealed};
use crate::sys::{KeyWork, load_cors, note_version};
use crate::token::{NewToken, issue};
use arc_swap::ArcSwap;
use bulla_audit::{Broker, Device};
use bulla_barrier::{Barrier, BarrierError, OpenedBy, SealedStore, SealedStoreError, Txn, View, meta};
use bulla_crypto::random;
use bulla_kit::{EngineError, MountSettings, Setup};
use bulla_pgp::{PgpError, PgpKey};
use bulla_records::MountClass;
use bulla_seal::{Keyring, RootKey, SealConfig, Share, UnsealKey};
use bulla_secret::SecretText;
use bulla_types::{MountPath, NamespaceId};
use indexmap::IndexMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use tokio_util::sync::CancellationToken;

/// A mount to begin with (`secret/` of a development server).
#[derive(Clone, Debug)]
pub struct InitialMount {
    pub path: String,
    pub kind: String,
    pub description: String,
    pub options: IndexMap<String, String>,
}

#[derive(Debug, Default)]
pub struct InitOptions {
    /// PGP keys for the shares, one each; empty = in clear.
    pub share_keys: Vec<String>,
    /// A PGP key for the root token.
    pub root_token_key: Option<String>,
    /// The root token's id; random if not given.
    pub root_token: Option<String>,
    pub mounts: Vec<InitialMount>,
}

/// What initialisation hands out, once.
pub struct Initialised {
    pub shares: Vec<Share>,
    pub root_token: SecretText,
    /// The same as clients get it: in clear, or for the keys that were given.
    pub(crate) handed_out: HandedOut,
    pub(crate) told_token: String,
}

#[derive(Debug, thiserror::Error)]
pub enum InitError {
    #[error("Vault is already initialized")]
    Already,
    #[error("the store is not usable")]
    Store(#[source] SealedStoreError),
    #[error("invalid seal configuration: {0}")]
    Pgp(PgpError),
    #[error("{0}")]
    Fault(String),
}

impl From<EngineError> for InitError {
    fn from(error: EngineError) -> Self {
        Self::Fault(error.to_string())
    }
}

impl From<SealedStoreError> for InitError {
    fn from(error: SealedStoreError) -> Self {
        match error {
            SealedStoreError::AlreadyInitialised => Self::Already,
            other => Self::Store(other),
        }
    }
}

fn no_randomness<E>(_: E) -> InitError {
    InitError::Fault("no randomness could be had from the system".into())
}

fn no_memory<E>(_: E) -> InitError {
    InitError::Fault("no memory could be had for a key".into())
}

fn barrier_fault(error: BarrierError) -> InitError {
    InitError::Store(SealedStoreError::Barrier(error))
}

impl Core {
    /// Makes keys, root token and first records, all in one batch.
    ///
    /// # Errors
    /// The store is initialised already, or does not take the batch.
    pub async fn initialise(&self, config: &SealConfig, options: InitOptions) -> Result<Initialised, InitError> {
        let _one_at_a_time = self.opening.lock().await;
        let now = self.clock.now();
        let recipients = Recipients::parse(&options.share_keys, now).map_err(InitError::Pgp)?;
        let root_token_key = options.root_token_key.as_deref().map(|text| PgpKey::parse(text, now)).transpose();
        let root_token_key = root_token_key.map_err(InitError::Pgp)?;
        let root = RootKey::generate().map_err(no_randomness)?;
        let keyring = Keyring::generate(self.clock.now().unix()).map_err(no_randomness)?;
        let unseal = UnsealKey::generate().map_err(no_randomness)?;
        let shares = unseal.split(*config).map_err(no_randomness)?;
        let cluster = self.new_cluster()?;
        let bytes = serde_json::to_vec(&cluster).map_err(|e| InitError::Fault(e.to_string()))?;
        let (_barrier, txn) = self.sealed.begin_initialise(config, &unseal, root, keyring, bytes).await?;
        let root_token = self.first_records(&txn, options).await?;
        // Before the commit: keys that could not be handed over would be lost for good.
        let handed_out = recipients.hand_out(&shares).map_err(no_randomness)?;
        let told_token = match &root_token_key {
            Some(key) => token_for(key, &root_token).map_err(no_randomness)?,
            None => root_token.dangerous_expose().to_owned(),
        };
        txn.commit(()).await.map_err(|error| match error {
            BarrierError::Conflict => InitError::Already,
            other => barrier_fault(other),
        })?;
        tracing::info!(shares = config.shares(), threshold = config.threshold(), "initialised");
        Ok(Initialised { shares, root_token, handed_out, told_token })
    }

    fn new_cluster(&self) -> Result<Cluster, InitError> {
        let id = random::uuid().map_err(no_randomness)?;
        let name = match &self.config.cluster_name {
            Some(name) => name.clone(),
            None => format!("vault-cluster-{}", id.get(..8).unwrap_or_default()),
        };
        Ok(Cluster { name, id })
    }

    async fn first_records(&self, txn: &Arc<Txn>, options: InitOptions) -> Result<SecretText, InitError> {
        let now = self.clock.now();
        install_builtin(txn, NamespaceId::ROOT, now)?;
        note_version(txn, &self.config, now).await?;
        let store = MountStore::new(txn, NamespaceId::ROOT);
        for record in builtin_mounts()? {
            store.put(&record)?;
        }
        for mount in options.mounts {
            let path = MountPath::parse(&mount.path).map_err(|e| InitError::Fault(e.to_string()))?;
            let mut record = new_mount(MountClass::Secret, path, &mount.kind)?;
            record.description = mount.description;
            record.options = Some(mount.options.clone());
            let engine = open_engine(&self.registry, &record).map_err(InitError::Fault)?;
            let settings = MountSettings { options: mount.options };
            let setup = engine.setup(&View::new(txn, record.uuid), &settings, now).await?;
            record.unfinished = setup == Setup::Unfinished;
            store.put(&record)?;
        }
        Ok(issue(txn, NewToken::root(NamespaceId::ROOT, options.root_token), now).await?.id)
    }

    /// Opens the gate with the unseal key.
    ///
    /// # Errors
    /// A key that does not fit; a store that cannot be read.
    pub async fn unseal_with(self: &Arc<Self>, key: &UnsealKey) -> Result<(), InitError> {
        let _one_at_a_time = self.opening.lock().await;
        if self.gate.is_open() {
            return Ok(());
        }
        let (barrier, opened_by) = self.sealed.unseal(key).await?;
        let (barrier, owner) = self.read_state(barrier, opened_by, key.duplicate().map_err(no_memory)?).await?;
        let workers = owner.workers.clone();
        self.gate.open(barrier, owner);
        crate::workers::start(self, workers);
        match opened_by {
            OpenedBy::Current => tracing::info!("unsealed"),
            OpenedBy::New => tracing::info!("unsealed by the new shares; those from before the rekey have ended"),
            OpenedBy::Former => tracing::warn!(
                "unsealed by the shares from before the last rekey, whose new shares have never unsealed: the rekey is \
                 taken back, the new shares are worth nothing"
            ),
        }
        Ok(())
    }

    async fn read_state(
        &self,
        barrier: Barrier,
        opened_by: OpenedBy,
        key: UnsealKey,
    ) -> Result<(Barrier, Unsealed), InitError> {
        let barrier = Arc::new(barrier);
        let owner = {
            let txn = Txn::before_open(&barrier).map_err(barrier_fault)?;
            let mounts = mounts::load(&txn, &self.registry, &self.tables, &self.config, None).await?;
            let devices = audit::open(audit::devices(&txn, &self.config).await?, &self.config)?;
            let headers = AuditStore::new(&txn).headers().await?;
            self.cors.store(load_cors(&txn).await?.map(Arc::new));
            SealedStore::settle(&txn, opened_by).await?;
            txn.commit(()).await.map_err(barrier_fault)?;
            if let Err(error) = self.note_version(&barrier).await {
                tracing::warn!(error = %Chain(&error), "the version that runs could not be noted");
            }
            self.owner(mounts, self.cluster().await?, KeyWork::new(key), devices, headers)
        };
        // The transaction is gone, so the barrier is ours alone again.
        let barrier = Arc::try_unwrap(barrier).map_err(|_| InitError::Fault("the barrier is still in use".into()))?;
        Ok((barrier, owner))
    }

    /// After an upgrade. On its own, so that a store that takes no more bytes can still be opened and tidied.
    async fn note_version(&self, barrier: &Arc<Barrier>) -> Result<(), InitError> {
        let txn = Txn::before_open(barrier).map_err(barrier_fault)?;
        note_version(&txn, &self.config, self.clock.now()).await?;
        txn.commit(()).await.map_err(barrier_fault)?;
        Ok(())
    }

    fn owner(
        &self,
        mounts: MountTable,
        cluster: Cluster,
        keys: KeyWork,
        devices: Vec<Device>,
        headers: AuditedHeaders,
    ) -> Unsealed {
        let broker = Broker::new();
        broker.set_devices(devices);
        Unsealed {
            state: ArcSwap::from_pointee(State { mounts }),
            publishing: tokio::sync::Mutex::new(()),
            acls: AclCache::default(),
            policy_generation: AtomicU64::new(0),
            logins: Logins::default(),
            audit: broker,
            audited_headers: ArcSwap::from_pointee(headers),
            cluster,
            keys,
            moves: parking_lot::Mutex::default(),
            workers: CancellationToken::new(),
        }
    }

    async fn cluster(&self) -> Result<Cluster, InitError> {
        let bytes = self.sealed.get(meta::CLUSTER).await?.unwrap_or_default();
        serde_json::from_slice(&bytes).map_err(|_| InitError::Store(SealedStoreError::Damaged("cluster")))
    }

    /// Whether the store has been initialised; a store that cannot be read is reported and counts as "yes", so that
    /// nobody is invited to initialise over it.
    pub(crate) async fn is_initialised(&self) -> bool {
        match self.sealed.seal_config().await {
            Ok(config) => config.is_some(),
            Err(error) => {
                tracing::error!(error = %Chain(&error), "the seal configuration cannot be read");
                true
            }
        }
    }
}
