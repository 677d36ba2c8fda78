//! Unsealing: shares come in one by one until they give the unseal key.

use crate::config::SealConfig;
use crate::error::WRONG_KEY;
use crate::keys::UnsealKey;
use crate::round::{Added, NoKey, ShareSet};
use crate::share::Share;
use bulla_crypto::shamir::ShamirError;

/// An attempt in progress. Dropping it is the reset: the shares are erased.
///
/// After a rekey whose new shares nobody has proved to have, either the new or the former shares may come: the smaller of
/// the two thresholds is a first try, the larger one the end.
#[derive(Debug)]
pub struct Unsealing {
    config: SealConfig,
    nonce: String,
    /// The smaller threshold, if there are two.
    first_try: Option<u8>,
    set: ShareSet,
}

#[derive(Debug)]
pub enum Progress {
    More(Unsealing),
    /// The share was there already and does not count again.
    Repeated(Unsealing),
    /// Enough shares by the smaller threshold. A key that opens nothing is no failure: the attempt goes on.
    Perhaps(UnsealKey, Unsealing),
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
        Self { config, nonce, first_try: None, set: ShareSet::new(config.threshold()) }
    }

    /// As [`Unsealing::new`], where the shares of `former` unseal as well as those of `config`.
    pub fn of_either(config: SealConfig, former: SealConfig, nonce: String) -> Self {
        let (one, other) = (config.threshold(), former.threshold());
        let first_try = (one != other).then(|| one.min(other));
        Self { config, nonce, first_try, set: ShareSet::new(one.max(other)) }
    }

    pub fn config(&self) -> SealConfig {
        self.config
    }

    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    /// Distinct shares so far; always below the larger threshold.
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
            Added::New if self.first_try == Some(self.set.progress()) => self.try_first(),
            Added::New => Ok(Progress::More(self)),
        }
    }

    fn try_first(self) -> Result<Progress, UnsealFailed> {
        match self.set.key_so_far() {
            Ok(key) => Ok(Progress::Perhaps(key, self)),
            Err(NoKey::Memory(cause)) => Err(UnsealFailed::Memory(cause)),
            // Shares that do not go together now are too few of the others.
            Err(NoKey::Combine(_) | NoKey::WrongKey) => Ok(Progress::More(self)),
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
                Ok(Progress::Perhaps(..)) => panic!("there is one threshold"),
                Ok(Progress::Done(key)) => return Ok(key),
                Err(_) => return Err(u8::MAX),
            };
        }
        Err(state.progress())
    }

    /// All shares one after the other, the key tried on `sealed` whenever there is one; after how many it opened.
    fn opens(mut state: Unsealing, shares: &[Share], sealed: &[u8]) -> Option<usize> {
        for (count, share) in shares.iter().enumerate() {
            let (key, next) = match state.add(again(share)).ok()? {
                Progress::More(next) | Progress::Repeated(next) => (None, Some(next)),
                Progress::Perhaps(key, next) => (Some(key), Some(next)),
                Progress::Done(key) => (Some(key), None),
            };
            if key.is_some_and(|key| open_root_key(&key, sealed).is_ok()) {
                return Some(count + 1);
            }
            state = next?;
        }
        None
    }

    /// Every pair of small configurations, the smaller threshold now on this side, now on that.
    #[test]
    fn shares_of_either_configuration_unseal_at_their_own_threshold() {
        let configs = [(1, 1), (2, 2), (3, 2), (3, 3), (5, 4), (7, 7)];
        let root = RootKey::generate().unwrap();
        for (current, former) in configs.iter().flat_map(|one| configs.iter().map(move |other| (*one, *other))) {
            let make = |(shares, threshold)| {
                let config = SealConfig::new(shares, threshold).unwrap();
                let key = UnsealKey::generate().unwrap();
                (config, key.split(config).unwrap(), seal_root_key(&key, &root).unwrap())
            };
            let (new, old) = (make(current), make(former));
            let both = || Unsealing::of_either(new.0, old.0, "n".into());
            for (config, shares, sealed) in [&new, &old] {
                let expected = Some(usize::from(config.threshold()));
                assert_eq!(opens(both(), shares, sealed), expected, "{current:?} {former:?}");
                let mut last_ones = shares.iter().rev().map(again).collect::<Vec<_>>();
                assert_eq!(opens(both(), &last_ones, sealed), expected, "{current:?} {former:?}");
                last_ones.truncate(usize::from(config.threshold()) - 1);
                assert_eq!(opens(both(), &last_ones, sealed), None, "{current:?} {former:?}");
            }
            let strange = make((9, 9));
            assert_eq!(opens(both(), &strange.1, &new.2), None);
        }
    }

    #[test]
    fn an_attempt_of_either_ends_with_the_larger_threshold() {
        let (small, large) = (SealConfig::new(3, 2).unwrap(), SealConfig::new(5, 4).unwrap());
        let shares = UnsealKey::generate().unwrap().split(large).unwrap();
        for mut state in
            [Unsealing::of_either(small, large, "n".into()), Unsealing::of_either(large, small, "n".into())]
        {
            for (count, share) in shares[..3].iter().enumerate() {
                state = match state.add(again(share)).unwrap() {
                    Progress::More(next) if count != 1 => next,
                    Progress::Perhaps(_, next) if count == 1 => next,
                    other => panic!("{count}: {other:?}"),
                };
                assert_eq!(usize::from(state.progress()), count + 1);
            }
            assert!(matches!(state.add(again(&shares[3])), Ok(Progress::Done(_))));
        }
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
