//! When and after how long a request is tried again.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use http::StatusCode;

/// Longest pause a `Retry-After` may ask for; beyond it the answer goes to the caller.
const LONGEST_WISH: Duration = Duration::from_secs(60);

/// How often, and how patiently, a request is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retries {
    /// Repetitions after the first attempt; 0 turns them off.
    pub max: u32,
    /// Pause before the first repetition; doubles each time, plus up to half of it at random.
    pub first_pause: Duration,
    pub longest_pause: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self { max: 2, first_pause: Duration::from_millis(500), longest_pause: Duration::from_secs(5) }
    }
}

impl Retries {
    /// The pause before attempt number `done + 1`, or `None` if it should not be made.
    pub(crate) fn after_status(&self, done: u32, status: StatusCode, wish: Option<Duration>) -> Option<Duration> {
        let worth = status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED
            || status == StatusCode::PRECONDITION_FAILED
            || status == StatusCode::TOO_MANY_REQUESTS;
        if !worth || wish.is_some_and(|wish| wish > LONGEST_WISH) {
            return None;
        }
        self.pause(done).map(|own| wish.unwrap_or(own))
    }

    pub(crate) fn pause(&self, done: u32) -> Option<Duration> {
        if done >= self.max {
            return None;
        }
        let base = self.first_pause.saturating_mul(1 << done.min(16)).min(self.longest_pause);
        // The standard library's hash seed is the only randomness needed to keep clients from repeating in step.
        let random = RandomState::new().hash_one(done) % 512;
        Some(base + base.mul_f64(random as f64 / 1024.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_answers_are_worth_another_try() {
        let retries = Retries::default();
        for (status, worth) in
            [(200, false), (400, false), (403, false), (412, true), (429, true), (500, true), (501, false), (503, true)]
        {
            let status = StatusCode::from_u16(status).unwrap_or_default();
            assert_eq!(retries.after_status(0, status, None).is_some(), worth, "{status}");
        }
    }

    #[test]
    fn pauses_grow_and_end() {
        let retries = Retries::default();
        assert!(retries.pause(0).is_some_and(|p| p >= Duration::from_millis(500) && p < Duration::from_millis(750)));
        assert!(retries.pause(1).is_some_and(|p| p >= Duration::from_secs(1)));
        assert_eq!(retries.pause(2), None);
    }

    #[test]
    fn wishes_are_granted_up_to_a_minute() {
        let ask = |s| Retries::default().after_status(0, StatusCode::TOO_MANY_REQUESTS, Some(Duration::from_secs(s)));
        assert_eq!(ask(60), Some(Duration::from_secs(60)));
        assert_eq!(ask(61), None);
    }
}
