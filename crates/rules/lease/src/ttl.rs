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
    set(b).map_or(a, |b| a.min(b))
}

/// Zero is how requests and stored settings say that nothing is set.
fn set(duration: Option<Seconds>) -> Option<Seconds> {
    duration.filter(|d| !d.is_zero())
}

/// What limits a duration: the smallest maximum there is, and for a periodic one the end that no renewal passes.
struct Limits {
    max: Seconds,
    explicit: Option<Seconds>,
    period: Option<Seconds>,
}

impl Limits {
    fn new(bounds: Bounds, max: Option<Seconds>, explicit: Option<Seconds>, period: Option<Seconds>) -> Self {
        Self { max: lower(lower(bounds.max_ttl, max), explicit), explicit: set(explicit), period: set(period) }
    }

    /// The duration from now on, where `left_of` says how much is left of a maximum. What is cut is told, also if nobody
    /// asked for it: clients plan their renewals by what they expected to get.
    fn granted(&self, wanted: Seconds, left_of: impl Fn(Seconds) -> Left) -> Granted {
        let mut warnings = Vec::new();
        let (ttl, left) = match self.period {
            Some(period) => (Left::all(self.max).of("period", period, &mut warnings), self.explicit.map(left_of)),
            None => (wanted, Some(left_of(self.max))),
        };
        let ttl = left.map_or(ttl, |left| left.of("TTL", ttl, &mut warnings));
        Granted { ttl, warnings }
    }
}

/// What is left of a maximum.
struct Left {
    /// Whole seconds: no more is ever granted.
    whole: Seconds,
    /// With the second that has begun. Whoever renews at once has lost a moment of the maximum, not worth a word.
    begun: Seconds,
}

impl Left {
    fn all(max: Seconds) -> Self {
        Self { whole: max, begun: max }
    }

    fn until(end: Time, now: Time) -> Self {
        Self { whole: now.until(end), begun: now.until(end.plus_nanos(Time::NANOS - 1)) }
    }

    /// What may be had of `wanted`. `what` is `TTL` or `period`; the wording is what clients know.
    fn of(&self, what: &str, wanted: Seconds, warnings: &mut Vec<String>) -> Seconds {
        if wanted > self.begun {
            let (wanted, max) = (brief(wanted), brief(self.begun));
            warnings.push(format!(
                "{what} of {wanted:?} exceeded the effective max_ttl of {max:?}; {what} value is capped accordingly"
            ));
        }
        wanted.min(self.whole)
    }
}

/// `10m` rather than `10m0s`, as these sentences have always said it.
fn brief(duration: Seconds) -> String {
    let full = duration.to_string();
    let short = full.strip_suffix("m0s").map_or_else(|| full.clone(), |minutes| format!("{minutes}m"));
    short.strip_suffix("h0m").map_or_else(|| short.clone(), |hours| format!("{hours}h"))
}

/// The first duration of a token or secret.
pub fn grant(bounds: Bounds, asked: Asked) -> Granted {
    let wanted = set(asked.ttl).unwrap_or(bounds.default_ttl);
    Limits::new(bounds, asked.max_ttl, asked.explicit_max_ttl, asked.period).granted(wanted, Left::all)
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
    let wanted = set(asked.increment).unwrap_or(asked.last_ttl);
    let granted = Limits::new(bounds, asked.max_ttl, asked.explicit_max_ttl, asked.period)
        .granted(wanted, |max| Left::until(asked.issued.plus(max), now));
    if granted.ttl.is_zero() { Err(RenewError::PastMax) } else { Ok(granted) }
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
        let periodic = grant(BOUNDS, Asked { period: Some(Seconds(90)), ..Asked::default() });
        assert_eq!((periodic.ttl, periodic.warnings.len()), (Seconds(90), 0));
    }

    fn told(what: &str, wanted: &str, max: &str) -> Vec<String> {
        vec![format!(
            "{what} of \"{wanted}\" exceeded the effective max_ttl of \"{max}\"; {what} value is capped accordingly"
        )]
    }

    /// The explicit maximum used to cut in silence.
    #[test]
    fn every_maximum_says_what_it_cuts() {
        let hour = Some(Seconds(3600));
        for explicit_or_role in [true, false] {
            let max = |seconds| {
                let max = Some(Seconds(seconds));
                if explicit_or_role {
                    Asked { explicit_max_ttl: max, ..Asked::default() }
                } else {
                    Asked { max_ttl: max, ..Asked::default() }
                }
            };
            for (asked, ttl, warnings) in [
                (Asked { ttl: hour, ..max(3600) }, 3600, vec![]),
                (Asked { ttl: hour, ..max(3599) }, 3599, told("TTL", "1h", "59m59s")),
                // Nobody asked for the default, but everybody expects it.
                (max(3600), 3600, vec![]),
                (max(600), 600, told("TTL", "1h", "10m")),
                (Asked { period: hour, ..max(3600) }, 3600, vec![]),
                (Asked { period: hour, ..max(3599) }, 3599, told("period", "1h", "59m59s")),
                // A maximum above the mount's is none.
                (Asked { ttl: Some(Seconds(9000)), ..max(8000) }, 7200, told("TTL", "2h30m", "2h")),
            ] {
                assert_eq!(grant(BOUNDS, asked), Granted { ttl: Seconds(ttl), warnings }, "{asked:?}");
            }
        }
    }

    #[test]
    fn renewals_say_what_they_cut() {
        let issued = Time::from_unix(1000);
        let (hour, none) = (Some(Seconds(3600)), None);
        let ask = |increment, period, explicit| Renewal {
            issued,
            last_ttl: Seconds(60),
            increment,
            period,
            max_ttl: None,
            explicit_max_ttl: Some(Seconds(explicit)),
        };
        let later = issued.plus(Seconds(100));
        for (asked, now, ttl, warnings) in [
            (ask(hour, none, 3700), later, 3600, vec![]),
            (ask(hour, none, 1300), later, 1200, told("TTL", "1h", "20m")),
            (ask(none, none, 130), later, 30, told("TTL", "1m", "30s")),
            (ask(none, hour, 3700), later, 3600, vec![]),
            (ask(none, hour, 3600), later, 3500, told("TTL", "1h", "58m20s")),
            // The whole period never fits; of what does, nothing has gone by that is worth a word.
            (ask(none, hour, 300), issued, 300, told("period", "1h", "5m")),
            (ask(none, hour, 300), issued.plus_nanos(1), 299, told("period", "1h", "5m")),
            (ask(hour, none, 1200), issued.plus_nanos(1), 1199, told("TTL", "1h", "20m")),
        ] {
            assert_eq!(renew(BOUNDS, asked, now), Ok(Granted { ttl: Seconds(ttl), warnings }), "{asked:?}");
        }
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
