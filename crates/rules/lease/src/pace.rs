//! How much of the machine the work in the background takes: a small share while it keeps up, more and more when it does
//! not. What is over is refused at use, so nothing is lost by taking back slowly, but what is never taken back fills the
//! disk.

use std::time::Duration;

/// Entries in one step while there is no haste: about a millisecond of work.
pub const SMALL: usize = 16;
/// Entries in one step in the greatest haste. Large steps cost less an entry and keep others waiting for longer.
pub const LARGE: usize = 256;
/// A step is followed by a rest of so many times its own length.
const REST: u32 = 3;
/// The longest rest: what took long has waited for an engine, and cost others nothing.
const LONGEST_REST: Duration = Duration::from_millis(20);
/// For so long there is no haste: more than 100 000 entries at once take.
const PATIENCE: Duration = Duration::from_secs(300);
/// After so long haste is greatest.
const GREATEST: Duration = Duration::from_secs(900);
/// Haste passes so many times faster than it has come.
const CALMING: u32 = 10;

/// The pace, from how long there has been more to do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    behind: Duration,
}

impl Pace {
    /// How many entries the next step may take.
    pub fn batch(self) -> usize {
        let late = self.late().as_millis();
        let more = late.saturating_mul((LARGE - SMALL) as u128) / (GREATEST - PATIENCE).as_millis();
        usize::try_from(more).unwrap_or(LARGE).saturating_add(SMALL).min(LARGE)
    }

    /// A step took so long and there is more to do: how long to leave the machine to others.
    pub fn rest(&mut self, took: Duration) -> Duration {
        let calm = 1.0 - self.late().as_secs_f64() / (GREATEST - PATIENCE).as_secs_f64();
        let rest = took.saturating_mul(REST).min(LONGEST_REST).mul_f64(calm.clamp(0.0, 1.0));
        self.behind = self.behind.saturating_add(took).saturating_add(rest).min(GREATEST);
        rest
    }

    /// There was nothing left to do for so long.
    pub fn idle(&mut self, rested: Duration) {
        self.behind = self.behind.saturating_sub(rested.saturating_mul(CALMING));
    }

    /// How long there has been haste: zero up to `GREATEST - PATIENCE`.
    fn late(self) -> Duration {
        self.behind.saturating_sub(PATIENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A backlog, the time driven by hand: a step costs a millisecond and 50 µs an entry.
    struct Backlog {
        pace: Pace,
        left: f64,
        now: Duration,
        worked: Duration,
    }

    impl Backlog {
        fn of(left: f64) -> Self {
            Self { pace: Pace::default(), left, now: Duration::ZERO, worked: Duration::ZERO }
        }

        /// One step and its rest, while `inflow` entries a second fall due.
        fn step(&mut self, inflow: f64) {
            let batch = self.pace.batch();
            let took = Duration::from_micros(1_000 + 50 * batch as u64);
            self.worked += took;
            self.left -= batch as f64;
            let more = self.left > 0.0;
            let rest = if more { self.pace.rest(took) } else { Duration::from_secs(1) };
            if !more {
                self.left = 0.0;
                self.pace.idle(rest);
            }
            self.now += took + rest;
            self.left += inflow * (took + rest).as_secs_f64();
        }
    }

    #[test]
    fn a_hundred_thousand_at_once_take_a_small_share_and_less_than_two_minutes() {
        let mut backlog = Backlog::of(100_000.0);
        while backlog.left > 0.0 {
            assert_eq!(backlog.pace.batch(), SMALL);
            backlog.step(0.0);
        }
        assert!(backlog.now < Duration::from_secs(120), "{:?}", backlog.now);
        assert!(backlog.worked * 4 <= backlog.now + Duration::from_millis(10), "{:?}", backlog.worked);
    }

    #[test]
    fn what_comes_faster_than_it_goes_does_not_pile_up_for_ever() {
        for inflow in [500.0, 5_000.0, 12_000.0] {
            let (mut backlog, mut most) = (Backlog::of(0.0), 0.0_f64);
            while backlog.now < Duration::from_secs(2 * 3600) {
                backlog.step(inflow);
                most = most.max(backlog.left);
            }
            let early = most;
            while backlog.now < Duration::from_secs(6 * 3600) {
                backlog.step(inflow);
                most = most.max(backlog.left);
            }
            assert!(most <= early * 1.1, "{inflow}: {early} grew to {most}");
            assert!(most < inflow * GREATEST.as_secs_f64(), "{inflow}: {most}");
        }
    }

    #[test]
    fn haste_begins_after_patience_and_has_a_limit() {
        let mut pace = Pace { behind: PATIENCE };
        let took = Duration::from_millis(1);
        assert_eq!((pace.batch(), pace.rest(took)), (SMALL, took * REST));
        let mut pace = Pace { behind: PATIENCE + (GREATEST - PATIENCE) / 2 };
        assert_eq!((pace.batch(), pace.rest(took)), (SMALL + (LARGE - SMALL) / 2, took * REST / 2));
        let mut pace = Pace { behind: GREATEST };
        assert_eq!((pace.batch(), pace.rest(took)), (LARGE, Duration::ZERO));
        assert_eq!(pace.rest(Duration::MAX), Duration::ZERO);
        assert_eq!(pace.behind, GREATEST);
    }

    #[test]
    fn haste_passes_when_there_is_nothing_left() {
        let mut pace = Pace { behind: GREATEST };
        pace.idle(Duration::from_secs(59));
        assert!(pace.batch() > SMALL);
        pace.idle(Duration::from_secs(1));
        assert_eq!(pace.batch(), SMALL);
        pace.idle(Duration::MAX);
        assert_eq!(pace.behind, Duration::ZERO);
    }

    #[test]
    fn a_slow_engine_makes_no_long_rests() {
        let mut pace = Pace::default();
        assert_eq!(pace.rest(Duration::from_millis(6)), Duration::from_millis(18));
        assert_eq!(pace.rest(Duration::from_secs(30)), LONGEST_REST);
    }
}
