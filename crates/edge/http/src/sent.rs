//! From an answer to the moment when the system has taken the last byte of it.
//!
//! hyper does not tell when an answer is out, but it drops the body once all of it is copied or written, and flushes the
//! connection when nothing is left to write. So: first the body is gone, then a flush succeeds.

use crate::exchange::HttpAnswer;
use crate::phase::State;
use bulla_core::Delivery;
use bytes::Bytes;
use http_body::Body as _;
use http_body_util::Full;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// A body whose end is noticed.
struct Watched {
    bytes: Bytes,
    delivery: Option<Delivery>,
    state: Arc<State>,
}

impl AsRef<[u8]> for Watched {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(delivery) = self.delivery.take() {
            self.state.tell_when_flushed(delivery);
        }
    }
}

/// Tells `delivery` when `answer` has left on the connection of `state`. A connection that ends before drops both.
pub(crate) fn watch(answer: &mut HttpAnswer, delivery: Delivery, state: &Arc<State>) {
    // The whole body is there and waits for nothing.
    let body = match Pin::new(answer.body_mut()).poll_frame(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
        _ => return,
    };
    let watched = Watched { bytes: body, delivery: Some(delivery), state: Arc::clone(state) };
    *answer.body_mut() = Full::new(Bytes::from_owner(watched));
}
