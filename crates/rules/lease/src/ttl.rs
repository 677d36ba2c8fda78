//! The arithmetic of lifetimes. No number means "for ever": what does not expire has no lease at all.

use bulla_types::{Seconds, Time};

/// What the mount allows.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub default_ttl: Seconds,
    pub max_ttl: Seconds,
}

/// What was asked for when a token or secret is made.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked {
    pub ttl: Option<Seconds>,
    /// A maximum of the role or the request; the smaller of it and the mount's counts.
    pub max_ttl: Option<Seconds>,
    pub explicit_max_ttl: Option<Seconds>,
    pub period: Option<Seconds>,
}

/// What is granted, and what the client should be told about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    pub ttl: Seconds,
    pub warnings: Vec<String>,
}

/// The smaller of two maxima, where absent and zero set none.
fn lower(a: Seconds, b: Option<Seconds>) -> Seconds {
    match b {
        Some(b) if !b.is_zero() => a.min(b),
        _ => a,
    }
}

/// The first duration of a token or secret.
pub fn grant(bounds: Bounds, asked: Asked) -> Granted {
    let mut warnings = Vec::new();
    if let Some(period) = asked.period.filter(|p| !p.is_zero()) {
        if period > bounds.max_ttl {
            warnings.push(format!(
                "period of {:?} exceeded the effective max_ttl of {:?}; period value is capped accordingly",
                period.to_string(),
                bounds.max_ttl.to_string()
            ));
        }
        let ttl = lower(period.min(bounds.max_ttl), asked.explicit_max_ttl);
        return Granted { ttl, warnings };
    }
    let max = lower(bounds.max_ttl, asked.max_ttl);
    let wanted = asked.ttl.filter(|t| !t.is_zero()).unwrap_or(bounds.default_ttl);
    let mut ttl = wanted;
    if ttl > max {
        // Only what the client asked for is worth a warning; a default above the maximum is the operator's doing.
        if asked.ttl.is_some_and(|t| !t.is_zero()) {
            warnings.push(format!(
                "TTL of {:?} exceeded the effective max_ttl of {:?}; TTL value is capped accordingly",
                wanted.to_string(),
                max.to_string()
            ));
        }
        ttl = max;
    }
    Granted { ttl: lower(ttl, asked.explicit_max_ttl), warnings }
}

/// The state of a token or lease that asks to live on.
#[derive(Clone, Copy, Debug)]
pub struct Renewal {
    pub issued: Time,
    /// Duration given last; repeated when no increment is asked for.
    pub last_ttl: Seconds,
    pub increment: Option<Seconds>,
    pub period: Option<Seconds>,
    pub max_ttl: Option<Seconds>,
    pub explicit_max_ttl: Option<Seconds>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenewError {
    /// Its maximum lifetime is over; it must be made anew.
    #[error("past the max TTL, cannot renew")]
    PastMax,
}

/// The duration from `now` on. Never zero: what cannot live on is refused.
///
/// # Errors
/// [`RenewError::PastMax`] when a maximum leaves less than a second.
pub fn renew(bounds: Bounds, asked: Renewal, now: Time) -> Result<Granted, RenewError> {
    let mut warnings = Vec::new();
    let left_of = |max: Seconds| now.until(asked.issued.plus(max));
    let mut ttl = match asked.period.filter(|p| !p.is_zero()) {
        Some(period) => period.min(bounds.max_ttl),
        None => {
            let left = left_of(lower(bounds.max_ttl, asked.max_ttl));
            let wanted = asked.increment.filter(|i| !i.is_zero()).unwrap_or(asked.last_ttl);
            if wanted > left {
                warnings.push(format!(
                    "TTL of {:?} exceeded the effective max_ttl of {:?}; TTL value is capped accordingly",
                    wanted.to_string(),
                    left.to_string()
                ));
            }
            wanted.min(left)
        }
    };
    if let Some(explicit) = asked.explicit_max_ttl.filter(|e| !e.is_zero()) {
        let left = left_of(explicit);
        if ttl > left {
            warnings.push(format!(
                "TTL of {:?} exceeded the effective max_ttl of {:?}; TTL value is capped accordingly",
                ttl.to_string(),
                left.to_string()
            ));
            ttl = left;
        }
    }
    if ttl.is_zero() { Err(RenewError::PastMax) } else { Ok(Granted { ttl, warnings }) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const BOUNDS: Bounds = Bounds { default_ttl: Seconds(3600), max_ttl: Seconds(7200) };

    #[test]
    fn asks_are_capped_and_told() {
        let free = grant(BOUNDS, Asked::default());
        assert_eq!((free.ttl, free.warnings.len()), (Seconds(3600), 0));
        let over = grant(BOUNDS, Asked { ttl: Some(Seconds(7201)), ..Asked::default() });
        assert_eq!((over.ttl, over.warnings.len()), (Seconds(7200), 1));
        let just = grant(BOUNDS, Asked { ttl: Some(Seconds(7200)), ..Asked::default() });
        assert_eq!((just.ttl, just.warnings.len()), (Seconds(7200), 0));
        let explicit = grant(BOUNDS, Asked { explicit_max_ttl: Some(Seconds(60)), ..Asked::default() });
        assert_eq!(explicit.ttl, Seconds(60));
        let periodic = grant(BOUNDS, Asked { period: Some(Seconds(90)), ..Asked::default() });
        assert_eq!(periodic.ttl, Seconds(90));
    }

    #[test]
    fn a_renewal_in_the_last_second_is_refused_and_never_endless() {
        let issued = Time::from_unix(1000);
        let ask = Renewal {
            issued,
            last_ttl: Seconds(60),
            increment: None,
            period: None,
            max_ttl: Some(Seconds(100)),
            explicit_max_ttl: None,
        };
        assert_eq!(renew(BOUNDS, ask, issued.plus(Seconds(30))).unwrap().ttl, Seconds(60));
        assert_eq!(renew(BOUNDS, ask, issued.plus(Seconds(99))).unwrap().ttl, Seconds(1));
        assert_eq!(renew(BOUNDS, ask, issued.plus(Seconds(100))), Err(RenewError::PastMax));
        assert_eq!(renew(BOUNDS, ask, issued.plus(Seconds(101))), Err(RenewError::PastMax));
    }

    #[test]
    fn periods_go_on_until_the_explicit_end() {
        let issued = Time::from_unix(1000);
        let ask = Renewal {
            issued,
            last_ttl: Seconds(50),
            increment: Some(Seconds(5)),
            period: Some(Seconds(50)),
            max_ttl: Some(Seconds(60)),
            explicit_max_ttl: Some(Seconds(200)),
        };
        assert_eq!(renew(BOUNDS, ask, issued.plus(Seconds(140))).unwrap().ttl, Seconds(50));
        assert_eq!(renew(BOUNDS, ask, issued.plus(Seconds(180))).unwrap().ttl, Seconds(20));
        assert_eq!(renew(BOUNDS, ask, issued.plus(Seconds(200))), Err(RenewError::PastMax));
    }
}
