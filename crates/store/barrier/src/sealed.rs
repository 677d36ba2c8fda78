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
    /// As the two above, of the shares before the last rekey; there until somebody has proved to have the new ones.
    pub const FORMER_SEAL_CONFIG: &[u8] = b"former-seal-config";
    pub const FORMER_ROOT_KEY: &[u8] = b"former-root-key";
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

/// What becomes of the shares that were in force, when new ones take their place.
pub enum Former<'a> {
    /// They unseal as well, until [`SealedStore::forget_former`] or an unseal: nobody may know the new ones yet.
    Kept(&'a SealConfig, &'a UnsealKey),
    /// They are worth nothing from now on: somebody has presented the new ones.
    Gone,
}

/// Whose shares have opened the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenedBy {
    /// Those in force, and there are no others.
    Current,
    /// The new ones, for the first time: the former ones have to go.
    New,
    /// Those from before a rekey whose new shares nobody has ever presented: the rekey has to be taken back.
    Former,
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

    /// Of the shares that unseal besides those in force, if there are any.
    pub async fn former_config(&self) -> Result<Option<SealConfig>, SealedStoreError> {
        let Some(bytes) = self.get(meta::FORMER_SEAL_CONFIG).await? else { return Ok(None) };
        SealConfig::from_bytes(&bytes).map(Some).map_err(|_| SealedStoreError::Damaged("former-seal-config"))
    }

    /// Puts new shares in force for the same root key, inside the caller's transaction.
    ///
    /// # Errors
    /// No randomness.
    pub fn rekey(
        txn: &Txn,
        config: &SealConfig,
        unseal: &UnsealKey,
        former: &Former<'_>,
    ) -> Result<(), SealedStoreError> {
        let root = txn.barrier().root_key();
        let sealed_by = |key| seal_root_key(key, &root).map_err(|_| SealedStoreError::Randomness);
        let sealed = sealed_by(unseal)?;
        match former {
            Former::Gone => Self::forget_former(txn),
            Former::Kept(config, key) => {
                txn.put(meta_key(meta::FORMER_SEAL_CONFIG), config.to_bytes());
                txn.put(meta_key(meta::FORMER_ROOT_KEY), sealed_by(key)?);
            }
        }
        txn.put(meta_key(meta::SEAL_CONFIG), config.to_bytes());
        txn.put(meta_key(meta::ROOT_KEY), sealed);
        Ok(())
    }

    /// From the commit of the caller's transaction on, only the shares in force unseal.
    pub fn forget_former(txn: &Txn) {
        txn.delete(meta_key(meta::FORMER_SEAL_CONFIG));
        txn.delete(meta_key(meta::FORMER_ROOT_KEY));
    }

    /// Writes down, inside the caller's transaction, what follows from whose shares have opened the store: afterwards
    /// these are the only ones.
    ///
    /// # Errors
    /// What the former shares are worth cannot be read.
    pub async fn settle(txn: &Txn, opened_by: OpenedBy) -> Result<(), SealedStoreError> {
        match opened_by {
            OpenedBy::Current => return Ok(()),
            OpenedBy::New => {}
            OpenedBy::Former => {
                copy(txn, meta::FORMER_SEAL_CONFIG, meta::SEAL_CONFIG, "former-seal-config").await?;
                copy(txn, meta::FORMER_ROOT_KEY, meta::ROOT_KEY, "former-root-key").await?;
            }
        }
        Self::forget_former(txn);
        Ok(())
    }

    /// Writes a new root key, and the keyring under it, inside the caller's transaction; [`Barrier::install_root`] puts
    /// it in force after the commit. `former` is the key of the shares that unseal besides those in force, if there are
    /// any: they still do then. Nothing else that changes keys may run meanwhile.
    ///
    /// # Errors
    /// No randomness.
    pub fn rotate_root(
        txn: &Txn,
        unseal: &UnsealKey,
        former: Option<&UnsealKey>,
        root: &RootKey,
    ) -> Result<(), SealedStoreError> {
        let keyring = txn.barrier().with_keyring(|keyring| seal_keyring(root, keyring));
        let keyring = keyring.map_err(|_| SealedStoreError::Randomness)?;
        let sealed = seal_root_key(unseal, root).map_err(|_| SealedStoreError::Randomness)?;
        txn.put(meta_key(meta::KEYRING), keyring);
        txn.put(meta_key(meta::ROOT_KEY), sealed);
        if let Some(former) = former {
            let sealed = seal_root_key(former, root).map_err(|_| SealedStoreError::Randomness)?;
            txn.put(meta_key(meta::FORMER_ROOT_KEY), sealed);
        }
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

    /// The open barrier, if `unseal` is the key of the shares in force or of the former ones. The caller commits what
    /// [`SealedStore::settle`] makes of it before anybody gets in.
    pub async fn unseal(&self, unseal: &UnsealKey) -> Result<(Barrier, OpenedBy), SealedStoreError> {
        let former = self.get(meta::FORMER_ROOT_KEY).await?;
        let (root, opened_by) = match (self.check(unseal).await, former) {
            (Ok(root), None) => (root, OpenedBy::Current),
            (Ok(root), Some(_)) => (root, OpenedBy::New),
            (Err(SealedStoreError::WrongKey), Some(sealed)) => {
                let root = open_root_key(unseal, &sealed).map_err(|_| SealedStoreError::WrongKey)?;
                (root, OpenedBy::Former)
            }
            (Err(error), _) => return Err(error),
        };
        let sealed = self.get(meta::KEYRING).await?.ok_or(SealedStoreError::Damaged("keyring"))?;
        let keyring = open_keyring(&root, &sealed).map_err(|_| SealedStoreError::Damaged("keyring"))?;
        Ok((Barrier::new(self.store.clone(), root, keyring), opened_by))
    }
}

/// `word` names the record that has to be there.
async fn copy(txn: &Txn, from: &[u8], to: &[u8], word: &'static str) -> Result<(), SealedStoreError> {
    let value = txn.get(&meta_key(from)).await.map_err(SealedStoreError::Barrier)?;
    txn.put(meta_key(to), value.ok_or(SealedStoreError::Damaged(word))?);
    Ok(())
}

fn meta_key(name: &[u8]) -> PhysicalKey {
    plain_key(Keyspace::Meta, &[name])
}
