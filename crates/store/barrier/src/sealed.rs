//! What is stored in the open because it must be read before any key is there: seal configuration, the sealed root
//! key and the sealed keyring; and the way from a sealed store to an open barrier.

use crate::barrier::Barrier;
use crate::error::BarrierError;
use crate::key::{Keyspace, PhysicalKey, plain_key};
use crate::txn::Txn;
use bulla_physical::{Store, StoreError};
use bulla_seal::{Keyring, RootKey, SealConfig, UnsealKey, open_keyring, open_root_key, seal_keyring, seal_root_key};
use std::sync::Arc;

/// Names of the records in the clear.
pub mod meta {
    /// JSON of the seal configuration: shares and threshold.
    pub const SEAL_CONFIG: &[u8] = b"seal-config";
    /// The root key under the unseal key.
    pub const ROOT_KEY: &[u8] = b"root-key";
    /// The keyring under the root key.
    pub const KEYRING: &[u8] = b"keyring";
    /// Cluster name and id, JSON.
    pub const CLUSTER: &[u8] = b"cluster";
}

#[derive(Debug, thiserror::Error)]
pub enum SealedStoreError {
    #[error("the server is not initialised")]
    NotInitialised,
    #[error("the server is already initialised")]
    AlreadyInitialised,
    /// The unseal key does not open the root key: wrong shares.
    #[error("the unseal key does not fit")]
    WrongKey,
    #[error("the record `{0}` is missing or damaged")]
    Damaged(&'static str),
    #[error("the store could not be read")]
    Store(#[from] StoreError),
    #[error("the store did not take the write")]
    Barrier(#[source] BarrierError),
    #[error("no randomness could be had from the system")]
    Randomness,
}

/// A store without keys: all that can be done while sealed.
#[derive(Clone)]
pub struct SealedStore {
    store: Store,
}

impl SealedStore {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    pub async fn get(&self, name: &[u8]) -> Result<Option<Vec<u8>>, SealedStoreError> {
        let key = meta_key(name);
        Ok(self.store.snapshot()?.get(key.bytes()).await?.map(|value| value.to_vec()))
    }

    /// `None` while not initialised.
    pub async fn seal_config(&self) -> Result<Option<SealConfig>, SealedStoreError> {
        let Some(bytes) = self.get(meta::SEAL_CONFIG).await? else { return Ok(None) };
        SealConfig::from_bytes(&bytes).map(Some).map_err(|_| SealedStoreError::Damaged("seal-config"))
    }

    /// Begins a fresh installation: a barrier under new keys and a transaction that already holds the sealed keys and
    /// the configuration. The caller adds its first records and commits, so that all is there or nothing; of two
    /// concurrent initialisations one meets a conflict.
    ///
    /// # Errors
    /// [`SealedStoreError::AlreadyInitialised`].
    pub async fn begin_initialise(
        &self,
        config: &SealConfig,
        unseal: &UnsealKey,
        root: RootKey,
        keyring: Keyring,
        cluster: Vec<u8>,
    ) -> Result<(Arc<Barrier>, Arc<Txn>), SealedStoreError> {
        let sealed_keyring = seal_keyring(&root, &keyring).map_err(|_| SealedStoreError::Randomness)?;
        let sealed_root = seal_root_key(unseal, &root).map_err(|_| SealedStoreError::Randomness)?;
        let barrier = Arc::new(Barrier::new(self.store.clone(), root, keyring));
        let txn = Txn::before_open(&barrier).map_err(SealedStoreError::Barrier)?;
        if txn.get(&meta_key(meta::SEAL_CONFIG)).await.map_err(SealedStoreError::Barrier)?.is_some() {
            return Err(SealedStoreError::AlreadyInitialised);
        }
        txn.put(meta_key(meta::SEAL_CONFIG), config.to_bytes());
        txn.put(meta_key(meta::ROOT_KEY), sealed_root);
        txn.put(meta_key(meta::KEYRING), sealed_keyring);
        txn.put(meta_key(meta::CLUSTER), cluster);
        Ok((barrier, txn))
    }

    /// Puts new shares in force for the same root key, inside the caller's transaction.
    ///
    /// # Errors
    /// No randomness.
    pub fn rekey(txn: &Txn, config: &SealConfig, unseal: &UnsealKey) -> Result<(), SealedStoreError> {
        let sealed = seal_root_key(unseal, &txn.barrier().root_key()).map_err(|_| SealedStoreError::Randomness)?;
        txn.put(meta_key(meta::SEAL_CONFIG), config.to_bytes());
        txn.put(meta_key(meta::ROOT_KEY), sealed);
        Ok(())
    }

    /// Writes a new root key, and the keyring under it, inside the caller's transaction; [`Barrier::install_root`] puts
    /// it in force after the commit. Nothing else that changes keys may run meanwhile.
    ///
    /// # Errors
    /// No randomness.
    pub fn rotate_root(txn: &Txn, unseal: &UnsealKey, root: &RootKey) -> Result<(), SealedStoreError> {
        let keyring = txn.barrier().with_keyring(|keyring| seal_keyring(root, keyring));
        let keyring = keyring.map_err(|_| SealedStoreError::Randomness)?;
        let sealed = seal_root_key(unseal, root).map_err(|_| SealedStoreError::Randomness)?;
        txn.put(meta_key(meta::KEYRING), keyring);
        txn.put(meta_key(meta::ROOT_KEY), sealed);
        Ok(())
    }

    /// Writes a keyring inside the caller's transaction; [`Barrier::install`] puts it in force after the commit.
    ///
    /// # Errors
    /// No randomness.
    pub fn put_keyring(txn: &Txn, keyring: &Keyring) -> Result<(), SealedStoreError> {
        let sealed = seal_keyring(&txn.barrier().root_key(), keyring).map_err(|_| SealedStoreError::Randomness)?;
        txn.put(meta_key(meta::KEYRING), sealed);
        Ok(())
    }

    /// Whether `unseal` is the key in force, without opening anything.
    pub async fn check(&self, unseal: &UnsealKey) -> Result<RootKey, SealedStoreError> {
        let sealed = self.get(meta::ROOT_KEY).await?.ok_or(SealedStoreError::NotInitialised)?;
        open_root_key(unseal, &sealed).map_err(|_| SealedStoreError::WrongKey)
    }

    /// The open barrier, if `unseal` fits.
    pub async fn unseal(&self, unseal: &UnsealKey) -> Result<Barrier, SealedStoreError> {
        let root = self.check(unseal).await?;
        let sealed = self.get(meta::KEYRING).await?.ok_or(SealedStoreError::Damaged("keyring"))?;
        let keyring = open_keyring(&root, &sealed).map_err(|_| SealedStoreError::Damaged("keyring"))?;
        Ok(Barrier::new(self.store.clone(), root, keyring))
    }
}

fn meta_key(name: &[u8]) -> PhysicalKey {
    plain_key(Keyspace::Meta, &[name])
}
