//! Points in time. The clock itself is an argument that comes from outside; nothing here asks for "now".

use crate::Seconds;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Nanoseconds since 1970-01-01T00:00:00Z. Stored as that integer; shown as RFC 3339 with nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(pub u64);

impl Time {
    pub const NANOS: u64 = 1_000_000_000;

    pub const fn from_unix(seconds: u64) -> Self {
        Self(seconds.saturating_mul(Self::NANOS))
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn unix(self) -> u64 {
        self.0 / Self::NANOS
    }

    #[must_use]
    pub const fn plus(self, span: Seconds) -> Self {
        Self(self.0.saturating_add(span.0.saturating_mul(Self::NANOS)))
    }

    #[must_use]
    pub const fn plus_nanos(self, nanos: u64) -> Self {
        Self(self.0.saturating_add(nanos))
    }

    /// Whole seconds from `self` until `later`; zero if that is past.
    pub const fn until(self, later: Self) -> Seconds {
        Seconds(later.0.saturating_sub(self.0) / Self::NANOS)
    }

    /// RFC 3339 in UTC with as many decimals as needed, the way Go's `RFC3339Nano` prints it.
    pub fn rfc3339(self) -> String {
        self.to_string()
    }

    /// Reads RFC 3339 text; `None` if it is none or lies before 1970.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let stamp: jiff::Timestamp = text.parse().ok()?;
        u64::try_from(stamp.as_nanosecond()).ok().map(Self)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(stamp) => write!(f, "{stamp}"),
            Err(_) => write!(f, "{}", self.0),
        }
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Time({self})")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn shows_and_reads_rfc3339() {
        let time = Time(1_700_000_000_123_456_789);
        assert_eq!(time.rfc3339(), "2023-11-14T22:13:20.123456789Z");
        assert_eq!(Time::parse_rfc3339(&time.rfc3339()).unwrap(), time);
        assert_eq!(Time::from_unix(0).rfc3339(), "1970-01-01T00:00:00Z");
        assert_eq!(Time::parse_rfc3339("yesterday"), None);
    }
}
