//! A clock that a test moves.

use bulla_core::Clock;
use bulla_types::{Seconds, Time};
use parking_lot::Mutex;

/// Stands still until it is moved.
pub struct TestClock(Mutex<Time>);

impl TestClock {
    pub fn at(now: Time) -> Self {
        Self(Mutex::new(now))
    }

    pub fn advance(&self, span: Seconds) {
        let mut now = self.0.lock();
        *now = now.plus(span);
    }
}

impl Default for TestClock {
    /// 2024-01-01
    fn default() -> Self {
        Self::at(Time::from_unix(1_704_067_200))
    }
}

impl Clock for TestClock {
    fn now(&self) -> Time {
        *self.0.lock()
    }
}
