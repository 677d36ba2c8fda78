//! A machine that loses power: a barrier over a device that survives, opened again with the same unseal key.
//!
//! Not here: how writes fail (`store/physical` has the device), and servers as processes (`process`).

use bulla_barrier::{Barrier, SealedStore};
use bulla_physical::failing::Device;
use bulla_seal::{Keyring, RootKey, SealConfig, UnsealKey};

pub struct Machine {
    pub device: Device,
    key: UnsealKey,
}

impl Machine {
    /// A device with a fresh installation on it.
    pub async fn installed() -> Self {
        let (device, key) = (Device::new(), UnsealKey::generate().expect("randomness"));
        let store = SealedStore::new(device.open());
        let (root, keyring) = (RootKey::generate().expect("randomness"), Keyring::generate(0).expect("randomness"));
        let config = SealConfig::new(1, 1).expect("one share of one");
        let (_, txn) = store.begin_initialise(&config, &key, root, keyring, Vec::new()).await.expect("an empty device");
        txn.commit(()).await.expect("the device works");
        Self { device, key }
    }

    /// What is durable, unsealed. Stores opened earlier cannot write any more, and no failure is armed.
    pub async fn switched_on(&self) -> Barrier {
        let store = SealedStore::new(self.device.open());
        store.unseal(&self.key).await.expect("the key of this machine").0
    }
}
