//! Receiving a body within its limits: never more in memory than allowed, neither of one request nor of all.

use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::timeout;

/// What is read and thrown away of a refused body, so that the client has sent all and reads the answer instead of
/// meeting a reset connection.
const DRAIN: usize = 256 << 10;
const DRAIN_TIME: Duration = Duration::from_secs(1);

/// Bodies up to this size are not counted against the budget of all bodies.
const SMALL: usize = 16 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyTrouble {
    /// 413
    TooLarge,
    /// The client went away or broke the framing.
    Broken,
    /// 408
    Slow,
    /// 503: all bodies together are too large just now.
    Crowded,
}

/// Bytes of bodies in flight.
pub(crate) struct Budget {
    used: AtomicUsize,
    limit: usize,
}

impl Budget {
    pub(crate) fn new(limit: usize) -> Self {
        Self { used: AtomicUsize::new(0), limit }
    }
}

/// What one body has taken from the budget.
struct Taken<'a> {
    budget: &'a Budget,
    bytes: usize,
}

impl Taken<'_> {
    fn grow_to(&mut self, size: usize) -> Result<(), BodyTrouble> {
        let more = size.saturating_sub(SMALL).saturating_sub(self.bytes);
        if more == 0 {
            return Ok(());
        }
        self.bytes += more;
        if self.budget.used.fetch_add(more, Ordering::Relaxed) + more > self.budget.limit {
            return Err(BodyTrouble::Crowded);
        }
        Ok(())
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Reads the whole body. A body in one piece is not copied.
pub(crate) async fn receive(
    mut body: Incoming,
    limit: u64,
    time: Duration,
    budget: &Budget,
) -> Result<Bytes, BodyTrouble> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    if body.size_hint().lower() > limit {
        drain(body).await;
        return Err(BodyTrouble::TooLarge);
    }
    match timeout(time, collect(&mut body, limit, budget)).await {
        Ok(Err(BodyTrouble::TooLarge)) => {
            drain(body).await;
            Err(BodyTrouble::TooLarge)
        }
        Ok(result) => result,
        Err(_) => Err(BodyTrouble::Slow),
    }
}

async fn collect(body: &mut Incoming, limit: u64, budget: &Budget) -> Result<Bytes, BodyTrouble> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut taken = Taken { budget, bytes: 0 };
    let mut first: Option<Bytes> = None;
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| BodyTrouble::Broken)?.into_data() else { continue };
        let size = first.as_ref().map_or(0, Bytes::len) + all.len() + data.len();
        if size > limit {
            return Err(BodyTrouble::TooLarge);
        }
        taken.grow_to(size)?;
        match first.take() {
            None if all.is_empty() => first = Some(data),
            Some(before) => {
                all.extend_from_slice(&before);
                all.extend_from_slice(&data);
            }
            None => all.extend_from_slice(&data),
        }
    }
    Ok(first.unwrap_or_else(|| all.freeze()))
}

/// Reads on for a moment without keeping anything.
pub(crate) async fn drain(mut body: Incoming) {
    let read = async {
        let mut seen = 0;
        while let Some(Ok(frame)) = body.frame().await {
            seen += frame.data_ref().map_or(0, Bytes::len);
            if seen > DRAIN {
                break;
            }
        }
    };
    let _ = timeout(DRAIN_TIME, read).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_holds_just_under_and_just_over_and_is_given_back() {
        let budget = Budget::new(1000);
        let mut one = Taken { budget: &budget, bytes: 0 };
        assert_eq!(one.grow_to(SMALL + 1000), Ok(()));
        let mut two = Taken { budget: &budget, bytes: 0 };
        assert_eq!(two.grow_to(SMALL), Ok(()), "small bodies are free");
        assert_eq!(two.grow_to(SMALL + 1), Err(BodyTrouble::Crowded));
        drop((one, two));
        assert_eq!(budget.used.load(Ordering::Relaxed), 0);
    }
}
