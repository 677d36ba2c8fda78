//! The open barrier: the keys in use and the transformation of names and values under them.

use crate::error::BarrierError;
use crate::folders::Folders;
use crate::key::{Keyspace, PhysicalKey, hex};
use arc_swap::ArcSwap;
use bulla_crypto::{Aead, HmacKey, Siv, random};
use bulla_physical::{Store, Watcher};
use bulla_seal::{Keyring, RootKey};
use bulla_types::ScopeId;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

/// Version of the value frame: version (1) | term (4, BE) | nonce (12) | ciphertext | tag (16).
const FRAME: u8 = 1;
const HEADER: usize = 1 + 4 + 12;
const TAG: usize = 16;

/// The largest plaintext of one record: 1 MiB for a secret and room for what surrounds it.
pub const MAX_VALUE: usize = (1 << 20) + (60 << 10);

/// Ciphers ready for use, made once per keyring.
struct Ciphers {
    by_term: BTreeMap<u32, Aead>,
    active: u32,
}

/// Keys and store of an unsealed server. Dropped, and so erased, by the seal.
pub struct Barrier {
    store: Store,
    root: ArcSwap<RootKey>,
    keyring: parking_lot::Mutex<Keyring>,
    ciphers: ArcSwap<Ciphers>,
    names: Siv,
    hash: HmacKey,
    encryptions: AtomicU64,
    folders: Arc<Folders>,
}

impl Barrier {
    pub fn new(store: Store, root: RootKey, keyring: Keyring) -> Self {
        #[cfg(feature = "report-keys")]
        crate::report::keys(&root, &keyring);
        let folders = Arc::new(Folders::new(keyring.names_cipher()));
        let watcher: Weak<dyn Watcher> = Arc::downgrade(&folders) as _;
        if let Some(seq) = store.watch(watcher) {
            folders.starts_at(seq);
        }
        Self {
            folders,
            names: keyring.names_cipher(),
            hash: keyring.hash_key(),
            ciphers: ArcSwap::from_pointee(Ciphers::of(&keyring)),
            encryptions: AtomicU64::new(0),
            keyring: parking_lot::Mutex::new(keyring),
            root: ArcSwap::from_pointee(root),
            store,
        }
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    pub fn root_key(&self) -> Arc<RootKey> {
        self.root.load_full()
    }

    /// Puts a root key in force under which the keyring is durable already.
    pub fn install_root(&self, root: RootKey) {
        #[cfg(feature = "report-keys")]
        crate::report::keys(&root, &self.keyring.lock());
        self.root.store(Arc::new(root));
    }

    /// Term, install time in unix seconds, and values encrypted under it.
    pub fn key_status(&self) -> (u32, u64, u64) {
        let keyring = self.keyring.lock();
        let term = keyring.active_term();
        let written = keyring.encryptions(term).unwrap_or_default();
        (term, keyring.installed_at(term).unwrap_or_default(), written + self.uncounted())
    }

    /// Encryptions since the keyring's own count was last written down.
    pub fn uncounted(&self) -> u64 {
        self.encryptions.load(Ordering::Relaxed)
    }

    /// Moves the encryptions made so far into the keyring's count; the caller makes the keyring durable.
    pub fn count(&self) {
        let made = self.encryptions.swap(0, Ordering::Relaxed);
        self.keyring.lock().count_encryptions(made);
    }

    /// Looks at the keyring, for sealing it anew.
    pub fn with_keyring<R>(&self, look: impl FnOnce(&Keyring) -> R) -> R {
        look(&self.keyring.lock())
    }

    /// Puts a keyring in force that is durable already.
    pub fn install(&self, keyring: Keyring) {
        #[cfg(feature = "report-keys")]
        crate::report::keys(&self.root.load(), &keyring);
        let mut held = self.keyring.lock();
        self.ciphers.store(Arc::new(Ciphers::of(&keyring)));
        *held = keyring;
        self.encryptions.store(0, Ordering::Relaxed);
    }

    /// Keyed hash under which ids that are secrets (tokens, accessors, lease ids) are stored. `domain` keeps kinds apart.
    pub fn hash_id(&self, domain: &str, id: &[u8]) -> [u8; 32] {
        self.hash.sign_parts(&[domain.as_bytes(), &[0], id])
    }

    /// The key of `path` (segments joined by `/`) below `prefix`, itself a physical prefix of this scope.
    pub(crate) fn name_key(&self, prefix: &[u8], path: &str) -> Result<PhysicalKey, BarrierError> {
        if path.is_empty() {
            return Err(BarrierError::EmptyName);
        }
        // Known before anything is sealed, so that an endless path costs nothing.
        let size = prefix.len() + path.len() + path.matches('/').count() * (TAG + 1) + TAG + 2;
        if size > PhysicalKey::MAX {
            return Err(BarrierError::KeyTooLong { size, limit: PhysicalKey::MAX });
        }
        let mut key = Vec::with_capacity(size);
        key.extend_from_slice(prefix);
        for segment in path.split('/') {
            self.push_segment(&mut key, segment)?;
        }
        debug_assert_eq!(key.len(), size, "the size is known beforehand");
        Ok(PhysicalKey(key))
    }

    fn push_segment(&self, key: &mut Vec<u8>, segment: &str) -> Result<(), BarrierError> {
        let length = u16::try_from(segment.len() + TAG)
            .map_err(|_| BarrierError::KeyTooLong { size: segment.len(), limit: usize::from(u16::MAX) - TAG })?;
        let mut sealed = Vec::with_capacity(segment.len() + TAG);
        self.names.seal(key, segment.as_bytes(), &mut sealed);
        key.extend_from_slice(&length.to_be_bytes());
        key.extend_from_slice(&sealed);
        Ok(())
    }

    pub(crate) fn folders(&self) -> &Folders {
        &self.folders
    }

    /// Opens one sealed segment that stands below `parent`.
    pub(crate) fn open_segment(&self, parent: &[u8], sealed: &[u8]) -> Option<String> {
        let mut plain = Vec::with_capacity(sealed.len());
        self.names.open(parent, sealed, &mut plain).ok()?;
        String::from_utf8(plain).ok()
    }

    /// The physical prefix of a scope: a namespace's or a mount's.
    pub(crate) fn scope_prefix(scope: ScopeId) -> Vec<u8> {
        let mut prefix = Vec::with_capacity(17);
        prefix.push(Keyspace::Named as u8);
        prefix.extend_from_slice(&scope.0);
        prefix
    }

    pub(crate) fn seal_value(&self, key: &PhysicalKey, plain: &[u8]) -> Result<Vec<u8>, BarrierError> {
        self.seal_frame(&key.0, plain)
    }

    pub(crate) fn open_value(&self, key: &[u8], frame: &[u8]) -> Result<Vec<u8>, BarrierError> {
        self.open_frame(key, frame).ok_or_else(|| BarrierError::Damaged { key: hex(key) })
    }

    /// Seals bytes that a client is to keep instead of the store. `domain` says what they are for; they open in no other.
    ///
    /// # Errors
    /// No randomness; more bytes than a record may have.
    pub fn seal_blob(&self, domain: &str, plain: &[u8]) -> Result<Vec<u8>, BarrierError> {
        self.seal_frame(&blob_context(domain), plain)
    }

    /// Opens what [`Barrier::seal_blob`] made; `None` = it is none of ours, or of another domain.
    pub fn open_blob(&self, domain: &str, frame: &[u8]) -> Option<Vec<u8>> {
        self.open_frame(&blob_context(domain), frame)
    }

    fn seal_frame(&self, context: &[u8], plain: &[u8]) -> Result<Vec<u8>, BarrierError> {
        if plain.len() > MAX_VALUE {
            return Err(BarrierError::ValueTooLarge { size: plain.len(), limit: MAX_VALUE });
        }
        let ciphers = self.ciphers.load();
        let nonce: [u8; 12] = random::bytes().map_err(|_| BarrierError::Randomness)?;
        let mut frame = Vec::with_capacity(HEADER + plain.len() + TAG);
        frame.push(FRAME);
        frame.extend_from_slice(&ciphers.active.to_be_bytes());
        frame.extend_from_slice(&nonce);
        frame.extend_from_slice(plain);
        let cipher = ciphers.by_term.get(&ciphers.active).ok_or_else(|| BarrierError::Damaged { key: hex(context) })?;
        cipher.seal_from(&nonce, context, &mut frame, HEADER);
        self.encryptions.fetch_add(1, Ordering::Relaxed);
        Ok(frame)
    }

    fn open_frame(&self, context: &[u8], frame: &[u8]) -> Option<Vec<u8>> {
        if frame.len() < HEADER + TAG || frame[0] != FRAME {
            return None;
        }
        let term = u32::from_be_bytes(frame[1..5].try_into().ok()?);
        let nonce: [u8; 12] = frame[5..HEADER].try_into().ok()?;
        let ciphers = self.ciphers.load();
        let cipher = ciphers.by_term.get(&term)?;
        let mut plain = Vec::with_capacity(frame.len() - HEADER);
        cipher.open_into(&nonce, context, &frame[HEADER..], &mut plain).ok()?;
        Some(plain)
    }
}

/// The associated data of a blob. No keyspace has the number of its first byte, so no stored record opens as a blob.
fn blob_context(domain: &str) -> Vec<u8> {
    [b"blob\0", domain.as_bytes()].concat()
}

impl Ciphers {
    fn of(keyring: &Keyring) -> Self {
        let by_term = keyring.terms().filter_map(|term| Some((term, keyring.cipher(term)?))).collect();
        Self { by_term, active: keyring.active_term() }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::key::plain_key;

    fn barrier() -> Barrier {
        Barrier::new(Store::memory(), RootKey::generate().unwrap(), Keyring::generate(1).unwrap())
    }

    #[test]
    fn a_blob_opens_in_its_domain_and_nowhere_else() {
        let barrier = barrier();
        let blob = barrier.seal_blob("a", b"text").unwrap();
        assert_eq!(barrier.open_blob("a", &blob).unwrap(), b"text");
        assert!(barrier.open_blob("b", &blob).is_none() && barrier.open_blob("", &blob).is_none());
        assert!(self::barrier().open_blob("a", &blob).is_none(), "another installation's");
        for at in 0..blob.len() {
            let mut changed = blob.clone();
            changed[at] ^= 1;
            assert!(barrier.open_blob("a", &changed).is_none(), "byte {at}");
        }
        assert!(barrier.open_blob("a", &blob[..blob.len() - 1]).is_none() && barrier.open_blob("a", &[]).is_none());
    }

    #[test]
    fn stored_values_and_blobs_are_not_each_other() {
        let barrier = barrier();
        let key = plain_key(Keyspace::Token, &[b"x"]);
        let stored = barrier.seal_value(&key, b"text").unwrap();
        assert!(barrier.open_blob("x", &stored).is_none());
        let blob = barrier.seal_blob("x", b"text").unwrap();
        assert!(barrier.open_value(key.bytes(), &blob).is_err());
    }

    #[test]
    fn a_blob_opens_after_the_keys_are_rotated() {
        let barrier = barrier();
        let blob = barrier.seal_blob("a", b"text").unwrap();
        barrier.install(barrier.with_keyring(|ring| ring.rotated(2)).unwrap());
        assert_eq!(barrier.open_blob("a", &blob).unwrap(), b"text");
    }
}
