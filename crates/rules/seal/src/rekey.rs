//! New shares for the same root key: the old ones authorise, the new ones may have to be presented before they count.
//!
//! ```text
//! start --add--> enough old shares --(caller tries the key)--> finish --> InForce
//!                                                                     \-> Verify --verify--> Verified
//! ```

use crate::config::SealConfig;
use crate::error::SealError;
use crate::keys::UnsealKey;
use crate::round::{Purpose, RoundError, RoundProgress, ShareRound};
use crate::share::Share;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    /// The new shares come into force after they have been presented.
    Required,
    /// At once.
    No,
}

/// A rekey in progress.
#[derive(Debug)]
pub struct Rekey {
    target: SealConfig,
    verification: Verification,
    round: ShareRound,
    pending: Option<Pending>,
}

/// New shares are out, but the old ones are still in force.
#[derive(Debug)]
struct Pending {
    key: UnsealKey,
    round: ShareRound,
}

#[derive(Debug)]
pub enum Finished {
    /// Seal the root key under this key and store it with this configuration, in one batch.
    InForce(UnsealKey, SealConfig),
    /// Keep going: the new shares have to be presented.
    Verify(Rekey),
}

#[derive(Debug)]
pub enum Verified {
    More,
    /// As for [`Finished::InForce`]; the rekey is over.
    InForce(UnsealKey, SealConfig),
}

impl Rekey {
    /// `purpose` is [`Purpose::Rekey`] or [`Purpose::Rotation`]; `current` is in force, `target` shall be; `nonce` a fresh UUID.
    pub fn start(
        purpose: Purpose,
        current: SealConfig,
        target: SealConfig,
        verification: Verification,
        nonce: String,
    ) -> Self {
        Self { target, verification, round: ShareRound::new(purpose, current.threshold(), nonce), pending: None }
    }

    /// See [`ShareRound::duplicate`].
    ///
    /// # Errors
    /// No locked memory for the new key.
    pub fn duplicate(&self) -> Result<Self, SealError> {
        let pending = match &self.pending {
            Some(pending) => Some(Pending { key: pending.key.duplicate()?, round: pending.round.duplicate() }),
            None => None,
        };
        Ok(Self { target: self.target, verification: self.verification, round: self.round.duplicate(), pending })
    }

    pub fn target(&self) -> SealConfig {
        self.target
    }

    pub fn verification(&self) -> Verification {
        self.verification
    }

    /// Nonce, progress and requirement of the old shares.
    pub fn round(&self) -> &ShareRound {
        &self.round
    }

    /// The same of the new shares, once they are out; `required` is the new threshold.
    pub fn verification_round(&self) -> Option<&ShareRound> {
        self.pending.as_ref().map(|pending| &pending.round)
    }

    /// Adds an old share. When done the caller tries the key on the sealed root key: if it opens, [`Rekey::finish`]; if not,
    /// the round is empty and goes on.
    ///
    /// # Errors
    /// See [`ShareRound::add`]; the new shares are out already.
    pub fn add(&mut self, nonce: &str, share: Share) -> Result<RoundProgress, RoundError> {
        if let Some(pending) = &self.pending {
            return Err(RoundError::VerificationDue { nonce: pending.round.nonce().to_owned() });
        }
        self.round.add(nonce, share)
    }

    /// Makes the new shares. `new` is a fresh key, `verification_nonce` a fresh UUID.
    ///
    /// # Errors
    /// No randomness: the rekey is over, the old shares stay in force.
    pub fn finish(mut self, new: UnsealKey, verification_nonce: String) -> Result<(Vec<Share>, Finished), SealError> {
        let shares = new.split(self.target)?;
        let finished = match self.verification {
            Verification::No => Finished::InForce(new, self.target),
            Verification::Required => {
                let round = ShareRound::new(Purpose::Verification, self.target.threshold(), verification_nonce);
                self.pending = Some(Pending { key: new, round });
                Finished::Verify(self)
            }
        };
        Ok((shares, finished))
    }

    /// Adds a new share, presented again.
    ///
    /// # Errors
    /// See [`ShareRound::add`]; no verification is due; enough shares, but not the new ones: the verification is empty.
    pub fn verify(&mut self, nonce: &str, share: Share) -> Result<Verified, RoundError> {
        let purpose = self.round.purpose();
        let Some(mut pending) = self.pending.take() else { return Err(RoundError::NothingToVerify { purpose }) };
        let outcome = match pending.round.add(nonce, share) {
            Ok(RoundProgress::Done(key)) if key.ct_eq(&pending.key) => {
                return Ok(Verified::InForce(pending.key, self.target));
            }
            Ok(RoundProgress::Done(_)) | Err(RoundError::WrongKey | RoundError::Combine(_)) => {
                Err(RoundError::VerificationFailed)
            }
            Ok(RoundProgress::More) => Ok(Verified::More),
            Err(other) => Err(other),
        };
        self.pending = Some(pending);
        outcome
    }

    /// Starts the presentation of the new shares over under another nonce.
    ///
    /// # Errors
    /// No verification is due.
    pub fn restart_verification(&mut self, nonce: String) -> Result<(), RoundError> {
        let purpose = self.round.purpose();
        self.pending.as_mut().ok_or(RoundError::NothingToVerify { purpose })?.round.restart(nonce);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;

    fn config(shares: i64, threshold: i64) -> SealConfig {
        SealConfig::new(shares, threshold).unwrap()
    }

    fn again(share: &Share) -> Share {
        Share::parse(share.to_hex().dangerous_expose()).unwrap()
    }

    fn rekey(verification: Verification) -> (Rekey, Vec<Share>, UnsealKey) {
        let (old, key) = (config(3, 2), UnsealKey::generate().unwrap());
        let shares = key.split(old).unwrap();
        let rekey = Rekey::start(Purpose::Rekey, old, config(2, 2), verification, "n".into());
        (rekey, shares, key)
    }

    #[test]
    fn old_shares_authorise_new_ones() {
        let (mut rekey, old, key) = rekey(Verification::No);
        assert!(matches!(rekey.verify("v", again(&old[0])), Err(RoundError::NothingToVerify { .. })));
        assert!(matches!(rekey.add("n", again(&old[0])), Ok(RoundProgress::More)));
        assert_eq!((rekey.round().progress(), rekey.round().required()), (1, 2));
        let Ok(RoundProgress::Done(found)) = rekey.add("n", again(&old[2])) else { panic!() };
        assert!(found.ct_eq(&key));
        let (shares, Finished::InForce(new, target)) =
            rekey.finish(UnsealKey::generate().unwrap(), "v".into()).unwrap()
        else {
            panic!()
        };
        assert_eq!((shares.len(), target), (2, config(2, 2)));
        assert!(!new.ct_eq(&key));
    }

    #[test]
    fn new_shares_count_only_after_they_were_presented() {
        let (rekey, old, _) = rekey(Verification::Required);
        let (new, Finished::Verify(mut rekey)) = rekey.finish(UnsealKey::generate().unwrap(), "v".into()).unwrap()
        else {
            panic!()
        };
        assert!(matches!(rekey.add("n", again(&old[0])), Err(RoundError::VerificationDue { nonce }) if nonce == "v"));
        assert_eq!(
            rekey.verify("bad", again(&new[0])).unwrap_err().to_string(),
            "incorrect nonce supplied; nonce for this verify operation is \"v\""
        );
        assert!(matches!(rekey.verify("v", again(&new[0])), Ok(Verified::More)));
        rekey.restart_verification("v2".into()).unwrap();
        assert_eq!(rekey.verification_round().unwrap().progress(), 0);
        assert!(matches!(rekey.verify("v", again(&new[0])), Err(RoundError::WrongNonce { .. })));
        assert!(matches!(rekey.verify("v2", again(&new[0])), Ok(Verified::More)));
        assert!(matches!(rekey.verify("v2", again(&old[0])), Err(RoundError::VerificationFailed)));
        assert_eq!(rekey.verification_round().unwrap().progress(), 0);
        assert!(matches!(rekey.verify("v2", again(&new[1])), Ok(Verified::More)));
        let Ok(Verified::InForce(_, target)) = rekey.verify("v2", again(&new[0])) else { panic!() };
        assert_eq!(target, config(2, 2));
        assert!(rekey.verification_round().is_none());
    }

    #[test]
    fn a_copy_goes_its_own_way() {
        let (rekey, old, _) = rekey(Verification::Required);
        let mut copy = rekey.duplicate().unwrap();
        assert!(matches!(copy.add("n", again(&old[0])), Ok(RoundProgress::More)));
        assert_eq!((rekey.round().progress(), copy.round().progress()), (0, 1));
        let (new, Finished::Verify(rekey)) = copy.finish(UnsealKey::generate().unwrap(), "v".into()).unwrap() else {
            panic!()
        };
        let mut copy = rekey.duplicate().unwrap();
        assert!(matches!(copy.verify("v", again(&new[0])), Ok(Verified::More)));
        assert_eq!(rekey.verification_round().unwrap().progress(), 0);
        assert!(matches!(copy.verify("v", again(&new[1])), Ok(Verified::InForce(..))));
    }

    #[test]
    fn texts_depend_on_the_route() {
        let refusal = |purpose| {
            let mut rekey = Rekey::start(purpose, config(1, 1), config(1, 1), Verification::No, "n".into());
            rekey.restart_verification("v".into()).unwrap_err().to_string()
        };
        assert_eq!(refusal(Purpose::Rekey), "no rekey configuration found");
        assert_eq!(refusal(Purpose::Rotation), "no rotation configuration found");
    }
}
