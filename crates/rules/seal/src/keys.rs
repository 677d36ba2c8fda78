//! The two keys at the top: the unseal key, which exists only while shares meet, and the root key below it.

use crate::config::SealConfig;
use crate::error::SealError;
use crate::share::Share;
use bulla_crypto::{KEY_LEN, random, shamir};
use bulla_secret::{LockedBytes, SecretBytes, ct_eq, scrub_stack};
use std::fmt;

/// 32 bytes in locked pages.
// INVARIANT: made by `generate` and `copy_of` only, both with `KEY_LEN` bytes.
struct Key(LockedBytes);

impl Key {
    fn generate() -> Result<Self, SealError> {
        let mut bytes = LockedBytes::zeroed(KEY_LEN)?;
        bytes.with_mut(random::fill)?;
        scrub_stack();
        Ok(Self(bytes))
    }

    fn copy_of(bytes: &[u8; KEY_LEN]) -> Result<Self, SealError> {
        Ok(Self(LockedBytes::copy_of(bytes)?))
    }

    #[expect(clippy::expect_used, reason = "by INVARIANT above")]
    fn expose<R>(&self, look: impl FnOnce(&[u8; KEY_LEN]) -> R) -> R {
        self.0.expose(|bytes| look(bytes.first_chunk().expect("a key has 32 bytes")))
    }

    fn ct_eq(&self, other: &Self) -> bool {
        self.0.expose(|own| other.0.expose(|other| ct_eq(own, other)))
    }
}

/// Seals the keyring. Lives as long as the server is unsealed.
pub struct RootKey(Key);

impl RootKey {
    /// # Errors
    /// No randomness, no memory.
    pub fn generate() -> Result<Self, SealError> {
        Key::generate().map(Self)
    }

    pub(crate) fn copy_of(bytes: &[u8; KEY_LEN]) -> Result<Self, SealError> {
        Key::copy_of(bytes).map(Self)
    }

    pub fn expose<R>(&self, look: impl FnOnce(&[u8; KEY_LEN]) -> R) -> R {
        self.0.expose(look)
    }

    /// Constant time.
    pub fn ct_eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0)
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RootKey")
    }
}

/// Seals the root key. Split into shares at birth, put together to unseal, then dropped.
pub struct UnsealKey(Key);

impl UnsealKey {
    /// # Errors
    /// No randomness, no memory.
    pub fn generate() -> Result<Self, SealError> {
        Key::generate().map(Self)
    }

    /// `None` if the bytes are not 32: then they cannot be the key.
    pub(crate) fn from_combined(bytes: &SecretBytes) -> Result<Option<Self>, std::io::Error> {
        bytes.expose(|bytes| match <&[u8; KEY_LEN]>::try_from(bytes) {
            Ok(bytes) => Ok(Some(Self(Key(LockedBytes::copy_of(bytes)?)))),
            Err(_) => Ok(None),
        })
    }

    /// The shares to hand out. With one share it is the key itself, 32 bytes; else each has 33.
    ///
    /// # Errors
    /// No randomness.
    pub fn split(&self, config: SealConfig) -> Result<Vec<Share>, SealError> {
        if config.shares() == 1 {
            return Ok(vec![Share::of(self.0.expose(|key| SecretBytes::copy_of(key)))]);
        }
        let shares = self.0.expose(|key| shamir::split(key, config.shares(), config.threshold()))?;
        scrub_stack();
        Ok(shares.into_iter().map(|share| Share::of(share.into_bytes())).collect())
    }

    pub fn expose<R>(&self, look: impl FnOnce(&[u8; KEY_LEN]) -> R) -> R {
        self.0.expose(look)
    }

    /// Constant time.
    pub fn ct_eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0)
    }
}

impl UnsealKey {
    /// A second copy in locked memory of its own.
    ///
    /// # Errors
    /// No memory.
    pub fn duplicate(&self) -> Result<Self, SealError> {
        self.0.expose(Key::copy_of).map(Self)
    }
}

impl fmt::Debug for UnsealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnsealKey")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn keys_are_random_and_compared_by_content() {
        let (one, other) = (RootKey::generate().unwrap(), RootKey::generate().unwrap());
        assert!(!one.ct_eq(&other));
        assert!(one.ct_eq(&one.expose(RootKey::copy_of).unwrap()));
        assert!(one.expose(|bytes| bytes != &[0; 32]));
        assert_eq!(format!("{one:?} {:?}", UnsealKey::generate().unwrap()), "RootKey UnsealKey");
    }

    #[test]
    fn one_share_is_the_key_and_several_carry_a_coordinate() {
        let key = UnsealKey::generate().unwrap();
        let single = key.split(SealConfig::new(1, 1).unwrap()).unwrap();
        assert!(single.len() == 1 && single[0].expose(|share| key.expose(|key| share == key)));
        let several = key.split(SealConfig::new(5, 3).unwrap()).unwrap();
        assert_eq!(several.iter().map(Share::len).collect::<Vec<_>>(), [33; 5]);
    }

    #[test]
    fn only_32_bytes_can_be_a_key() {
        for (length, fits) in [(31, false), (32, true), (33, false)] {
            assert_eq!(UnsealKey::from_combined(&SecretBytes::zeroed(length)).unwrap().is_some(), fits);
        }
    }
}
