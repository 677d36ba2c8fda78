//! What is stored in the open because it must be read before any key is there: seal configuration, the sealed root
//! key and the sealed keyring; and the way from a sealed store to an open barrier.

use crate::barrier::Barrier;
use crate::key::{Keyspace, plain_key};
use bulla_physical::{Batch, CommitError, ReadSet, Store, StoreError};
use bulla_seal::{Keyring, RootKey, SealConfig, UnsealKey, open_keyring, open_root_key, seal_keyring, seal_root_key};

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
    Commit(#[from] CommitError),
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
        let key = plain_key(Keyspace::Meta, &[name]);
        Ok(self.store.snapshot()?.get(key.bytes()).await?.map(|value| value.to_vec()))
    }

    /// `None` while not initialised.
    pub async fn seal_config(&self) -> Result<Option<SealConfig>, SealedStoreError> {
        let Some(bytes) = self.get(meta::SEAL_CONFIG).await? else { return Ok(None) };
        SealConfig::from_bytes(&bytes).map(Some).map_err(|_| SealedStoreError::Damaged("seal-config"))
    }

    /// Writes a fresh installation in one batch; a second, concurrent one is refused.
    pub async fn initialise(
        &self,
        config: &SealConfig,
        unseal: &UnsealKey,
        root: &RootKey,
        keyring: &Keyring,
        cluster: Vec<u8>,
    ) -> Result<(), SealedStoreError> {
        let snapshot = self.store.snapshot()?;
        let config_key = plain_key(Keyspace::Meta, &[meta::SEAL_CONFIG]);
        if snapshot.get(config_key.bytes()).await?.is_some() {
            return Err(SealedStoreError::AlreadyInitialised);
        }
        let mut reads = ReadSet::default();
        reads.add_key(config_key.bytes());
        let mut batch = self.key_batch(config, unseal, root)?;
        batch.put(name(meta::KEYRING), seal_keyring(root, keyring).map_err(|_| SealedStoreError::Randomness)?);
        batch.put(name(meta::CLUSTER), cluster);
        match self.store.commit(Some(snapshot.seq()), reads, batch).await {
            Ok(_) => Ok(()),
            Err(CommitError::Conflict) => Err(SealedStoreError::AlreadyInitialised),
            Err(other) => Err(other.into()),
        }
    }

    /// Seal configuration and sealed root key: what a rekey replaces, together or not at all.
    fn key_batch(&self, config: &SealConfig, unseal: &UnsealKey, root: &RootKey) -> Result<Batch, SealedStoreError> {
        let mut batch = Batch::default();
        batch.put(name(meta::SEAL_CONFIG), config.to_bytes());
        batch.put(name(meta::ROOT_KEY), seal_root_key(unseal, root).map_err(|_| SealedStoreError::Randomness)?);
        Ok(batch)
    }

    /// Puts new shares in force for the same root key, in one batch.
    pub async fn rekey(&self, config: &SealConfig, unseal: &UnsealKey, root: &RootKey) -> Result<(), SealedStoreError> {
        let batch = self.key_batch(config, unseal, root)?;
        self.store.commit(None, ReadSet::default(), batch).await?;
        Ok(())
    }

    /// Makes a keyring durable before it is put in force.
    pub async fn store_keyring(&self, root: &RootKey, keyring: &Keyring) -> Result<(), SealedStoreError> {
        let mut batch = Batch::default();
        batch.put(name(meta::KEYRING), seal_keyring(root, keyring).map_err(|_| SealedStoreError::Randomness)?);
        self.store.commit(None, ReadSet::default(), batch).await?;
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

fn name(name: &[u8]) -> Vec<u8> {
    plain_key(Keyspace::Meta, &[name]).bytes().to_vec()
}
