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

/// What a body has up to this size is counted against a budget of its own, so that a few large bodies do not keep the small
/// ones of everybody else outside. It has to be counted: with HTTP/2 one connection can have a hundred of them.
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

/// Bytes of bodies in flight; each of both numbers stays below the limit.
pub(crate) struct Budget {
    small: AtomicUsize,
    large: AtomicUsize,
    limit: usize,
}

impl Budget {
    pub(crate) fn new(limit: usize) -> Self {
        Self { small: AtomicUsize::new(0), large: AtomicUsize::new(0), limit }
    }
}

impl Budget {
    /// Raises what one body has taken of a number to `wanted`.
    fn take(&self, all: &AtomicUsize, mine: &mut usize, wanted: usize) -> Result<(), BodyTrouble> {
        let more = wanted.saturating_sub(*mine);
        if more == 0 {
            return Ok(());
        }
        *mine += more;
        if all.fetch_add(more, Ordering::Relaxed) + more > self.limit { Err(BodyTrouble::Crowded) } else { Ok(()) }
    }
}

/// What one body has taken from the budget.
struct Taken<'a> {
    budget: &'a Budget,
    small: usize,
    large: usize,
}

impl Taken<'_> {
    fn grow_to(&mut self, size: usize) -> Result<(), BodyTrouble> {
        let budget = self.budget;
        budget.take(&budget.small, &mut self.small, size.min(SMALL))?;
        budget.take(&budget.large, &mut self.large, size.saturating_sub(SMALL))
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.budget.small.fetch_sub(self.small, Ordering::Relaxed);
        self.budget.large.fetch_sub(self.large, Ordering::Relaxed);
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
    let mut taken = Taken { budget, small: 0, large: 0 };
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
        let limit = 2 * SMALL + 1000;
        let budget = Budget::new(limit);
        let body = || Taken { budget: &budget, small: 0, large: 0 };
        let (mut one, mut two, mut three) = (body(), body(), body());
        assert_eq!(one.grow_to(SMALL + limit), Ok(()));
        assert_eq!(two.grow_to(SMALL), Ok(()), "there is room for what is small");
        assert_eq!(two.grow_to(SMALL + 1), Err(BodyTrouble::Crowded));
        assert_eq!(three.grow_to(limit - 2 * SMALL), Ok(()));
        assert_eq!(three.grow_to(limit - 2 * SMALL + 1), Err(BodyTrouble::Crowded), "and not without end");
        drop((one, two, three));
        assert_eq!((budget.small.into_inner(), budget.large.into_inner()), (0, 0));
    }
}
