//! Collecting shares until there are enough: the bare set, and the round that rekey and root generation share.

use crate::error::WRONG_KEY;
use crate::keys::UnsealKey;
use crate::share::Share;
use bulla_crypto::shamir::{self, ShamirError};
use bulla_secret::{ct_eq, scrub_stack};
use std::fmt;

/// Shares so far. Dropping erases them.
#[derive(Debug)]
pub(crate) struct ShareSet {
    required: u8,
    shares: Vec<Share>,
}

pub(crate) enum Added {
    New,
    Repeated,
}

/// Why enough shares gave no key.
#[derive(Debug)]
pub(crate) enum NoKey {
    Combine(ShamirError),
    WrongKey,
    Memory(std::io::Error),
}

impl ShareSet {
    pub(crate) fn new(required: u8) -> Self {
        Self { required, shares: Vec::with_capacity(usize::from(required)) }
    }

    pub(crate) fn required(&self) -> u8 {
        self.required
    }

    pub(crate) fn progress(&self) -> u8 {
        u8::try_from(self.shares.len()).unwrap_or(u8::MAX)
    }

    pub(crate) fn add(&mut self, share: Share) -> Added {
        // Looks at all of them: time does not tell which one it was.
        if self.shares.iter().fold(false, |found, held| found | held.ct_eq(&share)) {
            return Added::Repeated;
        }
        self.shares.push(share);
        Added::New
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.shares.len() >= usize::from(self.required)
    }

    pub(crate) fn duplicate(&self) -> Self {
        Self { required: self.required, shares: self.shares.iter().map(Share::duplicate).collect() }
    }

    pub(crate) fn clear(&mut self) {
        self.shares.clear();
    }

    /// The key that the shares so far give, whatever number is required.
    pub(crate) fn key_so_far(&self) -> Result<UnsealKey, NoKey> {
        let key = key_of(self.duplicate().shares, self.progress());
        scrub_stack();
        key
    }

    /// Puts the key together; the shares are gone, whatever comes of it.
    pub(crate) fn take_key(&mut self) -> Result<UnsealKey, NoKey> {
        let shares = std::mem::take(&mut self.shares);
        let key = key_of(shares, self.required);
        scrub_stack();
        key
    }
}

fn key_of(mut shares: Vec<Share>, required: u8) -> Result<UnsealKey, NoKey> {
    let combined = match (required, shares.len()) {
        // A single share is the key itself.
        (1, 1) => shares.pop().map(Share::into_bytes).ok_or(NoKey::WrongKey)?,
        _ => {
            let shares: Vec<_> = shares.into_iter().map(Share::into_shamir).collect();
            shamir::combine(&shares).map_err(NoKey::Combine)?
        }
    };
    UnsealKey::from_combined(&combined).map_err(NoKey::Memory)?.ok_or(NoKey::WrongKey)
}

/// What a round is for; decides the words of its refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// `sys/rekey/*`
    Rekey,
    /// `sys/rotate/root/*`
    Rotation,
    /// Presenting the new shares of either.
    Verification,
    /// `sys/generate-root/*`, `sys/generate-root-token/*`
    RootGeneration,
}

impl Purpose {
    /// Refusal of a second start.
    pub const fn already_in_progress(self) -> &'static str {
        match self {
            Self::Rekey | Self::Verification => "rekey already in progress",
            Self::Rotation => "rotation already in progress",
            Self::RootGeneration => "root generation already in progress for this namespace",
        }
    }

    /// Refusal of a share while no round runs.
    pub const fn none_in_progress(self) -> &'static str {
        match self {
            Self::Rekey | Self::Verification => "no barrier rekey in progress",
            Self::Rotation => "no rotation in progress",
            Self::RootGeneration => "no root generation in progress",
        }
    }

    /// Refusal to show the state of a verification while none is due.
    pub const fn no_configuration(self) -> &'static str {
        match self {
            Self::Rotation => "no rotation configuration found",
            Self::Rekey | Self::Verification | Self::RootGeneration => "no rekey configuration found",
        }
    }

    const fn operation(self) -> &'static str {
        match self {
            Self::Rekey => "this rekey operation",
            Self::Rotation => "rotation",
            Self::Verification => "this verify operation",
            Self::RootGeneration => "this root generation operation",
        }
    }
}

/// Texts are the API's where the reference has one.
#[derive(Debug, thiserror::Error)]
pub enum RoundError {
    #[error("incorrect nonce supplied; nonce for {} is \"{nonce}\"", purpose.operation())]
    WrongNonce { purpose: Purpose, nonce: String },
    #[error("given key has already been provided during this generation operation")]
    AlreadyProvided,
    #[error(
        "rekey operation already finished; verification must be performed; nonce for the verification operation is \"{nonce}\""
    )]
    VerificationDue { nonce: String },
    #[error("{}", purpose.no_configuration())]
    NothingToVerify { purpose: Purpose },
    /// The shares presented again are not the new ones.
    #[error("rekey verification failed; incorrect key shares supplied")]
    VerificationFailed,
    #[error("failed to compute combined key: {0}")]
    Combine(ShamirError),
    #[error("{WRONG_KEY}")]
    WrongKey,
    #[error("no memory could be had for a key")]
    Memory(#[source] std::io::Error),
}

impl From<NoKey> for RoundError {
    fn from(cause: NoKey) -> Self {
        match cause {
            NoKey::Combine(cause) => Self::Combine(cause),
            NoKey::WrongKey => Self::WrongKey,
            NoKey::Memory(cause) => Self::Memory(cause),
        }
    }
}

/// A named round: each share comes with the nonce of the round, so that shares meant for one operation never feed another.
///
/// Unlike unsealing it outlives its failures: a wrong nonce or a repeated share changes nothing, and shares that give no key
/// leave an empty round with the same nonce. Hence `&mut self`.
#[derive(Debug)]
pub struct ShareRound {
    purpose: Purpose,
    nonce: String,
    set: ShareSet,
}

pub enum RoundProgress {
    More,
    /// Enough shares. The round is empty again; whether the key is the right one is for the caller to try.
    Done(UnsealKey),
}

impl ShareRound {
    /// `required` is the threshold in force, `nonce` a fresh UUID.
    pub fn new(purpose: Purpose, required: u8, nonce: String) -> Self {
        Self { purpose, nonce, set: ShareSet::new(required) }
    }

    pub fn purpose(&self) -> Purpose {
        self.purpose
    }

    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    pub fn progress(&self) -> u8 {
        self.set.progress()
    }

    pub fn required(&self) -> u8 {
        self.set.required()
    }

    /// # Errors
    /// Wrong nonce or repeated share: nothing has changed. Anything else: the round is empty.
    pub fn add(&mut self, nonce: &str, share: Share) -> Result<RoundProgress, RoundError> {
        self.check_nonce(nonce)?;
        match self.set.add(share) {
            Added::Repeated => Err(RoundError::AlreadyProvided),
            Added::New if self.set.is_complete() => Ok(RoundProgress::Done(self.set.take_key()?)),
            Added::New => Ok(RoundProgress::More),
        }
    }

    /// A second copy of the state: a caller that may have to take a step back tries it on the copy.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self { purpose: self.purpose, nonce: self.nonce.clone(), set: self.set.duplicate() }
    }

    /// Refuses a nonce that is not this round's.
    ///
    /// # Errors
    /// [`RoundError::WrongNonce`].
    pub fn check_nonce(&self, nonce: &str) -> Result<(), RoundError> {
        if ct_eq(nonce.as_bytes(), self.nonce.as_bytes()) {
            return Ok(());
        }
        Err(RoundError::WrongNonce { purpose: self.purpose, nonce: self.nonce.clone() })
    }

    /// Erases the shares and goes on under another nonce.
    pub fn restart(&mut self, nonce: String) {
        self.set.clear();
        self.nonce = nonce;
    }
}

impl fmt::Debug for RoundProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::More => "More",
            Self::Done(_) => "Done",
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::config::SealConfig;
    use bulla_secret::SecretBytes;

    fn again(share: &Share) -> Share {
        Share::of(share.expose(SecretBytes::copy_of))
    }

    fn setting() -> (UnsealKey, Vec<Share>) {
        let key = UnsealKey::generate().unwrap();
        let shares = key.split(SealConfig::new(3, 2).unwrap()).unwrap();
        (key, shares)
    }

    #[test]
    fn a_round_counts_distinct_shares_and_gives_the_key() {
        let (key, shares) = setting();
        let mut round = ShareRound::new(Purpose::RootGeneration, 2, "n".into());
        assert!(matches!(round.add("n", again(&shares[0])), Ok(RoundProgress::More)));
        assert!(matches!(round.add("n", again(&shares[0])), Err(RoundError::AlreadyProvided)));
        assert_eq!((round.progress(), round.required()), (1, 2));
        let Ok(RoundProgress::Done(found)) = round.add("n", again(&shares[2])) else { unreachable!() };
        assert!(found.ct_eq(&key));
        assert_eq!(round.progress(), 0);
    }

    /// Shares of one operation sent on to the next were the oldest hole of this kind of interface.
    #[test]
    fn shares_for_another_nonce_never_count() {
        let (_, shares) = setting();
        for (purpose, words) in [
            (Purpose::Rekey, "this rekey operation"),
            (Purpose::Rotation, "rotation"),
            (Purpose::Verification, "this verify operation"),
            (Purpose::RootGeneration, "this root generation operation"),
        ] {
            let mut round = ShareRound::new(purpose, 2, "right".into());
            for wrong in ["", "righ", "rightt", "wrong"] {
                let refusal = round.add(wrong, again(&shares[0])).unwrap_err();
                assert_eq!(refusal.to_string(), format!("incorrect nonce supplied; nonce for {words} is \"right\""));
            }
            assert_eq!(round.progress(), 0);
            round.add("right", again(&shares[0])).unwrap();
            round.restart("next".into());
            assert_eq!((round.progress(), round.nonce()), (0, "next"));
            assert!(round.add("right", again(&shares[0])).is_err());
        }
    }

    #[test]
    fn shares_that_do_not_fit_empty_the_round_but_do_not_end_it() {
        let (_, shares) = setting();
        let mut round = ShareRound::new(Purpose::RootGeneration, 2, "n".into());
        round.add("n", again(&shares[0])).unwrap();
        let shorter = Share::of(shares[1].expose(|bytes| SecretBytes::copy_of(&bytes[1..])));
        assert!(matches!(round.add("n", shorter), Err(RoundError::Combine(ShamirError::UnequalLengths))));
        assert_eq!((round.progress(), round.nonce()), (0, "n"));
        let mut single = ShareRound::new(Purpose::RootGeneration, 1, "n".into());
        assert!(matches!(single.add("n", again(&shares[0])), Err(RoundError::WrongKey)), "33 bytes are no key");
        assert_eq!(single.progress(), 0);
    }
}
