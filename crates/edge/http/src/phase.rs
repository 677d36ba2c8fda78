//! What a connection is doing, as its socket, its requests and its supervisor tell each other.

use crate::socket::Socket;
use bulla_core::Delivery;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::task::Waker;
use std::time::{Duration, Instant};

/// What the time limits look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// Between requests.
    Idle = 0,
    /// The beginning of a request is here, its headers are not complete.
    Head = 1,
    /// A request is read, run or answered; its own limits hold.
    Busy = 2,
    /// The client does not take what is sent.
    Stalled = 3,
}

/// What is written while the answer to a seal is held back, and the socket it goes to.
pub(crate) type Rescued = (Socket, Vec<u8>);

/// Shared by the socket, the requests and the supervisor of one connection.
pub(crate) struct State {
    /// Unique in the process.
    pub(crate) id: u64,
    /// HTTP/2 has frames outside of requests: bytes alone do not begin a request there.
    pub(crate) multiplexed: AtomicBool,
    /// Write to memory, not to the socket.
    pub(crate) hold: AtomicBool,
    pub(crate) rescued: Mutex<Option<Rescued>>,
    /// Answers that are written, but perhaps not flushed, and whether there are any.
    unflushed: Mutex<Vec<Delivery>>,
    has_unflushed: AtomicBool,
    closing: AtomicBool,
    /// Requests whose body is complete and whose answer is not yet handed to hyper.
    running: AtomicUsize,
    phase: AtomicU8,
    since: AtomicU64,
    start: Instant,
    waker: Mutex<Option<Waker>>,
}

impl State {
    pub(crate) fn new(id: u64) -> Self {
        Self {
            id,
            multiplexed: AtomicBool::new(false),
            hold: AtomicBool::new(false),
            rescued: Mutex::new(None),
            unflushed: Mutex::default(),
            has_unflushed: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            running: AtomicUsize::new(0),
            // A client that connects and says nothing is a slow header.
            phase: AtomicU8::new(Phase::Head as u8),
            since: AtomicU64::new(0),
            start: Instant::now(),
            waker: Mutex::new(None),
        }
    }

    pub(crate) fn enter(&self, phase: Phase) {
        let millis = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.since.store(millis, Ordering::Relaxed);
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Idle,
            1 => Phase::Head,
            2 => Phase::Busy,
            _ => Phase::Stalled,
        }
    }

    /// When the present phase began.
    pub(crate) fn since(&self) -> Instant {
        self.start + Duration::from_millis(self.since.load(Ordering::Relaxed))
    }

    pub(crate) fn is_running(&self) -> bool {
        self.running.load(Ordering::Acquire) > 0
    }

    /// Marks a request as running until the guard is dropped; `None` if the connection is to close.
    pub(crate) fn run(&self) -> Option<RunningRequest<'_>> {
        self.running.fetch_add(1, Ordering::AcqRel);
        let guard = RunningRequest(self);
        (!self.is_closing()).then_some(guard)
    }

    /// With the next flush of the connection the answer is out.
    pub(crate) fn tell_when_flushed(&self, delivery: Delivery) {
        self.unflushed.lock().push(delivery);
        self.has_unflushed.store(true, Ordering::Release);
    }

    /// The system has taken all that was written.
    pub(crate) fn flushed(&self) {
        if self.has_unflushed.swap(false, Ordering::AcqRel) {
            std::mem::take(&mut *self.unflushed.lock()).into_iter().for_each(Delivery::arrived);
        }
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Release);
        self.wake();
    }

    pub(crate) fn wake(&self) {
        if let Some(waker) = self.waker.lock().take() {
            waker.wake();
        }
    }

    pub(crate) fn wake_me(&self, waker: &Waker) {
        let mut slot = self.waker.lock();
        if !slot.as_ref().is_some_and(|w| w.will_wake(waker)) {
            *slot = Some(waker.clone());
        }
    }
}

pub(crate) struct RunningRequest<'a>(&'a State);

impl Drop for RunningRequest<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::AcqRel);
        if self.0.is_closing() {
            self.0.wake();
        }
    }
}
