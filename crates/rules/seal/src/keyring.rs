//! The keyring: data keys by term, the names key, the hashing key.
//!
//! ```text
//! plaintext: version (1) = 1 | terms (4) | { installed (8) | encryptions (8) }* | names key (32) | hashing key (32) | { data key (32) }*
//! ```
//! Numbers are big-endian. Terms count from 1. Only sealed does it leave the process (`frame.rs`).

use crate::error::SealError;
use bulla_crypto::{Aead, HmacKey, KEY_LEN, Siv, random};
use bulla_secret::{LockedBytes, ct_eq, scrub_stack};
use std::fmt;

/// Encryptions under one term after which a new one is due. With random 96-bit nonces 2^32 is the most (NIST SP 800-38D,
/// section 8.3); half of it leaves room for counts that were not yet written down.
pub const ROTATE_AFTER: u64 = 1 << 31;

const VERSION: u8 = 1;
const COUNTS: usize = 5;
const TERM_INFO: usize = 16;
/// Names key and hashing key come before the data keys.
const BEFORE_DATA: usize = 2;

#[derive(Clone, Copy, PartialEq, Eq)]
struct TermInfo {
    /// Unix seconds.
    installed: u64,
    encryptions: u64,
}

// INVARIANT: `keys` holds names key, hashing key and one data key per entry of `terms`, which is never empty.
pub struct Keyring {
    terms: Vec<TermInfo>,
    keys: LockedBytes,
}

impl Keyring {
    /// A first keyring with term 1, installed `now` (unix seconds).
    ///
    /// # Errors
    /// No randomness, no memory.
    pub fn generate(now: u64) -> Result<Self, SealError> {
        let mut keys = LockedBytes::zeroed((BEFORE_DATA + 1) * KEY_LEN)?;
        keys.with_mut(random::fill)?;
        scrub_stack();
        Ok(Self { terms: vec![TermInfo { installed: now, encryptions: 0 }], keys })
    }

    /// A copy with a new term in force. Make it durable first, then put it in place of this one.
    ///
    /// # Errors
    /// No randomness, no memory, 2^32 - 1 terms.
    pub fn rotated(&self, now: u64) -> Result<Self, SealError> {
        u32::try_from(self.terms.len() + 1).map_err(|_| SealError::TermsExhausted)?;
        let mut keys = LockedBytes::zeroed(self.keys.len() + KEY_LEN)?;
        self.keys.expose(|old| {
            keys.with_mut(|new| {
                let (kept, fresh) = new.split_at_mut(old.len());
                kept.copy_from_slice(old);
                random::fill(fresh)
            })
        })?;
        scrub_stack();
        let mut terms = self.terms.clone();
        terms.push(TermInfo { installed: now, encryptions: 0 });
        Ok(Self { terms, keys })
    }

    /// Adds a term, puts it in force and returns it.
    ///
    /// # Errors
    /// As for [`Keyring::rotated`]; nothing has changed then.
    pub fn rotate(&mut self, now: u64) -> Result<u32, SealError> {
        *self = self.rotated(now)?;
        Ok(self.active_term())
    }

    /// The term that encrypts; all terms decrypt.
    pub fn active_term(&self) -> u32 {
        u32::try_from(self.terms.len()).unwrap_or(u32::MAX)
    }

    pub fn terms(&self) -> impl Iterator<Item = u32> + use<> {
        1..=self.active_term()
    }

    /// Unix seconds; `None` for a term that does not exist.
    pub fn installed_at(&self, term: u32) -> Option<u64> {
        self.info(term).map(|info| info.installed)
    }

    /// Encryptions under `term` as far as written down.
    pub fn encryptions(&self, term: u32) -> Option<u64> {
        self.info(term).map(|info| info.encryptions)
    }

    /// Adds to the count of the active term.
    pub fn count_encryptions(&mut self, more: u64) {
        if let Some(info) = self.terms.last_mut() {
            info.encryptions = info.encryptions.saturating_add(more);
        }
    }

    /// Whether a new term is due: `unwritten` are encryptions not yet counted here, `interval` seconds from one term to the
    /// next if an interval is configured.
    pub fn rotation_due(&self, unwritten: u64, now: u64, interval: Option<u64>) -> bool {
        let Some(info) = self.terms.last() else { return false };
        let old = interval.is_some_and(|interval| now.saturating_sub(info.installed) >= interval);
        old || info.encryptions.saturating_add(unwritten) >= ROTATE_AFTER
    }

    /// Seals and opens values of `term`.
    pub fn cipher(&self, term: u32) -> Option<Aead> {
        let index = self.index(term)?;
        self.key(BEFORE_DATA + index, Aead::new)
    }

    /// Seals names. The key never changes, or what was written before could not be found.
    #[expect(clippy::expect_used, reason = "by INVARIANT above")]
    pub fn names_cipher(&self) -> Siv {
        self.key(0, Siv::new).expect("there is a names key")
    }

    /// Hashes ids of tokens and leases. Never changes either.
    #[expect(clippy::expect_used, reason = "by INVARIANT above")]
    pub fn hash_key(&self) -> HmacKey {
        self.key(1, |key| HmacKey::new(key)).expect("there is a hashing key")
    }

    /// Same keys and counts; constant time in the keys.
    pub fn ct_eq(&self, other: &Self) -> bool {
        self.terms == other.terms && self.keys.expose(|own| other.keys.expose(|other| ct_eq(own, other)))
    }

    /// All keys, 32 bytes each: names, hashing, then one of each term. For the test that looks for them after a seal.
    #[cfg(feature = "report-keys")]
    pub fn dangerous_expose<R>(&self, look: impl FnOnce(&[u8]) -> R) -> R {
        self.keys.expose(look)
    }

    fn key<R>(&self, at: usize, look: impl FnOnce(&[u8; KEY_LEN]) -> R) -> Option<R> {
        self.keys.expose(|keys| keys.get(at * KEY_LEN..)?.first_chunk().map(look))
    }

    fn index(&self, term: u32) -> Option<usize> {
        let index = usize::try_from(term.checked_sub(1)?).ok()?;
        (index < self.terms.len()).then_some(index)
    }

    fn info(&self, term: u32) -> Option<&TermInfo> {
        self.terms.get(self.index(term)?)
    }

    pub(crate) fn plain_len(&self) -> usize {
        COUNTS + self.terms.len() * TERM_INFO + self.keys.len()
    }

    /// Appends [`Keyring::plain_len`] bytes.
    pub(crate) fn write_plain(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        out.extend_from_slice(&self.active_term().to_be_bytes());
        for info in &self.terms {
            out.extend_from_slice(&info.installed.to_be_bytes());
            out.extend_from_slice(&info.encryptions.to_be_bytes());
        }
        self.keys.expose(|keys| out.extend_from_slice(keys));
    }

    /// Authentic bytes of the wrong shape come from another version: no keyring for us.
    pub(crate) fn read_plain(plain: &[u8]) -> Result<Self, SealError> {
        let broken = || SealError::DoesNotOpen;
        let (counts, rest) = plain.split_first_chunk::<COUNTS>().ok_or_else(broken)?;
        let [VERSION, terms @ ..] = *counts else { return Err(broken()) };
        let terms = usize::try_from(u32::from_be_bytes(terms)).map_err(|_| broken())?;
        let infos_len = terms.checked_mul(TERM_INFO).ok_or_else(broken)?;
        let (infos, keys) = rest.split_at_checked(infos_len).ok_or_else(broken)?;
        if terms == 0 || keys.len() != (terms + BEFORE_DATA) * KEY_LEN {
            return Err(broken());
        }
        let terms = infos.as_chunks::<TERM_INFO>().0.iter().map(TermInfo::read).collect();
        Ok(Self { terms, keys: LockedBytes::copy_of(keys)? })
    }
}

impl TermInfo {
    fn read(bytes: &[u8; TERM_INFO]) -> Self {
        let number = u128::from_be_bytes(*bytes);
        // Two halves of 64 bits each, by design.
        Self { installed: (number >> 64) as u64, encryptions: number as u64 }
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyring({} terms)", self.terms.len())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn plain(keyring: &Keyring) -> Vec<u8> {
        let mut out = Vec::new();
        keyring.write_plain(&mut out);
        assert_eq!(out.len(), keyring.plain_len());
        out
    }

    fn sealed_by(aead: &Aead) -> Vec<u8> {
        let mut buf = b"value".to_vec();
        aead.seal(&[0; 12], b"", &mut buf);
        buf
    }

    #[test]
    fn a_new_term_encrypts_and_the_old_one_still_opens() {
        let mut keyring = Keyring::generate(10).unwrap();
        assert_eq!((keyring.active_term(), keyring.installed_at(1), keyring.installed_at(2)), (1, Some(10), None));
        let old = sealed_by(&keyring.cipher(1).unwrap());
        let mut name = Vec::new();
        keyring.names_cipher().seal(b"", b"name", &mut name);
        let hash = keyring.hash_key().sign(b"token");

        assert_eq!(keyring.rotate(20).unwrap(), 2);
        assert_eq!(keyring.terms().collect::<Vec<_>>(), [1, 2]);
        assert_eq!([0, 1, 2, 3].map(|term| keyring.installed_at(term)), [None, Some(10), Some(20), None]);
        assert_eq!(sealed_by(&keyring.cipher(1).unwrap()), old);
        assert_ne!(sealed_by(&keyring.cipher(2).unwrap()), old);
        assert!(keyring.cipher(0).is_none() && keyring.cipher(3).is_none());
        let mut again = Vec::new();
        keyring.names_cipher().seal(b"", b"name", &mut again);
        assert_eq!((again, keyring.hash_key().sign(b"token")), (name, hash), "these keys never change");
    }

    #[test]
    fn all_keys_differ() {
        let keyring = Keyring::generate(0).unwrap().rotated(0).unwrap();
        let mut keys: Vec<[u8; 32]> = (0..4).map(|at| keyring.key(at, |key| *key).unwrap()).collect();
        assert!(keyring.key(4, |_| ()).is_none());
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 4);
        assert!(!keys.contains(&[0; 32]));
    }

    #[test]
    fn rotation_falls_due_by_count_and_by_age() {
        let mut keyring = Keyring::generate(100).unwrap();
        assert!(!keyring.rotation_due(ROTATE_AFTER - 1, 100, None));
        assert!(keyring.rotation_due(ROTATE_AFTER, 100, None));
        keyring.count_encryptions(ROTATE_AFTER - 1);
        assert!(!keyring.rotation_due(0, u64::MAX, None));
        assert!(keyring.rotation_due(1, 100, None));
        assert_eq!(keyring.encryptions(1), Some(ROTATE_AFTER - 1));
        keyring.rotate(200).unwrap();
        assert_eq!((keyring.encryptions(2), keyring.rotation_due(1, 200, None)), (Some(0), false));
        assert!(!keyring.rotation_due(0, 259, Some(60)));
        assert!(keyring.rotation_due(0, 260, Some(60)));
        assert!(!keyring.rotation_due(0, 0, Some(60)), "a clock that went back rotates nothing");
    }

    #[test]
    fn the_plain_form_is_fixed_and_read_strictly() {
        let mut keyring = Keyring::generate(0x0102).unwrap();
        keyring.rotate(0x0304).unwrap();
        keyring.count_encryptions(5);
        let bytes = plain(&keyring);
        assert_eq!(
            bytes[..37],
            hex::decode(
                "0100000002000000000000010200000000000000000000000000000304\
            0000000000000005"
            )
            .unwrap()
        );
        assert!(Keyring::read_plain(&bytes).unwrap().ct_eq(&keyring));
        for length in 0..bytes.len() {
            assert!(Keyring::read_plain(&bytes[..length]).is_err(), "{length}");
        }
        for (at, value) in [(0, 0), (0, 2), (1, 0xff), (4, 0), (4, 1), (4, 3)] {
            let mut changed = bytes.clone();
            changed[at] = value;
            assert!(Keyring::read_plain(&changed).is_err(), "{at}");
        }
    }
}
