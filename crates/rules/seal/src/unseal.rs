//! Unsealing: shares come in one by one until they give the unseal key.

use crate::config::SealConfig;
use crate::error::WRONG_KEY;
use crate::keys::UnsealKey;
use crate::round::{Added, NoKey, ShareSet};
use crate::share::Share;
use bulla_crypto::shamir::ShamirError;

/// An attempt in progress. Dropping it is the reset: the shares are erased.
#[derive(Debug)]
pub struct Unsealing {
    config: SealConfig,
    nonce: String,
    set: ShareSet,
}

#[derive(Debug)]
pub enum Progress {
    More(Unsealing),
    /// The share was there already and does not count again.
    Repeated(Unsealing),
    /// Enough shares; only `open_root_key` tells whether they were the right ones.
    Done(UnsealKey),
}

/// The attempt is over, its shares are erased. Texts are the API's.
#[derive(Debug, thiserror::Error)]
pub enum UnsealFailed {
    #[error("failed to compute combined key: {0}")]
    Combine(ShamirError),
    #[error("{WRONG_KEY}")]
    WrongKey,
    #[error("no memory could be had for a key")]
    Memory(#[source] std::io::Error),
}

impl Unsealing {
    /// `nonce` is a fresh UUID that tells this attempt from others.
    pub fn new(config: SealConfig, nonce: String) -> Self {
        Self { config, nonce, set: ShareSet::new(config.threshold()) }
    }

    pub fn config(&self) -> SealConfig {
        self.config
    }

    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    /// Distinct shares so far; always below the threshold.
    pub fn progress(&self) -> u8 {
        self.set.progress()
    }

    /// # Errors
    /// Enough shares, but they give no key: the attempt is over.
    #[expect(clippy::should_implement_trait, reason = "one adds a share, not a number; `ShareRound` has the same word")]
    pub fn add(mut self, share: Share) -> Result<Progress, UnsealFailed> {
        match self.set.add(share) {
            Added::Repeated => Ok(Progress::Repeated(self)),
            Added::New if self.set.is_complete() => Ok(Progress::Done(self.set.take_key()?)),
            Added::New => Ok(Progress::More(self)),
        }
    }
}

impl From<NoKey> for UnsealFailed {
    fn from(cause: NoKey) -> Self {
        match cause {
            NoKey::Combine(cause) => Self::Combine(cause),
            NoKey::WrongKey => Self::WrongKey,
            NoKey::Memory(cause) => Self::Memory(cause),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;
    use crate::error::SealError;
    use crate::frame::{open_root_key, seal_root_key};
    use crate::keys::RootKey;
    use bulla_secret::SecretBytes;
    use proptest::prelude::*;

    fn again(share: &Share) -> Share {
        Share::of(share.expose(SecretBytes::copy_of))
    }

    /// All shares one after the other; the key, or how far it came.
    fn unseal<'a>(config: SealConfig, shares: impl IntoIterator<Item = &'a Share>) -> Result<UnsealKey, u8> {
        let mut state = Unsealing::new(config, "nonce".into());
        for share in shares {
            state = match state.add(again(share)) {
                Ok(Progress::More(next) | Progress::Repeated(next)) => next,
                Ok(Progress::Done(key)) => return Ok(key),
                Err(_) => return Err(u8::MAX),
            };
        }
        Err(state.progress())
    }

    #[test]
    fn a_repeated_share_does_not_count() {
        let config = SealConfig::new(5, 3).unwrap();
        let key = UnsealKey::generate().unwrap();
        let shares = key.split(config).unwrap();
        let Ok(Progress::More(state)) = Unsealing::new(config, "n".into()).add(again(&shares[0])) else { panic!() };
        let Ok(Progress::Repeated(state)) = state.add(again(&shares[0])) else { panic!() };
        assert_eq!((state.progress(), state.nonce(), state.config()), (1, "n", config));
        let Ok(Progress::More(state)) = state.add(again(&shares[4])) else { panic!() };
        assert_eq!(state.progress(), 2);
        let Ok(Progress::Done(found)) = state.add(again(&shares[2])) else { panic!() };
        assert!(found.ct_eq(&key));
    }

    #[test]
    fn one_share_is_enough_where_there_is_one() {
        let config = SealConfig::new(1, 1).unwrap();
        let key = UnsealKey::generate().unwrap();
        assert!(unseal(config, &key.split(config).unwrap()).unwrap().ct_eq(&key));
        let long = Share::of(SecretBytes::zeroed(33));
        let refusal = Unsealing::new(config, "n".into()).add(long).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "unable to retrieve stored keys: invalid key: failed to decrypt keys from storage: cipher: message \
             authentication failed"
        );
    }

    #[test]
    fn shares_that_cannot_be_combined_end_the_attempt() {
        let config = SealConfig::new(3, 2).unwrap();
        let shares = UnsealKey::generate().unwrap().split(config).unwrap();
        let mut same_coordinate = again(&shares[0]).into_bytes();
        same_coordinate.with_mut(|bytes| bytes[0] ^= 1);
        assert_eq!(unseal(config, [&shares[0], &Share::of(same_coordinate)]).err(), Some(u8::MAX));
        let shorter = Share::of(shares[1].expose(|bytes| SecretBytes::copy_of(&bytes[1..])));
        assert_eq!(unseal(config, [&shares[0], &shorter]).err(), Some(u8::MAX));
    }

    #[test]
    fn debug_shows_no_share() {
        let config = SealConfig::new(3, 2).unwrap();
        let shares = UnsealKey::generate().unwrap().split(config).unwrap();
        let Ok(Progress::More(state)) = Unsealing::new(config, "n".into()).add(again(&shares[0])) else { panic!() };
        assert!(format!("{state:?}").contains("[Share(33 bytes)]"), "{state:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn right_shares_unseal_and_fewer_do_not(
            (shares, threshold) in (2i64..=255).prop_flat_map(|n| (Just(n), 2..=n)),
            start in any::<prop::sample::Index>(),
        ) {
            let config = SealConfig::new(shares, threshold).unwrap();
            let key = UnsealKey::generate().unwrap();
            let mut all = key.split(config).unwrap();
            let start = start.index(all.len());
            all.rotate_left(start);
            let enough = usize::from(config.threshold());
            prop_assert!(unseal(config, &all[..enough]).unwrap().ct_eq(&key));
            prop_assert_eq!(unseal(config, &all[..enough - 1]).err(), Some(config.threshold() - 1));
        }

        /// Shares may be wrong in any way; what they give then never opens the root key.
        #[test]
        fn wrong_shares_never_open_the_root_key(
            threshold in 2i64..12, wrong in any::<prop::sample::Index>(), noise in proptest::collection::vec(any::<u8>(), 32),
        ) {
            let config = SealConfig::new(12, threshold).unwrap();
            let (key, root) = (UnsealKey::generate().unwrap(), RootKey::generate().unwrap());
            let sealed = seal_root_key(&key, &root).unwrap();
            let mut shares = key.split(config).unwrap();
            shares.truncate(usize::from(config.threshold()));
            let at = wrong.index(shares.len());
            let mut forged = again(&shares[at]).into_bytes();
            forged.with_mut(|bytes| bytes.iter_mut().zip(&noise).for_each(|(byte, noise)| *byte ^= noise));
            shares[at] = Share::of(forged);
            let unchanged = noise.iter().all(|byte| *byte == 0);
            let opened = open_root_key(&unseal(config, &shares).unwrap(), &sealed);
            prop_assert!(unchanged || matches!(opened, Err(SealError::DoesNotOpen)));
        }
    }
}
