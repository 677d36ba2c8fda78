//! How many shares there are and how many are needed.

use serde::{Deserialize, Serialize};

/// Numbers that make sense: 1 of 1, or 2 to 255 shares with a threshold from 2 to their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealConfig {
    shares: u8,
    threshold: u8,
}

/// Texts are the API's, without the prefix `invalid seal configuration: ` (initialisation) or `invalid rekey seal
/// configuration: `, which depends on who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealConfigError {
    #[error("shares must be at least one")]
    NoShares,
    #[error("threshold must be at least one")]
    NoThreshold,
    #[error("threshold must be greater than one for multiple shares")]
    ThresholdOfOne,
    #[error("shares must be less than 256")]
    TooManyShares,
    #[error("threshold cannot be larger than shares")]
    ThresholdAboveShares,
    #[error("count mismatch between number of provided PGP keys and number of shares")]
    PgpKeyCount,
    /// A stored configuration that is none.
    #[error("the stored seal configuration cannot be read")]
    Damaged,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u8,
    shares: i64,
    threshold: i64,
}

impl SealConfig {
    /// The numbers as the API takes them, checked in the order in which clients see the refusals.
    ///
    /// # Errors
    /// Numbers that make no sense together.
    pub fn new(shares: i64, threshold: i64) -> Result<Self, SealConfigError> {
        if shares < 1 {
            return Err(SealConfigError::NoShares);
        }
        if threshold < 1 {
            return Err(SealConfigError::NoThreshold);
        }
        if shares > 1 && threshold == 1 {
            return Err(SealConfigError::ThresholdOfOne);
        }
        let shares = u8::try_from(shares).map_err(|_| SealConfigError::TooManyShares)?;
        let threshold = u8::try_from(threshold).map_err(|_| SealConfigError::ThresholdAboveShares)?;
        if threshold > shares {
            return Err(SealConfigError::ThresholdAboveShares);
        }
        Ok(Self { shares, threshold })
    }

    pub const fn shares(self) -> u8 {
        self.shares
    }

    pub const fn threshold(self) -> u8 {
        self.threshold
    }

    /// One PGP key for each share, or none at all.
    ///
    /// # Errors
    /// [`SealConfigError::PgpKeyCount`].
    pub fn check_pgp_keys(self, count: usize) -> Result<(), SealConfigError> {
        if count == 0 || count == usize::from(self.shares) { Ok(()) } else { Err(SealConfigError::PgpKeyCount) }
    }

    /// The stored form: JSON.
    pub fn to_bytes(self) -> Vec<u8> {
        format!(r#"{{"version":1,"shares":{},"threshold":{}}}"#, self.shares, self.threshold).into_bytes()
    }

    /// # Errors
    /// [`SealConfigError::Damaged`] for anything that [`SealConfig::to_bytes`] would not write.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SealConfigError> {
        let stored: Stored = serde_json::from_slice(bytes).map_err(|_| SealConfigError::Damaged)?;
        if stored.version != 1 {
            return Err(SealConfigError::Damaged);
        }
        Self::new(stored.shares, stored.threshold).map_err(|_| SealConfigError::Damaged)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn limits_on_both_sides() {
        use SealConfigError::*;
        for (shares, threshold, refusal) in [
            (0, 0, NoShares),
            (-1, 1, NoShares),
            (5, 0, NoThreshold),
            (2, -1, NoThreshold),
            (3, 1, ThresholdOfOne),
            (256, 1, ThresholdOfOne),
            (256, 3, TooManyShares),
            (256, 256, TooManyShares),
            (i64::MAX, i64::MAX, TooManyShares),
            (1, 2, ThresholdAboveShares),
            (3, 4, ThresholdAboveShares),
            (255, 256, ThresholdAboveShares),
        ] {
            assert_eq!(SealConfig::new(shares, threshold), Err(refusal), "{shares} {threshold}");
        }
        for (shares, threshold) in [(1, 1), (2, 2), (3, 2), (255, 2), (255, 255)] {
            let config = SealConfig::new(shares, threshold).unwrap();
            assert_eq!((i64::from(config.shares()), i64::from(config.threshold())), (shares, threshold));
            assert_eq!(SealConfig::from_bytes(&config.to_bytes()), Ok(config));
        }
    }

    #[test]
    fn pgp_keys_come_for_all_shares_or_none() {
        let config = SealConfig::new(3, 2).unwrap();
        assert_eq!(
            [0, 1, 2, 3, 4].map(|count| config.check_pgp_keys(count).is_ok()),
            [true, false, false, true, false]
        );
    }

    /// Stored installations must stay readable.
    #[test]
    fn stored_form_is_fixed() {
        assert_eq!(SealConfig::new(5, 3).unwrap().to_bytes(), br#"{"version":1,"shares":5,"threshold":3}"#);
        for damaged in [
            "",
            "{}",
            "[]",
            r#"{"version":2,"shares":5,"threshold":3}"#,
            r#"{"version":1,"shares":3,"threshold":5}"#,
            r#"{"version":1,"shares":5,"threshold":3,"more":1}"#,
        ] {
            assert_eq!(SealConfig::from_bytes(damaged.as_bytes()), Err(SealConfigError::Damaged), "{damaged}");
        }
    }
}
