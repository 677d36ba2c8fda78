//! Taking back what is over: when an engine is asked, and when it is asked again after it failed.

use bulla_types::{Seconds, Time};

/// First pause after a failure; it doubles with each further one.
pub const FIRST_PAUSE: Seconds = Seconds(10);
/// The longest pause.
pub const LONGEST_PAUSE: Seconds = Seconds(3600);
/// How often an engine is asked before the lease counts as irrevocable. With the pauses above that is most of a day:
/// long enough for a database to come back over night, short enough that nobody is asked for ever.
pub const ATTEMPTS: u32 = 28;

/// What becomes of a lease whose engine failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    At(Time),
    /// Not by itself any more: it is shown as irrevocable until somebody asks for it.
    Never,
}

/// What follows the `attempts`-th failure in a row, at `now`. For `noise` see [`postponed`].
pub fn after_failure(attempts: u32, now: Time, noise: u16) -> Retry {
    if attempts >= ATTEMPTS {
        return Retry::Never;
    }
    Retry::At(postponed(now.plus(pause(attempts)), now, noise))
}

/// When a lease is looked at again that nobody asks its engine for before `until`. `noise` (random) spreads those that wait
/// for the same engine over a quarter of the wait, so that they do not come back together.
pub fn postponed(until: Time, now: Time, noise: u16) -> Time {
    let wait = until.0.saturating_sub(now.0);
    until.plus_nanos(wait / 4 / u64::from(u16::MAX) * u64::from(noise))
}

/// The pause after the `attempts`-th failure in a row, without the spread.
pub fn pause(attempts: u32) -> Seconds {
    let doublings = attempts.saturating_sub(1).min(16);
    Seconds(FIRST_PAUSE.0 << doublings).min(LONGEST_PAUSE)
}

/// Whether a lease is in force: its time is not over and nobody ended it.
pub fn in_force(expires: Time, ended: bool, now: Time) -> bool {
    !ended && now < expires
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let pauses: Vec<u64> = (0..12).map(|n| pause(n).0).collect();
        assert_eq!(pauses, [10, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]);
        assert_eq!(pause(u32::MAX), LONGEST_PAUSE);
    }

    #[test]
    fn there_is_a_last_attempt() {
        let now = Time::from_unix(1000);
        assert_eq!(after_failure(1, now, 0), Retry::At(now.plus(FIRST_PAUSE)));
        assert!(matches!(after_failure(ATTEMPTS - 1, now, 0), Retry::At(_)));
        assert_eq!(after_failure(ATTEMPTS, now, 0), Retry::Never);
        assert_eq!(after_failure(u32::MAX, now, 0), Retry::Never);
        let whole: u64 = (1..ATTEMPTS).map(|n| pause(n).0).sum();
        assert!((12 * 3600..24 * 3600).contains(&whole), "{whole} seconds");
    }

    #[test]
    fn noise_spreads_over_a_quarter_of_the_pause() {
        let now = Time::from_unix(1000);
        let Retry::At(last) = after_failure(3, now, u16::MAX) else { unreachable!("3 is not the last") };
        assert!(last > now.plus(Seconds(49)) && last <= now.plus(Seconds(50)), "{last}");
    }

    #[test]
    fn waiting_is_spread_and_never_shortened() {
        let (now, until) = (Time::from_unix(1000), Time::from_unix(1100));
        assert_eq!(postponed(until, now, 0), until);
        let last = postponed(until, now, u16::MAX);
        assert!(last > until.plus(Seconds(24)) && last <= until.plus(Seconds(25)), "{last}");
        assert_eq!(postponed(now, until, u16::MAX), now, "what is past is due");
    }

    #[test]
    fn the_last_instant_is_over() {
        let end = Time::from_unix(1000);
        assert!(in_force(end, false, Time(end.0 - 1)));
        assert!(!in_force(end, false, end));
        assert!(!in_force(end, true, Time(0)));
    }
}
