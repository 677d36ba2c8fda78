//! Who may cancel an operation on shares. Without a rule anybody who reaches the route stops every rekey there is, again
//! and again, and the old shares stay in force for ever (CVE-2025-4656).
//!
//! Not here: how it is told who asks (`core`), whether the route is open at all.

use crate::round::ShareRound;
use bulla_secret::ct_eq;
use bulla_types::{Seconds, Time};

/// How long an operation is protected after its start. Later it counts as forgotten, and may be cleared away without
/// the nonce that nobody has any more.
pub const PROTECTED_FOR: Seconds = Seconds(600);

/// Who asks, seen from the operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// Whoever started it.
    Initiator,
    Other,
}

/// None of these tells the nonce: a refusal that did would be the way around itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CancelRefused {
    #[error("incorrect nonce supplied; nothing has been cancelled")]
    WrongNonce,
    #[error("the operation in progress is younger than {} minutes; its nonce is needed to cancel it", PROTECTED_FOR.0 / 60)]
    NonceNeeded,
}

impl ShareRound {
    /// Whether the operation that began at `since` may be cancelled `now`; `nonce` is empty if none was given.
    ///
    /// # Errors
    /// Another nonce than this round's, whatever the age; no nonce, by somebody else than the initiator, too early.
    pub fn check_cancel(&self, nonce: &str, asker: Asker, since: Time, now: Time) -> Result<(), CancelRefused> {
        if !nonce.is_empty() {
            let fits = ct_eq(nonce.as_bytes(), self.nonce().as_bytes());
            return if fits { Ok(()) } else { Err(CancelRefused::WrongNonce) };
        }
        // A clock that was set back leaves the operation protected.
        let forgotten = now >= since.plus(PROTECTED_FOR);
        if asker == Asker::Initiator || forgotten { Ok(()) } else { Err(CancelRefused::NonceNeeded) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::round::Purpose;

    fn check(nonce: &str, asker: Asker, age: u64) -> Result<(), CancelRefused> {
        let since = Time::from_unix(1_000_000);
        let round = ShareRound::new(Purpose::Rekey, 2, "right".into());
        round.check_cancel(nonce, asker, since, since.plus(Seconds(age)))
    }

    #[test]
    fn the_nonce_cancels_at_any_age_and_a_wrong_one_never() {
        for age in [0, 599, 600, 1_000_000] {
            for asker in [Asker::Initiator, Asker::Other] {
                assert_eq!(check("right", asker, age), Ok(()));
                for wrong in ["wrong", "righ", "rightt", " "] {
                    assert_eq!(check(wrong, asker, age), Err(CancelRefused::WrongNonce));
                }
            }
        }
    }

    #[test]
    fn without_a_nonce_others_wait_ten_minutes() {
        for (age, result) in
            [(0, Err(CancelRefused::NonceNeeded)), (599, Err(CancelRefused::NonceNeeded)), (600, Ok(()))]
        {
            assert_eq!(check("", Asker::Other, age), result, "{age} s");
            assert_eq!(check("", Asker::Initiator, age), Ok(()));
        }
    }

    #[test]
    fn a_clock_that_was_set_back_opens_nothing() {
        let round = ShareRound::new(Purpose::Rekey, 2, "right".into());
        let (since, before) = (Time::from_unix(1_000_000), Time::from_unix(1));
        assert_eq!(round.check_cancel("", Asker::Other, since, before), Err(CancelRefused::NonceNeeded));
    }

    #[test]
    fn refusals_do_not_tell_the_nonce() {
        for refusal in [CancelRefused::WrongNonce, CancelRefused::NonceNeeded] {
            assert!(!refusal.to_string().contains("right"));
        }
        assert!(CancelRefused::NonceNeeded.to_string().contains("10 minutes"));
    }
}
